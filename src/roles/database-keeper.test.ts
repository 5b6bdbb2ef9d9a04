import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import type { EmbeddedServer } from "../store/embedded/embedded.ts";
import { type DatabaseKeeper, keepDatabase } from "./database-keeper.ts";

// What is kept is a real process; that it is PostgreSQL is seen in the tests of whole installations.

let keeper: DatabaseKeeper | undefined;
const children: ChildProcess[] = [];
afterEach(async () => {
  await keeper?.stop();
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

const isDiskFull = async () => false;

async function server(url: string): Promise<EmbeddedServer> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  children.push(child);
  await once(child, "spawn");
  const stop = async () => void child.kill("SIGKILL");
  return { url, urlAs: () => url, pid: child.pid ?? 0, ownedHere: true, clusterDir: "", stop };
}

test("a server that falls is started again, also when the first try fails", async () => {
  let starts = 0;
  const start = () => {
    starts += 1;
    return starts === 2 ? Promise.reject(new Error("its memory is still in use")) : server("postgres://a");
  };
  keeper = await keepDatabase({ start, isDiskFull, log });
  const before = keeper.server.pid;
  process.kill(before, "SIGKILL");
  await expect.poll(() => keeper?.server.pid, { timeout: 5000 }).not.toBe(before);
  expect(starts).toBe(3);
});

test("a server that comes back elsewhere is lost, since the roles were told where it was", async () => {
  let starts = 0;
  keeper = await keepDatabase({ start: () => server(`postgres://${++starts}`), isDiskFull, log });
  process.kill(keeper.server.pid, "SIGKILL");
  expect(await keeper.lost).toBe("postgresql");
});

test("a stop ends the watch: what the stop takes down is not started again", async () => {
  let starts = 0;
  keeper = await keepDatabase({
    start: () => {
      starts += 1;
      return server("postgres://a");
    },
    isDiskFull,
    log,
  });
  await keeper.stop();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(starts).toBe(1);
});

test.each([
  ["is given up after as many tries as there are pauses", false, 6],
  ["is tried for as long as its disk is full", true, 40],
])("a server that does not start again %s", async (_, full, tries) => {
  let starts = 0;
  const start = () => {
    starts += 1;
    return starts === 1 ? server("postgres://a") : Promise.reject(new Error("it does not start"));
  };
  keeper = await keepDatabase({ start, isDiskFull: async () => full, log, pausesMs: [0, 1, 1, 1, 1, 1] });
  let lost = false;
  void keeper.lost.then(() => {
    lost = true;
  });
  process.kill(keeper.server.pid, "SIGKILL");
  await expect.poll(() => starts - 1, { timeout: 5000 }).toBeGreaterThanOrEqual(tries);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(lost).toBe(!full);
});
