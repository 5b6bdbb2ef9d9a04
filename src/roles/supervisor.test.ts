import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Logger } from "../engine/engine.ts";
import { isAlive, markOf } from "../store/embedded/living-process.ts";
import { type SupervisedRole, supervise } from "./supervisor.ts";

let folder: string;
let entry: string;

/** Says that it is ready, and where in its own words: the value of WHERE. */
const PROGRAM = `
  process.send({ type: "ready", url: "http://127.0.0.1:" + process.env.WHERE });
  process.on("SIGTERM", () => process.exit(0));
  setInterval(() => undefined, 1000);
`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-supervisor-"));
  entry = join(folder, "program.mjs");
  writeFileSync(entry, PROGRAM);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const role = (name: string, env: SupervisedRole["env"]): SupervisedRole => ({
  ...{ name, args: [], env, portVariable: "PORT" },
});
const withWhere = (where: string) => ({ ...process.env, WHERE: where });

function listeningLog(started: (name: string, pid: number) => void): Logger {
  return {
    info: (_, facts) => started(String(facts?.["role"]), Number(facts?.["pid"])),
    warn: () => undefined,
    error: () => undefined,
  };
}

test("a role that waits for something keeps no other from starting", async () => {
  const database = Promise.withResolvers<string>();
  const started: string[] = [];
  const log = listeningLog((name) => {
    started.push(name);
    if (name === "free") database.resolve("7");
  });
  const supervisor = await supervise(
    entry,
    [role("waits", async () => withWhere(await database.promise)), role("free", async () => withWhere("8"))],
    log,
  );
  expect(started).toEqual(["free", "waits"]);
  expect(supervisor.ready.get("waits")?.url).toBe("http://127.0.0.1:7");
  await supervisor.stop();
});

test("what a role waited for in vain ends those that had started", async () => {
  const database = Promise.withResolvers<string>();
  const pids: number[] = [];
  const log = listeningLog((_, pid) => {
    pids.push(pid);
    database.reject(new Error("no database"));
  });
  const starting = supervise(
    entry,
    [role("free", async () => withWhere("8")), role("waits", async () => withWhere(await database.promise))],
    log,
  );
  await expect(starting).rejects.toThrow("no database");
  expect(pids.map((pid) => isAlive(markOf(pid)))).toEqual([false]);
});

test("a role that becomes ready while it is being ended keeps nobody waiting", async () => {
  // It says so on the very signal to end, as one does that was about to when another role failed.
  writeFileSync(
    entry,
    `process.on("SIGTERM", () => process.send({ type: "ready" }, () => setTimeout(() => process.exit(0), 100)));
     process.getBuiltinModule("node:fs").writeFileSync(process.env.HEARS, "");
     setInterval(() => undefined, 1000);`,
  );
  const hears = join(folder, "hears");
  const heard = async () => {
    while (!existsSync(hears)) await sleep(5);
    throw new Error("no database");
  };
  const starting = supervise(
    entry,
    [role("late", async () => ({ ...process.env, HEARS: hears })), role("fails", heard)],
    listeningLog(() => undefined),
  );
  await expect(Promise.race([starting, sleep(4000, "never settled")])).rejects.toThrow("no database");
});

test("a role that starts last is waited for by nobody, and is tried again however often it fails", async () => {
  const fails = Promise.withResolvers<void>();
  const again = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  let tries = 0;
  const late: SupervisedRole = {
    ...role("late", async () => {
      tries += 1;
      if (tries === 2) again.resolve();
      return withWhere("9");
    }),
    startsLast: true,
  };
  const log: Logger = {
    info: (_, facts) => {
      if (facts?.["role"] === "late") ready.resolve();
    },
    warn: () => fails.resolve(),
    error: () => undefined,
  };
  const supervisor = await supervise(entry, [late, role("first", async () => withWhere("8"))], log);
  expect([...supervisor.ready.keys()]).toEqual(["first"]);
  await ready.promise;
  process.kill(supervisor.pidOf("late") ?? 0, "SIGKILL");
  await fails.promise;
  await again.promise;
  expect(await Promise.race([supervisor.lost, sleep(0, "nothing lost")])).toBe("nothing lost");
  await supervisor.stop();
});

test("a role that starts last is told of once it is ready, and waited for by nobody", async () => {
  const held = Promise.withResolvers<string>();
  const last: SupervisedRole = { ...role("last", async () => withWhere(await held.promise)), startsLast: true };
  const supervisor = await supervise(
    entry,
    [role("first", async () => withWhere("8")), last],
    listeningLog(() => undefined),
  );
  expect([...supervisor.ready.keys()]).toEqual(["first"]);
  held.resolve("9");
  expect(await supervisor.late.get("last")).toMatchObject({ url: "http://127.0.0.1:9" });
  expect(isAlive(markOf(supervisor.pidOf("last") ?? 0))).toBe(true);
  await supervisor.stop();
});
