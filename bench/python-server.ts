import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findProgram, must, scratchFolder } from "./measure.ts";

/** A Python process that serves one model over HTTP. */
export interface PythonServer {
  name: string;
  port: number;
  pid: number;
  stop(): Promise<void>;
}

const MODULES = "import numpy, onnxruntime, starlette, uvicorn, httptools, uvloop";

/**
 * Starts onnxruntime behind starlette and uvicorn with one worker, and with uvicorn's compiled parser and loop; undefined
 * when no Python with those packages is found: `CONTINUUM_BENCH_PYTHON`, else `python3`.
 */
export async function startPythonServer(model: Uint8Array, threads: number): Promise<PythonServer | undefined> {
  const python = process.env["CONTINUUM_BENCH_PYTHON"] ?? findProgram("python3");
  if (python === undefined) return undefined;
  const able = spawnSync(python, ["-c", MODULES], { stdio: "ignore" }).status === 0;
  // Whoever names a Python means it.
  must(able || process.env["CONTINUUM_BENCH_PYTHON"] === undefined, `${python} can do: ${MODULES}`);
  if (!able) return undefined;
  const folder = await scratchFolder("python");
  const file = join(folder.path, "model.onnx");
  writeFileSync(file, model);
  const program = fileURLToPath(new URL("./python-server.py", import.meta.url));
  const child = spawn(python, [program, file, String(threads)], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = await Promise.race([
    new Promise<string>((resolve) => createInterface(child.stdout).once("line", resolve)),
    exited.then(() => ""),
  ]);
  must(line !== "", "the Python server starts");
  const { port, versions }: { port: number; versions: Record<string, string> } = JSON.parse(line);
  const said = ["onnxruntime", "starlette", "uvicorn"].map((name) => `${name} ${versions[name]}`).join(", ");
  return {
    ...{ name: `Python (${said})`, port, pid: child.pid ?? 0 },
    stop: async () => {
      child.stdin.end();
      await exited;
      folder.remove();
    },
  };
}
