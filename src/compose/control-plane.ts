import { join } from "node:path";
import { readPolicyFiles, shippedPolicyFolder } from "../config/policy-files.ts";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import type { TargetName } from "../core/plan/schema.ts";
import { loadPolicySet } from "../core/policy/load-policy-set.ts";
import { parseSettings } from "../core/policy/settings.ts";
import { filePrices } from "../drivers/prices/file/file-prices.ts";
import { localSignatures } from "../drivers/signatures/local/local-signatures.ts";
import { mockSignatures } from "../drivers/signatures/mock/mock-signatures.ts";
import { LocalTarget } from "../drivers/target/local/local-target.ts";
import type { SimulatedEndpoint } from "../drivers/target/simulated/simulated-store.ts";
import { SimulatedTarget } from "../drivers/target/simulated/simulated-target.ts";
import type { Target } from "../drivers/target/target.ts";
import { createCredentialSync } from "../engine/credential-sync.ts";
import type { EngineParts } from "../engine/engine.ts";
import { createReconciler } from "../engine/reconcile.ts";
import { startApiRole } from "../roles/api-role.ts";
import type { ProgramLog } from "../roles/program-log.ts";
import type { RunningRole } from "../roles/role-process.ts";
import { startWorkerRole } from "../roles/worker-role.ts";
import { openDatabase } from "../store/database.ts";
import { startEmbedded } from "../store/embedded/embedded.ts";
import { SimulatedStateTable } from "../store/queries/simulated-state.ts";
import { composeArtifacts } from "./compose-artifacts.ts";
import { controlSocket } from "./control-socket.ts";
import { DRIVEN_TARGETS, type DrivenTarget } from "./driven-targets.ts";

/** The API of the control plane, on its own or under the supervisor. */
export async function composeApi(
  config: Config,
  { log, version }: { log: ProgramLog; version: string },
): Promise<RunningRole> {
  const { parts, close } = await composeParts(config, { log, connections: 8, applicationName: "continuum-api" });
  return startApiRole({ parts, config, version, close }).catch(closing(close));
}

/** A worker, with what it brings this host's targets to. */
export async function composeWorker(config: Config, log: ProgramLog): Promise<RunningRole> {
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
    targets: targetsOf({ local, simulated }),
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

function targetsOf(drivers: Record<DrivenTarget, Target>): Map<TargetName, Target> {
  return new Map(DRIVEN_TARGETS.map((name) => [name, drivers[name]]));
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
