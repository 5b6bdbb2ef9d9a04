import { propose } from "../src/engine/proposal.ts";
import { ROBOT, simulatedPlan, TENANT } from "../src/engine/testing/engine-fixture.ts";
import type { Database } from "../src/store/database.ts";
import { listRollouts } from "../src/store/queries/rollouts.ts";
import { benchDatabase, proposingParts } from "./database.ts";
import { type Measurement, must, quantile } from "./measure.ts";

const PAGE = 50;

/** A page of a long list: the newest, one from its middle, and the newest that are open, of one endpoint, of one phase. */
export const measureLists: Measurement = async ({ quick, say }) => {
  const on = await benchDatabase("list");
  try {
    const rollouts = quick ? 20_000 : 100_000;
    const parts = proposingParts(on.database);
    await propose(parts, { tenant: TENANT, actor: ROBOT, plan: simulatedPlan() });
    await multiply(on.database, rollouts);
    const middle = { createdAtMs: Date.now() - (rollouts / 2) * 1000, id: "" };
    const pages = [
      { tenant: TENANT, limit: PAGE },
      { tenant: TENANT, limit: PAGE, after: middle },
      { tenant: TENANT, limit: PAGE, open: true },
      { tenant: TENANT, limit: PAGE, name: "churn", environment: "development" },
      { tenant: TENANT, limit: PAGE, phase: "Succeeded" },
    ];
    const samples: number[] = [];
    for (let round = 0; round < (quick ? 5 : 40); round += 1) {
      for (const page of pages) {
        const startMs = performance.now();
        const rows = await listRollouts(on.database, page);
        samples.push(performance.now() - startMs);
        must(rows.length > 0 && rows.length <= PAGE, "the page holds rollouts");
      }
    }
    const plan = await on.database.query<{ "QUERY PLAN": string }>(
      `EXPLAIN SELECT state FROM rollouts WHERE tenant = '${TENANT}' ORDER BY created_at DESC, id DESC LIMIT ${PAGE}`,
    );
    const text = plan.rows.map((row) => row["QUERY PLAN"]).join("\n");
    must(text.includes("rollouts_newest"), `a page is read by its index:\n${text}`);
    say(`${rollouts} rollouts, p50 ${quantile(samples, 0.5).toFixed(2)} ms`);
    return [
      {
        ...{ name: `list of ${rollouts} rollouts, a page of ${PAGE}, p99 over five filters`, unit: "ms" },
        ...{
          value: quantile(samples, 0.99),
          peer: "none: the list is ours alone",
          peerValue: null,
          aim: { below: 100 },
        },
      },
    ];
  } finally {
    await on.close();
  }
};

/** History, made by the database itself: all ended but one, a second apart. */
async function multiply(database: Database, rollouts: number): Promise<void> {
  await database.query(
    `INSERT INTO rollouts (tenant, id, environment, target, name, plan_digest, phase, active, terminal, dry_run, simulation,
       sequence, state, decision, created_at, ended_at)
     SELECT tenant, 'r-' || lpad(number::text, 12, '0'), environment, target, name, plan_digest, 'Succeeded', false, true,
       dry_run, simulation, sequence, state, decision, now() - number * interval '1 second', now()
     FROM rollouts, generate_series(1, $1::integer) AS number`,
    [rollouts],
  );
  await database.query("ANALYZE rollouts");
}
