import { readBundle } from "../../../core/evidence/bundle.ts";
import { type ImageSignature, verifyImageSignature } from "../../../core/evidence/image-signature.ts";
import { refusal } from "../../../core/evidence/trust.ts";
import type { ImageSignature as AttachedSignature } from "../../images/images.ts";
import type { EvidenceContext, EvidenceVerdict } from "../signatures.ts";
import { trustInput } from "./trust-input.ts";

/**
 * CP-6 for a signature that lies in a registry. A certificate's signature has an age that a log proves, and must be
 * young enough; of a key's signature in a registry nobody knows when it came there, so only the key's own end limits it.
 */
export async function verifyRegistrySignature(
  attached: AttachedSignature,
  context: EvidenceContext,
): Promise<EvidenceVerdict> {
  const signature = signatureOf(attached);
  if (signature === undefined)
    return refusal(
      "not-available",
      "signatures with a certificate are read as bundles, and this one is in the older form",
    );
  const read = signature.kind === "bundle" ? readBundle(signature.json) : undefined;
  const certified = read?.ok === true && read.value.certified !== null;
  const input = await trustInput(context, { certified });
  const limit = certified ? { maxAgeMs: context.trust.maxAgeMs["image-signature"] } : {};
  const verdict = verifyImageSignature(signature, { ...input, ...limit, imageDigest: context.subjectDigest });
  if (!verdict.ok) return verdict;
  const { keyId, provenAtMs } = verdict;
  return { ok: true, kind: "image-signature", keyId, provenAtMs, simulated: false };
}

function signatureOf(attached: AttachedSignature): ImageSignature | undefined {
  if (attached.form === "bundle") return { kind: "bundle", json: attached.bundle };
  const { payload, signature, certificate } = attached;
  return certificate === undefined ? { kind: "simple-signing", payload, signature } : undefined;
}
