import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  appendLeaf,
  EMPTY_FRONTIER,
  emptyRoot,
  type Frontier,
  leafHash,
  nodeHash,
  rootFromFrontier,
  rootHash,
  splitPoint,
} from "./merkle.ts";
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from "./merkle-proof.ts";

const leaves = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));

/** The definition of RFC 6962 word for word, to compare the frontier against. */
function rootByDefinition(hashes: Buffer[]): Buffer {
  const [only] = hashes;
  if (only === undefined) return emptyRoot();
  if (hashes.length === 1) return only;
  const split = splitPoint(hashes.length);
  return nodeHash(rootByDefinition(hashes.slice(0, split)), rootByDefinition(hashes.slice(split)));
}

describe("the tree", () => {
  test("has the empty root that the RFC names", () => {
    expect(emptyRoot().toString("hex")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(rootHash([])).toEqual(emptyRoot());
    expect(leafHash(Buffer.alloc(0)).toString("hex")).toBe(
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    );
  });

  test("has the root of the definition at every size, appended one by one", () => {
    let frontier: Frontier = EMPTY_FRONTIER;
    const hashes = leaves(130);
    for (const [at, leaf] of hashes.entries()) {
      frontier = appendLeaf(frontier, leaf);
      expect(rootFromFrontier(frontier)).toEqual(rootByDefinition(hashes.slice(0, at + 1)));
    }
  });

  test("refuses a frontier that is not one of its size", () => {
    const frontier = leaves(3).reduce<Frontier>(appendLeaf, EMPTY_FRONTIER);
    expect(() => appendLeaf({ ...frontier, size: 4 }, emptyRoot())).toThrow("one hash per 1-bit");
    expect(() => rootFromFrontier({ size: 1, hashes: [Buffer.alloc(31)] })).toThrow("32 bytes");
    expect(() => rootFromFrontier({ size: -1, hashes: [] })).toThrow("whole number");
    expect(() => appendLeaf(frontier, Buffer.alloc(31))).toThrow("32 bytes");
  });
});

describe("proofs", () => {
  const tree = fc
    .integer({ min: 1, max: 70 })
    .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 })));

  test("of inclusion hold for their leaf and for no other position", () => {
    fc.assert(
      fc.property(tree, ([size, index]) => {
        const hashes = leaves(size);
        const claim = {
          index,
          size,
          leafHash: hashes[index] ?? emptyRoot(),
          rootHash: rootHash(hashes),
          path: inclusionProof(hashes, index),
        };
        expect(verifyInclusion(claim)).toBe(true);
        for (let other = 0; other < size; other++) {
          if (other !== index) expect(verifyInclusion({ ...claim, index: other })).toBe(false);
        }
        expect(verifyInclusion({ ...claim, path: [...claim.path, emptyRoot()] })).toBe(false);
        if (size > 1) expect(verifyInclusion({ ...claim, path: claim.path.slice(1) })).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test("of consistency hold at every pair of sizes and fail for a rewritten past", () => {
    const hashes = leaves(34);
    const rewritten = [leafHash(Buffer.from("forged")), ...hashes.slice(1)];
    for (let later = 1; later <= hashes.length; later++) {
      for (let earlier = 0; earlier <= later; earlier++) {
        const now = hashes.slice(0, later);
        const claim = {
          earlier: { size: earlier, rootHash: rootHash(hashes.slice(0, earlier)) },
          later: { size: later, rootHash: rootHash(now) },
          proof: consistencyProof(now, earlier),
        };
        expect(verifyConsistency(claim)).toBe(true);
        if (earlier > 0) {
          const forged = rewritten.slice(0, later);
          const forgedClaim = {
            ...claim,
            later: { size: later, rootHash: rootHash(forged) },
            proof: consistencyProof(forged, earlier),
          };
          expect(verifyConsistency(forgedClaim)).toBe(false);
        }
        if (claim.proof.length > 0) expect(verifyConsistency({ ...claim, proof: claim.proof.slice(1) })).toBe(false);
        expect(verifyConsistency({ ...claim, proof: [...claim.proof, emptyRoot()] })).toBe(false);
      }
    }
  });

  test("that are malformed are false, not errors", () => {
    const hash = emptyRoot();
    expect(verifyInclusion({ index: -1, size: 1, leafHash: hash, rootHash: hash, path: [] })).toBe(false);
    expect(verifyInclusion({ index: 0.5, size: 1, leafHash: hash, rootHash: hash, path: [] })).toBe(false);
    expect(verifyInclusion({ index: 0, size: 2 ** 60, leafHash: hash, rootHash: hash, path: [] })).toBe(false);
    expect(verifyInclusion({ index: 0, size: 1, leafHash: Buffer.alloc(3), rootHash: Buffer.alloc(3), path: [] })).toBe(
      false,
    );
    expect(
      verifyConsistency({ earlier: { size: 2, rootHash: hash }, later: { size: 1, rootHash: hash }, proof: [] }),
    ).toBe(false);
  });
});
