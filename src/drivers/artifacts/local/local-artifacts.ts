import { mkdir, open as openFile, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { ContinuumError } from "../../../core/error.ts";
import { admit, DEFAULT_ARTIFACT_BYTES_MAX, isDigest, notFound } from "../admission.ts";
import type { ArtifactErrorCode, ArtifactInfo, RekeyableArtifacts, Rekeyed } from "../artifacts.ts";
import { readHeader, type StoreKey, seal, statedKeyId, storeKey, tenantFolder } from "../sealed-object.ts";
import {
  codeOf,
  firstBytes,
  headerOf,
  onDisk,
  openedPieces,
  PART,
  resealedPieces,
  sweepParts,
  syncFolder,
  unlessMissing,
  writeObject,
} from "./object-file.ts";

export interface LocalArtifactsOptions {
  /** The folder of the store; made when it is not there. */
  root: string;
  /** The store key, as it was read from the secrets: 32 bytes, or 64 hexadecimal digits. */
  key: Uint8Array;
  /** The key before it: what it sealed is still read, and nothing more is sealed with it. */
  previousKey?: Uint8Array;
  /** Default 512 MiB. */
  sizeBytesMax?: number;
  nowMs?: () => number;
}

/**
 * The encrypted store on one host's disk: `<root>/<HMAC of the tenant>/<digest>`, folders 0700, files 0600. A file
 * appears whole or not at all.
 * Errors: `store-failed` for a key that is none, and for every failure of the disk.
 */
export async function openLocalArtifacts(options: LocalArtifactsOptions): Promise<RekeyableArtifacts> {
  const key = storeKey(options.key);
  const previous = options.previousKey === undefined ? undefined : storeKey(options.previousKey);
  await onDisk(() => mkdir(options.root, { recursive: true, mode: 0o700 }));
  // The same key twice is one key, and nothing is to be moved.
  const isOther = previous !== undefined && !previous.id.equals(key.id);
  return new LocalArtifacts({ key, ...(isOther ? { previous } : {}) }, options);
}

const FOLDER_NAME = /^[0-9a-f]{64}$/;

/**
 * Refuses keys that cannot be this store's: there are objects, and the first of no folder was sealed with one of them.
 * Errors: `store-failed`.
 */
export async function requireOwnKeys(root: string, keys: readonly Uint8Array[]): Promise<void> {
  const known = keys.map((key) => storeKey(key).id);
  let seen = 0;
  for (const folder of await onDisk(() => hexNames(root))) {
    const [name] = await onDisk(() => hexNames(join(root, folder)));
    const found =
      name === undefined ? undefined : await onDisk(() => unlessMissing(firstBytes(join(root, folder, name))));
    const id = found === undefined ? undefined : statedKeyId(found.bytes);
    if (id === undefined) continue;
    if (known.some((one) => one.equals(id))) return;
    seen += 1;
  }
  if (seen === 0) return;
  throw new ContinuumError<ArtifactErrorCode>(
    "store-failed",
    `the artifact store in ${root} was encrypted with another key than artifacts.keyReference names: name the right one there, or in artifacts.previousKeyReference until \`continuum artifact rekey\` was run; without it, move that folder away`,
  );
}

class LocalArtifacts implements RekeyableArtifacts {
  readonly #key: StoreKey;
  readonly #previous: StoreKey | undefined;
  readonly #root: string;
  readonly #sizeBytesMax: number;
  readonly #nowMs: () => number;

  constructor(keys: { key: StoreKey; previous?: StoreKey }, options: LocalArtifactsOptions) {
    this.#key = keys.key;
    this.#previous = keys.previous;
    this.#root = options.root;
    this.#sizeBytesMax = options.sizeBytesMax ?? DEFAULT_ARTIFACT_BYTES_MAX;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  async put(tenant: string, bytes: Uint8Array, expectedDigest?: string): Promise<ArtifactInfo> {
    const digest = await admit(bytes, { sizeBytesMax: this.#sizeBytesMax, expectedDigest });
    if (!(await this.#isWhole(tenant, digest))) {
      const sealed = seal(this.#key, { tenant, digest }, { plaintext: bytes, createdAtMs: this.#nowMs() });
      await onDisk(() => writeObject(this.#folder(this.#key, tenant), fileName(digest), sealed));
    }
    const info = await this.stat(tenant, digest);
    if (info === undefined) throw notFound(digest);
    return info;
  }

  async read(tenant: string, digest: string): Promise<Uint8Array> {
    if (!isDigest(digest)) throw notFound(digest);
    const bytes = await this.#underAny((key) => this.#readUnder(key, tenant, digest));
    if (bytes === undefined) throw notFound(digest);
    return bytes;
  }

  async stat(tenant: string, digest: string): Promise<ArtifactInfo | undefined> {
    if (!isDigest(digest)) return undefined;
    return this.#underAny(async (key) => {
      const found = await onDisk(() => unlessMissing(firstBytes(this.#path(key, tenant, digest))));
      if (found === undefined) return undefined;
      // Only an authentic header of an encrypted object gets this far; anything else is `corrupt`.
      return { digest, encrypted: true, ...readHeader(key, { tenant, digest }, found.bytes, found.fileBytes) };
    });
  }

  async list(tenant: string): Promise<ArtifactInfo[]> {
    const names = new Set(await this.#names(this.#key, tenant));
    if (this.#previous !== undefined) for (const name of await this.#names(this.#previous, tenant)) names.add(name);
    const infos: ArtifactInfo[] = [];
    for (const name of [...names].sort()) {
      const info = await this.stat(tenant, `sha256:${name}`);
      if (info !== undefined) infos.push(info);
    }
    return infos;
  }

  async remove(tenant: string, digest: string): Promise<void> {
    if (!isDigest(digest)) return;
    for (const key of this.#keys()) await onDisk(() => rm(this.#path(key, tenant, digest), { force: true }));
  }

  async rekey(tenant: string, signal?: AbortSignal): Promise<Rekeyed> {
    const rekeyed: Rekeyed = { moved: 0, damaged: [] };
    const from = this.#previous;
    if (from === undefined) return rekeyed;
    for (const name of await this.#names(from, tenant)) {
      signal?.throwIfAborted();
      const digest = `sha256:${name}`;
      if (!isDigest(digest)) continue;
      const outcome = await onDisk(() => this.#move(from, tenant, digest));
      if (outcome === "moved") rekeyed.moved += 1;
      if (outcome === "damaged") rekeyed.damaged.push(digest);
    }
    await onDisk(() => removeEmpty(this.#folder(from, tenant)));
    return rekeyed;
  }

  async countForeign(tenants: readonly string[]): Promise<number> {
    const own = new Set(tenants.map((tenant) => tenantFolder(this.#key, tenant)));
    let count = 0;
    for (const folder of await onDisk(() => hexNames(this.#root)))
      if (!own.has(folder)) count += (await onDisk(() => hexNames(join(this.#root, folder)))).length;
    return count;
  }

  /** The old object goes only when the new one is whole and on the disk. */
  async #move(from: StoreKey, tenant: string, digest: string): Promise<"moved" | "damaged" | "gone"> {
    const path = this.#path(from, tenant, digest);
    if (!(await this.#isWholeUnder(this.#key, tenant, digest))) {
      const file = await unlessMissing(openFile(path, "r"));
      if (file === undefined) return "gone";
      try {
        const pieces = resealedPieces({ from, to: this.#key }, { tenant, digest }, file);
        await writeObject(this.#folder(this.#key, tenant), fileName(digest), pieces);
      } catch (error) {
        if (error instanceof ContinuumError && error.code === "corrupt") return "damaged";
        throw error;
      } finally {
        await file.close();
      }
    }
    await rm(path, { force: true });
    return "moved";
  }

  /** Whether the object is there and can be read; a bad one is written anew by whoever brings the very bytes again. */
  async #isWhole(tenant: string, digest: string): Promise<boolean> {
    for (const key of this.#keys()) if (await this.#isWholeUnder(key, tenant, digest)) return true;
    return false;
  }

  async #isWholeUnder(key: StoreKey, tenant: string, digest: string): Promise<boolean> {
    try {
      return (await this.#readUnder(key, tenant, digest)) !== undefined;
    } catch (error) {
      if (error instanceof ContinuumError && error.code === "corrupt") return false;
      throw error;
    }
  }

  /** Decrypts into the one buffer that is answered, and answers it only when all of it was authentic. */
  async #readUnder(key: StoreKey, tenant: string, digest: string): Promise<Buffer | undefined> {
    const file = await onDisk(() => unlessMissing(openFile(this.#path(key, tenant, digest), "r")));
    if (file === undefined) return undefined;
    try {
      const { sizeBytes } = await headerOf(key, { tenant, digest }, file);
      const plaintext = Buffer.alloc(sizeBytes);
      let filled = 0;
      for await (const piece of openedPieces(key, { tenant, digest }, file)) {
        plaintext.set(piece, filled);
        filled += piece.length;
      }
      return plaintext;
    } finally {
      await file.close();
    }
  }

  /** Looked for under the present key again at the end: a rekey may have moved it in between. */
  async #underAny<T>(look: (key: StoreKey) => Promise<T | undefined>): Promise<T | undefined> {
    const keys = this.#previous === undefined ? [this.#key] : [this.#key, this.#previous, this.#key];
    for (const key of keys) {
      const found = await look(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #keys(): StoreKey[] {
    return this.#previous === undefined ? [this.#key] : [this.#key, this.#previous];
  }

  async #names(key: StoreKey, tenant: string): Promise<string[]> {
    const names = (await onDisk(() => unlessMissing(readdir(this.#folder(key, tenant))))) ?? [];
    return names.filter((name) => !name.endsWith(PART)).sort();
  }

  #folder(key: StoreKey, tenant: string): string {
    return join(this.#root, tenantFolder(key, tenant));
  }

  #path(key: StoreKey, tenant: string, digest: string): string {
    return join(this.#folder(key, tenant), fileName(digest));
  }
}

const fileName = (digest: string) => digest.slice("sha256:".length);

async function hexNames(folder: string): Promise<string[]> {
  const names = (await unlessMissing(readdir(folder))) ?? [];
  return names.filter((name) => FOLDER_NAME.test(name)).sort();
}

/** Leaves a folder that still holds something: a damaged object, or what another process writes now. */
async function removeEmpty(folder: string): Promise<void> {
  if ((await unlessMissing(sweepParts(folder).then(() => true))) === undefined) return;
  try {
    await rmdir(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(codeOf(error) ?? "")) throw error;
    return;
  }
  await syncFolder(join(folder, ".."));
}
