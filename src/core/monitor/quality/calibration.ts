import type { ScoreCounts } from "./score-counts.ts";

/** From which score on, up to the next block, which share of the baseline's answers was truly positive. */
export interface CalibrationBlock {
  from: number;
  share: number;
  /** Labelled answers of the baseline that it rests on. */
  n: number;
}

/** Fewer labels say too little of how scores and truth go together. */
const LABELS_MIN = 100;

/**
 * What a score means, learned from labelled answers: the non-decreasing steps that are nearest to the truth in squares
 * (isotonic regression, pool adjacent violators; Ayer et al. 1955, for probabilities Zadrozny and Elkan 2002). Null with
 * fewer than 100 labels or without both classes.
 */
export function calibrate(labelled: ScoreCounts): CalibrationBlock[] | null {
  const sorted = labelled.sorted();
  const n = sorted.reduce((sum, each) => sum + each.positives + each.negatives, 0);
  const positives = sorted.reduce((sum, each) => sum + each.positives, 0);
  if (n < LABELS_MIN || positives === 0 || positives === n) return null;
  const blocks: CalibrationBlock[] = [];
  for (const each of sorted) {
    const weight = each.positives + each.negatives;
    if (weight === 0) continue;
    let block = { from: each.score, share: each.positives / weight, n: weight };
    for (let last = blocks.at(-1); last !== undefined && last.share >= block.share; last = blocks.at(-1)) {
      const both = last.n + block.n;
      block = { from: last.from, share: (last.share * last.n + block.share * block.n) / both, n: both };
      blocks.pop();
    }
    blocks.push(block);
  }
  return blocks;
}

/** The block that a score falls into; scores below the first fall into it as well. */
export function blockOf(blocks: readonly CalibrationBlock[], score: number): number {
  let low = 0;
  let high = blocks.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((blocks[middle]?.from ?? 0) <= score) low = middle;
    else high = middle - 1;
  }
  return low;
}
