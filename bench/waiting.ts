import { setTimeout as sleep } from "node:timers/promises";
import { type ApiClient, createApiClient } from "../src/surfaces/cli/client.ts";
import { importModel, planOf, submit } from "../test/e2e/testing/deployables.ts";
import type { Installation } from "./installation.ts";
import { type BenchOptions, cpuPercent, type Figure, must, processTree } from "./measure.ts";

/** Submitted at once, so that a thousand of them take no minutes. */
const LANES = 4;

/** A whole installation at rest while many rollouts wait for an approval, beside itself before the first was proposed. */
export async function waitingAtRest({ started, token }: Installation, { quick, say }: BenchOptions): Promise<Figure[]> {
  const count = quick ? 100 : 1000;
  const seconds = quick ? 3 : 30;
  const settleMs = quick ? 2000 : 15_000; // What starting and proposing took is collected and given back by then.
  const use = async () => {
    await sleep(settleMs);
    const each = started.processes.map(({ name, pid }) => ({
      name,
      // The supervisor's tree is everybody.
      percent: cpuPercent(name === "supervisor" ? [pid] : processTree(pid), seconds),
    }));
    const used = await Promise.all(each.map(async ({ name, percent }) => ({ name, percent: await percent })));
    say(used.map(({ name, percent }) => `${name} ${percent.toFixed(2)} %`).join(", "));
    return used.reduce((sum, { percent }) => sum + percent, 0);
  };
  const empty = await use();
  await proposeWaiting(createApiClient({ url: started.url, token }), count);
  return [
    {
      ...{ name: `CPU of the whole stack with ${count} waiting for an approval`, value: await use(), unit: "%" },
      ...{ peer: "the same installation with none", peerValue: empty, aim: null },
    },
  ];
}

async function proposeWaiting(admin: ApiClient, count: number): Promise<void> {
  const artifact = await importModel(admin, { bias: 0 });
  let left = count;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      const compute = { instanceType: "ml.m5.large", instanceCount: 3 } as const;
      const plan = planOf(`waits-${left}`, { version: "1.0.0", artifact }, { environment: "staging", compute });
      const { phase, id } = await submit(admin, plan);
      must(phase === "AwaitingApproval", `${id} waits for an approval: ${phase}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}
