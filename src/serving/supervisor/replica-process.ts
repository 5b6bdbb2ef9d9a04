import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type StartOrder, type StartReport, startReportSchema } from "../replica/start-order.ts";
import { servingError } from "../serving-error.ts";
import type { ReplicaSize } from "../sizes.ts";
import { permissionFlags, replicaEntry } from "./replica-permissions.ts";

/** Enough to find a running replica again after a restart. */
export interface ReplicaRecord {
  id: string;
  pid: number;
  socketPath: string;
  token: string;
  /** The kernel's start time of the process, which tells it from another that was given its number; null if unknown. */
  startTicks: string | null;
}

export interface StartOptions {
  socketDir: string;
  stateFile: string;
  variant: string;
  servedName: string;
  modelVersion: string;
  size: ReplicaSize;
  model: Uint8Array;
  startMsMax: number;
  orphanMsMax: number;
}

const MEBIBYTE = 1024 * 1024;
const STDERR_CHARACTERS_MAX = 2000;
const RSS_LOOK_WHILE_STARTING_MS = 100;

/** How one start ended before the replica was ready. */
export interface StartFailure {
  code: "bad-model" | "not-available";
  reason: string;
}

/**
 * Starts a replica and waits until it has loaded its model and answered a warm-up. The process gets an empty
 * environment, a heap limit, and of Node's permissions only those that a replica needs.
 */
export async function startReplica(options: StartOptions): Promise<{ record: ReplicaRecord; child: ChildProcess }> {
  const id = randomUUID();
  const record = {
    id,
    socketPath: join(options.socketDir, `${id.slice(0, 13)}.sock`),
    token: randomBytes(32).toString("base64url"),
  };
  const child = spawn(process.execPath, [...nodeFlags(options), replicaEntry()], {
    env: {},
    cwd: "/",
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  await offerToKernel(child.pid);
  const failure = await started(child, options, orderFor(record, options));
  if (failure !== null) {
    killQuietly(child.pid);
    rmSync(record.socketPath, { force: true });
    throw servingError(failure.code, failure.reason, { retryable: failure.code === "not-available" });
  }
  child.unref();
  const pid = child.pid ?? 0;
  return { record: { ...record, pid, startTicks: processStartTicks(pid) }, child };
}

/**
 * When the host runs out of memory between two looks at a replica's, the kernel ends a process of its choice. A replica
 * comes back within a second and its callers wait for it; the router, the database and the control plane must stay.
 */
async function offerToKernel(pid: number | undefined): Promise<void> {
  if (process.platform !== "linux" || pid === undefined) return;
  // Where it cannot be written (a process that ended already, a sandbox without it) the kernel's own choice remains.
  await writeFile(`/proc/${pid}/oom_score_adj`, "1000").catch(() => undefined);
}

function orderFor(record: { socketPath: string; token: string }, options: StartOptions): StartOrder {
  return {
    socketPath: record.socketPath,
    token: record.token,
    variant: options.variant,
    servedName: options.servedName,
    modelVersion: options.modelVersion,
    threads: options.size.threads,
    stateFile: options.stateFile,
    orphanMsMax: options.orphanMsMax,
  };
}

function nodeFlags({ size, stateFile }: StartOptions): string[] {
  // Half for JavaScript: the model and its working memory are outside the heap, and the supervisor watches the sum.
  const heapMib = Math.max(64, Math.floor(size.memoryBytesMax / 2 / MEBIBYTE));
  return [`--max-old-space-size=${Math.min(heapMib, 4096)}`, "--no-warnings", ...permissionFlags(stateFile)];
}

/** Resolves with null once the replica says it is ready, else with why it never will be. */
function started(child: ChildProcess, options: StartOptions, order: StartOrder): Promise<StartFailure | null> {
  return new Promise((resolve) => {
    let output = "";
    let stderr = "";
    let settled = false;
    const settle = (failure: StartFailure | null) => {
      if (settled) return;
      settled = true;
      clearTimeout(deadline);
      clearInterval(memory);
      child.stdout?.destroy();
      resolve(failure);
    };
    const deadline = setTimeout(
      () => settle({ code: "not-available", reason: `the replica was not ready after ${options.startMsMax} ms` }),
      options.startMsMax,
    );
    const memory = setInterval(() => {
      void rssBytes(child.pid ?? 0).then((bytes) => {
        if (bytes !== null && bytes > options.size.memoryBytesMax) settle(tooLarge(bytes, options.size));
      });
    }, RSS_LOOK_WHILE_STARTING_MS);
    child.once("error", (error) =>
      settle({ code: "not-available", reason: `cannot start a replica: ${error.message}` }),
    );
    child.once("exit", (code, signal) => {
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
      settle({ code: "bad-model", reason: `the replica ended while it loaded the model (${how})${lastLine(stderr)}` });
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      if (stderr.length < STDERR_CHARACTERS_MAX) stderr += chunk.toString("utf8");
    });
    child.stderr?.on("error", () => undefined);
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString("utf8");
      if (output.includes("\n")) settle(reported(output));
    });
    child.stdout?.on("error", () => undefined);
    child.stdin?.on("error", () => undefined);
    writeStart(child, order, options.model);
  });
}

function writeStart(child: ChildProcess, order: StartOrder, model: Uint8Array): void {
  const json = Buffer.from(JSON.stringify(order));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.byteLength, 0);
  child.stdin?.write(length);
  child.stdin?.write(json);
  child.stdin?.end(model);
}

function reported(output: string): StartFailure | null {
  let report: StartReport;
  try {
    report = startReportSchema.parse(JSON.parse(output));
  } catch {
    return { code: "not-available", reason: "the replica said something that is no start report" };
  }
  if (report.ok) return null;
  return { code: report.code === "bad-model" ? "bad-model" : "not-available", reason: report.reason };
}

function tooLarge(bytes: number, size: ReplicaSize): StartFailure {
  const needed = Math.round(bytes / MEBIBYTE);
  const limit = Math.round(size.memoryBytesMax / MEBIBYTE);
  return { code: "bad-model", reason: `the model needs ${needed} MiB while it loads, the size allows ${limit} MiB` };
}

function lastLine(stderr: string): string {
  const fatal = stderr.split("\n").find((line) => /FATAL|Error/.test(line));
  return fatal === undefined ? "" : `: ${fatal.slice(0, 200)}`;
}

/** Ends a process for good; one that is gone already is fine. */
export function killQuietly(pid: number | undefined): void {
  if (pid === undefined || pid <= 1) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended before.
  }
}

/** Resident memory from the kernel: a busy replica cannot answer, and this must be known then most of all. */
export async function rssBytes(pid: number): Promise<number | null> {
  if (process.platform !== "linux" || pid <= 0) return null;
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"));
    return line?.[1] === undefined ? null : Number(line[1]) * 1024;
  } catch {
    return null;
  }
}

export function processStartTicks(pid: number): string | null {
  if (process.platform !== "linux" || pid <= 0) return null;
  try {
    // The second field is the program's name in parentheses and may hold spaces; the start time is the 22nd.
    const after = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1) ?? "";
    return after.split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
