import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { OperationInput } from "../../../src/contract/operations.ts";
import type { StartedMessage } from "../../../src/quickstart/installation.ts";
import { type ApiClient, createApiClient } from "../../../src/surfaces/cli/client.ts";
import { ProcessBook } from "./process-book.ts";

type NewToken = OperationInput<"tokens.create">["body"];

/** `continuum start` as real processes over a throwaway folder, on free ports. */
export interface Continuum {
  folder: string;
  dataDir: string;
  url: string;
  servingUrl: string;
  started: StartedMessage;
  processes: ProcessBook;
  /** As the administrator, who holds the first token. */
  admin: ApiClient;
  /** A token that may only invoke. The data plane hears of it a moment later: see `invocable`. */
  invokeToken: string;
  /** A client in the name of a new principal. */
  as(principal: NewToken): Promise<ApiClient>;
  logFile: string;
  /** What all processes wrote so far, standard output and error. */
  log(): string;
  /** Asks everything to stop; answers the exit code and the processes that were left. */
  stop(): Promise<{ code: number | null; left: number[] }>;
  /** Ends by force whatever is left and removes every folder; for `afterAll`, whatever happened before. */
  clear(): Promise<void>;
}

/** Straight to the program: the small process in front of it only looks for the pinned Node. */
const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

export async function startContinuum(
  options: { environment?: Record<string, string>; parent?: string } = {},
): Promise<Continuum> {
  const folder = mkdtempSync(join(options.parent ?? tmpdir(), "continuum-e2e-"));
  chmodSync(folder, 0o711); // PostgreSQL may run as another user and has to walk through
  const dataDir = join(folder, "data");
  const logFile = join(folder, "continuum.log");
  const child = launch({ folder, dataDir, logFile, environment: options.environment ?? {} });
  const processes = new ProcessBook({ dataDir, logFile, supervisor: child.pid ?? 0 });
  let outside: string[] = [];
  const clear = async () => {
    child.kill("SIGKILL");
    await processes.endAll();
    for (const path of [...outside, folder]) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const started = await readiness(child, logFile);
    outside = started.outside;
    processes.remember(started.processes.map(({ pid }) => pid));
    const admin = createApiClient({ url: started.url, token: firstToken(readFileSync(logFile, "utf8")) });
    const tokenOf = async (body: NewToken) => (await admin.call("tokens.create", { body })).secret;
    return {
      ...{
        folder,
        dataDir,
        logFile,
        url: started.url,
        servingUrl: started.servingUrl,
        started,
        processes,
        admin,
        clear,
      },
      invokeToken: await tokenOf({ principal: "traffic", kind: "service", roles: ["invoker"] }),
      as: async (principal) => createApiClient({ url: started.url, token: await tokenOf(principal) }),
      log: () => readFileSync(logFile, "utf8"),
      stop: async () => ({ code: await end(child), left: await processes.left() }),
    };
  } catch (error) {
    await clear();
    throw error;
  }
}

/** Nothing of the user's own settings reaches a test's processes; what one of them has compiled the others need not. */
export function bareEnvironment(own: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("CONTINUUM_"));
  const NODE_COMPILE_CACHE = join(tmpdir(), `continuum-test-${process.getuid?.() ?? "user"}`, "compile-cache");
  return { NODE_COMPILE_CACHE, ...Object.fromEntries(inherited), ...own };
}

function launch(task: {
  folder: string;
  dataDir: string;
  logFile: string;
  environment: Record<string, string>;
}): ChildProcess {
  const log = openSync(task.logFile, "a", 0o600);
  try {
    return spawn(process.execPath, [MAIN, "start"], {
      cwd: task.folder,
      env: bareEnvironment({
        HOME: task.folder,
        CONTINUUM_DATA_DIR: task.dataDir,
        CONTINUUM_API_PORT: "0",
        CONTINUUM_SERVING_PORT: "0",
        CONTINUUM_WORKER_OPS_PORT: "0",
        ...task.environment,
      }),
      stdio: ["ignore", log, log, "ipc"],
    });
  } finally {
    closeSync(log);
  }
}

function readiness(child: ChildProcess, logFile: string): Promise<StartedMessage> {
  return new Promise((resolve, reject) => {
    const failed = (how: string) =>
      reject(new Error(`continuum start ${how}: ${readFileSync(logFile, "utf8").slice(-3000)}`));
    const ended = (code: number | null) => failed(`ended with ${code} before it was ready`);
    child.once("error", (error) => failed(error.message));
    child.once("exit", ended);
    child.on("message", (message: StartedMessage) => {
      if (message?.type !== "ready") return;
      child.removeListener("exit", ended);
      resolve(message);
    });
  });
}

function firstToken(log: string): string {
  const token = /shown this once: (ctm_\S+)/.exec(log)?.[1];
  if (token === undefined) throw new Error("the first start printed no token");
  return token;
}

async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  return exited;
}
