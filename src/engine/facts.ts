import { z } from "zod";
import { sha256Digest } from "../core/plan/canonical.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { Facts, Gate, PolicySettings } from "../core/policy/decision.ts";
import type { Rollout } from "../core/rollout/rollout.ts";
import type { Queryable } from "../store/database.ts";
import type { EndpointKey } from "../store/queries/admission.ts";
import { type DecisionFactsRow, readDecisionFacts } from "../store/queries/decision-facts.ts";
import { wayBackApprovals, withWayBack } from "./alarms/way-back-approvals.ts";
import { verifyStoredApprovals } from "./approval-check.ts";
import { type BreakerState, breakerState } from "./breaker.ts";
import type { Actor, EngineParts } from "./engine.ts";
import { gatherEvidence } from "./evidence-facts.ts";
import type { CountingPiece } from "./evidence-pieces.ts";
import { activePolicy, type PolicyParts, type PolicyVersion } from "./policy-book.ts";

export interface FactsQuestion {
  tenant: string;
  plan: Plan;
  planDigest: string;
  gate: Gate;
  principal: { kind: Actor["kind"] };
  /** The rollout that asks; absent while a plan is only checked. */
  rollout?: Rollout;
  /**
   * The version that serves changes its size: that is no deployment, and the breaker has no say in it. Nor has it in the
   * way back that an alarm takes: it is there to keep what fails away.
   */
  scaling?: boolean;
}

type FactsParts = Pick<
  EngineParts,
  "artifacts" | "defaultSettings" | "images" | "nowMs" | "policySet" | "prices" | "signatures"
>;

/**
 * What the server knows about a plan, and the policy that it is decided by, read at one moment: nothing is decided by a
 * policy that was not in force when its facts were true. Nothing here decides. Of a simulated plan it gathers what the
 * same plan would have for real: the mocks answer for the simulation alone, in `decide`.
 */
export async function gatherFacts(
  db: Queryable,
  parts: FactsParts,
  question: FactsQuestion,
): Promise<{ facts: Facts; settings: PolicySettings; policy: PolicyVersion }> {
  const { tenant, plan, rollout } = question;
  const row = await readDecisionFacts(db, {
    at: endpointKey(tenant, plan),
    planDigest: question.planDigest,
    // What ran before is restored on evidence of any age, its dry run's too.
    dryRunSinceMs: rollout?.restores === undefined ? parts.nowMs() - DRY_RUN_VALID_MS : 0,
    rollout: rollout?.id,
  });
  const policy = await activePolicy(db, parts, { tenant, digest: row.policyDigest });
  const settings = settingsFrom(policy.settings, row.settings);
  const breaker = breakerOf(row, settings, parts.nowMs());
  const { counting, unknownNames, ...found } = await gatherEvidence(db, parts, question);
  const given = await approvalsOf(db, parts, { rollout, policy, counting });
  const { kind } = question.principal;
  const facts: Facts = {
    gate: question.gate,
    source: "server",
    // The engine acts in nobody's name, and may do no more than a program may.
    principal: { kind: kind === "system" ? "service" : kind },
    environmentMicroUsdPerHour: row.others,
    endpointMicroUsdPerHour: row.own,
    breaker: {
      state: question.scaling === true || rollout?.restores?.alarm !== undefined ? "closed" : breaker.state,
      failures: breaker.failures,
      limit: settings.breaker.failures,
    },
    namesAreOwn: unknownNames.length === 0,
    unknownNames,
    evidence: { ...found.evidence, ...given.evidence, ...(row.dryRun ? { "dry-run": true } : {}) },
    evidenceProblems: { ...found.evidenceProblems, ...given.evidenceProblems },
    evidenceUnread: found.evidenceUnread,
    approvals: given.approvals,
    snapshot: rollout !== undefined && hasVerifiedSnapshot(rollout, row.snapshot),
    restore: rollout?.restores !== undefined,
  };
  return { facts, settings, policy };
}

export function endpointKey(tenant: string, plan: Plan): EndpointKey {
  return { tenant, environment: plan.spec.environment, target: plan.spec.target, name: plan.metadata.name };
}

/** The state of an endpoint's circuit breaker (P7), and the settings it goes by. */
export async function endpointBreaker(
  db: Queryable,
  parts: PolicyParts,
  at: EndpointKey,
): Promise<{ breaker: BreakerState; settings: PolicySettings }> {
  const row = await readDecisionFacts(db, { at, planDigest: "", dryRunSinceMs: parts.nowMs() });
  const policy = await activePolicy(db, parts, { tenant: at.tenant, digest: row.policyDigest });
  const settings = settingsFrom(policy.settings, row.settings);
  return { breaker: breakerOf(row, settings, parts.nowMs()), settings };
}

/** The rollout that asks is no trial beside itself. */
function breakerOf(row: DecisionFactsRow, settings: PolicySettings, nowMs: number): BreakerState {
  const { outcomes, running, breakerResetAtMs: resetAtMs } = row;
  return breakerState({ outcomes, settings: settings.breaker, resetAtMs, trialRunning: running, nowMs });
}

const settingsSchema = z.object({
  breaker: z
    .object({
      failures: z.number().int().positive().optional(),
      windowSeconds: z.number().positive().optional(),
      coolDownSeconds: z.number().positive().optional(),
    })
    .optional(),
});

/**
 * The policy's settings, with a breaker that the tenant set for itself. Which types are approved the policy alone says:
 * that is changed as it is changed. A stored value of another shape is an error, never a default.
 */
function settingsFrom(settings: PolicySettings, stored: DecisionFactsRow["settings"]): PolicySettings {
  const own = settingsSchema.parse(stored);
  const { approvedProductionTypes, breaker } = settings;
  return {
    approvedProductionTypes,
    breaker: {
      failures: own.breaker?.failures ?? breaker.failures,
      windowSeconds: own.breaker?.windowSeconds ?? breaker.windowSeconds,
      coolDownSeconds: own.breaker?.coolDownSeconds ?? breaker.coolDownSeconds,
    },
  };
}

/** How long a dry run vouches for its plan. Source: settlement 7 of the clauses, level *full*. */
const DRY_RUN_VALID_MS = 24 * 3600 * 1000;

/**
 * The approvals that still hold, each verified again, and what they prove (CP-10). Whoever approved under another policy
 * saw what that one asked for.
 */
async function approvalsOf(
  db: Queryable,
  parts: FactsParts,
  about: { rollout: Rollout | undefined; policy: PolicyVersion; counting: readonly CountingPiece[] },
): Promise<Required<Pick<Facts, "approvals" | "evidence" | "evidenceProblems">>> {
  const { rollout, policy, counting } = about;
  if (rollout === undefined || rollout.policyDigest !== policy.digest) {
    return { approvals: [], evidence: {}, evidenceProblems: {} };
  }
  const known = { policyDigest: policy.digest, evidence: counting };
  const { approvals, approverSigned, problems } = withWayBack(
    await verifyStoredApprovals(db, parts, rollout, known),
    await wayBackApprovals(db, parts, rollout),
  );
  if (approverSigned) return { approvals, evidence: { "approver-signature": true }, evidenceProblems: {} };
  const problem = problems.map(({ message }) => message).join(" ");
  return { approvals, evidence: {}, evidenceProblems: problem === "" ? {} : { "approver-signature": problem } };
}

function hasVerifiedSnapshot(rollout: Rollout, stored: DecisionFactsRow["snapshot"]): boolean {
  if (rollout.snapshot === null || stored === null) return false;
  const actual = sha256Digest(stored.bytes);
  return [stored.sha256, rollout.snapshot.sha256].every((said) => actual === withPrefix(said));
}

/** Snapshots are told by their bare hexadecimal SHA-256. */
function withPrefix(sha256: string): string {
  return sha256.startsWith("sha256:") ? sha256 : `sha256:${sha256}`;
}
