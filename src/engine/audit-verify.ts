import { type AuditEntry, decodeEntry } from "../core/audit/entry.ts";
import type { TreeHead } from "../core/audit/export.ts";
import { appendLeaf, EMPTY_FRONTIER, type Frontier, leafHash, rootFromFrontier } from "../core/audit/merkle.ts";
import type { Database, Transaction } from "../store/database.ts";
import { lockAuditTree, positionedEntries, readAuditTree } from "../store/queries/audit.ts";
import { auditClaims } from "./audit-claims.ts";
import { sequenceAudit } from "./audit-log.ts";
import { ensureNodes, nodesProblem } from "./audit-tree.ts";

const BATCH = 1000;

/** A head that was signed or kept, and what to call it when the log does not fit it. */
export interface KnownHead extends TreeHead {
  what: string;
}

export interface AuditVerification {
  ok: boolean;
  size: number;
  /** Hexadecimal. */
  root: string;
  problem: { position: number; message: string } | null;
}

/**
 * Recomputes every leaf and the root from the stored entries and compares them with the stored head and with every head
 * that is known; and holds what the entries tell against the rollouts, events and plans that are stored. Whoever
 * changed, removed, added or reordered a row is found, and where.
 */
export async function verifyAudit(
  database: Database,
  tenant: string,
  heads: readonly KnownHead[] = [],
): Promise<AuditVerification> {
  await sequenceAudit(database, tenant);
  const before = await readAuditTree(database, tenant);
  if (before !== undefined) await ensureNodes(database, tenant, before.size);
  return database.transaction((tx) => verifyAuditWithin(tx, tenant, heads));
}

/** `verifyAudit` in the caller's transaction; entries that wait for their place take no part. */
export async function verifyAuditWithin(
  tx: Transaction,
  tenant: string,
  heads: readonly KnownHead[] = [],
): Promise<AuditVerification> {
  // Nothing is appended while this looks, so a head and its entries are of one moment.
  await lockAuditTree(tx, tenant);
  const tree = await readAuditTree(tx, tenant);
  const size = tree?.size ?? 0;
  const root = tree?.root ?? rootFromFrontier(EMPTY_FRONTIER);
  const problem = await firstProblem(tx, { tenant, head: { size, root }, heads });
  return { ok: problem === null, size, root: root.toString("hex"), problem };
}

interface Looked {
  tenant: string;
  head: { size: number; root: Buffer };
  heads: readonly KnownHead[];
}

async function firstProblem(tx: Transaction, looked: Looked): Promise<AuditVerification["problem"]> {
  const { tenant, head } = looked;
  const { size } = head;
  const claims = await auditClaims(tx, tenant);
  const { frontier, problem } = await recompute(tx, looked, claims.take);
  if (problem !== null) return problem;
  if (frontier.size !== size)
    return {
      position: Math.min(frontier.size, size),
      message: `the head counts ${size} entries and the log holds ${frontier.size}`,
    };
  if (!rootFromFrontier(frontier).equals(head.root))
    return { position: size, message: "the entries are not those that the head was made of" };
  const beyond = looked.heads.find((known) => known.size > size);
  if (beyond !== undefined)
    return {
      position: size,
      message: `${beyond.what} tells of ${beyond.size} entries, the log holds ${size}: its end is missing`,
    };
  const message = (await nodesProblem(tx, tenant, head)) ?? (await claims.finish());
  return message === null ? null : { position: size, message };
}

/** `take` sees the entries, batch by batch, each once its hash fits. */
type Take = (
  batch: readonly { position: number; entry: AuditEntry }[],
) => Promise<{ position: number; message: string } | null>;

async function recompute(
  tx: Transaction,
  { tenant, heads }: Looked,
  take: Take,
): Promise<{ frontier: Frontier; problem: AuditVerification["problem"] }> {
  let frontier: Frontier = EMPTY_FRONTIER;
  const known = Map.groupBy(heads, ({ size }) => size);
  for (;;) {
    const rows = await positionedEntries(tx, { tenant, fromPosition: frontier.size, limit: BATCH });
    const entries: { position: number; entry: AuditEntry }[] = [];
    for (const row of rows) {
      const position = frontier.size;
      if (row.position !== position) return { frontier, problem: { position, message: "the entry is missing" } };
      const read = readEntry(tenant, row);
      if (typeof read === "string") return { frontier, problem: { position, message: read } };
      entries.push({ position, entry: read });
      frontier = appendLeaf(frontier, leafHash(row.entry));
      const message = headProblem(known.get(frontier.size) ?? [], frontier);
      if (message !== null) return { frontier, problem: { position, message } };
    }
    const problem = await take(entries);
    if (problem !== null || rows.length < BATCH) return { frontier, problem };
  }
}

function headProblem(known: readonly KnownHead[], frontier: Frontier): string | null {
  if (known.length === 0) return null;
  const root = rootFromFrontier(frontier).toString("hex");
  const other = known.find(({ rootHash }) => rootHash !== root);
  return other === undefined
    ? null
    : `the first ${other.size} entries are not those of ${other.what}: the log was rewritten`;
}

/** The entry, or what is wrong with its row. */
function readEntry(tenant: string, row: { entry: Buffer; leafHash: Buffer; subject: string }): AuditEntry | string {
  if (!leafHash(row.entry).equals(row.leafHash)) return "the entry was changed: its hash does not fit";
  const entry = decodeEntry(row.entry);
  if (!entry.ok) return `the entry is no audit entry: ${entry.problem.message}`;
  if (entry.value.tenant !== tenant) return "the entry is another tenant's";
  if (entry.value.subject.id !== row.subject) return "the entry is filed under another subject than its own";
  return entry.value;
}
