import type { Plan } from "../plan/schema.ts";
import type { Rollout } from "./rollout.ts";
import { ROLLOUT_FORM } from "./upgrade-rollout.ts";

/** How long a rollout waits for its approvals when nobody said otherwise. */
export const APPROVAL_EXPIRY_SECONDS = 24 * 3600;

export interface NewRollout {
  id: string;
  tenant: string;
  plan: Plan;
  planDigest: string;
  policyDigest: string;
  /** The proposing principal; its own approval never counts. */
  proposer: string;
  createdAtMs: number;
  /** Default: what the plan says. A restore is live although the plan it restores was submitted as a dry run first. */
  dryRun?: boolean;
  restores?: NonNullable<Rollout["restores"]>;
  /** Approvals that were given for it before it was there: those of the rollout whose watch period it comes from. */
  approvals?: Rollout["approvals"];
  /** Default: 24 hours. */
  approvalExpirySeconds?: number;
}

/** A rollout that has seen no event yet. Its first one is `proposed`. */
export function newRollout(from: NewRollout): Rollout {
  const { spec, metadata } = from.plan;
  const expiresAtMs = from.createdAtMs + (from.approvalExpirySeconds ?? APPROVAL_EXPIRY_SECONDS) * 1000;
  return {
    form: ROLLOUT_FORM,
    id: from.id,
    tenant: from.tenant,
    endpoint: { environment: spec.environment, target: spec.target, name: metadata.name },
    plan: from.plan,
    planDigest: from.planDigest,
    policyDigest: from.policyDigest,
    proposer: from.proposer,
    ...(from.restores === undefined ? {} : { restores: from.restores }),
    simulation: spec.target === "simulated",
    dryRun: from.dryRun ?? spec.dryRun,
    phase: "Proposed",
    sequence: 0,
    weightPercent: 0,
    hasStable: false,
    needs: [],
    approvals: from.approvals ?? [],
    pauseRequested: false,
    resume: null,
    bake: null,
    lastVerdict: null,
    pending: null,
    snapshot: null,
    clock: { runningSinceMs: null, elapsedMs: 0 },
    reason: null,
    refusals: [],
    effectsStarted: false,
    createdAtMs: from.createdAtMs,
    seenAtMs: from.createdAtMs,
    expiresAtMs,
    wakeAtMs: expiresAtMs,
  };
}
