import { randomBytes } from "node:crypto";
import { admit, DEFAULT_ARTIFACT_BYTES_MAX, notFound } from "../admission.ts";
import type { ArtifactInfo, Artifacts } from "../artifacts.ts";
import { open, readHeader, seal, storeKey } from "../sealed-object.ts";

export interface MemoryArtifactsOptions {
  sizeBytesMax?: number;
  nowMs?: () => number;
}

/** The store for tests and throwaway runs: the same encrypted objects as on disk, under a key that dies with it. */
export class MemoryArtifacts implements Artifacts {
  readonly #key = storeKey(randomBytes(32));
  readonly #sizeBytesMax: number;
  readonly #nowMs: () => number;
  /** Sealed objects by tenant, then by digest. */
  readonly objects = new Map<string, Map<string, Buffer>>();

  constructor(options: MemoryArtifactsOptions = {}) {
    this.#sizeBytesMax = options.sizeBytesMax ?? DEFAULT_ARTIFACT_BYTES_MAX;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  async put(tenant: string, bytes: Uint8Array, expectedDigest?: string): Promise<ArtifactInfo> {
    const digest = await admit(bytes, { sizeBytesMax: this.#sizeBytesMax, expectedDigest });
    const own = this.objects.get(tenant) ?? new Map<string, Buffer>();
    this.objects.set(tenant, own);
    if (!this.#isWhole(tenant, digest)) {
      own.set(
        digest,
        Buffer.concat([...seal(this.#key, { tenant, digest }, { plaintext: bytes, createdAtMs: this.#nowMs() })]),
      );
    }
    return this.#info(tenant, digest) ?? this.#missing(digest);
  }

  async read(tenant: string, digest: string): Promise<Uint8Array> {
    const object = this.objects.get(tenant)?.get(digest) ?? this.#missing(digest);
    return open(this.#key, { tenant, digest }, object);
  }

  async stat(tenant: string, digest: string): Promise<ArtifactInfo | undefined> {
    return this.#info(tenant, digest);
  }

  async list(tenant: string): Promise<ArtifactInfo[]> {
    const digests = [...(this.objects.get(tenant)?.keys() ?? [])].sort();
    return digests.map((digest) => this.#info(tenant, digest) ?? this.#missing(digest));
  }

  async remove(tenant: string, digest: string): Promise<void> {
    this.objects.get(tenant)?.delete(digest);
  }

  #info(tenant: string, digest: string): ArtifactInfo | undefined {
    const object = this.objects.get(tenant)?.get(digest);
    if (object === undefined) return undefined;
    return { digest, encrypted: true, ...readHeader(this.#key, { tenant, digest }, object, object.length) };
  }

  #isWhole(tenant: string, digest: string): boolean {
    const object = this.objects.get(tenant)?.get(digest);
    if (object === undefined) return false;
    try {
      return open(this.#key, { tenant, digest }, object).length >= 0;
    } catch {
      // Whoever brings the very bytes again heals an object that went bad.
      return false;
    }
  }

  #missing(digest: string): never {
    throw notFound(digest);
  }
}
