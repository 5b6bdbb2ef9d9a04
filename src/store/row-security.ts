import { createHash } from "node:crypto";
import type { Queryable, Transaction } from "./database.ts";
import {
  DATABASE_ROLES,
  type DatabaseRole,
  type DatabaseRoles,
  GRANTS,
  TABLES_OF_NO_TENANT,
  TENANT_CONDITIONS,
} from "./roles.ts";
import { StoreError } from "./store-error.ts";

/** What is set for one transaction, by `Database.forTenant`; empty or not there at all outside of it. */
const SETTING = "current_setting('continuum.tenant', true)";

interface Table {
  name: string;
  owner: string;
  columns: string[];
  /** The condition on a tenant's rows; null for a table of no tenant. */
  condition: string | null;
}

/**
 * Forces row-level security on every table of a tenant, whenever it was made, and gives the two roles what they need and
 * nothing else. The end of every migration: a table that a later one adds is a tenant's from its first row on. Changes
 * nothing when everything stands as it should. Errors: `roles-missing`.
 */
export async function secureTenantTables(tx: Transaction, roles: DatabaseRoles = DATABASE_ROLES): Promise<void> {
  await makeRoles(tx, roles);
  const tables = await tablesOf(tx);
  const schema = quoted(
    (await tx.query<{ name: string }>("SELECT current_schema() AS name")).rows[0]?.name ?? "public",
  );
  const sql = [
    ...[roles.api, roles.worker].flatMap((role) => [
      `GRANT USAGE ON SCHEMA ${schema} TO ${quoted(role)}`,
      `REVOKE ALL ON ALL TABLES IN SCHEMA ${schema} FROM ${quoted(role)}`,
      `REVOKE ALL ON ALL SEQUENCES IN SCHEMA ${schema} FROM ${quoted(role)}`,
      `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${quoted(role)}`,
    ]),
    ...tables.flatMap((table) => [...policiesOf(table, roles), ...grantsOf(table, roles)]),
    ...revealingFunctions(schema, roles),
  ].join(";\n");
  const mark = `secured:${createHash("sha256").update(sql).digest("hex")}`;
  if (await standsAsMarked(tx, mark, tables)) return;
  await tx.query(sql);
  await tx.query(`COMMENT ON TABLE schema_migrations IS '${mark}'`);
}

/** The tables of this schema, and which of them hold tenants' rows. */
async function tablesOf(db: Queryable): Promise<Table[]> {
  const { rows } = await db.query<Omit<Table, "condition">>(
    `SELECT c.relname AS name, pg_get_userbyid(c.relowner) AS owner,
       ARRAY(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
     FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname`,
  );
  return rows.map((table) => ({
    ...table,
    condition: TENANT_CONDITIONS[table.name] ?? (table.columns.includes("tenant") ? `tenant = ${SETTING}` : null),
  }));
}

/**
 * The API's own rows are the named tenant's. A worker's are all. The owner is held to the tenant that is named, and sees
 * all where none is: migrations and backups name none, and a program that is run as the owner names one all the same.
 */
function policiesOf({ name, owner, condition }: Table, roles: DatabaseRoles): string[] {
  if (condition === null) return [];
  const table = quoted(name);
  const policy = (id: string, role: string, rows: string) => [
    `DROP POLICY IF EXISTS ${id} ON ${table}`,
    `CREATE POLICY ${id} ON ${table} TO ${quoted(role)} USING (${rows}) WITH CHECK (${rows})`,
  ];
  return [
    `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`,
    ...policy("continuum_api", roles.api, condition),
    ...policy("continuum_worker", roles.worker, "true"),
    ...policy("continuum_owner", owner, `coalesce(${SETTING}, '') = '' OR ${condition}`),
  ];
}

const VERBS: Readonly<Record<string, string>> = { S: "SELECT", I: "INSERT", U: "UPDATE", D: "DELETE" };

function grantsOf({ name, columns, condition }: Table, roles: DatabaseRoles): string[] {
  const grants = GRANTS[name];
  if (grants === undefined || (condition === null && !Object.hasOwn(TABLES_OF_NO_TENANT, name))) return [];
  return (["api", "worker"] as const satisfies DatabaseRole[]).flatMap((role) => {
    const verbs = [...grants[role].matchAll(/([SIUD])(?:\(([a-z_, ]+)\))?/g)].flatMap(([, letter = "", named]) => {
      // A schema that is not of today yet has not all of them.
      const there = named?.split(/, */).filter((column) => columns.includes(column));
      if (there?.length === 0) return [];
      return [`${VERBS[letter]}${there === undefined ? "" : ` (${there.map(quoted).join(", ")})`}`];
    });
    return verbs.length === 0 ? [] : [`GRANT ${verbs.join(", ")} ON ${quoted(name)} TO ${quoted(roles[role])}`];
  });
}

/**
 * What has to be known before a tenant is: whose a token, a session, a code or a passkey is, asked by nothing less than
 * itself; and how much there is of everything, without whose. Each runs as the owner and answers nothing else.
 */
function revealingFunctions(schema: string, roles: DatabaseRoles): string[] {
  const reveal = (signature: string, from: { name: string; returns: string; query: string }) => {
    const isTable = from.returns.startsWith("TABLE");
    const [declared, work, answer] = isTable
      ? ["", `RETURN QUERY ${from.query}`, ""]
      : [`answer ${from.returns};`, `answer := (${from.query})`, "RETURN answer;"];
    return [
      `DROP FUNCTION IF EXISTS ${schema}.${from.name}(${signature.replaceAll(/\w+ (\w+)/g, "$1")})`,
      // Whoever owns the tables is held to a tenant that is named as well, so none is while this looks. A SET of the
      // function itself would do it too, but only a superuser may write one for a setting that nobody defined.
      `CREATE FUNCTION ${schema}.${from.name}(${signature}) RETURNS ${from.returns}
       LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $body$
       DECLARE named text := ${SETTING}; ${declared}
       BEGIN PERFORM set_config('continuum.tenant', '', true);
         ${work};
         PERFORM set_config('continuum.tenant', coalesce(named, ''), true);
         ${answer} END $body$`,
      `REVOKE ALL ON FUNCTION ${schema}.${from.name} FROM PUBLIC`,
      `GRANT EXECUTE ON FUNCTION ${schema}.${from.name} TO ${quoted(roles.api)}, ${quoted(roles.worker)}`,
    ];
  };
  return [
    ...reveal("wanted bytea", {
      name: "reveal_token",
      returns: `TABLE (tenant text, id text, kind text, owner text, token text, expires_at timestamptz,
        revoked_at timestamptz, token_roles text[], principal_roles text[])`,
      query: `SELECT p.tenant, p.id, p.kind, p.owner, t.id, t.expires_at, t.revoked_at, t.roles, p.roles
        FROM tokens t JOIN principals p ON p.tenant = t.tenant AND p.id = t.principal WHERE t.secret_hash = wanted`,
    }),
    ...reveal("wanted bytea", {
      name: "reveal_session",
      returns: `TABLE (tenant text, principal text, kind text, owner text, principal_roles text[], id text, method text,
        roles text[], created_at timestamptz, seen_at timestamptz, expires_at timestamptz, ended_at timestamptz)`,
      query: `SELECT p.tenant, p.id, p.kind, p.owner, p.roles, s.id, s.method, s.roles, s.created_at, s.seen_at,
        s.expires_at, s.ended_at FROM sessions s JOIN principals p ON p.tenant = s.tenant AND p.id = s.principal
        WHERE s.secret_hash = wanted`,
    }),
    ...reveal("wanted bytea", {
      name: "tenant_of_enrolment",
      returns: "text",
      query: "SELECT e.tenant FROM enrolments e WHERE e.secret_hash = wanted",
    }),
    ...reveal("wanted text", {
      name: "tenant_of_passkey",
      returns: "text",
      query: "SELECT k.tenant FROM passkeys k WHERE k.credential_id = wanted",
    }),
    ...reveal("", {
      name: "count_everything",
      returns: "json",
      query: `SELECT json_build_object(
        'rollouts', (SELECT coalesce(json_agg(json_build_object('phase', phase, 'count', count)), '[]')
          FROM (SELECT phase, count(*) AS count FROM rollouts WHERE NOT terminal GROUP BY phase) AS open),
        'jobsWaiting', (SELECT count(*) FROM jobs WHERE worker IS NULL),
        'jobsClaimed', (SELECT count(*) FROM jobs WHERE worker IS NOT NULL),
        'auditPlaced', (SELECT coalesce(sum(size), 0)::bigint FROM audit_trees),
        'auditWaiting', (SELECT count(*) FROM audit_entries WHERE position IS NULL),
        'policies', (SELECT coalesce(json_agg(json_build_object('digest', digest, 'tenants', tenants)), '[]')
          FROM (SELECT digest, count(*) AS tenants FROM policy_active GROUP BY digest
            ORDER BY count(*) DESC, digest LIMIT 100) AS in_force),
        'glassOpen', (SELECT count(*) FROM approval_statements
          WHERE reason IS NOT NULL AND consumed_at IS NOT NULL AND reviewed_at IS NULL))`,
    }),
  ];
}

/** Whether exactly this was done before and nobody turned any of it off since. */
async function standsAsMarked(db: Queryable, mark: string, tables: readonly Table[]): Promise<boolean> {
  const { rows } = await db.query<{ mark: string | null; forced: string[]; policies: number }>(
    `SELECT obj_description(to_regclass('schema_migrations'), 'pg_class') AS mark,
       ARRAY(SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace
         AND relkind IN ('r', 'p') AND relrowsecurity AND relforcerowsecurity) AS forced,
       (SELECT count(*) FROM pg_policies WHERE schemaname = current_schema()
         AND policyname IN ('continuum_api', 'continuum_worker', 'continuum_owner')) AS policies`,
  );
  const found = rows[0];
  const wanted = tables.filter(({ condition }) => condition !== null);
  return (
    found?.mark === mark &&
    found.policies === 3 * wanted.length &&
    wanted.every(({ name }) => found.forced.includes(name))
  );
}

/** Roles belong to the whole server, so another database's migration may have made them, at this very moment even. */
async function makeRoles(tx: Transaction, roles: DatabaseRoles): Promise<void> {
  const wanted = [roles.api, roles.worker];
  const { rows } = await tx.query<{ missing: string[]; may: boolean }>(
    `SELECT ARRAY(SELECT unnest($1::text[]) EXCEPT SELECT rolname FROM pg_roles) AS missing,
       (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) AS may`,
    [wanted],
  );
  const { missing = [], may = false } = rows[0] ?? {};
  if (missing.length === 0) return;
  const sql = missing.map((role) => `CREATE ROLE ${quoted(role)} NOLOGIN`);
  if (!may) {
    throw new StoreError(
      "roles-missing",
      `The database's roles ${missing.join(" and ")} are not there, and this login may not make them: as one that may, run \`${sql.join("; ")}\`, and migrate again.`,
      { details: { roles: missing } },
    );
  }
  for (const statement of sql)
    await tx.query(
      `DO $make$ BEGIN ${statement}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $make$`,
    );
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
