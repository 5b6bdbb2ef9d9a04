import type { Config } from "../config/schema.ts";
import type { TargetName } from "../core/plan/schema.ts";
import { localSignatures } from "../drivers/signatures/local/local-signatures.ts";
import { mockSignatures } from "../drivers/signatures/mock/mock-signatures.ts";
import { LocalTarget } from "../drivers/target/local/local-target.ts";
import type { SimulatedEndpoint } from "../drivers/target/simulated/simulated-store.ts";
import { SimulatedTarget } from "../drivers/target/simulated/simulated-target.ts";
import type { Target } from "../drivers/target/target.ts";
import type { EngineParts } from "../engine/engine.ts";
import type { ProgramLog } from "../roles/program-log.ts";
import { openDatabase } from "../store/database.ts";
import { clockProblem, type DatabaseClock, openDatabaseClock } from "../store/database-clock.ts";
import { startEmbedded } from "../store/embedded/embedded.ts";
import { requireFitLogin } from "../store/login-check.ts";
import { requireSchema } from "../store/migrate.ts";
import { SimulatedStateTable, tenantOfKey } from "../store/queries/simulated-state.ts";
import { DATABASE_ROLES, type DatabaseRole } from "../store/roles.ts";
import { composeArtifacts } from "./compose-artifacts.ts";
import { composeImages } from "./compose-images.ts";
import { checkPolicyInForce, composePolicy, type PolicyLoading } from "./compose-policy.ts";
import { controlSocket } from "./control-socket.ts";
import { DRIVEN_TARGETS, type DrivenTarget } from "./driven-targets.ts";

interface PartsOptions {
  log: ProgramLog;
  connections: number;
  role: DatabaseRole;
  loadPolicy: PolicyLoading;
}

/** What every role of the control plane stands on. It is apart from them, so that one does not load the others. */
export async function composeParts(
  config: Config,
  options: PartsOptions,
): Promise<{ parts: EngineParts; local: LocalTarget; clock: DatabaseClock; close(): Promise<void> }> {
  const { log } = options;
  const { role } = options;
  const own = config[role].databaseUrl ?? config.databaseUrl;
  const embedded = own === undefined ? await startEmbedded({ dataDir: config.dataDir, log }) : undefined;
  const database = await openDatabase(embedded?.urlAs(role) ?? own ?? "", {
    max: options.connections,
    applicationName: `continuum-${role}`,
    log,
  });
  try {
    await requireSchema(database);
    const excess = await requireFitLogin(database, {
      role,
      roles: embedded === undefined ? config.databaseRoles : DATABASE_ROLES,
      allowPrivileged: config.allowPrivilegedDatabaseRole,
    });
    if (excess !== undefined) log.warn("database-login-privileged", { reason: `it ${excess}` });
    // The API sees one tenant's rows at a time; a worker sees them all.
    const view = options.loadPolicy === "now" ? database.forTenant(config.tenant) : database;
    await checkPolicyInForce(view, config, log);
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
    // The API sees one tenant's at a time, and the key says whose it is.
    store: new SimulatedStateTable<SimulatedEndpoint>(
      role === "api" ? (key) => database.forTenant(tenantOfKey(key)) : database,
    ),
    nowMs: clock.nowMs,
  });
  const parts: EngineParts = {
    database,
    targets: targetsOf({ local, simulated }),
    artifacts: await composeArtifacts(config),
    images: composeImages(config),
    signatures: { live: localSignatures, simulated: mockSignatures },
    ...(await composePolicy({ load: options.loadPolicy, policyDir: config.policyDir })),
    approvalExpirySeconds: config.approvals.expirySeconds,
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

/** What is open would keep a process alive whose role could not start. */
export function closing(close: () => Promise<void>): (error: unknown) => Promise<never> {
  return async (error) => {
    await close();
    throw error;
  };
}
