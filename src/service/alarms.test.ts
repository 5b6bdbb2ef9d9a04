import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AlarmEvaluation, AlarmName, AlarmState } from "../core/monitor/alarm/evaluation.ts";
import { recordEvaluations } from "../engine/alarms/record-evaluations.ts";
import type { Principal } from "./principal.ts";
import { BROKEN, planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let olga: Principal;
let robot: Principal;
let vera: Principal;
let artifact: string;
beforeAll(async () => {
  on = await serviceFixture();
  olga = await on.principal("olga", "human", ["operator"]);
  robot = await on.principal("robot", "agent", ["operator"], "olga");
  vera = await on.principal("vera", "human", ["viewer"]);
  artifact = await on.artifact("a model that is watched");
  await on.worker();
});
afterAll(() => on.close());

const FIGURE = { observed: 0.31, limit: 0.1, samples: 1500, pValue: 1e-6, adjustedPValue: 1e-5, evidence: null };
const AGE = { ...FIGURE, subject: "age", measure: "psi", breaching: true, message: "age: psi 0.31 above 0.1" };

async function served(name: string, watch?: { seconds: number; onAlarm?: "rollback" | "ask" }) {
  const plan = planOf({ artifact, name });
  if (watch !== undefined) plan.spec.monitor = { watch };
  const { id } = await on.call("plans.submit", olga, { body: { plan } });
  const rollout = await on.until(id, ["Succeeded"]);
  return { ...rollout, at: { environment: "development", target: "local", name } as const };
}
type Served = Awaited<ReturnType<typeof served>>;

async function look({ id: variant, endpoint }: Served, state: AlarmState, alarm: AlarmName = "DataDriftAlarm") {
  on.clock.offsetMs += 1000;
  const reason = `${alarm}: age moved`;
  const evaluation: AlarmEvaluation = { alarm, state, atMs: on.parts.nowMs(), reason, figures: [AGE] };
  await recordEvaluations(on.workerParts, { tenant: "default", endpoint, variant, evaluations: [evaluation] });
}

const WHY = "a feast day, the inputs are as they are";
const suppress = (by: Principal, { at }: Served, seconds = 600) =>
  on.call("alarms.suppress", by, { params: at, body: { alarm: "DataDriftAlarm", reason: WHY, seconds } });
const listed = ({ at }: Served) => on.call("alarms.list", vera, { query: { ...at } });

describe("alarms", () => {
  test("are listed with their arithmetic, page by page, and their history newest first", async () => {
    const rollout = await served("listed");
    for (const state of ["OK", "ALARM"] as const) await look(rollout, state);
    await look(rollout, "INSUFFICIENT_DATA", "ModelMonitorAlarm");
    const { items } = await listed(rollout);
    expect(items).toMatchObject([
      { alarm: "DataDriftAlarm", state: "ALARM", variant: rollout.id, figures: [AGE], effect: { kind: "none" } },
      { alarm: "ModelMonitorAlarm", state: "INSUFFICIENT_DATA", effect: null, suppression: null },
    ]);
    const page = await on.call("alarms.list", vera, { query: { ...rollout.at, limit: 1 } });
    const next = { ...rollout.at, limit: 1, cursor: page.nextCursor ?? "" };
    expect((await on.call("alarms.list", vera, { query: next })).items).toEqual(items.slice(1));
    const alarming = await on.call("alarms.list", vera, { query: { ...rollout.at, state: "ALARM" } });
    expect(alarming.items).toEqual(items.slice(0, 1));

    const history = await on.call("alarms.history", vera, { params: rollout.at, query: { limit: 1 } });
    expect(history.items).toMatchObject([{ from: "OK", to: "ALARM", figures: [AGE], suppressed: false }]);
    const rest = await on.call("alarms.history", vera, {
      ...{ params: rollout.at, query: { cursor: history.nextCursor ?? "", alarm: "DataDriftAlarm" } },
    });
    expect(rest.items).toMatchObject([{ from: "INSUFFICIENT_DATA", to: "OK" }]);
    const half = on.call("alarms.list", vera, { query: { name: "listed" } });
    await expect(half).rejects.toMatchObject({ code: "malformed-request" });
  });

  test("are acknowledged by a person, while they last", async () => {
    const rollout = await served("seen", { seconds: 3600 });
    const acknowledge = (by: Principal, variant?: string) =>
      on.call("alarms.acknowledge", by, {
        params: rollout.at,
        body: { alarm: "DataDriftAlarm", comment: "looking at it", ...(variant === undefined ? {} : { variant }) },
      });
    await expect(acknowledge(olga)).rejects.toMatchObject({ code: "not-found" });
    await look(rollout, "OK");
    await expect(acknowledge(olga)).rejects.toMatchObject({ code: "not-acceptable-now" });
    await look(rollout, "ALARM");
    const waits = () => on.call("rollouts.get", vera, { params: { id: rollout.id } });
    expect((await waits()).watch?.waitsFor).toBe("DataDriftAlarm: It waits for a person: nothing ran before it.");
    await expect(acknowledge(robot)).rejects.toMatchObject({ code: "humans-only" });
    await expect(acknowledge(vera)).rejects.toMatchObject({ code: "forbidden" });
    await expect(acknowledge(olga, "r-none")).rejects.toMatchObject({ code: "not-found" });
    expect(await acknowledge(olga)).toMatchObject({ acknowledgement: { by: "olga", comment: "looking at it" } });
    expect((await waits()).watch?.waitsFor).toBeNull();
    await look(rollout, "OK");
    expect((await listed(rollout)).items).toMatchObject([{ state: "OK", acknowledgement: null }]);
  });

  test("are suppressed by a person, for a while and with a reason, which the audit log does not repeat", async () => {
    const rollout = await served("quiet", { seconds: 3600 });
    await expect(suppress(robot, rollout)).rejects.toMatchObject({ code: "humans-only" });
    await expect(suppress(vera, rollout)).rejects.toMatchObject({ code: "forbidden" });
    expect(await suppress(olga, rollout)).toMatchObject({ by: "olga", reason: WHY, alarm: "DataDriftAlarm" });
    await look(rollout, "ALARM");
    expect((await listed(rollout)).items).toMatchObject([
      {
        ...{ state: "ALARM", suppression: { by: "olga", reason: WHY } },
        effect: { kind: "none", message: expect.stringContaining("suppressed by olga") },
      },
    ]);
    on.clock.offsetMs += 601_000;
    expect((await listed(rollout)).items).toMatchObject([{ state: "ALARM", suppression: null }]);
    await look(rollout, "ALARM");
    expect((await listed(rollout)).items).toMatchObject([{ effect: { kind: "ask" } }]);

    await suppress(olga, rollout);
    await suppress(olga, rollout, 1200);
    const end = () => on.call("alarms.unsuppress", olga, { params: rollout.at, body: { alarm: "DataDriftAlarm" } });
    expect([await end(), await end()]).toEqual([{ ended: true }, { ended: false }]);
    const { items } = await on.call("audit.list", await on.admin(), {
      query: { subject: "development/local/quiet", limit: 200 },
    });
    expect(items.map(({ action }) => action)).toEqual([
      ...["alarm.suppress", "alarm.raise", "alarm.ask", "alarm.suppress", "alarm.suppress", "alarm.unsuppress"],
    ]);
    expect(JSON.stringify(items)).not.toContain("feast");
  });
});

describe("the monitor of an endpoint", () => {
  test("shows its versions with alarms, watch period and suppressions", async () => {
    const rollout = await served("shown", { seconds: 3600, onAlarm: "ask" });
    await look(rollout, "ALARM");
    await suppress(olga, rollout);
    const monitor = await on.call("monitors.get", vera, { params: rollout.at });
    expect(monitor).toMatchObject({
      versions: [
        {
          ...{ variant: rollout.id, role: "stable", model: { name: "shown", version: "1.0.0" }, report: null },
          alarms: [{ alarm: "DataDriftAlarm", state: "ALARM", suppression: { by: "olga" } }],
          watch: { over: false, onAlarm: "ask", waitsFor: expect.stringContaining("waits for a person") },
        },
      ],
      suppressions: [{ alarm: "DataDriftAlarm", reason: WHY }],
      readings: [],
    });
    const nowhere = on.call("monitors.get", vera, { params: { ...rollout.at, name: "nowhere" } });
    await expect(nowhere).rejects.toMatchObject({ code: "not-found" });
  });

  test("a rollout shows the newest verdict with its figures", async () => {
    const rollout = await served("judged");
    const { verdict, watch } = await on.call("rollouts.get", vera, { params: { id: rollout.id } });
    expect(verdict).toMatchObject({ outcome: "pass", metrics: [{ outcome: "pass" }] });
    expect(watch).toBeNull();
  });
});

test("an open breaker does not stop the way back that an alarm takes", async () => {
  on.behaviour.set("broken", BROKEN);
  const submit = async (version: string) => {
    const plan = planOf({ artifact, name: "tripped", version });
    plan.spec.monitor = { watch: { seconds: 3600 } };
    return on.call("plans.submit", olga, { body: { plan } });
  };
  const first = await submit("1");
  await on.until(first.id, ["Succeeded"]);
  const second = await submit("2");
  await on.until(second.id, ["Succeeded"]);
  await on.database.query(`UPDATE tenants SET settings = '{"breaker": {"failures": 1}}'`);
  try {
    await on.until((await submit("broken")).id, ["RolledBack"]);
    const at = { environment: "development", target: "local", name: "tripped" } as const;
    expect(await on.call("breakers.show", vera, { params: at })).toMatchObject({ state: "open" });
    await expect(submit("3")).resolves.toMatchObject({ phase: "Denied" });
    await look({ ...(await on.until(second.id, ["Succeeded"])), at }, "ALARM");
    await expect
      .poll(async () => (await on.call("endpoints.get", vera, { params: at })).model, { timeout: 10_000 })
      .toMatchObject({ version: "1" });
    expect(await on.call("breakers.show", vera, { params: at })).toMatchObject({ state: "open", failures: 2 });
  } finally {
    await on.database.query("UPDATE tenants SET settings = '{}'");
  }
});
