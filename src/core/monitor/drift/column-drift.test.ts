import { describe, expect, test } from "vitest";
import { hashed } from "../statistics/testing/hashed.ts";
import { type ColumnDrift, driftOf } from "./column-drift.ts";
import { driftFigures } from "./drift-figures.ts";
import { countCategories, countNumbers, normals, profileOfCategories, profileOfNumbers } from "./testing/columns.ts";
import { driftSettings } from "./testing/settings.ts";

const texts = (count: number, seed: number, shares: Record<string, number>): string[] =>
  [...hashed(count, seed)].map((uniform) => {
    let left = uniform;
    for (const [text, share] of Object.entries(shares)) {
      left -= share;
      if (left < 0) return text;
    }
    return Object.keys(shares).at(-1) ?? "";
  });

const BASELINE = normals(10_000, 1);
const amount = profileOfNumbers(BASELINE);

function numbers(values: ArrayLike<number>, settings = driftSettings(), profile = amount): ColumnDrift {
  const [column] = driftOf({ profiles: [profile], counts: [countNumbers(profile, values)], settings }).columns;
  if (column === undefined) throw new Error("no column");
  return column;
}

function categories(before: (string | null)[], now: (string | null)[], settings = driftSettings(), listMax = 1000) {
  const profile = profileOfCategories(before, "country", listMax);
  const [column] = driftOf({ profiles: [profile], counts: [countCategories(profile, now)], settings }).columns;
  if (column === undefined) throw new Error("no column");
  return column;
}

const breaching = ({ checks }: ColumnDrift): string[] =>
  checks.filter((one) => one.isBreaching).map(({ check }) => check);

describe("a column of numbers", () => {
  test("rows from where the baseline came from are no drift", () => {
    for (let seed = 2; seed < 12; seed++) expect(numbers(normals(1000, seed)).isDrifted).toBe(false);
  });

  test("a shift over the limit is, with its distance and its corrected chance", () => {
    const column = numbers(normals(1200, 2).map((value) => value + 0.4));
    expect(column.isDrifted).toBe(true);
    expect(column.distances).toMatchObject([{ method: "wasserstein", threshold: 0.1, isOver: true }]);
    expect(Math.abs((column.distances[0]?.distance ?? 0) - 0.4)).toBeLessThan(0.1);
    expect(column.test?.adjustedPValue).toBeLessThan(1e-20);
  });

  test("effect without significance is none: forty rows are far off by chance", () => {
    const column = numbers(normals(40, 2), driftSettings({ rowsMin: 20 }));
    expect(column.distances[0]?.isOver).toBe(true);
    expect(column.isDrifted).toBe(false);
  });

  test("significance without effect is none: many rows show any difference", () => {
    const column = numbers(normals(20_000, 2).map((value) => value + 0.07));
    expect(column.test?.adjustedPValue).toBeLessThan(0.001);
    expect(column.isDrifted).toBe(false);
  });

  test("with fewer rows than asked for nothing is said", () => {
    const column = numbers(normals(999, 2).map((value) => value + 5));
    expect(column).toMatchObject({ state: "too few rows", isDrifted: false, test: null, distances: [], rows: 999 });
  });

  test("every method sees a change of spread, each in its unit", () => {
    const wider = normals(2000, 5).map((value) => value * 1.8);
    const methods = ["ks", "psi", "jensen-shannon", "wasserstein", "chi-square", "l-infinity"] as const;
    for (const method of methods) {
      const settings = driftSettings({ methods: [{ method, threshold: null }] });
      expect(numbers(wider, settings), method).toMatchObject({ isDrifted: true, distances: [{ method }] });
      expect(numbers(normals(2000, 6), settings).isDrifted, method).toBe(false);
    }
  });

  test("a rare flag that becomes frequent is found although chi-square has too few rows for it", () => {
    const flag = (rate: number, count: number, seed: number) => hashed(count, seed).map((one) => (one < rate ? 1 : 0));
    const profile = profileOfNumbers(flag(0.001, 10_000, 1), "flag");
    expect(numbers(flag(0.03, 1000, 2), driftSettings(), profile)).toMatchObject({
      isDrifted: true,
      test: { name: "one value" },
    });
    expect(numbers(flag(0.001, 1000, 3), driftSettings(), profile).isDrifted).toBe(false);
  });

  test("the same batch again and again is as near as it was at first", () => {
    const batch = BASELINE.subarray(0, 1000);
    expect(numbers(batch)).toEqual(numbers(Float64Array.from(batch)));
    const whole = numbers(BASELINE);
    expect(whole.distances[0]?.distance).toBeLessThan(1e-12);
    expect(whole).toMatchObject({ isDrifted: false, test: { pValue: 1 } });
  });

  test("one row repeated is drift: the values of the baseline are no longer there", () => {
    expect(numbers(new Float64Array(1000).fill(BASELINE[0] ?? 0)).isDrifted).toBe(true);
  });

  test("a constant baseline has no deviation to measure by: shares of rows decide", () => {
    const constant = profileOfNumbers(new Float64Array(5000).fill(3), "version");
    const same = numbers(new Float64Array(1000).fill(3), driftSettings(), constant);
    expect(same).toMatchObject({ isDrifted: false, distances: [{ method: "ks", distance: 0, threshold: 0.1 }] });
    const half = hashed(1000, 1).map((one) => (one < 0.5 ? 3 : 4));
    expect(numbers(half, driftSettings(), constant).isDrifted).toBe(true);
  });

  test("a baseline known by a sketch alone is given the sketch's error", () => {
    const rows = normals(20_000, 7).map((value) => value + 0.06);
    const exact = numbers(rows);
    const sketched = numbers(rows, driftSettings(), { ...amount, isExact: false, rankErrorMax: 0.05 });
    expect(exact.test?.pValue).toBeLessThan(0.01);
    expect(sketched.test?.pValue).toBe(1);
  });
});

describe("data quality checks", () => {
  test("missing values above the baseline's share", () => {
    const profile = profileOfNumbers(normals(5000, 1).map((value, row) => (row % 20 === 0 ? Number.NaN : value)));
    const now = (share: number) =>
      normals(1000, 2).map((value, row) => ((row * 7919) % 1000 < share * 1000 ? Number.NaN : value));
    expect(breaching(numbers(now(0.05), driftSettings(), profile))).toEqual([]);
    expect(breaching(numbers(now(0.2), driftSettings(), profile))).toEqual(["missing"]);
    // Fewer than before are no finding.
    expect(numbers(now(0), driftSettings(), profile).checks).not.toContainEqual(
      expect.objectContaining({ check: "missing" }),
    );
    expect(breaching(numbers(new Float64Array(1000).fill(Number.NaN), driftSettings(), profile))).toEqual(["missing"]);
  });

  test("values outside of the range, of another type, and fractions where whole numbers were", () => {
    const far = normals(1000, 2).map((value, row) => (row % 50 === 0 ? 1e9 : value));
    expect(breaching(numbers(far))).toEqual(["range"]);
    const infinite = normals(1000, 2).map((value, row) => (row % 50 === 0 ? Number.POSITIVE_INFINITY : value));
    expect(breaching(numbers(infinite))).toEqual(["type"]);
    const whole = profileOfNumbers(
      hashed(5000, 1).map((one) => Math.floor(one * 10)),
      "rooms",
    );
    const fractions = hashed(1000, 2).map((one) => (one < 0.1 ? 4.5 : Math.floor(one * 10)));
    expect(breaching(numbers(fractions, driftSettings(), whole))).toEqual(["type"]);
  });

  test("the range of a small baseline is no law: about two of a hundred rows lie outside of that of a hundred", () => {
    for (let seed = 20; seed < 30; seed++) {
      const small = profileOfNumbers(normals(100, seed));
      expect(breaching(numbers(normals(1000, seed + 50), driftSettings(), small))).toEqual([]);
    }
  });
});

describe("a column of categories", () => {
  const SHARES = { DE: 0.5, FR: 0.3, IT: 0.15, LI: 0.05 };
  const before = texts(8000, 1, SHARES);

  test("the same shares are no drift, others are", () => {
    expect(categories(before, texts(1000, 2, SHARES))).toMatchObject({ isDrifted: false, checks: [] });
    const moved = categories(before, texts(1000, 2, { DE: 0.3, FR: 0.3, IT: 0.35, LI: 0.05 }));
    expect(moved).toMatchObject({ isDrifted: true, distances: [{ method: "jensen-shannon", threshold: 0.1 }] });
  });

  test("a new category is found, by its share and by the distance", () => {
    const now = texts(1000, 3, { ...SHARES, DE: 0.4, XX: 0.1 });
    expect(breaching(categories(before, now))).toEqual(["new-category"]);
    const settings = driftSettings({ methods: [{ method: "l-infinity", threshold: 0.08 }] });
    expect(categories(before, now, settings)).toMatchObject({ isDrifted: true, distances: [{ method: "l-infinity" }] });
  });

  test("a column in which every row is different is no drift and has no new categories", () => {
    const ids = (from: number, count: number) => Array.from({ length: count }, (_, row) => `id-${from + row}`);
    const column = categories(ids(0, 900), ids(5000, 1000));
    expect(column.isDrifted).toBe(false);
    expect(breaching(column)).toEqual([]);
    const longer = categories(ids(0, 9000), ids(20_000, 1000), driftSettings(), 100);
    expect(longer.isDrifted).toBe(false);
    expect(breaching(longer)).toEqual([]);
  });

  test("a method that needs an order gives way to Jensen-Shannon, with its own limit", () => {
    const settings = driftSettings({ methods: [{ method: "wasserstein", threshold: 7 }] });
    expect(categories(before, texts(1000, 2, SHARES), settings).distances).toMatchObject([
      { method: "jensen-shannon", threshold: 0.1 },
    ]);
  });
});

describe("a window", () => {
  const profiles = Array.from({ length: 30 }, (_, index) =>
    profileOfNumbers(normals(10_000, index + 1), `column-${index}`),
  );
  const shifted = (by: number) =>
    profiles.map((profile, index) =>
      countNumbers(
        profile,
        normals(1200, index + 100).map((value) => value + (index === 4 ? by : 0)),
      ),
    );

  test("finds the one column that moved, says by how much, and how it was corrected", () => {
    const window = driftOf({ profiles, counts: shifted(0.42), settings: driftSettings() });
    expect(window.columns.filter(({ isDrifted }) => isDrifted).map(({ column }) => column)).toEqual(["column-4"]);
    expect(window).toMatchObject({ rows: 1200, tests: 30 * 4 });
    const figure = driftFigures(window).find(({ breaching: found }) => found);
    expect(figure?.message).toMatch(
      /^Wasserstein 0\.4\d* of the baseline's standard deviations \(limit 0\.1\), p \de-\d+ \([A-Za-z -]+\) adjusted for 120 tests, 1,200 rows against 10,000$/,
    );
  });

  test("Bonferroni's chances are Benjamini and Hochberg's or larger", () => {
    const chances = (correction: "bonferroni" | "benjamini-hochberg") =>
      driftOf({ profiles, counts: shifted(0.1), settings: driftSettings({ correction }) }).columns.map(
        (one) => one.test?.adjustedPValue ?? Number.NaN,
      );
    const [strict, usual] = [chances("bonferroni"), chances("benjamini-hochberg")];
    for (const [index, chance] of strict.entries()) expect(chance).toBeGreaterThanOrEqual(usual[index] ?? Number.NaN);
  });

  test("columns can be left out, and can have a method and a limit of their own", () => {
    const settings = driftSettings({
      ignore: ["column-4"],
      columns: { "column-5": { method: "psi" }, "column-6": { threshold: 0.9 } },
      threshold: 0.3,
    });
    const { columns } = driftOf({ profiles, counts: shifted(5), settings });
    const of = (name: string) => columns.find(({ column }) => column === name)?.distances;
    expect(of("column-4")).toBeUndefined();
    expect(of("column-5")).toMatchObject([{ method: "psi", threshold: 0.2 }]);
    expect(of("column-6")).toMatchObject([{ method: "wasserstein", threshold: 0.9 }]);
    expect(of("column-7")).toMatchObject([{ method: "wasserstein", threshold: 0.3 }]);
  });

  test("several methods: any that is over its limit", () => {
    const methods = [{ method: "psi", threshold: 0.2 } as const, { method: "ks", threshold: 0.9 } as const];
    const column = numbers(
      normals(2000, 5).map((value) => value + 1),
      driftSettings({ methods }),
    );
    expect(column.distances.map(({ isOver }) => isOver)).toEqual([true, false]);
    expect(column.isDrifted).toBe(true);
  });

  test("what was not captured, did not come, or has no baseline is told apart", () => {
    const counts = shifted(0).slice(0, 2);
    const [first] = counts;
    if (first?.kind !== "number") throw new Error("a number");
    const hidden = {
      ...first,
      rows: 0,
      notCaptured: 1200,
      bins: new Float64Array(first.bins.length),
      below: 0,
      above: 0,
    };
    const empty = profileOfNumbers([Number.NaN], "empty");
    const { rows, columns, tests } = driftOf({
      profiles: [...profiles.slice(0, 3), empty],
      counts: [hidden, ...counts.slice(1)],
      settings: driftSettings(),
    });
    expect(rows).toBe(1200);
    expect(tests).toBe(4);
    expect(columns.map(({ state }) => state)).toEqual(["not captured", "judged", "did not come", "no baseline"]);
  });
});
