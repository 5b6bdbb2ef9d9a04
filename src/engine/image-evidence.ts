import { ContinuumError } from "../core/error.ts";
import type { SignedImage } from "../drivers/images/images.ts";
import type { Queryable } from "../store/database.ts";
import type { EngineParts } from "./engine.ts";
import { loadTrust } from "./trust.ts";

export type RegistryAnswer = { signed: true } | { signed: false; problem: string };

/** A registry may hold any number of signatures by anybody; verifying them must end. */
const SIGNATURES_MAX = 50;

/**
 * CP-6: asks the image's registry who signed exactly this image. That the registry cannot be reached is no answer and
 * throws, so that it is asked again. Errors: the retryable ones of the images port.
 */
export async function imageSignedInRegistry(
  db: Queryable,
  parts: Pick<EngineParts, "images" | "nowMs" | "signatures">,
  { tenant, image }: { tenant: string; image: string },
): Promise<RegistryAnswer> {
  const read = await readImage(parts.images, image);
  if ("problem" in read) return { signed: false, problem: read.problem };
  const [, named] = image.split("@");
  if (read.digest !== named) return { signed: false, problem: "The registry's image has another digest." };
  if (read.signatures.length === 0) return { signed: false, problem: "Nobody signed the image." };
  const trust = await loadTrust(db, tenant);
  let problem: string | undefined;
  // The newest form and the newest signature lie last.
  for (const signature of read.signatures.slice(-SIGNATURES_MAX).toReversed()) {
    const context = { subjectDigest: read.digest, trust, nowMs: parts.nowMs() };
    const verdict = await parts.signatures.live.verifyImage(signature, context);
    if (verdict.ok) return { signed: true };
    problem ??= verdict.reason;
  }
  return { signed: false, problem: `Of ${read.signatures.length} signatures none counts: ${problem}` };
}

async function readImage(images: EngineParts["images"], reference: string): Promise<SignedImage | { problem: string }> {
  try {
    return await images.read(reference);
  } catch (error) {
    if (error instanceof ContinuumError && !error.retryable) return { problem: error.message };
    throw error;
  }
}
