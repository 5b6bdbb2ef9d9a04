import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Plan } from "../../core/plan/schema.ts";
import type { Artifacts } from "../../drivers/artifacts/artifacts.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { BaselineBook } from "./baseline-book.ts";
import { Monitor } from "./monitor.ts";
import { readMonitorHosts, readMonitorReport } from "./monitor-report.ts";
import { profileBaseline } from "./profile-baseline.ts";
import { baselineOf, captureLine, endpointAt, type MonitorFixture, monitorFixture } from "./testing/monitor-fixture.ts";

// What a tenant puts into a plan or a baseline, and a caller into a request, to stop the monitor of all.

let on: MonitorFixture;
let baseline: string;
const VALUES = Array.from({ length: 500 }, (_, at) => Math.sin(at));
beforeAll(async () => {
  on = await monitorFixture();
  baseline = `store:${(await on.artifacts.put("acme", baselineOf({ age: VALUES }))).digest}`;
});
afterAll(() => on?.close());
afterEach(async () => {
  await on.database.query("UPDATE endpoints SET live_rollout = NULL");
});

type MonitorPlan = NonNullable<Plan["spec"]["monitor"]>;
async function serve(name: string, monitor: MonitorPlan): Promise<EndpointKey> {
  const at = endpointAt(name);
  await on.serve({ at, variant: `${name}-1`, role: "live", monitor });
  return at;
}
const line = (name: string, row: readonly number[], at = 0) =>
  captureLine({ variant: `${name}-1`, atMs: on.clock.nowMs - 60_000 + at, row });
const failures = (name: string) =>
  on.logged.filter(
    ({ event, facts }) => event === "endpoint-not-monitored" && facts["endpoint"] === `development-${name}`,
  );

describe("a tenant's plan", () => {
  test("with a column named like what every object has is watched like any other, after a restart too", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const columns = Object.fromEntries(names.map((name) => [name, VALUES]));
    const { digest } = await on.artifacts.put("acme", baselineOf(columns));
    const at = await serve("proto", { baseline: `store:${digest}`, dataDrift: { rowsMin: 10 } });
    for (let look = 0; look < 3; look += 1) {
      await on.capture(
        at,
        Array.from({ length: 20 }, (_, n) => line("proto", [9, 9, 9, 9], look * 1000 + n)),
      );
      await on.monitor().lookAtAll();
    }
    const report = await readMonitorReport(on.database, at, "proto-1");
    expect(failures("proto")).toEqual([]);
    expect(report?.sequential?.rows).toBe(60);
    expect(report?.sequential?.columns.map(({ column }) => column).sort()).toEqual(names.toSorted());
  });

  test("with a threshold for what is no metric is evaluated still, and the threshold named", async () => {
    const modelQuality = { label: "churned", labelledMin: 5, thresholds: { constructor: 0.5, __proto__: 1 } };
    const at = await serve("nometric", { modelQuality });
    await on.capture(at, [line("nometric", [1])]);
    await on.monitor().lookAtAll();
    const report = await readMonitorReport(on.database, at, "nometric-1");
    expect(failures("nometric")).toEqual([]);
    expect(report?.evaluations).toMatchObject([{ alarm: "ModelMonitorAlarm", state: "INSUFFICIENT_DATA" }]);
  });

  test("whose baseline is broken or too large has it read once, and not at every look", async () => {
    const broken = await on.artifacts.put("acme", Buffer.from('a,b\n1,"2'));
    const names = ["broken-a", "broken-b"];
    for (const name of names) await serve(name, { baseline: `store:${broken.digest}`, dataDrift: {} });
    let reads = 0;
    const parts = on.parts();
    const artifacts: Artifacts = Object.assign(Object.create(on.artifacts), {
      read: (tenant: string, digest: string) => {
        reads += 1;
        return on.artifacts.read(tenant, digest);
      },
      stat: (tenant: string, digest: string) => on.artifacts.stat(tenant, digest),
    });
    const { database, nowMs } = parts;
    const baselines = new BaselineBook({ database, nowMs, artifacts, profile: profileBaseline });
    const monitor = new Monitor({ ...parts, baselines }, { keptMax: 1 });
    for (let look = 0; look < 5; look += 1) await monitor.lookAtAll();
    expect(reads).toBe(1);
    const report = await readMonitorReport(on.database, endpointAt("broken-a"), "broken-a-1");
    expect(report?.baselineProblem).toContain("does not end");
    const large = async () => ({ digest: broken.digest, sizeBytes: 2 ** 31, encrypted: true, createdAtMs: 0 });
    const huge: Artifacts = Object.assign(Object.create(artifacts), { stat: large });
    const refused = await new BaselineBook({ database, nowMs, artifacts: huge, profile: profileBaseline }).of("acme", {
      ...{ variant: "v", modelArtifact: "", baselineDigest: broken.digest },
      settings: { baseline, dataDrift: null, modelQuality: null, bias: null, watch: { seconds: 0, onAlarm: "ask" } },
      judgement: {
        ...{ alpha: 0.01, requestsMin: 1, errorRateExcessMax: 0, latencyRatioMax: 1, promoteOn: "limit" },
        onPredictionShift: "alarm",
      },
    });
    expect(refused).toMatchObject({ ok: false, problem: expect.stringContaining("bytes") });
    expect(reads).toBe(1);
  });

  test("with more columns than a shared monitor can watch is told so, and its drift is no OK", async () => {
    const columns = Object.fromEntries(Array.from({ length: 2001 }, (_, at) => [`c${at}`, [1, 2, 3]]));
    const { digest } = await on.artifacts.put("acme", baselineOf(columns));
    const dataDrift = { rowsMin: 1 };
    const at = await serve("columns", { baseline: `store:${digest}`, dataDrift });
    await on.monitor().lookAtAll();
    const report = await readMonitorReport(on.database, at, "columns-1");
    expect(report?.baselineProblem).toContain("2001 columns to watch");
    expect(report?.evaluations).toMatchObject([{ alarm: "DataDriftAlarm", state: "INSUFFICIENT_DATA" }]);
    const fewer = await serve("fewer", { baseline: `store:${digest}`, dataDrift: { ...dataDrift, ignore: ["c0"] } });
    await on.monitor().lookAtAll();
    expect((await readMonitorReport(on.database, fewer, "fewer-1"))?.baseline?.columns).toBe(2000);
  });
});

describe("a caller", () => {
  test("that asks for very many rows again and again is read like any other", async () => {
    const at = await serve("wide", { baseline, dataDrift: { rowsMin: 10 }, modelQuality: { label: "y" } });
    const rows = 16_000;
    const wide = (id: string) => {
      const whole = JSON.parse(line("wide", [1])) as {
        captureData: { endpointInput: object; endpointOutput: object };
        eventMetadata: object;
      };
      Object.assign(whole.captureData.endpointInput, { encoding: "CSV", data: Array(rows).fill("1").join("\n") });
      Object.assign(whole.captureData.endpointOutput, { data: JSON.stringify(Array(rows).fill(0)) });
      Object.assign(whole.eventMetadata, { inferenceId: id });
      return JSON.stringify(whole);
    };
    await on.capture(
      at,
      Array.from({ length: 12 }, (_, n) => wide(`i_${n}`)),
    );
    await on.monitor().lookAtAll();
    expect(failures("wide")).toEqual([]);
    expect((await readMonitorHosts(on.database, at)).map(({ counts }) => counts.rows)).toEqual([12 * rows]);
  });
});
