import { createHash } from "node:crypto";
import { type AuditDetails, type AuditEntry, decodeEntry, encodeEntry, entryTime } from "../core/audit/entry.ts";
import { exportWriter } from "../core/audit/export.ts";
import { appendLeaf, EMPTY_FRONTIER, type Frontier, leafHash, rootFromFrontier } from "../core/audit/merkle.ts";
import { NODES_PER_BLOCK } from "../core/audit/tree-nodes.ts";
import { ContinuumError } from "../core/error.ts";
import type { Database, Transaction } from "../store/database.ts";
import {
  type AuditRow,
  hasWaitingEntries,
  insertAuditEntry,
  lockAuditTree,
  type NewAuditRow,
  positionedEntries,
  readAuditTree,
  setPositions,
  tenantsWithWaitingEntries,
  waitingEntries,
  writeAuditTree,
} from "../store/queries/audit.ts";
import {
  type AuditLogErrorCode,
  ensureNodes,
  keepNodes,
  nodeReader,
  proveInclusion,
  type TreeHeadBytes,
} from "./audit-tree.ts";
import type { Actor } from "./engine.ts";

export interface AuditFact {
  tenant: string;
  atMs: number;
  actor: Actor;
  /** Such as `rollout.submit`. */
  action: string;
  /** `type:id`, such as `rollout:r-01k...` or `endpoint:staging/local/churn`. */
  subject: string;
  outcome: AuditEntry["outcome"];
  /** Only the names that core/audit allows: ids, digests, codes and numbers. */
  details: AuditDetails;
}

const BATCH = 1000;

/** Told, with the tenant, when a rollout ended: whoever signs the log does so soon after. */
export const ROLLOUT_ENDED = "rollout_ended";

/**
 * Writes an entry in the transaction of what it tells, so that neither is ever there without the other. Its place in
 * the tree comes later: two transactions that append at once would otherwise wait for each other.
 */
export async function appendAudit(tx: Transaction, fact: AuditFact): Promise<void> {
  await insertAuditEntry(tx, auditRowOf(fact));
}

/** The row of an entry that waits for its place. Throws `bad-audit-entry`. */
export function auditRowOf(fact: AuditFact): NewAuditRow {
  const at = fact.subject.indexOf(":");
  const subject = { type: fact.subject.slice(0, at), id: fact.subject.slice(at + 1) };
  const { id, kind, owner } = fact.actor;
  const entry = encodeEntry({
    version: 1,
    tenant: fact.tenant,
    at: entryTime(fact.atMs),
    actor: owner === undefined ? { id, kind } : { id, kind, owner },
    action: fact.action,
    subject,
    outcome: fact.outcome,
    details: fact.details,
  });
  return { tenant: fact.tenant, subject: subject.id, entry, leafHash: leafHash(entry) };
}

/** What stands for a free text in the log: that there was one, and which, without a word of it. */
export function textDigest(text: string | undefined): Pick<AuditDetails, "detailsDigest"> {
  return text === undefined ? {} : { detailsDigest: `sha256:${createHash("sha256").update(text).digest("hex")}` };
}

/** Gives the entries that wait their places, oldest first. Answers how many got one. */
export async function sequenceAudit(database: Database, tenant: string): Promise<number> {
  let sequenced = 0;
  while (await hasWaitingEntries(database, tenant)) {
    sequenced += await database.transaction(async (tx) => {
      await lockAuditTree(tx, tenant);
      return sequenceBatch(tx, tenant);
    });
  }
  return sequenced;
}

/** `sequenceAudit` for every tenant that has entries waiting; what a worker calls a few times a second. */
export async function sequenceAllAudit(database: Database): Promise<number> {
  let sequenced = 0;
  for (const tenant of await tenantsWithWaitingEntries(database)) sequenced += await sequenceAudit(database, tenant);
  return sequenced;
}

async function sequenceBatch(tx: Transaction, tenant: string): Promise<number> {
  const tree = await readAuditTree(tx, tenant);
  let frontier: Frontier = tree === undefined ? EMPTY_FRONTIER : { size: tree.size, hashes: tree.frontier };
  const first = frontier.size;
  const waiting = await waitingEntries(tx, tenant, BATCH);
  if (waiting.length === 0) return 0;
  for (const entry of waiting) frontier = appendLeaf(frontier, entry.leafHash);
  const ids = waiting.map((entry) => entry.id);
  await setPositions(tx, tenant, ids, first);
  await writeAuditTree(tx, {
    tenant,
    size: frontier.size,
    frontier: frontier.hashes,
    root: rootFromFrontier(frontier),
  });
  if (Math.floor(first / NODES_PER_BLOCK) < Math.floor(frontier.size / NODES_PER_BLOCK))
    await keepNodes(tx, tenant, frontier.size);
  return waiting.length;
}

/** A page of the log, oldest first. */
export async function listAudit(
  database: Database,
  page: { tenant: string; fromPosition: number; limit: number; subject?: string },
): Promise<{ position: number; entry: AuditEntry; leafHash: string }[]> {
  await sequenceAudit(database, page.tenant);
  const rows = await positionedEntries(database, page);
  return rows.map((row) => ({
    position: row.position,
    entry: entryOf(row.entry, row.position),
    leafHash: row.leafHash.toString("hex"),
  }));
}

export interface AuditProof {
  size: number;
  /** Hexadecimal. */
  root: string;
  /** `entry` is the canonical text whose leaf hash the proof is about; `proof` lists hashes, nearest sibling first. */
  entries: { position: number; entry: string; proof: string[] }[];
}

/** Inclusion proofs of the newest `limit` entries about a subject, against the head of this moment. */
export async function proveAudit(
  database: Database,
  question: { tenant: string; subject: string; limit: number },
): Promise<AuditProof> {
  const { tenant, subject, limit } = question;
  await sequenceAudit(database, tenant);
  const head = await readAuditTree(database, tenant);
  if (head === undefined) return { size: 0, root: rootFromFrontier(EMPTY_FRONTIER).toString("hex"), entries: [] };
  const rows = await positionedEntries(database, { tenant, fromPosition: 0, limit: head.size, subject });
  const newest = rows.filter((row) => row.position < head.size).slice(-limit);
  return {
    size: head.size,
    root: head.root.toString("hex"),
    entries: await proveRows(database, { tenant, head }, newest),
  };
}

/** The proofs of entries against a head, each verified before it is answered. Throws `audit-broken`. */
export async function proveRows(
  database: Database,
  { tenant, head }: { tenant: string; head: TreeHeadBytes },
  rows: readonly Pick<AuditRow, "position" | "entry">[],
): Promise<AuditProof["entries"]> {
  await ensureNodes(database, tenant, head.size);
  const read = nodeReader(database, tenant);
  return Promise.all(
    rows.map(async ({ position, entry }) => {
      const path = await proveInclusion(read, { index: position, leafHash: leafHash(entry), head });
      return { position, entry: entry.toString("utf8"), proof: path.map((hash) => hash.toString("hex")) };
    }),
  );
}

/** The whole log as the lines of core/audit's export format, read in batches. */
export async function* exportAudit(database: Database, tenant: string): AsyncGenerator<string> {
  await sequenceAudit(database, tenant);
  const size = (await readAuditTree(database, tenant))?.size ?? 0;
  const writer = exportWriter(tenant);
  yield writer.header();
  for (let position = 0; position < size; position += BATCH) {
    for (const row of await positionedEntries(database, { tenant, fromPosition: position, limit: BATCH })) {
      if (row.position < size) yield writer.entry(row.entry);
    }
  }
  yield writer.head();
}

function entryOf(bytes: Uint8Array, position: number): AuditEntry {
  const entry = decodeEntry(bytes);
  if (entry.ok) return entry.value;
  throw new ContinuumError<AuditLogErrorCode>(
    "audit-broken",
    `audit entry ${position} cannot be read: ${entry.problem.message}`,
  );
}
