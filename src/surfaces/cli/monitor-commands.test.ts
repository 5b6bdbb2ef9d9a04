import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OperationOutput } from "../../contract/operations.ts";
import { runForTest } from "./testing/run-for-test.ts";
import { type Handler, json, type SmallServer, smallServer } from "./testing/small-server.ts";
import { rolloutView } from "./testing/views.ts";

const AT = "2026-11-23T10:00:00.000Z";
const UNTIL = "2026-11-24T10:00:00.000Z";
const ENDPOINT = { environment: "production", target: "local", name: "churn" } as const;

const FIGURE = {
  ...{ subject: "age", measure: "psi", observed: 0.312345, limit: 0.2, samples: 1500, pValue: 0.0000012 },
  ...{ adjustedPValue: 0.000024, evidence: 1234567, breaching: true, message: "age: psi 0.3123 above 0.2" },
};
const ALARM: OperationOutput<"alarms.acknowledge"> = {
  ...{ endpoint: ENDPOINT, simulation: false, variant: "r-2", alarm: "DataDriftAlarm", state: "ALARM" },
  ...{ since: AT, evaluatedAt: AT, reason: "1 of 3 columns drifted in 2 of 3 windows\u001b[2J", figures: [FIGURE] },
  acknowledgement: { by: "ann", at: AT, comment: "retraining" },
  suppression: { alarm: "DataDriftAlarm", by: "olga", reason: "a feast day", at: AT, until: UNTIL },
  effect: { kind: "none", message: "It is suppressed by olga." },
};
const METRIC: OperationOutput<"monitors.get">["versions"][number]["alarms"] = [ALARM];
const VERDICT: NonNullable<OperationOutput<"rollouts.get">["verdict"]> = {
  ...{ outcome: "inconclusive", at: AT },
  metrics: [
    {
      ...{ metric: "errors", outcome: "inconclusive", message: "not proven yet", observed: 0.002, limit: 0.01 },
      figures: {
        candidate: { samples: 1530, estimate: 0.013071895 },
        stable: { samples: 13770, estimate: 0.011 },
        unit: "share of failed requests",
        interval: { of: "difference", low: -0.004, high: 0.0081, confidence: 0.95 },
        ...{ margin: 0.01, evidence: 1.25, threshold: 400, proof: { evidence: 3.5, threshold: 20 } },
        moreRequests: 4300.2,
      },
    },
    { metric: "drift", outcome: "pass", message: "no column drifted", observed: 0.02, limit: 0.1 },
  ],
};
const MONITOR: OperationOutput<"monitors.get"> = {
  ...{ endpoint: ENDPOINT, simulation: false },
  versions: [
    {
      ...{ variant: "r-2", role: "stable", model: { name: "churn", version: "3.1.0" }, asksFor: ["drift"] },
      report: {
        evaluatedAt: AT,
        ...{ baseline: { digest: "sha256:b0", rows: 10_000, columns: 3, isExact: true }, baselineProblem: null },
        ...{ rows: 2100, readShare: 0.468 },
        windows: [{ number: 1, first: AT, last: AT, rows: 1000, breaching: true, columns: ["age"] }],
        open: { rows: 100, first: AT },
        columns: [FIGURE],
        sequential: {
          ...{ rows: 2100, threshold: 300, alpha: 0.01 },
          columns: [{ column: "age", evidence: 98765.4321, rejected: true }],
        },
        predictions: { evidence: 2.5, weight: 0.15, threshold: 100, candidate: 210, stable: 1890 },
        metrics: VERDICT.metrics.slice(1),
      },
      alarms: METRIC,
      watch: {
        ...{ until: UNTIL, over: false, alarms: ["DataDriftAlarm"], onAlarm: "ask", whyAsk: null, restore: null },
        waitsFor: "DataDriftAlarm: It waits for a person: the plan asks a person.",
      },
    },
  ],
  suppressions: [{ alarm: "DataDriftAlarm", by: "olga", reason: "a feast day", at: AT, until: UNTIL }],
  readings: [
    {
      ...{ host: "here", newest: AT, updated: AT, requests: 2200, rows: 2100, late: 7, unreadable: 1, failed: 3 },
      ...{ notCaptured: 9, wrongShape: 2, answersUnread: 0, lostFiles: 1, lostBytes: 4096, lostRequests: 40 },
      ...{ droppedRequests: 6, notSampled: 2500 },
    },
  ],
};

let server: SmallServer;
beforeEach(async () => {
  const answers =
    (value: unknown): Handler =>
    (_request, response) =>
      json(response, 200, value);
  const page = (items: unknown[]) => answers({ items, nextCursor: null });
  const at = "/v1/alarms/production/local/churn";
  const transition = { variant: "r-2", alarm: "DataDriftAlarm", sequence: 1, at: AT, from: "OK", to: "ALARM" };
  server = await smallServer({
    "GET /v1/monitors/production/local/churn": answers(MONITOR),
    "GET /v1/alarms": page([ALARM]),
    [`GET ${at}/history`]: page([{ ...transition, reason: "age moved", figures: [FIGURE], suppressed: true }]),
    [`POST ${at}/acknowledge`]: answers(ALARM),
    [`POST ${at}/suppress`]: answers(MONITOR.suppressions[0]),
    [`POST ${at}/unsuppress`]: answers({ ended: true }),
    "GET /v1/rollouts/r-2": answers(
      rolloutView({ id: "r-2", phase: "Succeeded", verdict: VERDICT, watch: MONITOR.versions[0]?.watch ?? null }),
    ),
  });
});
afterEach(() => server.close());

const run = (...argv: string[]) => runForTest(argv, { folder: tmpdir(), variables: { CONTINUUM_URL: server.url } });
const at = ["-e", "production"];

describe("monitor show", () => {
  it("prints the numbers that the sums are made of", async () => {
    const { code, out } = await run("monitor", "show", "churn", ...at);
    expect(code).toBe(0);
    for (const words of [
      "sha256:b0, 10000 rows of 3 columns",
      "2100, of which 100 are in no window yet",
      "age  psi      0.3123    0.2    1500     0.0000012  0.000024     1235000   yes",
      "evidence of drift over all 2100 rows, at 1 % for all columns together; a column needs 300",
      "evidence 2.5 with the weight 0.15, threshold 100 for the weighted sum",
      "DataDriftAlarm: ALARM since",
      "acknowledged by ann",
      "suppressed by olga until",
      "until 2026-11-24T10:00:00.000Z for DataDriftAlarm, which asks a person",
      "about 40 requests in 1 files",
    ])
      expect(out).toContain(words);
    expect(out).not.toContain("\u001b");
  });

  it("carries all of it as JSON", async () => {
    expect(JSON.parse((await run("monitor", "show", "churn", ...at, "-o", "json")).out)).toEqual(MONITOR);
  });
});

describe("rollout get", () => {
  it("prints the verdict's sums and the watch period", async () => {
    const { out, err } = await run("rollout", "get", "r-2");
    expect(err).toBe("");
    for (const words of [
      "verdict of 2026-11-23T10:00:00.000Z: inconclusive",
      "errors: share of failed requests",
      "0.01307 of 1530",
      "difference -0.004 to 0.0081 (95 %)",
      "1.25 of 400",
      "3.5 of 20",
      "about 4301 requests",
      "waits for a person  DataDriftAlarm: It waits for a person",
    ])
      expect(out).toContain(words);
  });
});

describe("what is said to alarms", () => {
  it("lists and tells the history", async () => {
    const listed = await run("monitor", "alarms", "churn", ...at, "--state", "ALARM");
    expect(listed.out).toContain("ALARM (suppressed, acknowledged, not looked at since 20");
    const query = new URLSearchParams(server.seen[0]?.path.split("?")[1]);
    expect(Object.fromEntries(query)).toEqual({ ...ENDPOINT, state: "ALARM" });
    expect((await run("monitor", "history", "churn", ...at)).out).toContain("ALARM (suppressed)");
    const half = await run("monitor", "alarms", "churn");
    expect([half.code, half.err]).toEqual([64, expect.stringContaining("a name with -e")]);
  });

  it("acknowledges, suppresses and ends it", async () => {
    expect((await run("monitor", "acknowledge", "churn", "DataDriftAlarm", ...at)).out).toContain("retraining");
    const reason = ["--reason", "a feast day, known"];
    const suppressed = await run("monitor", "suppress", "churn", "DataDriftAlarm", ...at, "--for", "2h", ...reason);
    expect(suppressed.out).toBe(`DataDriftAlarm is evaluated and shown, and not acted on until ${UNTIL}\n`);
    expect((await run("monitor", "unsuppress", "churn", "DataDriftAlarm", ...at)).out).toBe(
      "DataDriftAlarm is acted on again\n",
    );
    const wrong = await run("monitor", "suppress", "churn", "NoAlarm", ...at, "--for", "2h", ...reason);
    expect(wrong.code).toBe(64);
    const missing = await run("monitor", "suppress", "churn", "DataDriftAlarm", ...at, "--for", "2h");
    expect([missing.code, missing.err]).toEqual([64, expect.stringContaining("--reason")]);
  });
});
