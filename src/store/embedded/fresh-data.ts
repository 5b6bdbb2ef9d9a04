import { execFile } from "node:child_process";
import { access, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { StoreError } from "../store-error.ts";
import { type Cluster, dataOf, runningServer, serverEnvironment } from "./cluster.ts";

const run = promisify(execFile);

/**
 * Fresh data is written to the disk while the server already starts on it: the disk's time is half that of making it.
 * Until all of it is there a mark stands beside it, and nobody is told the server's address. Data with the mark and no
 * server on it was made by a start that never got that far, perhaps into a power cut: it may be damaged, and holds
 * nothing that anybody stored.
 */
const markOf = (cluster: Cluster) => join(cluster.root, "data.unsynced");

/** To be called before the data gets its name. */
export async function markUnsynced(cluster: Cluster): Promise<void> {
  const mark = await open(markOf(cluster), "w", 0o600);
  try {
    await mark.sync();
  } finally {
    await mark.close();
  }
  await syncFolder(cluster.root);
}

/** Sets data aside that was never whole on the disk. Not deleted: a mark that came back must cost nobody their data. */
export async function setAsideUnsynced(cluster: Cluster): Promise<void> {
  if (!(await isMarked(cluster)) || (await runningServer(cluster)) !== undefined) return;
  const aside = join(cluster.root, "data.aside");
  await rm(aside, { recursive: true, force: true });
  await rename(dataOf(cluster), aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rm(markOf(cluster));
}

/** Writes marked data to the disk and takes the mark away; nothing to do for any other. Errors: `embedded-failed`. */
export async function syncFresh(cluster: Cluster): Promise<void> {
  if (!(await isMarked(cluster))) return;
  try {
    await run(cluster.binaries.initdb, ["-D", dataOf(cluster), "--sync-only"], {
      cwd: cluster.root,
      env: serverEnvironment(),
      ...cluster.user,
    });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new StoreError(
      "embedded-failed",
      `The fresh data could not be written to the disk: ${stderr?.trim() || String(error)}`,
      { cause: error },
    );
  }
  await syncFolder(cluster.root); // the data's name
  await rm(markOf(cluster));
  await syncFolder(cluster.root); // the mark's end
}

function isMarked(cluster: Cluster): Promise<boolean> {
  return access(markOf(cluster)).then(
    () => true,
    () => false,
  );
}

/** Names in a folder are on the disk when the folder is; Windows has no such call and needs none. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
