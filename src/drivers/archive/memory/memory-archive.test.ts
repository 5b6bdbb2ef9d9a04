import { archiveConformance } from "../archive.conformance.ts";
import { MemoryArchive } from "./memory-archive.ts";

archiveConformance("in memory", async () => ({
  ...{ archive: new MemoryArchive(), witnessKeys: [], close: async () => undefined },
}));
