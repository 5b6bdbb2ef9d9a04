import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

// The walls are only worth something when the checker notices that one fell.
const root = join(import.meta.dirname, "../..");
let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "continuum-walls-"));
  for (const file of [".dependency-cruiser.js", "package.json", "tsconfig.json"])
    cpSync(join(root, file), join(tree, file));
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

test.each([
  ["core reaching the store", "core", { "src/core/a.ts": 'import "../store/b.ts";', "src/store/b.ts": "export {};" }],
  ["core touching the file system", "core-is-pure", { "src/core/a.ts": 'import "node:fs";' }],
  ["a cycle", "no-cycles", { "src/core/a.ts": 'import "./b.ts";', "src/core/b.ts": 'import "./a.ts";' }],
  [
    "one driver knowing another",
    "a-driver-knows-its-port",
    {
      "src/drivers/target/local/a.ts": 'import "../simulated/b.ts";',
      "src/drivers/target/simulated/b.ts": "export {};",
    },
  ],
  [
    "serving knowing the engine",
    "serving",
    { "src/serving/a.ts": 'import "../engine/b.ts";', "src/engine/b.ts": "export {};" },
  ],
  ["a package that nobody declared", "no-orphan-dependency", { "src/core/a.ts": 'import "left-pad";' }],
])("refuses %s", (_, rule, files) => {
  write(files);
  const { status, output } = walls();
  expect(output).toContain(`walls: ${rule}:`);
  expect(status).toBe(1);
});

test("refuses to be green over files that it did not look at", () => {
  write({ "src/core/a.ts": "export {};", "src/hidden/b.ts": "export {};" });
  const config = join(tree, ".dependency-cruiser.js");
  writeFileSync(config, readFileSync(config, "utf8").replace("^(dist|node_modules)/", "^src/hidden/"));
  const { status, output } = walls();
  expect(output).toContain("src/hidden/b.ts was not looked at");
  expect(status).toBe(1);
});

test("passes a tree that keeps them", () => {
  write({ "src/core/a.ts": "export {};", "src/store/b.ts": 'import "../core/a.ts";' });
  expect(walls()).toMatchObject({ status: 0 });
});

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
}

function walls(): { status: number | null; output: string } {
  const run = spawnSync(process.execPath, [join(root, "test/walls.ts"), tree], { encoding: "utf8" });
  return { status: run.status, output: run.stdout + run.stderr };
}
