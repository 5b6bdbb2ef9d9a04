import {
  binOf,
  type CategoryCounts,
  type CategoryProfile,
  type NumberCounts,
  type NumberProfile,
} from "../../sketch/column-profile.ts";
import { numberProfile } from "../../sketch/number-profile.ts";
import { momentsOf } from "../../statistics/compensated-sum.ts";
import { hashed } from "../../statistics/testing/hashed.ts";
import { sortedSample } from "../sample-distance.ts";

/** Normal numbers (Box and Muller) that are the same at every run. */
export function normals(count: number, seed: number): Float64Array {
  const [radius, angle] = [hashed(count, seed), hashed(count, seed + 7919)];
  return radius.map((one, at) => Math.sqrt(-2 * Math.log(one + 1e-10)) * Math.cos(2 * Math.PI * (angle[at] ?? 0)));
}

/** Columns for tests, straight from values: NaN is a missing one. */

export function profileOfNumbers(values: ArrayLike<number>, name = "amount"): NumberProfile {
  const { sorted, missing } = sortedSample(values);
  return numberProfile({ name, rows: values.length, missing, sorted });
}

export function countNumbers(profile: NumberProfile, values: ArrayLike<number>): NumberCounts {
  const { sorted, missing } = sortedSample(values);
  const finite = sorted.filter(Number.isFinite);
  const bins = new Float64Array(profile.counts.length);
  for (const value of finite) {
    const bin = binOf(profile.edges, value);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const { mean, standardDeviation } = momentsOf(finite);
  const isEmpty = finite.length === 0;
  return {
    ...{ kind: "number", name: profile.name, rows: values.length, missing, mismatched: sorted.length - finite.length },
    ...{ notCaptured: 0, distinct: new Set(finite).size, bins },
    below: finite.filter((value) => value < (profile.min ?? value)).length,
    above: finite.filter((value) => value > (profile.max ?? value)).length,
    fractional: finite.filter((value) => !Number.isInteger(value)).length,
    min: isEmpty ? null : (finite[0] ?? 0),
    max: isEmpty ? null : (finite.at(-1) ?? 0),
    mean: isEmpty ? null : mean,
    m2: standardDeviation ** 2 * finite.length,
  };
}

/** `listMax` is how many categories the profile has room for. */
export function profileOfCategories(
  values: readonly (string | null)[],
  name = "country",
  listMax = 1000,
): CategoryProfile {
  const counts = countOf(values);
  const all = [...counts].map(([value, count]) => ({ value, count }));
  const sorted = all.toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
  return {
    ...{ kind: "category", name, rows: values.length, missing: values.filter((value) => value === null).length },
    ...{ distinct: counts.size, categories: sorted.slice(0, listMax) },
    otherRows: sorted.slice(listMax).reduce((sum, { count }) => sum + count, 0),
  };
}

export function countCategories(profile: CategoryProfile, values: readonly (string | null)[]): CategoryCounts {
  const counts = countOf(values);
  const distinct = counts.size;
  const categories = Float64Array.from(profile.categories, ({ value }) => counts.get(value) ?? 0);
  for (const { value } of profile.categories) counts.delete(value);
  const others = [...counts].map(([value, count]) => ({ value, count, overcount: 0 }));
  return {
    ...{ kind: "category", name: profile.name, rows: values.length, mismatched: 0, notCaptured: 0 },
    ...{ missing: values.filter((value) => value === null).length, distinct, categories },
    otherRows: others.reduce((sum, { count }) => sum + count, 0),
    others: others.toSorted((a, b) => b.count - a.count).slice(0, 32),
  };
}

function countOf(values: readonly (string | null)[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
