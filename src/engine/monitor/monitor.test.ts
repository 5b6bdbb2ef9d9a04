import { truncate, unlink } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";
import type { Plan } from "../../core/plan/schema.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { monitorMetrics } from "./monitor-metrics.ts";
import { type MonitorReport, readMonitorHosts, readMonitorReport } from "./monitor-report.ts";
import { baselineOf, captureLine, endpointAt, type MonitorFixture, monitorFixture } from "./testing/monitor-fixture.ts";

let on: MonitorFixture;
let baseline: string;
beforeAll(async () => {
  on = await monitorFixture();
  const artifact = await on.artifacts.put("acme", baselineOf({ age: normals(2000, 1), income: normals(2000, 2) }));
  baseline = `store:${artifact.digest}`;
});
afterAll(() => on?.close());

/** The same numbers for the same seed: a sum of twelve uniform draws, less six. */
function normals(count: number, seed: number, shift = 0): number[] {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return Array.from({ length: count }, () => shift + Array.from({ length: 12 }, next).reduce((a, b) => a + b, -6));
}

type Drift = NonNullable<NonNullable<Plan["spec"]["monitor"]>["dataDrift"]>;
const monitorOf = (dataDrift: Drift = {}) => ({ baseline, dataDrift: { rowsMin: 100, ...dataDrift } });

/** Requests of one version, a second apart from `fromMs` on. */
function lines(
  variant: string,
  of: { count: number; seed?: number; shift?: number; fromMs?: number; everyMs?: number },
): string[] {
  const { count, seed = 5, shift = 0, fromMs = on.clock.nowMs - 300_000, everyMs = 1000 } = of;
  const ages = normals(count, seed, shift);
  const incomes = normals(count, seed + 1);
  return ages.map((age, at) => captureLine({ variant, atMs: fromMs + at * everyMs, row: [age, incomes[at] ?? 0] }));
}

async function reported(at: EndpointKey, variant: string): Promise<MonitorReport> {
  const report = await readMonitorReport(on.database, at, variant);
  if (report === undefined) throw new Error(`nothing was reported of ${variant}`);
  return report;
}

async function countsOf(at: EndpointKey) {
  return Object.fromEntries((await readMonitorHosts(on.database, at)).map(({ host, counts }) => [host, counts]));
}

describe("a monitor", () => {
  test("turns what was captured of a version into rows beside its baseline, and counts what it cannot read", async () => {
    const at = endpointAt("basic");
    await on.serve({ at, variant: "basic-1", role: "live", monitor: monitorOf() });
    await on.capture(at, [
      ...lines("basic-1", { count: 150 }),
      "no json",
      captureLine({ variant: "basic-1", atMs: on.clock.nowMs - 1000, row: [1], status: 500 }),
      captureLine({ variant: "basic-1", atMs: on.clock.nowMs - 1000, row: [1, 2, 3] }),
      captureLine({ variant: "somebody-else", atMs: on.clock.nowMs - 1000, row: [1, 2] }),
    ]);
    const monitor = on.monitor();
    for (let look = 0; look < 3; look += 1) await monitor.lookAtAll();
    expect(await countsOf(at)).toEqual({
      here: expect.objectContaining({ requests: 152, rows: 150, unreadable: 1, failed: 1, wrongShape: 1, late: 0 }),
    });
    const report = await reported(at, "basic-1");
    expect(report).toMatchObject({ rows: 150, baseline: { rows: 2000, columns: 2, isExact: true } });
    expect(report.evaluations).toMatchObject([{ alarm: "DataDriftAlarm", state: "INSUFFICIENT_DATA" }]);
    expect(on.logged.filter(({ event }) => event === "endpoint-not-monitored")).toEqual([]);
  });
});
