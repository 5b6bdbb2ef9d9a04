import { type ChildProcess, spawn } from "node:child_process";
import { ContinuumError } from "../core/error.ts";
import type { Logger } from "../engine/engine.ts";
import { KEPT_LISTENER_ENV, KeptListener } from "./kept-listener.ts";

/** One process of a role under the supervisor. */
export interface SupervisedRole {
  /** Unique, e.g. `worker-2`. */
  name: string;
  args: string[];
  /** Resolves when what it needs is there; asked at each start. */
  env(): Promise<NodeJS.ProcessEnv>;
  /** The variable that says on which port it listens: what was a free one at first is its own from then on. */
  portVariable: string;
  /** Its socket is held while it is started again, so that callers wait instead of being refused. */
  keepsListener?: boolean;
  /**
   * Nobody waits for it: it starts once all others are ready, and however often it falls it is tried again, for the
   * others work without it.
   */
  startsLast?: boolean;
}

/** What a role's process tells its supervisor over the channel between them, once it answers. */
export interface ReadyMessage {
  type: "ready";
  /** Where it listens; a role that listens nowhere leaves it out. */
  url?: string;
  /** Where its `/metrics`, `/healthz` and `/readyz` are. */
  opsUrl?: string;
}

export interface Supervisor {
  /** Where each role listens. */
  ready: ReadonlyMap<string, ReadyMessage>;
  /** Of those that start last: resolves when it is ready for the first time, which may be never. */
  late: ReadonlyMap<string, Promise<ReadyMessage>>;
  pidOf(name: string): number | undefined;
  /** Asks every process to stop, last named first, and ends those that do not within `graceMs`. */
  stop(graceMs?: number): Promise<void>;
  /** Resolves with the name of a role that could not be kept running. */
  lost: Promise<string>;
}

export type SupervisorErrorCode = "role-failed";

const READY_TIMEOUT_MS = 60_000;
const BACK_OFF_MS = [100, 250, 500, 1000, 2000, 5000];
/** Of what is tried for ever. */
const BACK_OFF_MS_LAST = 30_000;
/** A process that ran this long has started well: its next fall counts from the beginning again. */
const SETTLED_MS = 30_000;

interface Kept {
  role: SupervisedRole;
  child: ChildProcess;
  startedAtMs: number;
  falls: number;
}

/**
 * Starts the roles, each as soon as it can, and keeps them running: one that falls is started again with a growing
 * pause. Resolves when all but those that start last are ready. Errors: `role-failed` when one does not become ready the first time, and what
 * `env` rejects with.
 */
export async function supervise(entry: string, roles: SupervisedRole[], log: Logger): Promise<Supervisor> {
  const ready = new Map<string, ReadyMessage>();
  const kept: Kept[] = [];
  const listeners = new Map(roles.filter((role) => role.keepsListener).map((role) => [role.name, new KeptListener()]));
  const lost = Promise.withResolvers<string>();
  const late = new Map(
    roles.filter((role) => role.startsLast).map(({ name }) => [name, Promise.withResolvers<ReadyMessage>()]),
  );
  let stopping = false;

  const start = async (role: SupervisedRole, falls: number): Promise<void> => {
    const env = await role.env();
    if (stopping) return;
    // Others were told where it listens; after a fall it is found there again.
    const listener = listeners.get(role.name);
    const own = { ...portOf(role, ready.get(role.name)), ...(listener === undefined ? {} : KEPT_LISTENER_ENV) };
    const child = launch(entry, { args: role.args, env: { ...env, ...own } });
    listener?.serve(child);
    const entryKept: Kept = { role, child, startedAtMs: Date.now(), falls };
    const index = kept.findIndex((other) => other.role.name === role.name);
    if (index >= 0) kept[index] = entryKept;
    else kept.push(entryKept);
    const message = await readiness(child, role.name);
    ready.set(role.name, message);
    late.get(role.name)?.resolve(message);
    log.info("role.ready", { role: role.name, pid: child.pid ?? 0 });
    child.once("exit", (code, signal) => {
      if (!stopping) restart(entryKept, signal ?? `exit code ${code}`);
    });
    if (child.exitCode !== null || child.signalCode !== null) restart(entryKept, "exited at once");
  };

  const startAgain = (role: SupervisedRole, falls: number): void => {
    start(role, falls).catch(() => {
      const failed = kept.find((other) => other.role.name === role.name);
      failed?.child.kill("SIGKILL");
      if (!stopping && failed !== undefined) restart(failed, "did not become ready");
    });
  };

  const restart = ({ role, startedAtMs, falls }: Kept, reason: string): void => {
    const settled = Date.now() - startedAtMs > SETTLED_MS;
    const count = settled ? 0 : falls;
    log.warn("role.fell", { role: role.name, reason, count });
    const pauseMs = BACK_OFF_MS[count] ?? (role.startsLast ? BACK_OFF_MS_LAST : undefined);
    if (pauseMs === undefined) {
      lost.resolve(role.name);
      return;
    }
    setTimeout(() => {
      if (!stopping) startAgain(role, count + 1);
    }, pauseMs);
  };

  const stop = async (graceMs = 10_000): Promise<void> => {
    stopping = true;
    for (const listener of listeners.values()) listener.close();
    for (const { child } of kept.toReversed()) await end(child, graceMs);
  };

  try {
    await Promise.all(roles.filter((role) => !role.startsLast).map((role) => start(role, 0)));
  } catch (error) {
    await stop(2000);
    throw error;
  }
  for (const role of roles) if (role.startsLast) startAgain(role, 0);
  const pidOf = (name: string) => kept.find(({ role }) => role.name === name)?.child.pid;
  const firstReady = new Map([...late].map(([name, { promise }]) => [name, promise]));
  return { ready, late: firstReady, pidOf, stop, lost: lost.promise };
}

function portOf(role: SupervisedRole, before: ReadyMessage | undefined): NodeJS.ProcessEnv {
  const url = before?.url ?? before?.opsUrl;
  return url === undefined ? {} : { [role.portVariable]: new URL(url).port };
}

function launch(entry: string, { args, env }: { args: string[]; env: NodeJS.ProcessEnv }): ChildProcess {
  return spawn(process.execPath, [entry, ...args], {
    env,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    // A process group of its own: Ctrl-C reaches the supervisor, which stops the roles in order.
    detached: true,
  });
}

function readiness(child: ChildProcess, name: string): Promise<ReadyMessage> {
  return new Promise((resolve, reject) => {
    const fail = (message: string) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new ContinuumError<SupervisorErrorCode>("role-failed", `${name} ${message}`));
    };
    const timer = setTimeout(() => fail(`was not ready after ${READY_TIMEOUT_MS / 1000} s`), READY_TIMEOUT_MS);
    child.once("error", (error) => fail(`could not be started: ${error.message}`));
    const fell = (code: number | null, signal: string | null) =>
      fail(`ended before it was ready (${signal ?? `exit code ${code}`})`);
    child.once("exit", fell);
    child.on("message", (message: ReadyMessage) => {
      if (message?.type !== "ready") return;
      clearTimeout(timer);
      // This listener alone: a stop that came in between waits for the same end with its own.
      child.off("exit", fell);
      resolve(message);
    });
  });
}

async function end(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once("exit", () => resolve());
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  child.kill("SIGTERM");
  await promise;
  clearTimeout(timer);
}
