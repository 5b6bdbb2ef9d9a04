import type { Queryable } from "../database.ts";

export interface Gauges {
  rollouts: { phase: string; count: number }[];
  jobsWaiting: number;
  jobsClaimed: number;
  auditPlaced: number;
  auditWaiting: number;
}

/** What is there now, over all tenants. Every part is answered from an index or a small table. */
export async function readGauges(db: Queryable): Promise<Gauges> {
  const rollouts = await db.query<{ phase: string; count: number }>(
    "SELECT phase, count(*) AS count FROM rollouts WHERE NOT terminal GROUP BY phase",
  );
  const { rows } = await db.query<Omit<Gauges, "rollouts">>(
    `SELECT (SELECT count(*) FROM jobs WHERE worker IS NULL) AS "jobsWaiting",
       (SELECT count(*) FROM jobs WHERE worker IS NOT NULL) AS "jobsClaimed",
       (SELECT coalesce(sum(size), 0)::bigint FROM audit_trees) AS "auditPlaced",
       (SELECT count(*) FROM audit_entries WHERE position IS NULL) AS "auditWaiting"`,
  );
  const [sums] = rows;
  if (sums === undefined) throw new Error("broken invariant: a query of sums has one row");
  return { rollouts: rollouts.rows, ...sums };
}
