import type { Database } from "../../../../src/store/database.ts";
import { patiently } from "./crowd.ts";
import { LOCAL_NAMES } from "./starts.ts";
import type { Tenant } from "./tenants.ts";

/** What the database and the API say once a round is over. */

export async function openRollouts(database: Database): Promise<{ tenant: string; id: string; phase: string }[]> {
  const { rows } = await database.query<{ tenant: string; id: string; phase: string }>(
    "SELECT tenant, id, phase FROM rollouts WHERE NOT terminal ORDER BY created_at",
  );
  return rows;
}

export async function phaseCounts(database: Database): Promise<Record<string, number>> {
  const { rows } = await database.query<{ phase: string; count: number }>(
    "SELECT phase, count(*)::integer AS count FROM rollouts GROUP BY phase ORDER BY phase",
  );
  return Object.fromEntries(rows.map(({ phase, count }) => [phase, count]));
}

/** Histories with a gap, out of order, without an end or beyond it; and jobs that nobody is left for. */
export async function brokenHistories(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ broken: string }>(`
    WITH events AS (
      SELECT e.*, row_number() OVER one AS place, lag(at) OVER one AS before, lead(sequence) OVER one AS after
      FROM rollout_events e WINDOW one AS (PARTITION BY tenant, rollout ORDER BY sequence)
    )
    SELECT rollout || ': event ' || sequence || ' stands in place ' || place AS broken FROM events WHERE sequence <> place
    UNION ALL SELECT rollout || ': event ' || sequence || ' is older than the one before' FROM events WHERE at < before
    UNION ALL SELECT r.id || ': ends in ' || r.phase || ' at ' || r.sequence || ', its history does not'
      FROM rollouts r LEFT JOIN rollout_events e ON e.tenant = r.tenant AND e.rollout = r.id AND e.sequence = r.sequence
      WHERE e.phase IS DISTINCT FROM r.phase
        OR r.sequence <> (SELECT count(*) FROM rollout_events c WHERE c.tenant = r.tenant AND c.rollout = r.id)
    UNION ALL SELECT rollout || ': a job is left' FROM jobs
    UNION ALL SELECT rollout || ': ' || type || ' came ' || count(*) || ' times' FROM rollout_events
      WHERE type IN ('provisioned', 'promoted', 'rolled-back') GROUP BY tenant, rollout, type HAVING count(*) > 1`);
  return rows.map(({ broken }) => broken);
}

/** Endpoints of real models that serve something else than what succeeded last, or more than that. */
export async function unlikeWanted(database: Database, tenants: readonly Tenant[]): Promise<string[]> {
  const { rows } = await database.query<{ tenant: string; name: string; wanted: string | null }>(
    `SELECT tenant, name, (SELECT id FROM rollouts r WHERE r.phase = 'Succeeded' AND NOT r.dry_run
         AND (r.tenant, r.environment, r.target, r.name) = (e.tenant, e.environment, e.target, e.name)
         ORDER BY ended_at DESC LIMIT 1) AS wanted
     FROM endpoints e WHERE target = 'local' AND environment = 'development' AND name = ANY ($1)`,
    [LOCAL_NAMES],
  );
  const wrong: string[] = [];
  for (const { tenant, name, wanted } of rows) {
    const admin = tenants.find((one) => one.name === tenant)?.admin;
    if (admin === undefined) throw new Error(`nobody is at home in ${tenant}`);
    const params = { environment: "development", target: "local", name } as const;
    const { variants } = await patiently(() => admin.call("endpoints.get", { params }));
    const serves = variants?.map(({ role, variant }) => `${role} ${variant}`) ?? [];
    if (serves.join() !== `stable ${wanted}`) wrong.push(`${tenant}/${name} has ${serves.join()}, not ${wanted}`);
  }
  return wrong;
}
