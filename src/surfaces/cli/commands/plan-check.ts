import { stringify } from "yaml";
import { applyPatch } from "../../../core/plan/patch.ts";
import { CliError, malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { decideOffline } from "../decide-offline.ts";
import { type DecisionView, decisionLine, decisionText } from "../decision-text.ts";
import { exitOfDecision } from "../exit-codes.ts";
import { writeNewFile } from "../files.ts";
import { paint } from "../paint.ts";
import { type PreparedPlan, preparePlan, withFileReferences } from "../prepare-plan.ts";

/** Decides a plan and says so by text, JSON and exit code. With `--fix` the repaired plan is written as well. */
export async function planCheck(context: CommandContext): Promise<number> {
  const fixFile = context.text("fix");
  const fixToStdout = context.flag("fix");
  if (fixToStdout && context.format === "json")
    throw malformed("two results for standard output", "--fix with -o json", "must name a file: --fix FILE");
  const others = [
    ["--policy", context.text("policy")],
    ["--bundle", context.text("bundle")],
    ["--require-bundle", context.flag("requireBundle") || undefined],
  ] as const;
  const other = context.flag("server") ? others.find(([, value]) => value !== undefined) : undefined;
  if (other !== undefined) throw malformed("two policies", `--server with ${other[0]}`, "must be one of them");
  const prepared = await preparePlan(context);
  const decision = context.flag("server") ? await askServer(context, prepared) : await decideHere(context, prepared);
  if (fixToStdout) {
    context.note(
      decisionLine(decision, paint(context.wantsColor(context.io.stderrIsTerminal)), context.text("policy")),
    );
    await context.io.out(fixedPlan(prepared, decision));
  } else {
    await context.show(decision, () => decisionText(decision, context.paint, context.text("policy")));
  }
  if (fixFile !== undefined) await writeFix(context, { file: fixFile, prepared, decision });
  return exitOfDecision(decision.decision);
}

async function decideHere(context: CommandContext, prepared: PreparedPlan): Promise<DecisionView> {
  const { policyOf } = await import("../offline-policy.ts");
  const { target } = prepared.plan.spec;
  const { targets } = context.injected;
  if (!targets.includes(target))
    context.note(
      `this build has no driver for ${target}: the plan can be checked here, and a server of this build refuses it (target-not-available); it deploys to ${targets.join(" and ")}`,
    );
  return decideOffline(await policyOf(context), prepared);
}

async function askServer(context: CommandContext, prepared: PreparedPlan): Promise<DecisionView> {
  const client = await context.client();
  const decision = await client.call("plans.check", { body: prepared.input });
  const unknown = decision.findings.filter(({ clause }) => clause === "P5").map(({ observed }) => String(observed));
  for (const { reference, digest } of prepared.files) {
    if (unknown.some((names) => names.includes(digest)))
      context.note(
        `${reference} is not in the server's store: \`continuum artifact import\` puts it there, and so does \`plan submit\``,
      );
  }
  return decision;
}

async function writeFix(
  context: CommandContext,
  fix: { file: string; prepared: PreparedPlan; decision: DecisionView },
): Promise<void> {
  if (fix.decision.fix.length === 0) {
    const why = fix.decision.decision === "deny" ? "none of the denials has a fix" : "nothing is denied";
    context.note(`${fix.file} was not written: ${why}`);
    return;
  }
  await writeNewFile(context, { file: fix.file, text: fixedPlan(fix.prepared, fix.decision), where: "--fix" });
  context.note(`wrote ${fix.file}: check it with \`continuum plan check -f ${fix.file}\``);
}

/** The plan with its defaults and the fix applied, files named as before. */
function fixedPlan(prepared: PreparedPlan, decision: DecisionView): string {
  const fix = decision.fix as Parameters<typeof applyPatch>[1];
  const patched = applyPatch(prepared.plan, fix);
  if (!patched.ok)
    throw new CliError("failed", `the fix does not fit the plan: ${patched.problem.message}`, { exitCode: 1 });
  return stringify(withFileReferences(patched.value, prepared.files), { lineWidth: 0 });
}
