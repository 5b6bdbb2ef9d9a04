import { parseCheckpointText } from "../core/audit/checkpoint.ts";
import { parseSignedNote } from "../core/audit/signed-note.ts";
import type { ReadNodes } from "../core/audit/tree-nodes.ts";
import type { VerifierKey } from "../core/audit/verifier-key.ts";
import { ContinuumError } from "../core/error.ts";
import type { Transaction } from "../store/database.ts";
import { lockAuditTree, readAuditTree } from "../store/queries/audit.ts";
import { insertCheckpoint, newestCheckpoint, tryLockCheckpoint } from "../store/queries/audit-checkpoints.ts";
import { appendAudit, sequenceAudit } from "./audit-log.ts";
import { type NotaryParts, originOf } from "./audit-parts.ts";
import { ensureNodes, nodeReader, rootNow } from "./audit-tree.ts";
import { SYSTEM } from "./engine.ts";

/** `audit-rewritten`: the log did not grow out of what was signed or published before; nothing is signed then. */
export type CheckpointErrorCode = "audit-rewritten";

/**
 * Signs the tenant's log as it is now, when it has grown since its newest checkpoint. A log signs one story only:
 * what was signed here before, and what the archives hold, must be its beginning. Answers whether one was made.
 * Errors: `audit-rewritten`. An archive that is away keeps nothing from being signed; it is asked again the next time.
 */
export async function makeCheckpoint(parts: NotaryParts, tenant: string): Promise<boolean> {
  const { database, checkpoints } = parts;
  await sequenceAudit(database, tenant);
  const before = await readAuditTree(database, tenant);
  if (before === undefined || before.size === 0) return false;
  await ensureNodes(database, tenant, before.size);
  const origin = await originOf(database, tenant);
  const published = await publishedHeads(parts, origin);
  const signer = await checkpoints.signer();
  return database.transaction(async (tx) => {
    if (!(await tryLockCheckpoint(tx, tenant))) return false;
    const head = await headUnderLock(tx, tenant);
    const newest = await newestCheckpoint(tx, { tenant, origin });
    const read = nodeReader(tx, tenant);
    const signed = newest === undefined ? [] : [headOfNote(newest.note, "the newest signed checkpoint")];
    await requireGrowth(read, head, [...signed, ...published]);
    if (newest !== undefined && newest.size === head.size) return false;
    if (newest !== undefined)
      await tellOfNewKeys(tx, parts, { tenant, keys: signer.keys(origin), newest: newest.note });
    const note = Buffer.from(signer.sign({ origin, size: head.size, rootHash: head.root.toString("hex") }));
    const at = new Date(parts.nowMs());
    const archives = checkpoints.archives.map(({ name }) => name);
    await insertCheckpoint(tx, { tenant, origin, size: head.size, note, at, archives });
    return true;
  });
}

/**
 * A key that signs from now on stands in the log, which the checkpoint after this one covers: whoever trusts the key
 * before it can see where it came in. One that takes another's place at once is also said to the operator, for it may
 * be that two workers were given different keys.
 */
async function tellOfNewKeys(
  tx: Transaction,
  { log, nowMs }: NotaryParts,
  { tenant, keys, newest }: { tenant: string; keys: readonly VerifierKey[]; newest: Uint8Array },
): Promise<void> {
  const note = parseSignedNote(newest);
  const before = new Set(note.ok ? note.value.signatures.map(({ keyId }) => keyId) : []);
  const added = keys.filter(({ keyId }) => !before.has(keyId));
  if (added.length === keys.length)
    log.warn("audit-key-replaced", {
      tenant,
      reason: "nothing signs that signed before; does every process have the same key?",
    });
  for (const { keyId, type } of added)
    await appendAudit(tx, {
      ...{ tenant, atMs: nowMs(), actor: SYSTEM, action: "audit.key-add", outcome: "accepted" as const },
      ...{ subject: `key:${keyId}`, details: { keyId, kind: type } },
    });
}

interface Head {
  size: number;
  rootHash: string;
  what: string;
}

async function headUnderLock(tx: Transaction, tenant: string): Promise<{ size: number; root: Buffer }> {
  await lockAuditTree(tx, tenant);
  const tree = await readAuditTree(tx, tenant);
  if (tree === undefined) throw rewritten("the log is gone");
  return tree;
}

/**
 * The newest that each archive holds of the log, asked each time: another worker may have published since, and what lies
 * outside of the database says what it once was.
 */
async function publishedHeads({ checkpoints, log }: NotaryParts, origin: string): Promise<Head[]> {
  const heads: Head[] = [];
  for (const archive of checkpoints.archives) {
    try {
      const newest = await archive.newest(origin);
      const what = `the newest checkpoint in the archive ${archive.name}`;
      if (newest !== undefined) heads.push(headOfNote(newest.note, what));
    } catch (error) {
      if (!(error instanceof ContinuumError) || error.code !== "archive-unavailable") throw error;
      log.warn("audit-archive-unavailable", { reason: `${archive.name}: ${error.message}` });
    }
  }
  return heads;
}

function headOfNote(bytes: Uint8Array, what: string): Head {
  const note = parseSignedNote(bytes);
  const checkpoint = note.ok ? parseCheckpointText(note.value.text) : note;
  if (!checkpoint.ok) throw rewritten(`${what} ${checkpoint.problem.message}`);
  const { size, rootHash } = checkpoint.value;
  return { size, rootHash, what };
}

async function requireGrowth(
  read: ReadNodes,
  head: { size: number; root: Buffer },
  earlier: readonly Head[],
): Promise<void> {
  for (const { size, rootHash, what } of earlier) {
    if (size > head.size) throw rewritten(`${what} tells of ${size} entries and the log holds ${head.size}`);
    const now = await rootNow(read, size);
    if (now.toString("hex") !== rootHash) throw rewritten(`the first ${size} entries are not those of ${what}`);
  }
  if (!(await rootNow(read, head.size)).equals(head.root)) throw rewritten("the entries are not those of its head");
}

function rewritten(message: string): ContinuumError<CheckpointErrorCode> {
  return new ContinuumError("audit-rewritten", `The audit log was rewritten: ${message}.`);
}
