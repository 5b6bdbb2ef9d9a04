import { betaQuantile, binomialDensity } from "./beta.ts";
import { normalQuantile, normalSurvival } from "./normal.ts";

export interface Interval {
  low: number;
  high: number;
}

interface CountOf {
  hits: number;
  of: number;
}

/**
 * The score interval of a share, Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212: right on average and never outside of
 * [0, 1]. Of nothing it is [0, 1].
 */
export function wilsonInterval({ hits, of }: CountOf, confidence = 0.95): Interval {
  if (of === 0) return { low: 0, high: 1 };
  const z = -normalQuantile((1 - confidence) / 2);
  const share = hits / of;
  const denominator = 1 + (z * z) / of;
  const centre = (share + (z * z) / (2 * of)) / denominator;
  const half = (z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of))) / denominator;
  return { low: hits === 0 ? 0 : Math.max(0, centre - half), high: hits === of ? 1 : Math.min(1, centre + half) };
}

/**
 * The exact interval of a share, Clopper & Pearson, Biometrika 26 (1934), 404-413: it holds the true share with at
 * least the stated confidence at every size. Of nothing it is [0, 1].
 */
export function clopperPearsonInterval({ hits, of }: CountOf, confidence = 0.95): Interval {
  if (of === 0) return { low: 0, high: 1 };
  const tail = (1 - confidence) / 2;
  return {
    low: hits === 0 ? 0 : betaQuantile({ a: hits, b: of - hits + 1, share: tail }),
    high: hits === of ? 1 : 1 - betaQuantile({ a: of - hits, b: hits + 1, share: tail }),
  };
}

/** Two shares by the pooled score test; p is that of either direction. 1 where a sample is empty or both are all or none. */
export function twoProportionTest(a: CountOf, b: CountOf): { z: number; pValue: number } {
  const pooled = (a.hits + b.hits) / (a.of + b.of);
  const variance = pooled * (1 - pooled) * (1 / a.of + 1 / b.of);
  if (!(variance > 0) || !Number.isFinite(variance)) return { z: 0, pValue: 1 };
  const z = (a.hits / a.of - b.hits / b.of) / Math.sqrt(variance);
  return { z, pValue: Math.min(1, 2 * normalSurvival(Math.abs(z))) };
}

/** Drawing from an urn of `size` balls, `marked` of them marked. */
interface Urn {
  size: number;
  marked: number;
  drawn: number;
}

/** The chance of exactly k marked ones among those drawn (hypergeometric), with all digits: Loader (2000), section 5. */
export function hypergeometricDensity(k: number, { size, marked, drawn }: Urn): number {
  if (k < Math.max(0, drawn - (size - marked)) || k > Math.min(marked, drawn)) return 0;
  const p = drawn / size;
  const q = (size - drawn) / size;
  const inMarked = binomialDensity({ k, n: marked, p, q });
  const inOthers = binomialDensity({ k: drawn - k, n: size - marked, p, q });
  return (inMarked * inOthers) / binomialDensity({ k: drawn, n: size, p, q });
}

/** The chance of at least k marked ones. Terms are added from the first one on, until they no longer count. */
export function hypergeometricAtLeast(k: number, urn: Urn): number {
  const least = Math.max(0, urn.drawn - (urn.size - urn.marked));
  const most = Math.min(urn.marked, urn.drawn);
  if (k <= least) return 1;
  if (k > most) return 0;
  const mean = (urn.drawn * urn.marked) / urn.size;
  // From below the mean the other side has fewer and smaller terms.
  if (k <= mean) return 1 - sumOfTerms(k - 1, urn, -1);
  return sumOfTerms(k, urn, 1);
}

function sumOfTerms(from: number, urn: Urn, direction: 1 | -1): number {
  const { size, marked, drawn } = urn;
  let term = hypergeometricDensity(from, urn);
  let sum = 0;
  for (let k = from; term > sum * 1e-17; k += direction) {
    sum += term;
    term *=
      direction === 1
        ? ((marked - k) * (drawn - k)) / ((k + 1) * (size - marked - drawn + k + 1))
        : (k * (size - marked - drawn + k)) / ((marked - k + 1) * (drawn - k + 1));
  }
  return Math.min(1, sum);
}

/**
 * Fisher's exact test that the current share is above the baseline's: the chance of so many hits in the current sample,
 * given how many there are in both together (Fisher, 1935). Exact for counts of any size; 1 where a sample is empty.
 */
export function shareAbove(current: CountOf, baseline: CountOf): number {
  if (current.of === 0 || baseline.of === 0) return 1;
  const urn = { size: current.of + baseline.of, marked: current.hits + baseline.hits, drawn: current.of };
  return hypergeometricAtLeast(current.hits, urn);
}

/** Fisher's exact test that two shares differ, in either direction: twice the chance of the rarer side, at most 1. */
export function sharesDiffer(a: CountOf, b: CountOf): number {
  const below = shareAbove({ hits: a.of - a.hits, of: a.of }, { hits: b.of - b.hits, of: b.of });
  return Math.min(1, 2 * Math.min(shareAbove(a, b), below));
}

/**
 * The chance that at least `outside` of `current` values lie outside of the range of `baseline` others of the same
 * continuous distribution, whatever that is. The two outer gaps of a sample hold as many values as any two neighbouring
 * ones (Wilks, Ann. Math. Stat. 12 (1941), 91-96), so it is the chance that among the `outside + 1` lowest of all values
 * at most one is the baseline's. Ties only make it smaller. 1 where a sample is empty.
 */
export function outsideRangePValue({
  outside,
  current,
  baseline,
}: {
  outside: number;
  current: number;
  baseline: number;
}): number {
  if (outside <= 0 || current === 0 || baseline === 0) return 1;
  const urn = { size: current + baseline, marked: baseline, drawn: outside + 1 };
  return Math.min(1, hypergeometricDensity(0, urn) + hypergeometricDensity(1, urn));
}
