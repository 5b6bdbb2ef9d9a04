import { setTimeout as sleep } from "node:timers/promises";
import { engineParts } from "../../src/engine/testing/engine-fixture.ts";
import { Worker } from "../../src/engine/worker.ts";
import { openDatabase } from "../../src/store/database.ts";

/** A worker as a process of its own, to be killed and frozen: `engine-worker-process.ts DATABASE_URL EFFECT_MS`. */
const [url = "", effectMs = "0"] = process.argv.slice(2);
const database = await openDatabase(url, { max: 4, applicationName: "engine-worker-process" });
const parts = engineParts(database, {
  logged: [],
  behaviour: new Map(),
  faults: {
    plan: ({ method }) => (method === "provision" ? { kind: "delay", milliseconds: Number(effectMs) } : undefined),
  },
});
const worker = new Worker({ parts, host: "here" });
await worker.start();
process.on("SIGTERM", async () => {
  await worker.stop(5000);
  await database.close();
  process.exit(0);
});
console.log(`${worker.id}`);
while (process.connected) await sleep(1000);
