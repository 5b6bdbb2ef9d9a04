import { readBundle } from "../../../core/evidence/bundle.ts";
import { type ImageSignature, verifyImageSignature } from "../../../core/evidence/image-signature.ts";
import { legacySignature } from "../../../core/evidence/legacy-signature.ts";
import { refusal } from "../../../core/evidence/trust.ts";
import type { AttachedSignature, EvidenceContext, EvidenceVerdict } from "../signatures.ts";
import { trustInput } from "./trust-input.ts";

/**
 * CP-6 for a signature that lies in a registry. A certificate's signature has an age that a log proves, and must be
 * young enough; of a key's signature in a registry nobody knows when it came there, so only the key's own end limits it.
 */
export async function verifyRegistrySignature(
  attached: AttachedSignature,
  context: EvidenceContext,
): Promise<EvidenceVerdict> {
  const read = readAttached(attached);
  if (!read.ok)
    return refusal("malformed-bundle", `the signature cannot be read: ${read.problem.path} ${read.problem.message}`);
  const signature = read.value;
  const certified = isCertified(signature);
  const input = await trustInput(context, { certified });
  const limit = certified ? { maxAgeMs: context.trust.maxAgeMs["image-signature"] } : {};
  const verdict = verifyImageSignature(signature, { ...input, ...limit, imageDigest: context.subjectDigest });
  if (!verdict.ok) return verdict;
  const { keyId, provenAtMs } = verdict;
  return { ok: true, kind: "image-signature", keyId, provenAtMs, simulated: false };
}

/** The older form's certificate and log entry are put together to what they would be in the newer one. */
function readAttached(attached: AttachedSignature): ReturnType<typeof legacySignature> {
  if (attached.form === "bundle") return { ok: true, value: { kind: "bundle", json: attached.bundle } };
  const { payload, signature, certificate, rekorBundle } = attached;
  return legacySignature(payload, {
    "dev.cosignproject.cosign/signature": signature,
    ...(certificate === undefined ? {} : { "dev.sigstore.cosign/certificate": certificate }),
    ...(rekorBundle === undefined ? {} : { "dev.sigstore.cosign/bundle": rekorBundle }),
  });
}

function isCertified(signature: ImageSignature): boolean {
  if (signature.kind === "simple-signing") return signature.certified !== undefined;
  const bundle = readBundle(signature.json);
  return bundle.ok && bundle.value.certified !== null;
}
