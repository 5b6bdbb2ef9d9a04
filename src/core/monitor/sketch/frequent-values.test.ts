import fc from "fast-check";
import { expect, test } from "vitest";
import { FrequentValues } from "./frequent-values.ts";
import { SketchReader, SketchWriter } from "./sketch-bytes.ts";

const letters = fc.array(
  fc.integer({ min: 0, max: 25 }).map((at) => String.fromCharCode(97 + at)),
  { maxLength: 300 },
);
const of = (values: readonly string[], capacity: number) => {
  const counts = new FrequentValues(capacity);
  for (const value of values) counts.add(value);
  return counts;
};
const occurrences = (values: readonly string[], value: string) => values.filter((other) => other === value).length;

test("counts are exact while there is room", () => {
  fc.assert(
    fc.property(letters, (values) => {
      const counts = of(values, 26);
      expect(counts.overcountMax).toBe(0);
      for (const { value, count } of counts.top(26)) expect(count).toBe(occurrences(values, value));
      expect(counts.size).toBe(new Set(values).size);
    }),
  );
});

test("otherwise they are too high by no more than is said, however they are split and merged", () => {
  fc.assert(
    fc.property(letters, letters, letters, (first, second, third) => {
      const all = [...first, ...second, ...third];
      const merged = of(first, 8);
      const others = of(third, 8);
      others.merge(of(second, 8));
      merged.merge(others);
      expect(merged.size).toBeLessThanOrEqual(8);
      expect(merged.overcountMax).toBeLessThanOrEqual((2 * all.length) / 8);
      const top = merged.top(8);
      for (const { value, count, overcount } of top) {
        expect(count).toBeGreaterThanOrEqual(occurrences(all, value));
        expect(count - overcount).toBeLessThanOrEqual(occurrences(all, value));
      }
      // Whatever is not kept did not come more often than that.
      for (const value of new Set(all))
        if (!top.some((kept) => kept.value === value))
          expect(occurrences(all, value)).toBeLessThanOrEqual(merged.overcountMax);
    }),
  );
});

test("bytes hold all of it", () => {
  fc.assert(
    fc.property(letters, (values) => {
      const counts = of(values, 8);
      const to = new SketchWriter();
      counts.encode(to);
      expect(FrequentValues.decode(new SketchReader(to.done()), 8).top(8)).toEqual(counts.top(8));
    }),
  );
});
