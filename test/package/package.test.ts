import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

// What a newcomer gets: the packed tarball, installed in an empty folder, with nothing but npm.
const root = join(import.meta.dirname, "../..");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-package-"));
  run("npm", ["run", "build"], root);
  run("npm", ["pack", "--pack-destination", folder], root);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  const app = join(folder, "app");
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true }));
  run("npm", ["install", "--ignore-scripts", "--no-fund", "--no-audit", join("..", tarball ?? "")], app);
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the installed command knows its version and its commands", () => {
  const help = run("npx", ["continuum", "--help"], join(folder, "app"));
  for (const command of ["quickstart", "plan", "rollout", "audit"]) expect(help).toContain(command);
});

test("no source, test or secret is packed", () => {
  const files = run("tar", ["-tzf", readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? ""], folder).split(
    "\n",
  );
  expect(files).toContain("package/dist/main.js");
  expect(files).toContain("package/page/index.html");
  expect(files.filter((file) => /\.test\.|\/testing\/|\.conformance\.|\/src\/|\.key$/.test(file))).toEqual([]);
});

test("the quickstart runs from the package, and --keep leaves it running until it is told to stop", async () => {
  const app = join(folder, "app");
  const output = run("npx", ["continuum", "quickstart", "--keep"], app);
  expect(output).toContain("Everything is still running");
  const dataDir = /CONTINUUM_DATA_DIR=(\S+)/.exec(output)?.[1] ?? "";
  const pid = Number(/kill (\d+)/.exec(output)?.[1]);
  try {
    expect(run("npx", ["continuum", "endpoint", "list", "--data-dir", dataDir], app)).toContain("development-tumours");
  } finally {
    process.kill(pid, "SIGTERM");
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
    rmSync(dirname(dataDir), { recursive: true, force: true });
  }
}, 120_000);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function run(command: string, args: string[], cwd: string): string {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", env: environment(), maxBuffer: 64 * 1024 * 1024 });
  if (result.status !== 0)
    throw new Error(`${command} ${args.join(" ")} ended with ${result.status}:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** As in a shell: npm's own variables of the run around this test say nothing about the newcomer. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_ENV|CONTINUUM_)/.test(name)),
  );
}
