import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { jobsOf, SIZES } from "./plan.ts";
import { rowsOf, tables } from "./report.ts";
import { calibrationReport } from "./report-of.ts";
import { runJobs } from "./run-jobs.ts";

/**
 * `npm run calibrate`: how often the judge and the monitor are wrong, and how soon they are right, beside the rules of
 * others on the same streams. Ends with an error when a promise is not kept.
 */
const USAGE = `npm run calibrate -- [--quick] [--rollouts N] [--only TEXT] [--seed N] [--json FILE] [--threads N]

  --quick       under two minutes on two cores, with wide intervals
  --rollouts N  so many rollouts of equal arms in each world instead of 10,000
  --only TEXT   worlds whose part ("equal", "effect", "drift") and name contain the text
  --json FILE   the report as JSON, beside the tables`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rollouts: { type: "string" },
    only: { type: "string" },
    seed: { type: "string", default: "1" },
    json: { type: "string" },
    threads: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});

if (values.help === true) console.log(USAGE);
else await calibrate();

async function calibrate(): Promise<void> {
  const usual = values.quick ? SIZES.quick : SIZES.full;
  const size = { ...usual, equal: whole(values.rollouts, usual.equal) };
  const seed = whole(values.seed, 1);
  const jobs = jobsOf({ size, seed, only: values.only });
  if (jobs.length === 0) throw new Error(`nothing is called "${values.only}"\n\n${USAGE}`);
  const startedMs = Date.now();
  const threads = whole(values.threads, availableParallelism());
  const results = await runJobs(jobs, { threads, done: (finished) => progress(finished, jobs.length) });
  const rows = rowsOf(results);
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  calibrationReport({ rows, seed, size: values.quick ? "quick" : "full", seconds, file: values.json });
  console.log(tables(rows));
  const failed = rows.filter(({ met }) => met === false);
  const promised = rows.filter(({ met }) => met !== null).length;
  console.log(`\n${promised - failed.length} of ${promised} targets met, seed ${seed}, ${seconds} s`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

function progress(finished: number, of: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${finished} of ${of} `);
}

function whole(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`"${text}" is no whole number\n\n${USAGE}`);
  return number;
}
