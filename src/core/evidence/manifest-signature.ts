import { createHash } from "node:crypto";
import { decodeBase64 } from "./base64.ts";
import { readBundle } from "./bundle.ts";
import { findSigner } from "./find-signer.ts";
import { COSIGN_SIGN_TYPE } from "./image-signature.ts";
import { type Proof, type Refusal, refusal, type TrustInput } from "./trust.ts";
import { verifyMessage, verifyTrusted } from "./verify-trusted.ts";

/** A manifest's signature as `cosign sign-blob` writes it: a bundle, or before version 3 the bare base64 of it. */
export type ManifestSignature = { kind: "bundle"; json: string | Uint8Array } | { kind: "bare"; base64: string };

export interface ManifestProof extends Proof {
  /** `sha256:...` of the manifest's bytes. */
  manifestDigest: string;
}

/**
 * CP-8 and P2: whether someone trusted for `manifest` signed exactly these bytes: a stored canonical plan, or a model
 * manifest. The bytes are given whole, and the digest is taken here; what a bundle says of it must agree.
 */
export function verifyManifestSignature(
  signature: ManifestSignature,
  required: TrustInput & { manifest: Uint8Array },
): ({ ok: true } & ManifestProof) | Refusal {
  const { manifest, ...trust } = required;
  const manifestDigest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;
  const found = findManifestSigner(signature, { ...trust, manifest, manifestDigest });
  if (!found.ok) return found;
  const { signer, keyId, provenAtMs } = found;
  return { ok: true, signer, keyId, provenAtMs, manifestDigest };
}

function findManifestSigner(
  signature: ManifestSignature,
  { manifest, manifestDigest, ...trust }: TrustInput & { manifest: Uint8Array; manifestDigest: string },
): ({ ok: true } & Proof) | Refusal {
  const question = { ...trust, purpose: "manifest" };
  if (signature.kind === "bare") return verifyBare(signature.base64, { ...question, message: manifest });
  const bundle = readBundle(signature.json);
  if (bundle.ok && bundle.value.kind === "dsse")
    return verifyTrusted(signature.json, {
      ...question,
      predicateType: COSIGN_SIGN_TYPE,
      subjectDigest: manifestDigest,
    });
  return verifyMessage(signature.json, { ...question, message: manifest });
}

/** A signature without anything around it; it can only be a key's, and white space at its end is a file's. */
function verifyBare(
  base64: string,
  { message, ...question }: TrustInput & { purpose: string; message: Uint8Array },
): ({ ok: true } & Proof) | Refusal {
  const signature = base64.length > BARE_CHARACTERS_MAX ? null : decodeBase64(base64.trimEnd());
  if (signature === null || signature.length === 0)
    return refusal("malformed-bundle", "the signature must be one run of standard base64 with its padding");
  return findSigner({ bytes: message, message, signature }, question);
}

const BARE_CHARACTERS_MAX = 8192;
