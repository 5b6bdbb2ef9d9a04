import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { verifyConsistency, verifyInclusion } from "../../src/core/audit/merkle-proof.ts";

/** Inclusion and consistency proofs that transparency-dev/merkle publishes: ours must agree with theirs on each. */
const VECTORS = process.env["CONTINUUM_VECTORS"];
const WHY_SKIPPED = VECTORS === undefined ? " (skipped: CONTINUUM_VECTORS names no folder of published vectors)" : "";

const hash = z.string().transform((text) => Buffer.from(text, "base64"));
const nullableHash = hash.nullable().transform((bytes) => bytes ?? Buffer.alloc(0));
const proof = z
  .array(hash)
  .nullable()
  .transform((hashes) => hashes ?? []);
const expected = { desc: z.string(), wantErr: z.boolean() };
const inclusionSchema = z.object({
  leafIdx: z.number(),
  treeSize: z.number(),
  root: nullableHash,
  leafHash: nullableHash,
  proof,
  ...expected,
});
const consistencySchema = z.object({
  size1: z.number(),
  size2: z.number(),
  root1: nullableHash,
  root2: nullableHash,
  proof,
  ...expected,
});

function vectors(kind: string): { name: string; json: unknown }[] {
  if (VECTORS === undefined) return [];
  const folder = join(VECTORS, "rfc6962", kind);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .map((name) => ({ name, json: JSON.parse(readFileSync(join(folder, name), "utf8")) }));
}

describe.skipIf(VECTORS === undefined)(`RFC 6962 vectors${WHY_SKIPPED}`, () => {
  test("agree on every proof of inclusion", () => {
    const all = vectors("inclusion");
    const disagreed = all.filter(({ json }) => {
      const { leafIdx, treeSize, root, leafHash, proof: path, wantErr } = inclusionSchema.parse(json);
      return verifyInclusion({ index: leafIdx, size: treeSize, leafHash, rootHash: root, path }) === wantErr;
    });
    expect(disagreed.map(({ name }) => name)).toEqual([]);
    expect(all.length).toBeGreaterThan(60);
  });

  test("agree on every proof of consistency", () => {
    const all = vectors("consistency");
    const disagreed = all.filter(({ json }) => {
      const { size1, size2, root1, root2, proof: path, wantErr } = consistencySchema.parse(json);
      const claim = { earlier: { size: size1, rootHash: root1 }, later: { size: size2, rootHash: root2 }, proof: path };
      return verifyConsistency(claim) === wantErr;
    });
    expect(disagreed.map(({ name }) => name)).toEqual([]);
    expect(all.length).toBeGreaterThan(60);
  });
});
