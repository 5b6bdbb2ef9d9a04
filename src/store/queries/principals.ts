import type { Queryable, Transaction } from "../database.ts";

/** Who may ask, and by which tokens. A token's secret is known here by its SHA-256 alone. */

export interface PrincipalRow {
  tenant: string;
  id: string;
  kind: "human" | "agent" | "service";
  owner: string | null;
  roles: string[];
}

export interface TokenRow {
  id: string;
  principal: string;
  kind: PrincipalRow["kind"];
  owner: string | null;
  roles: string[];
  createdAt: Date;
  expiresAt: Date;
  revokedAt: Date | null;
}

const TOKEN = `t.id, t.principal, p.kind, p.owner, t.roles, t.created_at AS "createdAt", t.expires_at AS "expiresAt",
  t.revoked_at AS "revokedAt"`;

/**
 * The principal of a token that counts now. What it may do is what the token says and the principal still has. Nobody
 * knows the tenant yet, so the database's owner looks, for exactly this hash.
 */
export async function principalByToken(
  db: Queryable,
  secretHash: Uint8Array,
  nowMs: number,
): Promise<(PrincipalRow & { tokenId: string; expiresAt: Date }) | undefined> {
  const { rows } = await db.query<PrincipalRow & { tokenId: string; expiresAt: Date }>(
    `SELECT tenant, id, kind, owner, token AS "tokenId", expires_at AS "expiresAt",
       ARRAY(SELECT unnest(token_roles) INTERSECT SELECT unnest(principal_roles)) AS roles
     FROM reveal_token($1) WHERE revoked_at IS NULL AND expires_at > $2`,
    [secretHash, new Date(nowMs)],
  );
  return rows[0];
}

export async function readPrincipal(db: Queryable, tenant: string, id: string): Promise<PrincipalRow | undefined> {
  const { rows } = await db.query<PrincipalRow>(
    "SELECT tenant, id, kind, owner, roles FROM principals WHERE tenant = $1 AND id = $2",
    [tenant, id],
  );
  return rows[0];
}

/** Makes the principal, or gives one that is there the roles it lacks; kind and owner of one that is there stay. */
export async function upsertPrincipal(tx: Transaction, row: PrincipalRow): Promise<PrincipalRow | undefined> {
  const { rows } = await tx.query<PrincipalRow>(
    `INSERT INTO principals AS p (tenant, id, kind, owner, roles) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant, id) DO UPDATE SET roles = ARRAY(SELECT unnest(p.roles) UNION SELECT unnest($5::text[]) ORDER BY 1)
     RETURNING tenant, id, kind, owner, roles`,
    [row.tenant, row.id, row.kind, row.owner, row.roles],
  );
  return rows[0];
}

export async function insertToken(
  tx: Transaction,
  token: {
    tenant: string;
    id: string;
    principal: string;
    secretHash: Uint8Array;
    roles: string[];
    createdAtMs: number;
    expiresAtMs: number;
  },
): Promise<void> {
  await tx.query(
    `INSERT INTO tokens (tenant, id, principal, secret_hash, roles, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      token.tenant,
      token.id,
      token.principal,
      token.secretHash,
      token.roles,
      new Date(token.createdAtMs),
      new Date(token.expiresAtMs),
    ],
  );
  await tellChanged(tx);
}

export async function readToken(db: Queryable, tenant: string, id: string): Promise<TokenRow | undefined> {
  const { rows } = await db.query<TokenRow>(
    `SELECT ${TOKEN} FROM tokens t JOIN principals p ON p.tenant = t.tenant AND p.id = t.principal
     WHERE t.tenant = $1 AND t.id = $2`,
    [tenant, id],
  );
  return rows[0];
}

export async function revokeToken(
  tx: Transaction,
  token: { tenant: string; id: string; atMs: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    "UPDATE tokens SET revoked_at = coalesce(revoked_at, $3) WHERE tenant = $1 AND id = $2",
    [token.tenant, token.id, new Date(token.atMs)],
  );
  if (rowCount > 0) await tellChanged(tx);
  return rowCount > 0;
}

/** Data planes keep a table of who may invoke; whoever tells them hears of it as this commits. */
async function tellChanged(tx: Transaction): Promise<void> {
  await tx.query("SELECT pg_notify('credentials', '')");
}

export async function listTokens(
  db: Queryable,
  page: { tenant: string; after?: string; limit: number },
): Promise<TokenRow[]> {
  const { rows } = await db.query<TokenRow>(
    `SELECT ${TOKEN} FROM tokens t JOIN principals p ON p.tenant = t.tenant AND p.id = t.principal
     WHERE t.tenant = $1 AND ($2::text IS NULL OR t.id > $2) ORDER BY t.id LIMIT $3`,
    [page.tenant, page.after ?? null, page.limit],
  );
  return rows;
}

export async function tenantHasPrincipals(db: Queryable, tenant: string): Promise<boolean> {
  const { rowCount } = await db.query("SELECT FROM principals WHERE tenant = $1 LIMIT 1", [tenant]);
  return rowCount > 0;
}
