import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap } from "../../src/service/bootstrap.ts";
import { openDatabase } from "../../src/store/database.ts";
import { startEmbedded } from "../../src/store/embedded/embedded.ts";
import { migrate } from "../../src/store/migrate.ts";
import { createApiClient } from "../../src/surfaces/cli/client.ts";
import { startProgram } from "../package/testing/program.ts";
import { bareEnvironment, type Continuum, startContinuum } from "./testing/continuum.ts";
import { deploy, ended, importModel, invocable, planOf, submit, trustedKey, until } from "./testing/deployables.ts";

// Backing up a running installation, losing it, and going on from the backup in another folder, all by the command line.

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const OLDER = "/usr/lib/postgresql/15/bin";
const noOlder = !existsSync(join(OLDER, "postgres"));
const why = noOlder ? ` (skipped: no PostgreSQL 15 is installed in ${OLDER})` : "";
const BAKE = { stepPercent: 50, bakeSeconds: 12, deadlineSeconds: 600 };

let on: Continuum;
let backup: string;
let token: string;
let baking: string;

const folderOf = (name: string) => {
  const folder = join(on.folder, name);
  mkdirSync(folder, { mode: 0o711 });
  return folder;
};

/** Changes the artifact store's key, as the guide says. The program that starts afterwards has the new one alone. */
function changeKey(dataDir: string): void {
  const [key, old] = [join(dataDir, "keys", "artifact-store.key"), join(dataDir, "keys", "artifact-store.old.key")];
  expect(continuum(dataDir, "artifact", "rekey")).toMatchObject({
    status: 1,
    err: expect.stringContaining("(no-previous-key)"),
  });
  renameSync(key, old);
  writeFileSync(key, randomBytes(32), { mode: 0o600 });
  const options = { cwd: on.folder, encoding: "utf8" as const };
  const env = { ...environmentOf(dataDir), CONTINUUM_ARTIFACTS_PREVIOUS_KEY_REFERENCE: `file:${old}` };
  const run = () => spawnSync(process.execPath, [MAIN, "artifact", "rekey", "-o", "json"], { ...options, env });
  expect(JSON.parse(run().stdout)).toMatchObject({ ok: true, tenants: 1, moved: 1, damaged: [], foreign: 0 });
  expect(JSON.parse(run().stdout)).toMatchObject({ ok: true, moved: 0 });
  rmSync(old);
}

function environmentOf(dataDir: string): NodeJS.ProcessEnv {
  return bareEnvironment({ HOME: on.folder, CONTINUUM_DATA_DIR: dataDir });
}

function continuum(dataDir: string, ...args: string[]): { status: number | null; out: string; err: string } {
  const options = { cwd: on.folder, encoding: "utf8" as const, env: environmentOf(dataDir) };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], options);
  return { status, out: stdout, err: stderr };
}

function bringKeys(dataDir: string): void {
  mkdirSync(join(dataDir, "keys"), { recursive: true, mode: 0o700 });
  for (const name of readdirSync(join(on.dataDir, "keys")))
    copyFileSync(join(on.dataDir, "keys", name), join(dataDir, "keys", name));
}

beforeAll(async () => {
  on = await startContinuum();
  backup = join(on.folder, "continuum.tar");
  token = JSON.parse(readFileSync(join(on.dataDir, "cli.json"), "utf8")).token;
  const artifact = await importModel(on.admin, { bias: 1 }, await trustedKey(on.admin));
  expect(await deploy(on.admin, planOf("served", { version: "1.0.0", artifact }))).toMatchObject({
    phase: "Succeeded",
  });
  const plan = planOf("baking", { version: "1.0.0", artifact }, { target: "simulated", rollout: BAKE });
  baking = (await submit(on.admin, plan)).id;
  await until(on.admin, baking, ({ phase }) => phase === "Baking");
});
afterAll(() => on?.clear());

test("a running installation is backed up, and the backup is verified without it", () => {
  const made = continuum(on.dataDir, "backup", "create", "--out", backup, "-o", "json");
  expect(made).toMatchObject({ status: 0 });
  expect(JSON.parse(made.out)).toMatchObject({ file: backup, artifacts: 1 });
  expect(continuum(on.dataDir, "backup", "create", "--out", backup)).toMatchObject({
    status: 1,
    err: expect.stringContaining("is there already"),
  });
  expect(continuum(on.dataDir, "backup", "verify", backup).out).toMatch(/VERIFIED[\s\S]*made with this set-up's key/);
  expect(continuum(join(on.folder, "nowhere"), "backup", "verify", backup)).toMatchObject({
    status: 0,
    out: expect.stringContaining("its key is not here"),
  });
});

test.skipIf(process.platform === "win32")(
  "one that is killed or has no room leaves no file, and no trace after the next",
  async () => {
    const out = join(on.folder, "killed.tar");
    const unfinished = () => readdirSync(on.folder).filter((name) => name.endsWith(".unfinished"));
    const [tenant = ""] = readdirSync(join(on.dataDir, "artifacts"));
    // Reading a pipe that nobody writes to takes until somebody gives up.
    const pipe = join(on.dataDir, "artifacts", tenant, "f".repeat(64));
    execFileSync("sh", ["-c", `mkfifo "$0"`, pipe]);
    const create = [MAIN, "backup", "create", "--out", out];
    const child = spawn(process.execPath, create, { env: environmentOf(on.dataDir), stdio: "ignore" });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    await expect.poll(unfinished, { timeout: 20_000 }).toHaveLength(1);
    child.kill("SIGKILL");
    await exited;
    rmSync(pipe);
    expect(existsSync(out)).toBe(false);

    const little = `trap '' XFSZ; ulimit -f 8; exec "$0" "$@"`;
    const full = spawnSync("sh", ["-c", little, process.execPath, ...create], {
      encoding: "utf8",
      env: environmentOf(on.dataDir),
    });
    expect(full).toMatchObject({ status: 1, stderr: expect.stringContaining("(backup-not-written)") });
    expect([existsSync(out), unfinished()]).toEqual([false, []]);
  },
);

test("a restore asks for the keys, a place that is empty, and a server that stands still", () => {
  const fresh = join(folderOf("asked"), "data");
  expect(continuum(fresh, "backup", "restore", backup)).toMatchObject({
    status: 1,
    err: expect.stringMatching(/^continuum: The artifact-store key is not here: .*fingerprint.*\(backup-key\)\n$/),
  });
  expect(existsSync(join(fresh, "postgres"))).toBe(false);
  expect(continuum(on.dataDir, "backup", "restore", backup).err).toContain("(already-running)");
  const damaged = join(on.folder, "damaged.tar");
  const bytes = readFileSync(backup);
  const at = bytes.indexOf("audit_entries/000001.copy") + 600;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(damaged, bytes);
  bringKeys(fresh);
  expect(continuum(fresh, "backup", "restore", damaged)).toMatchObject({
    status: 1,
    err: expect.stringMatching(/damaged at byte \d+: database\/audit_entries\/000001\.copy is not what was written/),
  });
  expect(existsSync(join(fresh, "postgres"))).toBe(false);
});

test("what was lost goes on from the backup: tokens, models that serve, rollouts under way, the audit log", async () => {
  await on.stop();
  const folder = folderOf("restored");
  const dataDir = join(folder, "data");
  bringKeys(dataDir);
  const restored = continuum(dataDir, "backup", "restore", backup, "--new-admin-token", "-o", "json");
  expect(restored.err).toContain("revoked");
  expect(JSON.parse(restored.out)).toMatchObject({ tenants: 1, openRollouts: 1 });
  expect(continuum(dataDir, "backup", "restore", backup).err).toContain("(not-empty)");

  changeKey(dataDir);
  const program = await startProgram(MAIN, folder);
  try {
    const admin = createApiClient({ url: program.started.url, token });
    // The token of the backup and the one that the restore made for whoever had lost it.
    const client = JSON.parse(readFileSync(join(dataDir, "cli.json"), "utf8"));
    expect(client.token).not.toBe(token);
    const again = createApiClient({ url: client.url, token: client.token });
    expect(await again.call("rollouts.get", { params: { id: baking } })).toMatchObject({ id: baking });
    expect(restored.out).not.toContain(client.token);
    expect(await ended(admin, baking)).toMatchObject({ phase: "Succeeded" });
    // Nothing ran here before: the data plane is brought to what the database wants, from the artifacts.
    await invocable({ servingUrl: program.started.servingUrl, invokeToken: on.invokeToken }, "served");
    expect(await admin.call("audit.verify", {})).toMatchObject({ ok: true });
    const { items } = await admin.call("audit.list", { query: { limit: 200 } });
    expect(items.map(({ action }) => action)).toEqual(expect.arrayContaining(["backup.restore", "artifact.rekey"]));
    expect(program.log()).not.toContain('"level":50');
  } finally {
    expect(await program.stop()).toBe(0);
    for (const path of program.started.outside) rmSync(path, { recursive: true, force: true });
  }
});

test.skipIf(noOlder)(`data that PostgreSQL 15 made comes to the present one by a backup${why}`, async () => {
  const dataDir = join(folderOf("older"), "data");
  const old = await startEmbedded({ dataDir, binDir: OLDER });
  const database = await openDatabase(old.url, { max: 2 });
  await migrate(database);
  await bootstrap({ database, nowMs: Date.now });
  await database.close();
  await old.stop();
  bringKeys(dataDir);

  const out = join(on.folder, "older.tar");
  expect(continuum(dataDir, "start", "--port", "0")).toMatchObject({
    status: 1,
    err: expect.stringMatching(/made by PostgreSQL 15 .*backup create --postgres-bin.*\(embedded-version\)/),
  });
  const made = continuum(dataDir, "backup", "create", "--out", out, "--postgres-bin", OLDER, "-o", "json");
  expect(JSON.parse(made.out).postgresVersion).toMatch(/^15\./);
  const present = join(folderOf("present"), "data");
  bringKeys(present);
  expect(continuum(present, "backup", "restore", out)).toMatchObject({ status: 0 });
  const server = await startEmbedded({ dataDir: present });
  const now = await openDatabase(server.url, { max: 1 });
  try {
    const { rows } = await now.query(
      "SELECT split_part(current_setting('server_version'), '.', 1)::int AS major, (SELECT count(*) FROM tokens) AS tokens",
    );
    expect(rows).toEqual([{ major: 18, tokens: 1 }]);
  } finally {
    await now.close();
    await server.stop();
  }
});
