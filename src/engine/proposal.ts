import { randomBytes } from "node:crypto";
import { assert, ContinuumError } from "../core/error.ts";
import { canonicalPlan, planDigest, sha256Digest } from "../core/plan/canonical.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { Decision } from "../core/policy/decision.ts";
import { advance } from "../core/rollout/advance.ts";
import { newRollout } from "../core/rollout/new-rollout.ts";
import { isTerminal } from "../core/rollout/phases.ts";
import type { Rollout, RolloutEvent } from "../core/rollout/rollout.ts";
import type { Transaction } from "../store/database.ts";
import type { EndpointKey } from "../store/queries/admission.ts";
import { ensureEndpoint } from "../store/queries/endpoints.ts";
import { lockOpenRollouts, openRolloutOfPlan } from "../store/queries/rollouts.ts";
import { readStanding } from "../store/queries/watch-restores.ts";
import { decideNow, decideUnder, isSlotTaken, lockForAdmission, reservationOf, summaryOf } from "./admission.ts";
import { auditFactOf } from "./audit-fact.ts";
import { auditRowOf } from "./audit-log.ts";
import { applyEvent, tell } from "./commit.ts";
import type { Actor, CommittedEvent, EngineParts } from "./engine.ts";
import { endpointKey } from "./facts.ts";
import { insertProposed } from "./rollout-rows.ts";

/**
 * `target-not-available`: this program has no driver for the plan's target.
 * `host-memory`: the host cannot take the plan now.
 * `not-live`: what an alarm wants to leave serves no more.
 */
export type ProposalErrorCode = "target-not-available" | "host-memory" | "not-live";

export interface Proposal {
  tenant: string;
  actor: Actor;
  /** With every default filled in. */
  plan: Plan;
  /** Replace the rollouts of the endpoint that have not ended. */
  supersede?: boolean;
  /** The plan is what a snapshot of that rollout holds, and is brought back live whatever it once said. */
  restores?: NonNullable<Rollout["restores"]>;
  /** With a restore by an alarm: the approvals that were given for the way back, verified by the caller. */
  approvals?: Rollout["approvals"];
}

export interface Proposed {
  rollout: Rollout;
  decision: Decision;
  /** True when a rollout of the same plan was under way already; it is the one answered. */
  repeated: boolean;
}

/**
 * Proposes a plan: decides it and stores plan, rollout, first event, audit entry and the job that follows in one
 * transaction, in which the endpoint and, when it costs, the environment are locked. A plan that is denied is stored too, as a rollout that ended.
 * Errors: `ProposalErrorCode`; the target's own when it cannot be asked; `database-unavailable`.
 */
export async function propose(parts: EngineParts, proposal: Proposal): Promise<Proposed> {
  const { plan } = proposal;
  if (!parts.targets.has(plan.spec.target)) {
    const message = `This server has no driver for the target ${plan.spec.target}.`;
    throw new ContinuumError<ProposalErrorCode>("target-not-available", message);
  }
  const rollout = proposedRollout(parts, proposal);
  await askForRoom(parts, proposal, rollout);
  const facts: CommittedEvent[] = [];
  const proposed = await parts.database.transaction((tx) => {
    facts.length = 0;
    return store(tx, parts, { ...proposal, rollout }, facts);
  });
  for (const fact of facts) tell(parts, fact);
  return proposed;
}

/** Asks the target whether the host can take the plan. Throws `host-memory`. */
export async function checkCapacity(parts: Pick<EngineParts, "targets">, plan: Plan): Promise<void> {
  const answer = await parts.targets.get(plan.spec.target)?.capacity(plan);
  if (answer === undefined || answer.ok) return;
  throw new ContinuumError<ProposalErrorCode>(answer.code, answer.reason);
}

/** Only what would start now needs room now; and a plan that is denied gets its denial, whatever the host has. */
async function askForRoom(parts: EngineParts, proposal: Proposal, rollout: Rollout): Promise<void> {
  if (rollout.dryRun || rollout.simulation) return;
  const decision = await decideNow(parts.database, parts, questionOf(proposal, rollout));
  if (decision.decision === "allow") await checkCapacity(parts, proposal.plan);
}

function proposedRollout(parts: EngineParts, { tenant, actor, plan, restores, approvals }: Proposal): Rollout {
  return newRollout({
    id: rolloutId(parts.nowMs()),
    tenant,
    plan,
    planDigest: planDigest(plan),
    policyDigest: parts.policySet.digest,
    proposer: actor.id,
    createdAtMs: parts.nowMs(),
    ...(restores === undefined ? {} : { restores, dryRun: false }),
    ...(approvals === undefined ? {} : { approvals }),
    ...(parts.approvalExpirySeconds === undefined ? {} : { approvalExpirySeconds: parts.approvalExpirySeconds }),
  });
}

function questionOf({ tenant, actor, plan }: Proposal, rollout: Rollout) {
  const { kind } = actor;
  return { tenant, plan, planDigest: rollout.planDigest, gate: "propose" as const, principal: { kind }, rollout };
}

async function store(
  tx: Transaction,
  parts: EngineParts,
  proposal: Proposal & { rollout: Rollout },
  facts: CommittedEvent[],
): Promise<Proposed> {
  const { tenant, plan, actor } = proposal;
  let { rollout } = proposal;
  const at = endpointKey(tenant, plan);
  // Locks are taken in the order of every commit: rollouts, the endpoint, then the environment.
  const supersedes = proposal.supersede === true && !rollout.dryRun;
  const open = supersedes ? await lockOpenRollouts(tx, at, "not-queued") : [];
  const locks = Promise.all([
    ensureEndpoint(tx, at),
    lockForAdmission(tx, rollout),
    supersedes ? lockOpenRollouts(tx, at, "queued") : [],
    rollout.dryRun ? undefined : openRolloutOfPlan(tx, at, rollout.planDigest),
  ]);
  const deciding = decideNow(tx, parts, questionOf(proposal, rollout));
  const [[, , queued, running], decision] = await decideUnder(locks, deciding);
  open.push(...queued);
  await requireStillLive(tx, at, rollout);
  if (running !== undefined) return { rollout: running.state, decision: running.decision, repeated: true };
  rollout = { ...rollout, policyDigest: decision.policyDigest };
  await supersede(tx, parts, { at, open, decision, by: rollout.id, actor }, facts);
  const slotTaken = await isSlotTaken(tx, rollout);
  const summary = summaryOf(decision, { dryRun: rollout.dryRun, slotTaken });
  const event: RolloutEvent = { type: "proposed", decision: summary, atMs: parts.nowMs() };
  const { rollout: decided, accepted, refusal } = advance(rollout, event);
  assert(accepted, `a rollout that is new takes its proposal: ${refusal}`);
  const admitted = !isTerminal(decided.phase) && decided.phase !== "AwaitingApproval";
  await insertProposed(tx, {
    ...{ rollout: decided, event, decision, actor: actor.id, planBytes: planBytesOf(rollout) },
    audit: auditRowOf(auditFactOf({ before: rollout, after: decided, event, actor, decision })),
    reservedMicroUsdPerHour: admitted ? reservationOf(decided, decision) : 0,
  });
  facts.push({ before: rollout, after: decided, event: event.type });
  return { rollout: decided, decision, repeated: false };
}

/** Nobody wants back what ran before a version that has gone meanwhile. Throws `not-live`. */
async function requireStillLive(tx: Transaction, at: EndpointKey, { restores }: Rollout): Promise<void> {
  if (restores?.alarm === undefined) return;
  const { live, otherRollout } = await readStanding(tx, at, restores.rollout);
  if (live && otherRollout === null) return;
  const message = "Another version serves, or is about to: what ran before is not brought back.";
  throw new ContinuumError<ProposalErrorCode>("not-live", message);
}

/**
 * What waits is replaced at once. What holds the endpoint is replaced only by a plan that may go on now: a plan that
 * waits for approvals must not stop a deployment that has them.
 */
async function supersede(
  tx: Transaction,
  parts: EngineParts,
  by: { at: EndpointKey; open: { id: string; active: boolean }[]; decision: Decision; by: string; actor: Actor },
  facts: CommittedEvent[],
): Promise<void> {
  if (by.decision.decision === "deny") return;
  const replaced = by.open.filter(({ active }) => !active || by.decision.decision === "allow");
  // Those that wait go first: else the slot that becomes free would be given to one of them.
  for (const { id } of replaced.toSorted((a, b) => Number(a.active) - Number(b.active))) {
    const event = { type: "superseded" as const, by: by.by };
    await applyEvent(
      tx,
      parts,
      { tenant: by.at.tenant, rolloutId: id, event, cause: `superseded/${by.by}`, actor: by.actor },
      facts,
    );
  }
}

/** The bytes that were digested are stored, and are what every gate decides over again. */
function planBytesOf(rollout: Rollout): Uint8Array {
  const bytes = canonicalPlan(rollout.plan);
  assert(sha256Digest(bytes) === rollout.planDigest, "the digest is that of the bytes");
  return bytes;
}

/** Sorts by the time it was made; 80 random bits keep two of one millisecond apart. Fits every target's variant names. */
function rolloutId(nowMs: number): string {
  return `r-${nowMs.toString(36).padStart(9, "0")}${randomBytes(10).toString("hex")}`;
}
