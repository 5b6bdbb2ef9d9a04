import { link, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ContinuumError } from "../core/error.ts";
import { isAlive, markOf, type ProcessMark } from "../store/embedded/living-process.ts";

export type OnlyStartErrorCode = "already-running";

/**
 * Holds the data directory for this process: two supervisors on one would start every role twice and stop each other's.
 * Answers how to let go. What a killed one left is set aside. Errors: `already-running`.
 */
export async function onlyStart(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, "start.lock");
  const own = `${path}.${process.pid}`;
  await writeFile(own, JSON.stringify(markOf(process.pid)), { mode: 0o600 });
  try {
    for (;;) {
      if (await taken(own, path)) return () => rm(path, { force: true });
      const holder = await readHolder(path);
      if (holder !== undefined && isAlive(holder)) throw alreadyRunning(dataDir, holder);
      await setAside(path, own);
    }
  } finally {
    await rm(own, { force: true });
  }
}

/** A hard link appears with its content in one step; an empty lock cannot exist. */
async function taken(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function setAside(path: string, own: string): Promise<void> {
  const aside = `${own}.aside`;
  await rename(path, aside).catch(() => undefined);
  const found = await readHolder(aside);
  // Another start may have set the dead one aside and taken the place in between: it gets it back.
  if (found !== undefined && isAlive(found)) await link(aside, path).catch(() => undefined);
  await unlink(aside).catch(() => undefined);
}

/** Undefined when nobody holds it, or when a power cut left nothing in it that names anybody. */
async function readHolder(path: string): Promise<ProcessMark | undefined> {
  try {
    const mark = JSON.parse(await readFile(path, "utf8")) as Partial<ProcessMark> | null;
    return typeof mark?.pid === "number" && mark.pid > 0
      ? { pid: mark.pid, startedAt: mark.startedAt ?? "" }
      : undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof SyntaxError || code === "ENOENT") return undefined;
    throw error;
  }
}

function alreadyRunning(dataDir: string, { pid }: ProcessMark): ContinuumError<OnlyStartErrorCode> {
  return new ContinuumError(
    "already-running",
    `Continuum is already running in ${dataDir} (process ${pid}): stop that one, or start this one with another --data-dir.`,
    { details: { pid } },
  );
}
