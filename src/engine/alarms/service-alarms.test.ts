import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import { readAlarms } from "../../store/queries/alarms.ts";
import { createReconciler } from "../reconcile.ts";
import { type EngineFixture, engineFixture, TENANT } from "../testing/engine-fixture.ts";
import { createServiceAlarms } from "./service-alarms.ts";

let on: EngineFixture;
beforeAll(async () => {
  on = await engineFixture();
  await on.worker();
});
afterAll(() => on.close());

const HEALTHY = { outcome: "pass", errorRate: 0, latencyMs: 2, trips: false } as const;
const ALARMS = ["ErrorRateAlarm", "LatencyAlarm", "HealthAlarm"];
const MONITOR = { watch: { seconds: 3600 } };
const says = (version: string, state: AlarmState) =>
  on.behaviour.set(version, { ...HEALTHY, alarms: [{ alarm: "ErrorRateAlarm", state }] });
const alarmsOf = (variant: string) => readAlarms(on.database, { tenant: TENANT, variant });

test("errors of the version that serves bring back what ran before, within its watch period", async () => {
  const described = createServiceAlarms(on.parts);
  const reconcile = createReconciler({ parts: on.parts, host: "here", targets: ["simulated"], described });
  const plan = { name: "serves", monitor: MONITOR, alarms: ALARMS };
  const first = await on.ended((await on.propose({ ...plan, version: "s.1" })).id);
  const second = await on.ended((await on.propose({ ...plan, version: "s.2" })).id);
  says("s.2", "OK");
  await reconcile();
  const [calm] = await alarmsOf(second.id);
  expect(calm).toMatchObject({ alarm: "ErrorRateAlarm", state: "OK" });
  await reconcile();
  expect((await alarmsOf(second.id))[0]?.evaluatedAtMs).toBe(calm?.evaluatedAtMs);

  says("s.2", "ALARM");
  await reconcile();
  expect(await alarmsOf(second.id)).toMatchObject([{ state: "ALARM", effect: { kind: "restore" } }]);
  for (const endMs = Date.now() + 10_000; ; await sleep(20)) {
    const { rows } = await on.database.query<{ live: string }>(
      "SELECT plan_digest AS live FROM rollouts JOIN endpoints ON live_rollout = id WHERE endpoints.name = 'serves'",
    );
    if (rows[0]?.live === first.planDigest) break;
    if (Date.now() > endMs) throw new Error("what ran before does not come back");
  }
});

test("of a host whose clock was set back count at once", async () => {
  const described = createServiceAlarms(on.parts);
  const serving = await on.ended((await on.propose({ name: "jumps", version: "j.1", alarms: ALARMS })).id);
  const says = (state: AlarmState, atMs: number) => {
    const stable = { variant: serving.id, role: "stable" };
    const alarm = { alarm: "ErrorRateAlarm", state, atMs, reason: state, figures: [] };
    return described({ tenant: TENANT, endpoint: serving.endpoint }, { variants: [stable], alarms: [alarm] } as never);
  };
  await says("OK", Date.now() + 86_400_000);
  await says("ALARM", Date.now());
  expect(await alarmsOf(serving.id)).toMatchObject([{ alarm: "ErrorRateAlarm", state: "ALARM" }]);
});

test("what cannot be recorded is logged, and the look goes on", async () => {
  const described = createServiceAlarms(on.parts);
  const endpoint = { environment: "development", target: "simulated", name: "nowhere" } as const;
  const stats = { requests: 0, errors: 0, latencyMs: { p50: null, p99: null }, replicas: { wanted: 1, healthy: 1 } };
  const stable = { ...stats, variant: "r-none", modelVersion: "1", percent: 100, artifactDigest: "", role: "stable" };
  const alarm = { alarm: "HealthAlarm", state: "OK", atMs: 1, reason: "fine", figures: [] } as const;
  const status = { generation: 1, variants: [stable], invokeUrl: null, simulated: true, alarms: [alarm] } as never;
  await described({ tenant: TENANT, endpoint }, status);
  expect(on.logged.at(-1)).toMatchObject({ event: "alarms-not-recorded", facts: { variant: "r-none" } });
});
