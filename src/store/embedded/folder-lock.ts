import { link, mkdir, readdir, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, markOf, type ProcessMark } from "./living-process.ts";

/** Runs `work` while no other process on this machine does so for the same folder; a dead holder is set aside. */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, "lock");
  const fresh = join(folder, `lock.${process.pid}.${Math.random().toString(36).slice(2)}`);
  try {
    // A user of the folder has its mark there already: it can lock, and so end in good order, on a disk that is full.
    const own = (await isMarked(folder)) ? userFile(folder) : fresh;
    if (own === fresh) await writeFile(own, JSON.stringify(markOf(process.pid)));
    // A hard link appears with its content in one step; an empty lock file of a crashed writer cannot exist.
    while (!(await tryLink(own, path))) await setAsideWhenDead(path, fresh);
    try {
      return await work();
    } finally {
      await unlink(path).catch(() => undefined);
    }
  } finally {
    await unlink(fresh).catch(() => undefined);
  }
}

async function isMarked(folder: string): Promise<boolean> {
  const { pid, startedAt } = markOf(process.pid);
  const mark = await readMark(userFile(folder));
  return mark?.pid === pid && mark.startedAt === startedAt;
}

function userFile(folder: string): string {
  return join(folder, "users", String(process.pid));
}

async function tryLink(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function setAsideWhenDead(path: string, own: string): Promise<void> {
  const holder = await readMark(path);
  if (holder === undefined || isAlive(holder)) {
    await sleep(20);
    return;
  }
  const aside = `${own}.aside`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  // Somebody may have set the dead one aside and locked again between our look and our rename: give it back.
  const taken = await readMark(aside);
  if (taken !== undefined && isAlive(taken)) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/**
 * Who uses the folder: one file a process. The last one out takes the server down, whoever started it; a process that
 * was killed does not count.
 */
export async function addUser(folder: string): Promise<void> {
  await mkdir(join(folder, "users"), { recursive: true, mode: 0o700 });
  const path = userFile(folder);
  await writeFile(`${path}.new`, JSON.stringify(markOf(process.pid)));
  await rename(`${path}.new`, path);
}

export async function removeUser(folder: string): Promise<void> {
  await rm(userFile(folder), { force: true });
}

export async function countUsers(folder: string): Promise<number> {
  const users = join(folder, "users");
  let count = 0;
  for (const name of await readdir(users).catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const mark = await readMark(join(users, name));
    if (mark !== undefined && isAlive(mark)) count += 1;
    else await rm(join(users, name), { force: true });
  }
  return count;
}

async function readMark(path: string): Promise<ProcessMark | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as ProcessMark;
  } catch {
    return undefined;
  }
}
