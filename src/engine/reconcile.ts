import type { TargetName } from "../core/plan/schema.ts";
import type { EndpointRef } from "../core/rollout/rollout.ts";
import type { Effect, EndpointStatus, Target, TenantEndpoint } from "../drivers/target/target.ts";
import type { Transaction } from "../store/database.ts";
import { type CredentialSink, createCredentialSync } from "./credential-sync.ts";
import type { Desired } from "./endpoint-rows.ts";
import type { EngineParts } from "./engine.ts";
import { RECONCILED_GUARD } from "./version.ts";

export type { CredentialSink, InvokeCredential } from "./credential-sync.ts";

export interface ReconcilerOptions {
  parts: Pick<EngineParts, "database" | "targets" | "nowMs" | "log">;
  /** Endpoints that name another host are left alone. */
  host: string;
  sink?: CredentialSink;
  /** Targets whose state lives on this host. Default: the local one. */
  targets?: readonly TargetName[];
}

type Deviation =
  /** Another version serves, or none. */
  | { what: "version"; version: Desired["version"] }
  | { what: "instances"; instanceCount: number }
  /** Something serves that was removed. */
  | { what: "leftover" };

const LOCK_KEY = 7_266_816_004;

/**
 * Brings the targets of this host to what the database wants, where nothing is under way: after the serving process lost
 * its state, and after a crash between a scale or a delete and its effect. A rollout heals itself through its jobs, so
 * an endpoint that one holds is left alone. Answers a function to be called now and then; it throws only when the
 * database is away.
 */
export function createReconciler(options: ReconcilerOptions): () => Promise<void> {
  const { parts, sink, targets = ["local"] } = options;
  const syncCredentials = sink === undefined ? undefined : createCredentialSync(parts, sink);
  /** What deviated at the last look. One look alone may have fallen between a commit and its effect. */
  let before = new Map<string, string>();
  let away = false;
  return async () => {
    const after = new Map<string, string>();
    try {
      await syncCredentials?.();
      for (const name of targets) {
        const target = parts.targets.get(name);
        if (target !== undefined) await reconcileTarget(options, target, { before, after });
      }
      away = false;
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      // It is said once and not at every look while the serving process is down.
      if (!away) parts.log.warn("target-unreachable", { host: options.host, reason: String(error) });
      away = true;
    }
    before = after;
  };
}

async function reconcileTarget(
  { parts, host }: ReconcilerOptions,
  target: Target,
  looks: { before: ReadonlyMap<string, string>; after: Map<string, string> },
): Promise<void> {
  for (const endpoint of await restingEndpoints(parts, { target: target.name, host })) {
    const deviation = deviationOf(endpoint.desired, await target.describe(endpoint));
    if (deviation === undefined) continue;
    const key = JSON.stringify([endpoint.tenant, endpoint.endpoint]);
    const mark = JSON.stringify(deviation);
    looks.after.set(key, mark);
    if (looks.before.get(key) !== mark) continue;
    // The transaction is only for its lock: of several workers on this host one heals, and the others look again.
    await parts.database.transaction(async (tx) => {
      const generation = await generationAtRest(tx, endpoint);
      if (generation === undefined) return;
      // Another worker may have healed it just before this one got the lock.
      const still = JSON.stringify(deviationOf(endpoint.desired, await target.describe(endpoint)));
      if (still === mark) await heal(parts, target, { at: endpoint, deviation, generation });
    });
  }
}

interface Resting extends TenantEndpoint {
  desired: Desired | null;
}

async function restingEndpoints(
  parts: ReconcilerOptions["parts"],
  at: { target: TargetName; host: string },
): Promise<Resting[]> {
  const { rows } = await parts.database.query<{ tenant: string; desired: Desired | null } & EndpointRef>(
    `SELECT tenant, environment, target, name, desired FROM endpoints e
     WHERE target = $1 AND coalesce(host = $2, true) AND ${AT_REST}`,
    [at.target, at.host],
  );
  return rows.map(({ tenant, desired, ...endpoint }) => ({ tenant, endpoint, desired }));
}

const AT_REST = `NOT EXISTS (SELECT 1 FROM rollouts r WHERE r.active
  AND (r.tenant, r.environment, r.target, r.name) = (e.tenant, e.environment, e.target, e.name))`;

function deviationOf(desired: Desired | null, status: EndpointStatus | undefined): Deviation | undefined {
  if (desired === null) return status === undefined ? undefined : { what: "leftover" };
  const stable = status?.variants.find(({ role }) => role === "stable");
  const { version } = desired;
  if (stable?.variant !== version.variant || stable.artifactDigest !== version.artifactDigest) {
    return { what: "version", version };
  }
  if (stable.replicas.wanted === version.instanceCount) return undefined;
  return { what: "instances", instanceCount: version.instanceCount };
}

async function heal(
  parts: ReconcilerOptions["parts"],
  target: Target,
  { at, deviation, generation }: { at: TenantEndpoint; deviation: Deviation; generation: number },
): Promise<void> {
  const { environment, name } = at.endpoint;
  const facts = { tenant: at.tenant, endpoint: `${environment}-${name}`, target: target.name };
  const effect = (step: string): Effect => ({
    ...{ tenant: at.tenant, endpoint: at.endpoint, generation, idempotencyKey: `reconcile/${generation}/${step}` },
  });
  try {
    if (deviation.what === "leftover") await target.remove(effect("remove"));
    else if (deviation.what === "instances") await target.scale(effect("scale"), deviation.instanceCount);
    else {
      await target.provision(effect("provision"), deviation.version);
      await target.shift(effect("shift"), { percent: 100, guard: RECONCILED_GUARD });
      await target.promote(effect("promote"));
    }
    parts.log.warn("endpoint-reconciled", { ...facts, generation, reason: deviation.what });
  } catch (error) {
    if (isUnreachable(error)) throw error;
    parts.log.error("endpoint-not-reconciled", { ...facts, generation, reason: String(error) });
  }
}

/**
 * The generation is taken while it is certain that no rollout holds the endpoint: the effects of one that begins later
 * carry a higher one, and what is done here is refused from then on. Undefined when a rollout holds the endpoint by
 * now, what is wanted has changed, or another worker is healing.
 */
async function generationAtRest(tx: Transaction, at: Resting): Promise<number | undefined> {
  const { environment, target, name } = at.endpoint;
  const { rows: locks } = await tx.query<{ locked: boolean }>("SELECT pg_try_advisory_xact_lock($1) AS locked", [
    LOCK_KEY,
  ]);
  if (locks[0]?.locked !== true) return undefined;
  const { rows } = await tx.query<{ generation: number }>(
    `SELECT nextval('effect_generation') AS generation FROM endpoints e
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND desired IS NOT DISTINCT FROM $5 AND ${AT_REST}`,
    [at.tenant, environment, target, name, at.desired === null ? null : JSON.stringify(at.desired)],
  );
  return rows[0]?.generation;
}

function isUnreachable(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "unreachable";
}
