import { type AuditEntry, canonicalText, entryTime } from "../core/audit/entry.ts";
import { digestOf, eventDigest, eventRecord } from "../core/audit/event-record.ts";
import type { Queryable } from "../store/database.ts";
import {
  approvalDigests,
  changedContent,
  decisionsOf,
  eventsAt,
  evidencePlaces,
  type RolloutPlace,
  rolloutPlaces,
  type StoredEvent,
} from "../store/queries/audit-claims.ts";

/**
 * Holds what the log tells of rollouts against what is stored of them: an event that was changed or removed, a rollout
 * that was set to another phase, a decision, a plan or a statement with other bytes. Under the lock of the tree.
 */
export interface AuditClaims {
  /** Entries in the order of the log. */
  take(batch: readonly Placed[]): Promise<{ position: number; message: string } | null>;
  /** Once the whole log was taken; null when everything fits. */
  finish(): Promise<string | null>;
}

interface Placed {
  position: number;
  entry: AuditEntry;
}

/** What one entry tells of a rollout's step. */
interface Step {
  position: number;
  rollout: string;
  sequence: number;
  details: AuditEntry["details"];
}

export async function auditClaims(db: Queryable, tenant: string): Promise<AuditClaims> {
  const places = new Map((await rolloutPlaces(db, tenant)).map((place) => [place.rollout, place]));
  /** The newest step that the log tells of each rollout. */
  const newest = new Map<string, Step>();
  const signed: Signed = { evidence: new Map(), approvals: new Map() };
  let eventsMissing = 0;
  let eventsRemoved = 0;
  return {
    take: async (batch) => {
      for (const { entry } of batch) noteSigned(signed, entry);
      for (const { entry } of batch)
        if (entry.action === "retention.remove" && entry.details.kind === "rollout-events")
          eventsRemoved += entry.details.count ?? 0;
      const steps = batch.flatMap(stepOf);
      for (const step of steps) newest.set(step.rollout, step);
      const { problem, missing } = await judgeSteps(db, { tenant, steps, places });
      eventsMissing += missing;
      return problem;
    },
    finish: async () => {
      if (eventsMissing > eventsRemoved)
        return `${eventsMissing} events of rollouts are gone and the log tells of ${eventsRemoved} that retention removed`;
      for (const place of places.values()) {
        const message = placeProblem(place, newest.get(place.rollout));
        if (message !== null) return message;
      }
      const gone = await signedProblem(db, tenant, signed);
      if (gone !== null) return gone;
      const changed = await changedContent(db, tenant);
      return changed.length === 0 ? null : `${changed.join(", ")}: the stored bytes are not those of the digest`;
    },
  };
}

/** What the log tells of signed things: the newest word on each piece of evidence, and whose each approval is. */
interface Signed {
  evidence: Map<string, "evidence.add" | "evidence.revoke">;
  approvals: Map<string, string>;
}

function noteSigned({ evidence, approvals }: Signed, { action, subject, details }: AuditEntry): void {
  const { bundleDigest, subjectDigest } = details;
  if (bundleDigest === undefined) return;
  if (action === "evidence.add" || action === "evidence.revoke")
    evidence.set(`${bundleDigest} ${subjectDigest}`, action);
  if (action === "rollout.approved") approvals.set(bundleDigest, subject.id);
}

async function signedProblem(db: Queryable, tenant: string, { evidence, approvals }: Signed): Promise<string | null> {
  if (evidence.size > 0) {
    const stored = await evidencePlaces(db, tenant);
    const places = new Map(stored.map((one) => [`${one.bundleDigest} ${one.subjectDigest}`, one]));
    for (const [key, told] of evidence) {
      const place = places.get(key);
      const [digest] = key.split(" ");
      if (place === undefined) return `the evidence ${digest} was taken in and is missing`;
      if (told === "evidence.revoke" && !place.revoked) return `the evidence ${digest} was revoked and counts again`;
    }
  }
  if (approvals.size === 0) return null;
  const stored = new Set(await approvalDigests(db, tenant));
  const [lost] = [...approvals].filter(([digest]) => !stored.has(digest));
  return lost === undefined ? null : `the signed approval ${lost[0]} of rollout ${lost[1]} is missing or was changed`;
}

function stepOf({ position, entry }: Placed): Step[] {
  const { subject, details, action } = entry;
  const { sequence } = details;
  const isStep = subject.type === "rollout" && action.startsWith("rollout.") && sequence !== undefined;
  return isStep ? [{ position, rollout: subject.id, sequence, details }] : [];
}

async function judgeSteps(
  db: Queryable,
  { tenant, steps, places }: { tenant: string; steps: Step[]; places: ReadonlyMap<string, RolloutPlace> },
): Promise<{ problem: { position: number; message: string } | null; missing: number }> {
  const bound = steps.filter(({ details }) => details.eventDigest !== undefined);
  if (bound.length === 0) return { problem: null, missing: 0 };
  const key = (at: { rollout: string; sequence: number }) => `${at.rollout}/${at.sequence}`;
  const stored = new Map((await eventsAt(db, tenant, bound)).map((event) => [key(event), event]));
  const decided = bound.filter(({ details }) => details.decisionDigest !== undefined);
  const decisions = new Map(
    decided.length === 0
      ? []
      : (
          await decisionsOf(
            db,
            tenant,
            decided.map(({ rollout }) => rollout),
          )
        ).map((one) => [one.rollout, one.decision]),
  );
  let missing = 0;
  for (const step of bound) {
    const { position, rollout, sequence, details } = step;
    const problem = (message: string) => ({ problem: { position, message }, missing });
    const event = stored.get(key(step));
    if (event === undefined && places.get(rollout)?.forgotten !== true)
      return problem(`event ${sequence} of rollout ${rollout} is missing from its history`);
    if (event === undefined) missing += 1;
    else if (digestOfEvent(event) !== details.eventDigest)
      return problem(`event ${sequence} of rollout ${rollout} was changed`);
    if (details.decisionDigest === undefined) continue;
    if (digestOf(canonicalText(decisions.get(rollout) ?? null)) !== details.decisionDigest)
      return problem(`the decision over rollout ${rollout} was changed`);
  }
  return { problem: null, missing };
}

export function digestOfEvent(event: StoredEvent): string {
  return eventDigest(eventRecord({ ...event, at: entryTime(event.at.getTime()) }));
}

function placeProblem(place: RolloutPlace, told: Step | undefined): string | null {
  const { rollout, sequence, newestEvent } = place;
  if (told === undefined) return `the log does not tell of rollout ${rollout}`;
  const stands = `rollout ${rollout} stands at step ${sequence}, ${place.phase}`;
  if (told.sequence !== sequence || told.details.phase !== place.phase)
    return `${stands}; the log tells of step ${told.sequence}, ${told.details.phase}`;
  if (newestEvent !== null && newestEvent > told.sequence)
    return `rollout ${rollout} has an event ${newestEvent} of which the log does not tell`;
  return told.details.planDigest === place.planDigest ? null : `rollout ${rollout} was given another plan`;
}
