import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Traffic } from "../../src/quickstart/traffic.ts";
import { openDatabase } from "../../src/store/database.ts";
import { serverUser } from "../../src/store/embedded/server-user.ts";
import { type Continuum, startContinuum } from "../e2e/testing/continuum.ts";
import {
  deploy,
  ended,
  importModel,
  invocable,
  planOf,
  submit,
  trustedKey,
  until,
} from "../e2e/testing/deployables.ts";

// The same processes over an ordinary PostgreSQL that somebody else runs: one that the system's packages brought, or
// the one that CONTINUUM_TEST_DATABASE_URL names (a user who may create databases).

const MAJOR_MIN = 15;
const run = promisify(execFile);
const named = process.env["CONTINUUM_TEST_DATABASE_URL"] ?? "";
const installed = named === "" ? installedBinaries() : undefined;
const skipped = named === "" && installed === undefined;
const why = skipped ? ` (skipped: no PostgreSQL ${MAJOR_MIN} or newer is installed or named)` : "";

interface OrdinaryServer {
  url: string;
  /** What the program is told: the owner's URL, and the logins of the API and the workers where the server is ours. */
  environment: Record<string, string>;
  password: string;
  /** Ends it as a power cut would, and starts it again; absent for a server that is not ours to end. */
  crash?: () => Promise<void>;
  remove(): Promise<void>;
}

let server: OrdinaryServer;
let on: Continuum;

beforeAll(async () => {
  if (skipped) return;
  server = installed === undefined ? await namedServer(named) : await installedServer(installed);
  on = await startContinuum({ environment: server.environment });
});
afterAll(async () => {
  await on?.clear();
  await server?.remove();
});

test.skipIf(skipped)(`a rollout on one's own PostgreSQL survives a worker and the database${why}`, async () => {
  expect(on.started.processes.map(({ name }) => name)).not.toContain("postgresql");
  expect(existsSync(join(on.dataDir, "postgres"))).toBe(false);
  const key = await trustedKey(on.admin);
  const [v1, v2] = await Promise.all([1, 2].map((bias) => importModel(on.admin, { bias }, key)));
  const rollout = { stepPercent: 50, bakeSeconds: 4, deadlineSeconds: 120 };
  await deploy(on.admin, planOf("own", { version: "1.0.0", artifact: v1 ?? "" }));

  const url = await invocable(on, "own");
  const traffic = new Traffic({ url, token: on.invokeToken, bodies: ["1,2,3\n"], connections: 2, ratePerSecond: 150 });
  try {
    const { id } = await submit(on.admin, planOf("own", { version: "2.0.0", artifact: v2 ?? "" }, { rollout }));
    await until(on.admin, id, ({ phase }) => phase === "Baking");
    await on.processes.replace("worker-1");
    await server.crash?.();
    expect(await ended(on.admin, id)).toMatchObject({ phase: "Succeeded", reason: null });
    const sequences: number[] = [];
    for await (const { sequence } of on.admin.events(id, { after: 0 })) sequences.push(sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  } finally {
    await traffic.stop();
  }
  expect(traffic.summary().failed).toBe(0);
  expect(await on.admin.call("audit.verify", {})).toMatchObject({ ok: true });
  if (installed !== undefined) expect(await loginsOf(server.url)).toEqual(["continuum_api", "continuum_worker"]);
  expect(await on.stop()).toEqual({ code: 0, left: [] });
  expect(on.log().includes(server.password)).toBe(false);
});

/** Who is logged in but whoever asks. */
async function loginsOf(url: string): Promise<string[]> {
  const owner = await openDatabase(url, { max: 1 });
  const { rows } = await owner.query<{ login: string }>(
    "SELECT DISTINCT usename AS login FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY 1",
  );
  await owner.close();
  return rows.map(({ login }) => login);
}

/** Where Debian's packages put them; the newest. */
function installedBinaries(): string | undefined {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return undefined;
  const majors = readdirSync(root).map(Number);
  const [newest] = majors.filter((major) => major >= MAJOR_MIN).toSorted((a, b) => b - a);
  const folder = join(root, String(newest), "bin");
  return existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")) ? folder : undefined;
}

async function namedServer(url: string): Promise<OrdinaryServer> {
  const name = `continuum_own_${randomBytes(4).toString("hex")}`;
  const admin = await openDatabase(url, { max: 1 });
  await admin.query(`CREATE DATABASE ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    url: own.href,
    // Roles belong to the whole server, and this one is somebody's.
    environment: { CONTINUUM_DATABASE_URL: own.href, CONTINUUM_ALLOW_PRIVILEGED_DATABASE_ROLE: "true" },
    password: own.password || "no password in the URL",
    remove: async () => {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.close();
    },
  };
}

/** PostgreSQL refuses to run as root, so it runs as `nobody` there. */
async function installedServer(bin: string): Promise<OrdinaryServer> {
  const user = serverUser();
  const folder = mkdtempSync(join(tmpdir(), "continuum-own-"));
  const data = join(folder, "data");
  const password = randomBytes(18).toString("base64url");
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(folder, "password"), password, { mode: 0o600 });
  for (const path of [folder, data, join(folder, "password")]) if (user) chownSync(path, user.uid, user.gid);
  const pwfile = `--pwfile=${join(folder, "password")}`;
  const how = ["-D", data, "-U", "owner", pwfile, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"];
  await run(join(bin, "initdb"), how, { cwd: folder, ...user });
  const port = await freePort();
  const settings = ["-c", `port=${port}`, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="];
  const launch = () =>
    spawn(join(bin, "postgres"), ["-D", data, ...settings], { cwd: folder, stdio: "ignore", ...user });
  let child = launch();
  const url = `postgres://owner:${password}@127.0.0.1:${port}/postgres`;
  await answers(url);
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await exited;
  };
  const login = (role: string) => `postgres://continuum_${role}:${password}@127.0.0.1:${port}/postgres`;
  const owner = await openDatabase(url, { max: 1 });
  for (const role of ["api", "worker"]) await owner.query(`CREATE ROLE continuum_${role} LOGIN PASSWORD '${password}'`);
  await owner.close();
  return {
    url,
    environment: {
      ...{ CONTINUUM_DATABASE_URL: url, CONTINUUM_API_DATABASE_URL: login("api") },
      CONTINUUM_WORKER_DATABASE_URL: login("worker"),
    },
    password,
    crash: async () => {
      await end("SIGQUIT"); // an immediate shutdown: nothing is written any more, the next start recovers
      child = launch();
      await answers(url);
    },
    remove: async () => {
      await end("SIGINT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<void> {
  for (const endMs = Date.now() + 30_000; ; await sleep(50)) {
    try {
      const database = await openDatabase(url, { max: 1 });
      return await database.query("SELECT 1").then(() => database.close());
    } catch (error) {
      if (Date.now() > endMs) throw error;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
