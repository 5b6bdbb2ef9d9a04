import { withCosignatures } from "../core/audit/checkpoint.ts";
import { type AuditEntry, decodeEntry, entryTime } from "../core/audit/entry.ts";
import { digestOf, eventRecord } from "../core/audit/event-record.ts";
import { encodeRolloutProof, type RolloutProof } from "../core/audit/rollout-proof.ts";
import { parseSignatureLine, parseSignedNote } from "../core/audit/signed-note.ts";
import { assert, ContinuumError } from "../core/error.ts";
import { policyDigestedBytes } from "../core/policy/load-policy-set.ts";
import type { Queryable } from "../store/database.ts";
import { type AuditRow, positionedEntries } from "../store/queries/audit.ts";
import { type CheckpointRow, checkpointCovering, cosignaturesOf } from "../store/queries/audit-checkpoints.ts";
import { decisionsOf, eventsOf } from "../store/queries/audit-claims.ts";
import { approvalBundlesOf, evidenceAbout, type SignedBundleRow } from "../store/queries/audit-parts-of-rollout.ts";
import { readPolicyFilesOf } from "../store/queries/policy-versions.ts";
import { readPlanBytes } from "../store/queries/rollouts.ts";
import { makeCheckpoint } from "./audit-checkpoint.ts";
import { proveRows, sequenceAudit } from "./audit-log.ts";
import { type NotaryParts, originOf } from "./audit-parts.ts";
import { decodePolicyFiles } from "./policy-book.ts";

/** `checkpoint-not-made`: another signs the log at this moment; asking again is safe. */
export type RolloutProofErrorCode = "checkpoint-not-made";

const ENTRIES_MAX = 10_000;
const SUBJECTS_IN_PLAN = /sha256:[0-9a-f]{64}/g;

/**
 * The file that shows a rollout's whole story to somebody who trusts nobody but the log's keys. Undefined when the log
 * does not tell of the rollout. What the log does not bind, as of rollouts from before it did, is left out, and the
 * reader says so.
 */
export async function proveRollout(
  parts: NotaryParts,
  at: { tenant: string; rollout: string },
): Promise<Buffer | undefined> {
  const { database } = parts;
  const { tenant, rollout } = at;
  await sequenceAudit(database, tenant);
  const own = (await entriesAbout(database, tenant, rollout)).filter(({ entry }) => entry.subject.type === "rollout");
  const steps = own.filter(({ entry }) => entry.details.sequence !== undefined);
  const planDigest = steps[0]?.entry.details.planDigest;
  const plan = planDigest === undefined ? undefined : await readPlanBytes(database, tenant, planDigest);
  if (plan === undefined || planDigest === undefined) return undefined;
  const evidence = await boundEvidence(database, { tenant, planDigest, plan: plan.toString("utf8") });
  const approvals = await approvalBundlesOf(database, tenant, rollout);
  const placed = [
    ...own,
    ...evidence.entries,
    ...(await keyEntries(database, tenant, [...evidence.bundles, ...approvals])),
  ];
  const entries = [...new Map(placed.map((one) => [one.row.position, one])).values()].sort(
    (a, b) => a.row.position - b.row.position,
  );
  const checkpoint = await checkpointOver(parts, tenant, (entries.at(-1)?.row.position ?? 0) + 1);
  const proved = await proveRows(
    database,
    { tenant, head: headOf(checkpoint) },
    entries.map(({ row }) => row),
  );
  return encodeRolloutProof({
    ...{ tenant, rollout, entries: proved, plan: plan.toString("utf8") },
    checkpoint: await cosigned(database, tenant, checkpoint),
    decision: await boundDecision(database, at, steps[0]?.entry),
    events: await boundEvents(database, at, steps),
    policies: await policyTexts(database, tenant, steps),
    evidence: evidence.bundles.map(signedPart),
    approvals: approvals.map(signedPart),
  });
}

interface PlacedEntry {
  row: AuditRow;
  entry: AuditEntry;
}

async function entriesAbout(db: Queryable, tenant: string, subject: string): Promise<PlacedEntry[]> {
  const rows = await positionedEntries(db, { tenant, fromPosition: 0, limit: ENTRIES_MAX, subject });
  return rows.map((row) => {
    const entry = decodeEntry(row.entry);
    assert(entry.ok, "what was proved to stand in the log can be read");
    return { row, entry: entry.value };
  });
}

/** Statements about anything that the plan names by its digest, or about the plan, with the entries that took them in. */
async function boundEvidence(
  db: Queryable,
  of: { tenant: string; planDigest: string; plan: string },
): Promise<{ entries: PlacedEntry[]; bundles: SignedBundleRow[] }> {
  const subjects = [...new Set([of.planDigest, ...(of.plan.match(SUBJECTS_IN_PLAN) ?? [])])];
  const bundles = await evidenceAbout(db, of.tenant, subjects);
  const entries = (await Promise.all(subjects.map((subject) => entriesAbout(db, of.tenant, subject)))).flat();
  const taken = entries.filter(({ entry }) => entry.action === "evidence.add" || entry.action === "evidence.revoke");
  const digests = new Set(taken.map(({ entry }) => entry.details.bundleDigest));
  return { entries: taken, bundles: bundles.filter(({ bundle }) => digests.has(digestOf(bundle))) };
}

/** How each key that signed came to be trusted. */
async function keyEntries(db: Queryable, tenant: string, signed: readonly SignedBundleRow[]): Promise<PlacedEntry[]> {
  const keys = [...new Set(signed.flatMap(({ keyId }) => keyId ?? []))];
  return (await Promise.all(keys.map((key) => entriesAbout(db, tenant, key)))).flat();
}

async function boundDecision(
  db: Queryable,
  { tenant, rollout }: { tenant: string; rollout: string },
  first: AuditEntry | undefined,
): Promise<RolloutProof["decision"]> {
  if (first?.details.decisionDigest === undefined) return null;
  const [found] = await decisionsOf(db, tenant, [rollout]);
  return (found?.decision ?? null) as RolloutProof["decision"];
}

async function boundEvents(
  db: Queryable,
  { tenant, rollout }: { tenant: string; rollout: string },
  steps: readonly PlacedEntry[],
): Promise<RolloutProof["events"]> {
  if (!steps.every(({ entry }) => entry.details.eventDigest !== undefined)) return [];
  const told = new Set(steps.map(({ entry }) => entry.details.sequence));
  const events = await eventsOf(db, tenant, rollout);
  return events
    .filter(({ sequence }) => told.has(sequence))
    .map((event) => eventRecord({ ...event, at: entryTime(event.at.getTime()) }));
}

async function policyTexts(db: Queryable, tenant: string, steps: readonly PlacedEntry[]): Promise<string[]> {
  const digests = new Set(steps.flatMap(({ entry }) => entry.details.policyDigest ?? []));
  const stored = await Promise.all([...digests].map((digest) => readPolicyFilesOf(db, tenant, digest)));
  return stored.flatMap((bytes) =>
    bytes === undefined ? [] : [policyDigestedBytes(decodePolicyFiles(bytes)).toString("utf8")],
  );
}

function signedPart({ bundle, spkiPem }: SignedBundleRow): RolloutProof["evidence"][number] {
  return { bundle: bundle.toString("utf8"), publicKey: spkiPem };
}

const PATIENCE_MS = 2_000;
const LOOK_AGAIN_MS = 50;

/** A checkpoint of at least that size; one is made where none is there. Errors: `checkpoint-not-made`, `audit-rewritten`. */
async function checkpointOver(parts: NotaryParts, tenant: string, size: number): Promise<CheckpointRow> {
  const origin = await originOf(parts.database, tenant);
  for (const endMs = performance.now() + PATIENCE_MS; ; ) {
    const found = await checkpointCovering(parts.database, { tenant, origin, size });
    if (found !== undefined) return found;
    if (await makeCheckpoint(parts, tenant)) continue;
    if (performance.now() > endMs)
      throw new ContinuumError<RolloutProofErrorCode>("checkpoint-not-made", "The log is being signed; ask again.", {
        retryable: true,
      });
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

function headOf({ note, size }: CheckpointRow): { size: number; root: Buffer } {
  const root = note.toString("utf8").split("\n")[2] ?? "";
  return { size, root: Buffer.from(root, "base64") };
}

/** With what witnesses signed of it since. */
async function cosigned(db: Queryable, tenant: string, { origin, size, note }: CheckpointRow): Promise<string> {
  const parsed = parseSignedNote(note);
  assert(parsed.ok, "a checkpoint that was signed here is a note");
  const lines = await cosignaturesOf(db, { tenant, origin, size });
  return withCosignatures(
    parsed.value,
    lines.flatMap((line) => parseSignatureLine(line) ?? []),
  );
}
