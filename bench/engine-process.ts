import { setTimeout as sleep } from "node:timers/promises";
import type { CommittedEvent, EngineParts } from "../src/engine/engine.ts";
import { engineParts } from "../src/engine/testing/engine-fixture.ts";
import { Worker } from "../src/engine/worker.ts";
import { openDatabase } from "../src/store/database.ts";
import { serveCalls } from "./child.ts";
import { sharedClockMs } from "./measure.ts";
import { nothingTarget } from "./nothing-target.ts";

/** A worker of the engine on a target that does nothing: `engine-process.ts DATABASE_URL PROVISION_MS`. */

/** Something that happened here, on the clock of the machine. */
export interface Stamp {
  what: string;
  /** The rollout for a commit, the endpoint's name for an effect, the digest for a look at an artifact. */
  about: string;
  atMs: number;
}

let stamps: Stamp[] = [];
const stamp = (what: string, about: string) => void stamps.push({ what, about, atMs: sharedClockMs() });

const [url = "", provisionMs = "0"] = process.argv.slice(2);
const database = await openDatabase(url, { max: 4, applicationName: "bench-worker" });
const usual = engineParts(database, {
  logged: Object.assign([], { push: () => 0 }),
  behaviour: new Map(),
  faults: { plan: () => undefined },
});
const effect = async (method: string, endpoint: string) => {
  stamp(method, endpoint);
  if (method === "provision" && Number(provisionMs) > 0) await sleep(Number(provisionMs));
};
const parts: EngineParts = {
  ...usual,
  targets: new Map([
    ["simulated", nothingTarget("simulated", effect)],
    ["local", nothingTarget("local", effect)],
  ]),
  artifacts: Object.assign(usual.artifacts, {
    stat: async (_tenant: string, digest: string) => void stamp("stat", digest),
  }),
  onCommitted: ({ event, after }: CommittedEvent) => stamp(`committed ${event}`, after.id),
};
const worker = new Worker({ parts, host: "here" });
await worker.start();

serveCalls(
  {
    stamps: async () => {
      const taken = stamps;
      stamps = [];
      return taken;
    },
    id: async () => worker.id,
  },
  async () => {
    await worker.stop(2000);
    await database.close();
  },
);
