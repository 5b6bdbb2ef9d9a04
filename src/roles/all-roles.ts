import { mkdir } from "node:fs/promises";
import { moveClientFile, writeClientFile } from "../config/client-settings.ts";
import type { Config } from "../config/schema.ts";
import { bootstrap } from "../service/bootstrap.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { type EmbeddedServer, lacksSpaceForDatabase, startEmbedded } from "../store/embedded/embedded.ts";
import { migrate, requireSchema, schemaState } from "../store/migrate.ts";
import { DATABASE_ROLES, type DatabaseRole, type DatabaseRoles } from "../store/roles.ts";
import { childEnvironment } from "./child-environment.ts";
import { type DatabaseKeeper, keepDatabase } from "./database-keeper.ts";
import { giveBackMemorySoon } from "./give-back-memory.ts";
import { LEAN_ALLOCATOR } from "./lean-allocator.ts";
import { onlyStart } from "./only-start.ts";
import type { ProgramLog } from "./program-log.ts";
import { leaveStarter, stopRequested } from "./role-process.ts";
import { type SupervisedRole, type Supervisor, supervise } from "./supervisor.ts";

export interface AllRolesOptions {
  config: Config;
  /** The program's entry, to start each role's process from. */
  entry: string;
  log: ProgramLog;
  /** What ends the start before any role has begun, such as policies that are not in force; throws then. */
  checkDatabase(database: Database): Promise<void>;
  /** Prints for the person who started it. */
  say(line: string): void;
}

/**
 * Every role as a process under this one, with the embedded database unless there is one's own; what falls is started
 * again. Resolves at the end. Errors: `already-running`, `role-failed`, those of the database.
 */
export async function runAllRoles(options: AllRolesOptions): Promise<number> {
  const { config } = options;
  const stopped = stopRequested();
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const release = await onlyStart(config.dataDir).catch((error: unknown) => {
    leaveStarter();
    throw error;
  });
  const kept = keptDatabase(options);
  try {
    return await runOn(kept, options, stopped);
  } finally {
    try {
      await (await kept.catch(() => undefined))?.stop();
    } finally {
      await release();
      leaveStarter();
    }
  }
}

async function keptDatabase({ config, log }: AllRolesOptions): Promise<DatabaseKeeper | undefined> {
  if (config.databaseUrl !== undefined) return undefined;
  const { dataDir } = config;
  return keepDatabase({
    start: () => startEmbedded({ dataDir, log }),
    isDiskFull: () => lacksSpaceForDatabase(dataDir),
    log,
  });
}

async function runOn(
  starting: Promise<DatabaseKeeper | undefined>,
  options: AllRolesOptions,
  stopped: Promise<void>,
): Promise<number> {
  const { config, entry, log, say } = options;
  const prepared = starting.then(async (kept) => {
    const url = kept?.server.url ?? config.databaseUrl ?? "";
    return { kept, url, firstToken: await prepareDatabase(url, options) };
  });
  let supervisor: Supervisor | undefined;
  try {
    const roles = rolesOf(
      config,
      prepared.then(
        ({ kept, url }) =>
          (role) =>
            config[role].databaseUrl ?? kept?.server.urlAs(role) ?? url,
      ),
    );
    supervisor = await supervise(entry, roles, log);
    const { kept, firstToken } = await prepared;
    const api = supervisor.ready.get("api")?.url ?? "";
    if (firstToken !== undefined) {
      writeClientFile(config.dataDir, { url: api, token: firstToken });
      say(`The administrator's first token, shown this once: ${firstToken}`);
    } else moveClientFile(config.dataDir, api);
    announce({ supervisor, embedded: kept?.server, api, say });
    announceLate(supervisor, say);
    const leaveMemory = giveBackMemorySoon();
    const lost = await Promise.race([stopped.then(() => undefined), supervisor.lost, ...(kept ? [kept.lost] : [])]);
    leaveMemory();
    if (lost !== undefined) log.error("role.lost", { role: lost, reason: "it fell again and again" });
    return lost === undefined ? 0 : 1;
  } finally {
    await supervisor?.stop();
  }
}

async function prepareDatabase(
  url: string,
  { config, checkDatabase }: Pick<AllRolesOptions, "checkDatabase" | "config">,
): Promise<string | undefined> {
  const database = await openDatabase(url, { max: 1, applicationName: "continuum-start" });
  try {
    if (await migratesNow(database, config)) await migrate(database, undefined, databaseRoles(config));
    else await requireSchema(database);
    await checkDatabase(database);
    const made = await bootstrap({ database, nowMs: Date.now }, { tenant: config.tenant });
    return made?.token;
  } finally {
    await database.close();
  }
}

/** The embedded database's logins have names of ours. */
function databaseRoles(config: Config): DatabaseRoles {
  return config.databaseUrl === undefined ? DATABASE_ROLES : config.databaseRoles;
}

/**
 * The embedded database belongs to this program. One's own may serve others meanwhile, and how it changes is a decision
 * of its keeper; an empty one is set up all the same, for there is nothing in it to change.
 */
async function migratesNow(database: Database, config: Config): Promise<boolean> {
  return config.databaseUrl === undefined || config.migrateAtStart || (await schemaState(database)).from === 0;
}

/**
 * In the order that they are stopped in, turned round: the API first, the data plane last. The data plane needs no
 * database and starts at once, beside the making of one.
 */
function rolesOf(config: Config, databaseUrl: Promise<(role: DatabaseRole) => string>): SupervisedRole[] {
  const workers = Array.from({ length: config.worker.count }, (_, index) => `worker-${index + 1}`);
  const monitors = config.monitor.enabled ? ["monitor"] : [];
  return ["serve", ...workers, "api", ...monitors].map((name) => {
    const role = name.replace(/-\d+$/, "");
    const isApi = role === "api";
    const portVariable = PORT_VARIABLES[role] ?? "";
    const own = role === "worker" ? { [portVariable]: opsPort(config, name) } : {};
    return {
      name,
      args: ["start", "--role", role],
      // The data plane stands on its own and runs what others wrote: it is not handed the database's password.
      env:
        role === "serve"
          ? async () => childEnvironment(config, undefined)
          : async () => ({
              ...{
                ...LEAN_ALLOCATOR,
                ...childEnvironment(config, (await databaseUrl)(isApi ? "api" : "worker")),
                ...own,
              },
            }),
      portVariable,
      keepsListener: role === "serve",
      startsLast: role === "monitor",
    };
  });
}

const PORT_VARIABLES: Readonly<Record<string, string>> = {
  api: "CONTINUUM_API_PORT",
  monitor: "CONTINUUM_MONITOR_OPS_PORT",
  serve: "CONTINUUM_SERVING_PORT",
  worker: "CONTINUUM_WORKER_OPS_PORT",
};

/** Each worker has the next port, so that all can be scraped; 0 stays "any free one". */
function opsPort(config: Config, name: string): string {
  const { opsPort: first } = config.worker;
  return String(first === 0 ? 0 : first + Number(name.split("-")[1]) - 1);
}

interface RunningProcess {
  name: string;
  pid: number;
  url: string | null;
}

function processLine({ name, pid, url }: RunningProcess): string {
  return `${name.padEnd(12)} process ${String(pid).padEnd(8)} ${url ?? ""}`.trimEnd();
}

/** What nobody waits for is announced when it is there, to whoever still listens. */
function announceLate({ late, pidOf }: Supervisor, say: (line: string) => void): void {
  for (const [name, ready] of late)
    void ready.then(({ url, opsUrl }) => {
      const role: RunningProcess = { name, pid: pidOf(name) ?? 0, url: url ?? opsUrl ?? null };
      say(processLine(role));
      if (process.connected) process.send?.({ type: "role", ...role });
    });
}

function announce(started: {
  supervisor: Supervisor;
  embedded: EmbeddedServer | undefined;
  api: string;
  say(line: string): void;
}): void {
  const { supervisor, embedded, api, say } = started;
  const roles = [...supervisor.ready]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, { url, opsUrl }]) => ({ name, pid: supervisor.pidOf(name) ?? 0, url: url ?? opsUrl ?? null }));
  const processes = [
    { name: "supervisor", pid: process.pid, url: null },
    ...(embedded === undefined
      ? []
      : [{ name: "postgresql", pid: embedded.pid, url: `127.0.0.1:${new URL(embedded.url).port}` }]),
    ...roles,
  ];
  for (const one of processes) say(processLine(one));
  say(`Continuum is ready: ${api}`);
  process.send?.({
    type: "ready",
    url: api,
    servingUrl: supervisor.ready.get("serve")?.url ?? "",
    processes,
    outside: embedded === undefined ? [] : [embedded.clusterDir],
  });
}
