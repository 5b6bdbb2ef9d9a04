import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

// The main job as a newcomer runs it: one command, real processes, and what it says is read back.
const bin = join(import.meta.dirname, "../../bin/continuum.js");

test("the quickstart tells the whole story, leaves nothing behind and ends well", async () => {
  const before = leftovers();
  const { code, output, seconds } = await run(["quickstart"]);
  expect(output, output).toContain("All processes are stopped and the folder is gone.");
  expect(code).toBe(0);
  expect(seconds).toBeLessThan(120);

  // Denied with every finding, then admitted with the one fix.
  expect(output).toMatch(/decision: DENY/);
  for (const clause of ["AO-1", "AO-8", "CP-2", "CP-12"]) expect(output).toMatch(new RegExp(`${clause} +deny`));
  expect(output).toMatch(/with the fix.*: ALLOW/);
  // v2: both versions answered, none failed.
  expect(output).toMatch(/answers in the 20 % step: 1\.0\.0: \d+ \([\d.]+ %\), 2\.0\.0: \d+/);
  expect(output).toMatch(/\d{3,} requests during the rollout, 0 failed/);
  // v3: some were touched, all went back.
  expect(output).toMatch(/\d+ of \d+ requests reached 3\.0\.0, [1-9]\d* of them got an error/);
  expect(output).toMatch(/from the first bad answer to the last answer of 3\.0\.0: \d+ ms/);
  expect(output).toMatch(/now serving: 2\.0\.0/);
  drifts(chapter(output, "Version 4.0.0"));
  staysAsItWas(chapter(output, "Version 5.0.0 under"));
  // Staging asks nobody: what is lacking is said, the release signs, and both gates are passed.
  expect(output).toMatch(
    /a dry run: DryRunCompleted, verification enhanced; it lacks CP-1 \(The manifest's signature\)/,
  );
  const [, staging = "", production = "", audit = ""] = output.split(/^\d+\. (?=Version 5.0.0 goes to|The audit log)/m);
  for (const phase of ["Verifying", "Snapshotting", "Provisioning", "Promoting", "Succeeded"]) {
    expect(staging).toMatch(new RegExp(`\\+[\\d.]+ s +${phase}$`, "m"));
    expect(production).toMatch(new RegExp(`\\+[\\d.]+ s +${phase}$`, "m"));
  }
  expect(staging).not.toContain("AwaitingApproval");
  expect(staging).toMatch(/snapshot of an endpoint where nothing served: sha256:/);
  // Production: a dry run by default, refusals for who may not approve, one person's signature, every kind of evidence.
  expect(production).toMatch(/DryRunCompleted; risk high, verification full/);
  expect(production).toMatch(/needs 1 approval by a person \(approver, with MFA, signed\)/);
  for (const clause of ["AO-7", "CP-10", "P2", "CP-1"]) expect(production).toMatch(new RegExp(`lacks ${clause} `));
  expect(production).toMatch(/two different people: approver and budget-owner/);
  expect(production).toMatch(/release-agent tries to approve its own plan: REFUSED \(humans-only\)/);
  expect(production).toMatch(/throwaway-omar.* REFUSED \(own-plan\)/);
  expect(production).toMatch(/registers a throwaway key sha256:\w+ and a throwaway secret/);
  expect(production).toMatch(
    /verification full.*\n +encryption, approver-signature, .*provenance, baseline, dry-run, tests/,
  );
  expect(production.match(/"probability":[\d.]+.*the truth: (malignant|benign)/g)).toHaveLength(5);
  // The audit log, and the production rollout proved from one file by its keys alone.
  expect(audit).toMatch(/entries, every one recomputed into the tree: root .*intact/);
  expect(audit).toMatch(/changed: REFUSED at line \d+/);
  expect(audit).toMatch(/verified offline by the log's keys \(ed25519, ml-dsa-65\)/);
  expect(audit).toMatch(/proved +the rollout took \d+ steps without a gap and stood in Succeeded/);
  for (const kind of ["tests", "manifest-signature", "provenance"])
    expect(audit).toMatch(new RegExp(`proved +evidence ${kind} about sha256:\\w+: (PASSED|SIGNED), signed by`));
  expect(audit).toMatch(/proved +throwaway-ann approved exactly this plan as approver, signed by sha256:/);
  expect(audit).toMatch(/the same file with one bit changed: REFUSED at /);

  expect(leftovers()).toEqual(before);
  // Longer than the story may take, so that a slow one is told from one that hangs.
}, 200_000);

test("the simulated quickstart shows a deployment with mocks in seconds, and leaves nothing behind either", async () => {
  const before = leftovers();
  const { code, output, seconds } = await run(["quickstart", "--simulate"]);
  expect(code, output).toBe(0);
  expect(seconds).toBeLessThan(20);
  expect(output).toMatch(/report: COMPLIANT, simulation: true, decision: allow/);
  expect(output).toMatch(/live, by the same code: DENY, \d+ findings\n +P5 +deny/);
  expect(output).toMatch(/it would need 1 approval by a person \(approver, with MFA, signed\)/);
  expect(output).toMatch(/mock CI and mock signatures: .*tests/);
  for (const role of ["approver", "budget-owner"]) {
    expect(output).toMatch(new RegExp(`mock approval, ${role}: requested, expires \\d{4}-`));
    expect(output).toMatch(new RegExp(`mock approval, ${role}: approved by mock:${role}-1`));
  }
  expect(output).toMatch(/\+[\d.]+ s +Succeeded$/m);
  expect(output).toMatch(/(\d+) of \1 actions report COMPLIANT, each with simulation: true/);
  expect(output).toMatch(/digest sha256:\w+, not sha256:\w+: Denied\n +P5 /);
  expect(output).toMatch(/left 0 pieces of evidence and 0 approvals/);
  expect(output).toMatch(/its proof says that it is a simulation/);
  expect(leftovers()).toEqual(before);
});

/** v4: as healthy as can be by its answers, and back by itself because of its inputs, with the sums and the times. */
function drifts(told: string): void {
  expect(told).toMatch(/the baseline: \d+ rows of 30 columns, sha256:\w+, encrypted/);
  expect(told).toMatch(/^ +errors +pass: candidate 0 of [1-9]\d* failed, stable 0 of [1-9]\d* failed/m);
  expect(told).toMatch(/^ +latency +(pass|inconclusive): /m);
  expect(told).toMatch(/^ +errors +0 of \d+ +0 of \d+ +difference -[\d.]+ to [\d.]+ \(95 %\) +0\.01 +[\d.]+ of 400 /m);
  expect(told).toMatch(/what its inputs say: DataDriftAlarm, \w+: .*\(limit/);
  const sums =
    /^ +(\w+) +wasserstein +([\d.]+) +0\.1 +(\d+) +\S+ +([\d.e-]+) +([\d.e+]+) +yes$/m.exec(told) ?? expect.fail(told);
  const [, column, distance, rows, correctedP, evidence] = sums;
  expect(column).toMatch(/radius|perimeter|area/);
  expect(Number(distance)).toBeGreaterThan(0.1);
  expect(Number(rows)).toBeGreaterThanOrEqual(500);
  expect(Number(correctedP)).toBeLessThan(0.01);
  // What 30 columns at 1 % together need at least, with all of them rejected.
  expect(Number(evidence)).toBeGreaterThanOrEqual(100);
  expect(told).toMatch(/from the change to the alarm: [\d.]+ s; from the alarm to the last answer of 4\.0\.0: \d+ ms/);
  expect(told).toMatch(/\d{3,} requests meanwhile, 0 failed; nobody was asked/);
  expect(told).toMatch(/\+[\d.]+ s +RolledBack$/m);
  expect(told).toMatch(/now serving: 2\.0\.0$/m);
}

/** v5: the same watch, and promoted; its errors are proven, and its inputs were compared. */
function staysAsItWas(told: string): void {
  expect(told).toMatch(/\+[\d.]+ s +Succeeded$/m);
  expect(told).toMatch(/\d{3,} requests during the rollout, 0 failed: 2\.0\.0: \d+ .*, 5\.0\.0: \d+/);
  expect(told).toMatch(/^ +errors +pass: candidate 0 of \d+ failed, stable 0 of \d+ failed: .* is proven/m);
  expect(told).toMatch(/^ +latency +pass: /m);
  expect(told).toMatch(/^ +drift +pass: 30 columns in [23] windows as the baseline; nearest to its limit/m);
  expect(told).toMatch(/^ +latency +[\d.]+ of \d+ +[\d.]+ of \d+ +ratio [\d.]+ to [\d.]+ \(95 %\) +5 /m);
}

function chapter(output: string, title: string): string {
  const found = output.split(/^\d+\. /m).find((part) => part.startsWith(title));
  return found ?? expect.fail(`no chapter ${title} in:\n${output}`);
}

interface Run {
  code: number | null;
  output: string;
  seconds: number;
}

function run(args: string[]): Promise<Run> {
  const startedAtMs = Date.now();
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  return new Promise((resolve) =>
    child.on("close", (code) => resolve({ code, output, seconds: (Date.now() - startedAtMs) / 1000 })),
  );
}

/** Folders and processes of a quickstart that outlived it. */
function leftovers(): { folders: string[]; processes: string[] } {
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith("continuum-quickstart-"));
  if (process.platform !== "linux") return { folders, processes: [] };
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes("continuum-quickstart-"));
  return { folders, processes };
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // it ended meanwhile
  }
}
