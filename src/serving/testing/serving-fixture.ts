import { createHash, hash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../log.ts";
import type { Version } from "../protocol.ts";
import { runServing, type Serving, type ServingOptions } from "../run-serving.ts";

/** The token that the fixture's callers show; only its hash is pushed. */
export const TOKEN = "test-invoke-token";
export const TOKEN_HASH = hash("sha256", TOKEN, "hex");

export interface ServingFixture {
  serving: Serving;
  options: ServingOptions;
  models: Map<string, Uint8Array>;
  /** Puts a model where `readModel` finds it, and answers a version of it to provision. */
  version(variant: string, bytes: Uint8Array, overrides?: Partial<Version>): Version;
  restart(): Promise<Serving>;
  dispose(): Promise<void>;
}

const SILENT: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A serving process's insides in this process, with real replicas, in a directory of its own. */
export async function servingFixture(overrides: Partial<ServingOptions> = {}): Promise<ServingFixture> {
  const directory = await mkdtemp(join(tmpdir(), "continuum-serving-"));
  const models = new Map<string, Uint8Array>();
  const options: ServingOptions = {
    controlSocket: join(directory, "control.sock"),
    host: "127.0.0.1",
    port: 0,
    stateDir: join(directory, "state"),
    captureDir: join(directory, "capture"),
    readModel: async (_tenant, digest) => {
      const bytes = models.get(digest);
      if (bytes === undefined) throw new Error(`no artifact ${digest}`);
      return bytes;
    },
    log: SILENT,
    ...overrides,
  };
  const fixture: ServingFixture = {
    serving: await runServing(options),
    options,
    models,
    version(variant, bytes, versionOverrides = {}) {
      const artifactDigest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      models.set(artifactDigest, bytes);
      return {
        variant,
        modelName: "test",
        modelVersion: `${variant}.0.0`,
        artifactDigest,
        instanceType: "ml.m5.large",
        instanceCount: 1,
        planDigest: `sha256:${"0".repeat(64)}`,
        ...versionOverrides,
      };
    },
    async restart() {
      fixture.serving = await runServing(options);
      return fixture.serving;
    },
    async dispose() {
      await fixture.serving.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return fixture;
}
