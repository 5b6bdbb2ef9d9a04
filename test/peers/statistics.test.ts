import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { jensenShannon, populationStability } from "../../src/core/monitor/drift/cell-distance.ts";
import {
  kolmogorovSmirnov,
  normedWasserstein,
  sortedSample,
  wassersteinDistance,
} from "../../src/core/monitor/drift/sample-distance.ts";
import { chiSquareTwoSamples } from "../../src/core/monitor/statistics/chi-square.ts";
import { clopperPearsonInterval, shareAbove } from "../../src/core/monitor/statistics/proportion.ts";

/** Fresh random data sets at every run; `CONTINUUM_PEER_SEED` repeats one. */
const PYTHON = process.env["CONTINUUM_PEER_PYTHON"] ?? "python3";
const SEED = process.env["CONTINUUM_PEER_SEED"] ?? String(randomInt(2 ** 31));
const PROGRAM = fileURLToPath(new URL("./statistics-peer.py", import.meta.url));
const hasScipy = spawnSync(PYTHON, ["-c", "import scipy.stats"], { stdio: "ignore" }).status === 0;
const WHY_SKIPPED = hasScipy ? "" : ` (skipped: ${PYTHON} cannot import scipy)`;

interface Answer {
  samples: {
    baseline: number[];
    current: number[];
    expected: { statistic: number; pValue: number; wasserstein: number } | null;
  }[];
  tables: { baseline: number[]; current: number[]; statistic: number; pValue: number; jensenShannon: number }[];
  shares: { counts: [number, number, number, number]; pValue: number; low: number; high: number }[];
  evidently:
    | {
        baseline: number[];
        current: number[];
        psi: number;
        jensenShannon: number;
        numbers: [number[], number[]];
        wasserstein: number;
      }[]
    | null;
}

function ask(): Answer {
  const ran = spawnSync(PYTHON, [PROGRAM, SEED], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (ran.status !== 0) throw new Error(`scipy did not answer: ${ran.stderr}`);
  const special = new Map<unknown, number>([
    ["nan", Number.NaN],
    ["inf", Number.POSITIVE_INFINITY],
    ["-inf", Number.NEGATIVE_INFINITY],
  ]);
  return JSON.parse(ran.stdout, (_, value) => special.get(value) ?? value);
}

const answer = hasScipy ? ask() : undefined;

/** Beyond 1e-290 doubles have fewer digits; `absolute` is for differences of numbers that are large themselves. */
function close(actual: number, expected: number, what: string, absolute = 1e-290): void {
  const isClose = actual === expected || Math.abs(actual - expected) <= Math.max(1e-9 * Math.abs(expected), absolute);
  expect(isClose, `${what}: ${actual} for ${expected} (seed ${SEED})`).toBe(true);
}

describe.skipIf(answer === undefined)(`live scipy on random data sets, seed ${SEED}${WHY_SKIPPED}`, () => {
  test("Kolmogorov-Smirnov with its exact chance, and Wasserstein", () => {
    for (const { baseline, current, expected } of answer?.samples ?? []) {
      const [a, b] = [sortedSample(baseline).sorted, sortedSample(current).sorted];
      const ours = kolmogorovSmirnov(a, b);
      if (expected === null) {
        expect(ours).toMatchObject({ statistic: 0, pValue: 1 });
        continue;
      }
      const scale = Math.max(...[...a, ...b].map(Math.abs));
      close(ours.statistic, expected.statistic, "statistic");
      close(ours.pValue, expected.pValue, "chance");
      close(wassersteinDistance(a, b), expected.wasserstein, "Wasserstein", 1e-14 * scale);
    }
  });

  test("chi-square and Jensen-Shannon of tables", () => {
    for (const { baseline, current, ...expected } of answer?.tables ?? []) {
      const ours = chiSquareTwoSamples(baseline, current);
      if (ours.degrees === 0) continue;
      close(ours.statistic, expected.statistic, "statistic");
      close(ours.pValue, expected.pValue, "chance");
      close(jensenShannon(baseline, current), expected.jensenShannon, "Jensen-Shannon");
    }
  });

  test("Fisher's exact test, and Clopper and Pearson's interval", () => {
    for (const { counts, pValue, low, high } of answer?.shares ?? []) {
      const [hits, of, before, rows] = counts;
      close(shareAbove({ hits, of }, { hits: before, of: rows }), pValue, `Fisher of ${counts}`);
      const interval = clopperPearsonInterval({ hits, of });
      close(interval.low, low, `low of ${counts}`);
      close(interval.high, high, `high of ${counts}`);
    }
  });
});

const cases = answer?.evidently ?? null;
const WHY_NOT_EVIDENTLY = cases === null ? ` (skipped: ${PYTHON} cannot import evidently)` : "";

describe.skipIf(cases === null)(`live Evidently on random data sets, seed ${SEED}${WHY_NOT_EVIDENTLY}`, () => {
  test("PSI of categories, and Wasserstein in standard deviations", () => {
    for (const { baseline, current, psi, numbers, wasserstein } of cases ?? []) {
      close(populationStability(baseline, current), psi, "PSI");
      const [a, b] = [sortedSample(numbers[0]).sorted, sortedSample(numbers[1]).sorted];
      close(normedWasserstein(a, b) ?? Number.NaN, wasserstein, "normed Wasserstein");
    }
  });

  test("Jensen-Shannon of categories is Evidently's over the root of ln 2, because ours is in base 2", () => {
    for (const { baseline, current, jensenShannon: natural } of cases ?? [])
      close(jensenShannon(baseline, current), natural / Math.sqrt(Math.LN2), "Jensen-Shannon");
  });
});
