import type { Queryable, Transaction } from "../database.ts";

/** Where tenants want to be told, and how far that went. Secrets are sealed before they come here. */

export interface WebhookRow {
  tenant: string;
  id: string;
  url: string;
  description: string;
  /** Types that it is told of; all when empty. */
  events: string[];
  enabled: boolean;
  disabledReason: "operator" | "failures" | "gone" | null;
  disabledAt: Date | null;
  fromPosition: number;
  secret: Buffer;
  previousSecret: Buffer | null;
  previousUntil: Date | null;
  failingSince: Date | null;
  createdBy: string;
  createdAt: Date;
  updatedAt: Date;
}

const WEBHOOK = `tenant, id, url, description, events, enabled, disabled_reason AS "disabledReason",
  disabled_at AS "disabledAt", from_position AS "fromPosition", secret, previous_secret AS "previousSecret",
  previous_until AS "previousUntil", failing_since AS "failingSince", created_by AS "createdBy",
  created_at AS "createdAt", updated_at AS "updatedAt"`;

interface At {
  tenant: string;
  id: string;
}

/** The workers' tables of who wants to be told are read again as this commits. */
async function tellChanged(tx: Transaction, tenant: string): Promise<void> {
  await tx.query("SELECT pg_notify('webhooks', $1)", [tenant]);
}

/** One at a time makes a webhook of the tenant, so that their number holds. */
export async function lockWebhooks(tx: Transaction, tenant: string): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('webhooks/' || $1, 0))", [tenant]);
}

export async function insertWebhook(
  tx: Transaction,
  row: Pick<WebhookRow, "tenant" | "id" | "url" | "description" | "events" | "secret" | "createdBy"> & { atMs: number },
): Promise<void> {
  await tx.query(
    `INSERT INTO webhook_endpoints (tenant, id, url, description, events, enabled, from_position, secret, created_by,
       created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, true, coalesce((SELECT size FROM audit_trees WHERE tenant = $1), 0), $6, $7, $8, $8)`,
    [row.tenant, row.id, row.url, row.description, row.events, row.secret, row.createdBy, new Date(row.atMs)],
  );
  await tx.query("INSERT INTO webhook_cursors (tenant, position) VALUES ($1, 0) ON CONFLICT DO NOTHING", [row.tenant]);
  await tellChanged(tx, row.tenant);
}

export async function countWebhooks(db: Queryable, tenant: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*) AS count FROM webhook_endpoints WHERE tenant = $1",
    [tenant],
  );
  return rows[0]?.count ?? 0;
}

export async function readWebhook(db: Queryable, { tenant, id }: At): Promise<WebhookRow | undefined> {
  const { rows } = await db.query<WebhookRow>(
    `SELECT ${WEBHOOK} FROM webhook_endpoints WHERE tenant = $1 AND id = $2`,
    [...[tenant, id]],
  );
  return rows[0];
}

export async function listWebhooks(
  db: Queryable,
  page: { tenant: string; after?: string; limit: number },
): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>(
    `SELECT ${WEBHOOK} FROM webhook_endpoints WHERE tenant = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3`,
    [page.tenant, page.after ?? null, page.limit],
  );
  return rows;
}

/** Those of a tenant that are told of what happens now. */
export async function enabledWebhooks(db: Queryable, tenant: string): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>(
    `SELECT ${WEBHOOK} FROM webhook_endpoints WHERE tenant = $1 AND enabled ORDER BY id`,
    [tenant],
  );
  return rows;
}

export async function tenantsWithWebhooks(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ tenant: string }>("SELECT DISTINCT tenant FROM webhook_endpoints WHERE enabled");
  return rows.map(({ tenant }) => tenant);
}

/** What is undefined stays. One that is turned on again is told of what happens from now on. */
export async function updateWebhook(
  tx: Transaction,
  change: At & {
    url?: string | undefined;
    description?: string | undefined;
    events?: string[] | undefined;
    enabled?: boolean | undefined;
    atMs: number;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE webhook_endpoints AS w SET url = coalesce($3, w.url), description = coalesce($4, w.description),
       events = coalesce($5, w.events), enabled = coalesce($6, w.enabled), updated_at = $7,
       disabled_reason = CASE WHEN $6 THEN NULL WHEN $6 IS NULL OR NOT w.enabled THEN w.disabled_reason ELSE 'operator' END,
       disabled_at = CASE WHEN $6 THEN NULL WHEN $6 IS NULL OR NOT w.enabled THEN w.disabled_at ELSE $7 END,
       failing_since = CASE WHEN $6 OR $3::text IS NOT NULL THEN NULL ELSE w.failing_since END,
       from_position = CASE WHEN $6 AND NOT w.enabled THEN coalesce((SELECT size FROM audit_trees WHERE tenant = $1), 0)
         ELSE w.from_position END
     WHERE tenant = $1 AND id = $2`,
    [
      ...[change.tenant, change.id, change.url ?? null, change.description ?? null, change.events ?? null],
      ...[change.enabled ?? null, new Date(change.atMs)],
    ],
  );
  if (rowCount > 0) await tellChanged(tx, change.tenant);
  return rowCount > 0;
}

/** False when it was off already. */
export async function disableWebhook(
  tx: Transaction,
  change: At & { reason: "failures" | "gone"; atMs: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE webhook_endpoints SET enabled = false, disabled_reason = $3, disabled_at = $4, updated_at = $4
     WHERE tenant = $1 AND id = $2 AND enabled`,
    [change.tenant, change.id, change.reason, new Date(change.atMs)],
  );
  if (rowCount > 0) await tellChanged(tx, change.tenant);
  return rowCount > 0;
}

export async function deleteWebhook(tx: Transaction, { tenant, id }: At): Promise<boolean> {
  const { rowCount } = await tx.query("DELETE FROM webhook_endpoints WHERE tenant = $1 AND id = $2", [tenant, id]);
  if (rowCount > 0) await tellChanged(tx, tenant);
  return rowCount > 0;
}

/** The present secret signs as well until `previousUntilMs`; one that was before it no longer does. */
export async function rotateWebhookSecret(
  tx: Transaction,
  change: At & { secret: Uint8Array; previousUntilMs: number | null; atMs: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE webhook_endpoints SET secret = $3, previous_secret = CASE WHEN $4::timestamptz IS NULL THEN NULL ELSE secret END,
       previous_until = $4, updated_at = $5
     WHERE tenant = $1 AND id = $2`,
    [
      ...[change.tenant, change.id, change.secret],
      ...[change.previousUntilMs === null ? null : new Date(change.previousUntilMs), new Date(change.atMs)],
    ],
  );
  return rowCount > 0;
}

/** Nothing arrives since then, or all is well again (null). Answers since when. */
export async function noteWebhookHealth(
  tx: Transaction,
  change: At & { failingSinceMs: number | null },
): Promise<Date | null> {
  if (change.failingSinceMs === null) {
    const clear =
      "UPDATE webhook_endpoints SET failing_since = NULL WHERE tenant = $1 AND id = $2 AND failing_since IS NOT NULL";
    await tx.query(clear, [change.tenant, change.id]);
    return null;
  }
  const { rows } = await tx.query<{ failingSince: Date }>(
    `UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, $3) WHERE tenant = $1 AND id = $2
     RETURNING failing_since AS "failingSince"`,
    [change.tenant, change.id, new Date(change.failingSinceMs)],
  );
  return rows[0]?.failingSince ?? null;
}

/** How far the tenant's log was told, held for this transaction; undefined when another worker is at it, or nobody wants to know. */
export async function takeWebhookCursor(tx: Transaction, tenant: string): Promise<number | undefined> {
  const { rows } = await tx.query<{ position: number }>(
    "SELECT position FROM webhook_cursors WHERE tenant = $1 FOR UPDATE SKIP LOCKED",
    [tenant],
  );
  return rows[0]?.position;
}

export async function moveWebhookCursor(tx: Transaction, tenant: string, position: number): Promise<void> {
  await tx.query("UPDATE webhook_cursors SET position = $2 WHERE tenant = $1", [tenant, position]);
}
