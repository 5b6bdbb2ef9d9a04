import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bareEnvironment } from "./testing/continuum.ts";

// A machine that lacks something, with real processes: each ends by itself with one clear line, and leaves nothing half made.

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const PATIENCE_MS = 30_000;

let folder: string;
let mayMount = false;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-trials-"));
  chmodSync(folder, 0o711); // PostgreSQL may run as another user and has to walk through
  const probe = join(folder, "probe");
  mkdirSync(probe);
  mayMount = process.platform === "linux" && mount(probe, "size=1m");
  if (mayMount) unmount(probe);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mount = (at: string, options: string) =>
  spawnSync("/bin/mount", ["-t", "tmpfs", "-o", options, "tmpfs", at]).status === 0;
const unmount = (at: string) => spawnSync("/bin/umount", [at]);

interface Ended {
  code: number | null;
  err: string;
}

interface RunOptions {
  variables?: Record<string, string>;
  openFiles?: number;
  /** Asks it to stop once it says that it is ready. */
  untilReady?: boolean;
}

/** Runs `continuum ...` to its end; one that does not end is killed, and its code is null. */
function run(args: string[], options: RunOptions = {}): Promise<Ended> {
  const ports = { CONTINUUM_API_PORT: "0", CONTINUUM_SERVING_PORT: "0", CONTINUUM_WORKER_OPS_PORT: "0" };
  const limit = options.openFiles === undefined ? "" : `ulimit -n ${options.openFiles}; `;
  const child = spawn("sh", ["-c", `${limit}exec "$@"`, "sh", process.execPath, MAIN, ...args], {
    cwd: folder,
    env: bareEnvironment({ HOME: folder, CONTINUUM_LOG_LEVEL: "silent", ...ports, ...options.variables }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", (chunk: Buffer) => {
    if (options.untilReady && chunk.toString("utf8").includes("Continuum is ready")) child.kill("SIGTERM");
  });
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString("utf8");
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  return new Promise((resolve) =>
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, err });
    }),
  );
}

async function takenPort(): Promise<{ port: number; free(): void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, free: () => void server.close() };
}

describe("a port that another program has", () => {
  it.each([
    ["serve", "CONTINUUM_SERVING_PORT"],
    ["all", "CONTINUUM_API_PORT"],
  ])("ends the start of %s, and says which port", async (role, variable) => {
    const { port, free } = await takenPort();
    const args = ["start", "--role", role, "--data-dir", join(folder, `port-${role}`)];
    const { code, err } = await run(args, { variables: { [variable]: String(port) } });
    free();
    expect(code).toBe(1);
    expect(err).toMatch(
      new RegExp(
        `127\\.0\\.0\\.1:${port}.*another program.*\\(address-in-use\\)|another program listens on 127\\.0\\.0\\.1:${port}`,
      ),
    );
    expect(err).not.toMatch(/internal error|\n\s+at /);
  });
});

it.skipIf(process.platform !== "linux").each(["serve", "all"])(
  "too few open files end the start of %s at once",
  async (role) => {
    const dataDir = join(folder, `files-${role}`);
    const { code, err } = await run(["start", "--role", role, "--data-dir", dataDir], { openFiles: 64 });
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(/^continuum: This process may hold 64 files open, .*\(too-many-open-files\)\n$/),
    });
  },
);

describe("a data folder", () => {
  it("that is read-only ends every start, and says so", async (test) => {
    if (!mayMount) test.skip("this user may not mount");
    const at = join(folder, "read-only");
    mkdirSync(at);
    mount(at, "ro,size=1m");
    try {
      for (const role of ["all", "serve"]) {
        const { code, err } = await run(["start", "--role", role, "--data-dir", at]);
        expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^continuum: .*read-only.*\n$/) });
      }
      const doctor = await run(["doctor", "--data-dir", at]);
      expect(doctor.code).toBe(1);
    } finally {
      unmount(at);
    }
  });

  it("on a full disk ends the start with nothing half made", async (test) => {
    if (!mayMount) test.skip("this user may not mount");
    const at = join(folder, "full");
    mkdirSync(at);
    mount(at, "size=8m,mode=755");
    try {
      const dataDir = join(at, "data");
      const { code, err } = await run(["start", "--data-dir", dataDir]);
      expect({ code, err }).toEqual({
        code: 1,
        err: expect.stringMatching(/^continuum: the disk is full.*\(disk-full\)\n$/),
      });
      expect(readdirSync(join(dataDir, "postgres"))).toEqual([]);
      mount(at, "remount,size=128m");
      const again = await run(["start", "--data-dir", dataDir], { untilReady: true });
      expect(again).toEqual({ code: 0, err: "" });
    } finally {
      unmount(at);
    }
  });
});

it.skipIf(process.platform !== "linux")("a clock that is wrong is found by doctor", async () => {
  const shifted = "const now = Date.now; Date.now = () => now() - 400 * 86400000;";
  const preload = `--import=data:text/javascript,${encodeURIComponent(shifted)}`;
  const { code } = await run(["doctor", "--data-dir", join(folder, "clock")], { variables: { NODE_OPTIONS: preload } });
  expect(code).toBe(1);
});
