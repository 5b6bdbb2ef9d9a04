import { createHash, hash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalTarget } from "../../drivers/target/local/local-target.ts";
import type { Effect } from "../../drivers/target/target.ts";
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
  /** The control plane's side of it, with its token pushed. */
  target: LocalTarget;
  effect(): Effect;
  /** The one endpoint that these tests use, `development-churn` of tenant `acme`. */
  at: { tenant: string; endpoint: { environment: "development"; target: "local"; name: string } };
  /** Provisions a version and makes it the one that serves. */
  serve(variant: string, bytes: Uint8Array, overrides?: Partial<Version>): Promise<void>;
  invoke(body: string, headers?: Record<string, string>): Promise<Response>;
  /** The process ids of all replicas, as the state file has them. */
  replicaPids(): Promise<number[]>;
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
    programVersion: "1.2.3",
    captureDir: join(directory, "capture"),
    readModel: async (_tenant, digest) => {
      const bytes = models.get(digest);
      if (bytes === undefined) throw new Error(`no artifact ${digest}`);
      return bytes;
    },
    log: SILENT,
    ...overrides,
  };
  const serving = await runServing(options);
  const target = new LocalTarget({ controlSocket: options.controlSocket });
  await target.pushCredentials({
    revision: 1,
    credentials: [{ hash: TOKEN_HASH, tenant: "acme", environment: null, endpoint: null, expiresAtMs: null }],
  });
  let generation = 0;
  const fixture: ServingFixture = {
    serving,
    options,
    models,
    target,
    at: { tenant: "acme", endpoint: { environment: "development", target: "local", name: "churn" } },
    effect() {
      generation += 1;
      return { ...fixture.at, generation, idempotencyKey: `rollout/${generation}/effect` };
    },
    async serve(variant, bytes, versionOverrides) {
      await target.provision(fixture.effect(), fixture.version(variant, bytes, versionOverrides));
      await target.promote(fixture.effect());
    },
    invoke(body, headers = {}) {
      return fetch(`${fixture.serving.url}/endpoints/development-churn/invocations`, {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
        body,
      });
    },
    async replicaPids() {
      const state = await readFile(join(directory, "state", "serving.json"), "utf8");
      return [...state.matchAll(/"pid":(\d+)/g)].map((match) => Number(match[1]));
    },
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
      // A replica that was told to end may still be putting its socket away.
      await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
  return fixture;
}
