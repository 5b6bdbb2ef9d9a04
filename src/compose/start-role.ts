import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isLoopback } from "../config/client-settings.ts";
import { readPolicyFiles, shippedPolicyFolder } from "../config/policy-files.ts";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import type { TargetName } from "../core/plan/schema.ts";
import { loadPolicySet } from "../core/policy/load-policy-set.ts";
import { parseSettings } from "../core/policy/settings.ts";
import type { Artifacts } from "../drivers/artifacts/artifacts.ts";
import { openLocalArtifacts } from "../drivers/artifacts/local/local-artifacts.ts";
import { filePrices } from "../drivers/prices/file/file-prices.ts";
import { createSecretFile } from "../drivers/secrets/local/create-secret-file.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import { localSignatures } from "../drivers/signatures/local/local-signatures.ts";
import { mockSignatures } from "../drivers/signatures/mock/mock-signatures.ts";
import { LocalTarget } from "../drivers/target/local/local-target.ts";
import type { SimulatedEndpoint } from "../drivers/target/simulated/simulated-store.ts";
import { SimulatedTarget } from "../drivers/target/simulated/simulated-target.ts";
import type { Target } from "../drivers/target/target.ts";
import { createCredentialSync } from "../engine/credential-sync.ts";
import type { EngineParts } from "../engine/engine.ts";
import { createReconciler } from "../engine/reconcile.ts";
import { runAllRoles } from "../roles/all-roles.ts";
import { startApiRole } from "../roles/api-role.ts";
import { type ProgramLog, programLog } from "../roles/program-log.ts";
import { type RunningRole, runUntilStopped } from "../roles/role-process.ts";
import { startWorkerRole } from "../roles/worker-role.ts";
import { runServing } from "../serving/run-serving.ts";
import { openDatabase } from "../store/database.ts";
import { startEmbedded } from "../store/embedded/embedded.ts";
import { SimulatedStateTable } from "../store/queries/simulated-state.ts";
import type { StartOptions } from "../surfaces/cli/injected.ts";

/** Runs one role, or all of them as processes of their own, until it is asked to stop. Resolves with the exit code. */
export async function startRole({ role, config }: StartOptions, program: Program): Promise<number> {
  refuseOpenHttp(role, config);
  const log = programLog({ level: config.logLevel, role });
  switch (role) {
    case "all":
      return runAllRoles({ config, entry: program.entry, log, say: (line) => console.log(line) });
    case "api":
      return runUntilStopped(() => composeApi(config, { log, version: program.version }));
    case "worker":
      return runUntilStopped(() => composeWorker(config, log));
    case "serve":
      return runUntilStopped(() => composeServing(config, log));
  }
}

export interface Program {
  version: string;
  /** The file that starts the program. */
  entry: string;
}

/** Both ports take tokens. Said before anything starts: a role that falls over later is harder to understand. */
function refuseOpenHttp(role: StartOptions["role"], { api, serving }: Config): void {
  const listening = [
    { name: "api", host: api.host, here: role === "all" || role === "api" },
    { name: "serving", host: serving.host, here: role === "all" || role === "serve" },
  ];
  const open = listening.find(({ host, here }) => here && !isLoopback(host) && host !== "::1");
  if (open === undefined || api.allowInsecureHttp) return;
  throw new ContinuumError(
    "insecure-address",
    `Refusing to serve plain HTTP on ${open.host} (${open.name}.host): tokens would cross the network in clear. ` +
      "Listen on 127.0.0.1, or set api.allowInsecureHttp when TLS ends in front of it.",
  );
}

async function composeApi(
  config: Config,
  { log, version }: { log: ProgramLog; version: string },
): Promise<RunningRole> {
  const { parts, close } = await composeParts(config, { log, connections: 8, applicationName: "continuum-api" });
  return startApiRole({ parts, config, version, close }).catch(closing(close));
}

async function composeWorker(config: Config, log: ProgramLog): Promise<RunningRole> {
  const { parts, local, close } = await composeParts(config, {
    log,
    connections: 4,
    applicationName: "continuum-worker",
  });
  const reconcile = createReconciler({ parts, host: config.hostName, sink: local });
  const syncCredentials = createCredentialSync(parts, local);
  const where = { host: config.hostName, opsPort: config.worker.opsPort };
  return startWorkerRole({ parts, ...where, reconcile, syncCredentials, close }).catch(closing(close));
}

/** What is open would keep a process alive whose role could not start. */
function closing(close: () => Promise<void>): (error: unknown) => Promise<never> {
  return async (error) => {
    await close();
    throw error;
  };
}

/** The data plane: it gets the artifact store and nothing of the control plane or its database. */
async function composeServing(config: Config, log: ProgramLog): Promise<RunningRole> {
  const artifacts = await composeArtifacts(config);
  const serving = await runServing({
    controlSocket: await controlSocket(config),
    host: config.serving.host,
    port: config.serving.port,
    stateDir: join(config.dataDir, "serving"),
    captureDir: join(config.dataDir, "capture"),
    readModel: (tenant, digest) => artifacts.read(tenant, digest),
    log: log.fieldsFirst,
    capture: { enabled: config.serving.captureEnabled },
  });
  return { ready: { url: serving.url, opsUrl: serving.url }, stop: () => serving.close() };
}

interface PartsOptions {
  log: ProgramLog;
  connections: number;
  applicationName: string;
}

async function composeParts(
  config: Config,
  options: PartsOptions,
): Promise<{ parts: EngineParts; local: LocalTarget; close(): Promise<void> }> {
  const { log } = options;
  const embedded = config.databaseUrl === undefined ? await startEmbedded({ dataDir: config.dataDir, log }) : undefined;
  const database = await openDatabase(embedded?.url ?? config.databaseUrl ?? "", {
    max: options.connections,
    applicationName: options.applicationName,
    log,
  });
  const local = new LocalTarget({ controlSocket: await controlSocket(config) });
  const simulated = new SimulatedTarget({
    store: new SimulatedStateTable<SimulatedEndpoint>(database),
    nowMs: Date.now,
  });
  const parts: EngineParts = {
    database,
    targets: new Map<TargetName, Target>([
      ["local", local],
      ["simulated", simulated],
    ]),
    artifacts: await composeArtifacts(config),
    signatures: { live: localSignatures, simulated: mockSignatures },
    ...(await composePolicy()),
    nowMs: Date.now,
    log,
  };
  const close = async () => {
    await database.close();
    await embedded?.stop();
  };
  return { parts, local, close };
}

async function composePolicy(): Promise<Pick<EngineParts, "policySet" | "prices" | "defaultSettings">> {
  const folder = shippedPolicyFolder();
  const files = readPolicyFiles(folder);
  const set = loadPolicySet(files);
  if (!set.ok) throw policyUnusable(`${set.problem.path}: ${set.problem.message}`);
  const settings = parseSettings(files.find(({ path }) => path === "settings.json")?.text ?? "");
  if (!settings.ok) throw policyUnusable(`settings.json: ${settings.problem.message}`);
  const prices = await filePrices(join(folder, "prices.json")).read();
  return { policySet: set.value, prices, defaultSettings: settings.value };
}

function policyUnusable(why: string): ContinuumError<"policy-unusable"> {
  return new ContinuumError("policy-unusable", `The policy set cannot be used, so nothing can be decided: ${why}`);
}

/** The encrypted store; its key is made at the first start, unless it is kept elsewhere. */
async function composeArtifacts(config: Config): Promise<Artifacts> {
  const { keyReference, maxBytes } = config.artifacts;
  if (keyReference === `file:${join(config.dataDir, "keys", "artifact-store.key")}`) {
    const folder = join(config.dataDir, "keys");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createSecretFile(join(folder, "artifact-store.key"), randomBytes(32));
  }
  const key = await localSecrets({ environment: process.env }).read(keyReference);
  return openLocalArtifacts({ root: join(config.dataDir, "artifacts"), key, sizeBytesMax: maxBytes });
}

/** A unix socket's path has about a hundred characters at most, so a deep data directory gets a short one elsewhere. */
const SOCKET_PATH_MAX = 100;

async function controlSocket(config: Config): Promise<string> {
  const folder = join(config.dataDir, "run");
  const path = join(folder, "serve.sock");
  const mark = createHash("sha256").update(config.dataDir).digest("hex").slice(0, 12);
  const short = join(tmpdir(), `continuum-${mark}`);
  const chosen = path.length <= SOCKET_PATH_MAX ? folder : short;
  await mkdir(chosen, { recursive: true, mode: 0o700 });
  const { uid, mode } = await lstat(chosen);
  // Whoever owns the folder could answer in our place.
  if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o077) !== 0)) {
    throw new ContinuumError(
      "folder-not-private",
      `${chosen} must belong to the user of this program alone, with mode 0700`,
    );
  }
  return join(chosen, "serve.sock");
}
