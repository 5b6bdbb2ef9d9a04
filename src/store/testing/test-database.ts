import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, openDatabase } from "../database.ts";
import { type EmbeddedServer, holdEmbedded, startEmbedded } from "../embedded/embedded.ts";
import { migrate, schemaChecksum } from "../migrate.ts";
import { DATABASE_ROLES, type DatabaseRole } from "../roles.ts";

/**
 * One embedded server serves all test files of all runs of this user; each file gets a database of its own, copied
 * from a migrated template. `CONTINUUM_TEST_DATABASE_URL` names an ordinary server to use instead (a superuser, which
 * may take on the roles that the program runs as).
 */
export interface TestDatabase {
  url: string;
  database: Database;
  /** The same database as the API or a worker of a running program sees it. Closed with the rest. */
  openAs(role: DatabaseRole, options?: { max?: number }): Database;
  /** The address of that. */
  urlAs(role: DatabaseRole): string;
  /** Closes the connections and drops the database. */
  close(): Promise<void>;
}

const TEMPLATE_LOCK = 7_266_816_002;

const serverDir = () => join(tmpdir(), `continuum-test-${process.getuid?.() ?? "user"}`);

export async function createTestDatabase(options: { max?: number } = {}): Promise<TestDatabase> {
  const { url: serverUrl, urlAs } = await testServer();
  const admin = await openDatabase(serverUrl, { max: 1, applicationName: "continuum-test-admin" });
  const name = `test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  try {
    const template = await ensureTemplate(admin, serverUrl);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  } catch (error) {
    await admin.close();
    throw error;
  }
  const url = withDatabase(serverUrl, name);
  const database = await openDatabase(url, { max: options.max ?? 6, applicationName: "continuum-test" });
  const others: Database[] = [];
  const ownUrlAs = (role: DatabaseRole) => withDatabase(urlAs(role), name);
  return {
    url,
    database,
    urlAs: ownUrlAs,
    openAs: (role, { max = 4 } = {}) => {
      const other = new Database(ownUrlAs(role), {
        max,
        applicationName: `continuum-test-${role}`,
      });
      others.push(other);
      return other;
    },
    close: async () => {
      for (const other of others) await other.close();
      await database.close();
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.close();
    },
  };
}

/** Around a whole run: keeps the shared server up between files, and takes it down when no other run needs it. */
export async function holdTestServer(): Promise<{ release(): Promise<void> }> {
  if (ordinaryServer() !== undefined) return { release: async () => undefined };
  return holdEmbedded(serverDir());
}

function ordinaryServer(): string | undefined {
  const url = process.env["CONTINUUM_TEST_DATABASE_URL"];
  return url === undefined || url === "" ? undefined : url;
}

async function testServer(): Promise<Pick<EmbeddedServer, "url" | "urlAs">> {
  const url = ordinaryServer();
  if (url !== undefined) return { url, urlAs: (role) => withRole(url, DATABASE_ROLES[role]) };
  return startEmbedded({ dataDir: serverDir(), durable: false, settings: { max_connections: "200" } });
}

/** Files that start together make it once: the lock is held by the session until it is there. */
async function ensureTemplate(admin: Database, serverUrl: string): Promise<string> {
  const name = `template_${templateChecksum().slice(0, 16)}`;
  await admin.query("SELECT pg_advisory_lock($1)", [TEMPLATE_LOCK]);
  try {
    const { rowCount } = await admin.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
    if (rowCount > 0) return name;
    const fresh = `${name}_${process.pid}`;
    await admin.query(`DROP DATABASE IF EXISTS ${fresh} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${fresh}`);
    const database = await openDatabase(withDatabase(serverUrl, fresh), { max: 1 });
    await migrate(database).finally(() => database.close());
    // It gets the name that others look for only when it is whole.
    await admin.query(`ALTER DATABASE ${fresh} RENAME TO ${name}`);
    return name;
  } finally {
    await admin.query("SELECT pg_advisory_unlock($1)", [TEMPLATE_LOCK]);
  }
}

/** Of the tables and of what is said about who sees them: neither is in the other. */
function templateChecksum(): string {
  const sources = ["roles.ts", "row-security.ts"].map((file) => readFileSync(new URL(`../${file}`, import.meta.url)));
  return createHash("sha256")
    .update(Buffer.concat([Buffer.from(schemaChecksum()), ...sources]))
    .digest("hex");
}

/** On an ordinary server nobody makes logins for tests: every session takes the role on as it begins. */
function withRole(url: string, role: string): string {
  const changed = new URL(url);
  changed.searchParams.set("options", `-c role=${role}`);
  return changed.href;
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
