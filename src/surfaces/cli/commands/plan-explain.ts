import type { PolicySet } from "../../../core/policy/policy.ts";
import { CLAUSE_WORDS, type ClauseWords } from "../clause-words.ts";
import type { CommandContext } from "../command-context.ts";
import { decideOffline } from "../decide-offline.ts";
import { type DecisionView, decisionLine } from "../decision-text.ts";
import { policyOf } from "../offline-policy.ts";
import { preparePlan } from "../prepare-plan.ts";
import { printable, shown } from "../printable.ts";

interface Explanation extends ClauseWords {
  clause: string;
  findings: DecisionView["findings"];
}

/** Explains every clause that has something to say about the plan. What the plan's decision is, `plan check` says. */
export async function planExplain(context: CommandContext): Promise<number> {
  const prepared = await preparePlan(context);
  const policy = await policyOf(context);
  const decision: DecisionView = decideOffline(policy, prepared);
  const findings = decision.live?.findings ?? decision.findings;
  const clauses = [...new Set(findings.map(({ clause }) => clause))];
  const explanations: Explanation[] = clauses.map((clause) => ({
    clause,
    ...(CLAUSE_WORDS[clause] ?? ownWords(policy.set, clause)),
    findings: findings.filter((finding) => finding.clause === clause),
  }));
  const answer = {
    decision: decision.decision,
    simulation: decision.simulation,
    planDigest: decision.planDigest,
    clauses: explanations,
  };
  await context.show(answer, () => {
    const paragraphs = explanations.map((explanation) => paragraph(explanation, context));
    return `${decisionLine(decision, context.paint, context.text("policy"))}\n\n${paragraphs.join("\n") || "no clause has anything to say\n"}`;
  });
  return 0;
}

/** A clause of a user's own set is explained by the policy that holds it. */
function ownWords(set: PolicySet, clause: string): ClauseWords {
  const policy = [...set.policies.values()].find((candidate) => candidate.clause === clause);
  return {
    title: "A clause of your own policies",
    // Its reason stands in the findings, with what was observed in its places.
    wants: "",
    remedy: policy === undefined ? "" : `See ${policy.file}:${policy.line}.`,
  };
}

function paragraph({ clause, title, wants, remedy, findings }: Explanation, { paint }: CommandContext): string {
  const here = findings.map(({ level, message, observed, path }) => {
    const seen = observed === null ? "" : ` (here: ${shown(observed)}${path === null ? "" : ` at ${path}`})`;
    return `  ${level}: ${printable(message)}${seen}\n`;
  });
  const asks = wants === "" ? "" : `  ${printable(wants)}\n`;
  return `${paint.strong(`${clause}  ${title}`)}\n${asks}${here.join("")}  To do: ${printable(remedy)}\n`;
}
