import { decodeEntry } from "./entry.ts";
import { leafHash } from "./merkle.ts";
import { inclusionProof, verifyInclusion } from "./merkle-proof.ts";

/** What `audit prove` answers for one entry: enough to show, without the log, that the entry stands in it. */
export interface EntryProof {
  /** From 0, in the order of the tree. */
  position: number;
  /** The entry's canonical JSON, exactly as it was hashed. */
  entry: string;
  /** RFC 6962 audit path, nearest sibling first, each 64 hexadecimal digits. */
  proof: string[];
}

/** Builds the proof of one entry against the log over `leafHashes`. Crashes when the position lies outside. */
export function proveEntry(input: {
  position: number;
  entry: Uint8Array;
  leafHashes: readonly Uint8Array[];
}): EntryProof {
  const path = inclusionProof(input.leafHashes, input.position);
  return {
    position: input.position,
    entry: Buffer.from(input.entry).toString("utf8"),
    proof: path.map((hash) => hash.toString("hex")),
  };
}

/** Whether the entry stands at its position in the log with that head. A malformed proof is a refusal, never an error. */
export function verifyEntryProof(
  { position, entry, proof }: EntryProof,
  head: { size: number; rootHash: string },
): { ok: true } | { ok: false; reason: string } {
  const bytes = Buffer.from(entry, "utf8");
  const decoded = decodeEntry(bytes);
  if (!decoded.ok) return { ok: false, reason: `the entry ${decoded.problem.message}` };
  if (![head.rootHash, ...proof].every((hash) => HEX_HASH.test(hash))) {
    return { ok: false, reason: "a hash must be 64 hexadecimal digits in lower case" };
  }
  const holds = verifyInclusion({
    index: position,
    size: head.size,
    leafHash: leafHash(bytes),
    rootHash: Buffer.from(head.rootHash, "hex"),
    path: proof.map((hash) => Buffer.from(hash, "hex")),
  });
  return holds ? { ok: true } : { ok: false, reason: "the path does not lead from this entry to the head's root" };
}

const HEX_HASH = /^[0-9a-f]{64}$/;
