/**
 * What a container registry holds about an image: the image's manifest, proved by its digest, and every signature that
 * somebody attached to it. Nothing here judges a signature; whoever verifies it is told only where it lay.
 */
export interface Images {
  /**
   * Reads the manifest of `registry/repository@sha256:<64 hex>` and all signatures of it.
   * Errors: `image-malformed` (no such reference), `registry-not-allowed` (the operator does not let the program speak
   * to it, or its address is a private one), `image-not-found` (also when the registry lets nobody see it),
   * `registry-refused` (credentials do not suffice), `registry-malformed` (an answer that is none, or whose bytes have
   * another digest), `registry-too-large`, `registry-unreachable` (retryable).
   */
  read(reference: string): Promise<SignedImage>;
}

export interface SignedImage {
  /** `sha256:...` of the manifest's bytes as they came, which is the one that was asked for. */
  digest: string;
  /** In the order of the registry, oldest form first; empty for an image that nobody signed. */
  signatures: readonly ImageSignature[];
}

export type ImageSignature = SimpleSigningSignature | BundleSignature;

/** cosign's older form: a layer of the image that is tagged `sha256-<hex>.sig`. */
export interface SimpleSigningSignature {
  form: "simple-signing";
  /** The bytes that were signed: JSON that names the image's digest. They match the digest of their layer. */
  payload: Uint8Array;
  /** As the annotation has it: base64. */
  signature: string;
  /** PEM, of a keyless signature. */
  certificate?: string;
  /** PEM, from the certificate's issuer up. */
  chain?: string;
  /** JSON of the transparency log's promise, in Rekor's older form. */
  rekorBundle?: string;
}

/** cosign's newer form: a Sigstore bundle that refers to the image. */
export interface BundleSignature {
  form: "bundle";
  /** JSON text in UTF-8. */
  bundle: Uint8Array;
}

export type ImageErrorCode =
  | "image-malformed"
  | "image-not-found"
  | "registry-not-allowed"
  | "registry-refused"
  | "registry-malformed"
  | "registry-too-large"
  | "registry-unreachable";
