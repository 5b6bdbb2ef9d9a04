import type { Queryable, Transaction } from "../database.ts";

/**
 * Further than any control plane gets between a backup and its restore (2^40 effects), and a step that 2^53 has room
 * for thousands of times.
 */
const GENERATION_STEP = 2 ** 40;

/** More changes of a policy than any tenant makes between a backup and its restore. */
const ACTIVATION_STEP = 2 ** 20;

/**
 * Makes a restored database one that workers can go on with. What was claimed by workers that are not there any more
 * is free. Generations go on far above all that were given out: a target that lives on has seen newer ones than the
 * backup knows, and would refuse every effect; and a late effect of the lost time must not come after a new one.
 */
export async function settleRestored(
  tx: Transaction,
  atMs: number,
): Promise<{ openRollouts: number; generation: number }> {
  const { rows } = await tx.query<{ generation: number }>(
    `WITH given_out AS (
       SELECT greatest((SELECT last_value FROM effect_generation), (SELECT max(generation) FROM jobs),
         (SELECT max(generation) FROM endpoints)) AS newest
     )
     INSERT INTO restores (restored_at, generation_before, generation_after)
     SELECT $2, newest, setval('effect_generation', newest + $1::bigint) FROM given_out
     RETURNING generation_after AS generation`,
    [GENERATION_STEP, new Date(atMs)],
  );
  await tx.query(
    `UPDATE jobs SET worker = NULL, claimed_at = NULL, run_at = least(run_at, $1), generation = nextval('effect_generation')`,
    [new Date(atMs)],
  );
  // Clients that saw a newer policy than the backup holds would take this one for an old one given back.
  await tx.query("UPDATE policy_active SET sequence = sequence + $1", [ACTIVATION_STEP]);
  // What was ended or used up after the backup must not open anything again; people sign in anew.
  await tx.query("UPDATE sessions SET ended_at = coalesce(ended_at, $1)", [new Date(atMs)]);
  await tx.query("DELETE FROM enrolments");
  await tx.query("DELETE FROM sign_in_challenges");
  const open = await tx.query<{ count: number }>("SELECT count(*) AS count FROM rollouts WHERE NOT terminal");
  return { openRollouts: open.rows[0]?.count ?? 0, generation: rows[0]?.generation ?? 0 };
}

/** Whether an effect of that generation was made after a backup that this database was filled from, and is not in it. */
export async function isOfLostTime(db: Queryable, generation: number): Promise<boolean> {
  const { rowCount } = await db.query(
    "SELECT FROM restores WHERE $1 > generation_before AND $1 < generation_after LIMIT 1",
    [generation],
  );
  return rowCount > 0;
}
