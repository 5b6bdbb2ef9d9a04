/**
 * The encrypted, content-addressed store of model artifacts (AO-14). An artifact's name is the SHA-256 of its
 * plaintext, `sha256:<64 hex>`; what lies on the medium is ciphertext. Tenants do not see each other's artifacts,
 * and the same bytes imported by two tenants are two objects.
 */
export interface Artifacts {
  /** Stores the bytes and answers their digest; storing them again changes nothing. Errors: `too-large`, `digest-mismatch`, `store-failed`. */
  put(tenant: string, bytes: Uint8Array, expectedDigest?: string): Promise<ArtifactInfo>;
  /** Plaintext bytes, authenticated and re-hashed. Errors: `not-found`, `corrupt`. */
  read(tenant: string, digest: string): Promise<Uint8Array>;
  /** What is known without reading the content; undefined when the tenant has no such artifact. */
  stat(tenant: string, digest: string): Promise<ArtifactInfo | undefined>;
  list(tenant: string): Promise<ArtifactInfo[]>;
  remove(tenant: string, digest: string): Promise<void>;
}

export interface ArtifactInfo {
  digest: string;
  sizeBytes: number;
  /** Always true of this store; read from the object itself, never assumed. */
  encrypted: boolean;
  createdAtMs: number;
}

export type ArtifactErrorCode = "not-found" | "corrupt" | "too-large" | "digest-mismatch" | "store-failed";
