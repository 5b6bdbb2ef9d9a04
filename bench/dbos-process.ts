import { DBOS } from "@dbos-inc/dbos-sdk";
import { serveCalls } from "./child.ts";
import { sharedClockMs } from "./measure.ts";

/** The peer's executor: `dbos-process.ts DATABASE_URL EXECUTOR_ID`. Its steps do nothing, as our target does. */

const [systemDatabaseUrl = "", executorID = "local"] = process.argv.slice(2);
const began = new Map<string, number>();
let stepStarts: number[] = [];

const nothing = async () => {
  stepStarts.push(sharedClockMs());
};

const rollout = DBOS.registerWorkflow(
  async (steps: number) => {
    for (let step = 0; step < steps; step += 1) await DBOS.runStep(nothing, { name: `step-${step}` });
  },
  { name: "rollout" },
);

const approval = DBOS.registerWorkflow(
  async (name: string) => {
    const message = await DBOS.recv<string>("approved", { timeoutSeconds: 3600 });
    if (message === null) throw new Error("nobody approved");
    await DBOS.runStep(async () => void began.set(name, sharedClockMs()), { name: "effect" });
  },
  { name: "approval" },
);

const interrupted = DBOS.registerWorkflow(
  async (name: string) => {
    await DBOS.runStep(nothing, { name: "before" });
    await DBOS.runStep(
      async () => {
        began.set(name, sharedClockMs());
        if (executorID === "blocked") await new Promise(() => undefined);
      },
      { name: "effect" },
    );
  },
  { name: "interrupted" },
);

DBOS.setConfig({
  name: "bench",
  systemDatabaseUrl,
  // The one that takes over is the one that fell, started again: nobody else looks after its workflows.
  executorID: executorID === "blocked" || executorID === "again" ? "fallen" : executorID,
  applicationVersion: "1",
  systemDatabasePoolSize: 8,
  logLevel: "error",
});
await DBOS.launch();

serveCalls(
  {
    /** So many workflows, some at once; answers how long they took. */
    run: async ({ count, atOnce, steps }: { count: number; atOnce: number; steps: number }) => {
      const startMs = performance.now();
      let left = count;
      const lane = async () => {
        while (left > 0) {
          left -= 1;
          const handle = await DBOS.startWorkflow(rollout)(steps);
          await handle.getResult();
        }
      };
      await Promise.all(Array.from({ length: atOnce }, lane));
      return performance.now() - startMs;
    },
    /** One after the other; answers when each step began. */
    stepStarts: async ({ count, steps }: { count: number; steps: number }) => {
      stepStarts = [];
      const rounds: number[][] = [];
      for (let index = 0; index < count; index += 1) {
        const handle = await DBOS.startWorkflow(rollout)(steps);
        await handle.getResult();
        rounds.push(stepStarts);
        stepStarts = [];
      }
      return rounds;
    },
    wait: async (names: string[]) => {
      for (const name of names) await DBOS.startWorkflow(approval, { workflowID: name })(name);
    },
    interrupt: async (name: string) => void (await DBOS.startWorkflow(interrupted, { workflowID: name })(name)),
    began: async (name: string) => began.get(name) ?? null,
  },
  () => DBOS.shutdown(),
);
