import { assert } from "../error.ts";
import { HASH_BYTES, nodeHash, rootHash, splitPoint } from "./merkle.ts";

/** Inclusion and consistency proofs of RFC 6962, sections 2.1.1 and 2.1.2, and their verification (RFC 9162, 2.1.3 and 2.1.4). */

/** The audit path of leaf `index` in the tree over `leafHashes`, nearest sibling first. */
export function inclusionProof(leafHashes: readonly Uint8Array[], index: number): Buffer[] {
  assert(Number.isSafeInteger(index) && index >= 0 && index < leafHashes.length, "the leaf lies in the tree");
  const path: Buffer[] = [];
  let leaves = leafHashes;
  let at = index;
  while (leaves.length > 1) {
    const split = splitPoint(leaves.length);
    const goesLeft = at < split;
    path.push(rootHash(goesLeft ? leaves.slice(split) : leaves.slice(0, split)));
    leaves = goesLeft ? leaves.slice(0, split) : leaves.slice(split);
    at = goesLeft ? at : at - split;
  }
  return path.reverse();
}

/** The proof that the log over `leafHashes` grew out of its first `earlierSize` leaves; empty when nothing grew. */
export function consistencyProof(leafHashes: readonly Uint8Array[], earlierSize: number): Buffer[] {
  assert(
    Number.isSafeInteger(earlierSize) && earlierSize >= 0 && earlierSize <= leafHashes.length,
    "the earlier log is no longer than the later one",
  );
  if (earlierSize === 0 || earlierSize === leafHashes.length) return [];
  const proof: Buffer[] = [];
  let leaves = leafHashes;
  let size = earlierSize;
  // As long as only left halves were taken, the verifier already holds the root of what remains: it is the earlier root.
  let isKnownRoot = true;
  while (size < leaves.length) {
    const split = splitPoint(leaves.length);
    const goesLeft = size <= split;
    proof.push(rootHash(goesLeft ? leaves.slice(split) : leaves.slice(0, split)));
    leaves = goesLeft ? leaves.slice(0, split) : leaves.slice(split);
    size = goesLeft ? size : size - split;
    isKnownRoot &&= goesLeft;
  }
  if (!isKnownRoot) proof.push(rootHash(leaves));
  return proof.reverse();
}

export interface InclusionClaim {
  index: number;
  size: number;
  leafHash: Uint8Array;
  rootHash: Uint8Array;
  path: readonly Uint8Array[];
}

/** Whether the leaf stands at `index` in the log of `size` entries with that root. Never throws: a malformed claim is false. */
export function verifyInclusion({ index, size, leafHash, rootHash: root, path }: InclusionClaim): boolean {
  if (!isCount(index) || !isCount(size) || index >= size || !areHashes([leafHash, root, ...path])) return false;
  let node = index;
  let last = size - 1;
  let hash = leafHash;
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      // A right edge without a sibling rises until it is a right child.
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equal(hash, root);
}

export interface ConsistencyClaim {
  earlier: { size: number; rootHash: Uint8Array };
  later: { size: number; rootHash: Uint8Array };
  proof: readonly Uint8Array[];
}

/** Whether the later log begins with exactly the earlier one. Never throws: a malformed claim is false. */
export function verifyConsistency({ earlier, later, proof }: ConsistencyClaim): boolean {
  if (!isCount(earlier.size) || !isCount(later.size) || earlier.size > later.size) return false;
  if (!areHashes([earlier.rootHash, later.rootHash, ...proof])) return false;
  if (earlier.size === later.size) return proof.length === 0 && equal(earlier.rootHash, later.rootHash);
  if (earlier.size === 0) return proof.length === 0 && equal(earlier.rootHash, rootHash([]));

  let node = earlier.size - 1;
  let last = later.size - 1;
  while (node % 2 === 1) {
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  // A perfect earlier tree is itself the first node; the proof leaves it out.
  const path = node === 0 ? [earlier.rootHash, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let earlierHash = first;
  let laterHash = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      earlierHash = nodeHash(sibling, earlierHash);
      laterHash = nodeHash(sibling, laterHash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      laterHash = nodeHash(laterHash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equal(earlierHash, earlier.rootHash) && equal(laterHash, later.rootHash);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function areHashes(values: readonly Uint8Array[]): boolean {
  return values.every((value) => value.length === HASH_BYTES);
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
