import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../testing/test-database.ts";
import { copyIn, copyOut } from "./copy-stream.ts";

let on: TestDatabase;
let client: ReturnType<TestDatabase["database"]["newClient"]>;

beforeAll(async () => {
  on = await createTestDatabase();
  client = on.database.newClient();
  await client.connect();
  await client.query("CREATE TABLE source (id bigint, words text, raw bytea, made jsonb, numbers real)");
  await client.query("CREATE TABLE copy (LIKE source)");
  await client.query(
    `INSERT INTO source SELECT g, CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN E'tab\\t line\\n \\\\. back\\\\slash' ELSE 'ünï ' || g END,
       decode(md5(g::text), 'hex'), jsonb_build_object('n', g, 'text', E'a\\nb'), g / 7.0 FROM generate_series(1, 20000) g`,
  );
});
afterAll(async () => {
  await client.end();
  await on.close();
});

test("rows come in pieces of whole lines, and back into another table as they were", async () => {
  const pieces: Buffer[] = [];
  let rows = 0;
  for await (const piece of copyOut(client, "COPY source TO STDOUT", 64 * 1024)) {
    expect(piece.bytes.at(-1)).toBe(0x0a);
    pieces.push(piece.bytes);
    rows += piece.rows;
  }
  expect(rows).toBe(20_000);
  expect(pieces.length).toBeGreaterThan(10);
  for (const piece of pieces) expect(piece.length).toBeLessThan(80 * 1024);
  await copyIn(
    client,
    "COPY copy FROM STDIN",
    (async function* () {
      yield* pieces;
    })(),
  );
  const { rows: different } = await client.query(
    "(TABLE source EXCEPT TABLE copy) UNION ALL (TABLE copy EXCEPT TABLE source)",
  );
  expect(different).toEqual([]);
});

test("an error of the server or of the source ends the copy, and the connection can be used on", async () => {
  await expect(copyOut(client, "COPY nothing TO STDOUT", 1000).next()).rejects.toThrow("does not exist");
  const bad = (async function* () {
    yield Buffer.from("not a number\t\\N\t\\N\t\\N\t\\N\n");
  })();
  await expect(copyIn(client, "COPY copy FROM STDIN", bad)).rejects.toThrow("invalid input syntax");
  const broken = (async function* () {
    yield Buffer.from("1\t\\N\t\\N\t\\N\t\\N\n");
    throw new Error("the disk is gone");
  })();
  await expect(copyIn(client, "COPY copy FROM STDIN", broken)).rejects.toThrow("the disk is gone");
  const { rows } = await client.query("SELECT count(*)::int AS count FROM copy");
  expect(rows).toEqual([{ count: 20_000 }]);
});
