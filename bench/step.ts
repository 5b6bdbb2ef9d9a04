import { DBOSClient } from "@dbos-inc/dbos-sdk";
import type { Plan } from "../src/core/plan/schema.ts";
import { admit } from "../src/engine/admission.ts";
import { signal } from "../src/engine/commit.ts";
import type { EngineParts } from "../src/engine/engine.ts";
import { propose } from "../src/engine/proposal.ts";
import { OLGA, ROBOT, simulatedPlan, TENANT } from "../src/engine/testing/engine-fixture.ts";
import { type Child, startChild } from "./child.ts";
import { type BenchDatabase, benchDatabase, proposingParts } from "./database.ts";
import type { Stamp } from "./engine-process.ts";
import {
  type BenchOptions,
  cpuPercent,
  cpuSeconds,
  type Figure,
  type Measurement,
  median,
  must,
  processTree,
  quantile,
  sharedClockMs,
  until,
} from "./measure.ts";

const PEER = "DBOS Transact, same PostgreSQL";
/**
 * What a rollout on an empty endpoint does: verify, snapshot, gate, provision, shift, watch, promote. None has fewer, so
 * the peer's workflow has as many. Both sides begin within what is measured: ours with a proposal that is decided and
 * stored, theirs with the row of a workflow that is enqueued.
 */
const STEPS = 7;
const AT_ONCE = 100;

interface Bench extends BenchOptions {
  on: BenchDatabase;
  parts: EngineParts;
}

/**
 * Durable work beside DBOS Transact on the same server: ours commits state, event, audit entry and the next job with
 * each step, DBOS the step's output. A rollout of ours has seven steps, so theirs has seven as well.
 */
export const measureSteps: Measurement = async (options) => {
  const on = await benchDatabase("step");
  try {
    const bench: Bench = { ...options, on, parts: proposingParts(on.database) };
    const figures = await idleSteps(bench);
    for (const workers of options.quick ? [2] : [1, 2, 4]) figures.push(...(await throughput(bench, workers)));
    figures.push(await approvalToEffect(bench), ...(await waiting(bench)));
    return figures;
  } finally {
    await on.close();
  }
};

async function withChildren<T>(file: string, args: string[][], work: (children: Child[]) => Promise<T>): Promise<T> {
  const started = await Promise.allSettled(args.map((one) => startChild(file, one)));
  const children = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  try {
    must(children.length === args.length, `${args.length} processes of ${file} start`);
    return await work(children);
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

const ourWorkers = <T>({ on }: Bench, count: number, work: (children: Child[]) => Promise<T>) =>
  withChildren("./engine-process.ts", Array<string[]>(count).fill([on.url]), work);

const theirWorkers = async <T>({ on }: Bench, count: number, work: (children: Child[]) => Promise<T>) =>
  withChildren(
    "./dbos-process.ts",
    Array.from({ length: count }, (_, index) => [on.peerUrl, `executor-${index}`]),
    work,
  );

async function run(bench: Bench, plan: Plan, ends: Endings): Promise<void> {
  const { decision, rollout } = await propose(bench.parts, { tenant: TENANT, actor: ROBOT, plan });
  must(decision.decision === "allow", `${plan.metadata.name} is allowed`);
  await ends.of(rollout.id);
}

interface Endings {
  of(id: string): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when a rollout has its last event. */
async function endings(bench: Bench): Promise<Endings> {
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const end = (id: string) => {
    const known = ends.get(id) ?? Promise.withResolvers<void>();
    ends.set(id, known);
    return known;
  };
  const stop = await bench.on.database.listen("rollout_events", (payload) => {
    const [, id = "", sequence] = payload.split("/");
    if (Number(sequence) === STEPS + 1) end(id).resolve();
  });
  return { of: (id) => end(id).promise, stop };
}

let versions = 0;
function nextPlan(name: string): Plan {
  versions += 1;
  return simulatedPlan({ name, version: `1.0.${versions}`, rollout: { strategy: "all-at-once" } });
}

/** From one commit to the next of a rollout that has the worker for itself. */
async function idleSteps(bench: Bench): Promise<Figure[]> {
  const count = bench.quick ? 15 : 80;
  const ours = await ourWorkers(bench, 1, async ([worker]) => {
    const ends = await endings(bench);
    for (let index = 0; index < count + 5; index += 1) {
      if (index === 5) await worker?.call("stamps"); // Warm now.
      await run(bench, nextPlan("idle"), ends);
    }
    await ends.stop();
    const stamps = (await worker?.call<Stamp[]>("stamps")) ?? [];
    return gaps(stamps.filter(({ what }) => what.startsWith("committed")));
  });
  const theirs = await theirWorkers(bench, 1, async ([executor]) => {
    await executor?.call("stepStarts", { count: 5, steps: STEPS });
    const rounds = (await executor?.call<number[][]>("stepStarts", { count, steps: STEPS })) ?? [];
    return rounds.flatMap((starts) => starts.slice(1).map((atMs, index) => atMs - (starts[index] ?? atMs)));
  });
  must(ours.length >= count * (STEPS - 1), `${count} rollouts of ${STEPS} steps ran (${ours.length} gaps)`);
  must(theirs.length === count * (STEPS - 1), `${count} of the peer's workflows ran`);
  const figure = (name: string, share: number, aim: Figure["aim"]): Figure => ({
    ...{ name, value: quantile(ours, share), unit: "ms", peer: PEER, peerValue: quantile(theirs, share), aim },
  });
  return [figure("step, idle p50", 0.5, { below: 8 }), figure("step, idle p99", 0.99, null)];
}

function gaps(stamps: readonly Stamp[]): number[] {
  const last = new Map<string, number>();
  return stamps.flatMap(({ about, atMs }) => {
    const before = last.get(about);
    last.set(about, atMs);
    return before === undefined ? [] : [atMs - before];
  });
}

/** Whole rollouts, from their proposal to their last event, with a hundred of them under way. */
async function throughput(bench: Bench, workers: number): Promise<Figure[]> {
  const count = (bench.quick ? 2 : 5) * AT_ONCE;
  const ours = await ourWorkers(bench, workers, async (children) => {
    const ends = await endings(bench);
    const lanes = async (total: number) => {
      let left = total;
      const lane = async (_: unknown, index: number) => {
        while (left > 0) {
          left -= 1;
          await run(bench, nextPlan(`lane-${index}`), ends);
        }
      };
      const startMs = performance.now();
      await Promise.all(Array.from({ length: AT_ONCE }, lane));
      return performance.now() - startMs;
    };
    await lanes(AT_ONCE);
    const before = await succeeded(bench);
    const used = processorUse([process.pid, ...children.map(({ pid }) => pid), ...processTree(bench.on.pid)]);
    const tookMs = await lanes(count);
    const each = (used() / count) * 1000;
    must((await succeeded(bench)) - before === count, `${count} rollouts succeeded`);
    await ends.stop();
    return { perSecond: (count / tookMs) * 1000, each };
  });
  const theirs = await theirWorkers(bench, workers, async (executors) => {
    const each = (total: number) => ({ count: total / workers, atOnce: AT_ONCE / workers, steps: STEPS });
    await Promise.all(executors.map((executor) => executor.call("run", each(AT_ONCE))));
    const used = processorUse([...executors.map(({ pid }) => pid), ...processTree(bench.on.pid)]);
    const startMs = performance.now();
    await Promise.all(executors.map((executor) => executor.call("run", each(count))));
    return { perSecond: (count / (performance.now() - startMs)) * 1000, each: (used() / count) * 1000 };
  });
  bench.say(`${workers} workers: ${ours.perSecond.toFixed(0)} rollouts/s, peer ${theirs.perSecond.toFixed(0)}`);
  const name = `${AT_ONCE} at once, ${workers} worker${workers === 1 ? "" : "s"}`;
  const figure = (what: string, unit: string, [value, peerValue]: [number, number], aim: Figure["aim"]): Figure => ({
    ...{ name: `step ${what}, ${name}`, value, unit, peer: PEER, peerValue, aim },
  });
  const rates: [number, number] = [ours.perSecond, theirs.perSecond];
  return [
    figure("rollouts per second", "/s", rates, { above: 130 }),
    figure("commits per second", "/s", [rates[0] * STEPS, rates[1] * STEPS], null),
    figure("processor time for a rollout, all processes", "ms", [ours.each, theirs.each], null),
  ];
}

/** Processor time that these processes use from now on, in seconds: unlike a rate it hardly minds other programs. */
function processorUse(pids: readonly number[]): () => number {
  const before = pids.map(cpuSeconds);
  return () => pids.reduce((sum, pid, index) => sum + Math.max(0, cpuSeconds(pid) - (before[index] ?? 0)), 0);
}

async function succeeded({ on }: Bench): Promise<number> {
  const { rows } = await on.database.query<{ count: number }>(
    "SELECT count(*) AS count FROM rollouts WHERE phase = 'Succeeded'",
  );
  return rows[0]?.count ?? 0;
}

/** Proposes a rollout that waits for an approval, on an endpoint of its own. */
async function proposeWaiting(bench: Bench, artifact: string, name: string): Promise<string> {
  const simulated = simulatedPlan({ name, environment: "staging" });
  const plan: Plan = {
    ...simulated,
    spec: {
      ...simulated.spec,
      target: "local",
      model: { ...simulated.spec.model, artifact },
      compute: { instanceType: "ml.m5.large", instanceCount: 3 },
    },
  };
  const { rollout, decision } = await propose(bench.parts, { tenant: TENANT, actor: ROBOT, plan });
  must(rollout.phase === "AwaitingApproval", `${name} waits: ${JSON.stringify(decision.findings)}`);
  return rollout.id;
}

async function storedArtifact(bench: Bench): Promise<string> {
  const { digest } = await bench.parts.artifacts.put(TENANT, Buffer.from("a model"));
  return `store:${digest}`;
}

/** From the approval, given by another process than the worker's, to the moment the worker acts on it. */
async function approvalToEffect(bench: Bench): Promise<Figure> {
  const count = bench.quick ? 8 : 50;
  const artifact = await storedArtifact(bench);
  const ours = await ourWorkers(bench, 1, async ([worker]) => {
    const samples: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const id = await proposeWaiting(bench, artifact, `approval-${index}`);
      await worker?.call("stamps");
      const startMs = sharedClockMs();
      const approval = { approver: "ann", role: "approver" as const, mfa: false, signed: false, atMs: Date.now() };
      const { accepted } = await signal(bench.parts, {
        ...{ tenant: TENANT, rolloutId: id, actor: OLGA, cause: "approval" },
        event: async (tx, rollout) => ({
          ...{ type: "approved" as const, approval },
          admission: await admit(tx, bench.parts, rollout),
        }),
      });
      must(accepted, "the approval is accepted");
      let stamps: Stamp[] = [];
      await until("the worker acts on the approval", async () => {
        stamps.push(...((await worker?.call<Stamp[]>("stamps")) ?? []));
        return stamps.some(({ what }) => what === "stat");
      });
      samples.push((stamps.find(({ what }) => what === "stat")?.atMs ?? Number.NaN) - startMs);
      stamps = [];
    }
    return samples;
  });
  const theirs = await theirWorkers(bench, 1, async ([executor]) => {
    const client = await DBOSClient.create({ systemDatabaseUrl: bench.on.peerUrl, applicationName: "bench" });
    const samples: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const name = `approval-${index}`;
      await executor?.call("wait", [name]);
      await new Promise((resolve) => setTimeout(resolve, 20)); // It has to wait before it is told.
      const startMs = sharedClockMs();
      await client.send(name, "yes", "approved");
      let atMs: number | null | undefined = null;
      await until("the peer acts on the approval", async () => {
        atMs = await executor?.call<number | null>("began", name);
        return typeof atMs === "number";
      });
      samples.push((atMs ?? Number.NaN) - startMs);
    }
    await client.destroy();
    return samples;
  });
  return {
    ...{ name: "step, approval to next effect p50", value: median(ours), unit: "ms" },
    ...{ peer: `${PEER} (send to recv)`, peerValue: median(theirs), aim: null },
  };
}

/** Processor use of two workers and the database while many rollouts wait for an approval. */
async function waiting(bench: Bench): Promise<Figure[]> {
  const count = bench.quick ? 100 : 1000;
  const seconds = bench.quick ? 2 : 10;
  const artifact = await storedArtifact(bench);
  for (let index = 0; index < count; index += 1) await proposeWaiting(bench, artifact, `waits-${index}`);
  const use = (children: Child[]) =>
    cpuPercent([...children.map(({ pid }) => pid), ...processTree(bench.on.pid)], seconds);
  const ours = await ourWorkers(bench, 2, use);
  const theirs = await theirWorkers(bench, 2, async (executors) => {
    const names = Array.from({ length: count }, (_, index) => `waits-${index}`);
    const halves = [names.slice(0, count / 2), names.slice(count / 2)];
    await Promise.all(executors.map((executor, index) => executor.call("wait", halves[index] ?? [])));
    return use(executors);
  });
  return [
    {
      ...{ name: `step, CPU with ${count} waiting, 2 workers and the database`, value: ours, unit: "%" },
      ...{ peer: PEER, peerValue: theirs, aim: null },
    },
  ];
}
