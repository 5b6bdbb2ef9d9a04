import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

// `npm test`: every check, all of them even when one fails, and one closing line with the counts. Those that only read the
// sources run beside one another.
// `npm test -- --also package,peers` adds what needs more than npm or more time.

interface Outcome {
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
  /** What failed, by name: whoever sees only the end of a long output must be able to tell. */
  failures: string[];
}

const CHECKS: { name: string; script: string; args: string[] }[] = [
  { name: "lint", script: "node_modules/@biomejs/biome/bin/biome", args: ["check", "--error-on-warnings"] },
  { name: "types", script: "node_modules/typescript/bin/tsc", args: ["--noEmit"] },
  { name: "walls", script: "test/walls.ts", args: [] },
  { name: "dead code", script: "node_modules/knip/bin/knip.js", args: ["--treat-config-hints-as-errors"] },
];

const also =
  process.argv
    .find((argument) => argument.startsWith("--also="))
    ?.slice("--also=".length)
    .split(",") ?? [];
const reports = mkdtempSync(join(tmpdir(), "continuum-test-"));

try {
  const outcomes: Outcome[] = [];
  outcomes.push(...(await Promise.all(CHECKS.map(runCheck))));
  for (const project of ["unit", "e2e", ...also]) outcomes.push(await runProject(project));
  close(outcomes);
} finally {
  rmSync(reports, { recursive: true, force: true });
}

async function runCheck({ name, script, args }: (typeof CHECKS)[number]): Promise<Outcome> {
  const startedAtMs = Date.now();
  const code = await run([script, ...args]);
  return {
    name,
    passed: code === 0 ? 1 : 0,
    failed: code === 0 ? 0 : 1,
    skipped: 0,
    seconds: secondsSince(startedAtMs),
    failures: [],
  };
}

async function runProject(name: string): Promise<Outcome> {
  const startedAtMs = Date.now();
  const report = join(reports, `${name}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = await run(["node_modules/vitest/vitest.mjs", "run", "--project", name, ...reporters]);
  const counts = readCounts(report);
  // A run that fell over without a failing test, or found no test, has failed.
  if (counts.failed === 0 && (code !== 0 || counts.passed + counts.skipped === 0)) counts.failed = 1;
  return { name, ...counts, seconds: secondsSince(startedAtMs) };
}

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

function readCounts(path: string): Omit<Outcome, "name" | "seconds"> {
  try {
    const report: Report = JSON.parse(readFileSync(path, "utf8"));
    const failures = report.testResults.flatMap((file) => failuresOf(file));
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests,
      failures,
    };
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, failures: [`no report was written: ${error}`] };
  }
}

function failuresOf(file: Report["testResults"][number]): string[] {
  const where = relative(process.cwd(), file.name);
  const failed = file.assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0 && file.status === "failed") return [`${where}: ${firstLine(file.message)}`];
  return failed.map((test) => `${where}: ${test.fullName}: ${firstLine(test.failureMessages[0] ?? "")}`);
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}

function run(args: string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", () => resolve(1));
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

function secondsSince(startedAtMs: number): number {
  return Math.round((Date.now() - startedAtMs) / 1000);
}

function close(outcomes: Outcome[]): void {
  const sum = (key: "passed" | "failed" | "skipped") => outcomes.reduce((total, outcome) => total + outcome[key], 0);
  console.log("");
  for (const { name, passed, failed, skipped, seconds, failures } of outcomes) {
    const skips = skipped > 0 ? `, ${skipped} skipped` : "";
    console.log(
      `${failed > 0 ? "FAILED" : "ok    "} ${name.padEnd(10)} ${passed} passed, ${failed} failed${skips} (${seconds} s)`,
    );
    for (const failure of failures) console.log(`       ${failure}`);
  }
  const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
  console.log(`\n${sum("passed")} passed, ${sum("failed")} failed${skipped}`);
  process.exitCode = sum("failed") === 0 ? 0 : 1;
}
