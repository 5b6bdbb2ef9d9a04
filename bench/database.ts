import { rmSync } from "node:fs";
import { MemoryArtifacts } from "../src/drivers/artifacts/memory/memory-artifacts.ts";
import type { EngineParts } from "../src/engine/engine.ts";
import { engineParts, seed } from "../src/engine/testing/engine-fixture.ts";
import { type Database, openDatabase } from "../src/store/database.ts";
import { startEmbedded } from "../src/store/embedded/embedded.ts";
import { migrate } from "../src/store/migrate.ts";
import { endWithUs, scratchFolder } from "./measure.ts";
import { nothingTarget } from "./nothing-target.ts";

/** A PostgreSQL of the measurement's own, as safe as a user's: every commit is on the disk before it is answered. */
export interface BenchDatabase {
  /** Our migrated database. */
  url: string;
  /** The peer's, on the same server. */
  peerUrl: string;
  pid: number;
  database: Database;
  close(): Promise<void>;
}

export async function benchDatabase(name: string, options: { max?: number } = {}): Promise<BenchDatabase> {
  const folder = await scratchFolder(name);
  const server = await startEmbedded({ dataDir: folder.path, settings: { max_connections: "200" } });
  const mark = endWithUs(server.pid);
  const database = await openDatabase(server.url, { max: options.max ?? 8, applicationName: "bench" });
  await migrate(database);
  await seed(database);
  await database.query("CREATE DATABASE peer");
  const peerUrl = new URL(server.url);
  peerUrl.pathname = "/peer";
  return {
    ...{ url: server.url, peerUrl: peerUrl.href, pid: server.pid, database },
    close: async () => {
      await database.close();
      await server.stop();
      mark.ended();
      rmSync(server.clusterDir, { recursive: true, force: true, maxRetries: 5 });
      folder.remove();
    },
  };
}

/** The engine without a worker, as the API has it: it proposes and signals. */
export function proposingParts(database: Database): EngineParts {
  const parts = engineParts(database, { logged: [], behaviour: new Map(), faults: { plan: () => undefined } });
  const quiet = () => undefined;
  return {
    ...parts,
    artifacts: new MemoryArtifacts(),
    targets: new Map([
      ["simulated", nothingTarget("simulated")],
      ["local", nothingTarget("local")],
    ]),
    log: { info: quiet, warn: quiet, error: quiet },
  };
}
