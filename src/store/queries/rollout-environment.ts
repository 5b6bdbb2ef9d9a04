import type { Queryable } from "../database.ts";

/** The environment of a rollout; undefined when the tenant has none of that name. */
export async function rolloutEnvironment(db: Queryable, tenant: string, id: string): Promise<string | undefined> {
  const { rows } = await db.query<{ environment: string }>(
    "SELECT environment FROM rollouts WHERE tenant = $1 AND id = $2",
    [tenant, id],
  );
  return rows[0]?.environment;
}
