import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeKey, tenantFolder } from "../sealed-object.ts";
import { openLocalArtifacts, requireOwnKeys } from "./local-artifacts.ts";

const OLD = randomBytes(32);
const NEW = randomBytes(32);
const MODELS = [Buffer.alloc(0), Buffer.from("one"), randomBytes(4 * 1024 * 1024 + 7)];
let base = "";
let made = 0;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "continuum-rekey-"));
});
afterAll(() => rm(base, { recursive: true, force: true }));

/** A store that the old key filled, with what opens it in each way. */
async function filled() {
  const root = join(base, `store-${made++}`);
  const old = await openLocalArtifacts({ root, key: OLD, nowMs: () => 1000 });
  const digests: string[] = [];
  for (const model of MODELS) digests.push((await old.put("acme", model)).digest);
  await old.put("other", Buffer.from("theirs"));
  const both = await openLocalArtifacts({ root, key: NEW, previousKey: OLD, nowMs: () => 2000 });
  const only = () => openLocalArtifacts({ root, key: NEW });
  const path = (key: Uint8Array, digest: string) => join(root, tenantFolder(storeKey(key), "acme"), digest.slice(7));
  return { root, old, both, only, digests, path };
}

async function expectAll(store: { read(tenant: string, digest: string): Promise<Uint8Array> }, digests: string[]) {
  for (const [at, digest] of digests.entries())
    expect(Buffer.from(await store.read("acme", digest)).equals(MODELS[at] ?? Buffer.of(1))).toBe(true);
}

describe("a store with a new key", () => {
  test("reads what the previous key sealed, and seals with the new one alone", async () => {
    const { both, only, digests } = await filled();
    await expectAll(both, digests);
    expect(await both.list("acme")).toHaveLength(3);
    const { digest } = await both.put("acme", Buffer.from("new"));
    expect(await both.list("acme")).toHaveLength(4);
    expect((await (await only()).list("acme")).map((info) => info.digest)).toEqual([digest]);
    await both.remove("acme", digests[1] ?? "");
    expect(await both.stat("acme", digests[1] ?? "")).toBeUndefined();
  });

  test("moves every object of every tenant, after which the old key opens nothing and the new one everything", async () => {
    const { both, only, old, digests, root } = await filled();
    expect(await both.countForeign(["acme", "other"])).toBe(4);
    expect(await both.rekey("acme")).toEqual({ moved: 3, damaged: [] });
    expect(await both.countForeign(["acme", "other"])).toBe(1);
    expect(await both.rekey("other")).toEqual({ moved: 1, damaged: [] });
    expect(await both.countForeign(["acme", "other"])).toBe(0);
    const alone = await only();
    await expectAll(alone, digests);
    expect((await alone.stat("acme", digests[1] ?? ""))?.createdAtMs).toBe(1000);
    for (const digest of digests) await expect(old.read("acme", digest)).rejects.toMatchObject({ code: "not-found" });
    expect(await readdir(root)).toHaveLength(2);
    await expect(requireOwnKeys(root, [OLD])).rejects.toMatchObject({
      code: "store-failed",
      message: expect.stringContaining("another key"),
    });
    await requireOwnKeys(root, [NEW]);
    expect(await both.rekey("acme")).toEqual({ moved: 0, damaged: [] });
  });

  test("shares no byte of ciphertext with the old object, so that an old key with an old copy helps nobody later", async () => {
    const { both, digests, path } = await filled();
    const digest = digests[2] ?? "";
    const before = await readFile(path(OLD, digest));
    await both.rekey("acme");
    const after = await readFile(path(NEW, digest));
    expect(after.length).toBe(before.length);
    expect(after.subarray(96, 4096).equals(before.subarray(96, 4096))).toBe(false);
  });

  test("goes on after a stop at any place", async () => {
    const { both, only, digests, path, root } = await filled();
    const stop = new AbortController();
    stop.abort(new Error("stopped"));
    await expect(both.rekey("acme", stop.signal)).rejects.toThrow("stopped");
    // Killed while it wrote: half a file beside its place.
    await mkdir(join(root, tenantFolder(storeKey(NEW), "acme")), { recursive: true });
    await writeFile(join(root, tenantFolder(storeKey(NEW), "acme"), "half.part"), "half");
    // Killed before the old one was removed: both are there.
    const kept = await readFile(path(OLD, digests[1] ?? ""));
    await both.rekey("acme");
    await mkdir(join(root, tenantFolder(storeKey(OLD), "acme")), { recursive: true });
    await writeFile(path(OLD, digests[1] ?? ""), kept);
    await expectAll(both, digests);
    // A new one that a failing disk spoiled gives way to the old one that is whole.
    await writeFile(path(NEW, digests[1] ?? ""), kept);
    expect(await both.rekey("acme")).toEqual({ moved: 1, damaged: [] });
    await expectAll(await only(), digests);
  });

  test("leaves an object that cannot be opened where it is, names it, and moves the others", async () => {
    const { both, digests, path } = await filled();
    const bad = digests[1] ?? "";
    const bytes = await readFile(path(OLD, bad));
    bytes[97] = (bytes[97] ?? 0) ^ 1;
    await writeFile(path(OLD, bad), bytes);
    expect(await both.rekey("acme")).toEqual({ moved: 2, damaged: [bad] });
    expect(await readFile(path(OLD, bad))).toEqual(bytes);
    await expect(both.read("acme", bad)).rejects.toMatchObject({ code: "corrupt" });
    await both.put("acme", Buffer.from("one"));
    expect(await both.rekey("acme")).toEqual({ moved: 1, damaged: [] });
    await expectAll(both, digests);
  });

  test("is read without a gap while two move it at once", async () => {
    const { root, both, digests } = await filled();
    const another = await openLocalArtifacts({ root, key: NEW, previousKey: OLD });
    let moving = true;
    const reading = (async () => {
      let reads = 0;
      while (moving) {
        for (const digest of digests) {
          expect(await both.stat("acme", digest)).toBeDefined();
          await both.read("acme", digest);
          reads += 1;
        }
      }
      return reads;
    })();
    await Promise.all([both.rekey("acme"), another.rekey("acme")]);
    moving = false;
    expect(await reading).toBeGreaterThan(0);
    await expectAll(both, digests);
  });

  test("has nothing to do when both keys are one, or when there is none before", async () => {
    const { root, digests } = await filled();
    for (const previousKey of [OLD, Buffer.from(`${OLD.toString("hex")}\n`)])
      expect(await (await openLocalArtifacts({ root, key: OLD, previousKey })).rekey("acme")).toEqual({
        moved: 0,
        damaged: [],
      });
    const same = await openLocalArtifacts({ root, key: OLD, previousKey: OLD });
    await same.remove("acme", digests[0] ?? "");
    expect(await same.list("acme")).toHaveLength(2);
  });
});

describe("the keys that a start brings", () => {
  test("are refused only where objects are there and none of them opens any", async () => {
    const { root } = await filled();
    await requireOwnKeys(root, [NEW, OLD]);
    await expect(requireOwnKeys(root, [NEW])).rejects.toMatchObject({ code: "store-failed" });
    await requireOwnKeys(join(base, "nowhere"), [NEW]);
    const empty = join(base, "empty");
    await mkdir(join(empty, "a".repeat(64)), { recursive: true });
    await writeFile(join(empty, "a".repeat(64), "b".repeat(64)), "no object");
    await requireOwnKeys(empty, [NEW]);
  });
});
