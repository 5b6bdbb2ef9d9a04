import { describe, expect, test } from "vitest";
import { encodeEntry, entryTime } from "./entry.ts";
import { leafHash, rootHash } from "./merkle.ts";
import { proveEntry, verifyEntryProof } from "./proof.ts";

const ENTRIES = Array.from({ length: 7 }, (_, at) =>
  encodeEntry({
    version: 1,
    tenant: "acme",
    at: entryTime(at),
    actor: { id: "system", kind: "system" },
    action: "rollout.advance",
    subject: { type: "rollout", id: `r-${at}` },
    outcome: "accepted",
    details: {},
  }),
);
const LEAVES = ENTRIES.map((entry) => leafHash(entry));
const HEAD = { size: LEAVES.length, rootHash: rootHash(LEAVES).toString("hex") };

describe("an entry's proof", () => {
  test("leads from every entry to the head, and from no other entry", () => {
    for (const [position, entry] of ENTRIES.entries()) {
      const proof = proveEntry({ position, entry, leafHashes: LEAVES });
      expect(verifyEntryProof(proof, HEAD)).toEqual({ ok: true });
      expect(verifyEntryProof({ ...proof, entry: proof.entry.replace("r-", "s-") }, HEAD).ok).toBe(false);
      expect(verifyEntryProof({ ...proof, position: (position + 1) % 7 }, HEAD).ok).toBe(false);
      expect(verifyEntryProof(proof, { ...HEAD, rootHash: "0".repeat(64) }).ok).toBe(false);
    }
  });

  test("is refused when it is malformed", () => {
    const proof = proveEntry({ position: 0, entry: ENTRIES[0] ?? Buffer.alloc(0), leafHashes: LEAVES });
    expect(verifyEntryProof({ ...proof, proof: ["zz"] }, HEAD)).toMatchObject({
      reason: expect.stringContaining("64 hex"),
    });
    expect(verifyEntryProof({ ...proof, entry: "{}" }, HEAD).ok).toBe(false);
    expect(verifyEntryProof(proof, { ...HEAD, rootHash: HEAD.rootHash.toUpperCase() }).ok).toBe(false);
  });
});
