import { damaged, type SketchReader, type SketchWriter } from "./sketch-bytes.ts";

/** Counts of bins: all in a row, or, where most are 0, each of the others with how many are skipped before it. */
export function writeCounts(to: SketchWriter, counts: Float64Array): void {
  let used = 0;
  for (const count of counts) if (count > 0) used += 1;
  to.count(used);
  if (isDense(used, counts.length)) {
    for (const count of counts) to.count(count);
    return;
  }
  let skipped = 0;
  for (const count of counts) {
    if (count === 0) skipped += 1;
    else {
      to.count(skipped);
      to.count(count);
      skipped = 0;
    }
  }
}

/** Fills `counts`, whose length the bytes do not tell. */
export function readCounts(from: SketchReader, counts: Float64Array): void {
  const used = from.length(counts.length, 1);
  if (isDense(used, counts.length)) {
    for (let at = 0; at < counts.length; at += 1) counts[at] = from.count();
    return;
  }
  let at = 0;
  for (let entry = 0; entry < used; entry += 1) {
    at += from.count();
    if (at >= counts.length) damaged("a bin that does not exist");
    counts[at] = from.count();
    at += 1;
  }
}

function isDense(used: number, length: number): boolean {
  return used * 2 > length;
}
