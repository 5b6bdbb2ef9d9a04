import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OperationOutput } from "../../src/contract/operations.ts";
import type { PlanInput } from "../../src/core/plan/schema.ts";
import { ask } from "../../src/quickstart/traffic.ts";
import { brokenModel, slowModel } from "../../src/serving/testing/test-models.ts";
import type { ApiClient } from "../../src/surfaces/cli/client.ts";
import type { RolloutDetail } from "../../src/surfaces/cli/follow-rollout.ts";
import { runForTest } from "../../src/surfaces/cli/testing/run-for-test.ts";
import { type Continuum, startContinuum } from "./testing/continuum.ts";
import {
  deploy,
  ended,
  importModel,
  invocable,
  planOf,
  rollout,
  submit,
  trustedKey,
  until,
} from "./testing/deployables.ts";
import { type JumpingClock, jumpingClock } from "./testing/jumping-clock.ts";
import { RowTraffic } from "./testing/row-traffic.ts";
import { baselineTable, drawRows, scoredModel, truthOf } from "./testing/scored-model.ts";

// What goes wrong with a model while it is rolled out and afterwards, with real replicas, real traffic and the monitor
// as a process of its own: each story ends as whoever runs the endpoint would want. One installation serves all; the
// stories have endpoints of their own and run side by side.

let folder: string;
let clock: JumpingClock;
let on: Continuum;
let admin: ApiClient;
let agent: ApiClient;
const artifacts = new Map<string, string>();

const MODELS = {
  good: scoredModel({ weights: [1, 0, 0], middle: 0.5 }),
  /** Another file that answers the same. */
  same: scoredModel({ weights: [1, 0, 0], middle: 0.500001 }),
  alike: scoredModel({ weights: [1, 0, 0], middle: 0.500002 }),
  /** Looks at the wrong feature: as often right as wrong. */
  guessing: scoredModel({ weights: [0, 1, 0], middle: 0.5 }),
  /** Answers group 1 with yes more often than not, and group 0 with no. */
  unfair: scoredModel({ weights: [1, 0, 0.6], middle: 0.8 }),
  slow: slowModel({ layers: 400 }),
  broken: brokenModel(),
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuum-monitored-"));
  clock = jumpingClock(join(folder, "clock"), ["serve", "monitor"]);
  on = await startContinuum({ environment: { NODE_OPTIONS: clock.nodeOptions } });
  admin = on.admin;
  const key = await trustedKey(admin);
  for (const [name, bytes] of Object.entries(MODELS)) artifacts.set(name, await importModel(admin, { bytes }, key));
  for (const [name, withAnswers] of [
    ["inputs", false],
    ["answers", true],
  ] as const)
    artifacts.set(name, await importModel(admin, { bytes: baselineTable({ rows: 2000, withAnswers }) }));
  agent = await on.as({ principal: "release-agent", kind: "agent", owner: "admin", roles: ["proposer", "operator"] });
});
afterAll(async () => {
  await on?.clear();
  rmSync(folder, { recursive: true, force: true });
});

type Monitor = NonNullable<PlanInput["spec"]["monitor"]>;
type Rollout = NonNullable<PlanInput["spec"]["rollout"]>;
type Shown = OperationOutput<"monitors.get">;

const stored = (name: string) => `store:${artifacts.get(name) ?? ""}`;
const at = (name: string) => ({ environment: "development", target: "local", name }) as const;
const shown = (name: string): Promise<Shown> => admin.call("monitors.get", { params: at(name) });

/** Windows of a second and some hundred rows instead of minutes and a thousand. */
const DRIFT = { rowsMin: 150, windowRows: 150, windowSeconds: 30, windows: 3, breachingWindows: 2 };
const drift = (): Monitor => ({ baseline: stored("inputs"), dataDrift: DRIFT });
const QUALITY = { label: "label", problem: "binary", probability: "probability", labelledMin: 100 } as const;
const BIAS = { facet: "member", favoured: [1], rowsMin: 60, thresholds: { DPPL: 0.15 } };

/** All that a plan may ask for, with truth that is known within a bake. */
const everything = (): Monitor => ({
  ...{ baseline: stored("answers"), dataDrift: DRIFT, bias: BIAS },
  modelQuality: { ...QUALITY, horizonSeconds: 1, thresholds: { accuracy: 0.9 } },
});
/** The monitor reads a moment after the answer was given, and later where it is killed again and again meanwhile. */
const WAIT = { timeout: 40_000, interval: 300 };

/** A step to half of the traffic; what makes a replica slow on a busy machine is no version's fault. */
const CANARY: Rollout = {
  ...{ strategy: "canary", stepPercent: 50, bakeSeconds: 2, deadlineSeconds: 150 },
  judgement: { latencyRatioMax: 4 },
};

/** Where nothing is wrong no run of a thousand may say otherwise. */
const SURE: Rollout = { judgement: { ...CANARY.judgement, alpha: 0.001 } };

function planFor(name: string, model: keyof typeof MODELS, changes: { monitor?: Monitor; rollout?: Rollout } = {}) {
  const artifact = artifacts.get(model) ?? "";
  return planOf(name, { version: model, artifact }, { ...changes, rollout: { ...CANARY, ...changes.rollout } });
}

/** An endpoint whose good model serves, by a plan that has it watched, and a client that asks it. */
async function served(
  name: string,
  options: { monitor?: Monitor; requestsPerSecond?: number; rowsPerRequest?: number } = {},
): Promise<RowTraffic> {
  const { monitor = drift(), ...rate } = options;
  const first = await deploy(agent, planFor(name, "good", { monitor, rollout: { bakeSeconds: 0 } }));
  expect(first, JSON.stringify(first.refusals)).toMatchObject({ phase: "Succeeded" });
  return askedAbout(name, rate);
}

async function askedAbout(name: string, { requestsPerSecond = 25, rowsPerRequest = 4 } = {}): Promise<RowTraffic> {
  const url = await invocable(on, name);
  const draw = drawRows(name.length);
  return new RowTraffic({ url, token: on.invokeToken, requestsPerSecond, rowsPerRequest, draw });
}

async function servesNow(name: string): Promise<string> {
  const url = `${on.servingUrl}/endpoints/development-${name}/invocations`;
  return (await ask({ url, token: on.invokeToken, body: "0.1,0.2,1\n" })).version;
}

/** As whoever asks for JSON on the command line sees it. */
async function printed<T>(command: string): Promise<T> {
  const { code, out, err } = await runForTest([...command.split(" "), "-o", "json", "--data-dir", on.dataDir], {
    folder,
  });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${err}`);
  return JSON.parse(out) as T;
}

const metricOf = ({ verdict }: RolloutDetail, name: string) => verdict?.metrics.find(({ metric }) => metric === name);

async function live(name: string): Promise<string | null> {
  return (await admin.call("endpoints.get", { params: at(name) })).liveRollout;
}

/** How often a version's alarm was raised, and what followed from it. */
async function raised(
  name: string,
  { variant, alarm }: { variant: string; alarm: "DataDriftAlarm" | "ModelMonitorAlarm" },
) {
  const history = await admin.call("alarms.history", { params: at(name), query: { variant, alarm } });
  const { items } = await admin.call("alarms.list", { query: { environment: "development", name } });
  const now = items.find((one) => one.variant === variant && one.alarm === alarm);
  return { times: history.items.filter(({ to }) => to === "ALARM").length, effect: now?.effect?.kind ?? null };
}

const alarming = (kind: "none" | "ask") =>
  expect.arrayContaining([
    expect.objectContaining({ alarm: "DataDriftAlarm", state: "ALARM", effect: expect.objectContaining({ kind }) }),
  ]);

/** What was read of a version that nothing else took the place of: it is polled, for it comes a second later. */
async function rowsRead(name: string, version: string): Promise<number | undefined> {
  return (await shown(name)).versions.find(({ model }) => model.version === version)?.report?.rows;
}

async function requestsRead(name: string): Promise<number> {
  return (await shown(name)).readings.reduce((sum, { requests }) => sum + requests, 0);
}

/** `served` asked once for itself. */
const ASKED_FIRST = 1;

/** Goes on until it is stopped; whatever fails comes out when it is. */
function repeatedly(everyMs: number, work: () => Promise<void>): { stop(): Promise<void> } {
  let stopped = false;
  const loop = (async () => {
    for (; !stopped; await sleep(everyMs)) await work();
  })();
  loop.catch(() => undefined);
  return {
    stop: () => {
      stopped = true;
      return loop;
    },
  };
}

describe.concurrent("what the monitor sees", { timeout: 180_000 }, () => {
  test("inputs that are no longer what the model was made from take the candidate back", async ({ expect }) => {
    const traffic = await served("drifts");
    const { id } = await submit(agent, planFor("drifts", "same", { monitor: drift(), rollout: { bakeSeconds: 60 } }));
    traffic.draw = drawRows(5, { shift: 0.3 });
    const { phase, reason } = await ended(admin, id);
    expect({ phase, code: reason?.code }).toEqual({ phase: "RolledBack", code: "alarm" });
    expect(reason?.message).toMatch(
      /^DataDriftAlarm: first: .* \(limit .*\), p \de-\d+ .*(of the newest \d windows|over all rows so far)/,
    );
    await traffic.stop();
    expect(await servesNow("drifts")).toBe("good");
    expect(traffic.failed).toBe(0);
    expect(await raised("drifts", { variant: id, alarm: "DataDriftAlarm" })).toEqual({ times: 1, effect: "rollout" });
    expect(await printed(`rollout get ${id}`)).toMatchObject({ phase: "RolledBack", weightPercent: 0, reason });
    // What serves sees the same inputs; nothing takes it back, for it was there before and its plan has no watch period.
    await expect.poll(() => rowsRead("drifts", "good"), WAIT).toBe(traffic.rowsOf("good") + 1 + ASKED_FIRST);
    const { versions } = await printed<Shown>("monitor show drifts -e development");
    expect(versions).toMatchObject([{ role: "stable", watch: null, alarms: alarming("none") }]);
  });

  test("answers that turn out to be wrong, or to favour one group, take the candidate back", async ({ expect }) => {
    const monitor: Monitor = { baseline: stored("answers"), modelQuality: { ...QUALITY, horizonSeconds: 1 } };
    const traffic = await served("errs", { monitor });
    const telling = repeatedly(500, () => traffic.tellTruth(agent, at("errs"), truthOf));
    const wrong = await deploy(agent, planFor("errs", "guessing", { monitor, rollout: { bakeSeconds: 60 } }));
    await telling.stop();
    expect(wrong).toMatchObject({ phase: "RolledBack", reason: { code: "alarm" } });
    expect(wrong.reason?.message).toMatch(/^ModelMonitorAlarm: .* Truth is known of \d+ of \d+ /);
    expect(await raised("errs", { variant: wrong.id, alarm: "ModelMonitorAlarm" })).toEqual({
      times: 1,
      effect: "rollout",
    });
    // Nobody tells the truth any more, and nobody has to.
    const favours: Monitor = { baseline: stored("answers"), modelQuality: QUALITY, bias: BIAS };
    const unfair = await deploy(agent, planFor("errs", "unfair", { monitor: favours, rollout: { bakeSeconds: 60 } }));
    await traffic.stop();
    expect(unfair).toMatchObject({ phase: "RolledBack", reason: { code: "alarm" } });
    expect(unfair.reason?.message).toMatch(/^ModelMonitorAlarm: DPPL is 0\.\d+, .* in the baseline, accepted up to/);
    expect(await raised("errs", { variant: unfair.id, alarm: "ModelMonitorAlarm" })).toEqual({
      times: 1,
      effect: "rollout",
    });
    expect(await servesNow("errs")).toBe("good");
    expect(traffic.failed).toBe(0);
  });

  test("a broken candidate and a slow one are taken back by the data plane itself", async ({ expect }) => {
    const traffic = await served("worse", { rowsPerRequest: 16 });
    const rollout = { bakeSeconds: 60, judgement: { latencyRatioMax: 1.5 } };
    traffic.draw = drawRows(3, { shift: 3.5 });
    const broken = await deploy(agent, planFor("worse", "broken", { rollout }));
    expect(broken).toMatchObject({ phase: "RolledBack", reason: { code: "verdict" } });
    expect(metricOf(broken, "errors")).toMatchObject({ outcome: "fail" });
    const tripped = traffic.answers.length;
    traffic.draw = drawRows(4);
    const slow = await deploy(agent, planFor("worse", "slow", { rollout }));
    expect(slow).toMatchObject({ phase: "RolledBack", reason: { code: "verdict" } });
    expect(metricOf(slow, "latency")).toMatchObject({ outcome: "fail" });
    await traffic.stop();
    expect(traffic.answers.slice(tripped).filter(({ status }) => status !== 200)).toEqual([]);
    expect(traffic.failed).toBeLessThan(60);
    expect(await servesNow("worse")).toBe("good");
    await expect.poll(() => rowsRead("worse", "good"), WAIT).toBe(traffic.rowsOf("good") + 1 + ASKED_FIRST);
  });

  test("without traffic, and with too little of it, a candidate waits for its deadline and goes back", async ({
    expect,
  }) => {
    const traffic = await served("quiet", { requestsPerSecond: 0, rowsPerRequest: 1 });
    const waits = { monitor: drift(), rollout: { bakeSeconds: 1, deadlineSeconds: 9 } };
    const none = await deploy(agent, planFor("quiet", "same", waits));
    expect(none).toMatchObject({ phase: "RolledBack", reason: { code: "inconclusive" } });
    expect(metricOf(none, "traffic")).toMatchObject({ outcome: "inconclusive" });
    // Where the monitor had not looked yet that is an error, which holds as well.
    const held = expect.stringMatching(/^(inconclusive|error)$/);
    expect(metricOf(none, "drift")).toMatchObject({ outcome: held });
    const { id } = await submit(agent, planFor("quiet", "alike", waits));
    await until(admin, id, ({ phase, weightPercent }) => phase === "Baking" && weightPercent === 50);
    // Enough for the comparison of both versions, and too few rows for the monitor, strange as they are.
    traffic.draw = drawRows(3, { shift: 1 });
    traffic.burst(100);
    const little = await ended(admin, id);
    expect(little).toMatchObject({ phase: "RolledBack", reason: { code: "inconclusive" } });
    expect(metricOf(little, "traffic")).toMatchObject({ outcome: "pass" });
    expect(metricOf(little, "drift")).toMatchObject({ outcome: held });
    expect(await raised("quiet", { variant: id, alarm: "DataDriftAlarm" })).toEqual({ times: 0, effect: null });
    await traffic.stop();
    expect(await servesNow("quiet")).toBe("good");
    await expect.poll(() => rowsRead("quiet", "good"), WAIT).toBe(traffic.rowsOf("good") + 1 + ASKED_FIRST);
  });

  test("bursts, with nothing wrong, end in success; inputs that drift later wait for the person whom the plan asks", async ({
    expect,
  }) => {
    const monitor: Monitor = { ...everything(), watch: { seconds: 600, onAlarm: "ask" } };
    const traffic = await served("bursts", { monitor, requestsPerSecond: 5 });
    const telling = repeatedly(500, () => traffic.tellTruth(agent, at("bursts"), truthOf));
    const bursting = repeatedly(1500, async () => traffic.burst(80));
    const end = await deploy(agent, planFor("bursts", "same", { monitor, rollout: SURE }));
    await bursting.stop();
    await telling.stop();
    expect(end, JSON.stringify(end.reason)).toMatchObject({ phase: "Succeeded", weightPercent: 100 });
    for (const name of ["errors", "latency", "drift", "predictions", "quality", "bias"])
      expect(metricOf(end, name), name).toMatchObject({
        outcome: "pass",
        message: expect.not.stringMatching(/takes no part|not configured/),
      });
    expect((await raised("bursts", { variant: end.id, alarm: "DataDriftAlarm" })).times).toBe(0);

    traffic.draw = drawRows(8, { shift: 0.3 });
    traffic.requestsPerSecond = 25;
    const waitsFor = async () => (await rollout(admin, end.id)).watch?.waitsFor ?? null;
    await expect.poll(waitsFor, WAIT).toMatch(/^DataDriftAlarm: It waits for a person: the plan asks/);
    const { versions } = await printed<Shown>("monitor show bursts -e development");
    expect(versions).toMatchObject([{ variant: end.id, role: "stable", alarms: alarming("ask") }]);
    const acknowledge = (by: ApiClient) =>
      by.call("alarms.acknowledge", { params: at("bursts"), body: { alarm: "DataDriftAlarm" } });
    await expect(acknowledge(agent)).rejects.toMatchObject({ details: { problem: "humans-only" } });
    await acknowledge(admin);
    expect(await waitsFor()).toBeNull();
    await traffic.stop();
    expect(await live("bursts")).toBe(end.id);
    expect(await servesNow("bursts")).toBe("same");
    expect(traffic.failed).toBe(0);
    await expect.poll(() => rowsRead("bursts", "same"), WAIT).toBe(traffic.rowsOf("same") + 1);
    expect(await raised("bursts", { variant: end.id, alarm: "DataDriftAlarm" })).toEqual({ times: 1, effect: "ask" });
    expect(await printed(`rollout get ${end.id}`)).toMatchObject({
      watch: { over: false, restore: null, waitsFor: null },
    });
  });

  test("a monitor that is killed in the middle of windows counts every row once", async ({ expect }) => {
    const traffic = await served("counts", { requestsPerSecond: 0, rowsPerRequest: 3 });
    // Else it would be among the answers that the candidate's are compared with, or not, as it comes.
    await expect.poll(() => rowsRead("counts", "good"), WAIT).toBe(ASKED_FIRST);
    const { id } = await submit(
      agent,
      planFor("counts", "same", { monitor: drift(), rollout: { ...SURE, bakeSeconds: 300, deadlineSeconds: 600 } }),
    );
    await until(admin, id, ({ phase }) => phase === "Baking");
    traffic.requestsPerSecond = 50;
    for (const pauseMs of [1700, 2300, 1100]) {
      await sleep(pauseMs);
      await on.processes.replace("monitor");
    }
    await sleep(1000);
    await traffic.stop();
    expect(traffic.failed).toBe(0);
    const counted = async () => {
      const { readings, versions } = await shown("counts");
      const [reading] = readings;
      return {
        ...{ requests: reading?.requests, rows: reading?.rows, unreadable: reading?.unreadable },
        lost: reading?.lostRequests,
        versions: Object.fromEntries(versions.map(({ model, report }) => [model.version, report?.rows])),
        compared: versions
          .flatMap(({ report }) => report?.predictions ?? [])
          .map(({ candidate, stable }) => [candidate, stable]),
      };
    };
    const requestsOf = (version: string) => traffic.answers.filter((one) => one.version === version).length;
    const sent = {
      ...{
        requests: traffic.answers.length + ASKED_FIRST,
        rows: traffic.rowsOf() + ASKED_FIRST,
        unreadable: 0,
        lost: 0,
      },
      versions: { good: traffic.rowsOf("good") + ASKED_FIRST, same: traffic.rowsOf("same") },
      compared: [[requestsOf("same"), requestsOf("good")]],
    };
    await expect.poll(counted, WAIT).toEqual(sent);
    await on.processes.replace("monitor");
    await sleep(2000);
    expect(await counted()).toEqual(sent);
    await admin.call("rollouts.abort", { params: { id }, body: {} });
    expect(await ended(admin, id)).toMatchObject({ phase: "RolledBack", reason: { code: "aborted" } });
    expect(await servesNow("counts")).toBe("good");
    await expect.poll(() => requestsRead("counts"), WAIT).toBe(sent.requests + 1);
  });

  test("late labels that tell of wrong answers bring back what ran before", async ({ expect }) => {
    const monitor: Monitor = { baseline: stored("answers"), modelQuality: QUALITY, watch: { seconds: 600 } };
    const traffic = await served("regrets", { monitor });
    const first = await live("regrets");
    const wrong = await deploy(agent, planFor("regrets", "guessing", { monitor }));
    expect(wrong).toMatchObject({ phase: "Succeeded", watch: { over: false, onAlarm: "rollback", restore: null } });
    expect(metricOf(wrong, "quality")?.message).toContain("takes no part: labels may come after the bake");
    const telling = repeatedly(500, () => traffic.tellTruth(agent, at("regrets"), truthOf));
    const restore = async () => (await rollout(admin, wrong.id)).watch?.restore ?? null;
    await expect.poll(restore, WAIT).not.toBeNull();
    const back = await ended(admin, (await restore()) ?? "");
    expect(back).toMatchObject({
      phase: "Succeeded",
      proposer: "system",
      restores: wrong.id,
      model: { version: "good" },
    });
    await traffic.stop();
    await telling.stop();
    expect(await servesNow("regrets")).toBe("good");
    expect(traffic.failed).toBe(0);
    expect(await live("regrets")).toBe(back.id);
    expect(await printed(`rollout get ${wrong.id}`)).toMatchObject({
      phase: "Succeeded",
      watch: { over: true, restore: back.id, waitsFor: null },
    });
    expect(await raised("regrets", { variant: wrong.id, alarm: "ModelMonitorAlarm" })).toEqual({
      times: 1,
      effect: "restore",
    });
    const { items } = await admin.call("rollouts.list", { query: { environment: "development", name: "regrets" } });
    expect(items.map(({ id }) => id).sort()).toEqual([first, wrong.id, back.id].sort());
  });
});

test("a host's clock that jumps ahead and back, and a data plane that is killed then, change no verdict", async () => {
  const monitor = everything();
  const before = await requestsRead("counts");
  const traffic = await askedAbout("counts");
  const telling = repeatedly(500, () => traffic.tellTruth(agent, at("counts"), truthOf));
  const { id } = await submit(agent, planFor("counts", "same", { monitor, rollout: SURE }));
  await until(admin, id, ({ phase, weightPercent }) => phase === "Baking" && weightPercent === 50);
  for (const offsetSeconds of [3600, 0, -3600]) {
    clock.set(offsetSeconds);
    await sleep(1500);
  }
  // What comes next is captured in files with names of an hour ago. What a kill loses by itself is no concern of this.
  traffic.requestsPerSecond = 0;
  await sleep(100);
  await traffic.quiet();
  await expect.poll(() => requestsRead("counts"), WAIT).toBe(before + ASKED_FIRST + traffic.answers.length);
  await on.processes.replace("serve");
  traffic.requestsPerSecond = 25;
  await sleep(1500);
  clock.set(0);
  const end = await ended(admin, id);
  await traffic.stop();
  await telling.stop();
  expect(end, JSON.stringify(end.reason)).toMatchObject({ phase: "Succeeded" });
  expect(traffic.failed).toBe(0);
  await expect.poll(() => rowsRead("counts", "same"), WAIT).toBe(traffic.rowsOf("same"));
  const [reading] = (await shown("counts")).readings;
  expect(reading?.late).toBeGreaterThan(0);
});

test("what serves in the end is what should, the log of all this verifies, and the stop leaves nothing", async () => {
  const serving = [
    "bursts same",
    "counts same",
    "drifts good",
    "errs good",
    "quiet good",
    "regrets good",
    "worse good",
  ];
  const replicas = () => on.processes.runningReplicas().map(({ version }) => version);
  await expect.poll(() => replicas().sort(), WAIT).toEqual(serving);
  expect(on.processes.unknownReplicas()).toEqual([]);
  expect(await admin.call("audit.verify", {})).toMatchObject({ ok: true });
  expect(await on.stop()).toEqual({ code: 0, left: [] });
});
