import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import { diagnose } from "./diagnose.ts";
import type { ArtifactLook } from "./policy.ts";

let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-doctor-"));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const HEALTHY: ArtifactLook = {
  keyIsMade: true,
  key: async () => "0011223344556677",
  holdsAnything: async () => true,
  check: async () => ({ objects: 2 }),
};

function configOf(variables: Record<string, string> = {}): Config {
  const ports = { CONTINUUM_API_PORT: "0", CONTINUUM_SERVING_PORT: "0", CONTINUUM_WORKER_OPS_PORT: "0" };
  const environment = { homeDir: folder, workingDir: folder, hostName: "here" };
  const loaded = loadConfig({
    environment: { ...environment, variables: { ...ports, CONTINUUM_DATA_DIR: join(folder, "data"), ...variables } },
  });
  if (!loaded.ok) throw new Error(loaded.problem.message);
  return loaded.value.config;
}

async function look(
  options: { variables?: Record<string, string>; artifacts?: Partial<ArtifactLook>; nowMs?: number } = {},
): Promise<Map<string, DoctorFinding>> {
  const found = await diagnose(
    { config: configOf(options.variables), server: undefined },
    {
      version: "1.2.3",
      artifacts: { ...HEALTHY, ...options.artifacts },
      nowMs: () => options.nowMs ?? Date.parse("2026-12-01T00:00:00Z"),
    },
  );
  return new Map(found.map((finding) => [finding.check, finding]));
}

const brokenOf = (found: Map<string, DoctorFinding>) =>
  [...found.values()].filter(({ state }) => state === "broken").map(({ check }) => check);

describe("diagnose", () => {
  it("finds nothing broken where nothing was set up yet, and makes nothing", async () => {
    const found = await look();
    expect(brokenOf(found)).toEqual([]);
    expect(found.get("data-folder.there")?.seen).toContain("not there yet");
    expect(found.get("database.reachable")?.seen).toContain("not made yet");
    expect(found.get("runtime.onnxruntime")).toMatchObject({ state: "ok" });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("names who has a port that is wanted", async () => {
    const held = createServer();
    server = held;
    await new Promise<void>((resolve) => held.listen(0, "127.0.0.1", resolve));
    const { port } = held.address() as AddressInfo;
    const found = await look({ variables: { CONTINUUM_API_PORT: String(port) } });
    expect(brokenOf(found)).toEqual([`ports.${port}`]);
    expect(found.get(`ports.${port}`)?.mend).toContain("api.port");
    if (process.platform === "linux") expect(found.get(`ports.${port}`)?.seen).toContain(`process ${process.pid}`);
  });

  it("says that an address is not of this machine", async () => {
    const found = await look({ variables: { CONTINUUM_API_PORT: "7400", CONTINUUM_API_HOST: "192.0.2.1" } });
    expect(found.get("ports.7400")).toMatchObject({ state: "broken", mend: "set api.host to one" });
  });

  it.skipIf(process.platform === "win32")("finds keys that others may read, and what a killed start left", async () => {
    const keys = join(folder, "data", "keys");
    mkdirSync(keys, { recursive: true, mode: 0o711 });
    writeFileSync(join(keys, "artifact-store.key"), "k");
    chmodSync(join(keys, "artifact-store.key"), 0o644);
    writeFileSync(join(folder, "data", "start.lock"), JSON.stringify({ pid: 999_999_999, startedAt: "1" }));
    const found = await look();
    expect(brokenOf(found)).toEqual(["keys.modes"]);
    expect(found.get("keys.modes")).toMatchObject({ seen: expect.stringContaining("artifact-store.key (644)") });
    expect(found.get("processes.lock")).toMatchObject({ state: "note", mend: "the next start sets it aside" });
    expect(readdirSync(join(folder, "data")).sort()).toEqual(["keys", "start.lock"]);
  });

  it("says that a data folder is a file", async () => {
    writeFileSync(join(folder, "data"), "");
    expect(brokenOf(await look())).toContain("data-folder.there");
  });

  it("says why a database does not answer, and never its password", async () => {
    const url = "postgres://me:hunter2@127.0.0.1:1/db";
    const found = await look({ variables: { CONTINUUM_DATABASE_URL: url } });
    expect(brokenOf(found)).toEqual(["database.reachable"]);
    expect(found.get("database.reachable")?.seen).toMatch(/^127\.0\.0\.1:1\/db: .*ECONNREFUSED/);
    expect(JSON.stringify([...found.values()])).not.toContain("hunter2");
  });

  it("passes on what a worker of this host says of itself", async () => {
    const said = { status: "ready", problems: ["This host's clock is 60 s behind the database's."] };
    const worker = createHttpServer((_, response) => response.end(JSON.stringify(said)));
    server = worker;
    await new Promise<void>((resolve) => worker.listen(0, "127.0.0.1", resolve));
    const { port } = worker.address() as AddressInfo;
    const variables = { CONTINUUM_WORKER_COUNT: "1", CONTINUUM_WORKER_OPS_PORT: String(port) };
    const found = (await look({ variables })).get(`workers.${port}`);
    expect(found).toMatchObject({ state: "note", seen: expect.stringContaining("60 s behind the database's") });
  });

  it("asks the monitor of this host, which starts last, and says nothing of one that does not run", async () => {
    const monitor = createHttpServer((_, response) => {
      response.writeHead(503, { connection: "close" });
      response.end(JSON.stringify({ status: "not ready", problems: ["The capture cannot be read."] }));
    });
    server = monitor;
    await new Promise<void>((resolve) => monitor.listen(0, "127.0.0.1", resolve));
    const { port } = monitor.address() as AddressInfo;
    const variables = { CONTINUUM_MONITOR_OPS_PORT: String(port) };
    const found = (await look({ variables })).get("monitor.answers");
    expect(found).toMatchObject({ state: "broken", seen: "not ready: The capture cannot be read." });
    expect(
      (await look({ variables: { ...variables, CONTINUUM_MONITOR_ENABLED: "false" } })).has("monitor.answers"),
    ).toBe(false);
    await new Promise((resolve) => monitor.close(resolve));
    expect((await look({ variables })).has("monitor.answers")).toBe(false);
  });

  it("says nothing of workers that do not run", async () => {
    const held = createServer();
    await new Promise<void>((resolve) => held.listen(0, "127.0.0.1", resolve));
    const { port } = held.address() as AddressInfo;
    await new Promise((resolve) => held.close(resolve));
    const variables = { CONTINUUM_WORKER_COUNT: "1", CONTINUUM_WORKER_OPS_PORT: String(port) };
    const found = await look({ variables });
    expect([...found.keys()].filter((check) => check.startsWith("workers."))).toEqual([]);
  });

  it("tells a key that is not the store's from one that is missing", async () => {
    const missing = Object.assign(new Error("there is no secret"), { code: "secret-not-found" });
    const gone = { key: () => Promise.reject(missing) };
    expect((await look({ artifacts: gone })).get("artifacts.key")?.mend).toContain("bring the key back");
    const fresh = { ...gone, holdsAnything: async () => false };
    expect((await look({ artifacts: fresh })).get("artifacts.key")).toMatchObject({ state: "ok" });
    const other = { check: () => Promise.reject(new Error("not authentic")) };
    expect(brokenOf(await look({ artifacts: other }))).toEqual(["artifacts.open"]);
  });

  it("knows a clock that is before the prices were made, and prices that are old", async () => {
    expect(brokenOf(await look({ nowMs: 0 }))).toEqual(["policy.prices"]);
    const late = await look({ nowMs: Date.parse("2028-01-01T00:00:00Z") });
    expect(late.get("policy.prices")).toMatchObject({ state: "note" });
  });
});
