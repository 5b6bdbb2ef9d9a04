import { z } from "zod";
import { decodeBase64 } from "./base64.ts";
import type { CertifiedBundle } from "./bundle.ts";
import { findSigner } from "./find-signer.ts";
import { firstProblem } from "./first-problem.ts";
import { type Proof, type Refusal, refusal, type TrustInput } from "./trust.ts";
import { parseUtf8Json } from "./utf8-json.ts";
import { verifyTrusted } from "./verify-trusted.ts";

/**
 * Signatures of container images as cosign makes them: since version 3 a bundle around a statement, before that a small
 * JSON payload ("simple signing") with its signature beside it. Sources: cosign `specs/SIGNATURE_SPEC.md`,
 * containers/image `docs/containers-signature.5.md`.
 */

/** The predicate type of a statement that says no more than: this was signed. */
export const COSIGN_SIGN_TYPE = "https://sigstore.dev/cosign/sign/v1";

export type ImageSignature =
  | { kind: "bundle"; json: string | Uint8Array }
  | {
      kind: "simple-signing";
      /** The layer's bytes exactly as the registry holds them. */
      payload: Uint8Array;
      /** The layer's annotation `dev.cosignproject.cosign/signature`: base64. */
      signature: string;
      /** Where a certificate signed; `legacySignature` builds it from the layer's annotations. */
      certified?: CertifiedBundle;
    };

export interface ImageProof extends Proof {
  /** Where the signer said that the image lies; null in a bundle. Only the digest was compared. */
  reference: string | null;
}

/**
 * CP-6: whether someone trusted for `image` signed exactly the image with this digest. A tag is never compared: it can
 * be moved after the signature.
 */
export function verifyImageSignature(
  signature: ImageSignature,
  required: TrustInput & { imageDigest: string },
): ({ ok: true } & ImageProof) | Refusal {
  const { imageDigest, ...trust } = required;
  if (signature.kind === "simple-signing") return verifySimpleSigning(signature, required);
  const question = { ...trust, purpose: "image", predicateType: COSIGN_SIGN_TYPE, subjectDigest: imageDigest };
  const verdict = verifyTrusted(signature.json, question);
  if (!verdict.ok) return verdict;
  const { signer, keyId, provenAtMs } = verdict;
  return { ok: true, signer, keyId, provenAtMs, reference: null };
}

function verifySimpleSigning(
  { payload, signature, certified }: Extract<ImageSignature, { kind: "simple-signing" }>,
  { imageDigest, ...trust }: TrustInput & { imageDigest: string },
): ({ ok: true } & ImageProof) | Refusal {
  if (payload.length > PAYLOAD_BYTES_MAX)
    return refusal("malformed-bundle", `a signed payload has at most ${PAYLOAD_BYTES_MAX} bytes`);
  const bytes = decodeBase64(signature);
  if (bytes === null) return refusal("malformed-bundle", "the signature must be standard base64 with its padding");
  const signed = { bytes: payload, message: payload, signature: bytes, certified: certified ?? null };
  const found = findSigner(signed, { ...trust, purpose: "image" });
  if (!found.ok) return found;
  const parsed = simpleSigningSchema.safeParse(parseUtf8Json(payload, PAYLOAD_BYTES_MAX));
  if (!parsed.success) {
    const { path, message } = firstProblem(parsed.error);
    return refusal("malformed-statement", `the signed payload is no image signature of cosign: ${path} ${message}`);
  }
  const { identity, image } = parsed.data.critical;
  if (image["docker-manifest-digest"] !== imageDigest)
    return refusal("wrong-subject", `the signature is not about ${imageDigest}`);
  return { ...found, reference: identity["docker-reference"] };
}

const PAYLOAD_BYTES_MAX = 64 * 1024;

const simpleSigningSchema = z.strictObject({
  critical: z.strictObject({
    identity: z.strictObject({ "docker-reference": z.string().max(4096) }),
    image: z.strictObject({ "docker-manifest-digest": z.string().max(256) }),
    type: z.literal("cosign container image signature"),
  }),
  /** Remarks of the signer's: a time or a name here is its writer's word and counts for nothing. */
  optional: z.record(z.string().max(256), z.unknown()).nullish(),
});
