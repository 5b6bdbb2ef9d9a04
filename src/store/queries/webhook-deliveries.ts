import type { Queryable, Transaction } from "../database.ts";

/** Messages to webhooks, the attempts that were made, and when the next one is due. */

export interface DeliveryRow {
  id: number;
  tenant: string;
  webhook: string;
  message: string;
  type: string;
  position: number;
  state: "pending" | "delivered" | "failed";
  attempts: number;
  attemptsBefore: number;
  nextAttemptAt: Date;
  createdAt: Date;
  endedAt: Date | null;
}

export interface AttemptRow {
  delivery: number;
  attempt: number;
  at: Date;
  durationMs: number;
  status: number | null;
  failure: string | null;
}

const DELIVERY = `d.id, d.tenant, d.webhook, d.message, d.type, d.position, d.state, d.attempts,
  d.attempts_before AS "attemptsBefore", d.next_attempt_at AS "nextAttemptAt", d.created_at AS "createdAt",
  d.ended_at AS "endedAt"`;

export interface NewDelivery {
  webhook: string;
  message: string;
  type: string;
  position: number;
}

/**
 * Makes deliveries that are due now. One that is there stays as it is, or with `again` is begun anew unless it is under
 * way. Answers how many were made or begun.
 */
export async function insertDeliveries(
  tx: Transaction,
  given: { tenant: string; deliveries: readonly NewDelivery[]; atMs: number; again?: boolean },
): Promise<number> {
  const { deliveries } = given;
  if (deliveries.length === 0) return 0;
  const { rowCount } = await tx.query(
    `INSERT INTO webhook_deliveries AS d (tenant, webhook, message, type, position, next_attempt_at, created_at)
     SELECT $1, webhook, message, type, position, $6, $6
     FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS given (webhook, message, type, position)
     ON CONFLICT (tenant, webhook, message) DO UPDATE
       SET state = 'pending', attempts_before = d.attempts, next_attempt_at = $6, ended_at = NULL
       WHERE $7 AND d.state <> 'pending'`,
    [
      given.tenant,
      ...[deliveries.map((one) => one.webhook), deliveries.map((one) => one.message)],
      ...[deliveries.map((one) => one.type), deliveries.map((one) => one.position)],
      ...[new Date(given.atMs), given.again ?? false],
    ],
  );
  return rowCount;
}

/**
 * Takes what is due, a few for each webhook so that one that answers slowly keeps none of the others waiting. Whoever
 * takes one has until `leaseMs` to record how it went; then it is taken again, for its taker may be dead.
 */
export async function claimDeliveries(
  db: Queryable,
  by: { nowMs: number; leaseMs: number; limit: number; perWebhook: number; busy: readonly string[] },
): Promise<DeliveryRow[]> {
  const { rows } = await db.query<DeliveryRow>(
    `WITH due AS (
       SELECT one.tenant, one.id FROM webhook_endpoints w CROSS JOIN LATERAL (
         SELECT tenant, id FROM webhook_deliveries
         WHERE tenant = w.tenant AND webhook = w.id AND state = 'pending' AND next_attempt_at <= $1
         ORDER BY next_attempt_at LIMIT $4 FOR UPDATE SKIP LOCKED
       ) one
       WHERE w.enabled AND w.tenant || '/' || w.id <> ALL ($5::text[]) LIMIT $3
     )
     UPDATE webhook_deliveries d SET attempts = d.attempts + 1, next_attempt_at = $2
     FROM due WHERE d.tenant = due.tenant AND d.id = due.id
     RETURNING ${DELIVERY}`,
    [new Date(by.nowMs), new Date(by.nowMs + by.leaseMs), by.limit, by.perWebhook, by.busy],
  );
  return rows;
}

/** When the next attempt is due; undefined when nothing waits. */
export async function nextDeliveryAt(db: Queryable): Promise<Date | undefined> {
  const { rows } = await db.query<{ next: Date | null }>(
    `SELECT min(first.next_attempt_at) AS next FROM webhook_endpoints w CROSS JOIN LATERAL (
       SELECT next_attempt_at FROM webhook_deliveries
       WHERE tenant = w.tenant AND webhook = w.id AND state = 'pending' ORDER BY next_attempt_at LIMIT 1
     ) first WHERE w.enabled`,
  );
  return rows[0]?.next ?? undefined;
}

/** Ends an attempt. False when it was taken for lost meanwhile and is another's: nothing is recorded then. */
export async function recordAttempt(
  tx: Transaction,
  end: {
    delivery: Pick<DeliveryRow, "tenant" | "id" | "attempts">;
    atMs: number;
    durationMs: number;
    status: number | null;
    failure: string | null;
    state: DeliveryRow["state"];
    /** Ignored unless the state is pending. */
    nextAttemptAtMs: number;
  },
): Promise<boolean> {
  const { tenant, id, attempts } = end.delivery;
  const at = new Date(end.atMs);
  const ended = end.state === "pending" ? null : at;
  const { rowCount } = await tx.query(
    `UPDATE webhook_deliveries SET state = $4, ended_at = $5, next_attempt_at = $6
     WHERE tenant = $1 AND id = $2 AND attempts = $3 AND state = 'pending'`,
    [tenant, id, attempts, end.state, ended, ended ?? new Date(end.nextAttemptAtMs)],
  );
  if (rowCount === 0) return false;
  await tx.query(
    `INSERT INTO webhook_attempts (tenant, delivery, attempt, at, duration_ms, status, failure)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [tenant, id, attempts, at, end.durationMs, end.status, end.failure],
  );
  return true;
}

export async function listDeliveries(
  db: Queryable,
  page: {
    tenant: string;
    webhook: string;
    state?: DeliveryRow["state"];
    message?: string;
    before?: number;
    limit: number;
  },
): Promise<DeliveryRow[]> {
  const { rows } = await db.query<DeliveryRow>(
    `SELECT ${DELIVERY} FROM webhook_deliveries d
     WHERE tenant = $1 AND webhook = $2 AND ($3::text IS NULL OR state = $3) AND ($4::bigint IS NULL OR id < $4)
       AND ($6::text IS NULL OR message = $6)
     ORDER BY id DESC LIMIT $5`,
    [page.tenant, page.webhook, page.state ?? null, page.before ?? null, page.limit, page.message ?? null],
  );
  return rows;
}

export async function readDelivery(
  db: Queryable,
  at: { tenant: string; webhook: string; message: string },
): Promise<DeliveryRow | undefined> {
  const { rows } = await db.query<DeliveryRow>(
    `SELECT ${DELIVERY} FROM webhook_deliveries d WHERE tenant = $1 AND webhook = $2 AND message = $3`,
    [at.tenant, at.webhook, at.message],
  );
  return rows[0];
}

/** Begins one anew with a whole schedule; false when it is under way. */
export async function beginDeliveryAgain(db: Queryable, { tenant, id }: DeliveryRow, atMs: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE webhook_deliveries SET state = 'pending', attempts_before = attempts, next_attempt_at = $3, ended_at = NULL
     WHERE tenant = $1 AND id = $2 AND state <> 'pending'`,
    [tenant, id, new Date(atMs)],
  );
  return rowCount > 0;
}

/** Attempts of some deliveries, oldest first. */
export async function attemptsOf(db: Queryable, tenant: string, deliveries: readonly number[]): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>(
    `SELECT delivery, attempt, at, duration_ms AS "durationMs", status, failure FROM webhook_attempts
     WHERE tenant = $1 AND delivery = ANY ($2::bigint[]) ORDER BY delivery, attempt`,
    [tenant, deliveries],
  );
  return rows;
}

export interface WebhookGauges {
  enabled: number;
  disabled: number;
  failing: number;
  pending: number;
}

export async function readWebhookGauges(db: Queryable): Promise<WebhookGauges> {
  const { rows } = await db.query<WebhookGauges>(
    `SELECT count(*) FILTER (WHERE enabled) AS enabled, count(*) FILTER (WHERE disabled_reason IN ('failures', 'gone')) AS disabled,
       count(*) FILTER (WHERE enabled AND failing_since IS NOT NULL) AS failing,
       (SELECT count(*) FROM webhook_deliveries WHERE state = 'pending') AS pending
     FROM webhook_endpoints`,
  );
  const [gauges] = rows;
  if (gauges === undefined) throw new Error("broken invariant: a query of sums has one row");
  return gauges;
}
