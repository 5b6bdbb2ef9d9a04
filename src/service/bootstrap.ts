import { appendAudit } from "../engine/audit-log.ts";
import { SYSTEM } from "../engine/engine.ts";
import type { Transaction } from "../store/database.ts";
import { insertToken, tenantHasPrincipals, upsertPrincipal } from "../store/queries/principals.ts";
import { createTenant } from "../store/queries/tenants.ts";
import type { ServiceParts } from "./handler.ts";
import { newToken } from "./token.ts";

const EXPIRES_IN_MS = 30 * 24 * 3600 * 1000;

/**
 * The first start: makes the tenant and its first person, `admin`, and answers that person's token, which is shown
 * once. Undefined when the tenant has principals already, also when another process was first.
 */
export async function bootstrap(
  parts: Pick<ServiceParts, "database" | "nowMs">,
  options: { tenant?: string } = {},
): Promise<{ token: string; principal: string; tenant: string; expiresAtMs: number } | undefined> {
  const tenant = options.tenant ?? "default";
  const token = newToken();
  const atMs = parts.nowMs();
  const expiresAtMs = atMs + EXPIRES_IN_MS;
  const made = await parts.database.transaction(async (tx) => {
    // Who creates the tenant's row holds it until the end, so a second process finds either nothing or everything.
    await createTenant(tx, tenant, atMs);
    if (await tenantHasPrincipals(tx, tenant)) return false;
    const admin = { tenant, id: "admin", kind: "human" as const, owner: null, roles: ["admin"] };
    await upsertPrincipal(tx, admin);
    const times = { createdAtMs: atMs, expiresAtMs };
    await insertToken(tx, {
      tenant,
      id: token.id,
      principal: admin.id,
      secretHash: token.hash,
      roles: admin.roles,
      ...times,
    });
    await tellOfBootstrap(tx, { tenant, atMs, tokenId: token.id, expiresAtMs });
    return true;
  });
  return made ? { token: token.text, principal: "admin", tenant, expiresAtMs } : undefined;
}

async function tellOfBootstrap(
  tx: Transaction,
  { tenant, atMs, tokenId, expiresAtMs }: { tenant: string; atMs: number; tokenId: string; expiresAtMs: number },
): Promise<void> {
  const at = { tenant, atMs, actor: SYSTEM, outcome: "accepted" as const };
  await appendAudit(tx, { ...at, action: "tenant.create", subject: `tenant:${tenant}`, details: {} });
  const expiresAt = new Date(expiresAtMs).toISOString();
  const details = { principal: "admin", principalKind: "human", roles: ["admin"], expiresAt };
  await appendAudit(tx, { ...at, action: "token.create", subject: `token:${tokenId}`, details });
}
