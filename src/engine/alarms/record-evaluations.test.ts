import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AlarmEvaluation, AlarmName, AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import type { Plan } from "../../core/plan/schema.ts";
import type { EndpointRef, Rollout } from "../../core/rollout/rollout.ts";
import { insertSuppression, listTransitions, readAlarms } from "../../store/queries/alarms.ts";
import { readRestore } from "../../store/queries/watch-restores.ts";
import { listAudit } from "../audit-log.ts";
import { endpointBreaker } from "../facts.ts";
import { type EngineFixture, engineFixture, TENANT } from "../testing/engine-fixture.ts";
import { performDueRestores } from "./perform-restores.ts";
import { recordEvaluations } from "./record-evaluations.ts";

/** What alarms make of rollouts, on the simulated target and with one worker. */
let on: EngineFixture;
beforeAll(async () => {
  on = await engineFixture();
  await on.worker();
});
afterAll(() => on.close());

const LIMIT = { observed: 0.31, limit: 0.1, samples: 1500, pValue: 1e-6, adjustedPValue: 1e-5, evidence: null };
const FIGURE = { ...LIMIT, subject: "age", measure: "psi", breaching: true, message: "age: psi 0.31 above 0.1" };
const WATCHED: Plan["spec"]["monitor"] = { watch: { seconds: 3600 } };

let atMs = 0;
function evaluation(state: AlarmState, alarm: AlarmName = "DataDriftAlarm"): AlarmEvaluation {
  atMs = Math.max(atMs + 1, Date.now());
  return { alarm, state, atMs, reason: `${alarm} is ${state}: age moved`, figures: [FIGURE] };
}

function record({ id, endpoint }: Pick<Rollout, "id" | "endpoint">, ...evaluations: AlarmEvaluation[]) {
  return recordEvaluations(on.parts, { tenant: TENANT, endpoint, variant: id, evaluations });
}

const alarmsOf = (variant: string) => readAlarms(on.database, { tenant: TENANT, variant });
const restoreOf = (rollout: string) => readRestore(on.database, { tenant: TENANT, rollout });

async function effectOf(variant: string, alarm: AlarmName = "DataDriftAlarm") {
  return (await alarmsOf(variant)).find((one) => one.alarm === alarm)?.effect;
}

async function suppress(endpoint: EndpointRef, untilMs: number, alarm: AlarmName = "DataDriftAlarm") {
  const of = { id: `s-${Math.random()}`, by: "olga", reason: "a feast day", atMs: Date.now(), untilMs, alarm };
  await on.database.transaction((tx) => insertSuppression(tx, { tenant: TENANT, ...endpoint }, of));
}

let count = 0;
/** Two versions of an endpoint of its own, the second of which serves. */
async function serving(monitor: Plan["spec"]["monitor"] = WATCHED): Promise<{ first: Rollout; second: Rollout }> {
  count += 1;
  const name = `alarms-${count}`;
  const first = await on.ended((await on.propose({ name, version: "1", monitor })).id);
  const second = await on.ended((await on.propose({ name, version: "2", monitor })).id);
  expect(second.phase).toBe("Succeeded");
  return { first, second };
}

async function liveAt({ environment, target, name }: EndpointRef): Promise<string | undefined> {
  const { rows } = await on.database.query<{ live: string }>(
    "SELECT live_rollout AS live FROM endpoints WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4",
    [TENANT, environment, target, name],
  );
  return rows[0]?.live;
}

/** The rollout that brought back what ran before, once it has ended. */
async function restored(left: Rollout): Promise<Rollout> {
  for (const endMs = Date.now() + 10_000; ; await sleep(10)) {
    const { restore } = (await restoreOf(left.id)) ?? {};
    if (restore != null) return on.ended(restore);
    if (Date.now() > endMs) throw new Error(`nothing restores: ${JSON.stringify(await restoreOf(left.id))}`);
  }
}

async function audited(endpoint: EndpointRef): Promise<string[]> {
  const subject = `${endpoint.environment}/${endpoint.target}/${endpoint.name}`;
  const entries = await listAudit(on.database, { tenant: TENANT, fromPosition: 0, limit: 100, subject });
  return entries.map(({ entry }) => entry.action).filter((action) => action.startsWith("alarm."));
}

describe("states", () => {
  test("begin with too little data, and every change stands in the history with its figures", async () => {
    const { second } = await serving({});
    expect((await record(second, evaluation("INSUFFICIENT_DATA"))).transitions).toEqual([]);
    for (const state of ["OK", "OK", "ALARM", "INSUFFICIENT_DATA", "ALARM", "OK"] as const)
      await record(second, evaluation(state));
    const history = await listTransitions(on.database, { tenant: TENANT, ...second.endpoint, limit: 50 });
    expect(history.map(({ sequence, from, to }) => [sequence, from, to])).toEqual([
      [5, "ALARM", "OK"],
      [4, "INSUFFICIENT_DATA", "ALARM"],
      [3, "ALARM", "INSUFFICIENT_DATA"],
      [2, "OK", "ALARM"],
      [1, "INSUFFICIENT_DATA", "OK"],
    ]);
    expect(history[3]).toMatchObject({ reason: "DataDriftAlarm is ALARM: age moved", figures: [FIGURE] });
    expect(await audited(second.endpoint)).toEqual(["alarm.raise", "alarm.lose", "alarm.raise", "alarm.clear"]);
    expect(await alarmsOf(second.id)).toMatchObject([{ state: "OK", transitions: 5, effect: null }]);
  });

  test("take no evaluation that comes late, and none of a version that is not there", async () => {
    const { second } = await serving({});
    const late = evaluation("OK");
    await record(second, evaluation("ALARM"));
    await record(second, late);
    expect(await alarmsOf(second.id)).toMatchObject([{ state: "ALARM" }]);
    await expect(record({ ...second, id: "r-none" }, evaluation("OK"))).rejects.toMatchObject({
      code: "no-such-rollout",
    });
    const elsewhere = { ...second, endpoint: { ...second.endpoint, name: "other" } };
    await expect(record(elsewhere, evaluation("OK"))).rejects.toMatchObject({ code: "no-such-rollout" });
  });

  test("are counted once they are stored", async () => {
    const { second } = await serving({});
    const told: unknown[] = [];
    const parts = { ...on.parts, onAlarm: (fact: unknown) => void told.push(fact) };
    const of = { tenant: TENANT, endpoint: second.endpoint, variant: second.id };
    const broken = on.database.transaction(async (tx) => {
      await recordEvaluations(parts, { ...of, evaluations: [evaluation("ALARM")] }, tx);
      throw new Error("what was measured could not be stored");
    });
    await expect(broken).rejects.toThrow("could not be stored");
    expect([told, await alarmsOf(second.id), await restoreOf(second.id)]).toEqual([[], [], undefined]);
    await recordEvaluations(parts, { ...of, evaluations: [evaluation("ALARM")] });
    expect(told).toEqual([
      { environment: "development", alarm: "DataDriftAlarm", from: "INSUFFICIENT_DATA", to: "ALARM" },
    ]);
  });
});

describe("in a rollout", () => {
  const baking = async (more: { alarms?: string[] } = {}) => {
    const { first } = await serving({});
    const { name } = first.endpoint;
    const { id } = await on.propose({ name, version: "3", rollout: { bakeSeconds: 600 }, ...more });
    return on.until(id, ({ phase }) => phase === "Baking");
  };

  test("an ALARM that the plan names rolls back, in the transaction of its state", async () => {
    const candidate = await baking();
    await record(candidate, evaluation("ALARM"));
    expect(await effectOf(candidate.id)).toMatchObject({ kind: "rollout" });
    expect(await on.ended(candidate.id)).toMatchObject({
      phase: "RolledBack",
      reason: { code: "alarm", message: "DataDriftAlarm: DataDriftAlarm is ALARM: age moved" },
    });
  });

  test("a crash before the commit leaves neither, and the next look does both", async () => {
    const candidate = await baking();
    const { id: variant, endpoint } = candidate;
    const crashed = on.database.transaction(async (tx) => {
      await recordEvaluations(on.parts, { tenant: TENANT, endpoint, variant, evaluations: [evaluation("ALARM")] }, tx);
      throw new Error("killed");
    });
    await expect(crashed).rejects.toThrow("killed");
    expect([(await on.rollout(variant)).phase, await alarmsOf(variant)]).toEqual(["Baking", []]);
    await record(candidate, evaluation("ALARM"));
    expect((await on.ended(variant)).phase).toBe("RolledBack");
  });

  test("one in a pause rolls back as well", async () => {
    const candidate = await baking();
    await on.signal(candidate.id, { type: "paused", by: "olga" });
    await record(candidate, evaluation("ALARM", "ModelMonitorAlarm"));
    expect(await on.ended(candidate.id)).toMatchObject({ phase: "RolledBack", reason: { code: "alarm" } });
  });

  test("one that the plan does not name, and too little data, are recorded and change nothing", async () => {
    const candidate = await baking({ alarms: ["ModelMonitorAlarm"] });
    await record(candidate, evaluation("ALARM"), evaluation("INSUFFICIENT_DATA", "ModelMonitorAlarm"));
    expect(await effectOf(candidate.id)).toEqual({
      kind: "none",
      message: "The plan does not roll back on the alarm DataDriftAlarm.",
    });
    expect((await on.rollout(candidate.id)).phase).toBe("Baking");
    await on.signal(candidate.id, { type: "abort-requested", by: "olga" });
    await on.ended(candidate.id);
  });

  test("before the first effect nothing is undone, and what stays in ALARM is told again", async () => {
    const { first } = await serving({});
    const { name } = first.endpoint;
    // So that the pause is asked for before anything can be changed.
    on.faults.plan = ({ method }) => (method === "snapshot" ? { kind: "delay", milliseconds: 300 } : undefined);
    const waiting = await on.propose({ name, version: "3", rollout: { bakeSeconds: 600 } });
    await on.signal(waiting.id, { type: "paused", by: "olga" });
    const paused = await on.until(waiting.id, ({ phase }) => phase === "Paused");
    on.faults.plan = () => undefined;
    expect(paused.effectsStarted).toBe(false);
    await record(paused, evaluation("ALARM"));
    expect(await effectOf(paused.id)).toMatchObject({ kind: "none", message: expect.stringContaining("Nothing was") });
    await on.signal(paused.id, { type: "resumed", by: "olga" });
    await on.until(paused.id, ({ phase }) => phase === "Baking");
    await record(paused, evaluation("ALARM"));
    expect(await on.ended(paused.id)).toMatchObject({ phase: "RolledBack", reason: { code: "alarm" } });
  });

  test("a suppressed one changes nothing until its suppression is over", async () => {
    const candidate = await baking();
    const untilMs = Date.now() + 400;
    await suppress(candidate.endpoint, untilMs);
    await record(candidate, evaluation("ALARM"));
    expect(await effectOf(candidate.id)).toMatchObject({
      kind: "none",
      message: expect.stringContaining("suppressed by olga"),
    });
    expect((await on.rollout(candidate.id)).phase).toBe("Baking");
    const [transition] = await listTransitions(on.database, { tenant: TENANT, ...candidate.endpoint, limit: 1 });
    expect(transition).toMatchObject({ to: "ALARM", suppressed: true });
    await sleep(Math.max(0, untilMs - Date.now() + 5));
    await record(candidate, evaluation("ALARM"));
    expect(await on.ended(candidate.id)).toMatchObject({ phase: "RolledBack", reason: { code: "alarm" } });
  });
});

describe("in the watch period", () => {
  test("an ALARM brings back what ran before, and the breaker counts it", async () => {
    const { first, second } = await serving();
    await record(second, evaluation("ALARM"));
    const back = await restored(second);
    expect(back).toMatchObject({
      ...{ phase: "Succeeded", proposer: "system", planDigest: first.planDigest },
      restores: { rollout: second.id, alarm: "DataDriftAlarm" },
    });
    expect(await liveAt(second.endpoint)).toBe(back.id);
    const at = { tenant: TENANT, ...second.endpoint };
    expect((await endpointBreaker(on.database, on.parts, at)).breaker).toMatchObject({ state: "closed", failures: 1 });
  });

  test("a second alarm begins no second restore", async () => {
    const { second } = await serving();
    await record(second, evaluation("ALARM"), evaluation("ALARM", "ModelMonitorAlarm"));
    expect(await effectOf(second.id, "ModelMonitorAlarm")).toMatchObject({
      kind: "none",
      message: "What ran before it is coming back already.",
    });
    const back = await restored(second);
    await record(second, evaluation("ALARM", "ModelMonitorAlarm"));
    await performDueRestores(on.parts);
    const { rows } = await on.database.query("SELECT id FROM rollouts WHERE name = $1", [second.endpoint.name]);
    expect(rows).toHaveLength(3);
    expect(await liveAt(second.endpoint)).toBe(back.id);
  });

  test("an alarm of what was brought back asks a person", async () => {
    const { second } = await serving();
    await record(second, evaluation("ALARM"));
    const back = await restored(second);
    await record(back, evaluation("ALARM"));
    expect(await effectOf(back.id)).toMatchObject({
      kind: "ask",
      message: "It waits for a person: it was brought back itself, and what ran before it is what was left.",
    });
    expect(await restoreOf(back.id)).toBeUndefined();
  });

  test("where the plan says `ask`, and for a first version, a person is asked, once", async () => {
    const { second } = await serving({ watch: { seconds: 3600, onAlarm: "ask" } });
    await record(second, evaluation("ALARM"));
    await record(second, evaluation("ALARM"));
    expect(await effectOf(second.id)).toMatchObject({ kind: "ask" });
    expect(await audited(second.endpoint)).toEqual(["alarm.ask", "alarm.raise"]);
    expect(await liveAt(second.endpoint)).toBe(second.id);

    const alone = await on.ended((await on.propose({ name: "alarms-first", monitor: WATCHED })).id);
    await record(alone, evaluation("ALARM"));
    expect(await effectOf(alone.id)).toMatchObject({ kind: "ask", message: expect.stringContaining("nothing ran") });
  });

  test("a rollout that is under way holds it off, and one that succeeded ends it", async () => {
    const { second } = await serving();
    const { name } = second.endpoint;
    const newer = await on.propose({ name, version: "3", monitor: WATCHED, rollout: { bakeSeconds: 600 } });
    await on.until(newer.id, ({ phase }) => phase === "Baking");
    await record(second, evaluation("ALARM"));
    expect(await effectOf(second.id)).toMatchObject({ kind: "none", message: `The rollout ${newer.id} is under way.` });
    for (let weight = 0; weight < 100; ) {
      await on.signal(newer.id, { type: "promote-requested", by: "olga" });
      const seen = await on.until(newer.id, ({ phase, weightPercent }) => phase !== "Baking" || weightPercent > weight);
      weight = seen.phase === "Succeeded" || seen.phase === "Promoting" ? 100 : seen.weightPercent;
      if (weight === 100 && seen.phase === "Baking")
        await on.signal(newer.id, { type: "promote-requested", by: "olga" });
    }
    expect((await on.ended(newer.id)).phase).toBe("Succeeded");
    await record(second, evaluation("ALARM"));
    expect(await effectOf(second.id)).toMatchObject({ message: "This version does not serve any more." });
    expect(await liveAt(second.endpoint)).toBe(newer.id);
  });

  test("a suppressed alarm, one after the period, and one without a period change nothing", async () => {
    const { second } = await serving();
    await suppress(second.endpoint, Date.now() + 60_000);
    await record(second, evaluation("ALARM"));
    expect(await effectOf(second.id)).toMatchObject({ message: expect.stringContaining("suppressed") });
    const later = { ...on.parts, nowMs: () => Date.now() + 3_700_000 };
    const of = { tenant: TENANT, endpoint: second.endpoint, variant: second.id };
    await recordEvaluations(later, { ...of, evaluations: [evaluation("ALARM")] });
    expect(await effectOf(second.id)).toMatchObject({ message: expect.stringContaining("watch period ended") });

    const { second: unwatched } = await serving({});
    await record(unwatched, evaluation("ALARM"));
    expect(await effectOf(unwatched.id)).toMatchObject({ message: expect.stringContaining("no watch period") });
    expect([await restoreOf(second.id), await restoreOf(unwatched.id)]).toEqual([undefined, undefined]);
  });
});

describe("a restore that was wanted", () => {
  test("is begun by whoever comes after a crash, and once, whoever looks", async () => {
    const quiet = await engineFixture();
    try {
      const worker = await quiet.worker();
      const first = await quiet.ended((await quiet.propose({ name: "crash", version: "1", monitor: WATCHED })).id);
      const second = await quiet.ended((await quiet.propose({ name: "crash", version: "2", monitor: WATCHED })).id);
      await worker.stop(2000);
      const of = { tenant: TENANT, endpoint: second.endpoint, variant: second.id };
      await recordEvaluations(quiet.parts, { ...of, evaluations: [evaluation("ALARM")] });
      const wish = () => readRestore(quiet.database, { tenant: TENANT, rollout: second.id });
      expect(await wish()).toMatchObject({ outcome: null, attempts: 0 });
      await Promise.all([1, 2, 3].map(() => performDueRestores(quiet.parts)));
      const begun = await wish();
      expect(begun).toMatchObject({ outcome: "proposed", attempts: 1 });
      // Died between the proposal and its note.
      await quiet.database.query("UPDATE watch_restores SET outcome = NULL, restore = NULL, not_before = 'epoch'");
      await performDueRestores(quiet.parts);
      expect(await wish()).toMatchObject({ outcome: "proposed", restore: begun?.restore });
      const { rows } = await quiet.database.query("SELECT id FROM rollouts WHERE plan_digest = $1", [first.planDigest]);
      expect(rows).toHaveLength(2);
    } finally {
      await quiet.close();
    }
  });

  test("is given up when the alarm ended before it could begin, and wanted again by the next one", async () => {
    const quiet = await engineFixture();
    try {
      const worker = await quiet.worker();
      await quiet.ended((await quiet.propose({ name: "short", version: "1", monitor: WATCHED })).id);
      const second = await quiet.ended((await quiet.propose({ name: "short", version: "2", monitor: WATCHED })).id);
      await worker.stop(2000);
      const look = (state: AlarmState) =>
        recordEvaluations(quiet.parts, {
          ...{ tenant: TENANT, endpoint: second.endpoint, variant: second.id, evaluations: [evaluation(state)] },
        });
      const wish = () => readRestore(quiet.database, { tenant: TENANT, rollout: second.id });
      await look("ALARM");
      await look("OK");
      await performDueRestores(quiet.parts);
      expect(await wish()).toMatchObject({ outcome: "given-up", message: "The alarm ended." });
      await look("ALARM");
      expect(await wish()).toMatchObject({ outcome: null });
      await performDueRestores(quiet.parts);
      expect(await wish()).toMatchObject({ outcome: "proposed" });
    } finally {
      await quiet.close();
    }
  });
});
