import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { ContinuumError } from "../../core/error.ts";
import type { ArtifactErrorCode } from "./artifacts.ts";
import { PIECE_BYTES } from "./sealed-object.ts";

/** The largest artifact that is taken when nothing else is set: 512 MiB. */
export const DEFAULT_ARTIFACT_BYTES_MAX = 512 * 1024 * 1024;

/** The digest under which the bytes are to be stored. Errors: `too-large`, `digest-mismatch`. */
export async function admit(
  bytes: Uint8Array,
  rules: { sizeBytesMax: number; expectedDigest: string | undefined },
): Promise<string> {
  if (bytes.length > rules.sizeBytesMax) {
    throw new ContinuumError<ArtifactErrorCode>(
      "too-large",
      `the artifact has ${bytes.length} bytes; at most ${rules.sizeBytesMax} are stored`,
    );
  }
  const digest = await digestOf(bytes);
  if (rules.expectedDigest !== undefined && rules.expectedDigest !== digest) {
    throw new ContinuumError<ArtifactErrorCode>(
      "digest-mismatch",
      `the bytes have the digest ${digest}, not the expected ${rules.expectedDigest}`,
    );
  }
  return digest;
}

/** Whether the text names an artifact at all; nothing else may become part of a path. */
export function isDigest(digest: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(digest);
}

export function notFound(digest: string): ContinuumError<ArtifactErrorCode> {
  return new ContinuumError<ArtifactErrorCode>(
    "not-found",
    `there is no artifact ${isDigest(digest) ? digest : "of that name"}`,
  );
}

async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    hash.update(bytes.subarray(at, at + PIECE_BYTES));
    // Others get their turn between two pieces; a store beside an API must not hold it up for a second.
    await setImmediate();
  }
  return `sha256:${hash.digest("hex")}`;
}
