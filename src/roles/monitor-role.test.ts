import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMonitorHosts, readMonitorReport } from "../engine/monitor/monitor-report.ts";
import {
  baselineOf,
  endpointAt,
  HOST,
  type MonitorFixture,
  monitorFixture,
} from "../engine/monitor/testing/monitor-fixture.ts";
import { Capture } from "../serving/router/capture.ts";
import { PROTOCOL_FIELDS } from "../serving/router/capture-fields.ts";
import { startMonitorRole } from "./monitor-role.ts";

// The role as it runs, over captures that the data plane's own code wrote.

let on: MonitorFixture;
let folder: string;
beforeAll(async () => {
  on = await monitorFixture();
  folder = await mkdtemp(join(tmpdir(), "continuum-monitor-role-"));
});
afterAll(async () => {
  await on?.close();
  await rm(folder, { recursive: true, force: true });
});

test("reads what serving captured, over rotated files, and tells of its work without naming anybody", async () => {
  const values = Array.from({ length: 500 }, (_, index) => index / 500);
  const { digest } = await on.artifacts.put("acme", baselineOf({ age: values, income: values }));
  const at = endpointAt("captured");
  const monitor = { baseline: `store:${digest}`, dataDrift: { rowsMin: 50, windowRows: 50 } };
  await on.serve({ at, variant: "captured-1", role: "live", monitor });
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const bounds = { fileBytesMax: 2000, keptBytesMax: 1e7, queueBytesMax: 1e6, flushMs: 60_000 };
  const rules = { fields: PROTOCOL_FIELDS, textFields: [], pseudonymFields: [] };
  const capture = new Capture({ directory: folder, enabled: true, log: quiet, rules, ...bounds });
  for (let request = 0; request < 60; request += 1) {
    capture.record(captured(request));
    if (request % 10 === 9) await capture.flush();
  }
  await capture.close();
  const role = await startMonitorRole({
    parts: { ...on.parts(), captureDir: folder },
    ...{ opsHost: "127.0.0.1", opsPort: 0, clockProblem: () => undefined, close: async () => undefined },
  });
  const seen = async () => (await readMonitorReport(on.database, at, "captured-1"))?.rows;
  await expect.poll(seen, { timeout: 20_000 }).toBe(60);
  expect(await readMonitorHosts(on.database, at)).toMatchObject([
    { host: HOST, counts: { requests: 60, rows: 60, unreadable: 0, answersUnread: 0, lostFiles: 0 } },
  ]);
  const { rows } = await on.database.query<{ files: Record<string, unknown> }>("SELECT files FROM monitor_offsets");
  expect(Object.keys(rows[0]?.files ?? {}).length).toBeGreaterThan(2);

  const { opsUrl = "" } = role.ready;
  const page = await (await fetch(`${opsUrl}/metrics`)).text();
  expect(page).toContain('continuum_monitor_rows_total{role="monitor"} 60');
  expect(page).not.toMatch(/acme|captured-1|income/);
  expect((await fetch(`${opsUrl}/readyz`)).status).toBe(200);

  // What one tenant's monitor found is another's to see in no way.
  const api = on.on.openAs("api", { max: 1 });
  expect(await readMonitorReport(api.forTenant("acme"), at, "captured-1")).toBeDefined();
  expect(await readMonitorReport(api.forTenant("other"), at, "captured-1")).toBeUndefined();
  await role.stop();
});

function captured(request: number): Parameters<Capture["record"]>[0] {
  const body = (value: unknown) => ({ contentType: "application/json", body: Buffer.from(JSON.stringify(value)) });
  const atMs = on.clock.nowMs - 120_000 + request * 1000;
  return {
    ...{ tenant: "acme", endpoint: "development-captured", variant: "captured-1", role: "stable", modelVersion: "1" },
    ...{ candidateProbability: 0, status: 200, latencyMs: 1, requestId: `r-${request}`, atMs },
    ...{ inferenceId: undefined, attempts: 1, failedOver: false },
    input: body({ instances: [[((request * 37) % 60) / 60, ((request * 23) % 60) / 60]] }),
    output: body({ predictions: [{ probability: 0.5, label: 1 }] }),
  };
}
