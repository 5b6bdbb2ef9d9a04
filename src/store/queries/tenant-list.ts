import type { Queryable } from "../database.ts";

export async function listTenants(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ tenant: string }>("SELECT tenant FROM tenants ORDER BY tenant");
  return rows.map(({ tenant }) => tenant);
}
