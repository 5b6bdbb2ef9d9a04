import type { AlarmEvaluation } from "../../../core/monitor/alarm/evaluation.ts";
import type { Verdict } from "../../../core/monitor/verdict.ts";
import type { Target, TenantEndpoint, VersionSpec } from "../target.ts";

export type SimulatedMethod = Exclude<keyof Target, "name" | "simulated">;

/** What goes wrong with one call. */
export type SimulatedFault =
  /** Answers only after this long. */
  | { kind: "delay"; milliseconds: number }
  /** Nothing happens, and the caller is told so. */
  | { kind: "fail"; retryable: boolean }
  /** The effect takes place and its answer is lost: the caller sees `unreachable`. */
  | { kind: "lose-answer" }
  /** The call never reaches the target: the caller sees `unreachable`. */
  | { kind: "time-out" }
  /** An effect claims success and did nothing. */
  | { kind: "lie" };

/** Decides before each call; undefined for none. Must be deterministic for a simulation that is to be replayed. */
export type FaultPlan = (call: {
  method: SimulatedMethod;
  at: TenantEndpoint | undefined;
}) => SimulatedFault | undefined;

/** How a simulated version behaves under traffic; `looks` counts the observations since the weights were set. */
export interface SimulatedBehaviour {
  outcome: Verdict["outcome"];
  errorRate: number;
  latencyMs: number;
  /** The data plane sends traffic back to stable by itself when this fails, as the local one does. */
  trips: boolean;
  /** What the data plane says of it while it serves. */
  alarms?: readonly Pick<AlarmEvaluation, "alarm" | "state">[];
}

export type BehaviourOf = (version: VersionSpec, looks: number) => SimulatedBehaviour;
