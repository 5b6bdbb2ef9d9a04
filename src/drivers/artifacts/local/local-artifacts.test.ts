import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { artifactsConformance } from "../artifacts.conformance.ts";
import { storeKey, tenantFolder } from "../sealed-object.ts";
import { openLocalArtifacts } from "./local-artifacts.ts";

const KEY = randomBytes(32);
let base = "";
let made = 0;
const newRoot = (): string => join(base, `store-${made++}`);

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "continuum-artifacts-"));
});
afterAll(() => rm(base, { recursive: true, force: true }));

artifactsConformance("local", async (options) => {
  const root = newRoot();
  const artifacts = await openLocalArtifacts({ root, key: KEY, ...options });
  return {
    artifacts,
    async tamper(tenant, digest, change) {
      const path = join(root, tenantFolder(storeKey(KEY), tenant), digest.slice("sha256:".length));
      await writeFile(path, change(await readFile(path)));
    },
  };
});

describe("the store on disk", () => {
  test("outlives the process that wrote it, and its name says nothing of the tenant", async () => {
    const root = newRoot();
    const { digest } = await (await openLocalArtifacts({ root, key: KEY })).put("acme", Buffer.from("model"));
    const again = await openLocalArtifacts({ root, key: Buffer.from(`${KEY.toString("hex")}\n`) });
    expect(Buffer.from(await again.read("acme", digest)).toString()).toBe("model");
    expect((await readdir(root)).join()).not.toContain("acme");
  });

  test.skipIf(process.platform === "win32")("is closed to other users of the host", async () => {
    const root = newRoot();
    const artifacts = await openLocalArtifacts({ root, key: KEY });
    await artifacts.put("acme", Buffer.from("model"));
    const [folder = ""] = await readdir(root);
    const [file = ""] = await readdir(join(root, folder));
    const modes = await Promise.all([root, join(root, folder), join(root, folder, file)].map((path) => stat(path)));
    expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o700, 0o600]);
  });

  test("shows nothing under another key, and opens nothing that was put in its place", async () => {
    const root = newRoot();
    const own = await openLocalArtifacts({ root, key: KEY });
    const { digest } = await own.put("acme", Buffer.from("model"));
    const otherKey = randomBytes(32);
    const other = await openLocalArtifacts({ root, key: otherKey });
    await expect(other.read("acme", digest)).rejects.toMatchObject({ code: "not-found" });
    await other.put("acme", Buffer.from("model"));
    const file = (key: Uint8Array) => join(root, tenantFolder(storeKey(key), "acme"), digest.slice(7));
    await writeFile(file(otherKey), await readFile(file(KEY)));
    await expect(other.read("acme", digest)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("another key"),
    });
  });

  test("does not count what a crash left half written, and takes it away when it is old", async () => {
    const root = newRoot();
    const artifacts = await openLocalArtifacts({ root, key: KEY });
    await artifacts.put("acme", Buffer.from("one"));
    const [folder = ""] = await readdir(root);
    const [old, fresh] = [join(root, folder, "old.part"), join(root, folder, "fresh.part")];
    await writeFile(old, "x");
    await writeFile(fresh, "x");
    await utimes(old, 1000, 1000);
    await artifacts.put("acme", Buffer.from("two"));
    expect(await artifacts.list("acme")).toHaveLength(2);
    expect((await readdir(join(root, folder))).filter((name) => name.endsWith(".part"))).toEqual(["fresh.part"]);
  });

  test("is not opened with a key that is none, and the key is not in the error", async () => {
    const root = newRoot();
    for (const key of [Buffer.alloc(31), Buffer.alloc(0), Buffer.from("f".repeat(63))]) {
      await expect(openLocalArtifacts({ root, key })).rejects.toMatchObject({
        code: "store-failed",
        message: expect.not.stringContaining("fff"),
      });
    }
  });

  test("tells a disk that failed apart from an artifact that is not there", async () => {
    const root = newRoot();
    await writeFile(root, "not a folder");
    await expect(openLocalArtifacts({ root, key: KEY })).rejects.toMatchObject({
      code: "store-failed",
      details: { code: "EEXIST" },
    });
  });
});
