import { afterAll, beforeAll, expect, test } from "vitest";
import { Database, openDatabase } from "./database.ts";
import { isUniqueViolation, toStoreError } from "./database-error.ts";
import { StoreError } from "./store-error.ts";
import { createTestDatabase, type TestDatabase } from "./testing/test-database.ts";

let on: TestDatabase;

beforeAll(async () => {
  on = await createTestDatabase();
  await on.database.query("CREATE TABLE things (id bigint PRIMARY KEY, n integer NOT NULL)");
});
afterAll(() => on.close());

test("bigints are numbers, and one that would lose digits is refused", async () => {
  const { rows } = await on.database.query<{ n: number }>("SELECT 9007199254740991::bigint AS n");
  expect(rows[0]?.n).toBe(Number.MAX_SAFE_INTEGER);
  await expect(on.database.query("SELECT 9007199254740993::bigint AS n")).rejects.toThrow("2^53");
});

test("a transaction that throws leaves nothing behind", async () => {
  const work = on.database.transaction(async (tx) => {
    await tx.query("INSERT INTO things VALUES (1, 1)");
    throw new Error("no");
  });
  await expect(work).rejects.toThrow("no");
  const { rowCount } = await on.database.query("SELECT 1 FROM things WHERE id = 1");
  expect(rowCount).toBe(0);
});

test("a transaction whose failed statement was swallowed does not pass for committed", async () => {
  const work = on.database.transaction(async (tx) => {
    await tx.query("INSERT INTO things VALUES (2, 1)");
    await tx.query("SELECT 1 / 0").catch(() => undefined);
  });
  await expect(work).rejects.toThrow("nothing was committed");
});

test("a deadlock's victim runs again, and both come through", async () => {
  await on.database.query("INSERT INTO things VALUES (10, 0), (11, 0)");
  let runs = 0;
  const touch = (first: number, second: number) =>
    on.database.transaction(async (tx) => {
      runs += 1;
      await tx.query("SET LOCAL deadlock_timeout = '20ms'");
      await tx.query("UPDATE things SET n = n + 1 WHERE id = $1", [first]);
      await new Promise((resolve) => setTimeout(resolve, 60));
      await tx.query("UPDATE things SET n = n + 1 WHERE id = $1", [second]);
    });
  await Promise.all([touch(10, 11), touch(11, 10)]);
  const { rows } = await on.database.query("SELECT n FROM things WHERE id IN (10, 11)");
  expect(rows).toEqual([{ n: 2 }, { n: 2 }]);
  expect(runs).toBeGreaterThan(2);
});

test("a statement prepared before a migration changed its table works on", async () => {
  await on.database.query("CREATE TABLE changing (id integer, n integer)");
  const read = () => on.database.query("SELECT n FROM changing WHERE id = $1", [1]);
  await Promise.all([read(), read(), read()]);
  await on.database.query("ALTER TABLE changing ALTER COLUMN n TYPE text");
  await on.database.query("INSERT INTO changing VALUES (1, 'one')");
  expect((await read()).rows).toEqual([{ n: "one" }]);
  const inTransaction = on.database.transaction((tx) => tx.query("SELECT n FROM changing WHERE id = $1", [1]));
  expect((await inTransaction).rows).toEqual([{ n: "one" }]);
});

test("a unique violation is recognised by its constraint", async () => {
  await on.database.query("INSERT INTO things VALUES (20, 0)");
  const error = await on.database.query("INSERT INTO things VALUES (20, 0)").catch((caught: unknown) => caught);
  expect(isUniqueViolation(error, "things_pkey")).toBe(true);
  expect(isUniqueViolation(error, "other")).toBe(false);
});

test("a database that is not there is a retryable failure, and waiting for it ends", async () => {
  const nowhere = "postgres://nobody:none@127.0.0.1:1/none";
  const error = await openDatabase(nowhere, { patienceMs: 200 }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(StoreError);
  expect(error).toMatchObject({ code: "database-unavailable", retryable: true });
  const database = new Database(nowhere);
  await expect(database.transaction(async () => 1)).rejects.toMatchObject({ code: "database-unavailable" });
  await database.close();
});

test("a connection that is killed in a transaction fails it, and the next query works", async () => {
  const work = on.database.transaction(async (tx) => {
    const { rows } = await tx.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await on.database.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
    await tx.query("SELECT pg_sleep(1)");
  });
  await expect(work).rejects.toMatchObject({ code: "database-unavailable" });
  expect((await on.database.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});

test("notifications arrive, and a listener whose connection is killed comes back and says so", async () => {
  const heard: string[] = [];
  const stop = await on.database.listen("things", (payload) => heard.push(payload));
  await on.database.query("SELECT pg_notify('things', 'first')");
  await expect.poll(() => heard).toEqual(["first"]);
  await on.database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN things' AND pid <> pg_backend_pid()",
  );
  await expect.poll(() => heard, { timeout: 5000 }).toEqual(["first", ""]);
  await on.database.query("SELECT pg_notify('things', 'second')");
  await expect.poll(() => heard).toEqual(["first", "", "second"]);
  await stop();
});

test("a transaction tells what it has to tell once it is committed, and nothing when it is not", async () => {
  const heard: string[] = [];
  const stop = await on.database.listen("told", (payload) => heard.push(payload));
  const given = on.database.transaction(async (tx) => {
    tx.notify("told", "never");
    await tx.query("SELECT 1/0");
  });
  await expect(given).rejects.toThrow("division by zero");
  await on.database.transaction(async (tx) => {
    tx.notify("told", "one");
    tx.notify("told", "two");
    await tx.query("SELECT 1");
    expect(heard).toEqual([]);
  });
  await expect.poll(() => heard).toEqual(["one", "two"]);
  await stop();
});

test("statements that are sent together run in their order, and the first that fails undoes them all", async () => {
  await on.database.query("CREATE TABLE ordered (id bigint GENERATED ALWAYS AS IDENTITY, word text NOT NULL)");
  const insert = (word: string | null) => ["INSERT INTO ordered (word) VALUES ($1)", [word]] as const;
  await on.database.transaction((tx) => Promise.all(["a", "b", "c"].map((word) => tx.query(...insert(word)))));
  const broken = on.database.transaction((tx) =>
    Promise.all(["d", null, "e"].map((word) => tx.query(...insert(word)))),
  );
  await expect(broken).rejects.toThrow("null value");
  const { rows } = await on.database.query<{ word: string }>("SELECT word FROM ordered ORDER BY id");
  expect(rows.map(({ word }) => word)).toEqual(["a", "b", "c"]);
});

test("a session tells when it is lost, once, and not when it is closed", async () => {
  const lost: string[] = [];
  const session = await on.database.session();
  session.onLost((error) => lost.push(error.message));
  const { rows } = await session.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  await on.database.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
  await expect.poll(() => lost.length).toBe(1);
  await session.close();

  const other = await on.database.session();
  other.onLost(() => lost.push("closed"));
  await other.close();
  expect(lost).toHaveLength(1);
});

test("statements that are sent together all happen or none does, and one alone needs no transaction", async () => {
  await on.database.query("CREATE TABLE together (n integer PRIMARY KEY)");
  const insert = (n: number) => ({ sql: "INSERT INTO together VALUES ($1) RETURNING n", values: [n] });
  const results = await on.database.together<{ n: number }>([insert(1), insert(2)]);
  expect(results.map(({ rows }) => rows)).toEqual([[{ n: 1 }], [{ n: 2 }]]);
  await expect(on.database.together([insert(3), insert(1), insert(4)])).rejects.toMatchObject({ code: "23505" });
  expect((await on.database.together([insert(5)])).length).toBe(1);
  const { rows } = await on.database.query<{ n: number }>("SELECT n FROM together ORDER BY n");
  expect(rows.map(({ n }) => n)).toEqual([1, 2, 5]);
});

test("a transaction that rests is ended by the server: others get its rows, and whoever rested hears that it is gone", async () => {
  await on.database.query("INSERT INTO things VALUES (30, 0)");
  const frozen = Promise.withResolvers<void>();
  const thaw = Promise.withResolvers<void>();
  const resting = on.database.transaction(async (tx) => {
    // The same setting as every connection's, only that a test has less time.
    await tx.query("SET LOCAL idle_in_transaction_session_timeout = '150ms'");
    await tx.query("UPDATE things SET n = n + 1 WHERE id = 30");
    frozen.resolve();
    await thaw.promise;
    await tx.query("SELECT 1");
  });
  const heard = expect(resting).rejects.toMatchObject({ code: "database-unavailable", retryable: true });
  await frozen.promise;
  await on.database.query("UPDATE things SET n = n + 10 WHERE id = 30");
  thaw.resolve();
  await heard;
  expect((await on.database.query("SELECT n FROM things WHERE id = 30")).rows).toEqual([{ n: 10 }]);
});

test("a statement that meets the end of a rested transaction is a lost connection, too", () => {
  for (const code of ["25P03", "25P04"]) {
    const ended = Object.assign(new Error("terminating connection"), { code });
    expect(toStoreError(ended)).toMatchObject({ code: "database-unavailable", retryable: true });
  }
});

test("every connection ends what rests, but a transaction that is there for its lock alone", async () => {
  const setting = "SHOW idle_in_transaction_session_timeout";
  const rows = async (mayRest?: true) =>
    (await on.database.transaction((tx) => tx.query(setting), mayRest && { mayRest })).rows;
  expect(await rows()).toEqual([{ idle_in_transaction_session_timeout: "5s" }]);
  expect(await rows(true)).toEqual([{ idle_in_transaction_session_timeout: "0" }]);
  expect(await rows()).toEqual([{ idle_in_transaction_session_timeout: "5s" }]);
});

test("a server whose transactions see one moment only is told otherwise", async () => {
  const name = new URL(on.url).pathname.slice(1);
  await on.database.query(`ALTER DATABASE ${name} SET default_transaction_isolation = 'repeatable read'`);
  const other = new Database(on.url);
  try {
    const { rows } = await other.transaction((tx) => tx.query("SHOW transaction_isolation"));
    expect(rows).toEqual([{ transaction_isolation: "read committed" }]);
  } finally {
    await other.close();
    await on.database.query(`ALTER DATABASE ${name} RESET default_transaction_isolation`);
  }
});

test("a statement that comes after the end of its transaction reaches nobody's connection", async () => {
  let late: (() => Promise<unknown>) | undefined;
  await on.database.transaction(async (tx) => {
    late = () => tx.query("INSERT INTO things VALUES (40, 0)");
  });
  await expect(late?.()).rejects.toThrow("after the end");
  const failing = on.database.transaction(async (tx) => {
    late = () => tx.query("INSERT INTO things VALUES (41, 0)");
    await tx.query("SELECT 1 / 0");
  });
  await expect(failing).rejects.toThrow("division by zero");
  await expect(late?.()).rejects.toThrow("after the end");
  expect((await on.database.query("SELECT 1 FROM things WHERE id IN (40, 41)")).rowCount).toBe(0);
});

test("after an exchange that failed in its middle the connection is whole, and answers go to whoever asked", async () => {
  const single = new Database(on.url, { max: 1 });
  const never = { sql: "SELECT $1::integer AS never", values: [3] };
  try {
    const broken = { sql: "SELECT 1 / $1::integer AS broken", values: [0] };
    const good = { sql: "SELECT $1::integer AS good", values: [1] };
    // The last was never prepared here: the server refuses even to parse it in a transaction that failed.
    const failing = single.together([good, broken, never, never]);
    const asked = [5, 6, 7].map((n) => single.query<{ never: number }>(never.sql, [n]));
    await expect(failing).rejects.toMatchObject({ code: "22012" });
    expect((await Promise.all(asked)).map(({ rows }) => rows)).toEqual([
      [{ never: 5 }],
      [{ never: 6 }],
      [{ never: 7 }],
    ]);
    const pid = (await single.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid;
    const slow = { sql: "SELECT pg_sleep($1)", values: [5] };
    const cut = expect(single.together([good, slow, never])).rejects.toMatchObject({ code: "database-unavailable" });
    const behind = [8, 9].map((n) => single.query<{ never: number }>(never.sql, [n]));
    const sleeps = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
    await expect.poll(async () => (await on.database.query(sleeps, [pid])).rowCount).toBe(1);
    await on.database.query("SELECT pg_terminate_backend($1)", [pid]);
    await cut;
    expect((await Promise.all(behind)).map(({ rows }) => rows)).toEqual([[{ never: 8 }], [{ never: 9 }]]);
  } finally {
    await single.close();
  }
});
