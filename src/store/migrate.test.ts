import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "./migrate.ts";
import { migrations } from "./migrations/index.ts";
import { createTestDatabase, type TestDatabase } from "./testing/test-database.ts";

let on: TestDatabase;

beforeAll(async () => {
  on = await createTestDatabase();
});
afterAll(() => on.close());

const extra = { name: "9999-extra", sql: "CREATE TABLE extra (id integer)" };

test("migrating again changes nothing, also when several programs start at once", async () => {
  const results = await Promise.all([1, 2, 3].map(() => migrate(on.database)));
  for (const result of results) expect(result).toEqual({ from: migrations.length, to: migrations.length });
});

test("a migration that fails leaves nothing of itself", async () => {
  const broken = { name: "9999-broken", sql: "CREATE TABLE half (id integer); SELECT 1 / 0" };
  await expect(migrate(on.database, [...migrations, broken])).rejects.toMatchObject({ code: "migration-failed" });
  expect((await on.database.query("SELECT 1 FROM pg_tables WHERE tablename = 'half'")).rowCount).toBe(0);
});

test("an older program refuses a database that a newer one migrated", async () => {
  expect(await migrate(on.database, [...migrations, extra])).toEqual({
    from: migrations.length,
    to: migrations.length + 1,
  });
  await expect(migrate(on.database)).rejects.toMatchObject({ code: "database-newer" });
});

test("a migration that was edited after it was applied is refused", async () => {
  const edited = { ...extra, sql: `${extra.sql} -- edited` };
  await expect(migrate(on.database, [...migrations, edited])).rejects.toMatchObject({ code: "migration-changed" });
});
