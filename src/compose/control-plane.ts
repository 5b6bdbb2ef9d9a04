import type { Config } from "../config/schema.ts";
import type { TargetName } from "../core/plan/schema.ts";
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
import { clockProblem, type DatabaseClock, openDatabaseClock } from "../store/database-clock.ts";
import { startEmbedded } from "../store/embedded/embedded.ts";
import { requireSchema } from "../store/migrate.ts";
import { SimulatedStateTable } from "../store/queries/simulated-state.ts";
import { composeArtifacts } from "./compose-artifacts.ts";
import { composeImages } from "./compose-images.ts";
import { composePolicy, type PolicyLoading } from "./compose-policy.ts";
import { composeWebhooks } from "./compose-webhooks.ts";
import { controlSocket } from "./control-socket.ts";
import { DRIVEN_TARGETS, type DrivenTarget } from "./driven-targets.ts";
import { keepRetention } from "./keep-retention.ts";

/** The API of the control plane, on its own or under the supervisor. */
export async function composeApi(
  config: Config,
  { log, version }: { log: ProgramLog; version: string },
): Promise<RunningRole> {
  const { parts, clock, close } = await composeParts(config, {
    log,
    connections: 8,
    applicationName: "continuum-api",
    loadPolicy: "now",
  });
  const own = { config, version, close, clockProblem: () => clockProblem(clock) };
  return startApiRole({ parts: { ...parts, webhooks: composeWebhooks(config) }, ...own }).catch(closing(close));
}

/** A worker, with what it brings this host's targets to. */
export async function composeWorker(config: Config, log: ProgramLog): Promise<RunningRole> {
  const { parts, local, clock, close } = await composeParts(config, {
    log,
    connections: 4,
    applicationName: "continuum-worker",
    loadPolicy: "when-asked",
  });
  const reconcile = createReconciler({ parts, host: config.hostName, sink: local });
  const syncCredentials = createCredentialSync(parts, local);
  const { opsHost, opsPort } = config.worker;
  const own = {
    ...{ host: config.hostName, opsHost, opsPort, webhooks: composeWebhooks(config) },
    clockProblem: () => clockProblem(clock),
  };
  const stopRetention = keepRetention(parts, config);
  const closeAll = async () => {
    await stopRetention();
    await close();
  };
  return startWorkerRole({ parts, ...own, reconcile, syncCredentials, close: closeAll }).catch(closing(closeAll));
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
  loadPolicy: PolicyLoading;
}

async function composeParts(
  config: Config,
  options: PartsOptions,
): Promise<{ parts: EngineParts; local: LocalTarget; clock: DatabaseClock; close(): Promise<void> }> {
  const { log } = options;
  const embedded = config.databaseUrl === undefined ? await startEmbedded({ dataDir: config.dataDir, log }) : undefined;
  const database = await openDatabase(embedded?.url ?? config.databaseUrl ?? "", {
    max: options.connections,
    applicationName: options.applicationName,
    log,
  });
  try {
    await requireSchema(database);
  } catch (error) {
    await database.close();
    await embedded?.stop();
    throw error;
  }
  const clock = await openDatabaseClock(database, {
    onFailure: () => log.warn("clock-not-read", { reason: "the database was not reached" }),
  });
  const wrong = clockProblem(clock);
  if (wrong !== undefined) log.warn("clock-wrong", { reason: wrong });
  const local = new LocalTarget({ controlSocket: await controlSocket(config) });
  const simulated = new SimulatedTarget({
    store: new SimulatedStateTable<SimulatedEndpoint>(database),
    nowMs: clock.nowMs,
  });
  const parts: EngineParts = {
    database,
    targets: targetsOf({ local, simulated }),
    artifacts: await composeArtifacts(config),
    images: composeImages(config),
    signatures: { live: localSignatures, simulated: mockSignatures },
    ...(await composePolicy({ load: options.loadPolicy })),
    nowMs: clock.nowMs,
    log,
  };
  const close = async () => {
    clock.stop();
    await database.close();
    await embedded?.stop();
  };
  return { parts, local, clock, close };
}

function targetsOf(drivers: Record<DrivenTarget, Target>): Map<TargetName, Target> {
  return new Map(DRIVEN_TARGETS.map((name) => [name, drivers[name]]));
}
