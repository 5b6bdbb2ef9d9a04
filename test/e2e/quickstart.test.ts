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
  expect(seconds).toBeLessThan(90);

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
  // Staging and production name what they lack, and change nothing.
  expect(output).toMatch(/needs 1 approval by a person \(approver, with MFA, signed\)/);
  expect(output).toMatch(/nothing was changed/);
  // The audit log.
  expect(output).toMatch(/entries, every one recomputed into the tree: root .*intact/);
  expect(output).toMatch(/changed: REFUSED at line \d+/);

  expect(leftovers()).toEqual(before);
});

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
