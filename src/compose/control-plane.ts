import type { Config } from "../config/schema.ts";
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
import { clockProblem } from "../store/database-clock.ts";
import { listTenants } from "../store/queries/tenant-list.ts";
import { tenantExists } from "../store/queries/tenants.ts";
import { composeAudit } from "./compose-audit.ts";
import { composeGroundTruth } from "./compose-ground-truth.ts";
import { closing, composeParts } from "./compose-parts.ts";
import { composePeople } from "./compose-people.ts";
import { policyBundleSecret } from "./compose-policy.ts";
import { composeTenancy, composeWorkloadIssuer } from "./compose-tenancy.ts";
import { composeTls } from "./compose-tls.ts";
import { composeWebhooks } from "./compose-webhooks.ts";
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

/** The program's own set comes into force as a tenant's first, before anybody asks for a decision or passes a gate. */
async function settleFirstPolicies(parts: EngineParts, tenants: readonly string[]): Promise<void> {
  for (const tenant of tenants) {
    const database = parts.database.forTenant(tenant);
    if (await tenantExists(database, tenant)) await readPolicyInForce(database, parts, tenant);
  }
}
