import { hash } from "node:crypto";
import { assert } from "../error.ts";

/**
 * The Merkle tree of RFC 6962, section 2.1, over SHA-256. Leaves and nodes are hashed with different first bytes, so
 * a node can never be shown as a leaf. Sizes and indices are safe integers; no bitwise operators, which stop at 2^31.
 */

export const HASH_BYTES = 32;

/** MTH of one leaf: SHA-256(0x00 || data). */
export function leafHash(data: Uint8Array): Buffer {
  return hash("sha256", Buffer.concat([LEAF_PREFIX, data]), "buffer");
}

/** MTH of an inner node: SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  assert(left.length === HASH_BYTES && right.length === HASH_BYTES, "a node has two hashes of 32 bytes below it");
  NODE.set(left, 1);
  NODE.set(right, 1 + HASH_BYTES);
  return hash("sha256", NODE, "buffer");
}

/** MTH of a tree without leaves: the SHA-256 of nothing. */
export function emptyRoot(): Buffer {
  return hash("sha256", "", "buffer");
}

/**
 * All that an append needs to know of a log: its size and the roots of its perfect subtrees, largest first. There is
 * one per 1-bit of the size, so a log of a million entries is appended to with at most 20 hashes in hand.
 */
export interface Frontier {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

export const EMPTY_FRONTIER: Frontier = { size: 0, hashes: [] };

/** The frontier after one more leaf. The argument is left as it was. */
export function appendLeaf(frontier: Frontier, leaf: Uint8Array): Frontier {
  assertFrontier(frontier);
  assert(leaf.length === HASH_BYTES, "a leaf hash has 32 bytes");
  const hashes = [...frontier.hashes];
  let merged: Uint8Array = leaf;
  // Every trailing 1-bit of the size is a perfect subtree that the new leaf completes to one twice as large.
  for (let rest = frontier.size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
    const left = hashes.pop();
    assert(left !== undefined, "a frontier holds one hash per 1-bit of its size");
    merged = nodeHash(left, merged);
  }
  hashes.push(merged);
  return { size: frontier.size + 1, hashes };
}

/** The root of the whole log, from its frontier alone. */
export function rootFromFrontier(frontier: Frontier): Buffer {
  assertFrontier(frontier);
  const root = frontier.hashes.reduceRight<Uint8Array | undefined>(
    (right, left) => (right === undefined ? left : nodeHash(left, right)),
    undefined,
  );
  return root === undefined ? emptyRoot() : Buffer.from(root);
}

/** The root over leaf hashes that are all at hand. */
export function rootHash(leafHashes: readonly Uint8Array[]): Buffer {
  return rootFromFrontier(leafHashes.reduce<Frontier>(appendLeaf, EMPTY_FRONTIER));
}

/** The root over a power of two of hashes of one level: pair by pair, which is quicker than one after the other. */
export function perfectRoot(hashes: readonly Uint8Array[]): Buffer {
  const [first] = hashes;
  assert(first !== undefined && countOnes(hashes.length) === 1, "a perfect subtree has a power of two of nodes");
  let level: readonly Uint8Array[] = hashes;
  while (level.length > 1)
    level = Array.from({ length: level.length / 2 }, (_, at) =>
      nodeHash(level[at * 2] ?? first, level[at * 2 + 1] ?? first),
    );
  return Buffer.from(level[0] ?? first);
}

/** The largest power of two below `size`: where RFC 6962 splits a tree. */
export function splitPoint(size: number): number {
  assert(size > 1, "only a tree of two leaves or more has a split");
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

const LEAF_PREFIX = Buffer.of(0);
/** Written anew for each node and hashed in one call: putting three pieces together costs more than the hash. */
const NODE = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

function assertFrontier({ size, hashes }: Frontier): void {
  assert(Number.isSafeInteger(size) && size >= 0, "a log's size is a whole number");
  assert(hashes.length === countOnes(size), "a frontier holds one hash per 1-bit of its size");
  assert(
    hashes.every((hash) => hash.length === HASH_BYTES),
    "every hash of a frontier has 32 bytes",
  );
}

function countOnes(size: number): number {
  let ones = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}
