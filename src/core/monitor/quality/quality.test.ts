import { describe, expect, it } from "vitest";
import { seededRandom } from "../../policy/testing/random-decisions.ts";
import { calibrate } from "./calibration.ts";
import { estimateQuality } from "./estimated-quality.ts";
import {
  qualityConstraints,
  qualityStatistics,
  qualityViolations,
  readQualityConstraints,
  readQualityStatistics,
} from "./quality-files.ts";
import { type QualityReading, QualityTally } from "./quality-tally.ts";
import { ScoreCounts } from "./score-counts.ts";
import { areaErrorMax, areaUnderCurve } from "./score-curves.ts";

const BINARY: QualityReading = { problem: "binary", positive: "1", decisionThreshold: 0.5 };

function filled(reading: QualityReading, n: number, seed: number, tallies = 1): QualityTally[] {
  const random = seededRandom(seed);
  const made = Array.from({ length: tallies }, () => new QualityTally(reading));
  for (let i = 0; i < n; i += 1) {
    const tally = made[Math.floor(random() * tallies)];
    const truth = random();
    const label = reading.problem === "regression" ? String(1e5 + 10 * truth) : random() < truth ? "1" : "0";
    const score = Math.min(1, Math.max(0, truth + (random() - 0.5) / 2));
    const answer = { predicted: score > 0.5 ? "1" : "0", value: 1e5 + 10 * score, score };
    tally?.addAnswer(answer);
    tally?.addLabel(answer, label);
  }
  return made;
}

describe("tallies", () => {
  it.each(["binary", "multiclass", "regression"] as const)(
    "of a %s problem add up to what one has, and come back from their state",
    (problem) => {
      const reading = { ...BINARY, problem };
      const [whole] = filled(reading, 1500, 7);
      const parts = filled(reading, 1500, 7, 1).concat(new QualityTally(reading));
      const [sum, ...rest] = parts.map((part) =>
        QualityTally.fromState(reading, JSON.parse(JSON.stringify(part.toState()))),
      );
      for (const part of rest) sum?.merge(part);
      expect(sum?.metrics(0.95)).toEqual(whole?.metrics(0.95));
      const split = filled(reading, 1500, 8, 4);
      const [first, ...others] = split;
      const labelled = split.reduce((total, part) => total + part.labelled, 0);
      for (const part of others.toReversed()) first?.merge(part);
      expect([first?.labelled, first?.answers]).toEqual([labelled, 1500]);
    },
  );

  it("of a regression merge whatever their shifts are", () => {
    const reading = { ...BINARY, problem: "regression" as const };
    const whole = new QualityTally(reading);
    const parts = [new QualityTally(reading), new QualityTally(reading)];
    const random = seededRandom(3);
    for (let i = 0; i < 600; i += 1) {
      const label = 1000 * random() * (i % 2 === 0 ? 1 : -1);
      const answer = { predicted: null, score: null, value: label + random() };
      whole.addLabel(answer, String(label));
      parts[i % 2]?.addLabel(answer, String(label));
    }
    parts[0]?.merge(parts[1] ?? new QualityTally(reading));
    for (const [name, { value, standardError }] of Object.entries(whole.metrics(0.95))) {
      expect(parts[0]?.metrics(0.95)[name]?.value).toBeCloseTo(value ?? 0, 9);
      expect(parts[0]?.metrics(0.95)[name]?.standardError).toBeCloseTo(standardError ?? 0, 9);
    }
  });

  it("put scores into bins when there are too many, and say how far the area is off at most", () => {
    const random = seededRandom(5);
    const all: { score: number; isPositive: boolean }[] = [];
    const counts = new ScoreCounts();
    for (let i = 0; i < 5000; i += 1) {
      const score = random();
      all.push({ score, isPositive: random() < score });
      counts.add(score, all.at(-1)?.isPositive === true);
    }
    const exact = exactArea(all);
    expect(counts.isBinned).toBe(true);
    expect(counts.sorted().length).toBeLessThanOrEqual(1000);
    expect(Math.abs((areaUnderCurve(counts, 0.95).value ?? 0) - exact)).toBeLessThanOrEqual(areaErrorMax(counts));
    expect(areaErrorMax(counts)).toBeLessThan(0.001);
    expect(ScoreCounts.fromState(counts.toState()).toState()).toEqual(counts.toState());
  });

  it("have no value where there is none, and a wide interval where all were right", () => {
    const tally = new QualityTally(BINARY);
    tally.addLabel({ predicted: "0", value: null, score: null }, "0");
    const metrics = tally.metrics(0.95);
    expect(metrics["recall"]).toEqual({
      value: null,
      reason: "no positive labels",
      standardError: null,
      interval: null,
    });
    expect(metrics["accuracy"]?.value).toBe(1);
    expect(metrics["accuracy"]?.interval?.low).toBeLessThan(0.3);
    expect(tally.addLabel({ predicted: null, value: null, score: null }, "1")).toBe(false);
    expect(tally.unusable["no-prediction"]).toBe(1);
  });
});

function exactArea(all: readonly { score: number; isPositive: boolean }[]): number {
  const sorted = [...all].sort((a, b) => a.score - b.score);
  let below = 0;
  let area = 0;
  for (const { isPositive } of sorted) {
    if (isPositive) area += below;
    else below += 1;
  }
  return area / (below * (all.length - below));
}

describe("the estimate without labels", () => {
  it("is near the truth, with it in the interval, when scores mean what they meant", () => {
    const random = seededRandom(11);
    const baseline = new ScoreCounts();
    // The model is over-confident: calibration has to find that out.
    const chance = (score: number) => 0.3 + 0.4 * score;
    for (let i = 0; i < 20_000; i += 1) {
      const score = random();
      baseline.add(score, random() < chance(score));
    }
    const calibration = calibrate(baseline) ?? [];
    const tally = new QualityTally(BINARY);
    for (let i = 0; i < 20_000; i += 1) {
      const score = random() ** 2;
      tally.addAnswer({ predicted: null, value: null, score });
      tally.addLabel({ predicted: null, value: null, score }, random() < chance(score) ? "1" : "0");
    }
    const { metrics } = estimateQuality(tally.allScores, { calibration, decisionThreshold: 0.5, confidence: 0.999 });
    const truth = tally.metrics(0.95);
    for (const name of ["accuracy", "precision", "recall", "f1"] as const) {
      const real = truth[name]?.value ?? Number.NaN;
      expect(metrics[name].interval?.low, name).toBeLessThan(real);
      expect(metrics[name].interval?.high, name).toBeGreaterThan(real);
      expect(Math.abs((metrics[name].value ?? 0) - real), name).toBeLessThan(0.02);
    }
    expect(Math.abs((metrics.auc.value ?? 0) - (truth["auc"]?.value ?? 0))).toBeLessThan(0.02);
  });

  it("is not made of few labels or of one class", () => {
    const few = new ScoreCounts();
    few.add(0.4, true, 50);
    few.add(0.2, false, 49);
    expect(calibrate(few)).toBeNull();
    const one = new ScoreCounts();
    one.add(0.4, true, 500);
    expect(calibrate(one)).toBeNull();
  });
});

describe("SageMaker's files", () => {
  it("are read as they are written, and say what is worse", () => {
    const [before] = filled(BINARY, 1000, 21);
    if (before === undefined) throw new Error("no tally");
    const constraints = readQualityConstraints(JSON.parse(JSON.stringify(qualityConstraints(before))));
    if (!constraints.ok) throw new Error(constraints.problem.message);
    expect(constraints.value.constraints["recall"]?.comparison_operator).toBe("LessThanThreshold");
    expect(constraints.value.constraints["false_positive_rate"]?.comparison_operator).toBe("GreaterThanThreshold");
    expect(qualityViolations(before, constraints.value).violations).toEqual([]);
    const statistics = readQualityStatistics(JSON.parse(JSON.stringify(qualityStatistics(before))));
    expect(statistics).toMatchObject({ ok: true, value: { problem: "binary" } });

    const worse = new QualityTally(BINARY);
    for (let i = 0; i < 300; i += 1)
      worse.addLabel({ predicted: null, value: null, score: 0.9 }, i % 2 === 0 ? "1" : "0");
    const { violations } = qualityViolations(worse, constraints.value);
    expect(violations.map(({ metric_name: name }) => name)).toEqual(
      expect.arrayContaining(["precision", "false_positive_rate"]),
    );
    expect(violations[0]?.description).toMatch(
      /^Metric \w+ with [\d.]+ \+\/- [\d.]+ was (Less|Greater)ThanThreshold '[\d.]+'$/,
    );
  });

  it("of AWS's own page are read: text for a number that JSON does not have", () => {
    const given = {
      version: 0.0,
      dataset: { item_count: 4 },
      binary_classification_metrics: {
        confusion_matrix: { "0": { "0": 1, "1": 2 }, "1": { "0": 0, "1": 1 } },
        recall: { value: 1.0, standard_deviation: "NaN" },
        f1: { value: 0.5, standard_deviation: "NaN" },
      },
    };
    expect(readQualityStatistics(given)).toEqual({
      ok: true,
      value: {
        problem: "binary",
        metrics: { recall: { value: 1, standardDeviation: null }, f1: { value: 0.5, standardDeviation: null } },
      },
    });
  });

  it.each([[null], [{}], [{ binary_classification_constraints: { f1: { threshold: "x" } } }]])(
    "that are none are refused: %j",
    (json) => {
      expect(readQualityConstraints(json).ok).toBe(false);
    },
  );
});
