import type { Queryable } from "../database.ts";

export interface Gauges {
  rollouts: { phase: string; count: number }[];
  jobsWaiting: number;
  jobsClaimed: number;
  auditPlaced: number;
  auditWaiting: number;
  /** In force for how many tenants; the hundred that most have. */
  policies: { digest: string; tenants: number }[];
  /** Break-glass approvals that nobody has reviewed. */
  glassOpen: number;
}

/** What is there now, over all tenants: a function of the database's owner counts, for none of a tenant's rows is shown. */
export async function readGauges(db: Queryable): Promise<Gauges> {
  const { rows } = await db.query<{ gauges: Gauges }>("SELECT count_everything() AS gauges");
  const [row] = rows;
  if (row === undefined) throw new Error("broken invariant: a query of sums has one row");
  return row.gauges;
}
