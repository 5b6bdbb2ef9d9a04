import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leafHash, rootHash } from "./merkle.ts";
import { consistencyProof, inclusionProof } from "./merkle-proof.ts";
import { consistencyPath, inclusionPath, NODES_PER_BLOCK, type NodeSpan, rootOfSize, spansOf } from "./tree-nodes.ts";

const LEAVES = Array.from({ length: 70_000 }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));

/** Levels as they are kept: only the roots of full blocks. */
const LEVELS = [LEAVES];
for (let below = LEAVES; below.length >= NODES_PER_BLOCK; ) {
  const full = Math.floor(below.length / NODES_PER_BLOCK);
  below = Array.from({ length: full }, (_, at) =>
    rootHash(below.slice(at * NODES_PER_BLOCK, (at + 1) * NODES_PER_BLOCK)),
  );
  LEVELS.push(below);
}

/** Refuses what is not there yet in a log of that size, however much is kept for a longer one. */
const reader =
  (size: number) =>
  async ({ level, first, count }: NodeSpan) => {
    expect((first + count) * NODES_PER_BLOCK ** level).toBeLessThanOrEqual(size);
    return (LEVELS[level] ?? []).slice(first, first + count);
  };

describe("proofs from kept nodes", () => {
  test("are those of all the leaves", async () => {
    const pairs = fc
      .integer({ min: 1, max: 1200 })
      .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 })));
    await fc.assert(
      fc.asyncProperty(pairs, async ([size, at]) => {
        const leaves = LEAVES.slice(0, size);
        expect(await inclusionPath({ index: at, size }, reader(size))).toEqual(inclusionProof(leaves, at));
        expect(await consistencyPath({ earlier: at, later: size }, reader(size))).toEqual(consistencyProof(leaves, at));
        expect(await rootOfSize(size, reader(size))).toEqual(rootHash(leaves));
      }),
      { numRuns: 25, examples: [[[66_000, 65_535]], [[512, 256]]] },
    );
  });

  test("read a few blocks of each level and never all leaves", async () => {
    const read: NodeSpan[] = [];
    const size = LEAVES.length;
    await inclusionPath({ index: 12_345, size }, (span) => {
      read.push(span);
      return reader(size)(span);
    });
    expect(read.reduce((sum, { count }) => sum + count, 0)).toBeLessThan(3 * NODES_PER_BLOCK);
  });

  test("take spans that lie in one block", () => {
    for (const end of [1, 255, 256, 257, 65_535, 65_536, 70_000])
      for (const { first, count } of spansOf({ start: 0, end }))
        expect(Math.floor(first / NODES_PER_BLOCK)).toBe(Math.floor((first + count - 1) / NODES_PER_BLOCK));
  });
});
