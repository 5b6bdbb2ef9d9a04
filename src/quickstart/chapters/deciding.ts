import type { OperationOutput } from "../../contract/operations.ts";
import { withDefaults } from "../../core/plan/defaults.ts";
import { applyPatch } from "../../core/plan/patch.ts";
import type { PlanInput } from "../../core/plan/schema.ts";
import type { PatchOperation } from "../../core/policy/decision.ts";
import { carelessPlan } from "../plans.ts";
import { expectThat, type Stage } from "../stage.ts";

type Decision = OperationOutput<"plans.check">;

/** A plan that breaks several clauses is denied with everything that is wrong; its fix makes it pass. */
export async function decideAndFix(stage: Stage, good: PlanInput): Promise<PlanInput> {
  const { narrator, agent } = stage;
  const careless = carelessPlan(good);
  const { instanceType, instanceCount } = careless.spec.compute;
  narrator.chapter("An agent in a hurry proposes a plan, and the guardrails answer at once");
  narrator.say(
    `plan: ${careless.metadata.name} to ${careless.spec.environment}, ${instanceCount} x ${instanceType}, no alarms, no automatic rollback`,
  );
  const denied = await agent.call("plans.check", { body: careless });
  expectThat(denied.decision === "deny", `expected the careless plan to be denied, got ${denied.decision}`);
  narrator.say(
    `decision: ${denied.decision.toUpperCase()}, ${denied.findings.length} findings (policy ${short(denied.policyDigest)})`,
  );
  showFindings(stage, denied);

  narrator.say("the fix, one patch for all denials together:");
  for (const operation of denied.fix) {
    narrator.say(
      `  ${operation.op.padEnd(7)} ${operation.path} ${"value" in operation ? JSON.stringify(operation.value) : ""}`,
    );
  }
  const fixed = applyPatch(withDefaults(careless), denied.fix as PatchOperation[]);
  expectThat(fixed.ok, fixed.ok ? "" : fixed.problem.message);
  const advised = {
    ...fixed.value,
    spec: { ...fixed.value.spec, compute: { ...fixed.value.spec.compute, instanceCount: 1 } },
  };
  const admitted = await agent.call("plans.check", { body: advised });
  expectThat(admitted.decision === "allow", `expected the fixed plan to be allowed, got ${admitted.decision}`);
  narrator.say(
    `with the fix, and 1 instance as AO-10 advises: ${admitted.decision.toUpperCase()}, risk ${admitted.risk}, ${money(admitted.cost.usdPerHour)}${admitted.cost.notional ? " (notional: what SageMaker would charge)" : ""}`,
  );
  return advised;
}

export function showFindings(stage: Pick<Stage, "narrator">, decision: Pick<Decision, "findings">): void {
  for (const finding of decision.findings) {
    stage.narrator.say(
      `  ${finding.clause.padEnd(6)} ${finding.level.padEnd(8)} ${shortened(finding.message)}; observed ${shown(finding.observed)}, limit ${shown(finding.limit)}`,
    );
  }
}

export function money(usdPerHour: number | null): string {
  return usdPerHour === null ? "unknown price" : `$${usdPerHour.toFixed(3)}/hour`;
}

export function short(digest: string): string {
  return digest.slice(0, "sha256:".length + 12);
}

/** The digests in a text as they are shown alone. */
export function shortened(text: string): string {
  return text.replaceAll(/(sha256:[0-9a-f]{12})[0-9a-f]{52}/g, "$1");
}

function shown(value: unknown): string {
  const text =
    value === null || value === undefined
      ? "nothing"
      : typeof value === "string"
        ? value
        : shortened(JSON.stringify(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
