import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate, requireSchema, schemaState } from "./migrate.ts";
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

test("a database behind the program is told apart from one that is ready, and is not changed by the look", async () => {
  const older = await createTestDatabase();
  try {
    await requireSchema(older.database);
    await older.database.query("DROP SCHEMA public CASCADE");
    await older.database.query("CREATE SCHEMA public");
    await expect(requireSchema(older.database)).rejects.toMatchObject({
      code: "database-older",
      message: expect.stringContaining("no tables of Continuum yet"),
    });
    await migrate(older.database, migrations.slice(0, 1));
    expect(await schemaState(older.database)).toEqual({ from: 1, to: migrations.length });
    await expect(requireSchema(older.database)).rejects.toMatchObject({
      message: expect.stringContaining("`continuum migrate`"),
    });
    expect(await migrate(older.database)).toEqual({ from: 1, to: migrations.length });
    await requireSchema(older.database);
  } finally {
    await older.close();
  }
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
