import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../core/audit/checkpoint.ts";
import { checkpointSigner } from "../../core/audit/checkpoint-signer.ts";
import { leafHash, rootHash } from "../../core/audit/merkle.ts";
import { consistencyProof } from "../../core/audit/merkle-proof.ts";
import type { VerifierKey } from "../../core/audit/verifier-key.ts";
import type { Archive, CheckpointSubmission } from "./archive.ts";

export const ARCHIVE_SIGNER = checkpointSigner({ current: Buffer.alloc(32, 7) });

const leaves = (count: number, story = "true") =>
  Array.from({ length: count }, (_, at) => leafHash(Buffer.from(`${story} ${at}`)));

/** A checkpoint of a log that tells this story. */
export function submissionOf(
  origin: string,
  size: number,
  { lastSize = 0, story = "true" }: { lastSize?: number; story?: string } = {},
): CheckpointSubmission {
  const log = leaves(size, story);
  const note = Buffer.from(ARCHIVE_SIGNER.sign({ origin, size, rootHash: rootHash(log).toString("hex") }));
  return { origin, size, note, lastSize, prove: async (earlier) => consistencyProof(log, earlier) };
}

let logs = 0;

/** Of a log that no other test uses. */
export function newOrigin(): string {
  logs += 1;
  return `continuum/0123456789abcdef/log-${logs}`;
}

/** What every archive promises. `witnessKeys` are those whose signatures it brings back. */
export function archiveConformance(
  name: string,
  make: () => Promise<{ archive: Archive; witnessKeys: readonly VerifierKey[]; close(): Promise<void> }>,
): void {
  describe(`the archive ${name}`, () => {
    let on: Awaited<ReturnType<typeof make>>;
    beforeAll(async () => {
      on = await make();
    });
    afterAll(() => on.close());

    test("takes a log as it grows, and the same checkpoint twice", async () => {
      const origin = newOrigin();
      const first = submissionOf(origin, 3);
      for (const submission of [first, first, submissionOf(origin, 300, { lastSize: 3 })]) {
        const { cosignatures } = await on.archive.publish(submission);
        const note = Buffer.concat([submission.note, Buffer.from(cosignatures.map((line) => `${line}\n`).join(""))]);
        const opened = openCheckpoint(note, [...ARCHIVE_SIGNER.keys(origin), ...on.witnessKeys]);
        expect(opened).toMatchObject({ ok: true, value: { unknown: 0 } });
        if (opened.ok) expect(opened.value.witnessedBy).toHaveLength(on.witnessKeys.length);
      }
    });

    test("refuses another story of the same log", async () => {
      const origin = newOrigin();
      await on.archive.publish(submissionOf(origin, 5));
      const other = on.archive.publish(submissionOf(origin, 5, { story: "false", lastSize: 5 }));
      await expect(other).rejects.toMatchObject({ code: "archive-conflict", retryable: false });
    });

    test("answers what it keeps, smallest first", async () => {
      const origin = newOrigin();
      expect(await on.archive.newest(origin)).toBeUndefined();
      const sizes = [2, 9, 10, 1000];
      for (const [at, size] of sizes.entries())
        await on.archive.publish(submissionOf(origin, size, { lastSize: sizes[at - 1] ?? 0 }));
      const kept = await Array.fromAsync(on.archive.kept(origin));
      if (!on.archive.keepsAll) return expect(kept).toEqual([]);
      expect(kept.map(({ size }) => size)).toEqual(sizes);
      for (const { note } of kept) expect(openCheckpoint(note, ARCHIVE_SIGNER.keys(origin)).ok).toBe(true);
      expect((await on.archive.newest(origin))?.size).toBe(1000);
    });
  });
}
