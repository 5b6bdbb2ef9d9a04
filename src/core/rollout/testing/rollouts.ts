import type { Verdict } from "../../monitor/verdict.ts";
import type { Plan } from "../../plan/schema.ts";
import { type Advance, advance } from "../advance.ts";
import { newRollout } from "../new-rollout.ts";
import type { ApprovalNeed, DecisionSummary, Rollout, RolloutEvent } from "../rollout.ts";

/** Rollouts for tests: a plan that can be varied, and a script that drives a rollout and says where it went wrong. */

type RolloutSettings = Plan["spec"]["rollout"];

export function testPlan(rollout: Partial<RolloutSettings> = {}, dryRun = false): Plan {
  return {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name: "churn" },
    spec: {
      environment: "staging",
      target: "simulated",
      runtime: "auto",
      workload: { kind: "inference" },
      model: { name: "churn", version: "3.1.0", artifact: `store:sha256:${"a".repeat(64)}` },
      compute: { instanceType: "ml.m5.large", instanceCount: 1 },
      rollout: { strategy: "canary", stepPercent: 10, bakeSeconds: 60, deadlineSeconds: 600, ...rollout },
      rollback: { alarms: ["ModelMonitorAlarm", "DataDriftAlarm"], onHealthCheckFailure: true },
      dryRun,
    },
  };
}

export function testRollout(plan: Plan = testPlan(), atMs = 0): Rollout {
  return newRollout({
    id: "r-1",
    tenant: "t-1",
    plan,
    planDigest: `sha256:${"b".repeat(64)}`,
    policyDigest: `sha256:${"c".repeat(64)}`,
    proposer: "agent-1",
    createdAtMs: atMs,
  });
}

export function decisionOf(summary: Partial<DecisionSummary> = {}): DecisionSummary {
  return { decision: "allow", needs: [], denials: [], slotTaken: false, dryRun: false, ...summary };
}

export function needOf(role: ApprovalNeed["role"], flags: Partial<ApprovalNeed> = {}): ApprovalNeed {
  return { role, count: 1, mfa: false, signed: false, ...flags };
}

export function verdictOf(
  outcome: Verdict["outcome"],
  metric: Verdict["metrics"][number]["metric"] = "errors",
): Verdict {
  return { outcome, metrics: [{ metric, outcome, message: `${metric}: ${outcome}.`, observed: 1, limit: 2 }] };
}

/** An event without its time. */
export type Happening = RolloutEvent extends infer Event
  ? Event extends unknown
    ? Omit<Event, "atMs">
    : never
  : never;

/** Events that lead a live rollout to its first bake at 10 percent, each a millisecond after the one before. */
export const TO_FIRST_BAKE: Happening[] = [
  { type: "proposed", decision: decisionOf() },
  { type: "verified", refusals: [] },
  { type: "snapshot-taken", sha256: "d".repeat(64), empty: false },
  { type: "gate-passed" },
  { type: "provisioned" },
  { type: "shifted", percent: 10 },
];

/** Drives one rollout. `happens` insists that the event is accepted; `refuses` that it is not. */
export class Script {
  rollout: Rollout;
  nowMs: number;

  constructor(rollout: Rollout = testRollout()) {
    this.rollout = rollout;
    this.nowMs = rollout.createdAtMs;
  }

  later(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  happens(...happenings: Happening[]): this {
    for (const happening of happenings) {
      const answer = this.try(happening);
      if (!answer.accepted) throw new Error(`${happening.type} was refused: ${answer.refusal}`);
      this.rollout = answer.rollout;
    }
    return this;
  }

  /** The sentence of the refusal. */
  refuses(happening: Happening): string {
    const answer = this.try(happening);
    if (answer.accepted) throw new Error(`${happening.type} was accepted and led to ${answer.rollout.phase}`);
    if (answer.rollout !== this.rollout) throw new Error("a refused event changed the rollout");
    return answer.refusal ?? "";
  }

  try(happening: Happening): Advance {
    return advance(this.rollout, { ...happening, atMs: this.nowMs } as RolloutEvent);
  }
}
