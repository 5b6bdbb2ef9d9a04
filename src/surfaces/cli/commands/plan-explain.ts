import type { PolicySet } from "../../../core/policy/policy.ts";
import { CLAUSE_WORDS, type ClauseWords } from "../clause-words.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { decideOffline } from "../decide-offline.ts";
import { type DecisionView, decisionLine } from "../decision-text.ts";
import { loadedPolicy, policyOf } from "../offline-policy.ts";
import { preparePlan } from "../prepare-plan.ts";
import { printable, shown } from "../printable.ts";

interface Explanation extends ClauseWords {
  clause: string;
  findings: DecisionView["findings"];
}

/** Explains every clause that has something to say about the plan. What the plan's decision is, `plan check` says. */
export async function planExplain(context: CommandContext): Promise<number> {
  const rollout = context.text("rollout");
  if ((rollout === undefined) === (context.text("file") === undefined))
    throw malformed("what is explained", "plan explain", "must be one of: -f FILE, --rollout ID");
  const { decision, set } = rollout === undefined ? await decidedHere(context) : await decidedThen(context, rollout);
  const findings = decision.live?.findings ?? decision.findings;
  const clauses = [...new Set(findings.map(({ clause }) => clause))];
  const explanations: Explanation[] = clauses.map((clause) => ({
    clause,
    ...(CLAUSE_WORDS[clause] ?? ownWords(set, clause)),
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

interface Explained {
  decision: DecisionView;
  set: PolicySet;
}

async function decidedHere(context: CommandContext): Promise<Explained> {
  const prepared = await preparePlan(context);
  const policy = await policyOf(context);
  return { decision: decideOffline(policy, prepared), set: policy.set };
}

/** What was decided when the rollout was proposed, by the words of the policy of then, whatever is in force now. */
async function decidedThen(context: CommandContext, id: string): Promise<Explained> {
  const client = await context.client();
  const { decision } = await client.call("rollouts.get", { params: { id } });
  const { files } = await client.call("policy.show", { params: { digest: decision.policyDigest } });
  return { decision, set: loadedPolicy(files, `the policy ${decision.policyDigest}`).set };
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
