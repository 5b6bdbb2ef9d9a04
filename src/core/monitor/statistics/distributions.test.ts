import { describe, expect, test } from "vitest";
import { expectClose, goldens } from "../../../../test/fixtures/statistics/goldens.ts";
import { betaQuantile, regularisedBeta, studentQuantile, studentSurvival } from "./beta.ts";
import { chiSquareSurvival } from "./chi-square.ts";
import { logGamma, regularisedGamma } from "./gamma.ts";
import { kolmogorovSurvival, stephensSurvival } from "./kolmogorov.ts";
import { normalCdf, normalQuantile, normalSurvival } from "./normal.ts";

type Arguments = Record<string, number>;
const of = (numbers: Arguments, name: string): number => numbers[name] ?? Number.NaN;

const FUNCTIONS: Record<string, (given: Arguments) => number> = {
  logGamma: (given) => logGamma(of(given, "x")),
  gammaUpper: (given) => regularisedGamma(of(given, "a"), of(given, "a") * of(given, "ratio")).upper,
  gammaLower: (given) => regularisedGamma(of(given, "a"), of(given, "a") * of(given, "ratio")).lower,
  normalSurvival: (given) => normalSurvival(of(given, "z")),
  normalQuantile: (given) => normalQuantile(of(given, "share")),
  chiSquareSurvival: (given) => chiSquareSurvival(of(given, "value"), of(given, "degrees")),
  beta: (given) => regularisedBeta({ a: of(given, "a"), b: of(given, "b"), x: of(given, "x") }).lower,
  betaQuantile: (given) => betaQuantile({ a: of(given, "a"), b: of(given, "b"), share: of(given, "share") }),
  studentSurvival: (given) => studentSurvival(of(given, "t"), of(given, "degrees")),
  studentQuantile: (given) => studentQuantile(of(given, "share"), of(given, "degrees")),
  kolmogorovSurvival: (given) => kolmogorovSurvival(of(given, "value")),
  stephens: (given) =>
    stephensSurvival(of(given, "statistic"), { baseline: of(given, "baseline"), current: of(given, "current") }),
};

describe("distributions agree with scipy to 1e-9 of the value", () => {
  test("every golden has a function that is compared with it", () => {
    expect(Object.keys(FUNCTIONS).sort()).toEqual(Object.keys(goldens.distributions).sort());
  });

  for (const [name, ours] of Object.entries(FUNCTIONS))
    test(name, () => {
      const cases = goldens.distributions[name] ?? [];
      expect(cases.length).toBeGreaterThan(5);
      for (const golden of cases)
        expectClose(ours(golden), of(golden, "expected"), `${name} of ${JSON.stringify(golden)}`);
    });
});

describe("at the edges", () => {
  test("a chance of everything is 1, of nothing 0, and of no number none", () => {
    expect([normalCdf(Number.POSITIVE_INFINITY), normalSurvival(Number.POSITIVE_INFINITY)]).toEqual([1, 0]);
    expect([normalQuantile(0), normalQuantile(1)]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect([normalQuantile(-0.1), normalQuantile(Number.NaN), normalSurvival(Number.NaN)]).toEqual([NaN, NaN, NaN]);
    expect([chiSquareSurvival(0, 3), chiSquareSurvival(Number.POSITIVE_INFINITY, 3), chiSquareSurvival(9, 0)]).toEqual([
      1, 0, 1,
    ]);
    expect([kolmogorovSurvival(-1), kolmogorovSurvival(Number.POSITIVE_INFINITY)]).toEqual([1, 0]);
    expect([studentSurvival(Number.POSITIVE_INFINITY, 4), studentSurvival(Number.NEGATIVE_INFINITY, 4)]).toEqual([
      0, 1,
    ]);
    expect(regularisedBeta({ a: 2, b: 3, x: 0 })).toEqual({ lower: 0, upper: 1 });
    expect(regularisedBeta({ a: 2, b: 3, x: 1.5 }).lower).toBeNaN();
    expect([logGamma(0), logGamma(-1), logGamma(2)]).toEqual([Number.POSITIVE_INFINITY, NaN, 0]);
  });

  test("Kolmogorov's two series meet", () => {
    expectClose(kolmogorovSurvival(1 - 1e-12), kolmogorovSurvival(1 + 1e-12), "beside 1", 1e-10);
  });
});
