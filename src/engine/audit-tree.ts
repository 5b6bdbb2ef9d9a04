import { appendLeaf, EMPTY_FRONTIER, type Frontier, nodeHash, perfectRoot } from "../core/audit/merkle.ts";
import { verifyInclusion } from "../core/audit/merkle-proof.ts";
import {
  consistencyPath,
  inclusionPath,
  NODES_PER_BLOCK,
  type NodeSpan,
  type ReadNodes,
  rootOfSize,
} from "../core/audit/tree-nodes.ts";
import { ContinuumError } from "../core/error.ts";
import type { Database, Queryable, Transaction } from "../store/database.ts";
import { lockAuditTree } from "../store/queries/audit.ts";
import { insertNodes, nodeCount, nodesBetween } from "../store/queries/audit-nodes.ts";

export type AuditLogErrorCode = "audit-broken";

/** Blocks that are read at once while a log of before there were nodes gets its own. */
const BLOCKS_AT_ONCE = 32;
const HASH_BYTES = 32;

/**
 * Keeps the roots of the blocks that the log's first `size` leaves fill, of those that are not kept yet. Under the lock
 * of the tree, in the transaction in which the leaves got their places.
 */
export async function keepNodes(tx: Transaction, tenant: string, size: number): Promise<void> {
  let below = size;
  for (let level = 1; ; level += 1) {
    const wanted = Math.floor(below / NODES_PER_BLOCK);
    if (wanted === 0) return;
    for (let kept = await nodeCount(tx, tenant, level); kept < wanted; kept += BLOCKS_AT_ONCE) {
      const until = Math.min(wanted, kept + BLOCKS_AT_ONCE);
      const children = await nodesBetween(tx, {
        ...{ tenant, level: level - 1, from: kept * NODES_PER_BLOCK, until: until * NODES_PER_BLOCK },
      });
      if (children.length !== (until - kept) * NODES_PER_BLOCK) throw broken();
      const hashes = Array.from({ length: until - kept }, (_, at) =>
        blockRoot(children.slice(at * NODES_PER_BLOCK, (at + 1) * NODES_PER_BLOCK)),
      );
      await insertNodes(tx, { tenant, level, first: kept, hashes });
    }
    below = wanted;
  }
}

/** The same for a log that was written before nodes were kept; usually there is nothing to do. */
export async function ensureNodes(database: Database, tenant: string, size: number): Promise<void> {
  const wanted = Math.floor(size / NODES_PER_BLOCK);
  if (wanted === 0 || (await nodeCount(database, tenant, 1)) >= wanted) return;
  await database.transaction(async (tx) => {
    await lockAuditTree(tx, tenant);
    await keepNodes(tx, tenant, size);
  });
}

/** Reads nodes block by block, each once: the paths of one proof, and of neighbours, lie in the same few. */
export function nodeReader(db: Queryable, tenant: string): ReadNodes {
  const blocks = new Map<string, Promise<Buffer[]>>();
  return async ({ level, first, count }: NodeSpan) => {
    const block = Math.floor(first / NODES_PER_BLOCK);
    const from = block * NODES_PER_BLOCK;
    const key = `${level}/${block}`;
    const read = blocks.get(key) ?? nodesBetween(db, { tenant, level, from, until: from + NODES_PER_BLOCK });
    blocks.set(key, read);
    const nodes = (await read).slice(first - from, first - from + count);
    if (nodes.length !== count) throw broken();
    return nodes;
  };
}

export interface TreeHeadBytes {
  size: number;
  root: Buffer;
}

/** The audit path of the entry at a position, verified against the head before anyone sees it. Throws `audit-broken`. */
export async function proveInclusion(
  read: ReadNodes,
  { index, leafHash, head }: { index: number; leafHash: Buffer; head: TreeHeadBytes },
): Promise<Buffer[]> {
  const path = await inclusionPath({ index, size: head.size }, read);
  if (verifyInclusion({ index, size: head.size, leafHash, rootHash: head.root, path })) return path;
  throw broken();
}

/** The proof that the log of one size grew out of the other. It is not verified here: who asks knows both roots. */
export function proveConsistency(read: ReadNodes, sizes: { earlier: number; later: number }): Promise<Buffer[]> {
  return consistencyPath(sizes, read);
}

/** The root that the first `size` entries have now, whatever they had. */
export function rootNow(read: ReadNodes, size: number): Promise<Buffer> {
  return rootOfSize(size, read);
}

/**
 * What is wrong with the kept nodes of a log whose entries were verified: the roots of all blocks and the leaves behind
 * them must come to the log's root, and each level to the next. Null when nothing is.
 */
export async function nodesProblem(db: Queryable, tenant: string, head: TreeHeadBytes): Promise<string | null> {
  const full = Math.floor(head.size / NODES_PER_BLOCK);
  let children = await nodesBetween(db, { tenant, level: 1, from: 0, until: full });
  // A log of before there were nodes gets them when it is next appended to or asked for a proof.
  if (children.length === 0) return null;
  if (children.length !== full) return "kept roots of its blocks are missing";
  const covered = full * NODES_PER_BLOCK;
  const rest = await nodesBetween(db, { tenant, level: 0, from: covered, until: head.size });
  const blocks = children.reduce<Frontier>(appendLeaf, EMPTY_FRONTIER);
  const leaves = rest.reduce<Frontier>(appendLeaf, EMPTY_FRONTIER);
  const roots = [...blocks.hashes, ...leaves.hashes].reverse();
  const root = roots.slice(1).reduce((right, left) => nodeHash(left, right), roots[0] ?? head.root);
  if (Buffer.compare(root, head.root) !== 0) return "the kept roots of its blocks are not those of the entries";
  for (let level = 2; ; level += 1) {
    const parents = await nodesBetween(db, {
      tenant,
      level,
      from: 0,
      until: Math.floor(children.length / NODES_PER_BLOCK),
    });
    for (const [at, parent] of parents.entries())
      if (!blockRoot(children.slice(at * NODES_PER_BLOCK, (at + 1) * NODES_PER_BLOCK)).equals(parent))
        return `the kept root ${at} of level ${level} is not that of its block`;
    if (parents.length === 0) return null;
    children = parents;
  }
}

function blockRoot(hashes: readonly Buffer[]): Buffer {
  const damaged = hashes.some((hash) => hash.length !== HASH_BYTES);
  if (damaged) throw broken();
  return perfectRoot(hashes);
}

function broken(): ContinuumError<AuditLogErrorCode> {
  return new ContinuumError("audit-broken", "the audit log does not fit its head; verify it");
}
