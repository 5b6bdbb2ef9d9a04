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

test("a database of the first release keeps what it holds, and its rollouts are written in place from now on", async () => {
  const old = await createTestDatabase();
  try {
    await old.database.query("DROP SCHEMA public CASCADE");
    await old.database.query("CREATE SCHEMA public");
    await migrate(old.database, migrations.slice(0, 1));
    await old.database.query(FILL);
    const held = async () => {
      const { rows } = await old.database.query(
        `SELECT r.id, r.phase, r.active, r.terminal, r.sequence, r.state, r.wake_at, e.type, e.cause
         FROM rollouts r JOIN rollout_events e ON e.tenant = r.tenant AND e.rollout = r.id ORDER BY r.id`,
      );
      return rows;
    };
    const before = await held();
    expect(before).toHaveLength(300);
    await migrate(old.database);
    expect(await held()).toEqual(before);
    const { rows } = await old.database.query(
      "SELECT array_to_string(reloptions, ' ') AS options FROM pg_class WHERE relname = 'rollouts'",
    );
    expect(rows).toEqual([{ options: "fillfactor=70" }]);
    // A page that was full before the migration has no room beside its rows; one that is written after it has.
    await old.database.query("VACUUM FULL rollouts");
    const step = "UPDATE rollouts SET phase = 'Snapshotting', sequence = 2, state = $1 WHERE id = 'r-7'";
    await old.database.query(step, [JSON.stringify({ phase: "Snapshotting" })]);
    const hot = async () =>
      (await old.database.query("SELECT n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE relname = 'rollouts'"))
        .rows[0]?.["hot"];
    await expect.poll(hot, { timeout: 5000 }).toBe(1);
  } finally {
    await old.close();
  }
});

const FILL = `
INSERT INTO tenants (tenant) VALUES ('acme');
INSERT INTO plans (tenant, digest, bytes) VALUES ('acme', 'd', 'x');
INSERT INTO endpoints (tenant, environment, target, name)
  SELECT 'acme', 'staging', 'local', 'e' || n FROM generate_series(1, 300) AS n;
INSERT INTO rollouts (tenant, id, environment, target, name, plan_digest, phase, active, terminal, dry_run, simulation,
    sequence, state, decision, wake_at)
  SELECT 'acme', 'r-' || n, 'staging', 'local', 'e' || n, 'd', (ARRAY['Verifying', 'Queued', 'Succeeded'])[n % 3 + 1],
    n % 3 = 0, n % 3 = 2, false, false, 1, jsonb_build_object('n', n), '{}', now()
  FROM generate_series(1, 300) AS n;
INSERT INTO rollout_events (tenant, rollout, sequence, at, type, phase, weight_percent, actor, payload, cause)
  SELECT tenant, id, 1, now(), 'proposed', phase, 0, 'robot', '{}', 'proposed' FROM rollouts;
`;
