import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../src/store/migrate.ts";
import { migrations } from "../../src/store/migrations/index.ts";
import { createTestDatabase, type TestDatabase } from "../../src/store/testing/test-database.ts";
import { bareEnvironment } from "./testing/continuum.ts";

// A database of one's own is brought forward by its keeper, as a step of the release, and by nobody else.

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
let folder: string;
let own: TestDatabase;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuum-own-"));
  own = await createTestDatabase({ max: 2 });
  await own.database.query("DROP SCHEMA public CASCADE");
  await own.database.query("CREATE SCHEMA public");
  await migrate(own.database, migrations.slice(0, 1));
});
afterAll(async () => {
  await own?.close();
  rmSync(folder, { recursive: true, force: true });
});

function continuum(...args: string[]): { status: number | null; out: string; err: string } {
  const env = bareEnvironment({
    HOME: folder,
    CONTINUUM_DATA_DIR: join(folder, "data"),
    CONTINUUM_DATABASE_URL: own.url,
    CONTINUUM_API_PORT: "0",
    CONTINUUM_WORKER_OPS_PORT: "0",
  });
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: folder,
    encoding: "utf8",
    env,
  });
  return {
    status,
    out: stdout,
    err: stderr
      .split("\n")
      .filter((line) => !line.startsWith("{"))
      .join("\n"),
  };
}

test("no role starts on a schema that is behind, each says the mend in one line, and `migrate` is it", () => {
  const versions = `at schema version 1 and this program needs ${migrations.length}`;
  for (const role of ["all", "api", "worker"]) {
    const refused = continuum("start", "--role", role);
    expect(refused, role).toMatchObject({ status: 1, out: "" });
    expect(refused.err, role).toContain(
      `continuum: The database is ${versions}: make a backup and run \`continuum migrate\``,
    );
  }
  expect(continuum("migrate", "--check")).toMatchObject({ status: 1, out: expect.stringContaining(versions) });
  expect(continuum("migrate")).toEqual({
    status: 0,
    out: `migrated the database from schema version 1 to ${migrations.length}\n`,
    err: "",
  });
  expect(JSON.parse(continuum("migrate", "--check", "-o", "json").out)).toEqual({
    ...{ from: migrations.length, to: migrations.length, migrated: false },
  });
});

test("a program that is older than the database is refused by every role and by `migrate`", async () => {
  const later = { name: "9999-later", sql: "CREATE TABLE later (id integer)" };
  await migrate(own.database, [...migrations, later]);
  for (const args of [["start"], ["start", "--role", "worker"], ["migrate"], ["migrate", "--check"]]) {
    const refused = continuum(...args);
    expect(refused.status, args.join(" ")).toBe(1);
    expect(refused.err, args.join(" ")).toMatch(
      /^continuum: The database is at schema version \d+ .*\(database-newer\)\n$/,
    );
  }
});
