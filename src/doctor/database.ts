import type { Config } from "../config/schema.ts";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { inspectEmbedded } from "../store/embedded/inspect.ts";
import { excessOf, type LoginFacts, readLoginFacts } from "../store/login-check.ts";
import { schemaState } from "../store/migrate.ts";
import type { DatabaseRole } from "../store/roles.ts";
import { broken, note, ok, reasonOf } from "./finding.ts";

const OLDEST_VERSION = 150_000;
const SKEW_NOTE_MS = 1000;
const SKEW_BROKEN_MS = 10_000;
/** The API holds eight, each worker four; listening and locks take two more in each process. */
const CONNECTIONS_OF_API = 10;
const CONNECTIONS_OF_WORKER = 6;

/** PostgreSQL: the one that the settings name, or the embedded one when it runs. */
export async function lookAtDatabase(config: Config): Promise<DoctorFinding[]> {
  const at = { check: "database.reachable", looked: "PostgreSQL" };
  const embedded = config.databaseUrl === undefined ? await inspectEmbedded(config.dataDir) : undefined;
  const url = config.databaseUrl ?? embedded?.running?.url;
  if (url === undefined) {
    if (embedded === undefined) return [ok(at, "embedded, not made yet; the first start makes it")];
    return [ok(at, `embedded, version ${embedded.version}, does not run; \`continuum start\` starts it`)];
  }
  const where = config.databaseUrl === undefined ? "embedded" : placeOf(url);
  let database: Database;
  try {
    database = await openDatabase(url, { max: 1, patienceMs: 0, applicationName: "continuum-doctor" });
  } catch (error) {
    return [broken(at, `${where}: ${whyNot(error)}`, mendOf(error))];
  }
  try {
    const facts = await factsOf(database);
    return [
      ok(at, `${where}, answers`),
      ...lookAtServer(facts),
      lookAtConnections(facts, config),
      await lookAtSchema(database),
      ...(config.databaseUrl === undefined ? [] : await lookAtLogins(config, database)),
    ];
  } finally {
    await database.close();
  }
}

/** Whether the database itself keeps tenants apart: of the embedded one the program makes the logins. */
async function lookAtLogins(config: Config, whole: Database): Promise<DoctorFinding[]> {
  const found: DoctorFinding[] = [];
  for (const role of ["api", "worker"] as const) {
    const own = config[role].databaseUrl;
    const at = {
      check: `database.login.${role}`,
      looked: role === "api" ? "what the API may see" : "what workers may",
    };
    try {
      const database = own === undefined ? whole : await openDatabase(own, { max: 1, patienceMs: 0 });
      try {
        found.push(loginFinding(at, { config, role, facts: await readLoginFacts(database, config.databaseRoles) }));
      } finally {
        if (database !== whole) await database.close();
      }
    } catch (error) {
      found.push(broken(at, whyNot(error), mendOf(error)));
    }
  }
  return found;
}

function loginFinding(
  at: { check: string; looked: string },
  { config, role, facts }: { config: Config; role: DatabaseRole; facts: LoginFacts },
): DoctorFinding {
  const mend = `log in as one that owns nothing, by ${role}.databaseUrl, with GRANT ${config.databaseRoles[role]} TO it`;
  const excess = excessOf(facts, role);
  if (excess !== undefined) {
    const seen = `${facts.login} ${excess}`;
    return config.allowPrivilegedDatabaseRole ? note(at, `${seen}, which is allowed`, mend) : broken(at, seen, mend);
  }
  if (!facts[role]) return broken(at, `${facts.login} has no rights to the tables`, mend);
  return ok(at, role === "api" ? `${facts.login}: one tenant at a time` : `${facts.login}: all tenants, and no tables`);
}

/** Host, port and name; never the user's password, nor the options that may hold one. */
function placeOf(text: string): string {
  const url = new URL(text);
  return `${url.host}${url.pathname}`;
}

/** Connection errors name an address and no secret. */
function whyNot(error: unknown): string {
  const { code } = error as { code?: unknown };
  const codes: Readonly<Record<string, string>> = {
    "28P01": "the password is wrong",
    "28000": "this user may not connect",
    "3D000": "there is no such database",
    "42501": "this user may not connect",
  };
  return codes[String(code)] ?? reasonOf(error);
}

function mendOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (code === "28P01" || code === "28000" || code === "42501")
    return "mend the user or the password that databaseUrl names, and pg_hba.conf";
  if (code === "3D000") return "make it (`createdb`), or name another in databaseUrl";
  if (/too many|remaining connection slots/.test(String(error)))
    return "raise max_connections, or end clients that are not needed";
  return "start it, or mend host, port and network in databaseUrl";
}

interface ServerFacts {
  version: number;
  fsync: string;
  commits: string;
  pages: string;
  connectionsMax: number;
  connections: number;
  standby: boolean;
  readOnly: string;
  encoding: string;
  /** The server's clock less this machine's; the way there and back is halved. */
  skewMs: number;
}

async function factsOf(database: Database): Promise<ServerFacts> {
  const { rows } = await database.query<Omit<ServerFacts, "skewMs">>(`
    SELECT current_setting('server_version_num')::integer AS version, current_setting('fsync') AS fsync,
      current_setting('synchronous_commit') AS commits, current_setting('full_page_writes') AS pages,
      current_setting('max_connections')::integer AS "connectionsMax",
      (SELECT count(*)::integer FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
      pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only') AS "readOnly", current_setting('server_encoding') AS encoding`);
  const [row] = rows;
  if (row === undefined) throw new Error("PostgreSQL answered with nothing");
  const beforeMs = Date.now();
  const clock = await database.query<{ ms: string }>("SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms");
  const middleMs = (beforeMs + Date.now()) / 2;
  return { ...row, skewMs: Math.round(Number(clock.rows[0]?.ms) - middleMs) };
}

function lookAtServer(facts: ServerFacts): DoctorFinding[] {
  return [versionFinding(facts), rightsFinding(facts), durabilityFinding(facts), clockFinding(facts)];
}

function versionFinding({ version, encoding }: ServerFacts): DoctorFinding {
  const at = { check: "database.version", looked: "its version and encoding" };
  const seen = `${Math.floor(version / 10_000)}.${version % 10_000}, ${encoding}`;
  if (version < OLDEST_VERSION) return broken(at, seen, "Continuum needs PostgreSQL 15 or newer");
  if (encoding !== "UTF8") return broken(at, seen, "make the database with ENCODING 'UTF8'");
  return ok(at, seen);
}

function rightsFinding({ standby, readOnly }: ServerFacts): DoctorFinding {
  const at = { check: "database.rights", looked: "what its user may do there" };
  if (standby) return broken(at, "a standby: nothing can be written", "name the primary in databaseUrl");
  if (readOnly === "on")
    return broken(
      at,
      "transactions are read-only",
      "ALTER ROLE or DATABASE ... SET default_transaction_read_only = off",
    );
  return ok(at, "write");
}

function durabilityFinding({ fsync, commits, pages }: ServerFacts): DoctorFinding {
  const at = { check: "database.durability", looked: "settings that keep what was committed" };
  const seen = `fsync ${fsync}, full_page_writes ${pages}, synchronous_commit ${commits}`;
  if (fsync === "off" || pages === "off")
    return broken(at, seen, "a power cut may destroy the database: set fsync and full_page_writes to on");
  if (commits === "off")
    return broken(at, seen, "a crash may lose approvals and effects that were told of: set synchronous_commit to on");
  return ok(at, seen);
}

function clockFinding({ skewMs }: ServerFacts): DoctorFinding {
  const at = { check: "database.clock", looked: "its clock beside this machine's" };
  const seen = skewMs === 0 ? "the same" : `${Math.abs(skewMs)} ms ${skewMs > 0 ? "ahead" : "behind"}`;
  const mend = "set both by NTP: deadlines, approvals and tokens end by a clock";
  if (Math.abs(skewMs) > SKEW_BROKEN_MS) return broken(at, seen, mend);
  return Math.abs(skewMs) > SKEW_NOTE_MS ? note(at, seen, mend) : ok(at, seen);
}

function lookAtConnections({ connections, connectionsMax }: ServerFacts, { worker }: Config): DoctorFinding {
  const at = { check: "database.connections", looked: "connections in use" };
  const seen = `${connections} of ${connectionsMax}`;
  const needed = CONNECTIONS_OF_API + CONNECTIONS_OF_WORKER * worker.count;
  if (connectionsMax < needed)
    return broken(at, seen, `an API and ${worker.count} workers take up to ${needed}: raise max_connections`);
  if (connections > 0.8 * connectionsMax)
    return note(at, seen, "raise max_connections, or end clients that are not needed");
  return ok(at, seen);
}

async function lookAtSchema(database: Database): Promise<DoctorFinding> {
  const at = { check: "database.schema", looked: "the schema's version" };
  try {
    const { from, to } = await schemaState(database);
    if (from === to) return ok(at, `${from}, as this program has it`);
    const mend = "make a backup and run `continuum migrate`; a start with the embedded database does it by itself";
    return note(
      at,
      from === 0 ? `no tables yet; this program has version ${to}` : `${from}, and this program has ${to}`,
      mend,
    );
  } catch (error) {
    return broken(
      at,
      error instanceof Error ? error.message : String(error),
      "run the program that made it, or a newer one",
    );
  }
}
