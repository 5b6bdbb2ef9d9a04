import type { Environment, Plan, Runtime } from "../plan/schema.ts";

/** The public shape of a decision. Source: the public contract, "Decision". */

export type Level = "deny" | "approval" | "require" | "advise";
export type Gate = "propose" | "verify" | "pre-provision" | "run";
export type Verification = "basic" | "enhanced" | "full";
export type EvidenceKind =
  | "tests"
  | "image-signature"
  | "manifest-signature"
  | "provenance"
  | "encryption"
  | "artifact-digest"
  | "approver-signature"
  | "baseline"
  | "dry-run";
export type ObligationStatus = "met" | "missing" | "unchecked";

export interface Finding {
  clause: string;
  level: Level;
  message: string;
  /** null where nothing was there. */
  observed: unknown;
  /** null where the clause has no limit to name. */
  limit: unknown;
  /** JSON pointer into the plan; null when the clause is not about one field. */
  path: string | null;
  document: "agentops" | "continuum" | "own";
  section: string;
}

export type Obligation =
  | {
      kind: "approval";
      role: "approver" | "budget-owner";
      count: number;
      mfa: boolean;
      signed: boolean;
      clauses: string[];
      status: ObligationStatus;
    }
  | { kind: "evidence"; of: EvidenceKind; clauses: string[]; status: ObligationStatus }
  | { kind: "snapshot"; clauses: string[]; status: ObligationStatus };

export type PatchOperation = { op: "add" | "replace"; path: string; value: unknown } | { op: "remove"; path: string };

/** Something that must be there by a gate and is not. */
export interface Refusal {
  clause: string;
  message: string;
}

export interface Cost {
  /** null when the price of the instance type is unknown. */
  usdPerHour: number | null;
  /** Cost while the old and the new fleet both run; equals `usdPerHour` when nothing runs yet or that is not known. */
  peakUsdPerHour: number | null;
  /** True on targets that charge nothing: the figure is what SageMaker would charge. */
  notional: boolean;
  asOf: string;
  source: string;
}

export interface Decision {
  decision: "deny" | "needs-approval" | "allow";
  planDigest: string;
  policyDigest: string;
  simulation: boolean;
  risk: "low" | "medium" | "high";
  verification: Verification;
  runtime: Runtime;
  cost: Cost;
  findings: Finding[];
  fix: PatchOperation[];
  obligations: Obligation[];
  source: "shipped" | "bundle" | "server";
  unchecked: string[];
  /** Only at the gates after *propose*: what must be there by now and is not. */
  refusals?: Refusal[];
  /** Only when `simulation`: every action reports compliance, and the truth stands in `live`. */
  report?: "COMPLIANT";
  live?: Pick<Decision, "decision" | "findings" | "obligations" | "fix" | "refusals">;
}

/** What is known when a plan is decided, gathered before Cedar is asked. Money in micro-USD per hour. */
export interface Facts {
  gate: Gate;
  /** Which clauses the gatherer could not answer (offline: the environment's sum, breaker, tenant). */
  source: Decision["source"];
  principal: { kind: "human" | "agent" | "service" };
  /** What is live and admitted in the tenant's environment without this plan's endpoint; undefined offline. */
  environmentMicroUsdPerHour?: number;
  /** What this plan's endpoint costs now, 0 when nothing runs; undefined offline. */
  endpointMicroUsdPerHour?: number;
  breaker?: { state: "closed" | "open" | "half-open"; failures: number; limit: number };
  /** False when the plan names something of another tenant, or something that does not exist. */
  namesAreOwn?: boolean;
  unknownNames?: string[];
  /** What was verified, by kind; absent = missing. Undefined offline: every obligation is `unchecked`. */
  evidence?: Partial<Record<EvidenceKind, true>>;
  /** What was looked at and refused, by kind: one sentence each. */
  evidenceProblems?: Partial<Record<EvidenceKind, string>>;
  /** What is looked at only at a later gate, so that nobody can say now whether it is there. */
  evidenceUnread?: EvidenceKind[];
  /** Approvals given and still valid, by role. Undefined offline. */
  approvals?: { role: "approver" | "budget-owner" | "break-glass"; approver: string; mfa: boolean; signed: boolean }[];
  /** A snapshot that was taken for this rollout and whose checksum was verified. */
  snapshot?: boolean;
  /** The rollout restores a version that ran before: waiting for people is shortened, a denial is not. */
  restore?: boolean;
}

/** Settings of a tenant that clauses read. Limits that a clause fixes are in the Cedar text, not here. */
export interface PolicySettings {
  approvedProductionTypes: string[];
  breaker: { failures: number; windowSeconds: number; coolDownSeconds: number };
}

export interface PriceTable {
  asOf: string;
  source: string;
  confidence: string;
  region: string;
  /** USD per instance hour, by instance type. */
  usdPerHour: Record<string, number>;
}

export interface DecideInput {
  plan: Plan;
  planDigest: string;
  facts: Facts;
  prices: PriceTable;
  settings: PolicySettings;
}

export interface EnvironmentRisk {
  environment: Environment;
  risk: Decision["risk"];
  verification: Verification;
}
