import { randomBytes } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { composeArtifacts, composeRekey } from "./compose-artifacts.ts";

let dataDir = "";
const keyFile = (name: string) => join(dataDir, "keys", name);
const configOf = (previous?: string) => ({
  dataDir,
  artifacts: {
    keyReference: `file:${keyFile("artifact-store.key")}`,
    maxBytes: 1000,
    ...(previous === undefined ? {} : { previousKeyReference: `file:${keyFile(previous)}` }),
  },
});

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "continuum-compose-artifacts-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe("the artifact store that the settings describe", () => {
  test("changes its key by the way that the guide tells, and refuses a start with the old one afterwards", async () => {
    const { digest } = await (await composeArtifacts(configOf())).put("acme", Buffer.from("model"));
    await expect(composeRekey(configOf())).rejects.toMatchObject({ code: "no-previous-key" });
    await rename(keyFile("artifact-store.key"), keyFile("old.key"));
    await writeFile(keyFile("artifact-store.key"), randomBytes(32), { mode: 0o600 });

    // With the new key alone nothing can be read, and a start says so; who has to start all the same hears of it.
    await expect(composeArtifacts(configOf())).rejects.toMatchObject({ code: "store-failed" });
    const heard: string[] = [];
    await composeArtifacts(configOf(), ({ message }) => void heard.push(message));
    expect(heard).toEqual([expect.stringContaining("another key than artifacts.keyReference names")]);

    const both = await composeArtifacts(configOf("old.key"));
    expect(Buffer.from(await both.read("acme", digest)).toString()).toBe("model");
    const { artifacts, keyId } = await composeRekey(configOf("old.key"));
    expect(keyId).toMatch(/^[0-9a-f]{16}$/);
    expect(await artifacts.rekey("acme")).toEqual({ moved: 1, damaged: [] });
    expect(Buffer.from(await (await composeArtifacts(configOf())).read("acme", digest)).toString()).toBe("model");
    await rename(keyFile("old.key"), keyFile("artifact-store.key"));
    await expect(composeArtifacts(configOf())).rejects.toMatchObject({ code: "store-failed" });
  });
});
