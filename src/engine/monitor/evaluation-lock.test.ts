import { afterAll, beforeAll, expect, test } from "vitest";
import { lockEvaluation } from "../../store/queries/monitor-windows.ts";
import { readMonitorReport } from "./monitor-report.ts";
import { baselineOf, captureLine, endpointAt, type MonitorFixture, monitorFixture } from "./testing/monitor-fixture.ts";

let on: MonitorFixture;
beforeAll(async () => {
  on = await monitorFixture();
});
afterAll(() => on?.close());

test("what was stored while another monitor was at an evaluation is in the next one, though nothing more comes", async () => {
  const at = endpointAt("shared");
  const { digest } = await on.artifacts.put("acme", baselineOf({ age: Array.from({ length: 500 }, (_, one) => one) }));
  await on.serve({ at, variant: "shared-1", role: "live", monitor: { baseline: `store:${digest}`, dataDrift: {} } });
  const line = (age: number) => captureLine({ variant: "shared-1", atMs: on.clock.nowMs, row: [age] });
  const rows = async () => (await readMonitorReport(on.database, at, "shared-1"))?.rows;
  const monitor = on.monitor();
  await on.capture(at, [line(1), line(2)]);
  await monitor.lookAtAll();
  expect(await rows()).toBe(2);
  await on.capture(at, [line(3)]);
  await on.database.transaction(async (tx) => {
    expect(await lockEvaluation(tx, at)).toBe(true);
    await monitor.lookAtAll();
  });
  expect(await rows()).toBe(2);
  await monitor.lookAtAll();
  expect(await rows()).toBe(3);
});
