import type { OperationOutput } from "../../contract/operations.ts";
import type { PlanInput } from "../../core/plan/schema.ts";
import { followRollout } from "../../surfaces/cli/follow-rollout.ts";
import { ended, type Rollout } from "../follow.ts";
import { expectThat, type Stage } from "../stage.ts";

type Obligation = OperationOutput<"rollouts.get">["decision"]["obligations"][number];

/** The agent proposes; whatever it waits for then, it has begun. */
export async function submit(stage: Pick<Stage, "agent">, plan: PlanInput): Promise<Rollout> {
  const rollout = await stage.agent.call("plans.submit", { body: { plan } });
  expectThat(!rollout.terminal, `expected the rollout to begin, got ${ended(rollout)}`);
  return rollout;
}

/** Runs every check of the plan and changes nothing. */
export async function submitDry(stage: Stage, plan: PlanInput): Promise<Rollout> {
  const { id } = await submit(stage, { ...plan, spec: { ...plan.spec, dryRun: true } });
  const rollout = await followRollout({ client: stage.api, id, onEvent: () => {} });
  expectThat(rollout.phase === "DryRunCompleted", `expected DryRunCompleted, got ${ended(rollout)}`);
  return rollout;
}

export function approvalLine({ role, count = 1, mfa, signed, clauses }: Obligation): string {
  const how = [role, mfa === true ? "with MFA" : "", signed === true ? "signed" : ""].filter(Boolean).join(", ");
  return `${count} approval by a person (${how})  [${clauses.join(", ")}]`;
}
