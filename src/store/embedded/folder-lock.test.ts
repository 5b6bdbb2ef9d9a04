import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addUser, countUsers, removeUser, withFolderLock } from "./folder-lock.ts";
import { isAlive, markOf } from "./living-process.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "continuum-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The mark of a process that has ended. */
async function deadMark() {
  const child = spawn(process.execPath, ["--eval", "setInterval(() => undefined, 1000)"]);
  const mark = markOf(child.pid ?? 0);
  expect(isAlive(mark)).toBe(true);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  return mark;
}

test("work under the lock happens one at a time, and leaves nothing behind", async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await sleep(5);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 10 }, () => withFolderLock(folder, work)));
  expect(most).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test("the lock of a process that died is set aside, by one of many", async () => {
  await writeFile(join(folder, "lock"), JSON.stringify(await deadMark()));
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await sleep(5);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 5 }, () => withFolderLock(folder, work)));
  expect(most).toBe(1);
});

test("a failure under the lock frees it", async () => {
  await expect(withFolderLock(folder, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withFolderLock(folder, async () => "yes")).toBe("yes");
});

test("users that died do not count", async () => {
  await addUser(folder);
  const dead = await deadMark();
  await writeFile(join(folder, "users", String(dead.pid)), JSON.stringify(dead));
  expect(await countUsers(folder)).toBe(1);
  await removeUser(folder);
  expect(await countUsers(folder)).toBe(0);
});

test("a process that got the number of one that ended is not taken for it", () => {
  const mark = markOf(process.pid);
  expect(isAlive(mark)).toBe(true);
  if (mark.startedAt !== "") expect(isAlive({ ...mark, startedAt: "1" })).toBe(false);
});

test("a user of the folder locks it without writing anything, as on a disk that is full", async () => {
  await addUser(folder);
  const seen = await withFolderLock(folder, async () => {
    const names = await readdir(folder);
    return { names: names.toSorted(), links: (await stat(join(folder, "lock"))).nlink };
  });
  expect(seen).toEqual({ names: ["lock", "users"], links: 2 });
  expect(await readdir(folder)).toEqual(["users"]);
  expect(await countUsers(folder)).toBe(1);
});
