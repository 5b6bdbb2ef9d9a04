import type { Queryable, Transaction } from "../database.ts";
import type { EndpointKey } from "./admission.ts";
import type { Removed } from "./retention.ts";

/**
 * Truth about answers: what was told, what waits for it, and what became of both. `OFFSET 0` keeps a join from being
 * planned as all rows of the endpoint against all: of a table that has just been filled the planner knows nothing.
 */

export interface TruthRow {
  /** The pseudonym of the inference. */
  inference: string;
  row: number;
  label: string;
  facet: string | null;
  group: string | null;
  knownMs: number;
}

/** What became of labels that were sent. */
export interface TakenTruths {
  added: number;
  replaced: number;
  unchanged: number;
  /** Another label than the one that was counted already: it stays. */
  refused: number;
}

/** Each inference and row at most once in `truths`. The last label wins until it is counted. */
export async function takeTruths(
  tx: Transaction,
  at: EndpointKey,
  { truths, receivedMs }: { truths: readonly TruthRow[]; receivedMs: number },
): Promise<TakenTruths> {
  const { rows } = await tx.query<TakenTruths>(
    `WITH given AS (
       SELECT * FROM unnest($5::text[], $6::int[], $7::text[], $8::text[], $9::text[], $10::timestamptz[])
         AS g (inference, row_number, label, facet, comparison_group, known_at)
     ), before AS (
       SELECT t.inference, t.row_number, t.counted_at IS NOT NULL AS counted, t.label = g.label AS same
       FROM given g, LATERAL (SELECT * FROM ground_truths t WHERE (t.tenant, t.environment, t.target, t.name) = ($1, $2, $3, $4)
         AND (t.inference, t.row_number) = (g.inference, g.row_number) OFFSET 0) AS t
     ), stored AS (
       INSERT INTO ground_truths AS t
         (tenant, environment, target, name, inference, row_number, label, facet, comparison_group, known_at, received_at)
       SELECT $1, $2, $3, $4, inference, row_number, label, facet, comparison_group, known_at, $11 FROM given
       ON CONFLICT (tenant, environment, target, name, inference, row_number) DO UPDATE SET label = excluded.label,
         facet = coalesce(excluded.facet, t.facet),
         comparison_group = coalesce(excluded.comparison_group, t.comparison_group),
         known_at = excluded.known_at, received_at = excluded.received_at
       WHERE t.counted_at IS NULL AND t.label <> excluded.label
     )
     SELECT (SELECT count(*) FROM given) - count(*) AS added, count(*) FILTER (WHERE NOT same AND NOT counted) AS replaced,
       count(*) FILTER (WHERE same) AS unchanged, count(*) FILTER (WHERE NOT same AND counted) AS refused
     FROM before`,
    [
      ...keyOf(at),
      truths.map(({ inference }) => inference),
      truths.map(({ row }) => row),
      truths.map(({ label }) => label),
      truths.map(({ facet }) => facet),
      truths.map(({ group }) => group),
      truths.map(({ knownMs }) => new Date(knownMs)),
      new Date(receivedMs),
    ],
  );
  return rows[0] ?? { added: 0, replaced: 0, unchanged: 0, refused: 0 };
}

/** Labels that no answer was found for yet; counting ends at `most`. */
export async function countWaitingTruths(db: Queryable, at: EndpointKey, most: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*) AS count FROM (SELECT FROM ground_truths WHERE tenant = $1 AND environment = $2 AND target = $3
       AND name = $4 AND counted_at IS NULL LIMIT $5) AS waiting`,
    [...keyOf(at), most],
  );
  return rows[0]?.count ?? 0;
}

/** Labels that came before then, were never counted and have no answer that waits for them. */
export async function removeStrayTruths(
  tx: Transaction,
  at: EndpointKey,
  { receivedBeforeMs, limit }: { receivedBeforeMs: number; limit: number },
): Promise<number> {
  const { rowCount } = await tx.query(
    `DELETE FROM ground_truths WHERE (tenant, environment, target, name) = ($1, $2, $3, $4) AND ctid = ANY (ARRAY(
       SELECT t.ctid FROM ground_truths t
       WHERE (t.tenant, t.environment, t.target, t.name) = ($1, $2, $3, $4) AND t.counted_at IS NULL
         AND t.received_at < $5 AND NOT EXISTS (SELECT FROM inference_predictions p
           WHERE (p.tenant, p.environment, p.target, p.name) = ($1, $2, $3, $4)
             AND p.inference = t.inference AND p.row_number = t.row_number)
       LIMIT $6))`,
    [...keyOf(at), new Date(receivedBeforeMs), limit],
  );
  return rowCount;
}

export interface NewPrediction {
  inference: string;
  row: number;
  variant: string;
  probability: number;
  atMs: number;
  predicted: string | null;
  value: number | null;
  score: number | null;
  facet: string | null;
  group: string | null;
}

/** Answers how many were new: an inference id that a caller used twice stands for the first. */
export async function insertPredictions(
  tx: Transaction,
  at: EndpointKey,
  { rollout, rows }: { rollout: string; rows: readonly NewPrediction[] },
): Promise<number> {
  const { rowCount } = await tx.query(
    `INSERT INTO inference_predictions (tenant, environment, target, name, rollout, inference, row_number, variant,
       probability, at, predicted, value, score, facet, comparison_group)
     SELECT $1, $2, $3, $4, $5, * FROM unnest($6::text[], $7::int[], $8::text[], $9::float8[], $10::timestamptz[],
       $11::text[], $12::float8[], $13::float8[], $14::text[], $15::text[])
     ON CONFLICT DO NOTHING`,
    [
      ...[...keyOf(at), rollout],
      rows.map(({ inference }) => inference),
      rows.map(({ row }) => row),
      rows.map(({ variant }) => variant),
      rows.map(({ probability }) => probability),
      rows.map(({ atMs }) => new Date(atMs)),
      rows.map(({ predicted }) => predicted),
      rows.map(({ value }) => value),
      rows.map(({ score }) => score),
      rows.map(({ facet }) => facet),
      rows.map(({ group }) => group),
    ],
  );
  return rowCount;
}

/** An answer with what is known of its truth; `label` is null where nothing was known in time. */
export interface JoinedRow extends NewPrediction {
  label: string | null;
  /** The facet was not captured with the answer and came with its label. */
  isFacetTold: boolean;
  /** Where the answer's row lies; it holds until the transaction ends, because such a row never changes. */
  place: string;
}

export interface JoinOf {
  rollout: string;
  /** Answers up to then. */
  toMs: number;
  /**
   * Truth that was known so long after the request at the latest; null takes whatever is known, and only answers that
   * have some or that are older than `giveUpMs`.
   */
  horizonSeconds: number | null;
  giveUpMs: number;
  limit: number;
}

/**
 * Oldest first. The facet and the group that came with the label go before those that were captured. Truth that was
 * counted before an answer was given is not that answer's: its inference id was used again, and a caller could have one
 * label counted as often as it likes.
 */
export async function joinDue(tx: Transaction, at: EndpointKey, of: JoinOf): Promise<JoinedRow[]> {
  const { rows } = await tx.query<Omit<JoinedRow, "atMs"> & { at: Date }>(
    `SELECT p.ctid::text AS place, p.inference, p.row_number AS row, p.variant, p.probability, p.at, p.predicted, p.value, p.score,
       coalesce(t.facet, p.facet) AS facet, coalesce(t.comparison_group, p.comparison_group) AS group, t.label,
       p.facet IS NULL AND t.facet IS NOT NULL AS "isFacetTold"
     FROM inference_predictions p LEFT JOIN LATERAL (SELECT * FROM ground_truths t
       WHERE (t.tenant, t.environment, t.target, t.name) = (p.tenant, p.environment, p.target, p.name)
         AND (t.inference, t.row_number) = (p.inference, p.row_number)
         AND (t.counted_at IS NULL OR t.counted_at >= p.at)
         AND ($7::float8 IS NULL OR t.known_at <= p.at + make_interval(secs => $7)) OFFSET 0) AS t ON true
     WHERE (p.tenant, p.environment, p.target, p.name) = ($1, $2, $3, $4) AND p.rollout = $5 AND p.at <= $6
       AND ($7::float8 IS NOT NULL OR t.label IS NOT NULL OR p.at < $8)
     ORDER BY p.at LIMIT $9`,
    [...keyOf(at), of.rollout, new Date(of.toMs), of.horizonSeconds, new Date(of.giveUpMs), of.limit],
  );
  return rows.map(({ at: requested, ...row }) => ({ ...row, atMs: requested.getTime() }));
}

/** Takes away what was counted, and marks its truth, so that it can change no more. */
export async function markCounted(
  tx: Transaction,
  at: EndpointKey,
  { rollout, rows, atMs }: { rollout: string; rows: readonly JoinedRow[]; atMs: number },
): Promise<void> {
  const labelled = rows.filter(({ label }) => label !== null);
  await tx.query(
    "DELETE FROM inference_predictions WHERE ctid = ANY ($1::text[]::tid[]) AND tenant = $2 AND rollout = $3",
    [rows.map(({ place }) => place), at.tenant, rollout],
  );
  await tx.query(
    `UPDATE ground_truths SET counted_at = coalesce(counted_at, $7) WHERE ctid IN (
       SELECT t.ctid FROM unnest($5::text[], $6::int[]) AS g (inference, row_number), LATERAL (
         SELECT ctid FROM ground_truths t WHERE (t.tenant, t.environment, t.target, t.name) = ($1, $2, $3, $4)
           AND (t.inference, t.row_number) = (g.inference, g.row_number) OFFSET 0) AS t)`,
    [...[...keyOf(at), labelled.map(({ inference }) => inference), labelled.map(({ row }) => row)], new Date(atMs)],
  );
}

export interface QualityCellRow {
  arm: "candidate" | "stable";
  hourMs: number;
  labelled: number;
  cell: Buffer;
}

export async function readQualityCell(
  tx: Transaction,
  at: EndpointKey,
  of: { rollout: string; arm: string; hourMs: number },
): Promise<Buffer | undefined> {
  const { rows } = await tx.query<{ cell: Buffer }>(
    `SELECT cell FROM quality_cells WHERE (tenant, environment, target, name) = ($1, $2, $3, $4) AND rollout = $5
       AND arm = $6 AND hour = $7`,
    [...keyOf(at), of.rollout, of.arm, new Date(of.hourMs)],
  );
  return rows[0]?.cell;
}

export async function writeQualityCell(
  tx: Transaction,
  at: EndpointKey,
  of: { rollout: string } & QualityCellRow,
): Promise<void> {
  await tx.query(
    `INSERT INTO quality_cells (tenant, environment, target, name, rollout, arm, hour, labelled, cell)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (tenant, environment, target, name, rollout, arm, hour)
       DO UPDATE SET labelled = excluded.labelled, cell = excluded.cell`,
    [...keyOf(at), of.rollout, of.arm, new Date(of.hourMs), of.labelled, of.cell],
  );
}

/** Newest first. */
export async function listQualityCells(
  db: Queryable,
  at: EndpointKey,
  of: { rollout: string; arm: QualityCellRow["arm"]; limit: number },
): Promise<QualityCellRow[]> {
  const { rows } = await db.query<Omit<QualityCellRow, "hourMs"> & { hour: Date }>(
    `SELECT arm, hour, labelled, cell FROM quality_cells
     WHERE (tenant, environment, target, name) = ($1, $2, $3, $4) AND rollout = $5 AND arm = $6
     ORDER BY hour DESC LIMIT $7`,
    [...keyOf(at), of.rollout, of.arm, of.limit],
  );
  return rows.map(({ hour, ...row }) => ({ ...row, hourMs: hour.getTime() }));
}

/** Locks the row, made when it is not there: whoever adds to a rollout's counts does so alone. */
export async function lockQualityState(
  tx: Transaction,
  at: EndpointKey,
  { rollout, atMs }: { rollout: string; atMs: number },
): Promise<Record<string, unknown>> {
  await tx.query(
    `INSERT INTO quality_states (tenant, environment, target, name, rollout, state, updated_at)
     VALUES ($1, $2, $3, $4, $5, '{}', $6) ON CONFLICT DO NOTHING`,
    [...keyOf(at), rollout, new Date(atMs)],
  );
  const { rows } = await tx.query<{ state: Record<string, unknown> }>(
    `SELECT state FROM quality_states WHERE (tenant, environment, target, name) = ($1, $2, $3, $4) AND rollout = $5
     FOR UPDATE`,
    [...keyOf(at), rollout],
  );
  return rows[0]?.state ?? {};
}

export async function writeQualityState(
  tx: Transaction,
  at: EndpointKey,
  of: { rollout: string; state: object; atMs: number },
): Promise<void> {
  await tx.query(
    `UPDATE quality_states SET state = $6, updated_at = $7
     WHERE (tenant, environment, target, name) = ($1, $2, $3, $4) AND rollout = $5`,
    [...keyOf(at), of.rollout, JSON.stringify(of.state), new Date(of.atMs)],
  );
}

const ROWS_AT_ONCE = 5000;

/** Labels, answers, cells and states that are past their time. */
export async function removeGroundTruth(tx: Transaction, beforeMs: number): Promise<Removed[]> {
  const parts = [
    ["ground_truths", "inference, row_number", "received_at"],
    ["inference_predictions", "rollout, inference, row_number", "at"],
    ["quality_cells", "rollout, arm, hour", "hour"],
    ["quality_states", "rollout", "updated_at"],
  ] as const;
  const counts = new Map<string, number>();
  for (const [table, key, time] of parts) {
    const whole = `tenant, environment, target, name, ${key}`;
    const { rows } = await tx.query<Removed>(
      `WITH gone AS (DELETE FROM ${table} WHERE (${whole}) IN (
         SELECT ${whole} FROM ${table} WHERE ${time} < $1 LIMIT ${ROWS_AT_ONCE}) RETURNING tenant)
       SELECT tenant, count(*) AS count FROM gone GROUP BY tenant`,
      [new Date(beforeMs)],
    );
    for (const { tenant, count } of rows) counts.set(tenant, (counts.get(tenant) ?? 0) + count);
  }
  return [...counts].map(([tenant, count]) => ({ tenant, count }));
}

function keyOf({ tenant, environment, target, name }: EndpointKey): string[] {
  return [tenant, environment, target, name];
}
