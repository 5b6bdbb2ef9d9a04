import type { AlarmName, AlarmState } from "../core/monitor/alarm/evaluation.ts";
import type { MetricVerdict } from "../core/monitor/verdict.ts";
import type { TargetName } from "../core/plan/schema.ts";
import type { PolicySettings, PriceTable } from "../core/policy/decision.ts";
import type { PolicySet } from "../core/policy/load-policy-set.ts";
import type { EndpointRef, Rollout, RolloutEvent } from "../core/rollout/rollout.ts";
import type { Artifacts } from "../drivers/artifacts/artifacts.ts";
import type { Images } from "../drivers/images/images.ts";
import type { LiveSignatures, MockSignatures } from "../drivers/signatures/signatures.ts";
import type { Target } from "../drivers/target/target.ts";
import type { Database } from "../store/database.ts";

/** What the engine works with; `compose.ts` puts it together for a role. */
export interface EngineParts {
  database: Database;
  targets: ReadonlyMap<TargetName, Target>;
  artifacts: Artifacts;
  /** The registries that images lie in. */
  images: Images;
  /** Who judges signed statements: the real ones for live plans, mocks for simulated ones, and never the other way. */
  signatures: { live: LiveSignatures; simulated: MockSignatures };
  policySet: PolicySet;
  prices: PriceTable;
  /** What a tenant that set nothing of its own gets. */
  defaultSettings: PolicySettings;
  /** How long a rollout waits for its approvals; the default of the reducer when left out. */
  approvalExpirySeconds?: number;
  nowMs(): number;
  log: Logger;
  /** Called after an event of a rollout is in the database, for metrics; must not throw. */
  onCommitted?(fact: CommittedEvent): void;
  /** Called after an alarm's new state is in the database, for metrics; must not throw. */
  onAlarm?(fact: AlarmFact): void;
  /** What the monitor knows of a version, for the verdict on its bake; no part in it when left out. */
  monitorMetrics?: MonitorMetrics;
}

export interface AlarmFact {
  environment: EndpointRef["environment"];
  alarm: AlarmName;
  from: AlarmState;
  to: AlarmState;
}

/**
 * The newest of what was measured of one version: `drift`, `predictions`, `quality` and `bias`, each where the version's
 * plan asks for it, with figures. From stored state alone, so that any worker can ask. Throws when it cannot be told.
 */
export type MonitorMetrics = (of: {
  tenant: string;
  endpoint: EndpointRef;
  variant: string;
}) => Promise<MetricVerdict[]>;

export interface CommittedEvent {
  before: Rollout;
  after: Rollout;
  event: RolloutEvent["type"];
}

/** Who caused something, as the credential says; `system` for the engine's own acts. */
export interface Actor {
  id: string;
  kind: "human" | "agent" | "service" | "system";
  /** The person who answers for an agent. */
  owner?: string;
}

export const SYSTEM: Actor = { id: "system", kind: "system" };

/** Structured logs from an allow-listed schema: an event's name and plain facts, never a payload. */
export interface Logger {
  info(event: string, facts?: LogFacts): void;
  warn(event: string, facts?: LogFacts): void;
  error(event: string, facts?: LogFacts): void;
}
export type LogFacts = Partial<
  Record<
    | "tenant"
    | "rollout"
    | "endpoint"
    | "phase"
    | "sequence"
    | "command"
    | "generation"
    | "worker"
    | "host"
    | "port"
    | "pid"
    | "attempts"
    | "durationMs"
    | "code"
    | "status"
    | "operation"
    | "requestId"
    | "count"
    | "role"
    | "target"
    | "variant"
    | "principal"
    | "method"
    | "route"
    | "signal"
    | "version"
    | "reason",
    string | number | boolean | undefined
  >
>;
