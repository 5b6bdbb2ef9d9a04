import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { RemoveCapture } from "./retention.ts";

/** The data plane names a tenant's folder by its percent-encoded name, and an endpoint's below it; files are JSON lines. */
export function captureRemover(root: string): RemoveCapture {
  return async (beforeMs) => {
    const removed: { tenant: string; count: number }[] = [];
    for (const folder of await namesIn(root)) {
      let count = 0;
      for (const endpoint of await namesIn(join(root, folder)))
        count += await removeOld(join(root, folder, endpoint), beforeMs);
      if (count > 0) removed.push({ tenant: decodeURIComponent(folder), count });
    }
    return removed;
  };
}

async function removeOld(folder: string, beforeMs: number): Promise<number> {
  let count = 0;
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true || found.mtimeMs >= beforeMs) continue;
    await unlink(path);
    count += 1;
  }
  return count;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
