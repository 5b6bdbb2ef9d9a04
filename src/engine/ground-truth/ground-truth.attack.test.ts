import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { categoryOf } from "../../core/monitor/sketch/cell-value.ts";
import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";
import type { Database } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { countWaitingTruths, takeTruths } from "../../store/queries/ground-truth.ts";
import { createTestDatabase, type TestDatabase } from "../../store/testing/test-database.ts";
import { evaluateQuality } from "./evaluate-quality.ts";
import type { PredictionRow } from "./prediction-row.ts";
import { recordPredictions } from "./record-predictions.ts";
import { keptPerHour, Sampler } from "./sampling.ts";
import { tidyTruths } from "./stray-truths.ts";

const START_MS = Date.parse("2026-11-23T10:00:00Z");
const SETTINGS: MonitorSettings = {
  ...{ baseline: null, dataDrift: null, bias: null, watch: { seconds: 0, onAlarm: "rollback" } },
  modelQuality: {
    ...{ label: "churned", problem: "multiclass", positive: "1", prediction: null, probability: null },
    ...{ decisionThreshold: 0.5, horizonSeconds: 0, labelledMin: 100, thresholds: {} },
  },
};
const GROUPED: MonitorSettings = {
  ...SETTINGS,
  bias: { facet: "sex", favoured: ["m"], positive: "1", group: "town", rowsMin: 50, thresholds: {} },
};

let on: TestDatabase;
let worker: Database;
let at: EndpointKey;
let count = 0;
beforeAll(async () => {
  on = await createTestDatabase({ max: 2 });
  worker = on.openAs("worker", { max: 2 });
  await on.database.query("INSERT INTO tenants (tenant) VALUES ('acme')");
});
afterAll(() => on?.close());
beforeEach(async () => {
  count += 1;
  at = { tenant: "acme", environment: "production", target: "local", name: `attacked-${count}` };
  await on.database.query("INSERT INTO endpoints (tenant, environment, target, name) VALUES ($1, $2, $3, $4)", [
    ...[at.tenant, at.environment, at.target, at.name],
  ]);
});

const answer = (inference: string, more: Partial<PredictionRow> = {}): PredictionRow => ({
  ...{ inference, row: 0, variant: "new", candidateProbability: 0.5, atMs: START_MS, predicted: "1", value: null },
  ...{ score: null, facet: null, group: null, ...more },
});
const record = (rows: readonly PredictionRow[], settings = SETTINGS) =>
  worker.transaction((tx) => recordPredictions(tx, { at, rollout: "new", settings, rows }));
const kept = async () =>
  (
    await on.database.query<{ variant: string; inference: string; group: string | null; predicted: string | null }>(
      `SELECT variant, inference, comparison_group AS group, predicted FROM inference_predictions WHERE name = $1`,
      [at.name],
    )
  ).rows;

describe("a caller of an endpoint", () => {
  it("that asks more at once than an hour's budget neither stops the monitor nor fills the database", async () => {
    const rows = Array.from({ length: 9000 }, (_, i) => answer(`i_${i}`));
    await record(rows);
    const first = (await kept()).length;
    expect(first).toBeGreaterThan(500);
    expect(first).toBeLessThanOrEqual(keptPerHour(0));
    for (let again = 1; again < 4; again += 1)
      await record(rows.map((row) => ({ ...row, inference: `${again}_${row.inference}` })));
    expect((await kept()).length).toBeLessThanOrEqual(keptPerHour(0));
    const budget = new Sampler({ hourMs: 0, kept: 0, halvings: 0 }, { nowMs: START_MS, perHour: 1000 });
    budget.add(1000);
    expect(budget.sample([{ inference: "i_1" }])).toEqual([]);
  });

  it("gets no second budget by one host that reads behind another", () => {
    const sampling = { hourMs: START_MS, kept: 4000, halvings: 2 };
    expect(new Sampler(sampling, { nowMs: START_MS - 1, perHour: 5000 }).state).toEqual(sampling);
  });

  it("cannot make the sample of one version thinner than the other's within one reading", async () => {
    const of = (variant: string) => Array.from({ length: 6000 }, (_, i) => answer(`${variant}_${i}`, { variant }));
    await record([...of("old"), ...of("new")]);
    const rows = await kept();
    const [old, fresh] = ["old", "new"].map((variant) => rows.filter((row) => row.variant === variant).length);
    expect(Math.abs((old ?? 0) / rows.length - 0.5)).toBeLessThan(0.08);
    expect(fresh).toBeGreaterThan(200);
  });

  it("with requests of very many rows ends neither the reading nor the sample of others", async () => {
    const rows = Array.from({ length: 150_000 }, (_, i) => answer(`big_${i % 5}`, { row: Math.floor(i / 5) }));
    await record([...rows, answer("small")]);
    expect((await kept()).filter(({ inference }) => inference.startsWith("big")).length).toBeLessThanOrEqual(5000);
  });

  it("that uses an inference id again and again has its one label counted once", async () => {
    const truths = [{ inference: "mine", row: 0, label: "0", facet: null, group: null, knownMs: START_MS }];
    await on.database.transaction((tx) => takeTruths(tx, at, { truths, receivedMs: START_MS }));
    let found: Awaited<ReturnType<typeof evaluateQuality>> | undefined;
    for (let again = 0; again < 5; again += 1) {
      const nowMs = START_MS + again * 10_000;
      await record([answer("mine", { atMs: nowMs })]);
      const of = { at, version: "new", settings: SETTINGS, stableVariant: null, alpha: 0.01, baseline: null };
      found = await worker.transaction((tx) => evaluateQuality({ nowMs: () => nowMs + 5000 }, of, tx));
    }
    expect(found?.evaluation?.reason).toMatch(/^1 labelled answers of the 100/);
  });

  it("with a text that the database does not take loses that text, and nobody else's answers", async () => {
    const [group = null, predicted = null] = ["a\u0000b", "\u0000\ud800"].map(categoryOf);
    const odd = answer("odd", { group, predicted, facet: "x" });
    await record([odd, answer("fine", { group: "town", facet: "m" })], GROUPED);
    expect((await kept()).map(({ inference }) => inference).sort()).toEqual(["fine", "odd"]);
  });
});

describe("labels of answers that are not kept", () => {
  it("go when there are many of them, so that the others are taken still", async () => {
    await record([answer("kept")]);
    const truths = ["kept", "stray-1", "stray-2"].map((inference) => ({
      ...{ inference, row: 0, label: "1", facet: null, group: null, knownMs: START_MS },
    }));
    await on.database.transaction((tx) => takeTruths(tx, at, { truths, receivedMs: START_MS }));
    const waiting = () => countWaitingTruths(on.database, at, 10);
    const tidy = (nowMs: number, waitingMax: number, lookedMs = 0) =>
      worker.transaction((tx) => tidyTruths(tx, at, { nowMs, lookedMs, waitingMax }));
    const laterMs = START_MS + 2 * 3_600_000;
    await tidy(laterMs, 4);
    await tidy(START_MS + 60_000, 2);
    expect(await tidy(laterMs, 2, laterMs - 1)).toBe(laterMs - 1);
    expect(await waiting()).toBe(3);
    expect(await tidy(laterMs, 2)).toBe(laterMs);
    expect(await waiting()).toBe(1);
    const { rows } = await on.database.query("SELECT inference FROM ground_truths WHERE name = $1", [at.name]);
    expect(rows).toEqual([{ inference: "kept" }]);
  });
});
