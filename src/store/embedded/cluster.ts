import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { StoreError } from "../store-error.ts";
import type { Binaries } from "./binaries.ts";
import { isAlive, markOf } from "./living-process.ts";
import { give, type ServerUser } from "./server-user.ts";

const run = promisify(execFile);

export interface Cluster {
  /** Holds everything of this server: `data`, the password, the log. */
  root: string;
  binaries: Binaries;
  user: ServerUser | undefined;
}

/** For a laptop: small at rest, no background parallelism. Measured at 17 MiB of its own memory when idle. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  // A socket's path may have 107 bytes at most, and data directories are often deeper.
  unix_socket_directories: "",
  max_connections: "100",
  shared_buffers: "32MB",
  io_method: "sync",
  jit: "off",
  max_parallel_workers: "0",
  max_worker_processes: "0",
  max_logical_replication_workers: "0",
  wal_level: "minimal",
  max_wal_senders: "0",
  timezone: "UTC",
  log_timezone: "UTC",
  log_min_messages: "warning",
  // A statement's text may carry what a tenant wrote; it stays out of the log.
  log_min_error_statement: "panic",
};

/** A server of an older major version does not start with a setting that it does not know. */
const SINCE: Readonly<Record<string, number>> = { io_method: 18 };

const STARTUP_MS_MAX = 60_000;
const LOG_BYTES_MAX = 10 * 1024 * 1024;

export const dataOf = (cluster: Pick<Cluster, "root">) => join(cluster.root, "data");
const logOf = (cluster: Cluster) => join(cluster.root, "postgres.log");

/** The major version that the data was made by; undefined when there is none yet. */
export async function dataVersion(cluster: Pick<Cluster, "root">): Promise<number | undefined> {
  try {
    return Number((await readFile(join(dataOf(cluster), "PG_VERSION"), "utf8")).trim());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Makes the data directory, without waiting for the disk. It gets its name only when it is whole, so a crash here leaves
 * nothing half made; `beforeNamed` runs just before that.
 */
export async function initialise(
  cluster: Cluster,
  { password, beforeNamed }: { password: string; beforeNamed(): Promise<void> },
): Promise<void> {
  const fresh = join(cluster.root, "data.new");
  const passwordFile = join(cluster.root, "password.init");
  await rm(fresh, { recursive: true, force: true });
  // Only this folder belongs to the server's user; the one above, with the password in it, stays ours.
  await mkdir(fresh, { mode: 0o700 });
  await give(fresh, cluster.user);
  await writeFile(passwordFile, password, { mode: 0o600 });
  await give(passwordFile, cluster.user);
  try {
    await run(
      cluster.binaries.initdb,
      [
        ...["-D", fresh, "-U", "continuum", `--pwfile=${passwordFile}`, "--auth=scram-sha-256", "--encoding=UTF8"],
        ...(cluster.binaries.major >= 17 ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] : []),
        ...["--locale=C", "--no-instructions"],
        "--no-sync",
      ],
      { cwd: cluster.root, env: serverEnvironment(), ...cluster.user },
    );
  } catch (error) {
    // What was half made would keep the space that may have been missing.
    await rm(fresh, { recursive: true, force: true });
    const { stderr } = error as { stderr?: string };
    throw new StoreError(
      "embedded-failed",
      `The data directory could not be made: ${stderr?.trim() || String(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
  await beforeNamed();
  await rename(fresh, dataOf(cluster));
}

/** What `postmaster.pid` says; undefined when no server is there, or the one that wrote it is dead. */
export async function runningServer(
  cluster: Pick<Cluster, "root">,
): Promise<{ pid: number; port: number; ready: boolean } | undefined> {
  const text = await readFile(join(dataOf(cluster), "postmaster.pid"), "utf8").catch(() => "");
  const lines = text.split("\n");
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(markOf(pid)) || !(await isPostgres(pid))) return undefined;
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === "ready" };
}

/** After a reboot or in a container another program may have the number that the file names. */
async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  return name.startsWith("postgres");
}

/**
 * Starts the server as a process of its own, in its own group: a Ctrl-C at the terminal reaches our processes and not
 * it, so it goes last. It outlives a parent that was killed; the next start finds it and takes it over.
 */
export async function launch(
  cluster: Cluster,
  options: { port: number; settings: Record<string, string> },
): Promise<{ pid: number }> {
  await clearStalePidFile(cluster);
  await shortenLog(cluster);
  const log = await open(logOf(cluster), "a", 0o600);
  const logStart = (await log.stat()).size;
  const settings = Object.entries({ ...SETTINGS, ...options.settings, port: String(options.port) }).filter(
    ([name]) => cluster.binaries.major >= (SINCE[name] ?? 0),
  );
  try {
    const child = spawn(
      cluster.binaries.postgres,
      ["-D", dataOf(cluster), ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      {
        cwd: cluster.root,
        env: serverEnvironment(),
        detached: true,
        stdio: ["ignore", log.fd, log.fd],
        ...cluster.user,
      },
    );
    await untilReady(cluster, child, logStart);
    child.unref();
    return { pid: child.pid ?? 0 };
  } finally {
    await log.close();
  }
}

async function untilReady(cluster: Cluster, child: ChildProcess, logStart: number): Promise<void> {
  let ended: string | undefined;
  child.once("error", (error) => (ended = error.message));
  child.once("exit", (code, signal) => (ended = `exit ${code ?? signal}`));
  const endMs = Date.now() + STARTUP_MS_MAX;
  while (Date.now() < endMs) {
    const server = await runningServer(cluster);
    if (server?.ready && server.pid === child.pid) return;
    if (ended !== undefined) break;
    await sleep(10);
  }
  if (ended === undefined) child.kill("SIGQUIT");
  const said = (await readFile(logOf(cluster), "utf8").catch(() => "")).slice(logStart).trim();
  throw new StoreError(
    "embedded-failed",
    `PostgreSQL did not start (${ended ?? "it was not ready in time"}): ${said.split("\n").slice(-6).join(" | ")}`,
    { details: { portTaken: /could not bind/.test(said), memoryInUse: /shared memory block/.test(said) } },
  );
}

/** Ends the server by a fast shutdown: open transactions are rolled back, everything committed is on the disk. */
export async function shutDown(cluster: Cluster): Promise<void> {
  const server = await runningServer(cluster);
  if (server === undefined) return;
  const mark = markOf(server.pid);
  if (process.platform === "win32") {
    await run(cluster.binaries.pgCtl, ["stop", "-D", dataOf(cluster), "-m", "fast", "-w"]);
    return;
  }
  process.kill(server.pid, "SIGINT");
  const patienceMs = 30_000;
  const endMs = Date.now() + patienceMs;
  while (isAlive(mark)) {
    if (Date.now() > endMs) {
      throw new StoreError(
        "embedded-failed",
        `PostgreSQL (process ${server.pid}) did not stop within ${patienceMs / 1000} s`,
      );
    }
    await sleep(10);
  }
}

/** PostgreSQL clears the file of a dead server itself, unless its number now belongs to some other process. */
async function clearStalePidFile(cluster: Cluster): Promise<void> {
  const path = join(dataOf(cluster), "postmaster.pid");
  const text = await readFile(path, "utf8").catch(() => "");
  const pid = Number(text.split("\n")[0]);
  if (text !== "" && isAlive(markOf(pid)) && !(await isPostgres(pid))) await rm(path, { force: true });
}

async function shortenLog(cluster: Cluster): Promise<void> {
  const size = await stat(logOf(cluster)).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_BYTES_MAX) await rename(logOf(cluster), `${logOf(cluster)}.1`);
}

/** Nothing of ours: a PGDATA or PGPORT of the user's would change what is started. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { LC_ALL: "C", PATH: "/usr/bin:/bin" };
}
