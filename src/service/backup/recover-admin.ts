import { ContinuumError } from "../../core/error.ts";
import { appendAudit } from "../../engine/audit-log.ts";
import { SYSTEM } from "../../engine/engine.ts";
import type { Database } from "../../store/database.ts";
import { insertToken, upsertPrincipal } from "../../store/queries/principals.ts";
import { listTenants } from "../../store/queries/tenant-list.ts";
import { newToken } from "../token.ts";

const EXPIRES_IN_MS = 30 * 24 * 3600 * 1000;

/**
 * A fresh token for the person `admin` of a restored tenant: whoever lost the host has often lost its tokens with it.
 * For whoever has the database and the keys anyway; it stands in the audit log. Errors: `no-such-tenant`.
 */
export async function recoverAdmin(
  parts: { database: Database; nowMs(): number },
  { tenant }: { tenant: string },
): Promise<string> {
  const token = newToken();
  const createdAtMs = parts.nowMs();
  const expiresAtMs = createdAtMs + EXPIRES_IN_MS;
  await parts.database.transaction(async (tx) => {
    if (!(await listTenants(tx)).includes(tenant))
      throw new ContinuumError(
        "no-such-tenant",
        `The backup was restored and has no tenant ${tenant}: no token was made; tokens of the backup are valid.`,
      );
    const admin = { tenant, id: "admin", kind: "human" as const, owner: null, roles: ["admin"] };
    await upsertPrincipal(tx, admin);
    const times = { createdAtMs, expiresAtMs };
    await insertToken(tx, {
      tenant,
      id: token.id,
      principal: admin.id,
      secretHash: token.hash,
      roles: admin.roles,
      ...times,
    });
    await appendAudit(tx, {
      ...{ tenant, atMs: createdAtMs, actor: SYSTEM, action: "token.create", subject: `token:${token.id}` },
      outcome: "accepted",
      details: {
        ...{ principal: admin.id, principalKind: admin.kind, roles: admin.roles, cause: "restore" },
        expiresAt: new Date(expiresAtMs).toISOString(),
      },
    });
  });
  return token.text;
}
