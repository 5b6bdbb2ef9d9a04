import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StartedMessage } from "../../../src/quickstart/installation.ts";
import { bareEnvironment } from "../../e2e/testing/continuum.ts";

/** A build that runs over a folder, whichever version it is. */
export interface Program {
  started: StartedMessage;
  log(): string;
  /** Asks it to stop and waits until it has. */
  stop(): Promise<number | null>;
}

/** Every process writes into `continuum.log` of the folder; what has stopped may be started again over it. */
export async function startProgram(
  entry: string,
  folder: string,
  environment: Record<string, string> = {},
): Promise<Program> {
  const child = launch(entry, folder, environment);
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const log = () => readFileSync(join(folder, "continuum.log"), "utf8");
  const started = await new Promise<StartedMessage>((resolve, reject) => {
    child.on("message", (message: StartedMessage) => (message?.type === "ready" ? resolve(message) : undefined));
    exited.then((code) => reject(new Error(`it ended with ${code} before it was ready: ${log().slice(-3000)}`)));
  });
  return {
    started,
    log,
    stop: async () => {
      child.kill("SIGTERM");
      return exited;
    },
  };
}

function launch(entry: string, folder: string, environment: Record<string, string>): ChildProcess {
  const log = openSync(join(folder, "continuum.log"), "a", 0o600);
  try {
    return spawn(process.execPath, [entry, "start"], {
      cwd: folder,
      env: bareEnvironment({
        HOME: folder,
        CONTINUUM_DATA_DIR: join(folder, "data"),
        CONTINUUM_API_PORT: "0",
        CONTINUUM_SERVING_PORT: "0",
        CONTINUUM_WORKER_OPS_PORT: "0",
        ...environment,
      }),
      stdio: ["ignore", log, log, "ipc"],
    });
  } finally {
    closeSync(log);
  }
}
