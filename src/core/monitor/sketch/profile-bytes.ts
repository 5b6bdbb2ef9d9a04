import {
  BINS_MAX,
  CATEGORIES_MAX,
  type CategoryProfile,
  type ColumnProfile,
  type NumberProfile,
} from "./column-profile.ts";
import { readCounts, writeCounts } from "./count-bytes.ts";
import { damaged, SketchReader, SketchWriter } from "./sketch-bytes.ts";
import { readValues, writeValues } from "./value-bytes.ts";

const VERSION = 1;
const COLUMNS_MAX = 100_000;

/** A baseline's profiles as bytes: about 20 KB for each column of numbers. */
export function encodeProfiles(profiles: readonly ColumnProfile[]): Uint8Array {
  const to = new SketchWriter();
  to.byte(VERSION);
  to.count(profiles.length);
  for (const profile of profiles) {
    to.byte(profile.kind === "number" ? 0 : 1);
    to.text(profile.name);
    for (const count of [profile.rows, profile.missing, profile.distinct]) to.count(count);
    if (profile.kind === "number") writeNumber(to, profile);
    else writeCategory(to, profile);
  }
  return to.done();
}

/** Throws `bad-sketch` for bytes that are none of `encodeProfiles`. */
export function decodeProfiles(bytes: Uint8Array): ColumnProfile[] {
  const from = new SketchReader(bytes);
  if (from.byte() !== VERSION) damaged("profiles of an unknown version");
  const profiles: ColumnProfile[] = [];
  for (let left = from.length(COLUMNS_MAX, 6); left > 0; left -= 1) {
    const kind = from.byte();
    if (kind > 1) damaged("a column of no known kind");
    const known = { name: from.text(), rows: from.count(), missing: from.count(), distinct: from.count() };
    profiles.push(kind === 0 ? { ...known, ...readNumber(from) } : { ...known, ...readCategory(from) });
  }
  from.end();
  return profiles;
}

function writeNumber(to: SketchWriter, profile: NumberProfile): void {
  const { min, max, mean, standardDeviation: deviation } = profile;
  const isEmpty = min === null || max === null || mean === null || deviation === null;
  to.byte((profile.isIntegral ? 1 : 0) | (profile.isExact ? 2 : 0) | (isEmpty ? 4 : 0));
  to.double(profile.rankErrorMax);
  if (!isEmpty) for (const value of [min, max, mean, deviation]) to.double(value);
  writeValues(to, profile.edges);
  for (const draw of profile.tieDraws) to.single(draw);
  writeCounts(to, profile.gaps);
  writeCounts(to, profile.counts);
}

function readNumber(from: SketchReader): Omit<NumberProfile, "name" | "rows" | "missing" | "distinct"> {
  const flags = from.byte();
  const rankErrorMax = from.double();
  const isEmpty = (flags & 4) !== 0;
  const [min, max, mean, deviation] = isEmpty
    ? [null, null, null, null]
    : [from.double(), from.double(), from.double(), from.double()];
  const edges = readValues(from, BINS_MAX - 1);
  const tieDraws = Float64Array.from(edges, () => from.single());
  const gaps = new Float64Array(edges.length + 1);
  const counts = new Float64Array(edges.length + 1);
  readCounts(from, gaps);
  readCounts(from, counts);
  const [isIntegral, isExact] = [(flags & 1) !== 0, (flags & 2) !== 0];
  const bins = { edges, gaps, tieDraws, counts };
  return { kind: "number", min, max, mean, standardDeviation: deviation, isIntegral, isExact, rankErrorMax, ...bins };
}

function writeCategory(to: SketchWriter, { categories, otherRows }: CategoryProfile): void {
  to.count(otherRows);
  to.count(categories.length);
  for (const { value, count } of categories) {
    to.text(value);
    to.count(count);
  }
}

function readCategory(from: SketchReader): Omit<CategoryProfile, "name" | "rows" | "missing" | "distinct"> {
  const otherRows = from.count();
  const categories: { value: string; count: number }[] = [];
  for (let left = from.length(CATEGORIES_MAX, 2); left > 0; left -= 1)
    categories.push({ value: from.text(), count: from.count() });
  return { kind: "category", categories, otherRows };
}
