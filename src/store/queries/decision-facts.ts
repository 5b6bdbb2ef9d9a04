import type { Queryable } from "../database.ts";
import type { EndpointKey } from "./admission.ts";

/** Everything of the database that a decision reads, as it is at one moment. */
export interface DecisionFactsRow {
  /** Names the policy in force; null while the tenant has none. */
  policyDigest: string | null;
  /** The tenant's own settings. */
  settings: Record<string, unknown>;
  /** Micro-USD per hour of everything live or admitted in the environment but the endpoint itself. */
  others: number;
  /** Micro-USD per hour of what serves at the endpoint now. */
  own: number;
  /**
   * How the endpoint's newest 200 deployments ended, in no order; dry runs and those that somebody stopped or replaced
   * are none. One that an alarm undid in its watch period failed then, and the way back that it took is no trial.
   */
  outcomes: { createdAtMs: number; endedAtMs: number; failed: boolean }[];
  /** Whether a deployment of the endpoint is under way besides the rollout that asks. */
  running: boolean;
  breakerResetAtMs: number | null;
  /** Whether a dry run of exactly this plan ended lately. */
  dryRun: boolean;
  /** Of the rollout that asks. */
  snapshot: { sha256: string; bytes: Buffer } | null;
}

export interface DecisionFactsQuestion {
  at: EndpointKey;
  planDigest: string;
  dryRunSinceMs: number;
  /** The rollout that asks; absent while a plan is only checked. */
  rollout?: string | undefined;
}

/**
 * One statement and one exchange, so that a decision is made of facts that were true together. Of another endpoint the
 * larger of what is live and what is reserved counts, because both fleets never outlast the rollout. Deployments are
 * taken newest first as they were made, which an index tells: an endpoint's history is as long as its life.
 */
export async function readDecisionFacts(db: Queryable, question: DecisionFactsQuestion): Promise<DecisionFactsRow> {
  const { at, planDigest, dryRunSinceMs, rollout } = question;
  const { rows } = await db.query<Row>(SQL, [
    ...[at.tenant, at.environment, at.target, at.name, rollout ?? "", planDigest],
    new Date(dryRunSinceMs),
  ]);
  const row = rows[0];
  if (row === undefined) throw new Error("broken invariant: a question without a table has one answer");
  return {
    policyDigest: row.policyDigest,
    settings: row.settings ?? {},
    others: row.others ?? 0,
    own: row.own ?? 0,
    outcomes: (row.outcomes ?? []).map(([createdAtMs, endedAtMs, failed]) => ({ createdAtMs, endedAtMs, failed })),
    running: row.running,
    breakerResetAtMs: row.resetAt?.getTime() ?? null,
    dryRun: row.dryRun,
    snapshot: row.sha256 === null || row.bytes === null ? null : { sha256: row.sha256, bytes: row.bytes },
  };
}

interface Row {
  policyDigest: string | null;
  settings: Record<string, unknown> | null;
  others: number | null;
  own: number | null;
  outcomes: [createdAtMs: number, endedAtMs: number, failed: boolean][] | null;
  running: boolean;
  resetAt: Date | null;
  dryRun: boolean;
  sha256: string | null;
  bytes: Buffer | null;
}

const ENDPOINT = "tenant = $1 AND environment = $2 AND target = $3 AND name = $4";

const SQL = `
SELECT
  (SELECT digest FROM policy_active WHERE tenant = $1) AS "policyDigest",
  (SELECT settings FROM tenants WHERE tenant = $1) AS settings,
  costs.others, costs.own,
  (SELECT json_agg(json_build_array(floor(extract(epoch FROM created_at) * 1000),
       floor(extract(epoch FROM coalesce(w.at, ended_at)) * 1000), phase <> 'Succeeded' OR w.at IS NOT NULL))
   FROM (
     SELECT tenant, id, created_at, ended_at, phase FROM rollouts
     WHERE ${ENDPOINT} AND terminal AND NOT dry_run AND ended_at IS NOT NULL
       AND phase IN ('Succeeded', 'RolledBack', 'Failed')
       AND NOT (phase = 'RolledBack' AND state->'reason'->>'code' IN ('aborted', 'superseded'))
       AND NOT (phase = 'Succeeded' AND state->'restores'->>'alarm' IS NOT NULL)
     ORDER BY created_at DESC LIMIT 200) AS ends
   LEFT JOIN watch_restores w ON w.tenant = ends.tenant AND w.rollout = ends.id AND w.outcome = 'proposed') AS outcomes,
  EXISTS (SELECT FROM rollouts WHERE ${ENDPOINT}
     AND NOT terminal AND NOT dry_run AND phase NOT IN ('Proposed', 'AwaitingApproval') AND id <> $5) AS running,
  (SELECT breaker_reset_at FROM endpoints WHERE ${ENDPOINT}) AS "resetAt",
  EXISTS (SELECT FROM rollouts WHERE tenant = $1 AND plan_digest = $6 AND dry_run AND phase = 'DryRunCompleted'
     AND ended_at >= $7) AS "dryRun",
  snapshots.sha256, snapshots.bytes
FROM (
  SELECT (sum(greatest(live, reserved)) FILTER (WHERE NOT own))::bigint AS others,
         (sum(live) FILTER (WHERE own))::bigint AS own
  FROM (
    SELECT e.target = $3 AND e.name = $4 AS own, e.micro_usd_per_hour AS live,
      (SELECT coalesce(max(r.reserved_micro_usd_per_hour), 0) FROM rollouts r
       WHERE (r.tenant, r.environment, r.target, r.name) = (e.tenant, e.environment, e.target, e.name)
         AND NOT r.terminal) AS reserved
    FROM endpoints e WHERE e.tenant = $1 AND e.environment = $2 AND e.target <> 'simulated') AS cost) AS costs
  LEFT JOIN snapshots ON snapshots.tenant = $1 AND snapshots.rollout = $5`;
