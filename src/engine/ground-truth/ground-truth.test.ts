import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { captureTenantKey, inferencePseudonym } from "../../core/monitor/capture/pseudonym.ts";
import { QualityBaselineBuilder } from "../../core/monitor/quality/quality-baseline.ts";
import type { MonitorSettings, QualitySettings } from "../../core/plan/monitor-settings.ts";
import { seededRandom } from "../../core/policy/testing/random-decisions.ts";
import type { Database } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { removeGroundTruth, type TruthRow, takeTruths } from "../../store/queries/ground-truth.ts";
import { createTestDatabase, type TestDatabase } from "../../store/testing/test-database.ts";
import { type EvaluateOf, evaluateQuality } from "./evaluate-quality.ts";
import type { PredictionRow } from "./prediction-row.ts";
import { recordPredictions } from "./record-predictions.ts";
import { keptPerHour, Sampler } from "./sampling.ts";

const START_MS = Date.parse("2026-11-23T10:00:00Z");
const HORIZON_SECONDS = 600;
const QUALITY: QualitySettings = {
  ...{
    label: "churned",
    problem: "binary",
    positive: "1",
    prediction: null,
    probability: null,
    decisionThreshold: 0.5,
  },
  ...{ horizonSeconds: HORIZON_SECONDS, labelledMin: 100, thresholds: {} },
};
const BIAS = { facet: "sex", favoured: ["m"], positive: "1", group: null, rowsMin: 50, thresholds: { DPPL: 0.1 } };
const SETTINGS: MonitorSettings = {
  ...{ baseline: null, dataDrift: null, modelQuality: QUALITY, bias: null },
  watch: { seconds: 0, onAlarm: "rollback" },
};

let on: TestDatabase;
/** What a monitor may see; what comes through the API is told by the API's own login. */
let worker: Database;
let api: Database;
let at: EndpointKey;
let count = 0;

beforeAll(async () => {
  on = await createTestDatabase({ max: 2 });
  worker = on.openAs("worker", { max: 2 });
  api = on.openAs("api", { max: 2 });
  await on.database.query("INSERT INTO tenants (tenant) VALUES ('acme'), ('rival')");
});
afterAll(() => on?.close());

beforeEach(async () => {
  count += 1;
  at = { tenant: "acme", environment: "production", target: "local", name: `model-${count}` };
  for (const tenant of ["acme", "rival"])
    await on.database.query("INSERT INTO endpoints (tenant, environment, target, name) VALUES ($1, $2, $3, $4)", [
      ...[tenant, at.environment, at.target, at.name],
    ]);
});

interface Asked {
  id: string;
  arm?: "new" | "old";
  score?: number;
  atMs?: number;
  facet?: string;
  row?: number;
}

function answerOf({ id, arm = "new", score = 0.9, atMs = START_MS, facet, row = 0 }: Asked): PredictionRow {
  return {
    ...{ inference: id, row, variant: arm, candidateProbability: 0.5, atMs, predicted: null, value: null, score },
    ...{ facet: facet ?? null, group: null },
  };
}

const record = (rows: PredictionRow[], settings = SETTINGS) =>
  worker.transaction((tx) => recordPredictions(tx, { at, rollout: "new", settings, rows }));

const truthOf = (inference: string, label: string, knownMs = START_MS + 1000): TruthRow => ({
  ...{ inference, row: 0, label, facet: null, group: null, knownMs },
});
const tell = (truths: TruthRow[], key = at) =>
  api.forTenant(key.tenant).transaction((tx) => takeTruths(tx, key, { truths, receivedMs: START_MS }));

const evaluate = (of: Partial<EvaluateOf> = {}, nowMs = START_MS + 3600_000) =>
  worker.transaction((tx) =>
    evaluateQuality(
      { nowMs: () => nowMs },
      { at, version: "new", settings: SETTINGS, stableVariant: null, alpha: 0.01, baseline: null, ...of },
      tx,
    ),
  );

/** Answers of both sides, each with a truth that it hits with the given chance. */
async function traffic(from: {
  n: number;
  right: { new: number; old: number };
  known?: { new: number; old: number };
  settings?: MonitorSettings;
  fromMs?: number;
}): Promise<void> {
  const random = seededRandom(count * 1000 + from.n);
  const rows: PredictionRow[] = [];
  const truths: TruthRow[] = [];
  for (let i = 0; i < from.n; i += 1) {
    const arm = random() < 0.5 ? "new" : "old";
    const score = random() < 0.4 ? 0.8 : 0.2;
    const id = `${from.fromMs ?? 0}-${i}`;
    const atMs = (from.fromMs ?? START_MS) + i * 10;
    rows.push(answerOf({ id, arm, score, atMs }));
    const predicted = score >= 0.5;
    const label = random() < from.right[arm] ? predicted : !predicted;
    if (random() < (from.known?.[arm] ?? 1)) truths.push(truthOf(id, label ? "1" : "0", atMs + 1000));
  }
  await record(rows, from.settings);
  await tell(truths);
}

const qualityOf = ({ metrics }: Awaited<ReturnType<typeof evaluate>>) =>
  metrics.find(({ metric }) => metric === "quality");

describe("truth", () => {
  it("is taken once, may change until it is counted, and not afterwards", async () => {
    expect(await tell([truthOf("a", "1"), truthOf("b", "0")])).toEqual({
      added: 2,
      replaced: 0,
      unchanged: 0,
      refused: 0,
    });
    expect(await tell([truthOf("a", "1"), truthOf("b", "1"), truthOf("c", "1")])).toEqual({
      ...{ added: 1, replaced: 1, unchanged: 1, refused: 0 },
    });
    await record([answerOf({ id: "a" }), answerOf({ id: "b" })]);
    expect((await evaluate()).evaluation?.reason).toContain("Truth is known of 2 of 2 (100 %)");
    expect(await tell([truthOf("a", "0"), truthOf("b", "1"), truthOf("c", "0")])).toEqual({
      ...{ added: 0, replaced: 1, unchanged: 1, refused: 1 },
    });
  });

  it("may come before the answer was read, and counts up to the horizon and not after it", async () => {
    await tell([truthOf("early", "1"), truthOf("late", "1", START_MS + (HORIZON_SECONDS + 1) * 1000)]);
    await record([answerOf({ id: "early" }), answerOf({ id: "late" }), answerOf({ id: "never" })]);
    // Nobody looks before the time is over.
    expect((await evaluate({}, START_MS + HORIZON_SECONDS * 1000)).evaluation?.reason).toContain("known of 0 of 0");
    expect((await evaluate()).evaluation?.reason).toContain("known of 1 of 3 (33 %)");
    // What was looked at is over: the same truth, told again in time, is not counted any more.
    await tell([truthOf("never", "1")]);
    expect((await evaluate()).evaluation?.reason).toContain("known of 1 of 3 (33 %)");
  });

  it("of another tenant's inferences never joins, whoever used the same id", async () => {
    await tell([truthOf("same", "1")], { ...at, tenant: "rival" });
    await record([answerOf({ id: "same" })]);
    expect((await evaluate()).evaluation?.reason).toContain("known of 0 of 1 (0 %)");
    const key = Buffer.alloc(32, 7);
    const names = ["acme", "rival"].map((tenant) => inferencePseudonym(captureTenantKey(key, tenant), "same"));
    expect(names[0]).not.toBe(names[1]);
  });

  it("without a horizon counts as soon as it is known, and no versions are compared by it", async () => {
    const settings = { ...SETTINGS, modelQuality: { ...QUALITY, horizonSeconds: 0 } };
    await record([answerOf({ id: "a" }), answerOf({ id: "b" })], settings);
    await tell([truthOf("a", "1")]);
    const found = await evaluate({ settings, stableVariant: "old" }, START_MS + 2000);
    expect(found.evaluation?.reason).toContain("known of 1 of 2 (50 %)");
    expect(qualityOf(found)?.figures).toBeUndefined();
    await tell([truthOf("b", "0")]);
    expect((await evaluate({ settings }, START_MS + 3000)).evaluation?.reason).toContain("known of 2 of 2");
  });

  it("is removed when it is past its time, with the answers and what was made of both", async () => {
    await record([answerOf({ id: "a" })]);
    await tell([truthOf("b", "1")]);
    const removed = await worker.transaction((tx) => removeGroundTruth(tx, START_MS + 1000));
    expect(removed.find(({ tenant }) => tenant === "acme")?.count).toBeGreaterThanOrEqual(4);
    expect((await evaluate()).evaluation?.reason).toContain("known of 0 of 0");
  });
});

describe("quality", () => {
  it("needs its number of labels, and says how far it is", async () => {
    await traffic({ n: 60, right: { new: 0.9, old: 0.9 } });
    const found = await evaluate();
    expect(found.evaluation).toMatchObject({ alarm: "ModelMonitorAlarm", state: "INSUFFICIENT_DATA" });
    expect(found.evaluation?.reason).toMatch(/^\d+ labelled answers of the 100 that quality needs/);
    expect(qualityOf(found)?.outcome).toBe("inconclusive");
  });

  it("is held against the plan's thresholds by its whole interval", async () => {
    const settings = { ...SETTINGS, modelQuality: { ...QUALITY, thresholds: { accuracy: 0.85, f1: 0.2 } } };
    await traffic({ n: 2000, right: { new: 0.7, old: 0.7 }, settings });
    const found = await evaluate({ settings });
    expect(found.evaluation?.state).toBe("ALARM");
    expect(found.evaluation?.figures[0]).toMatchObject({ measure: "accuracy", limit: 0.85, breaching: true });
    expect(found.evaluation?.figures.filter(({ breaching }) => breaching)).toHaveLength(1);
    expect(found.evaluation?.reason).toMatch(
      /accuracy is 0\.\d+ \(0\.\d+ to 0\.\d+ with .+ %\) over \d+ answers, at least 0\.85/,
    );

    const near = { ...SETTINGS, modelQuality: { ...QUALITY, thresholds: { accuracy: 0.71 } } };
    expect((await evaluate({ settings: near, version: "other" })).evaluation?.state).toBe("INSUFFICIENT_DATA");
  });

  it("without thresholds is held against the baseline's main metric", async () => {
    const builder = new QualityBaselineBuilder(SETTINGS);
    for (let i = 0; i < 1000; i += 1)
      builder.add({
        label: i % 20 < 8 !== (i % 17 === 0) ? "1" : "0",
        predicted: null,
        value: null,
        score: i % 20 < 8 ? 0.8 : 0.2,
        facet: null,
        group: null,
      });
    await traffic({ n: 1500, right: { new: 0.7, old: 0.7 } });
    const found = await evaluate({ baseline: builder.finish() });
    expect(found.evaluation?.state).toBe("ALARM");
    expect(found.evaluation?.figures[0]).toMatchObject({ measure: "auc", breaching: true });
    expect(found.evaluation?.figures.map(({ measure }) => measure)).toContain("estimated_accuracy");
  });

  it("finds a candidate that is worse than what serves, and leaves an equal one alone", async () => {
    await traffic({ n: 2500, right: { new: 0.75, old: 0.95 } });
    const worse = await evaluate({ stableVariant: "old" });
    expect(worse.evaluation?.state).toBe("ALARM");
    expect(worse.evaluation?.reason).toContain("worse than what serves");
    const verdict = qualityOf(worse);
    expect(verdict).toMatchObject({ outcome: "fail", figures: { unit: "share of wrong answers", threshold: 1000 } });
    expect(verdict?.figures?.evidence).toBeGreaterThan(1000);
    expect(verdict?.figures?.interval?.low).toBeGreaterThan(0.1);
  });

  it("calls an equal candidate not shown to be worse", async () => {
    await traffic({ n: 2500, right: { new: 0.9, old: 0.9 } });
    const found = await evaluate({ stableVariant: "old" });
    expect([found.evaluation?.state, qualityOf(found)?.outcome]).toEqual(["OK", "pass"]);
    expect(found.evaluation?.figures.at(-1)?.message).toContain("not shown to be worse");
  });

  it("compares nothing when truth is known of far fewer answers of one version", async () => {
    await traffic({ n: 2500, right: { new: 0.75, old: 0.95 }, known: { new: 0.9, old: 0.3 } });
    const found = await evaluate({ stableVariant: "old" });
    expect([found.evaluation?.state, qualityOf(found)?.outcome]).toEqual(["INSUFFICIENT_DATA", "error"]);
    expect(found.evaluation?.reason).toContain("cannot be compared");
  });

  it("looks at each answer once, however often it is asked", async () => {
    await traffic({ n: 300, right: { new: 0.9, old: 0.9 } });
    const first = await evaluate({ stableVariant: "old" });
    const again = await evaluate({ stableVariant: "old" });
    expect(again).toEqual(first);
  });

  it("bets once a request, however many rows it asked for", async () => {
    const rows = Array.from({ length: 200 }, (_, i) =>
      answerOf({ id: `r${i >> 2}`, row: i % 4, arm: i % 8 < 4 ? "new" : "old" }),
    );
    await record(rows);
    await tell(rows.map(({ inference, row }) => ({ ...truthOf(inference, "1"), row })));
    const found = await evaluate({ stableVariant: "old" });
    expect(qualityOf(found)?.figures).toMatchObject({ candidate: { samples: 25 }, stable: { samples: 25 } });
    expect(found.evaluation?.reason).toContain("known of 100 of 100");
  });
});

describe("bias", () => {
  const settings: MonitorSettings = { ...SETTINGS, modelQuality: null, bias: BIAS };
  const answers = (share: { m: number; f: number }, n = 1000) =>
    Array.from({ length: n }, (_, i) => {
      const facet = i % 2 === 0 ? "m" : "f";
      return answerOf({ id: `b${i}`, facet, score: (i % 100) / 100 < share[facet] ? 0.9 : 0.1 });
    });
  const baseline = (share: { m: number; f: number }) => {
    const builder = new QualityBaselineBuilder(settings);
    for (const row of answers(share)) builder.add({ ...row, label: null });
    return builder.finish();
  };

  it("needs no labels for what predictions show, and alarms when it is farther from fair than the baseline", async () => {
    await record(answers({ m: 0.6, f: 0.3 }), settings);
    const found = await evaluate({ settings, baseline: baseline({ m: 0.5, f: 0.5 }) });
    expect(found.evaluation?.state).toBe("ALARM");
    expect(found.evaluation?.figures[0]).toMatchObject({ measure: "DPPL", breaching: true });
    expect(found.metrics).toMatchObject([{ metric: "bias", outcome: "fail" }]);
  });

  it("counts a sign flip as worse and the baseline's own distance as accepted", async () => {
    await record(answers({ m: 0.6, f: 0.3 }), settings);
    expect((await evaluate({ settings, baseline: baseline({ m: 0.6, f: 0.3 }) })).evaluation?.state).toBe("OK");
    const other = { ...at };
    at = { ...at, name: `${at.name}-flip` };
    await on.database.query("INSERT INTO endpoints (tenant, environment, target, name) VALUES ($1, $2, $3, $4)", [
      ...[at.tenant, at.environment, at.target, at.name],
    ]);
    await record(answers({ m: 0.1, f: 0.9 }), settings);
    expect((await evaluate({ settings, baseline: baseline({ m: 0.6, f: 0.3 }) })).evaluation?.state).toBe("ALARM");
    at = other;
  });

  it("takes the facet from the label where it was not captured, for what was predicted as well, and once", async () => {
    const told = answers({ m: 0.6, f: 0.3 });
    await record(
      told.map((answer) => ({ ...answer, facet: null })),
      settings,
    );
    const before = await evaluate({ settings, baseline: baseline({ m: 0.5, f: 0.5 }) });
    expect(before.evaluation?.state).toBe("INSUFFICIENT_DATA");
    await tell(told.map(({ inference, facet }) => ({ ...truthOf(inference, "1"), facet })));
    for (const nowMs of [START_MS + 3600_000, START_MS + 3700_000]) {
      const after = await evaluate({ settings, baseline: baseline({ m: 0.5, f: 0.5 }) }, nowMs);
      expect(after.evaluation?.figures[0]).toMatchObject({ measure: "DPPL", breaching: true, samples: 1000 });
      expect(after.evaluation?.figures[0]?.observed).toBeCloseTo(0.3, 2);
    }
  });

  it("says nothing with too few of one side, and keeps no more of a person than the side", async () => {
    await record([...answers({ m: 0.6, f: 0.3 }, 60)], settings);
    expect((await evaluate({ settings })).evaluation?.state).toBe("INSUFFICIENT_DATA");
    const { rows } = await on.database.query<{ facet: string }>(
      "SELECT DISTINCT facet FROM inference_predictions WHERE name = $1 ORDER BY 1",
      [at.name],
    );
    expect(rows).toEqual([{ facet: "(other)" }, { facet: "m" }]);
  });
});

describe("the sample of answers", () => {
  it("never grows over its budget, and is of requests whatever they were answered", () => {
    const sampler = new Sampler({ hourMs: 0, kept: 0, halvings: 0 }, { nowMs: START_MS, perHour: 5000 });
    let kept = 0;
    for (let i = 0; i < 3 * 5000; i += 1) {
      if (!sampler.keeps(`i_${i}`)) continue;
      kept += 1;
      sampler.add(1);
    }
    expect(kept).toBeLessThanOrEqual(5000);
    expect(kept).toBeGreaterThan(5000 / 2);
    expect(sampler.share).toBeLessThan(1);
    const next = new Sampler(sampler.state, { nowMs: START_MS + 3600_000, perHour: 5000 });
    expect([60, 7 * 86_400, 90 * 86_400, 0].map(keptPerHour)).toEqual([100_000, 5952, 1000, 5952]);
    expect([next.share, next.state.kept]).toEqual([2 * sampler.share, 0]);
  });
});
