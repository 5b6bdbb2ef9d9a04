import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";

/** A unix socket's path has about a hundred characters at most, so a deep data directory gets a short one elsewhere. */
const SOCKET_PATH_MAX = 100;

/** Where the data plane of this host takes its orders; in a folder that only this user enters. */
export async function controlSocket(config: Config): Promise<string> {
  const folder = join(config.dataDir, "run");
  const path = join(folder, "serve.sock");
  const mark = createHash("sha256").update(config.dataDir).digest("hex").slice(0, 12);
  const short = join(tmpdir(), `continuum-${mark}`);
  const chosen = path.length <= SOCKET_PATH_MAX ? folder : short;
  await mkdir(chosen, { recursive: true, mode: 0o700 });
  const { uid, mode } = await lstat(chosen);
  // Whoever owns the folder could answer in our place.
  if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o077) !== 0)) {
    throw new ContinuumError(
      "folder-not-private",
      `${chosen} must belong to the user of this program alone, with mode 0700`,
    );
  }
  return join(chosen, "serve.sock");
}
