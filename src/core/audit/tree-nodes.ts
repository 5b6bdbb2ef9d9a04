import { assert } from "../error.ts";
import { emptyRoot, nodeHash, perfectRoot, splitPoint } from "./merkle.ts";

/**
 * Proofs without reading every leaf. Of each level the roots of its full blocks of 256 are kept as the next level, as
 * in C2SP's tlog-tiles: node `n` of level `l` is the RFC 6962 hash of leaves `n * 256^l` to `(n + 1) * 256^l - 1`, and
 * stands once all of them are there, for good. Level 0 are the leaves. A proof over a million entries needs at most
 * 255 nodes of each of three levels.
 */
export const NODES_PER_BLOCK = 256;

/** Nodes of one level that lie beside one another: a power of two of them, at a multiple of it. */
export interface NodeSpan {
  level: number;
  first: number;
  count: number;
}

/** Answers the hashes of the span's nodes, in order. */
export type ReadNodes = (span: NodeSpan) => Promise<readonly Uint8Array[]>;

/** Leaves from `start` up to, and without, `end`. */
interface LeafRange {
  start: number;
  end: number;
}

/** The audit path of leaf `index` in the log of `size`, nearest sibling first (RFC 6962, 2.1.1). */
export async function inclusionPath(at: { index: number; size: number }, read: ReadNodes): Promise<Buffer[]> {
  return readRoots(inclusionRanges(at), read);
}

/** The proof that the log of `later` entries grew out of its first `earlier` ones (RFC 6962, 2.1.2). */
export async function consistencyPath(sizes: { earlier: number; later: number }, read: ReadNodes): Promise<Buffer[]> {
  return readRoots(consistencyRanges(sizes), read);
}

/** The root over the first `size` leaves. */
export async function rootOfSize(size: number, read: ReadNodes): Promise<Buffer> {
  return size === 0 ? emptyRoot() : readRoot({ start: 0, end: size }, read);
}

function inclusionRanges({ index, size }: { index: number; size: number }): LeafRange[] {
  assert(Number.isSafeInteger(index) && index >= 0 && index < size, "the leaf lies in the tree");
  const path: LeafRange[] = [];
  let tree: LeafRange = { start: 0, end: size };
  while (tree.end - tree.start > 1) {
    const { left, right } = halves(tree);
    const goesLeft = index < left.end;
    path.push(goesLeft ? right : left);
    tree = goesLeft ? left : right;
  }
  return path.reverse();
}

function consistencyRanges({ earlier, later }: { earlier: number; later: number }): LeafRange[] {
  assert(
    Number.isSafeInteger(earlier) && earlier >= 0 && earlier <= later,
    "the earlier log is no longer than the later one",
  );
  if (earlier === 0 || earlier === later) return [];
  const path: LeafRange[] = [];
  let tree: LeafRange = { start: 0, end: later };
  // As long as only left halves were taken, the verifier already holds the root of what remains: it is the earlier root.
  let isKnownRoot = true;
  while (earlier < tree.end) {
    const { left, right } = halves(tree);
    const goesLeft = earlier <= left.end;
    path.push(goesLeft ? right : left);
    tree = goesLeft ? left : right;
    isKnownRoot &&= goesLeft;
  }
  if (!isKnownRoot) path.push(tree);
  return path.reverse();
}

function halves({ start, end }: LeafRange): { left: LeafRange; right: LeafRange } {
  const middle = start + splitPoint(end - start);
  return { left: { start, end: middle }, right: { start: middle, end } };
}

function readRoots(ranges: readonly LeafRange[], read: ReadNodes): Promise<Buffer[]> {
  return Promise.all(ranges.map((range) => readRoot(range, read)));
}

async function readRoot(range: LeafRange, read: ReadNodes): Promise<Buffer> {
  const roots = await Promise.all(
    spansOf(range).map(async (span) => {
      const hashes = await read(span);
      assert(hashes.length === span.count, "every node of a full span was kept");
      return perfectRoot(hashes);
    }),
  );
  const [last, ...rest] = roots.reverse();
  assert(last !== undefined, "a range that is asked for has leaves");
  return rest.reduce((right, left) => nodeHash(left, right), last);
}

/**
 * The perfect subtrees of a range, largest first. Ranges come from splitting a tree as RFC 6962 does, so each starts at
 * a multiple of the largest power of two in it.
 */
export function spansOf({ start, end }: LeafRange): NodeSpan[] {
  const spans: NodeSpan[] = [];
  for (let at = start; at < end; ) {
    let leaves = 1;
    let level = 0;
    let leavesPerNode = 1;
    while (leaves * 2 <= end - at) {
      leaves *= 2;
      if (leaves === leavesPerNode * NODES_PER_BLOCK) {
        leavesPerNode = leaves;
        level += 1;
      }
    }
    spans.push({ level, first: at / leavesPerNode, count: leaves / leavesPerNode });
    at += leaves;
  }
  return spans;
}
