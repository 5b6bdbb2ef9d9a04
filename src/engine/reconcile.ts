import { sha256Digest } from "../core/plan/canonical.ts";
import type { TargetName } from "../core/plan/schema.ts";
import type { EndpointRef } from "../core/rollout/rollout.ts";
import type { Effect, EndpointStatus, Target, TenantEndpoint } from "../drivers/target/target.ts";
import type { Transaction } from "../store/database.ts";
import { lockEndpoint, nextGeneration } from "../store/queries/endpoints.ts";
import { isOfLostTime } from "../store/queries/restored-work.ts";
import { readSnapshot } from "../store/queries/rollouts.ts";
import type { Described } from "./alarms/service-alarms.ts";
import { type AuditFact, appendAudit } from "./audit-log.ts";
import { type CredentialSink, createCredentialSync } from "./credential-sync.ts";
import type { Desired } from "./endpoint-rows.ts";
import { type EngineParts, SYSTEM } from "./engine.ts";
import { EngineError } from "./engine-error.ts";
import { RECONCILED_GUARD } from "./version.ts";

export type { CredentialSink, InvokeCredential } from "./credential-sync.ts";

export interface ReconcilerOptions {
  parts: Pick<EngineParts, "database" | "targets" | "nowMs" | "log">;
  /** Endpoints that name another host are left alone. */
  host: string;
  sink?: CredentialSink;
  /** Targets whose state lives on this host. Default: the local one. */
  targets?: readonly TargetName[];
  /** Hears what each look found. */
  described?: Described;
}

type Deviation =
  /** Another version serves, or none. */
  | { what: "version"; version: Desired["version"] }
  | { what: "instances"; instanceCount: number }
  /** Something serves that was removed. */
  | { what: "leftover" }
  /** A version of a rollout that ended: its rollback failed, and it may still take a share of the traffic. */
  | { what: "candidate"; variant: string };

const LOCK_KEY = 7_266_816_004;
/** Every try stands in the audit log for good, so what fails again and again is tried more and more rarely. */
const RETRY_MS = 2000;
const RETRY_MS_MAX = 10 * 60_000;

/** What the looks of one reconciler know. */
interface Looks {
  /** What deviated at the last look. One look alone may have fallen between a commit and its effect. */
  before: ReadonlyMap<string, string>;
  after: Map<string, string>;
  /** What could not be put right, until it is. */
  failures: Map<string, { mark: string; count: number; notBeforeMs: number }>;
  /** What was said to be newer than the backup. */
  ahead: Set<string>;
}

/**
 * Brings the targets of this host to what the database wants, where nothing is under way: after the serving process lost
 * its state, and after a crash between a scale or a delete and its effect. A rollout heals itself through its jobs, so
 * an endpoint that one holds is left alone. Answers a function to be called now and then; it throws only when the
 * database is away.
 */
export function createReconciler(options: ReconcilerOptions): () => Promise<void> {
  const { parts, sink, targets = ["local"] } = options;
  const syncCredentials = sink === undefined ? undefined : createCredentialSync(parts, sink);
  let before = new Map<string, string>();
  const failures: Looks["failures"] = new Map();
  const ahead: Looks["ahead"] = new Set();
  let away = false;
  return async () => {
    const after = new Map<string, string>();
    try {
      await syncCredentials?.();
      for (const name of targets) {
        const target = parts.targets.get(name);
        if (target !== undefined) await reconcileTarget(options, target, { before, after, failures, ahead });
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

async function reconcileTarget(options: ReconcilerOptions, target: Target, looks: Looks): Promise<void> {
  const { parts, host, described } = options;
  for (const endpoint of await restingEndpoints(parts, { target: target.name, host })) {
    const status = await target.describe(endpoint);
    if (status !== undefined) await described?.({ tenant: endpoint.tenant, endpoint: endpoint.endpoint }, status);
    const deviation = deviationOf(endpoint.desired, status);
    const key = JSON.stringify([target.name, endpoint.tenant, endpoint.endpoint]);
    const mark = JSON.stringify(deviation);
    const failed = looks.failures.get(key);
    if (failed?.mark !== mark) looks.failures.delete(key);
    if (deviation === undefined) continue;
    looks.after.set(key, mark);
    if (looks.before.get(key) !== mark) continue;
    if (status !== undefined && (await isAhead(parts, endpoint, status, looks))) continue;
    if (failed?.mark === mark && parts.nowMs() < failed.notBeforeMs) continue;
    const healed = await healAlone(parts, target, { at: endpoint, deviation });
    if (healed !== false) continue;
    const count = failed?.mark === mark ? failed.count + 1 : 1;
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** count);
    looks.failures.set(key, { mark, count, notBeforeMs: parts.nowMs() + waitMs });
  }
}

/**
 * After a restore a target that lived on may serve what was deployed since the backup. That is newer than what the
 * database wants, and is not undone: a deployment of somebody who knows decides. It is said once, not at every look.
 */
async function isAhead(
  { database, log }: ReconcilerOptions["parts"],
  { tenant, endpoint }: Resting,
  { generation }: EndpointStatus,
  { ahead }: Looks,
): Promise<boolean> {
  if (!(await isOfLostTime(database, generation))) return false;
  const key = JSON.stringify([tenant, endpoint, generation]);
  if (!ahead.has(key)) {
    const named = `${endpoint.environment}-${endpoint.name}`;
    log.warn("endpoint-ahead-of-backup", { tenant, endpoint: named, target: endpoint.target, generation });
  }
  ahead.add(key);
  return true;
}

interface Repair {
  at: Resting;
  deviation: Deviation;
}

/** The target may take its time while the lock is held. */
const RESTING = { mayRest: true } as const;

/**
 * Of several workers on this host one heals, and the others look again. The outer transaction is only for its lock;
 * the repair's number and its entry in the audit log are committed by themselves, before the first effect. Answers
 * whether the target took the repair; undefined when there is none to make.
 */
async function healAlone(
  parts: ReconcilerOptions["parts"],
  target: Target,
  repair: Repair,
): Promise<boolean | undefined> {
  return parts.database.transaction(async (lock) => {
    const { rows } = await lock.query<{ locked: boolean }>("SELECT pg_try_advisory_xact_lock($1) AS locked", [
      LOCK_KEY,
    ]);
    if (rows[0]?.locked !== true) return undefined;
    // Another worker may have healed it just before this one got the lock.
    const still = deviationOf(repair.at.desired, await target.describe(repair.at));
    if (JSON.stringify(still) !== JSON.stringify(repair.deviation)) return undefined;
    const generation = await parts.database.transaction((tx) => announce(tx, repair, parts.nowMs()));
    return generation === undefined ? undefined : heal(parts, target, { ...repair, generation });
  }, RESTING);
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
     WHERE target = $1 AND coalesce(host = $2, true) AND ${TOUCHED} AND ${AT_REST}`,
    [at.target, at.host],
  );
  return rows.map(({ tenant, desired, ...endpoint }) => ({ tenant, endpoint, desired }));
}

/**
 * A local endpoint has its host from the first snapshot on, which comes before every effect: one without was only ever
 * proposed, and there may be thousands of those that wait for an approval. A backup knows nothing of what came after it.
 */
const TOUCHED = `(target <> 'local' OR host IS NOT NULL OR desired IS NOT NULL OR generation > 0
  OR EXISTS (SELECT FROM restores))`;

const AT_REST = `NOT EXISTS (SELECT 1 FROM rollouts r WHERE r.active
  AND (r.tenant, r.environment, r.target, r.name) = (e.tenant, e.environment, e.target, e.name))`;

function deviationOf(desired: Desired | null, status: EndpointStatus | undefined): Deviation | undefined {
  if (desired === null) return status === undefined ? undefined : { what: "leftover" };
  const stable = status?.variants.find(({ role }) => role === "stable");
  const { version } = desired;
  if (stable?.variant !== version.variant || stable.artifactDigest !== version.artifactDigest) {
    return { what: "version", version };
  }
  const candidate = status?.variants.find(({ role }) => role === "candidate");
  if (candidate !== undefined) return { what: "candidate", variant: candidate.variant };
  if (stable.replicas.wanted === version.instanceCount) return undefined;
  return { what: "instances", instanceCount: version.instanceCount };
}

async function heal(
  parts: ReconcilerOptions["parts"],
  target: Target,
  { at, deviation, generation }: Repair & { generation: number },
): Promise<boolean> {
  const { environment, name } = at.endpoint;
  const facts = { tenant: at.tenant, endpoint: `${environment}-${name}`, target: target.name };
  const effect = (step: string): Effect => ({
    ...{ tenant: at.tenant, endpoint: at.endpoint, generation, idempotencyKey: `reconcile/${generation}/${step}` },
  });
  try {
    if (deviation.what === "leftover") await target.remove(effect("remove"));
    else if (deviation.what === "instances") await target.scale(effect("scale"), deviation.instanceCount);
    else if (deviation.what === "candidate") await rollBack(parts, target, { at, deviation }, effect("rollback"));
    else {
      await target.provision(effect("provision"), deviation.version);
      await target.shift(effect("shift"), { percent: 100, guard: RECONCILED_GUARD });
      await target.promote(effect("promote"));
    }
    parts.log.warn("endpoint-reconciled", { ...facts, generation, reason: deviation.what });
    return true;
  } catch (error) {
    const away = isUnreachable(error);
    if (!away) parts.log.error("endpoint-not-reconciled", { ...facts, generation, reason: String(error) });
    const fact = repairFact({ at, deviation }, { generation, outcome: "failed", atMs: parts.nowMs() });
    await parts.database.transaction((tx) => appendAudit(tx, fact));
    if (away) throw error;
    return false;
  }
}

/** What the rollout could not do at its end: back to its own snapshot. It stays Failed all the same. */
async function rollBack(
  parts: ReconcilerOptions["parts"],
  target: Target,
  { at, deviation }: { at: Resting; deviation: Extract<Deviation, { what: "candidate" }> },
  effect: Effect,
): Promise<void> {
  const stored = await readSnapshot(parts.database, at.tenant, deviation.variant);
  if (stored === undefined || sha256Digest(stored.bytes) !== stored.sha256)
    throw new EngineError("snapshot-missing", `The snapshot of ${deviation.variant} is not there or was changed.`);
  await target.rollback(effect, stored.bytes);
}

/**
 * Takes the generation of a repair and writes down that it begins, both while it is certain that no rollout holds the
 * endpoint: the effects of one that begins later carry a higher one, and what is done here is refused from then on.
 * Undefined when a rollout holds the endpoint by now, or what is wanted has changed.
 */
async function announce(tx: Transaction, repair: Repair, atMs: number): Promise<number | undefined> {
  const { at } = repair;
  const { environment, target, name } = at.endpoint;
  // A statement of its own: what is read after it has waited sees the rollout that it waited for.
  await lockEndpoint(tx, { tenant: at.tenant, ...at.endpoint });
  const { rows } = await tx.query(
    `SELECT FROM endpoints e
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND desired IS NOT DISTINCT FROM $5 AND ${AT_REST}`,
    [at.tenant, environment, target, name, at.desired === null ? null : JSON.stringify(at.desired)],
  );
  if (rows.length === 0) return undefined;
  const generation = await nextGeneration(tx);
  await appendAudit(tx, repairFact(repair, { generation, outcome: "accepted", atMs }));
  return generation;
}

function repairFact(
  { at, deviation }: Repair,
  { generation, outcome, atMs }: { generation: number; outcome: "accepted" | "failed"; atMs: number },
): AuditFact {
  const { environment, target, name } = at.endpoint;
  const endpoint = `${environment}/${target}/${name}`;
  const wanted =
    deviation.what === "version"
      ? { artifactDigest: deviation.version.artifactDigest, instanceCount: deviation.version.instanceCount }
      : deviation.what === "instances"
        ? { instanceCount: deviation.instanceCount }
        : {};
  return {
    ...{
      tenant: at.tenant,
      atMs,
      actor: SYSTEM,
      action: "endpoint.reconcile",
      subject: `endpoint:${endpoint}`,
      outcome,
    },
    details: { endpoint, generation, reason: deviation.what, ...wanted },
  };
}

function isUnreachable(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "unreachable";
}
