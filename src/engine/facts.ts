import { z } from "zod";
import { sha256Digest } from "../core/plan/canonical.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { Facts, Gate, PolicySettings } from "../core/policy/decision.ts";
import type { Rollout } from "../core/rollout/rollout.ts";
import type { Queryable } from "../store/database.ts";
import { deploymentHistory, dryRunSince, type EndpointKey, environmentCosts } from "../store/queries/admission.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import { readSnapshot } from "../store/queries/rollouts.ts";
import { tenantSettings } from "../store/queries/tenants.ts";
import { type BreakerState, breakerState } from "./breaker.ts";
import type { Actor, EngineParts } from "./engine.ts";
import { gatherEvidence } from "./evidence-facts.ts";

export interface FactsQuestion {
  tenant: string;
  plan: Plan;
  planDigest: string;
  gate: Gate;
  principal: { kind: Actor["kind"] };
  /** The rollout that asks; absent while a plan is only checked. */
  rollout?: Rollout;
  /** The version that serves changes its size: that is no deployment, and the breaker has no say in it. */
  scaling?: boolean;
}

type FactsParts = Pick<EngineParts, "artifacts" | "nowMs" | "signatures">;

/**
 * What the server knows about a plan, gathered before the policy is asked. Nothing here decides. Of a simulated plan it
 * gathers what the same plan would have for real: the mocks answer for the simulation alone, in `decide`.
 */
export async function gatherFacts(
  db: Queryable,
  parts: FactsParts,
  question: FactsQuestion & { settings: PolicySettings },
): Promise<Facts> {
  const { tenant, plan, rollout, settings } = question;
  const at = endpointKey(tenant, plan);
  const costs = await environmentCosts(db, at);
  const asking = { at, settings, nowMs: parts.nowMs() };
  const breaker = await endpointBreaker(db, rollout === undefined ? asking : { ...asking, without: rollout.id });
  const { unknownNames, evidence, evidenceProblems } = await gatherEvidence(db, parts, question);
  const { kind } = question.principal;
  return {
    gate: question.gate,
    source: "server",
    // The engine acts in nobody's name, and may do no more than a program may.
    principal: { kind: kind === "system" ? "service" : kind },
    environmentMicroUsdPerHour: costs.others,
    endpointMicroUsdPerHour: costs.own,
    breaker: {
      state: question.scaling === true ? "closed" : breaker.state,
      failures: breaker.failures,
      limit: settings.breaker.failures,
    },
    namesAreOwn: unknownNames.length === 0,
    unknownNames,
    evidence: {
      ...evidence,
      ...((await hasRecentDryRun(db, parts, question)) ? { "dry-run": true } : {}),
    },
    evidenceProblems,
    approvals: rollout === undefined ? [] : await validApprovals(db, tenant, rollout),
    snapshot: rollout === undefined ? false : await hasVerifiedSnapshot(db, rollout),
    restore: rollout?.restores !== undefined,
  };
}

export function endpointKey(tenant: string, plan: Plan): EndpointKey {
  return { tenant, environment: plan.spec.environment, target: plan.spec.target, name: plan.metadata.name };
}

/** The state of an endpoint's circuit breaker (P7). `without` is the rollout that asks, which is no trial beside itself. */
export async function endpointBreaker(
  db: Queryable,
  asking: { at: EndpointKey; settings: PolicySettings; nowMs: number; without?: string },
): Promise<BreakerState> {
  const { outcomes, running, resetAtMs } = await deploymentHistory(db, asking.at, asking.without);
  const { settings, nowMs } = asking;
  return breakerState({ outcomes, settings: settings.breaker, resetAtMs, trialRunning: running, nowMs });
}

const settingsSchema = z.object({
  approvedProductionTypes: z.array(z.string()).optional(),
  breaker: z
    .object({
      failures: z.number().int().positive().optional(),
      windowSeconds: z.number().positive().optional(),
      coolDownSeconds: z.number().positive().optional(),
    })
    .optional(),
});

/** A tenant's own settings over the defaults. A stored value of another shape is an error, never a default. */
export async function settingsOf(
  db: Queryable,
  parts: Pick<EngineParts, "defaultSettings">,
  tenant: string,
): Promise<PolicySettings> {
  const own = settingsSchema.parse(await tenantSettings(db, tenant));
  const { approvedProductionTypes, breaker } = parts.defaultSettings;
  return {
    approvedProductionTypes: own.approvedProductionTypes ?? approvedProductionTypes,
    breaker: {
      failures: own.breaker?.failures ?? breaker.failures,
      windowSeconds: own.breaker?.windowSeconds ?? breaker.windowSeconds,
      coolDownSeconds: own.breaker?.coolDownSeconds ?? breaker.coolDownSeconds,
    },
  };
}

const DRY_RUN_VALID_MS = 24 * 3600 * 1000;

/** Source: settlement 7 of the clauses, level *full*. */
function hasRecentDryRun(db: Queryable, parts: FactsParts, question: FactsQuestion): Promise<boolean> {
  const { tenant, planDigest } = question;
  return dryRunSince(db, { tenant, digest: planDigest, sinceMs: parts.nowMs() - DRY_RUN_VALID_MS });
}

/**
 * The approvals that still hold: a role may have been taken from the approver since, and the reducer's own rules are
 * checked again because what is stored could have been changed by somebody else than the reducer.
 */
async function validApprovals(
  db: Queryable,
  tenant: string,
  rollout: Rollout,
): Promise<NonNullable<Facts["approvals"]>> {
  const proposer = await readPrincipal(db, tenant, rollout.proposer);
  const valid: NonNullable<Facts["approvals"]> = [];
  for (const { approver, role, mfa, signed } of rollout.approvals) {
    const principal = await readPrincipal(db, tenant, approver);
    const holds = principal?.kind === "human" && (principal.roles.includes(role) || principal.roles.includes("admin"));
    const own = approver === rollout.proposer || approver === proposer?.owner;
    if (holds && !own) valid.push({ role, approver, mfa, signed });
  }
  return valid;
}

async function hasVerifiedSnapshot(db: Queryable, rollout: Rollout): Promise<boolean> {
  if (rollout.snapshot === null) return false;
  const stored = await readSnapshot(db, rollout.tenant, rollout.id);
  if (stored === undefined) return false;
  const actual = sha256Digest(stored.bytes);
  return [stored.sha256, rollout.snapshot.sha256].every((said) => actual === withPrefix(said));
}

/** Snapshots are told by their bare hexadecimal SHA-256. */
function withPrefix(sha256: string): string {
  return sha256.startsWith("sha256:") ? sha256 : `sha256:${sha256}`;
}
