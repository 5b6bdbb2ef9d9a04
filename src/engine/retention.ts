import { createHash } from "node:crypto";
import type { Transaction } from "../store/database.ts";
import { removeAlarms } from "../store/queries/alarms.ts";
import { removeGroundTruth } from "../store/queries/ground-truth.ts";
import { removeMonitoring } from "../store/queries/monitor-windows.ts";
import {
  lastSweepMs,
  lockSweep,
  type Removed,
  recordSweep,
  removeDeliveries,
  removeEvents,
  removeIdempotencyKeys,
  removeJobs,
} from "../store/queries/retention.ts";
import { listTenants } from "../store/queries/tenant-list.ts";
import { appendAudit } from "./audit-log.ts";
import { type EngineParts, SYSTEM } from "./engine.ts";

/** How long what is past is kept, in days; 0 keeps it for good. The audit log is always kept. */
export interface RetentionPolicy {
  eventsDays: number;
  idempotencyDays: number;
  deliveriesDays: number;
  captureDays: number;
  monitorDays: number;
}

/** The capture of one host: removes what was last written before then, and tells of each tenant how many files. */
export type RemoveCapture = (beforeMs: number) => Promise<Removed[]>;

type RetentionParts = Pick<EngineParts, "database" | "nowMs" | "log">;

const DAY_MS = 24 * 3600 * 1000;
/** Kept by the contract: an answer can be asked for again this long. */
const IDEMPOTENCY_DAYS_MIN = 1;

/**
 * Removes from the database what is past its time, once a day, whichever worker comes first; the others find it done.
 * Each removal stands in the tenant's audit log with it: what, how many, and up to when. Answers whether it swept.
 */
export async function sweepDatabase(parts: RetentionParts, policy: RetentionPolicy): Promise<boolean> {
  return oncePerDay(parts, "database", async () => {
    await removeAll(parts, { kind: "rollout-events", days: policy.eventsDays }, async (tx, beforeMs) => {
      const { rollouts, removed } = await removeEvents(tx, beforeMs);
      return { more: rollouts > 0, removed };
    });
    const rowsOf = (remove: typeof removeJobs) => async (tx: Transaction, beforeMs: number) => {
      const removed = await remove(tx, beforeMs);
      return { more: removed.length > 0, removed };
    };
    const idempotencyDays = policy.idempotencyDays === 0 ? 0 : Math.max(IDEMPOTENCY_DAYS_MIN, policy.idempotencyDays);
    await removeAll(parts, { kind: "idempotency-keys", days: idempotencyDays }, rowsOf(removeIdempotencyKeys));
    await removeAll(parts, { kind: "webhook-deliveries", days: policy.deliveriesDays }, rowsOf(removeDeliveries));
    await removeAll(parts, { kind: "jobs", days: policy.eventsDays }, rowsOf(removeJobs));
    await removeAll(parts, { kind: "monitoring", days: policy.monitorDays }, rowsOf(removeMonitoring));
    await removeAll(parts, { kind: "alarms", days: policy.monitorDays }, rowsOf(removeAlarms));
    await removeAll(parts, { kind: "ground-truth", days: policy.monitorDays }, rowsOf(removeGroundTruth));
  });
}

/** The same for what the data plane of this host has captured. */
export async function sweepCapture(
  parts: RetentionParts,
  { policy, host, remove }: { policy: RetentionPolicy; host: string; remove: RemoveCapture },
): Promise<boolean> {
  if (policy.captureDays === 0) return false;
  const scope = `capture/${createHash("sha256").update(host).digest("hex").slice(0, 16)}`;
  return oncePerDay(parts, scope, async () => {
    const beforeMs = parts.nowMs() - policy.captureDays * DAY_MS;
    const removed = await remove(beforeMs);
    await parts.database.transaction(async (tx) => {
      // A folder of a tenant that this database does not know has no log to stand in.
      const known = new Set(await listTenants(tx));
      const told = removed.filter(({ tenant }) => known.has(tenant));
      await tell(tx, { removed: told, kind: "capture-files", beforeMs, atMs: parts.nowMs() });
    });
    logRemoved(parts, "capture-files", removed);
  });
}

/** What is removed may take a while, and the lock holds up only those who would remove the same. */
const RESTING = { mayRest: true } as const;

async function oncePerDay(parts: RetentionParts, scope: string, sweep: () => Promise<void>): Promise<boolean> {
  const isDue = async () => parts.nowMs() - (await lastSweepMs(parts.database, scope)) >= DAY_MS;
  if (!(await isDue())) return false;
  // This transaction is only for its lock: what is removed is committed batch by batch beside it.
  return parts.database.transaction(async (lock) => {
    if (!(await lockSweep(lock, scope)) || !(await isDue())) return false;
    await sweep();
    await recordSweep(parts.database, scope, parts.nowMs());
    return true;
  }, RESTING);
}

async function removeAll(
  parts: RetentionParts,
  { kind, days }: { kind: string; days: number },
  remove: (tx: Transaction, beforeMs: number) => Promise<{ more: boolean; removed: Removed[] }>,
): Promise<void> {
  if (days === 0) return;
  const beforeMs = parts.nowMs() - days * DAY_MS;
  for (let more = true; more; ) {
    const batch = await parts.database.transaction(async (tx) => {
      const done = await remove(tx, beforeMs);
      await tell(tx, { removed: done.removed, kind, beforeMs, atMs: parts.nowMs() });
      return done;
    });
    more = batch.more;
    logRemoved(parts, kind, batch.removed);
  }
}

async function tell(
  tx: Transaction,
  { removed, kind, beforeMs, atMs }: { removed: Removed[]; kind: string; beforeMs: number; atMs: number },
): Promise<void> {
  for (const { tenant, count } of removed)
    await appendAudit(tx, {
      ...{ tenant, atMs, actor: SYSTEM, action: "retention.remove", subject: `retention:${kind}`, outcome: "accepted" },
      details: { kind, count, before: new Date(beforeMs).toISOString() },
    });
}

function logRemoved({ log }: RetentionParts, kind: string, removed: Removed[]): void {
  const count = removed.reduce((sum, one) => sum + one.count, 0);
  if (count > 0) log.info("retention-removed", { reason: kind, count });
}
