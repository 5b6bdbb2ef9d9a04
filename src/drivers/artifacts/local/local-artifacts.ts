import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open as openFile, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ContinuumError } from "../../../core/error.ts";
import { admit, DEFAULT_ARTIFACT_BYTES_MAX, isDigest, notFound } from "../admission.ts";
import type { ArtifactErrorCode, ArtifactInfo, Artifacts } from "../artifacts.ts";
import {
  HEADER_BYTES,
  type ObjectName,
  opener,
  PIECE_BYTES,
  readHeader,
  type StoreKey,
  seal,
  storeKey,
  TAG_BYTES,
  tenantFolder,
} from "../sealed-object.ts";

export interface LocalArtifactsOptions {
  /** The folder of the store; made when it is not there. */
  root: string;
  /** The store key, as it was read from the secrets: 32 bytes, or 64 hexadecimal digits. */
  key: Uint8Array;
  /** Default 512 MiB. */
  sizeBytesMax?: number;
  nowMs?: () => number;
}

/**
 * The encrypted store on one host's disk: `<root>/<HMAC of the tenant>/<digest>`, folders 0700, files 0600. A file
 * appears whole or not at all: it is written beside its place, synced, and renamed.
 * Errors: `store-failed` for a key that is none, and for every failure of the disk.
 */
export async function openLocalArtifacts(options: LocalArtifactsOptions): Promise<Artifacts> {
  const key = storeKey(options.key);
  await onDisk(() => mkdir(options.root, { recursive: true, mode: 0o700 }));
  return new LocalArtifacts(key, options);
}

/** How long a file half written is left alone before it counts as one that a crash left behind. */
const LEFTOVER_MS = 60 * 60 * 1000;
const PART = ".part";

class LocalArtifacts implements Artifacts {
  readonly #key: StoreKey;
  readonly #root: string;
  readonly #sizeBytesMax: number;
  readonly #nowMs: () => number;

  constructor(key: StoreKey, options: LocalArtifactsOptions) {
    this.#key = key;
    this.#root = options.root;
    this.#sizeBytesMax = options.sizeBytesMax ?? DEFAULT_ARTIFACT_BYTES_MAX;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  async put(tenant: string, bytes: Uint8Array, expectedDigest?: string): Promise<ArtifactInfo> {
    const digest = await admit(bytes, { sizeBytesMax: this.#sizeBytesMax, expectedDigest });
    if (!(await this.#isWhole(tenant, digest))) {
      const sealed = seal(this.#key, { tenant, digest }, { plaintext: bytes, createdAtMs: this.#nowMs() });
      await onDisk(() => this.#write(tenant, digest, sealed));
    }
    const info = await this.stat(tenant, digest);
    if (info === undefined) throw notFound(digest);
    return info;
  }

  async read(tenant: string, digest: string): Promise<Uint8Array> {
    if (!isDigest(digest)) throw notFound(digest);
    const file = await onDisk(() => unlessMissing(openFile(this.#path(tenant, digest), "r")));
    if (file === undefined) throw notFound(digest);
    try {
      return await readObject(this.#key, { tenant, digest }, file);
    } finally {
      await file.close();
    }
  }

  async stat(tenant: string, digest: string): Promise<ArtifactInfo | undefined> {
    if (!isDigest(digest)) return undefined;
    const found = await onDisk(() => unlessMissing(firstBytes(this.#path(tenant, digest))));
    if (found === undefined) return undefined;
    // Only an authentic header of an encrypted object gets this far; anything else is `corrupt`.
    return { digest, encrypted: true, ...readHeader(this.#key, { tenant, digest }, found.bytes, found.fileBytes) };
  }

  async list(tenant: string): Promise<ArtifactInfo[]> {
    const names = (await onDisk(() => unlessMissing(readdir(this.#folder(tenant))))) ?? [];
    const infos: ArtifactInfo[] = [];
    for (const name of names.sort()) {
      const info = name.endsWith(PART) ? undefined : await this.stat(tenant, `sha256:${name}`);
      if (info !== undefined) infos.push(info);
    }
    return infos;
  }

  async remove(tenant: string, digest: string): Promise<void> {
    if (isDigest(digest)) await onDisk(() => rm(this.#path(tenant, digest), { force: true }));
  }

  /** Whether the object is there and can be read; a bad one is written anew by whoever brings the very bytes again. */
  async #isWhole(tenant: string, digest: string): Promise<boolean> {
    try {
      await this.read(tenant, digest);
      return true;
    } catch (error) {
      if (error instanceof ContinuumError && (error.code === "not-found" || error.code === "corrupt")) return false;
      throw error;
    }
  }

  async #write(tenant: string, digest: string, sealed: Iterable<Buffer>): Promise<void> {
    const folder = this.#folder(tenant);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#sweep(folder);
    const part = join(folder, `${randomUUID()}${PART}`);
    try {
      const file = await openFile(part, "wx", 0o600);
      try {
        for (const piece of sealed) await file.writeFile(piece);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, this.#path(tenant, digest));
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
    await syncFolder(folder);
  }

  /** Takes away what a crash left half written. */
  async #sweep(folder: string): Promise<void> {
    for (const name of await readdir(folder)) {
      if (!name.endsWith(PART)) continue;
      const found = await unlessMissing(stat(join(folder, name)));
      if (found !== undefined && Date.now() - found.mtimeMs > LEFTOVER_MS)
        await rm(join(folder, name), { force: true });
    }
  }

  #folder(tenant: string): string {
    return join(this.#root, tenantFolder(this.#key, tenant));
  }

  #path(tenant: string, digest: string): string {
    return join(this.#folder(tenant), digest.slice("sha256:".length));
  }
}

/** Decrypts piece by piece into the one buffer that is answered, and answers it only when all of it was authentic. */
async function readObject(key: StoreKey, name: ObjectName, file: FileHandle): Promise<Buffer> {
  const first = await onDisk(() => readFirst(file));
  const { sizeBytes } = readHeader(key, name, first.bytes, first.fileBytes);
  const content = opener(key, name, first.bytes);
  const plaintext = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    const bytes = Math.min(PIECE_BYTES, sizeBytes - at);
    const piece = await onDisk(() => readAt(file, { position: HEADER_BYTES + at, bytes }));
    plaintext.set(content.update(piece), at);
  }
  content.finish(await onDisk(() => readAt(file, { position: HEADER_BYTES + sizeBytes, bytes: TAG_BYTES })));
  return plaintext;
}

async function firstBytes(path: string): Promise<FirstBytes> {
  const file = await openFile(path, "r");
  try {
    return await readFirst(file);
  } finally {
    await file.close();
  }
}

interface FirstBytes {
  /** As many as a header has, or as the file has. */
  bytes: Buffer;
  fileBytes: number;
}

async function readFirst(file: FileHandle): Promise<FirstBytes> {
  const { size } = await file.stat();
  return { bytes: await readAt(file, { position: 0, bytes: Math.min(HEADER_BYTES, size) }), fileBytes: size };
}

/** Exactly that many bytes, or zeros where the file ends early, which no authentication lets pass. */
async function readAt(file: FileHandle, range: { position: number; bytes: number }): Promise<Buffer> {
  const buffer = Buffer.alloc(range.bytes);
  for (let filled = 0; filled < range.bytes; ) {
    const { bytesRead } = await file.read(buffer, filled, range.bytes - filled, range.position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer;
}

/** Makes a rename survive a power cut. Windows has no way to sync a folder, and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await openFile(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    // The system's message holds paths of the host; its code says enough.
    const code = codeOf(cause) ?? "unknown";
    throw new ContinuumError<ArtifactErrorCode>("store-failed", `the artifact store's disk failed: ${code}`, {
      cause,
      retryable: true,
      details: { code },
    });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
