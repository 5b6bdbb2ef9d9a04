import { describe, expect, it } from "vitest";
import { compareBias } from "./bias-drift.ts";
import { biasAnalysis, biasViolations, readBiasAnalysis } from "./bias-files.ts";
import { biasMetrics } from "./bias-metrics.ts";
import { BiasTally, type Side } from "./bias-tally.ts";
import { flipTest } from "./flip-test.ts";

interface Counts {
  tp?: number;
  fp?: number;
  fn?: number;
  tn?: number;
}

/** Rows with a label and an answer each. */
function tallyOf(sides: Record<Side, Counts>): BiasTally {
  const tally = new BiasTally(["a"]);
  for (const side of ["favoured", "other"] as const) {
    const { tp = 0, fp = 0, fn = 0, tn = 0 } = sides[side];
    const add = (times: number, predictedPositive: boolean, isPositive: boolean) => {
      for (let i = 0; i < times; i += 1) {
        const answer = { facet: side === "favoured" ? "a" : "d", group: null, predictedPositive };
        tally.addAnswer(answer);
        tally.addLabel(answer, { isPositive, name: isPositive ? "positive" : "0" });
      }
    };
    add(tp, true, true);
    add(fp, true, false);
    add(fn, false, true);
    add(tn, false, false);
  }
  return tally;
}

const metricsOf = (sides: Record<Side, Counts>) => biasMetrics(tallyOf(sides), { confidence: 0.95 });

describe("the examples of AWS's pages, done by hand", () => {
  it("treatment equality: 5/2 - 8/6", () => {
    const { TE } = metricsOf({ favoured: { fn: 8, fp: 6, tp: 86 }, other: { fn: 5, fp: 2, tp: 43 } });
    expect(TE.value).toBeCloseTo(5 / 2 - 8 / 6, 12);
  });
  it("accuracy difference: 0.7 - 0.5", () => {
    const { AD } = metricsOf({
      favoured: { tp: 60, tn: 10, fp: 20, fn: 10 },
      other: { tp: 40, tn: 10, fp: 40, fn: 10 },
    });
    expect(AD.value).toBeCloseTo(0.2, 12);
  });
  it("specificity difference: 18/23 - 20/30", () => {
    const { SD } = metricsOf({ favoured: { tn: 20, fp: 10 }, other: { tn: 18, fp: 5 } });
    expect(SD.value).toBeCloseTo(18 / 23 - 20 / 30, 12);
  });
  it("conditional acceptance: 70/60 - 20/30, and rejection: 20/30 - 70/60", () => {
    const accepted = metricsOf({ favoured: { tp: 60, fn: 10, tn: 30 }, other: { tp: 20, fp: 10, tn: 20 } });
    expect(accepted.DCAcc.value).toBeCloseTo(70 / 60 - 20 / 30, 12);
    const rejected = metricsOf({ favoured: { tn: 60, fp: 10, tp: 30 }, other: { tn: 20, fn: 10, tp: 20 } });
    expect(rejected.DCR.value).toBeCloseTo(20 / 30 - 70 / 60, 12);
  });
  it("divergences of 80 % against 30 %: KL 0.8 ln(0.8/0.3) + 0.2 ln(0.2/0.7)", () => {
    const { KL, TVD, KS, DPL, LP } = metricsOf({ favoured: { tp: 80, tn: 20 }, other: { tp: 30, tn: 70 } });
    expect(KL.value).toBeCloseTo(0.8 * Math.log(0.8 / 0.3) + 0.2 * Math.log(0.2 / 0.7), 12);
    for (const { value } of [TVD, KS, DPL]) expect(value).toBeCloseTo(0.5, 12);
    expect(LP.value).toBeCloseTo(Math.sqrt(0.5), 12);
  });
});

describe("what is not defined", () => {
  it("has a reason and no value", () => {
    const metrics = metricsOf({ favoured: { tn: 10 }, other: { fn: 10 } });
    expect(metrics.DI).toMatchObject({ value: null, reason: "nothing of the favoured side was predicted positive" });
    expect(metrics.TE.value).toBeNull();
    expect(metrics.FT.reason).toContain("features");
    expect(metrics.CDDPL.reason).toContain("group");
    expect(metricsOf({ favoured: {}, other: { tp: 1 } }).CI.value).toBeNull();
  });
});

describe("drift of bias", () => {
  const at = (favoured: number, other: number, n = 500) =>
    biasMetrics(
      tallyOf({
        favoured: { tp: favoured * n, tn: (1 - favoured) * n },
        other: { tp: other * n, tn: (1 - other) * n },
      }),
      { confidence: 0.99 },
    );
  const breaches = (
    now: ReturnType<typeof at>,
    before: ReturnType<typeof at> | null,
    metric: string,
    threshold = 0.05,
  ) => compareBias(now, { baseline: before, thresholds: { [metric]: threshold }, confidence: 0.99 })[0]?.breaching;

  it("counts what is farther from fair, sign flips included, and for DI fair is 1", () => {
    expect(breaches(at(0.7, 0.5), at(0.6, 0.6), "DPPL")).toBe(true);
    expect(breaches(at(0.3, 0.7), at(0.6, 0.5), "DPPL")).toBe(true);
    expect(breaches(at(0.5, 0.6), at(0.7, 0.5), "DPPL")).toBe(false);
    expect(breaches(at(0.6, 0.6), at(0.6, 0.3), "DI")).toBe(false);
    expect(breaches(at(0.3, 0.6), at(0.6, 0.5), "DI")).toBe(true);
  });

  it("needs more than chance", () => {
    expect(breaches(at(0.7, 0.5, 10), at(0.6, 0.6), "DPPL")).toBe(false);
    expect(breaches(at(0.66, 0.6), null, "DPPL")).toBe(false);
    expect(breaches(at(0.8, 0.6), null, "DPPL")).toBe(true);
  });

  it("is written in Clarify's shapes, and read back", () => {
    const now = at(0.7, 0.4);
    const written = JSON.parse(JSON.stringify(biasAnalysis(at(0.6, 0.6), { label: "y", facet: "sex", value: "f" })));
    const read = readBiasAnalysis(written, "sex");
    if (!read.ok) throw new Error(read.problem.message);
    expect([read.value.DCAcc?.value, read.value.TE]).toEqual([0, undefined]);
    const compared = compareBias(now, { baseline: read.value, thresholds: { DPPL: 0 }, confidence: 0.95 });
    expect(biasViolations(compared, { facet: "sex", favoured: ["m"] }).violations).toMatchObject([
      { facet: "sex", facet_value: "m", metric_name: "DPPL", constraint_check_type: "bias_drift_check" },
    ]);
    expect(readBiasAnalysis(written, "age").ok).toBe(false);
    expect(readBiasAnalysis({ pre_training_bias_metrics: 1 }, "sex").ok).toBe(false);
  });
});

it("adds up and comes back from its state, with groups and classes beyond the limit together", () => {
  const [one, two] = [new BiasTally(["a"]), new BiasTally(["a"])];
  for (let i = 0; i < 300; i += 1) {
    const answer = {
      facet: i % 3 === 0 ? "a" : i % 3 === 1 ? "d" : null,
      group: `g${i}`,
      predictedPositive: i % 2 === 0,
    };
    for (const tally of [one, i % 5 === 0 ? two : one]) {
      tally.addAnswer(answer);
      tally.addLabel(answer, { isPositive: i % 4 === 0, name: `l${i}` });
    }
  }
  const sum = BiasTally.fromState(["a"], JSON.parse(JSON.stringify(one.toState())));
  sum.merge(two);
  expect(sum.side("favoured").rows).toBe(200);
  expect(sum.unknownFacets).toBe(200);
  expect(sum.groups().length).toBeLessThanOrEqual(201);
});

it("flips by the majority of the nearest", () => {
  const favoured = Array.from({ length: 11 }, (_, at) => ({
    features: [at],
    isFavoured: true,
    predictedPositive: at >= 5,
  }));
  const other = [0, 10].map((at) => ({ features: [at], isFavoured: false, predictedPositive: false }));
  expect(flipTest([...favoured, ...other], 0.95).value).toBe(0.5);
  expect(flipTest(favoured, 0.95).value).toBeNull();
});
