import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { migrations } from "./migrations/index.ts";
import { GRANTS, TABLES_OF_NO_TENANT, TENANT_CONDITIONS } from "./roles.ts";
import { secureTenantTables } from "./row-security.ts";
import { createTestDatabase, type TestDatabase } from "./testing/test-database.ts";

let on: TestDatabase;
let api: Database;
let worker: Database;

interface Column {
  name: string;
  type: string;
}

interface TableOfTenant {
  name: string;
  columns: Column[];
}

let tables: TableOfTenant[];

beforeAll(async () => {
  on = await createTestDatabase({ max: 2 });
  api = on.openAs("api");
  worker = on.openAs("worker");
  tables = await tablesOfTenants();
  for (const tenant of ["mine", "theirs"]) for (const table of tables) await insertRow(on.database, table, tenant);
});
afterAll(() => on?.close());

async function tablesOfTenants(): Promise<TableOfTenant[]> {
  const { rows } = await on.database.query<{ name: string; columns: Column[] }>(
    `SELECT c.relname AS name, json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, NULL))
       ORDER BY a.attnum) FILTER (WHERE a.attnotnull OR a.attname IN ('tenant', 'key')) AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attidentity = '' AND a.attgenerated = ''
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') GROUP BY c.relname ORDER BY 1`,
  );
  return rows.filter(({ name, columns }) => isTenants(name, columns));
}

function isTenants(name: string, columns: Column[]): boolean {
  return Object.hasOwn(TENANT_CONDITIONS, name) || columns.some((column) => column.name === "tenant");
}

/** Something of each type, another for each tenant, since a key may be without one. What it is does not matter here. */
const VALUES: Readonly<Record<string, (tenant: string) => string>> = {
  text: (tenant) => `'${tenant}'`,
  jsonb: () => "'{}'",
  json: () => "'{}'",
  boolean: () => "false",
  bytea: (tenant) => `decode(md5('${tenant}'), 'hex')`,
  uuid: () => "gen_random_uuid()",
  "timestamp with time zone": () => "now()",
  "text[]": () => "'{}'",
  "bytea[]": () => "'{}'",
};

function rowOf({ name, columns }: TableOfTenant, tenant: string): string {
  const values = columns.map((column) => {
    if (column.name === "tenant") return `'${tenant}'`;
    if (name === "simulated_state" && column.name === "key") return `'["${tenant}","development","churn"]'`;
    return VALUES[column.type]?.(tenant) ?? "1";
  });
  return `INSERT INTO ${name} (${columns.map((column) => `"${column.name}"`).join(", ")}) VALUES (${values.join(", ")})`;
}

/** As its owner, without constraints: a row of every table, whatever it would otherwise need beside it. */
async function insertRow(database: Database, table: TableOfTenant, tenant: string): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await dropChecks(tx, table.name);
    await tx.query(rowOf(table, tenant));
  });
}

async function dropChecks(tx: { query: Database["query"] }, table: string): Promise<void> {
  const { rows } = await tx.query<{ name: string }>(
    "SELECT conname AS name FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c'",
    [table],
  );
  for (const { name } of rows) await tx.query(`ALTER TABLE ${table} DROP CONSTRAINT "${name}"`);
}

const conditionOf = (table: TableOfTenant, tenant: string) =>
  table.name === "simulated_state" ? `key LIKE '["${tenant}",%'` : `tenant = '${tenant}'`;

async function countRows(database: Pick<Database, "query">, table: TableOfTenant, where = "true"): Promise<number> {
  const { rows } = await database.query<{ count: number }>(
    `SELECT count(*) AS count FROM ${table.name} WHERE ${where}`,
  );
  return rows[0]?.count ?? -1;
}

/** How many rows a statement touched; a statement that is not permitted touches none. */
async function touched(database: Pick<Database, "query">, sql: string): Promise<number> {
  try {
    return (await database.query(sql)).rowCount;
  } catch (error) {
    expect((error as { code?: string }).code, sql).toBe("42501");
    return 0;
  }
}

test("every table is either a tenant's and under forced row-level security, or named with the reason why it is none", async () => {
  const { rows } = await on.database.query<{ name: string; forced: boolean; policies: string[] }>(
    `SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
       ARRAY(SELECT policyname::text FROM pg_policies p WHERE p.tablename = c.relname ORDER BY 1) AS policies
     FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'm', 'v', 'f')`,
  );
  expect(rows.length).toBeGreaterThan(15);
  const unprotected = rows.filter(({ name }) => !Object.hasOwn(TABLES_OF_NO_TENANT, name));
  const policies = ["continuum_api", "continuum_owner", "continuum_worker"];
  expect(unprotected).toEqual(unprotected.map(({ name }) => ({ name, forced: true, policies })));
  expect(rows.map(({ name }) => name).filter((name) => !Object.hasOwn(GRANTS, name))).toEqual([]);
  const named = [...Object.keys(TABLES_OF_NO_TENANT), ...Object.keys(GRANTS), ...Object.keys(TENANT_CONDITIONS)];
  expect(named.filter((name) => !rows.some((row) => row.name === name))).toEqual([]);
});

describe("as the API", () => {
  test("without a tenant no row of any table is there", async () => {
    for (const table of tables) {
      expect([table.name, await countRows(on.database, table)]).toEqual([table.name, 2]);
      expect([table.name, await countRows(api, table)]).toEqual([table.name, 0]);
    }
  });

  test("with a tenant its own rows are there and nobody else's, whatever is asked", async () => {
    const mine = api.forTenant("mine");
    for (const table of tables) {
      expect([table.name, await countRows(mine, table)]).toEqual([table.name, 1]);
      expect([table.name, await countRows(mine, table, conditionOf(table, "theirs"))]).toEqual([table.name, 0]);
      expect([table.name, await countRows(mine, table, conditionOf(table, "mine"))]).toEqual([table.name, 1]);
    }
  });

  test("nothing of another tenant is written, changed or removed, with the wrong tenant or with none", async () => {
    for (const table of tables) {
      const column = table.name === "simulated_state" ? "key" : "tenant";
      const theirs = conditionOf(table, "theirs");
      for (const database of [api, api.forTenant("mine")]) {
        expect(await touched(database, `UPDATE ${table.name} SET ${column} = ${column} WHERE ${theirs}`)).toBe(0);
        expect(await touched(database, `DELETE FROM ${table.name} WHERE ${theirs}`)).toBe(0);
        expect(await touched(database, rowOf(table, "theirs"))).toBe(0);
        expect(await touched(database, `TRUNCATE ${table.name} CASCADE`)).toBe(0);
      }
      // One's own row cannot be given away either.
      const value = table.name === "simulated_state" ? `'["theirs","x"]'` : "'theirs'";
      expect(await touched(api.forTenant("mine"), `UPDATE ${table.name} SET ${column} = ${value}`)).toBe(0);
      expect([table.name, await countRows(on.database, table)]).toEqual([table.name, 2]);
    }
  });

  test("it owns nothing, makes nothing, turns nothing off, and becomes nobody else", async () => {
    const { rows } = await api.query<Record<string, unknown>>(
      `SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
         (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned,
         has_schema_privilege(current_schema(), 'CREATE') AS creates,
         (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) AS memberships
       FROM pg_roles r WHERE rolname = current_user`,
    );
    const no = {
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
    };
    expect(rows[0]).toEqual({ ...no, owned: 0, creates: false, memberships: 0 });
    for (const sql of [
      "CREATE TABLE own (id integer)",
      "ALTER TABLE rollouts DISABLE ROW LEVEL SECURITY",
      "DROP POLICY continuum_api ON rollouts",
      "ALTER TABLE audit_entries DISABLE TRIGGER ALL",
      "SELECT setval('effect_generation', 1)",
      "SELECT * FROM workers",
    ])
      await expect(api.query(sql), sql).rejects.toMatchObject({ code: "42501" });
  });

  test("an entry of the audit log is given its place, and stays what it is", async () => {
    const mine = api.forTenant("mine");
    for (const database of [mine, worker]) {
      await expect(database.query("UPDATE audit_entries SET entry = '\\x01'")).rejects.toMatchObject({ code: "42501" });
      await expect(database.query("DELETE FROM audit_entries")).rejects.toMatchObject({ code: "42501" });
    }
    expect((await mine.query("UPDATE audit_entries SET position = 7")).rowCount).toBe(1);
  });

  test("a token's holder is found by the whole hash and by nothing less", async () => {
    await on.database.query("UPDATE principals SET id = tenant; UPDATE tokens SET principal = tenant");
    const reveal = "SELECT tenant FROM reveal_token(decode($1, 'hex'))";
    const hash = createHash("md5").update("theirs").digest("hex");
    expect((await api.query(reveal, [hash])).rows).toEqual([{ tenant: "theirs" }]);
    expect((await api.query(reveal, [hash.slice(0, 30)])).rows).toEqual([]);
    expect((await api.query("SELECT * FROM tokens")).rowCount).toBe(0);
  });
});

describe("a connection", () => {
  test("keeps nothing of a tenant for whoever gets it next, whatever became of the statement before", async () => {
    const single = on.openAs("api", { max: 1 });
    const mine = single.forTenant("mine");
    const count = async (database: Database) => (await database.query("SELECT FROM tenants")).rowCount;
    const wrong = async () => {
      await expect(mine.query("SELECT 1 / 0")).rejects.toThrow();
      await expect(mine.transaction((tx) => tx.query("SELECT 1 / 0"))).rejects.toThrow();
      await expect(mine.together([{ sql: "SELECT 1 / $1::int", values: [0] }])).rejects.toThrow();
      await mine.transaction(async () => undefined);
    };
    expect([await count(mine), await count(single)]).toEqual([1, 0]);
    await wrong();
    expect([await count(single), await count(mine), await count(single)]).toEqual([0, 1, 0]);
    const both = await Promise.all([count(mine), count(single), count(single.forTenant("theirs")), count(single)]);
    expect(both).toEqual([1, 0, 1, 0]);
    const together = await mine.together([{ sql: "SELECT FROM tenants WHERE tenant <> $1", values: ["mine"] }]);
    expect(together[0]?.rowCount).toBe(0);
  });

  test("is not opened for a tenant's view, and a name that could be more than a name is none", () => {
    expect(() => api.forTenant("mine").newClient()).toThrow("tenant's view");
    for (const name of ["", "a'b", "a;b", "a b", "a\\", "-a", `a${"b".repeat(63)}`])
      expect(() => api.forTenant(name), name).toThrow("no tenant's name");
  });
});

describe("as the owner", () => {
  // Superusers pass every policy by; who keeps a database of their own is mostly none.
  test("who is no superuser migrates, sees everything, and is held to a tenant that is named", async () => {
    const ordinary = await createTestDatabase({ max: 1 });
    const role = `owner_${process.pid}_${Date.now()}`;
    const asOwner = new URL(ordinary.url);
    asOwner.searchParams.set("options", `-c role=${role}`);
    const owner = new Database(asOwner.href, { max: 1 });
    try {
      await ordinary.database.query(`CREATE ROLE ${role} NOLOGIN`);
      await ordinary.database.query("DROP SCHEMA public CASCADE");
      await ordinary.database.query(`CREATE SCHEMA public AUTHORIZATION ${role}`);
      await migrate(owner);
      const insert = "INSERT INTO tenants (tenant) VALUES ($1)";
      for (const tenant of ["mine", "theirs"]) await owner.query(insert, [tenant]);
      await owner.query(`INSERT INTO principals (tenant, id, kind, roles) VALUES ('mine', 'p', 'human', '{viewer}')`);
      await owner.query(
        `INSERT INTO tokens (tenant, id, principal, secret_hash, roles, expires_at) VALUES ('mine', 't', 'p', '\\x01', '{viewer}', now())`,
      );
      expect((await owner.query("SELECT FROM tenants")).rowCount).toBe(2);
      const named = owner.forTenant("mine");
      expect((await named.query("SELECT tenant FROM tenants")).rows).toEqual([{ tenant: "mine" }]);
      await expect(named.query(insert, ["other"])).rejects.toMatchObject({ code: "42501" });
      const seen = ordinary.openAs("api");
      expect((await seen.query("SELECT tenant FROM reveal_token('\\x01')")).rows).toEqual([{ tenant: "mine" }]);
      expect((await seen.forTenant("theirs").query("SELECT tenant FROM reveal_token('\\x01')")).rowCount).toBe(1);
      expect((await seen.query("SELECT FROM tenants")).rowCount).toBe(0);
    } finally {
      await owner.close();
      await ordinary.database.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
      await ordinary.close();
    }
  });

  test("roles that are not there and that it may not make are asked for in one line", async () => {
    const missing = { api: "no_such_api", worker: "no_such_worker" };
    await expect(worker.transaction((tx) => secureTenantTables(tx, missing))).rejects.toMatchObject({
      code: "roles-missing",
      message: expect.stringContaining('CREATE ROLE "no_such_api" NOLOGIN; CREATE ROLE "no_such_worker" NOLOGIN'),
    });
  });

  test("a table that a later migration adds is a tenant's from its first row on, and nobody's until it is said whose it is", async () => {
    const later = await createTestDatabase({ max: 2 });
    try {
      const tables = `CREATE TABLE later (tenant text NOT NULL, id integer); INSERT INTO later VALUES ('mine', 1), ('theirs', 2);
        CREATE TABLE loose (id integer)`;
      await migrate(later.database, [...migrations, { name: "9999-later", sql: tables }]);
      const seen = later.openAs("api");
      await expect(seen.query("SELECT id FROM later")).rejects.toMatchObject({ code: "42501" });
      await later.database.query("GRANT SELECT ON later TO continuum_api");
      expect((await seen.forTenant("mine").query("SELECT id FROM later")).rows).toEqual([{ id: 1 }]);
      expect((await seen.query("SELECT id FROM later")).rows).toEqual([]);
      await expect(seen.query("SELECT id FROM loose")).rejects.toMatchObject({ code: "42501" });
      await later.database.query("ALTER TABLE later NO FORCE ROW LEVEL SECURITY");
      await migrate(later.database, [...migrations, { name: "9999-later", sql: tables }]);
      const { rows } = await later.database.query(
        "SELECT relforcerowsecurity AS on FROM pg_class WHERE relname = 'later'",
      );
      expect(rows).toEqual([{ on: true }]);
    } finally {
      await later.close();
    }
  });
});

test("a worker sees all tenants, and changes nothing about who may do what", async () => {
  for (const table of tables)
    if ((GRANTS[table.name]?.worker ?? "S") !== "") expect(await countRows(worker, table)).toBe(2);
  for (const sql of [
    "UPDATE tokens SET revoked_at = NULL",
    "UPDATE principals SET roles = '{admin}'",
    "INSERT INTO trusted_keys (tenant, purpose, key_id, spki_pem, added_by) VALUES ('mine', 'tests', 'k', 'p', 'me')",
    "UPDATE tenants SET settings = '{}'",
    "CREATE TABLE own (id integer)",
  ])
    await expect(worker.query(sql), sql).rejects.toMatchObject({ code: "42501" });
});
