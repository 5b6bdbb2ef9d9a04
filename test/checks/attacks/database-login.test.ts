import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { createTestDatabase } from "../../../src/store/testing/test-database.ts";

// Whoever got one statement into the API's login, and wants to be known as somebody.

let on: Awaited<ReturnType<typeof createTestDatabase>>;
let api: Database;
beforeAll(async () => {
  on = await createTestDatabase();
  api = on.openAs("api", { max: 1 });
});
afterAll(() => on.close());

test("tables of one's own, in front of the real ones, forge no token, session, code or passkey", async () => {
  const secret = createHash("sha256").update("forged").digest();
  const { rows } = await api.query<{ schema: string }>("SELECT quote_ident(current_schema()) AS schema");
  await api.query(`SET search_path = pg_temp, ${rows[0]?.schema ?? ""}`);
  const forged: Record<string, string> = {
    principals: "tenant text, id text, kind text, owner text, roles text[]",
    tokens:
      "tenant text, id text, principal text, secret_hash bytea, roles text[], expires_at timestamptz, revoked_at timestamptz",
    sessions:
      "tenant text, id text, principal text, secret_hash bytea, method text, roles text[], created_at timestamptz, seen_at timestamptz, expires_at timestamptz, ended_at timestamptz",
    enrolments: "tenant text, secret_hash bytea",
    passkeys: "tenant text, credential_id text",
  };
  for (const [table, columns] of Object.entries(forged))
    await api.query(`CREATE TEMPORARY TABLE ${table} (${columns})`);
  await api.query("INSERT INTO pg_temp.principals VALUES ('default', 'root', 'human', NULL, '{admin}')");
  await api.query("INSERT INTO pg_temp.tokens VALUES ('default', 't', 'root', $1, '{admin}', 'infinity', NULL)", [
    secret,
  ]);
  await api.query(
    "INSERT INTO pg_temp.sessions VALUES ('default', 's', 'root', $1, 'passkey', '{admin}', now(), now(), 'infinity', NULL)",
    [secret],
  );
  await api.query("INSERT INTO pg_temp.enrolments VALUES ('default', $1)", [secret]);
  await api.query("INSERT INTO pg_temp.passkeys VALUES ('default', 'forged')");
  // They are in front of the real ones for whoever made them, so that the attack is one.
  expect((await api.query("SELECT FROM tokens")).rowCount).toBe(1);
  expect((await api.query("SELECT FROM reveal_token($1)", [secret])).rowCount).toBe(0);
  expect((await api.query("SELECT FROM reveal_session($1)", [secret])).rowCount).toBe(0);
  expect((await api.query("SELECT tenant_of_enrolment($1) AS tenant", [secret])).rows).toEqual([{ tenant: null }]);
  expect((await api.query("SELECT tenant_of_passkey('forged') AS tenant")).rows).toEqual([{ tenant: null }]);
});

test("functions and operators of one's own are not what the owner's functions run", async () => {
  for (const sql of [
    "CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT $2'",
    "CREATE FUNCTION public.coalesce_all(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
    "CREATE SCHEMA evil",
    "ALTER FUNCTION reveal_token(bytea) SET search_path = pg_temp",
    "ALTER FUNCTION reveal_token(bytea) SECURITY INVOKER",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT lo_import('/etc/hostname')",
  ])
    await expect(api.query(sql), sql).rejects.toMatchObject({ code: "42501" });
});
