import type { Queryable } from "../database.ts";

/** What was answered to a request that carried an idempotency key. */

export interface KeyedRequest {
  tenant: string;
  principal: string;
  key: string;
}

export interface KeyedAnswer {
  requestDigest: string;
  /** Null while the first request is under way. */
  status: number | null;
  response: unknown;
  createdAt: Date;
}

/** Takes the key for a request that starts now; answers what is stored when somebody has it. */
export async function takeKey(
  db: Queryable,
  request: KeyedRequest & { requestDigest: string; nowMs: number; abandonedBeforeMs: number; expiredBeforeMs: number },
): Promise<KeyedAnswer | "taken"> {
  const { rowCount } = await db.query(
    `INSERT INTO idempotency_keys AS k (tenant, principal, key, request_digest, created_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant, principal, key) DO UPDATE
       SET request_digest = $4, status = NULL, response = NULL, created_at = $5
       WHERE (k.status IS NULL AND k.created_at < $6 AND k.request_digest = $4) OR k.created_at < $7`,
    [
      request.tenant,
      request.principal,
      request.key,
      request.requestDigest,
      new Date(request.nowMs),
      new Date(request.abandonedBeforeMs),
      new Date(request.expiredBeforeMs),
    ],
  );
  if (rowCount > 0) return "taken";
  const { rows } = await db.query<KeyedAnswer>(
    `SELECT request_digest AS "requestDigest", status, response, created_at AS "createdAt" FROM idempotency_keys
     WHERE tenant = $1 AND principal = $2 AND key = $3`,
    [request.tenant, request.principal, request.key],
  );
  // The request that held it failed and gave it back just now.
  return rows[0] ?? takeKey(db, request);
}

export async function storeAnswer(
  db: Queryable,
  request: KeyedRequest,
  answer: { status: number; response: unknown },
): Promise<void> {
  await db.query(
    "UPDATE idempotency_keys SET status = $4, response = $5 WHERE tenant = $1 AND principal = $2 AND key = $3",
    [request.tenant, request.principal, request.key, answer.status, JSON.stringify(answer.response)],
  );
}

/** The request failed on our side: the same key may try again. */
export async function releaseKey(db: Queryable, request: KeyedRequest): Promise<void> {
  await db.query("DELETE FROM idempotency_keys WHERE tenant = $1 AND principal = $2 AND key = $3 AND status IS NULL", [
    request.tenant,
    request.principal,
    request.key,
  ]);
}
