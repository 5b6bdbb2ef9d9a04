import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { dataVersion, runningServer } from "./cluster.ts";
import { embeddedRoots } from "./embedded.ts";

/** An embedded server as it lies there. */
export interface EmbeddedLook {
  clusterDir: string;
  /** The major version that its data was made by. */
  version: number;
  /** Undefined when it does not run. */
  running: { pid: number; url: string } | undefined;
}

/** Looks at the server of a data directory; nothing is made, started or written. Undefined when there is none. */
export async function inspectEmbedded(dataDir: string): Promise<EmbeddedLook | undefined> {
  const home = await realpath(dataDir).catch(() => undefined);
  if (home === undefined) return undefined;
  for (const root of embeddedRoots(home)) {
    const version = await dataVersion({ root });
    if (version === undefined) continue;
    const server = await runningServer({ root });
    if (server === undefined) return { clusterDir: root, version, running: undefined };
    const password = (await readFile(join(root, "password"), "utf8")).trim();
    const url = `postgres://continuum:${password}@127.0.0.1:${server.port}/continuum`;
    return { clusterDir: root, version, running: { pid: server.pid, url } };
  }
  return undefined;
}
