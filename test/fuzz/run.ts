import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readFailure } from "./failure-file.ts";
import type { FuzzTarget } from "./fuzz-target.ts";
import { type FuzzReport, replay, runTarget } from "./run-target.ts";
import { TARGETS } from "./targets/targets.ts";

/**
 * `npm run fuzz`: FUZZ_INPUTS inputs (a million by default) over all targets, each in a process of its own, so that one
 * that takes the process with it is found and its memory is its own.
 *
 *     npm run fuzz -- --only plan-text --seed 7      one target, as it was with that seed
 *     npm run fuzz -- --replay FILE                  one input that failed
 */
const USAGE = "npm run fuzz -- [--only TARGET] [--seed N] [--inputs N] [--failures FOLDER] [--replay FILE]";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seed: { type: "string" },
    inputs: { type: "string" },
    failures: { type: "string", default: join(tmpdir(), "continuum-fuzz-failures") },
    replay: { type: "string" },
    /** The process of one target writes its report here. */
    report: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});

if (values.help === true) console.log(`${USAGE}\ntargets: ${TARGETS.map(({ name }) => name).join(", ")}`);
else if (values.replay !== undefined) await replayFile(values.replay);
else if (values.report !== undefined) await runHere(values.report);
else await runAll();

async function replayFile(path: string): Promise<void> {
  const failure = readFailure(path);
  console.log(`${failure.target}: ${failure.message}`);
  try {
    console.log(`now: ${await replay(named(failure.target), failure.input)}`);
  } catch (error) {
    console.log(`still: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    process.exitCode = 1;
  }
}

async function runHere(reportFile: string): Promise<void> {
  const target = named(values.only ?? "");
  const options = { inputs: whole(values.inputs, 0), seed: whole(values.seed, 0), failureFolder: values.failures };
  const report = await runTarget(target, options);
  const { writeFileSync } = await import("node:fs");
  writeFileSync(
    reportFile,
    JSON.stringify(report, (key, value) => (key === "input" ? undefined : value)),
  );
  // Pools, sockets and wasm threads of a target must not hold the whole run.
  process.exit(0);
}

async function runAll(): Promise<void> {
  const total = whole(values.inputs ?? process.env["FUZZ_INPUTS"], 1_000_000);
  const seed = whole(values.seed, Math.floor(Math.random() * 2 ** 31));
  const chosen = values.only === undefined ? TARGETS : [named(values.only)];
  const folder = mkdtempSync(join(tmpdir(), "continuum-fuzz-"));
  console.log(`seed ${seed}`);
  const startedMs = Date.now();
  let failed = 0;
  let inputs = 0;
  try {
    for (const target of chosen) {
      // Asked for by name and number, a target gets the number; otherwise its share of the whole.
      const alone = values.only !== undefined && values.inputs !== undefined;
      const share = alone ? total : Math.max(1, Math.round((total * target.share) / 1000));
      const report = await runApart(target, { inputs: share, seed, reportFile: join(folder, `${target.name}.json`) });
      inputs += report?.inputs ?? 0;
      failed += report?.failures.length ?? 1;
      print(target, report, { seed, inputs: share });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  console.log(`\n${inputs} inputs in ${seconds} s, ${failed === 0 ? "nothing failed" : `${failed} failures`}`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function runApart(
  target: FuzzTarget,
  options: { inputs: number; seed: number; reportFile: string },
): Promise<FuzzReport | undefined> {
  const { inputs, seed, reportFile } = options;
  const own = ["--only", target.name, "--seed", String(seed), "--inputs", String(inputs)];
  const more = ["--report", reportFile, "--failures", resolve(values.failures)];
  const child = spawn(process.execPath, ["--no-warnings", import.meta.filename, ...own, ...more], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = new Promise<string>((done) => {
    child.once("error", (error) => done(error.message));
    child.once("exit", (code, signal) => done(signal ?? `exit code ${code}`));
  });
  const how = await ended;
  try {
    return JSON.parse(readFileSync(reportFile, "utf8")) as FuzzReport;
  } catch {
    console.log(`\n${target.name}: the process ended with ${how} and no report`);
    return undefined;
  }
}

function print(target: FuzzTarget, report: FuzzReport | undefined, how: { seed: number; inputs: number }): void {
  const again = `npm run fuzz -- --only ${target.name} --seed ${how.seed} --inputs ${how.inputs}`;
  if (report === undefined) {
    console.log(`  again: ${again}`);
    return;
  }
  const { inputs, outcomes, seconds, worstMs, worstBytes, memory } = report;
  const perSecond = Math.round(inputs / Math.max(seconds, 0.001));
  const others = memory.othersBytes === null ? "" : `, processes behind it ${mebibytes(memory.othersBytes)}`;
  console.log(`\n${target.name}: ${inputs} inputs in ${Math.round(seconds)} s (${perSecond}/s), seed ${how.seed}`);
  console.log(
    `  ${Object.entries(outcomes)
      .map(([code, count]) => `${code} ${count}`)
      .join(", ")}`,
  );
  console.log(
    `  slowest ${worstMs} ms for ${worstBytes} bytes; heap ${memory.heapGrowthBytes >= 0 ? "+" : ""}${mebibytes(memory.heapGrowthBytes)}, process ${mebibytes(memory.rssBytes)}${others}`,
  );
  for (const { message, file } of report.failures) {
    console.log(`  FAILED ${message.slice(0, 600)}`);
    console.log(`    ${file === null ? again : `npm run fuzz -- --replay ${file}`}`);
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 104_857.6) / 10} MiB`;
}

function named(name: string): FuzzTarget {
  const target = TARGETS.find((one) => one.name === name);
  if (target !== undefined) return target;
  throw new Error(`there is no target ${JSON.stringify(name)}; there are ${TARGETS.map((one) => one.name).join(", ")}`);
}

function whole(text: string | undefined, otherwise: number): number {
  if (text === undefined || text === "") return otherwise;
  const value = Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${text} is no whole number; ${USAGE}`);
  return value;
}
