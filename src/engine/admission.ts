import { decide } from "../core/policy/decide.ts";
import type { Decision, Obligation } from "../core/policy/decision.ts";
import type { Admission, ApprovalNeed, DecisionSummary, Rollout } from "../core/rollout/rollout.ts";
import type { Queryable, Transaction } from "../store/database.ts";
import { activeRollout, type EndpointKey, lockEnvironment, reserve } from "../store/queries/admission.ts";
import { lockEndpoint } from "../store/queries/endpoints.ts";
import { lockPolicy } from "../store/queries/policy-versions.ts";
import type { EngineParts } from "./engine.ts";
import { type FactsQuestion, gatherFacts } from "./facts.ts";

type AdmissionParts = Pick<
  EngineParts,
  "artifacts" | "defaultSettings" | "images" | "nowMs" | "policySet" | "prices" | "signatures"
>;

/** Decides a plan with what the server knows now. Inside a transaction that holds the environment's lock, it binds. */
export async function decideNow(db: Queryable, parts: AdmissionParts, question: FactsQuestion): Promise<Decision> {
  const { facts, settings, policy } = await gatherFacts(db, parts, question);
  const { plan, planDigest } = question;
  return decide(policy.set(), { plan, planDigest, facts, prices: policy.prices, settings });
}

/**
 * Whether a rollout that waited may go on, decided again because the world moved meanwhile, with its cost reserved when
 * it may. Call it inside the transaction that records the answer: the environment stays locked until that ends, so two
 * rollouts that fit alone and not together are never both admitted.
 */
export async function admit(tx: Transaction, parts: AdmissionParts, rollout: Rollout): Promise<Admission> {
  const { tenant, plan, planDigest } = rollout;
  const principal = { kind: "system" as const };
  const question = { tenant, plan, planDigest, gate: "propose" as const, principal, rollout };
  const [, decision] = await decideUnder(lockForAdmission(tx, rollout), decideNow(tx, parts, question));
  if (decision.decision === "deny") return { ok: false, denials: denialsOf(decision) };
  if (decision.policyDigest !== rollout.policyDigest && rollout.needs.length > 0)
    return { ok: false, denials: [POLICY_CHANGED] };
  const [slotTaken] = await Promise.all([
    isSlotTaken(tx, rollout),
    reserve(tx, { tenant, id: rollout.id, microUsdPerHour: reservationOf(rollout, decision) }),
  ]);
  return { ok: true, slotTaken };
}

/** An approval is one of a plan under a policy: under another one nobody has approved it. */
const POLICY_CHANGED = {
  clause: "GL-3",
  message:
    "The policy in force changed since this was proposed, and its approvals were given under the one before; propose it again",
};

/**
 * Waits for locks and for a decision that was asked for after them on the same transaction: they are sent together and
 * run in that order, so that what is decided on is read under the locks.
 */
export async function decideUnder<Locked>(
  locks: Promise<Locked>,
  deciding: Promise<Decision>,
): Promise<[Locked, Decision]> {
  const [locked, decided] = await Promise.allSettled([locks, deciding]);
  // A lock that was not had fails whatever follows it, and is what the caller must hear of.
  if (locked.status === "rejected") throw locked.reason;
  if (decided.status === "rejected") throw decided.reason;
  return [locked.value, decided.value];
}

/**
 * The policy, because a decision by one that is being replaced must not be committed after it was; the endpoint, because
 * whoever admits looks whether it is free; and the environment, because its sum is reserved from.
 * What takes nothing of the sum does not wait for it: else every simulation would queue behind every other.
 */
export async function lockForAdmission(
  tx: Transaction,
  rollout: Pick<Rollout, "tenant" | "endpoint" | "dryRun" | "simulation">,
): Promise<void> {
  await Promise.all([
    lockPolicy(tx, rollout.tenant, "shared"),
    lockEndpoint(tx, keyOf(rollout)),
    takesRoom(rollout) ? lockEnvironment(tx, rollout.tenant, rollout.endpoint.environment) : undefined,
  ]);
}

function takesRoom({ dryRun, simulation }: Pick<Rollout, "dryRun" | "simulation">): boolean {
  return !dryRun && !simulation;
}

/** What the reducer needs to know of a decision. */
export function summaryOf(decision: Decision, rollout: { dryRun: boolean; slotTaken: boolean }): DecisionSummary {
  return {
    decision: decision.decision,
    needs: decision.obligations.flatMap(needOf),
    denials: denialsOf(decision),
    slotTaken: rollout.slotTaken,
    dryRun: rollout.dryRun,
  };
}

/** Micro-USD per hour that an admitted rollout takes of its environment's sum. Dry runs and simulations take nothing. */
export function reservationOf(rollout: Pick<Rollout, "dryRun" | "simulation">, decision: Decision): number {
  return takesRoom(rollout) ? microUsd(decision) : 0;
}

export function microUsd(decision: Decision): number {
  return Math.round((decision.cost.usdPerHour ?? 0) * 1e6);
}

export function denialsOf(decision: Decision): { clause: string; message: string }[] {
  return decision.findings.filter(({ level }) => level === "deny").map(({ clause, message }) => ({ clause, message }));
}

export async function isSlotTaken(
  db: Queryable,
  rollout: Pick<Rollout, "tenant" | "id" | "endpoint">,
): Promise<boolean> {
  const holder = await activeRollout(db, keyOf(rollout));
  return holder !== undefined && holder !== rollout.id;
}

export function keyOf({ tenant, endpoint }: Pick<Rollout, "tenant" | "endpoint">): EndpointKey {
  return { tenant, environment: endpoint.environment, target: endpoint.target, name: endpoint.name };
}

function needOf(obligation: Obligation): ApprovalNeed[] {
  if (obligation.kind !== "approval") return [];
  const { role, count, mfa, signed } = obligation;
  return [{ role, count, mfa, signed }];
}
