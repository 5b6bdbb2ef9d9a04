import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MetricVerdict } from "../../core/monitor/verdict.ts";
import { insertSuppression } from "../../store/queries/alarms.ts";
import type { MonitorMetrics } from "../engine.ts";
import { type EngineFixture, engineFixture, TENANT } from "../testing/engine-fixture.ts";
import { Worker } from "../worker.ts";

/** What the monitor says, in the bakes of a worker. */
let on: EngineFixture;
let worker: Worker;
let drift: MetricVerdict["outcome"] | "away" = "pass";
const monitorMetrics: MonitorMetrics = async () => {
  if (drift === "away") throw new Error("it is being migrated");
  return [{ metric: "drift", outcome: drift, message: `drift is ${drift}`, observed: 0.3, limit: 0.1 }];
};

beforeAll(async () => {
  on = await engineFixture();
  worker = new Worker({ parts: { ...on.parts, monitorMetrics }, host: "here" });
  await worker.start();
});
afterAll(async () => {
  await worker.stop(2000);
  await on.close();
});

const MONITOR = { baseline: `store:sha256:${"b".repeat(64)}`, dataDrift: {} };

async function second(name: string, alarms?: string[]) {
  drift = "inconclusive";
  const first = await on.propose({ name, version: "1", monitor: MONITOR });
  expect((await on.ended(first.id)).phase).toBe("Succeeded");
  const rollout = { bakeSeconds: 600 };
  const { id } = await on.propose({ name, version: "2", monitor: MONITOR, rollout, ...(alarms && { alarms }) });
  return on.until(id, ({ phase }) => phase === "Baking");
}

describe("what the monitor says", () => {
  test("holds no first version up, and fails a candidate whose plan names the alarm", async () => {
    const { id } = await second("looks-1");
    drift = "fail";
    expect(await on.ended(id)).toMatchObject({
      phase: "RolledBack",
      reason: { code: "verdict", message: "drift is fail" },
    });
  });

  test("fails nothing while the alarm is suppressed", async () => {
    const candidate = await second("looks-2");
    const of = { id: "s-1", by: "olga", reason: "known", atMs: Date.now(), untilMs: Date.now() + 60_000 };
    await on.database.transaction((tx) =>
      insertSuppression(tx, { tenant: TENANT, ...candidate.endpoint }, { ...of, alarm: "DataDriftAlarm" }),
    );
    drift = "fail";
    // Longer than a watch goes without asking again.
    await sleep(2300);
    expect((await on.rollout(candidate.id)).phase).toBe("Baking");
    await on.signal(candidate.id, { type: "abort-requested", by: "olga" });
    await on.ended(candidate.id);
  });

  test("a monitor that cannot be asked is told as that", async () => {
    drift = "away";
    const first = await on.propose({ name: "looks-3", version: "1", monitor: MONITOR });
    expect((await on.ended(first.id)).phase).toBe("Succeeded");
    const rows = await on.database.query<{ verdict: { metrics: MetricVerdict[] } }>(
      "SELECT payload->'verdict' AS verdict FROM rollout_events WHERE rollout = $1 AND type = 'watched'",
      [first.id],
    );
    expect(rows.rows[0]?.verdict.metrics).toContainEqual({
      ...{ metric: "drift", outcome: "pass", observed: null, limit: null },
      message:
        "the monitor could not be asked: it is being migrated (takes no part: nothing is captured in a simulation)",
    });
  });
});
