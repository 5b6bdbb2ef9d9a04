import type { Verdict } from "../monitor/verdict.ts";
import type { Plan } from "../plan/schema.ts";
import type { Decision } from "../policy/decision.ts";

/** The life of one deployment as data. `advance` (advance.ts) is the only code that changes it. */

export const TERMINAL_PHASES = [
  "Denied",
  "Rejected",
  "Expired",
  "Superseded",
  "Succeeded",
  "RolledBack",
  "Failed",
  "Aborted",
  "DryRunCompleted",
] as const;
export type TerminalPhase = (typeof TERMINAL_PHASES)[number];

/** Every phase, those that go on first. */
export const PHASES = [
  "Proposed",
  "AwaitingApproval",
  "Admitted",
  "Queued",
  "Verifying",
  "Snapshotting",
  "Provisioning",
  "Shifting",
  "Baking",
  "Promoting",
  "Paused",
  "RollingBack",
  ...TERMINAL_PHASES,
] as const;
export type Phase = (typeof PHASES)[number];

/** An approval that was given; its authority was checked by the service before it became an event. */
export interface Approval {
  approver: string;
  /** `break-glass` stands for everybody else who would be needed; it is always signed, with MFA, and has a reason. */
  role: "approver" | "budget-owner" | "break-glass";
  mfa: boolean;
  signed: boolean;
  atMs: number;
  comment?: string;
  /** Names the statement that it was given by; missing where an older program recorded it. */
  nonce?: string;
  /** Who signed it and the digest of the signed bundle, where it was signed: what a third party finds it by. */
  keyId?: string;
  bundleDigest?: string;
  /** Why the glass was broken. */
  reason?: string;
  /** It was given for the rollout that this one undoes because of an alarm, and for its way back with it. */
  wayBack?: true;
}

export interface ApprovalNeed {
  role: Exclude<Approval["role"], "break-glass">;
  count: number;
  mfa: boolean;
  signed: boolean;
}

export interface Bake {
  /** Share of traffic on the candidate, in percent. */
  percent: number;
  startedAtMs: number;
}

/** The one command whose answer the rollout waits for; at most one is outstanding at any time. */
export interface Pending {
  sequence: number;
  command: Command;
}

export interface Rollout {
  /** The form that it is stored in; see upgrade-rollout.ts. */
  form: number;
  id: string;
  tenant: string;
  /** `{environment}-{name}` on a target: the thing that serves. */
  endpoint: EndpointRef;
  plan: Plan;
  planDigest: string;
  policyDigest: string;
  /** The proposing principal. */
  proposer: string;
  /**
   * A restore brings back what a snapshot of another rollout holds; with `alarm` it is the engine's own act, because that
   * alarm was raised in the other's watch period.
   */
  restores?: { rollout: string; snapshotSha256: string; alarm?: string };
  simulation: boolean;
  dryRun: boolean;
  phase: Phase;
  /** Number of events accepted so far; the next one gets `sequence + 1`. */
  sequence: number;
  /** Share of traffic on the candidate, in percent. */
  weightPercent: number;
  /** True when the endpoint had a version before this one; known after the snapshot, false until then. */
  hasStable: boolean;
  needs: ApprovalNeed[];
  approvals: Approval[];
  /** Wanted but not yet effective: takes hold when the pending command has answered. */
  pauseRequested: boolean;
  /**
   * Where `resume` continues; set exactly while `phase` is Paused. `bakedMs` is the part of the bake that was served
   * before the pause; the bake itself stays in `bake`.
   */
  resume: { phase: Phase; bakedMs?: number } | null;
  /** Set while traffic is held at one share: in Baking, and in a pause of it. */
  bake: Bake | null;
  /**
   * The newest recorded verdict on the current share of traffic; null when there was none yet. `mark` tells it from
   * the next one; it is missing where an older program recorded it.
   */
  lastVerdict: { outcome: Verdict["outcome"]; message: string; mark?: string } | null;
  pending: Pending | null;
  snapshot: { sha256: string; empty: boolean } | null;
  /** P6's clock: time since admission, without time queued or paused. */
  clock: { runningSinceMs: number | null; elapsedMs: number };
  /** Why it ended, or why it is rolling back. */
  reason: Reason | null;
  /** What a gate found missing or refused, clause by clause. */
  refusals: { clause: string; message: string }[];
  /** True from the first command that may have changed the target. */
  effectsStarted: boolean;
  createdAtMs: number;
  /** The newest time any event carried: an event with an older one counts as having happened at this time. */
  seenAtMs: number;
  /** When waiting for approvals ends; null when nothing waits for one. */
  expiresAtMs: number | null;
  /** When the engine must call again with a tick; null when only a signal or an answer can move it. */
  wakeAtMs: number | null;
}

export interface EndpointRef {
  environment: Plan["spec"]["environment"];
  target: Plan["spec"]["target"];
  name: string;
}

export interface Reason {
  code:
    | "policy"
    | "approval"
    | "health"
    | "verdict"
    | "alarm"
    | "deadline"
    | "command-failed"
    | "aborted"
    | "superseded"
    | "requested"
    | "inconclusive"
    | "expired";
  message: string;
  /** Why it was rolling back when the rollback itself failed. */
  cause?: Reason;
}

/** What the engine must do outside, through a driver. Each runs under the key `rollout/sequence/command`. */
export type Command =
  | { type: "verify" }
  | { type: "snapshot" }
  /** Everything of `verify` again, plus the snapshot's checksum, just before the first effect. */
  | { type: "gate" }
  | { type: "provision" }
  | { type: "shift"; percent: number }
  /**
   * Watches until `untilMs` and answers with the verdict of that moment, or at once when something fails. `guard` is
   * the watch of a paused bake: only its failures count, and it is issued again for as long as the pause lasts.
   * With `quiet` a verdict that says nothing new is kept back from `untilMs` on: it would fill the history.
   */
  | { type: "watch"; percent: number; untilMs: number; mode: "bake" | "guard"; quiet?: Quiet }
  | { type: "promote" }
  | { type: "rollback" };

/** What a watch need not answer, since it stands in the history. */
export interface Quiet {
  /** The mark (verdict-mark.ts) of the verdict that was recorded last. */
  known: string;
  /** From then on the newest verdict is an answer whatever it says; null when silence may last. */
  untilMs: number | null;
}

/** What happened. `atMs` is stamped by the engine; everything else is the payload. */
export type RolloutEvent = { atMs: number } & (
  | { type: "proposed"; decision: DecisionSummary }
  | { type: "approved"; approval: Approval; admission: Admission }
  | { type: "rejected"; by: string; comment?: string }
  /** The endpoint's slot became free. `admission` decides again: the world moved while it waited. */
  | { type: "dequeued"; admission: Admission }
  | { type: "paused"; by: string; comment?: string }
  | { type: "resumed"; by: string; comment?: string }
  | { type: "promote-requested"; by: string; comment?: string }
  | { type: "abort-requested"; by: string; comment?: string }
  | { type: "rollback-requested"; by: string; comment?: string }
  /** `why`: no other rollout took its place; what its approvals were about changed. */
  | { type: "superseded"; by: string; why?: "plan" | "policy" | "evidence" }
  | { type: "alarm"; name: string; message: string }
  /** Time passed; the reducer looks at its own deadlines. */
  | { type: "tick" }
  /** `mocks`: what stood in for people, signatures and CI, `mockApprovals`: as what steps; only in simulation. */
  | {
      type: "verified";
      refusals: { clause: string; message: string }[];
      mocks?: string[];
      mockApprovals?: MockApprovalStep[];
    }
  | { type: "snapshot-taken"; sha256: string; empty: boolean }
  | { type: "gate-passed"; mocks?: string[] }
  | { type: "gate-refused"; refusals: { clause: string; message: string }[] }
  | { type: "provisioned" }
  | { type: "shifted"; percent: number }
  | { type: "watched"; verdict: Verdict }
  | { type: "promoted" }
  | { type: "rolled-back" }
  | { type: "command-failed"; command: Command["type"]; message: string }
);

/** A step of the approval workflow that a simulation stands in for; times are RFC 3339. It approves nothing. */
export type MockApprovalStep = { role: string; at: string } & (
  | { step: "requested"; expiresAt: string; mfa: boolean; signed: boolean }
  | { step: "decided"; by: string; decision: "approved" }
);

export interface DecisionSummary {
  decision: Decision["decision"];
  needs: ApprovalNeed[];
  /** Messages of the deny findings. */
  denials: { clause: string; message: string }[];
  /** True when another rollout holds the endpoint. */
  slotTaken: boolean;
  dryRun: boolean;
}

/** The decision taken again in the admitting transaction, with the environment's sum reserved when it holds. */
export type Admission =
  | { ok: true; slotTaken: boolean }
  | { ok: false; denials: { clause: string; message: string }[] };
