import { appendFile, unlink } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { lossLine } from "../../core/monitor/capture/captured-loss.ts";
import type { Plan } from "../../core/plan/schema.ts";
import type { EndpointRef } from "../../core/rollout/rollout.ts";
import type { Database } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { listAudit } from "../audit-log.ts";
import { sweepDatabase } from "../retention.ts";
import { Monitor } from "./monitor.ts";
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
/** What one test served is no other test's. */
afterEach(async () => {
  await on.database.query("UPDATE endpoints SET live_rollout = NULL");
  await on.database.query("UPDATE rollouts SET active = false");
});

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

  test("that stopped between reading and storing leaves nothing behind, and the next one counts the same", async () => {
    const at = endpointAt("crash");
    await on.serve({ at, variant: "crash-1", role: "live", monitor: monitorOf({ windowRows: 100 }) });
    await on.capture(at, lines("crash-1", { count: 250 }));
    // Each step of storing fails once, and then the answer to the commit is lost though it happened.
    const storing = ["monitor_offsets AS o", "INTO monitor_cells", "INTO monitor_tests", "commit"];
    const evaluating = ["DELETE FROM monitor_cells", "INTO monitor_windows", "INTO monitor_states", "commit"];
    for (const statement of [...storing, ...evaluating]) {
      const parts = on.parts();
      const failing = new Monitor({ ...parts, database: failingAt(parts.database, statement) });
      await failing.lookAtAll().catch(() => undefined);
    }
    await on.monitor().lookAtAll();
    expect(await countsOf(at)).toEqual({ here: expect.objectContaining({ requests: 250, rows: 250 }) });
    expect((await reported(at, "crash-1")).rows).toBe(250);
    // Another process goes on where this one was; the tests' rows say that none was seen twice either.
    await on.capture(at, lines("crash-1", { count: 50, seed: 9, fromMs: on.clock.nowMs - 40_000 }));
    await on.monitor().lookAtAll();
    expect(await reported(at, "crash-1")).toMatchObject({ rows: 300, sequential: { rows: 300 } });
  });

  test("whose place another one took is fenced: each line counts once", async () => {
    const at = endpointAt("fenced");
    await on.serve({ at, variant: "fenced-1", role: "live", monitor: monitorOf() });
    await on.capture(at, lines("fenced-1", { count: 30 }));
    const [first, second] = [on.monitor(), on.monitor()];
    await first.lookAtAll();
    await second.lookAtAll();
    await on.capture(at, lines("fenced-1", { count: 30, seed: 8, fromMs: on.clock.nowMs - 30_000 }));
    await first.lookAtAll();
    // The second one has read the same and is refused; the first goes on.
    await second.lookAtAll();
    await on.capture(at, lines("fenced-1", { count: 10, seed: 8, fromMs: on.clock.nowMs }));
    await first.lookAtAll();
    await second.lookAtAll();
    expect(await countsOf(at)).toEqual({ here: expect.objectContaining({ requests: 70, rows: 70 }) });
    expect((await reported(at, "fenced-1")).rows).toBe(70);
    expect(on.logged.filter(({ event }) => event === "monitor-fenced").length).toBeGreaterThan(0);
  });

  test("adds the hosts up: windows are of all of them, and evidence too", async () => {
    const at = endpointAt("hosts");
    const one = { at, variant: "hosts-1", role: "live" as const, monitor: monitorOf({ windowRows: 200 }) };
    await on.serve(one);
    await on.capture(at, lines("hosts-1", { count: 150 }));
    await on.capture(at, lines("hosts-1", { count: 150, seed: 7 }), { host: "there" });
    await on.monitor().lookAtAll();
    // The endpoint belongs to one host at a time; it moved.
    await on.database.query("UPDATE endpoints SET host = 'there' WHERE name = 'hosts'");
    await on.monitor("there").lookAtAll();
    const counts = await countsOf(at);
    expect(counts).toMatchObject({ here: { rows: 150 }, there: { rows: 150 } });
    const report = await reported(at, "hosts-1");
    expect(report).toMatchObject({ rows: 300, sequential: { rows: 300 } });
    // More than either host alone had.
    expect(report.windows[0]?.rows).toBeGreaterThanOrEqual(200);
  });

  test("cuts windows by rows and by time, whichever is first, and leaves no row out", async () => {
    const at = endpointAt("windows");
    const monitor = monitorOf({ windowRows: 100, windowSeconds: 60 });
    await on.serve({ at, variant: "windows-1", role: "live", monitor });
    const fromMs = on.clock.nowMs - 280_000;
    // 20 a second for 20 seconds, then one every 5 seconds for 4 minutes.
    await on.capture(at, lines("windows-1", { count: 400, fromMs, everyMs: 50 }));
    await on.capture(at, lines("windows-1", { count: 48, fromMs: fromMs + 30_000, everyMs: 5000 }));
    await on.monitor().lookAtAll();
    const { windows, open, rows } = await reported(at, "windows-1");
    expect(rows).toBe(448);
    const stored = await on.database.query<{ rows: number; seconds: number }>(
      `SELECT rows, extract(epoch FROM last_at - first_at)::float8 AS seconds FROM monitor_windows
       WHERE variant = 'windows-1' ORDER BY number`,
    );
    expect(stored.rows.reduce((sum, window) => sum + window.rows, 0) + open.rows).toBe(448);
    for (const { rows: count, seconds } of stored.rows) {
      expect(seconds).toBeLessThanOrEqual(60);
      expect(count >= 100 || seconds > 48).toBe(true);
    }
    expect(windows.length).toBe(3);
    // Nobody asks any more: the last window closes when its time is over.
    expect(open.rows).toBeGreaterThan(0);
    on.clock.nowMs += 3_600_000;
    await on.monitor().lookAtAll();
    expect((await reported(at, "windows-1")).open.rows).toBe(0);
  });

  test("loses and doubles nothing when the clock of the captures jumps, and says what was late", async () => {
    const at = endpointAt("jumps");
    await on.serve({
      at,
      variant: "jumps-1",
      role: "live",
      monitor: monitorOf({ windowRows: 100, windowSeconds: 60 }),
    });
    const nowMs = on.clock.nowMs;
    const monitor = on.monitor();
    await on.capture(at, lines("jumps-1", { count: 120, fromMs: nowMs - 600_000 }));
    // An hour ahead of the database, and back again, in a file whose name sorts before.
    await on.capture(at, lines("jumps-1", { count: 120, seed: 6, fromMs: nowMs + 3_600_000 }));
    await monitor.lookAtAll();
    await on.capture(at, lines("jumps-1", { count: 120, seed: 7, fromMs: nowMs - 400_000 }), { file: "0.jsonl" });
    await monitor.lookAtAll();
    expect(await countsOf(at)).toEqual({ here: expect.objectContaining({ requests: 360, rows: 360, late: 120 }) });
    const report = await reported(at, "jumps-1");
    expect(report).toMatchObject({ rows: 360, sequential: { rows: 360 } });
    for (const { lastMs } of report.windows) expect(lastMs).toBeLessThanOrEqual(nowMs + 60_000);
  });

  test("says how many requests were gone before it came", async () => {
    const at = endpointAt("lost");
    await on.serve({ at, variant: "lost-1", role: "live", monitor: monitorOf() });
    const [first = "", ...rest] = lines("lost-1", { count: 41 });
    const path = await on.capture(at, [first]);
    // A line that is not ended yet keeps the offset where it is, with everything behind it.
    await appendFile(path, rest.join("\n").slice(0, -5));
    const monitor = on.monitor();
    await monitor.lookAtAll();
    expect(await countsOf(at)).toMatchObject({ here: { requests: 40, lostRequests: 0 } });
    await appendFile(path, `\n${rest.map((line) => `${line}\n`).join("")}`);
    const stopped = on.parts();
    await new Monitor({ ...stopped, database: failingAt(stopped.database, "monitor_offsets AS o") }).lookAtAll();
    await unlink(path);
    await on.capture(at, lines("lost-1", { count: 10, seed: 3 }), { file: "b.jsonl" });
    await on.monitor().lookAtAll();
    const { lostFiles, lostRequests, requests } = (await countsOf(at))["here"] ?? {};
    expect({ lostFiles, requests }).toEqual({ lostFiles: 1, requests: 50 });
    expect(lostRequests).toBe(1);
  });

  test("counts what serving says it could not capture", async () => {
    const at = endpointAt("dropped");
    await on.serve({ at, variant: "dropped-1", role: "live", monitor: monitorOf() });
    await on.capture(at, [...lines("dropped-1", { count: 5 }), lossLine(7), "{}", lossLine(2)]);
    const monitor = on.monitor();
    await monitor.lookAtAll();
    await monitor.lookAtAll();
    expect(await countsOf(at)).toMatchObject({ here: { requests: 5, droppedRequests: 9, unreadable: 1 } });
  });

  test("reads a sample of what comes faster than it may read, whole what is slow, and says which share", async () => {
    const [fast, slow] = [endpointAt("sampled"), endpointAt("unsampled")];
    await on.serve({ at: fast, variant: "fast-1", role: "live", monitor: monitorOf() });
    await on.serve({ at: slow, variant: "slow-1", role: "live", monitor: monitorOf() });
    // About 500 bytes a line: what is there at first is a backlog, and what comes then 200 kB within a moment.
    await on.capture(fast, lines("fast-1", { count: 300 }));
    const monitor = new Monitor({ ...on.parts(), captureBytesPerSecondMax: 5000 });
    await monitor.lookAtAll();
    expect(await countsOf(fast)).toMatchObject({ here: { requests: 300, notSampled: 0 } });
    await on.capture(fast, lines("fast-1", { count: 400, seed: 6 }));
    await monitor.lookAtAll();
    await on.capture(fast, [...lines("fast-1", { count: 400, seed: 7 }), lossLine(3)]);
    await on.capture(slow, lines("slow-1", { count: 5, seed: 8 }));
    await monitor.lookAtAll();
    const { requests = 0, notSampled = 0, droppedRequests } = (await countsOf(fast))["here"] ?? {};
    expect({ all: requests + notSampled, droppedRequests }).toEqual({ all: 1100, droppedRequests: 3 });
    // A fifth or so of the last 400 by independent draws: ten deviations leave no doubt.
    expect(notSampled).toBeGreaterThan(200);
    expect(notSampled).toBeLessThan(390);
    const { readShare, metrics, rows } = await reported(fast, "fast-1");
    expect({ readShare, rows }).toEqual({ readShare: requests / 1100, rows: requests });
    expect(metrics.find(({ metric }) => metric === "drift")?.message).toMatch(/a random \d+ % of the requests/);
    expect(await countsOf(slow)).toMatchObject({ here: { requests: 5, notSampled: 0 } });
    expect((await reported(slow, "slow-1")).readShare).toBe(1);
  });

  test("keeps the state of a bounded number of endpoints in memory, and reads that of others again", async () => {
    const names = ["kept-a", "kept-b", "kept-c"];
    for (const name of names)
      await on.serve({ at: endpointAt(name), variant: `${name}-1`, role: "live", monitor: monitorOf() });
    const monitor = on.monitor(undefined, { keptMax: 1 });
    for (let round = 0; round < 3; round += 1) {
      for (const name of names)
        await on.capture(
          endpointAt(name),
          lines(`${name}-1`, { count: 40, seed: round, fromMs: on.clock.nowMs + round * 40_000 - 120_000 }),
        );
      await monitor.lookAtAll();
      expect(monitor.keptCount).toBe(1);
    }
    for (const name of names) {
      expect(await countsOf(endpointAt(name))).toMatchObject({ here: { requests: 120, rows: 120 } });
      expect(await reported(endpointAt(name), `${name}-1`)).toMatchObject({ rows: 120, sequential: { rows: 120 } });
    }
  });

  test("reads the list of versions again before it passes over one that it does not know", async () => {
    const at = endpointAt("newcomer");
    await on.serve({ at, variant: "newcomer-1", role: "live", monitor: monitorOf() });
    const monitor = on.monitor();
    await monitor.lookAtAll();
    await on.serve({ at, variant: "newcomer-2", role: "candidate", monitor: monitorOf() });
    await on.capture(at, lines("newcomer-2", { count: 20 }));
    await monitor.lookAtAll();
    await monitor.lookAtAll();
    expect((await reported(at, "newcomer-2")).rows).toBe(20);
  });
});

describe("what a monitor says", () => {
  test("is ALARM when the same column drifts in enough windows, which rolls its candidate back", async () => {
    const at = endpointAt("drifts");
    await on.serve({ at, variant: "drifts-1", role: "live", monitor: monitorOf({ windowRows: 100 }) });
    await on.serve({ at, variant: "drifts-2", role: "candidate", monitor: monitorOf({ windowRows: 100 }) });
    const monitor = on.monitor();
    await on.capture(at, lines("drifts-1", { count: 300 }));
    await on.capture(at, lines("drifts-2", { count: 300, seed: 11, shift: 1 }));
    await monitor.lookAtAll();
    const [good, bad] = [await reported(at, "drifts-1"), await reported(at, "drifts-2")];
    expect(good.evaluations.map(({ state }) => state)).toEqual(["OK"]);
    expect(good.metrics).toMatchObject([{ metric: "drift", outcome: "pass" }]);
    expect(bad.evaluations.map(({ state }) => state)).toEqual(["ALARM"]);
    expect(bad.evaluations[0]?.figures[0]).toMatchObject({ subject: "age", breaching: true });
    expect(bad.metrics[0]).toMatchObject({ metric: "drift", outcome: "fail" });
    const { rows } = await on.database.query("SELECT phase FROM rollouts WHERE id = 'drifts-2'");
    expect(rows).toEqual([{ phase: "RollingBack" }]);
  });

  test("is ALARM at once, whatever the windows say, when the test of all rows so far is sure of it", async () => {
    const at = endpointAt("sure");
    await on.serve({ at, variant: "sure-1", role: "live", monitor: monitorOf({ windowRows: 100_000 }) });
    await on.capture(at, lines("sure-1", { count: 290, seed: 12, shift: 0.8 }));
    await on.monitor().lookAtAll();
    const report = await reported(at, "sure-1");
    expect(report.windows).toEqual([]);
    expect(report.evaluations).toMatchObject([{ alarm: "DataDriftAlarm", state: "ALARM" }]);
    expect(report.sequential?.columns[0]).toMatchObject({ column: "age", rejected: true });
  });

  test("of answers counts only where the plan wants it acted on", async () => {
    const nowMs = on.clock.nowMs;
    for (const acts of [false, true]) {
      const at = endpointAt(acts ? "answers-acts" : "answers-tells");
      const judgement = acts ? { onPredictionShift: "rollback" as const } : {};
      await on.serve({ at, variant: `${at.name}-1`, role: "live" });
      await on.serve({ at, variant: `${at.name}-2`, role: "candidate", monitor: monitorOf(), judgement });
      const [rows, scores] = [normals(1600, 21), normals(800, 22)];
      const mixed = scores.map((score, index) => {
        const candidate = index % 2 === 1;
        return captureLine({
          ...{ variant: `${at.name}-${candidate ? 2 : 1}`, role: candidate ? "candidate" : "stable" },
          ...{ atMs: nowMs - 100_000 + index * 100, row: [rows[2 * index] ?? 0, rows[2 * index + 1] ?? 0] },
          ...{ candidateProbability: 0.5, answer: 1 / (1 + Math.exp(-score - (candidate ? 1.5 : 0))) },
        });
      });
      await on.capture(at, mixed);
      await on.monitor().lookAtAll();
      const report = await reported(at, `${at.name}-2`);
      expect(report.predictions).toMatchObject({ candidate: 400, stable: 400, weight: 0.15, threshold: 100 });
      expect(report.predictions?.evidence).toBeGreaterThan(1000);
      expect(report.metrics.find(({ metric }) => metric === "predictions")).toMatchObject({ outcome: "fail" });
      expect(report.evaluations[0]?.state === "ALARM").toBe(acts);
    }
  });

  test("is asked of what is stored, and a look that is old or never was is an error", async () => {
    const at = endpointAt("asked");
    const metrics = monitorMetrics(on.parts());
    const { tenant, ...endpoint } = at;
    const asked = { tenant, endpoint: endpoint as EndpointRef, variant: "asked-1" };
    await on.serve({ at, variant: "asked-1", role: "candidate", monitor: monitorOf() });
    expect(await metrics(asked)).toMatchObject([{ outcome: "error" }, { outcome: "error" }, { outcome: "error" }]);
    await on.monitor().lookAtAll();
    expect(await metrics(asked)).toMatchObject([{ metric: "drift", outcome: "inconclusive" }]);
    on.clock.nowMs += 31_000;
    expect((await metrics(asked))[0]).toMatchObject({ outcome: "error", message: expect.stringContaining("31 s ago") });
    expect(await metrics({ ...asked, endpoint: { ...asked.endpoint, target: "simulated" } })).toEqual([]);
  });

  test("of a baseline that cannot be read is why, and never OK", async () => {
    const at = endpointAt("unread");
    const missing = { baseline: `store:sha256:${"9".repeat(64)}`, dataDrift: {} };
    await on.serve({ at, variant: "unread-1", role: "candidate", monitor: missing });
    await on.capture(at, lines("unread-1", { count: 5 }));
    await on.monitor().lookAtAll();
    const report = await reported(at, "unread-1");
    expect(report.baselineProblem).toContain("cannot be read");
    expect(report.evaluations).toMatchObject([{ state: "INSUFFICIENT_DATA" }]);
    expect(report.metrics).toMatchObject([{ metric: "drift", outcome: "inconclusive" }]);
  });
});

test("what it found goes when its time is over, and the audit log says so", async () => {
  const at = endpointAt("kept");
  await on.serve({ at, variant: "kept-1", role: "live", monitor: monitorOf({ windowRows: 100 }) });
  await on.capture(at, lines("kept-1", { count: 250 }));
  await on.monitor().lookAtAll();
  const { database, log } = on.parts();
  const days = { eventsDays: 0, idempotencyDays: 0, deliveriesDays: 0, captureDays: 0, monitorDays: 30 };
  const later = on.clock.nowMs + 31 * 24 * 3_600_000;
  expect(await sweepDatabase({ database, log, nowMs: () => later }, days)).toBe(true);
  for (const table of ["cells", "windows", "tests", "states", "baselines"])
    expect((await on.database.query(`SELECT FROM monitor_${table}`)).rowCount, table).toBe(0);
  const entries = await listAudit(on.database, { tenant: "acme", fromPosition: 0, limit: 1000 });
  const removed = entries.map(({ entry }) => entry).filter(({ action }) => action === "retention.remove");
  expect(removed.map(({ details }) => details)).toContainEqual(expect.objectContaining({ kind: "monitoring" }));
  // What was counted of the captures stays, or they would be read again from their beginning.
  expect(await countsOf(at)).toMatchObject({ here: { requests: 250 } });
});

test("nothing of a row stands in a log", () => {
  expect(JSON.stringify(on.logged)).not.toMatch(/instances|predictions/);
});

/** A database on which a statement fails, or whose commit happens and is not answered. */
function failingAt(database: Database, part: string): Database {
  const failing: Database["transaction"] = async (work, how) => {
    const value = await database.transaction((tx) => {
      const query: typeof tx.query = (sql, values) =>
        sql.includes(part) ? Promise.reject(new Error("the process ends here")) : tx.query(sql, values);
      return work({ ...tx, query });
    }, how);
    if (part === "commit") throw new Error("the process ends here");
    return value;
  };
  return new Proxy(database, {
    get: (target, name) => {
      if (name === "transaction") return failing;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
