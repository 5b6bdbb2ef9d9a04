import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bareEnvironment } from "./continuum.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
const PATIENCE_MS = 60_000;

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export interface RunOptions {
  /** The command's working and home folder. */
  folder: string;
  variables?: Record<string, string>;
  openFiles?: number;
  /** Called once it says that it is ready, before it is asked to stop. */
  whenReady?: (out: string) => Promise<void>;
}

/** Runs `continuum ...` to its end; one that does not end is killed, and its code is null. */
export async function run(args: string[], options: RunOptions): Promise<Ended> {
  const ports = { CONTINUUM_API_PORT: "0", CONTINUUM_SERVING_PORT: "0", CONTINUUM_WORKER_OPS_PORT: "0" };
  const limit = options.openFiles === undefined ? "" : `ulimit -n ${options.openFiles}; `;
  const child = spawn("sh", ["-c", `${limit}exec "$@"`, "sh", process.execPath, MAIN, ...args], {
    cwd: options.folder,
    env: bareEnvironment({ HOME: options.folder, CONTINUUM_LOG_LEVEL: "silent", ...ports, ...options.variables }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  let work: Promise<void> | undefined;
  let failure: unknown;
  child.stdout.on("data", (chunk: Buffer) => {
    said.out += chunk.toString("utf8");
    if (options.whenReady === undefined || work !== undefined || !said.out.includes("Continuum is ready: http")) return;
    work = options
      .whenReady(said.out)
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => child.kill("SIGTERM"));
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said.err += chunk.toString("utf8");
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  await work;
  if (failure !== undefined) throw failure;
  return { code, ...said };
}

/** A disk of its own in memory; undefined where this user may not mount one. */
export function smallDisk(at: string, options: string): { change(options: string): void; remove(): void } | undefined {
  if (process.platform !== "linux") return undefined;
  mkdirSync(at);
  const mount = (how: string) => spawnSync("/bin/mount", ["-t", "tmpfs", "-o", how, "tmpfs", at]).status === 0;
  if (!mount(options)) {
    rmSync(at, { recursive: true });
    return undefined;
  }
  return {
    change: (changed) => void mount(`remount,${changed}`),
    remove: () => void spawnSync("/bin/umount", ["-l", at]),
  };
}

export async function takenPort(port = 0): Promise<{ port: number; free(): void }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return { port: (server.address() as AddressInfo).port, free: () => void server.close() };
}

/** What `doctor` says of one thing, when it runs in this installation's folder. */
export async function doctorOf(
  dataDir: string,
  options: RunOptions,
): Promise<Map<string, { state: string; seen: string; mend: string | null }>> {
  const { out } = await run(["doctor", "--data-dir", dataDir, "-o", "json"], options);
  const { findings } = JSON.parse(out) as {
    findings: { check: string; state: string; seen: string; mend: string | null }[];
  };
  return new Map(findings.map((finding) => [finding.check, finding]));
}

/** What lets Node start with its clock shifted, in the roles that are named, or in every process. */
export function shiftedClock(days: number, roles?: readonly string[]): string {
  const here = roles === undefined ? "true" : `${JSON.stringify(roles)}.includes(process.argv.at(-1))`;
  const shift = `if (${here}) { const now = Date.now; Date.now = () => now() + ${days} * 86400000; }`;
  return `--import=data:text/javascript,${encodeURIComponent(shift)}`;
}

export const fillerOf = (folder: string) => join(folder, "filler");
