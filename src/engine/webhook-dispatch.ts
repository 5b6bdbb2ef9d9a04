import { decodeEntry } from "../core/audit/entry.ts";
import {
  countsAgainstBreaker,
  type Notification,
  notificationsOf,
  type PlacedEntry,
} from "../core/notification/notification.ts";
import type { Queryable, Transaction } from "../store/database.ts";
import { type AuditRow, positionedEntries, readAuditTree } from "../store/queries/audit.ts";
import { readDecisionFacts } from "../store/queries/decision-facts.ts";
import { insertDeliveries, type NewDelivery } from "../store/queries/webhook-deliveries.ts";
import {
  enabledWebhooks,
  moveWebhookCursor,
  readWebhook,
  takeWebhookCursor,
  type WebhookRow,
} from "../store/queries/webhooks.ts";
import { sequenceAudit } from "./audit-log.ts";
import { breakerState } from "./breaker.ts";
import { endpointBreaker } from "./facts.ts";
import type { PolicyParts } from "./policy-book.ts";
import type { TellingParts } from "./webhook-parts.ts";

/** Turning what the audit log holds into deliveries. The log is the outbox: nothing of this is done in a commit. */

type Parts = Pick<TellingParts, "database"> & PolicyParts;

const BATCH = 200;
/** What one replay begins at most; it says when there is more. */
const REPLAY_ENTRIES_MAX = 20_000;

/**
 * Makes the deliveries of what the tenant's log told since the last time. The cursor moves in the transaction that makes
 * them: each entry counts once, whoever dies when. Answers how many were made.
 */
export async function dispatchNotifications(parts: Parts, tenant: string): Promise<number> {
  await sequenceAudit(parts.database, tenant);
  let made = 0;
  for (;;) {
    const batch = await parts.database.transaction((tx) => dispatchBatch(tx, parts, tenant));
    made += batch.made;
    if (!batch.more) return made;
  }
}

async function dispatchBatch(tx: Transaction, parts: Parts, tenant: string): Promise<{ made: number; more: boolean }> {
  const cursor = await takeWebhookCursor(tx, tenant);
  if (cursor === undefined) return { made: 0, more: false };
  const webhooks = await enabledWebhooks(tx, tenant);
  if (webhooks.length === 0) return { made: 0, more: false };
  const from = Math.max(cursor, Math.min(...webhooks.map(({ fromPosition }) => fromPosition)));
  const rows = await positionedEntries(tx, { tenant, fromPosition: from, limit: BATCH });
  const last = rows.at(-1);
  if (last === undefined) return { made: 0, more: false };
  const deliveries: NewDelivery[] = [];
  for (const row of rows) {
    const concerned = webhooks.filter(({ fromPosition }) => fromPosition <= row.position);
    deliveries.push(...(await deliveriesOf(tx, parts, { row, webhooks: concerned })));
  }
  const made = await insertDeliveries(tx, { tenant, deliveries, atMs: parts.nowMs() });
  await moveWebhookCursor(tx, tenant, last.position + 1);
  return { made, more: rows.length === BATCH };
}

async function deliveriesOf(
  db: Queryable,
  parts: Parts,
  { row, webhooks }: { row: AuditRow; webhooks: readonly WebhookRow[] },
): Promise<NewDelivery[]> {
  const placed = placedEntry(row);
  if (placed === undefined) return [];
  const asksForBreakers = webhooks.some((webhook) => wants(webhook, { type: "breaker.opened" }));
  const opened = asksForBreakers && (await breakerOpened(db, parts, placed));
  return notificationsOf(placed, opened).flatMap((notification) =>
    webhooks
      .filter((webhook) => wants(webhook, notification))
      .map(({ id: webhook }) => ({
        ...{ webhook, message: notification.id, type: notification.type, position: placed.position },
      })),
  );
}

function wants({ id, events }: WebhookRow, { type, onlyFor }: Pick<Notification, "type" | "onlyFor">): boolean {
  if (onlyFor !== undefined) return onlyFor === id;
  return events.length === 0 || events.includes(type);
}

/** An entry that cannot be read is the audit's finding, and must not keep others from being told. */
function placedEntry({ position, entry }: Pick<AuditRow, "position" | "entry">): PlacedEntry | undefined {
  const decoded = decodeEntry(entry);
  return decoded.ok ? { position, entry: decoded.value } : undefined;
}

/** Whether this failure is the one at which the endpoint's breaker opened, told from what had ended by then. */
async function breakerOpened(db: Queryable, parts: Parts, { entry }: PlacedEntry): Promise<boolean> {
  if (!countsAgainstBreaker(entry)) return false;
  const [environment, target, name] = entry.details.endpoint?.split("/") ?? [];
  if (environment === undefined || target === undefined || name === undefined) return false;
  const nowMs = Date.parse(entry.at);
  const at = { tenant: entry.tenant, environment, target, name };
  const { breaker: settings } = (await endpointBreaker(db, { ...parts, nowMs: () => nowMs }, at)).settings;
  const history = { at, planDigest: "", dryRunSinceMs: nowMs, principals: [] };
  const { outcomes, breakerResetAtMs: resetAtMs } = await readDecisionFacts(db, history);
  const state = breakerState({
    ...{ settings, nowMs, trialRunning: false },
    outcomes: outcomes.filter(({ endedAtMs }) => endedAtMs <= nowMs),
    resetAtMs: resetAtMs !== null && resetAtMs <= nowMs ? resetAtMs : null,
  });
  return state.state === "open" && state.opensUntilMs === nowMs + settings.coolDownSeconds * 1000;
}

/** What a delivery says, made of the log again; undefined when its entry does not tell it (any more). */
export async function notificationOf(
  db: Queryable,
  delivery: { tenant: string; position: number; message: string; type: string },
): Promise<Notification | undefined> {
  const [row] = await positionedEntries(db, { tenant: delivery.tenant, fromPosition: delivery.position, limit: 1 });
  const placed = row?.position === delivery.position ? placedEntry(row) : undefined;
  if (placed === undefined) return undefined;
  return notificationsOf(placed, delivery.type === "breaker.opened").find(({ id }) => id === delivery.message);
}

/**
 * Begins anew what one webhook was, or would have been, told since a time: also what happened while it was off. What is
 * under way goes on. Answers how many deliveries were begun, and the time to go on from when there were too many.
 */
export async function replaySince(
  parts: Parts,
  asked: { tenant: string; webhook: string; sinceMs: number },
): Promise<{ count: number; nextSinceMs: number | null }> {
  const { tenant } = asked;
  await sequenceAudit(parts.database, tenant);
  let position = await positionAt(parts.database, tenant, asked.sinceMs);
  let count = 0;
  for (let seen = 0; ; seen += BATCH) {
    const rows = await positionedEntries(parts.database, { tenant, fromPosition: position, limit: BATCH });
    if (rows.length > 0 && seen >= REPLAY_ENTRIES_MAX) return { count, nextSinceMs: atMsOf(rows[0]) };
    count += await parts.database.transaction(async (tx) => {
      const webhook = await readWebhook(tx, { tenant, id: asked.webhook });
      if (webhook === undefined) return 0;
      const deliveries: NewDelivery[] = [];
      for (const row of rows) deliveries.push(...(await deliveriesOf(tx, parts, { row, webhooks: [webhook] })));
      return insertDeliveries(tx, { tenant, deliveries, atMs: parts.nowMs(), again: true });
    });
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return { count, nextSinceMs: null };
    position = last.position + 1;
  }
}

/** The first place whose entry is of that time or later: times rise with places but for commits of the same moment. */
async function positionAt(db: Queryable, tenant: string, sinceMs: number): Promise<number> {
  let low = 0;
  let high = (await readAuditTree(db, tenant))?.size ?? 0;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await positionedEntries(db, { tenant, fromPosition: middle, limit: 1 });
    if (row !== undefined && atMsOf(row) < sinceMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function atMsOf(row: AuditRow | undefined): number {
  const placed = row === undefined ? undefined : placedEntry(row);
  return placed === undefined ? 0 : Date.parse(placed.entry.at);
}
