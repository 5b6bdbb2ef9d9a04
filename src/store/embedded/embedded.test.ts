import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase } from "../database.ts";
import { startEmbedded } from "./embedded.ts";

let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "continuum-embedded-"));
});
afterAll(async () => {
  const server = await startEmbedded({ dataDir, durable: false });
  await server.stop();
  expect(await postmaster(server.clusterDir)).toBeUndefined();
  await rm(dataDir, { recursive: true, force: true });
});

const start = () => startEmbedded({ dataDir, durable: false });

async function postmaster(clusterDir: string): Promise<number | undefined> {
  const text = await readFile(join(clusterDir, "data", "postmaster.pid"), "utf8").catch(() => "");
  return text === "" ? undefined : Number(text.split("\n")[0]);
}

async function remember(url: string, value: string): Promise<void> {
  const database = await openDatabase(url, { max: 1 });
  await database.query("CREATE TABLE IF NOT EXISTS kept (value text)");
  await database.query("INSERT INTO kept VALUES ($1)", [value]);
  await database.close();
}

async function recall(url: string): Promise<string[]> {
  const database = await openDatabase(url, { max: 1 });
  const { rows } = await database.query<{ value: string }>("SELECT value FROM kept");
  await database.close();
  return rows.map((row) => row.value);
}

test("it starts, keeps what it was given, and comes back on the same address", async () => {
  const first = await start();
  expect(first.ownedHere).toBe(true);
  await remember(first.url, "one");
  await first.stop();
  expect(await postmaster(first.clusterDir)).toBeUndefined();

  const second = await start();
  expect(second.url).toBe(first.url);
  expect(await recall(second.url)).toEqual(["one"]);
  await second.stop();
});

test("a server that was killed with kill -9 comes back with what it had committed", async () => {
  const first = await start();
  await remember(first.url, "two");
  process.kill((await postmaster(first.clusterDir)) ?? 0, "SIGKILL");
  const second = await start();
  expect(second.ownedHere).toBe(true);
  expect(await recall(second.url)).toContain("two");
  await second.stop();
});

test("a second process attaches, and the server stays until the last one is done", async () => {
  const mine = await start();
  const other = await attachFromAnotherProcess();
  expect(other.ownedHere).toBe(false);
  await mine.stop();
  expect(await postmaster(mine.clusterDir)).toBeDefined();
  await other.end("SIGTERM");
  expect(await postmaster(mine.clusterDir)).toBeUndefined();
});

test("a process that was killed leaves the server to the next one, which takes it down", async () => {
  const other = await attachFromAnotherProcess();
  expect(other.ownedHere).toBe(true);
  await other.end("SIGKILL");
  const mine = await start();
  expect(mine.ownedHere).toBe(false);
  await mine.stop();
  expect(await postmaster(mine.clusterDir)).toBeUndefined();
});

test("data of another major version is refused with a sentence that says what to do", async () => {
  const server = await start();
  await server.stop();
  const file = join(server.clusterDir, "data", "PG_VERSION");
  const version = await readFile(file, "utf8");
  await writeFile(file, "17\n");
  await expect(start()).rejects.toMatchObject({
    code: "embedded-version",
    message: expect.stringContaining("PostgreSQL 17"),
  });
  await writeFile(file, version);
});

test("the password stands in no file that others may read", async () => {
  const { stat } = await import("node:fs/promises");
  const server = await start();
  expect((await stat(join(server.clusterDir, "password"))).mode & 0o077).toBe(0);
  await expect(openDatabase(server.url.replace(/:[^:@/]+@/, ":wrong@"), { patienceMs: 0 })).rejects.toThrow(/password/);
  await server.stop();
});

test.runIf(process.getuid?.() === 0)(
  "root's data directory that the server's user cannot reach gets its server elsewhere",
  async () => {
    const closed = await mkdtemp(join(tmpdir(), "continuum-closed-"));
    const server = await startEmbedded({ dataDir: join(closed, "data"), durable: false });
    expect(server.clusterDir.startsWith(closed)).toBe(false);
    await remember(server.url, "here");
    await server.stop();
    const again = await startEmbedded({ dataDir: join(closed, "data"), durable: false });
    expect(await recall(again.url)).toEqual(["here"]);
    await again.stop();
    await rm(server.clusterDir, { recursive: true });
    await rm(closed, { recursive: true });
  },
);

/** A process that starts or attaches, and stops as a role does when it is told to end. */
async function attachFromAnotherProcess() {
  const program = `
    import { startEmbedded } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "embedded.ts")).href)};
    const server = await startEmbedded({ dataDir: ${JSON.stringify(dataDir)}, durable: false });
    process.on("SIGTERM", () => server.stop().then(() => process.exit(0)));
    setInterval(() => undefined, 1000);
    console.log(JSON.stringify({ ownedHere: server.ownedHere }));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    child.once("exit", () => reject(new Error("it ended before it attached")));
  });
  const { ownedHere } = JSON.parse(line) as { ownedHere: boolean };
  return {
    ownedHere,
    end: async (signal: NodeJS.Signals) => {
      child.kill(signal);
      await ended;
    },
  };
}
