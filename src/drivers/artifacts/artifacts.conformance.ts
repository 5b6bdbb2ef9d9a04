import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Artifacts } from "./artifacts.ts";

export interface ArtifactsUnderTest {
  artifacts: Artifacts;
  /** Changes what lies on the medium, as a stranger with access to it would. */
  tamper(tenant: string, digest: string, change: (object: Buffer) => Buffer): Promise<void>;
}

export type MakeArtifacts = (options: { sizeBytesMax?: number; nowMs?: () => number }) => Promise<ArtifactsUnderTest>;

const MODEL = Buffer.from("a model's bytes, long enough to be looked for on the medium");
const DIGEST = `sha256:${createHash("sha256").update(MODEL).digest("hex")}`;

/** What every artifact store must hold to. */
export function artifactsConformance(name: string, make: MakeArtifacts): void {
  describe(`artifact store: ${name}`, () => {
    test("gives back what was put, by the digest of the plaintext", async () => {
      const { artifacts } = await make({ nowMs: () => 1_795_000_000_000 });
      const info = { digest: DIGEST, sizeBytes: MODEL.length, encrypted: true, createdAtMs: 1_795_000_000_000 };
      expect(await artifacts.put("acme", MODEL, DIGEST)).toEqual(info);
      expect(Buffer.from(await artifacts.read("acme", DIGEST))).toEqual(MODEL);
      expect(await artifacts.stat("acme", DIGEST)).toEqual(info);
      expect(await artifacts.list("acme")).toEqual([info]);
    });

    test("takes the same bytes again without changing anything, also at once", async () => {
      let nowMs = 1000;
      const { artifacts } = await make({ nowMs: () => nowMs });
      const first = await artifacts.put("acme", MODEL);
      nowMs = 2000;
      expect(await artifacts.put("acme", MODEL)).toEqual(first);
      await Promise.all(Array.from({ length: 8 }, () => artifacts.put("other", MODEL)));
      expect(await artifacts.list("other")).toHaveLength(1);
      expect(Buffer.from(await artifacts.read("other", DIGEST))).toEqual(MODEL);
    });

    test("keeps the empty artifact too", async () => {
      const { artifacts } = await make({});
      const { digest, sizeBytes } = await artifacts.put("acme", new Uint8Array());
      expect(sizeBytes).toBe(0);
      expect(await artifacts.read("acme", digest)).toHaveLength(0);
    });

    test("keeps what is larger than it works on at once", async () => {
      const { artifacts, tamper } = await make({});
      const large = randomBytes(9 * 1024 * 1024 + 5);
      const { digest, sizeBytes } = await artifacts.put("acme", large);
      expect(sizeBytes).toBe(large.length);
      expect(large.equals(await artifacts.read("acme", digest))).toBe(true);
      await tamper("acme", digest, (object) => {
        const changed = Buffer.from(object);
        const middle = Math.floor(changed.length / 2);
        changed[middle] = (changed[middle] ?? 0) ^ 1;
        return changed;
      });
      await expect(artifacts.read("acme", digest)).rejects.toMatchObject({ code: "corrupt" });
    });

    test("refuses bytes of another digest and bytes beyond the limit, and keeps nothing of them", async () => {
      const { artifacts } = await make({ sizeBytesMax: 100 });
      await expect(artifacts.put("acme", MODEL, `sha256:${"0".repeat(64)}`)).rejects.toMatchObject({
        code: "digest-mismatch",
      });
      await expect(artifacts.put("acme", Buffer.alloc(101))).rejects.toMatchObject({ code: "too-large" });
      expect(await artifacts.list("acme")).toEqual([]);
    });

    test("shows no tenant the artifacts of another", async () => {
      const { artifacts, tamper } = await make({});
      await artifacts.put("acme", MODEL);
      expect(await artifacts.stat("evil", DIGEST)).toBeUndefined();
      expect(await artifacts.list("evil")).toEqual([]);
      await expect(artifacts.read("evil", DIGEST)).rejects.toMatchObject({ code: "not-found" });
      await artifacts.remove("evil", DIGEST);
      expect(await artifacts.stat("acme", DIGEST)).toBeDefined();

      // The same bytes of two tenants are two objects, and one moved into the other's place is no use there.
      await artifacts.put("evil", MODEL);
      let stolen: Buffer = Buffer.alloc(0);
      await tamper("acme", DIGEST, (object) => (stolen = object));
      await tamper("evil", DIGEST, (object) => {
        expect(object.equals(stolen)).toBe(false);
        return stolen;
      });
      await expect(artifacts.read("evil", DIGEST)).rejects.toMatchObject({ code: "corrupt" });
      await expect(artifacts.stat("evil", DIGEST)).rejects.toMatchObject({ code: "corrupt" });
    });

    test("knows nothing of what was removed or was never there, nor of names that are none", async () => {
      const { artifacts } = await make({});
      await artifacts.put("acme", MODEL);
      await artifacts.remove("acme", DIGEST);
      await artifacts.remove("acme", DIGEST);
      for (const digest of [DIGEST, "sha256:..", "../../etc/passwd", "", `sha256:${"A".repeat(64)}`, `${DIGEST}\0`]) {
        expect(await artifacts.stat("acme", digest)).toBeUndefined();
        await expect(artifacts.read("acme", digest)).rejects.toMatchObject({ code: "not-found" });
        await artifacts.remove("acme", digest);
      }
    });

    test("keeps ciphertext only", async () => {
      const { artifacts, tamper } = await make({});
      await artifacts.put("acme", MODEL);
      await tamper("acme", DIGEST, (object) => {
        expect(object.includes(MODEL.subarray(0, 8))).toBe(false);
        return object;
      });
    });

    test("finds every changed byte, every cut and everything added", async () => {
      const { artifacts, tamper } = await make({});
      await artifacts.put("acme", MODEL);
      let whole: Buffer = Buffer.alloc(0);
      await tamper("acme", DIGEST, (object) => (whole = Buffer.from(object)));
      const changes: Buffer[] = Array.from(whole, (byte, at) => {
        const changed = Buffer.from(whole);
        changed[at] = byte ^ 1;
        return changed;
      });
      changes.push(
        Buffer.alloc(0),
        whole.subarray(0, 50),
        whole.subarray(0, -1),
        Buffer.concat([whole, Buffer.of(0)]),
        MODEL,
      );
      for (const changed of changes) {
        await tamper("acme", DIGEST, () => changed);
        await expect(artifacts.read("acme", DIGEST)).rejects.toMatchObject({ code: "corrupt" });
      }
      await tamper("acme", DIGEST, () => MODEL);
      await expect(artifacts.stat("acme", DIGEST)).rejects.toMatchObject({ code: "corrupt" });
    });

    test("is healed by the very bytes", async () => {
      const { artifacts, tamper } = await make({});
      await artifacts.put("acme", MODEL);
      await tamper("acme", DIGEST, (object) => object.subarray(0, -1));
      await artifacts.put("acme", MODEL);
      expect(Buffer.from(await artifacts.read("acme", DIGEST))).toEqual(MODEL);
    });
  });
}
