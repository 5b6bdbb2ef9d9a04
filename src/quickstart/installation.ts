import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadClientSettings } from "../config/client-settings.ts";
import { processEnvironment } from "../config/environment.ts";
import { type ApiClient, createApiClient } from "../surfaces/cli/client.ts";
import { expectThat, StoryFailure } from "./stage.ts";

/** What `start` tells the process that started it, once everything answers. */
export interface StartedMessage {
  type: "ready";
  /** Where the API listens. */
  url: string;
  servingUrl: string;
  /** One that starts last comes in when it is ready. */
  processes: { name: string; pid: number; url: string | null }[];
  /** Folders outside the data directory that hold its database. */
  outside: string[];
}

/** What `start` tells of a process that becomes ready after the others, which wait for it no more. */
export interface RoleMessage {
  type: "role";
  name: string;
  pid: number;
  url: string | null;
}

/** Tells `start` to live on when the process that started it ends. */
export interface StayMessage {
  type: "stay";
}

/** A throwaway installation of Continuum: its folder, its processes, and a client of its API. */
export interface Installation {
  folder: string;
  started: StartedMessage;
  api: ApiClient;
  /** Stops every process; answers the names of those that were still there afterwards. */
  stop(): Promise<string[]>;
  /** Removes the folder and what lies outside it. */
  remove(): Promise<void>;
  /** Lets the processes live on when this one ends. */
  detach(): Promise<void>;
}

/** Starts `continuum start` as a process of its own, over an empty folder, on free ports. */
export async function install(entry: string): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), "continuum-quickstart-"));
  await chmod(folder, 0o711); // PostgreSQL may run as another user and has to walk through
  const dataDir = join(folder, "data");
  const child = launch(entry, { folder, dataDir });
  let started: StartedMessage;
  let api: ApiClient;
  try {
    started = await readiness(child, folder);
    // The first token lies beside the data, readable by its owner alone.
    const client = loadClientSettings({ environment: { ...processEnvironment(), variables: {} }, dataDir });
    const token = client.ok ? client.value.token : undefined;
    expectThat(token !== undefined, "expected `start` to leave its first token in the data folder");
    api = createApiClient({ url: started.url, token });
  } catch (error) {
    await end(child);
    throw error;
  }
  return {
    folder,
    started,
    api,
    stop: async () => {
      await end(child);
      return stillAlive(started);
    },
    remove: async () => {
      for (const path of [...started.outside, folder]) await rm(path, { recursive: true, force: true });
    },
    detach: async () => {
      await new Promise((resolve) => child.send({ type: "stay" } satisfies StayMessage, resolve));
      child.disconnect();
      child.unref();
    },
  };
}

function launch(entry: string, { folder, dataDir }: { folder: string; dataDir: string }): ChildProcess {
  // Nothing of the user's own settings reaches the throwaway installation.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("CONTINUUM_"));
  const env = {
    ...Object.fromEntries(own),
    CONTINUUM_DATA_DIR: dataDir,
    CONTINUUM_API_PORT: "0",
    CONTINUUM_SERVING_PORT: "0",
    CONTINUUM_WORKER_OPS_PORT: "0",
    CONTINUUM_LOG_LEVEL: "info",
    // Nothing of it is left behind, not even what was compiled.
    NODE_COMPILE_CACHE: join(folder, "compile-cache"),
  };
  const log = openSync(join(folder, "continuum.log"), "a");
  try {
    return spawn(process.execPath, [entry, "start"], {
      cwd: folder,
      env,
      stdio: ["ignore", log, log, "ipc"],
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

function readiness(child: ChildProcess, folder: string): Promise<StartedMessage> {
  return new Promise((resolve, reject) => {
    const log = join(folder, "continuum.log");
    child.once("error", (error) => reject(new StoryFailure(`the processes could not be started: ${error.message}`)));
    child.once("exit", (code) =>
      reject(new StoryFailure(`the processes did not start (exit code ${code}); see ${log}`)),
    );
    let started: StartedMessage | undefined;
    child.on("message", (message: RoleMessage | StartedMessage) => {
      if (message?.type === "role") {
        const { name, pid, url } = message;
        started?.processes.push({ name, pid, url });
      }
      if (message?.type !== "ready") return;
      child.removeAllListeners("exit");
      started = message;
      resolve(message);
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once("exit", () => resolve());
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await promise;
  clearTimeout(timer);
}

function stillAlive({ processes }: StartedMessage): string[] {
  return processes.filter(({ pid }) => isAlive(pid)).map(({ name, pid }) => `${name} (${pid})`);
}

function isAlive(pid: number): boolean {
  if (process.platform === "linux" && !existsSync(`/proc/${pid}`)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
