import type { Config } from "../config/schema.ts";
import type { TargetName } from "../core/plan/schema.ts";
import { localSignatures } from "../drivers/signatures/local/local-signatures.ts";
import { mockSignatures } from "../drivers/signatures/mock/mock-signatures.ts";
import { LocalTarget } from "../drivers/target/local/local-target.ts";
import type { SimulatedEndpoint } from "../drivers/target/simulated/simulated-store.ts";
import { SimulatedTarget } from "../drivers/target/simulated/simulated-target.ts";
import type { Target } from "../drivers/target/target.ts";
import { createServiceAlarms } from "../engine/alarms/service-alarms.ts";
import { createCredentialSync } from "../engine/credential-sync.ts";
import type { EngineParts } from "../engine/engine.ts";
import { monitorMetrics } from "../engine/monitor/monitor-metrics.ts";
import { readPolicyInForce } from "../engine/policy-book.ts";
import { createReconciler } from "../engine/reconcile.ts";
import { startApiRole } from "../roles/api-role.ts";
import type { ProgramLog } from "../roles/program-log.ts";
import type { RunningRole } from "../roles/role-process.ts";
import { startWorkerRole } from "../roles/worker-role.ts";
import { openDatabase } from "../store/database.ts";
import { clockProblem, type DatabaseClock, openDatabaseClock } from "../store/database-clock.ts";
import { startEmbedded } from "../store/embedded/embedded.ts";
import { requireFitLogin } from "../store/login-check.ts";
import { requireSchema } from "../store/migrate.ts";
import { SimulatedStateTable, tenantOfKey } from "../store/queries/simulated-state.ts";
import { listTenants } from "../store/queries/tenant-list.ts";
import { tenantExists } from "../store/queries/tenants.ts";
import { DATABASE_ROLES, type DatabaseRole } from "../store/roles.ts";
import { composeArtifacts } from "./compose-artifacts.ts";
import { composeAudit } from "./compose-audit.ts";
import { composeGroundTruth } from "./compose-ground-truth.ts";
import { composeImages } from "./compose-images.ts";
import { composePeople } from "./compose-people.ts";
import { checkPolicyInForce, composePolicy, type PolicyLoading, policyBundleSecret } from "./compose-policy.ts";
import { composeTenancy, composeWorkloadIssuer } from "./compose-tenancy.ts";
import { composeTls } from "./compose-tls.ts";
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
    role: "api",
    loadPolicy: "now",
  });
  await settleFirstPolicies(parts, [config.tenant]).catch(closing(close));
  const people = (boundUrl: () => string | undefined) => composePeople(config, boundUrl);
  const own = { config, version, close, people, tls: composeTls(config), clockProblem: () => clockProblem(clock) };
  const workloadIssuer = composeWorkloadIssuer(config);
  const issuer = workloadIssuer === undefined ? {} : { workloadIssuer };
  const bundles = { secret: () => policyBundleSecret(config), validDays: config.policy.bundleDays };
  return startApiRole({
    parts: {
      ...parts,
      ...(config.monitor.enabled ? { monitorMetrics: monitorMetrics(parts) } : {}),
      bundles,
      checkpoints: composeAudit(config),
      tenancy: composeTenancy(config),
      ...issuer,
      webhooks: composeWebhooks(config),
      groundTruth: composeGroundTruth(config),
    },
    ...own,
  }).catch(closing(close));
}

/** A worker, with what it brings this host's targets to. */
export async function composeWorker(config: Config, log: ProgramLog): Promise<RunningRole> {
  const {
    parts: shared,
    local,
    clock,
    close,
  } = await composeParts(config, {
    log,
    connections: 4,
    role: "worker",
    loadPolicy: "when-asked",
  });
  // Where no monitor runs, it has no part in a verdict; where one should and does not, nothing passes.
  const parts = config.monitor.enabled ? { ...shared, monitorMetrics: monitorMetrics(shared) } : shared;
  await settleFirstPolicies(parts, await listTenants(parts.database).catch(closing(close))).catch(closing(close));
  const reconcile = createReconciler({
    ...{ parts, host: config.hostName, sink: local },
    described: createServiceAlarms(parts),
  });
  const syncCredentials = createCredentialSync(parts, local);
  const { opsHost, opsPort } = config.worker;
  const own = {
    ...{
      host: config.hostName,
      opsHost,
      opsPort,
      checkpoints: composeAudit(config),
      webhooks: composeWebhooks(config),
    },
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
export function closing(close: () => Promise<void>): (error: unknown) => Promise<never> {
  return async (error) => {
    await close();
    throw error;
  };
}

/** The program's own set comes into force as a tenant's first, before anybody asks for a decision or passes a gate. */
async function settleFirstPolicies(parts: EngineParts, tenants: readonly string[]): Promise<void> {
  for (const tenant of tenants) {
    const database = parts.database.forTenant(tenant);
    if (await tenantExists(database, tenant)) await readPolicyInForce(database, parts, tenant);
  }
}

interface PartsOptions {
  log: ProgramLog;
  connections: number;
  role: DatabaseRole;
  loadPolicy: PolicyLoading;
}

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
