import type { Queryable, Transaction } from "../database.ts";

/** Makes the tenant, or locks the one that is there, until the transaction ends. */
export async function createTenant(tx: Transaction, tenant: string, atMs: number): Promise<void> {
  await tx.query("INSERT INTO tenants (tenant, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
    tenant,
    new Date(atMs),
  ]);
  await tx.query("SELECT FROM tenants WHERE tenant = $1 FOR UPDATE", [tenant]);
}

export async function tenantSettings(db: Queryable, tenant: string): Promise<Record<string, unknown>> {
  const { rows } = await db.query<{ settings: Record<string, unknown> }>(
    "SELECT settings FROM tenants WHERE tenant = $1",
    [tenant],
  );
  return rows[0]?.settings ?? {};
}
