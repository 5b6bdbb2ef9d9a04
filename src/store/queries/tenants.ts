import type { Queryable, Transaction } from "../database.ts";

/** Makes the tenant, or locks the one that is there, until the transaction ends. */
export async function createTenant(tx: Transaction, tenant: string, atMs: number): Promise<void> {
  await tx.query("INSERT INTO tenants (tenant, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
    tenant,
    new Date(atMs),
  ]);
  await tx.query("SELECT FROM tenants WHERE tenant = $1 FOR UPDATE", [tenant]);
}

export async function tenantExists(db: Queryable, tenant: string): Promise<boolean> {
  const { rowCount } = await db.query("SELECT FROM tenants WHERE tenant = $1", [tenant]);
  return rowCount > 0;
}
