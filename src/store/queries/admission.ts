import type { Queryable, Transaction } from "../database.ts";

/** What decides whether a plan fits beside everything else of its tenant. */

export interface EndpointKey {
  tenant: string;
  environment: string;
  target: string;
  name: string;
}

/** Admissions of one environment happen one after the other: the lock is held until the transaction ends. */
export async function lockEnvironment(tx: Transaction, tenant: string, environment: string): Promise<void> {
  await tx.query("INSERT INTO environments (tenant, environment) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
    tenant,
    environment,
  ]);
  await tx.query("SELECT FROM environments WHERE tenant = $1 AND environment = $2 FOR UPDATE", [tenant, environment]);
}

/**
 * Micro-USD per hour of everything live or admitted in the environment but the endpoint itself, and of what serves
 * there now. Of another endpoint the larger of what is live and what is reserved counts, because both fleets never
 * outlast the rollout. One statement, so that a rollout that ends meanwhile is seen either before or after.
 */
export async function environmentCosts(db: Queryable, at: EndpointKey): Promise<{ others: number; own: number }> {
  const { rows } = await db.query<{ others: number; own: number }>(
    `SELECT coalesce(sum(greatest(live, reserved)) FILTER (WHERE NOT own), 0)::bigint AS others,
            coalesce(sum(live) FILTER (WHERE own), 0)::bigint AS own
     FROM (
       SELECT e.target = $3 AND e.name = $4 AS own, e.micro_usd_per_hour AS live,
         (SELECT coalesce(max(r.reserved_micro_usd_per_hour), 0) FROM rollouts r
          WHERE (r.tenant, r.environment, r.target, r.name) = (e.tenant, e.environment, e.target, e.name)
            AND NOT r.terminal) AS reserved
       FROM endpoints e WHERE e.tenant = $1 AND e.environment = $2 AND e.target <> 'simulated') AS costs`,
    [at.tenant, at.environment, at.target, at.name],
  );
  return rows[0] ?? { others: 0, own: 0 };
}

export async function reserve(
  tx: Transaction,
  rollout: { tenant: string; id: string; microUsdPerHour: number },
): Promise<void> {
  await tx.query("UPDATE rollouts SET reserved_micro_usd_per_hour = $3 WHERE tenant = $1 AND id = $2", [
    rollout.tenant,
    rollout.id,
    rollout.microUsdPerHour,
  ]);
}

/** The rollout that holds the endpoint, if one does. */
export async function activeRollout(db: Queryable, at: EndpointKey): Promise<string | undefined> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM rollouts WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND active`,
    [at.tenant, at.environment, at.target, at.name],
  );
  return rows[0]?.id;
}

export interface OutcomeRow {
  createdAtMs: number;
  endedAtMs: number;
  failed: boolean;
}

/** How the endpoint's newest deployments ended, and whether one is under way besides the given rollout. */
export async function deploymentHistory(
  db: Queryable,
  at: EndpointKey,
  without: string | undefined,
): Promise<{ outcomes: OutcomeRow[]; running: boolean; resetAtMs: number | null }> {
  const values = [at.tenant, at.environment, at.target, at.name];
  const outcomes = await db.query<{ createdAt: Date; endedAt: Date; phase: string }>(
    `SELECT created_at AS "createdAt", ended_at AS "endedAt", phase FROM rollouts
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4
       AND terminal AND NOT dry_run AND ended_at IS NOT NULL AND phase IN ('Succeeded', 'RolledBack', 'Failed')
       AND NOT (phase = 'RolledBack' AND state->'reason'->>'code' IN ('aborted', 'superseded'))
     ORDER BY ended_at DESC LIMIT 200`,
    values,
  );
  const state = await db.query<{ running: boolean; resetAt: Date | null }>(
    `SELECT EXISTS (
       SELECT FROM rollouts WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4
         AND NOT terminal AND NOT dry_run AND phase NOT IN ('Proposed', 'AwaitingApproval') AND id <> $5) AS running,
       (SELECT breaker_reset_at FROM endpoints
        WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4) AS "resetAt"`,
    [...values, without ?? ""],
  );
  return {
    outcomes: outcomes.rows.map(({ createdAt, endedAt, phase }) => ({
      createdAtMs: createdAt.getTime(),
      endedAtMs: endedAt.getTime(),
      failed: phase !== "Succeeded",
    })),
    running: state.rows[0]?.running ?? false,
    resetAtMs: state.rows[0]?.resetAt?.getTime() ?? null,
  };
}

/** Whether a dry run of exactly this plan ended since then. */
export async function dryRunSince(
  db: Queryable,
  plan: { tenant: string; digest: string; sinceMs: number },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT FROM rollouts WHERE tenant = $1 AND plan_digest = $2 AND dry_run AND phase = 'DryRunCompleted' AND ended_at >= $3 LIMIT 1`,
    [plan.tenant, plan.digest, new Date(plan.sinceMs)],
  );
  return rowCount > 0;
}
