import { ContinuumError } from "../../../core/error.ts";
import type { KeylessVerifier, TrustInput } from "../../../core/evidence/trust.ts";
import { readTrustedRoot } from "../../../core/evidence/trusted-root.ts";
import type { EvidenceContext } from "../signatures.ts";

/** The pinned root itself is no trusted root: no signature with a certificate can be judged. */
export type LocalSignaturesErrorCode = "bad-trusted-root";

/** Whom a verifier may trust. The judge of certificates comes with it only where there is a certificate to judge. */
export async function trustInput(
  { trust, nowMs, acceptedAtMs }: Pick<EvidenceContext, "trust" | "nowMs" | "acceptedAtMs">,
  { certified }: { certified: boolean },
): Promise<TrustInput & { nowMs: number }> {
  return {
    signers: trust.signers,
    nowMs,
    ...(acceptedAtMs === undefined ? {} : { acceptedAtMs }),
    ...(certified && trust.trustedRoot !== null ? { keyless: await keylessJudge(trust.trustedRoot) } : {}),
  };
}

/** Roots change seldom, and reading one takes longer than using it. */
const KEPT_MAX = 16;
const kept = new Map<string, KeylessVerifier>();

/**
 * The judge of certificates for a pinned root. Sigstore's libraries are loaded by the first that asks.
 * Errors: `bad-trusted-root`.
 */
export async function keylessJudge(trustedRoot: string): Promise<KeylessVerifier> {
  const known = kept.get(trustedRoot);
  if (known !== undefined) return known;
  const root = readTrustedRoot(trustedRoot);
  if (!root.ok) {
    const { path, message } = root.problem;
    const text = `the trusted root cannot be read: ${path} ${message}`;
    throw new ContinuumError<LocalSignaturesErrorCode>("bad-trusted-root", text);
  }
  const { keylessVerifier } = await import("../../../core/evidence/keyless.ts");
  const judge = keylessVerifier(root.value);
  const [oldest] = kept.keys();
  if (kept.size >= KEPT_MAX && oldest !== undefined) kept.delete(oldest);
  kept.set(trustedRoot, judge);
  return judge;
}
