import { createHash } from "node:crypto";
import { z } from "zod";
import { verdictSchema } from "../../contract/verdict-views.ts";
import { textTable } from "../../surfaces/cli/text-table.ts";
import { type Judged, SUM_COLUMNS, type VerdictView } from "../../surfaces/cli/verdict-text.ts";
import { DrawnRows, MEASURED_WITHIN } from "../drawn-rows.ts";
import { ended, follow } from "../follow.ts";
import { watchedPlan } from "../plans.ts";
import { expectThat, type Models, type Stage } from "../stage.ts";
import { short } from "./deciding.ts";
import { submit } from "./proposing.ts";
import { splitLine, startTraffic } from "./rollouts.ts";

const BASELINE_ROWS = 2000;
/** How much more traffic a proof would need is a guess that the story does not need, and the line is full. */
const COLUMNS = SUM_COLUMNS.filter(({ heading }) => heading !== "STILL NEEDS");

/** The rows that versions 4 and 5 are watched on, and the table that they are compared with. */
export interface WatchedInputs {
  /** In the store. */
  baseline: string;
  /** Drawn like the baseline's, and not the same. */
  rows: DrawnRows;
}

/** Draws the baseline and the traffic from all rows there are, each by itself, and stores the baseline. */
export async function drawInputs(stage: Stage, { trained }: Models): Promise<WatchedInputs> {
  const { narrator, api } = stage;
  const { train, holdout } = trained.split;
  const pool = [...train.rows, ...holdout.rows];
  const drawn = () => new DrawnRows(pool, Buffer.from(stage.random(4)).readInt32LE());
  const rows = drawn().take(BASELINE_ROWS);
  const bytes = Buffer.from(`${[train.featureNames, ...rows].map((row) => row.join(",")).join("\n")}\n`, "utf8");
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await api.call("artifacts.put", { params: { digest }, body: bytes });
  narrator.tell(
    `${pool.length} rows are too few to ask for again and again, so baseline and traffic are each drawn from them at random, ` +
      `every number measured again within ${100 * MEASURED_WITHIN} %: what does not drift is distributed as the baseline is`,
  );
  narrator.tell(
    `the baseline: ${rows.length} rows of ${train.featureNames.length} columns, ${short(digest)}, encrypted`,
  );
  return { baseline: `store:${digest}`, rows: drawn() };
}

/** A healthy version under the watch that the one before was taken back by: inputs as the baseline's, and it is promoted. */
export async function promoteWatched(
  stage: Stage,
  url: string,
  { models, inputs }: { models: Models; inputs: WatchedInputs },
): Promise<void> {
  const { narrator } = stage;
  const { version, plan } = models.v5;
  narrator.chapter(`Version ${version} under the very same watch, and nothing drifts`);
  narrator.say("the hospital's device is set right: all rows come as the baseline's did");
  const traffic = startTraffic(stage, url, { nextBody: () => inputs.rows.next().join(",") });
  let compared: Verdict | undefined;
  try {
    const rollout = await follow(stage, await submit(stage, watchedPlan(plan, inputs.baseline)), {
      live: () => splitLine(traffic.summary()),
      onEvent: ({ type, phase, details }) => {
        // What let it go from half of the traffic to all of it.
        if (type === "watched" && phase === "Shifting") compared = watchedDetails.parse(details).verdict;
      },
    });
    expectThat(rollout.phase === "Succeeded", `expected Succeeded, got ${ended(rollout)}`);
  } finally {
    await traffic.stop();
  }
  const summary = traffic.summary();
  narrator.say(`${summary.requests} requests during the rollout, ${summary.failed} failed: ${splitLine(summary)}`);
  expectThat(summary.failed === 0, `expected no request to fail, ${summary.failed} did`);
  expectThat(compared?.outcome === "pass", `expected a pass beside 2.0.0, got ${compared?.outcome ?? "no verdict"}`);
  narrator.say("the verdict that let it go on to all traffic, as `rollout get` prints it, shortened:");
  sayMetrics(stage, compared, ["errors", "latency", "drift"]);
  expectThat(
    compared.metrics.some(({ metric, observed }) => metric === "drift" && observed !== null),
    "expected its inputs to be compared with the baseline",
  );
}

export type Verdict = Pick<VerdictView, "outcome" | "metrics">;
type Metric = Verdict["metrics"][number]["metric"];

/** Of an event that a bake's verdict is in. */
const watchedDetails = z.object({ verdict: verdictSchema.omit({ at: true }) });

/** What was measured of these, with the sums of those that have any. */
export function sayMetrics({ narrator }: Stage, { metrics }: Verdict, names: readonly Metric[]): void {
  const shown = names.flatMap((name) => metrics.filter(({ metric }) => metric === name));
  expectThat(shown.length === names.length, `expected ${names.join(", ")} in the verdict`);
  for (const { metric, outcome, message } of shown) narrator.tell(`  ${metric.padEnd(7)}  ${outcome}: ${message}`);
  const judged = shown.filter((metric): metric is Judged => metric.figures !== undefined);
  narrator.tell(textTable(judged, COLUMNS, "").replaceAll(/^/gm, "  "));
}
