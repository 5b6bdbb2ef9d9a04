import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdir, readFile, realpath, rename, rm, statfs, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openDatabase } from "../database.ts";
import { DATABASE_ROLES, type DatabaseRole } from "../roles.ts";
import { StoreError, type StoreLog } from "../store-error.ts";
import { findBinaries } from "./binaries.ts";
import { type Cluster, dataVersion, initialise, launch, runningServer, shutDown } from "./cluster.ts";
import { addUser, countUsers, removeUser, withFolderLock } from "./folder-lock.ts";
import { markUnsynced, setAsideUnsynced, syncFresh } from "./fresh-data.ts";
import { openToUser, serverUser } from "./server-user.ts";

export interface EmbeddedOptions {
  /** Continuum's data directory; the server lives in `postgres` under it, unless its user cannot get there. */
  dataDir: string;
  log?: StoreLog;
  /** Settings of PostgreSQL on top of ours; only read when this call starts the server. */
  settings?: Record<string, string>;
  /** Binaries of another PostgreSQL than ours, for data that an older one made; only read when this call starts it. */
  binDir?: string | undefined;
  /** False gives up crash safety for speed, for throwaway data. Default true. */
  durable?: boolean;
}

export interface EmbeddedServer {
  /** `postgres://...` of the superuser, for migrations, with the password in it: never log it. */
  url: string;
  /** The same for a login that owns nothing; whoever knows its password knows nothing of the superuser's. */
  urlAs(role: DatabaseRole): string;
  /** Of the server process. */
  pid: number;
  /** True when this call started it; false when it was running. */
  ownedHere: boolean;
  /** Where everything of the server lies; remove it together with the data directory. */
  clusterDir: string;
  /** This process is done with the server. The last process to say so takes it down. */
  stop(): Promise<void>;
}

/** Where clusters go whose data directory the server's user cannot reach, such as one under /root. */
const ELSEWHERE = "/var/lib/continuum";

/**
 * A PostgreSQL of our own on 127.0.0.1. Any number of processes may call this for one data directory: the first starts
 * it, the others attach, and the last that stops takes it down. A process that was killed no longer counts, and a
 * server that lost its parent is found and used by the next start. Processes in different containers must not share
 * a data directory. Errors: `embedded-unsupported`, `embedded-version`, `embedded-failed`.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const root = await clusterRoot(options.dataDir);
  return withFolderLock(root, async () => {
    const cluster: Cluster = {
      root,
      user: serverUser(),
      binaries: await findBinaries({ user: serverUser(), stagingRoot: root, binDir: options.binDir }),
    };
    await setAsideUnsynced(cluster);
    const password = await prepare(cluster, options);
    const url = (port: number, database: string) => `postgres://continuum:${password}@127.0.0.1:${port}/${database}`;
    const makeReady = async (server: { port: number }, how: { patienceMs?: number } = {}) => {
      await addUser(root);
      await ensureDatabase(url(server.port, "postgres"), password, how);
    };
    let running: Server | undefined;
    const launched = async () => {
      running = await attached(cluster, makeReady);
      if (running !== undefined) return running;
      const server = await launchOnSomePort(cluster, options);
      await makeReady(server);
      return server;
    };
    const [started, synced] = await Promise.allSettled([launched(), syncFresh(cluster)]);
    if (started.status === "rejected") throw started.reason;
    if (synced.status === "rejected") {
      await removeUser(root);
      if (running === undefined) await shutDown(cluster);
      throw synced.reason;
    }
    const { pid, port } = started.value;
    options.log?.info(running === undefined ? "database-started" : "database-attached", { port, pid });
    return {
      url: url(port, "continuum"),
      urlAs: (role) => `postgres://${DATABASE_ROLES[role]}:${passwordOf(role, password)}@127.0.0.1:${port}/continuum`,
      pid,
      ownedHere: running === undefined,
      clusterDir: root,
      stop: () => release(cluster, options.log),
    };
  });
}

/** Whether a server's data lies there; nothing is made or started. */
export async function hasEmbedded(dataDir: string): Promise<boolean> {
  const home = await realpath(dataDir).catch(() => undefined);
  if (home === undefined) return false;
  const versions = await Promise.all(embeddedRoots(home).map((root) => dataVersion({ root })));
  return versions.some((version) => version !== undefined);
}

/** Marks this process as a user of the server without starting it, so that nobody takes it down in between. */
export async function holdEmbedded(dataDir: string): Promise<{ release(): Promise<void> }> {
  const root = await clusterRoot(dataDir);
  await addUser(root);
  return {
    release: async () => {
      const user = serverUser();
      await release({ root, user, binaries: await findBinaries({ user, stagingRoot: root }) }, undefined);
    },
  };
}

/** A server that starts may have to make one file of its log of transactions, 16 MiB, before it does anything. */
const SPACE_BYTES_MIN = 2 * 16 * 1024 * 1024;

/** Whether the server of a data directory has no room to start or to go on. */
export async function lacksSpaceForDatabase(dataDir: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(await clusterRoot(dataDir));
  return bavail * bsize < SPACE_BYTES_MIN;
}

async function release(cluster: Cluster, log: StoreLog | undefined): Promise<void> {
  await withFolderLock(cluster.root, async () => {
    await removeUser(cluster.root);
    if ((await countUsers(cluster.root)) > 0) return;
    await shutDown(cluster);
    log?.info("database-stopped");
  });
}

async function clusterRoot(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const home = await realpath(dataDir);
  const user = serverUser();
  const reachable = await openToUser(home, user);
  const root = reachable ? inside(home) : elsewhere(home);
  // Walking through is enough for the server's user; only its own data directory belongs to it.
  await mkdir(root, { recursive: true, mode: 0o711 });
  return root;
}

/** Where the server of a data directory may lie. */
export function embeddedRoots(home: string): string[] {
  return [inside(home), elsewhere(home)];
}

function inside(home: string): string {
  return join(home, "postgres");
}

function elsewhere(home: string): string {
  const mark = createHash("sha256").update(home).digest("hex").slice(0, 12);
  return join(ELSEWHERE, `postgres-${mark}`);
}

/** Makes what is not there yet; answers the password. */
async function prepare(cluster: Cluster, options: EmbeddedOptions): Promise<string> {
  const version = await dataVersion(cluster);
  if (version !== undefined && version !== cluster.binaries.major) {
    throw new StoreError(
      "embedded-version",
      `The data in ${cluster.root} was made by PostgreSQL ${version} and this program brings ${cluster.binaries.major}: run \`continuum backup create --postgres-bin FOLDER\` with the binaries of PostgreSQL ${version}, and \`continuum backup restore\` with a fresh --data-dir.`,
      { details: { data: version, program: cluster.binaries.major } },
    );
  }
  const path = join(cluster.root, "password");
  if (version !== undefined) return (await readFile(path, "utf8")).trim();

  const password = randomBytes(24).toString("base64url");
  // The password comes first: data whose password is lost could never be opened again.
  await writeFile(path, password, { mode: 0o600 });
  try {
    const durable = options.durable ?? true;
    await initialise(cluster, { password, beforeNamed: async () => (durable ? markUnsynced(cluster) : undefined) });
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return password;
}

interface Server {
  pid: number;
  port: number;
}

/** Of a second each. */
const ATTACH_ATTEMPTS_MAX = 30;

/** The server that runs here, once it has made up its mind: one that recovers is waited for. */
async function settled(cluster: Cluster): Promise<Server | undefined> {
  for (;;) {
    const server = await runningServer(cluster);
    if (server === undefined || server.ready) return server;
    await sleep(20);
  }
}

/**
 * The server that runs and answers. One that was killed a moment ago can still look alive: who cannot reach it looks
 * again, until it is gone.
 */
async function attached(
  cluster: Cluster,
  makeReady: (server: Server, how: { patienceMs: number }) => Promise<void>,
): Promise<Server | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const running = await settled(cluster);
    if (running === undefined) return undefined;
    try {
      await makeReady(running, { patienceMs: 1000 });
      return running;
    } catch (error) {
      if (attempt >= ATTACH_ATTEMPTS_MAX || !(error instanceof StoreError) || !error.retryable) throw error;
    }
  }
}

/** The port stays with the data directory, because other processes were told it; only one that is taken is left. */
async function launchOnSomePort(cluster: Cluster, options: EmbeddedOptions): Promise<{ pid: number; port: number }> {
  const path = join(cluster.root, "port");
  const before = Number(await readFile(path, "utf8").catch(() => ""));
  const settings = {
    ...(options.durable === false ? { fsync: "off", full_page_writes: "off" } : {}),
    ...options.settings,
  };
  let port = before > 0 ? before : await freePort();
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { pid } = await launch(cluster, { port, settings });
      await writeFile(`${path}.new`, String(port));
      await rename(`${path}.new`, path);
      return { pid, port };
    } catch (error) {
      const details = error instanceof StoreError ? error.details : {};
      if (attempt >= 20 || !(details["portTaken"] || details["memoryInUse"])) throw error;
      options.log?.warn("database-start-again", { port, attempts: attempt });
      // Children of a server that was killed need a moment to notice and let go of its memory.
      if (details["memoryInUse"]) await sleep(250);
      else port = await freePort();
    }
  }
}

async function ensureDatabase(adminUrl: string, password: string, how: { patienceMs?: number }): Promise<void> {
  const admin = await openDatabase(adminUrl, { max: 1, applicationName: "continuum-setup", ...how });
  try {
    const { rows } = await admin.query<{ made: boolean; logins: string[] }>(
      `SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'continuum') AS made,
         ARRAY(SELECT rolname::text FROM pg_roles WHERE rolcanlogin) AS logins`,
    );
    const { made, logins } = rows[0] ?? { made: false, logins: [] };
    for (const role of ["api", "worker"] as const) {
      if (!logins.includes(DATABASE_ROLES[role])) await admin.query(loginStatement(role, password));
    }
    if (!made) await admin.query("CREATE DATABASE continuum");
  } finally {
    await admin.close();
  }
}

/** A migration that came first made the role without a login. Both are names and passwords of ours, which need no escaping. */
function loginStatement(role: DatabaseRole, password: string): string {
  const name = DATABASE_ROLES[role];
  return `DO $make$ BEGIN CREATE ROLE ${name}; EXCEPTION WHEN duplicate_object THEN NULL; END $make$;
    ALTER ROLE ${name} LOGIN PASSWORD '${passwordOf(role, password)}'`;
}

/** Of one password each login has its own, so that there is one secret to keep and none leads to another. */
function passwordOf(role: DatabaseRole, password: string): string {
  return createHmac("sha256", password).update(`continuum/login/${role}`).digest("base64url");
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
