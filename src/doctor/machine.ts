import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import { broken, note, ok, reasonOf, sizeText } from "./finding.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
const OLDEST_NODE = 24;
const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

/** The program's own runtime and what the machine gives it. */
export async function lookAtMachine(version: string): Promise<DoctorFinding[]> {
  return [await lookAtRuntime(version), await lookAtOnnx(), lookAtMemory(), await lookAtOpenFiles()];
}

async function lookAtRuntime(version: string): Promise<DoctorFinding> {
  const at = { check: "runtime.node", looked: "Node.js that runs the program" };
  const seen = `Node ${process.versions.node} on ${process.platform}-${process.arch}, continuum ${version}`;
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= OLDEST_NODE) return ok(at, seen);
  return broken(at, seen, `run it with Node ${OLDEST_NODE} or newer: \`npm ci\` with optional dependencies brings one`);
}

/** In a process of its own: native code that does not fit the machine takes its process with it. */
async function lookAtOnnx(): Promise<DoctorFinding> {
  const at = { check: "runtime.onnxruntime", looked: "ONNX Runtime, which runs the models" };
  const script = 'const m = await import("onnxruntime-node"); process.stdout.write(m.env?.versions?.node ?? "it")';
  try {
    const args = ["--input-type=module", "-e", script];
    const { stdout } = await run(process.execPath, args, { cwd: PACKAGE, timeout: 20_000 });
    return ok(at, `${stdout.trim()} loads`);
  } catch (error) {
    const { stderr, signal } = error as { stderr?: string; signal?: string };
    const why = /(?:Error|error): (.*)/.exec(stderr ?? "")?.[1] ?? signal ?? reasonOf(error);
    return broken(
      at,
      `does not load: ${why}`,
      "install the package again on this machine (`npm ci`); musl is not supported",
    );
  }
}

function lookAtMemory(): DoctorFinding {
  const at = { check: "machine.memory", looked: "memory that is free for the program" };
  const bytes = process.availableMemory();
  const seen = sizeText(bytes);
  if (bytes < 256 * MIB)
    return broken(at, seen, "free memory, or raise the container's limit: the processes need about 250 MiB at rest");
  if (bytes < 1024 * MIB) return note(at, seen, "each replica takes up to 256 MiB for each vCPU of its instance type");
  return ok(at, seen);
}

async function lookAtOpenFiles(): Promise<DoctorFinding> {
  const at = { check: "machine.open-files", looked: "files that one process may hold open" };
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const found = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (found === undefined) return ok(at, "this system does not say");
  const count = found === "unlimited" ? Number.POSITIVE_INFINITY : Number(found);
  if (count < 256) return broken(at, found, "raise the limit (`ulimit -n 4096`, LimitNOFILE= in systemd)");
  if (count < 4096)
    return note(
      at,
      found,
      "the serving process takes half of them for callers; raise it (`ulimit -n 65536`) for traffic",
    );
  return ok(at, found);
}
