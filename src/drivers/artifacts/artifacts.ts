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

/** A store on a medium that outlives its key. */
export interface RekeyableArtifacts extends Artifacts {
  /**
   * Seals anew, with the present key, what the previous one sealed. Each object is at every moment whole under one of
   * both, so a call that broke off is simply made again, while others read and write.
   */
  rekey(tenant: string, signal?: AbortSignal): Promise<Rekeyed>;
  /** Objects in folders that are none of these tenants' under the present key: nobody can read them without another. */
  countForeign(tenants: readonly string[]): Promise<number>;
}

/** What became of one tenant's objects that another key had sealed. */
export interface Rekeyed {
  /** Now under the present key alone. */
  moved: number;
  /** Digests of objects that cannot be opened; they were left as they are. */
  damaged: string[];
}

export interface ArtifactInfo {
  digest: string;
  sizeBytes: number;
  /** Always true of this store; read from the object itself, never assumed. */
  encrypted: boolean;
  createdAtMs: number;
}

export type ArtifactErrorCode = "not-found" | "corrupt" | "too-large" | "digest-mismatch" | "store-failed";
