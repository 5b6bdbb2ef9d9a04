import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KLL_K_DEFAULT, KllSketch } from "./kll-sketch.ts";
import { seededDraws } from "./seeded-draws.ts";
import { SketchReader, SketchWriter } from "./sketch-bytes.ts";

const sketchOf = (values: Iterable<number>, options: { k?: number; seed?: number } = {}) => {
  const sketch = new KllSketch(options);
  for (const value of values) sketch.add(value);
  return sketch;
};
const copyOf = (sketch: KllSketch) => {
  const to = new SketchWriter();
  sketch.encode(to);
  const from = new SketchReader(to.done());
  const copy = KllSketch.decode(from);
  from.end();
  return copy;
};
const uniforms = (count: number, seed: number) => {
  const draw = seededDraws(seed);
  return Float64Array.from({ length: count }, draw);
};
/** The greatest error of any rank, as a share of the count. */
function worstRankError(sketch: KllSketch, values: Float64Array): number {
  const sorted = values.slice().sort();
  let worst = 0;
  for (let at = 0; at < sorted.length; at += 97) {
    const value = sorted[at] ?? 0;
    const atMost = sorted.lastIndexOf(value) + 1;
    worst = Math.max(worst, Math.abs((sketch.rank(value) ?? 0) - atMost / sorted.length));
  }
  return worst;
}

describe("ranks", () => {
  test("are exact while every value is kept", () => {
    const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(values, (given) => {
        const sketch = sketchOf(given, { k: 256 });
        const sorted = Float64Array.from(given).sort();
        expect(sketch.rankErrorMax).toBe(0);
        expect(sketch.min).toBe((sorted[0] ?? 0) + 0);
        expect(sketch.max).toBe((sorted.at(-1) ?? 0) + 0);
        for (const value of given)
          expect(sketch.rank(value)).toBeCloseTo(given.filter((other) => other <= value).length / given.length, 12);
        expect(sketch.quantile(0.5)).toBe((sorted[Math.ceil(given.length / 2) - 1] ?? 0) + 0);
      }),
    );
  });

  test.each([
    ["in random order", uniforms(30_000, 1)],
    ["rising", uniforms(30_000, 2).sort()],
    ["falling", uniforms(30_000, 3).sort().reverse()],
    ["few and often", uniforms(30_000, 4).map((value) => Math.floor(value * 7))],
    ["in blocks", uniforms(30_000, 5).map((value, at) => value + Math.floor(at / 3000))],
    ["of all sizes", uniforms(30_000, 6).map((value) => 10 ** (600 * value - 300))],
  ])("are off by less than is said, %s", (_what, values) => {
    for (const k of [64, 256]) {
      const sketch = sketchOf(values, { k, seed: k });
      expect(worstRankError(sketch, values)).toBeLessThan(sketch.rankErrorMax);
    }
  });

  test("are off by less than a thousandth by default, in less than 120 KB", () => {
    const values = uniforms(150_000, 7);
    const sketch = sketchOf(values);
    expect(sketch.k).toBe(KLL_K_DEFAULT);
    expect(worstRankError(sketch, values)).toBeLessThan(1e-3);
    expect(sketch.memoryBytes).toBeLessThan(120_000);
  });

  test("are off on neither side: errors of many sketches cancel out", () => {
    const values = uniforms(5000, 8);
    let sum = 0;
    for (let seed = 1; seed <= 200; seed += 1)
      sum += (sketchOf(values, { k: 32, seed }).rank(0.3) ?? 0) - values.filter((value) => value <= 0.3).length / 5000;
    // The standard error of the mean of 200, of which one alone is off by about 0.02.
    expect(Math.abs(sum / 200)).toBeLessThan(0.005);
  });
});

describe("merged", () => {
  test("in any split and order, they count all and stay within the bound", () => {
    const values = uniforms(20_000, 9);
    const parts = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(parts, fc.boolean(), (cuts, reversed) => {
        const at = [0, ...cuts.sort((a, b) => a - b), values.length];
        const sketches = at
          .slice(1)
          .map((end, part) => sketchOf(values.subarray(at[part], end), { k: 128, seed: part + 1 }));
        if (reversed) sketches.reverse();
        const whole = new KllSketch({ k: 128 });
        for (const sketch of sketches) whole.merge(sketch);
        expect(whole.count).toBe(values.length);
        expect(whole.ranked().cumulativeWeights.at(-1)).toBe(values.length);
        expect([whole.min, whole.max]).toEqual([Math.min(...values), Math.max(...values)]);
        expect(worstRankError(whole, values)).toBeLessThan(1.5 * whole.rankErrorMax);
        expect(whole.memoryBytes).toBeLessThan(128 * 8 * 10);
      }),
      { numRuns: 15 },
    );
  });

  test("many small ones are as good as one", () => {
    const values = uniforms(40_000, 10);
    const whole = new KllSketch({ k: 256 });
    for (let at = 0; at < values.length; at += 40)
      whole.merge(sketchOf(values.subarray(at, at + 40), { k: 256, seed: at + 1 }));
    expect(worstRankError(whole, values)).toBeLessThan(whole.rankErrorMax);
  });

  test("those of another size are a mistake", () => {
    expect(() => sketchOf([1], { k: 64 }).merge(sketchOf([1], { k: 128 }))).toThrow("same k");
  });
});

test("memory is bounded whatever comes", () => {
  const sketch = new KllSketch({ k: 64 });
  let most = 0;
  const draw = seededDraws(11);
  for (let count = 0; count < 300_000; count += 1) {
    sketch.add(draw());
    if (count % 1000 === 0) most = Math.max(most, sketch.memoryBytes);
  }
  expect(most).toBeLessThan(64 * 8 * 10);
});

test("bytes hold all of it: what goes on from a copy goes on alike", () => {
  const values = fc.oneof(
    fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 400 }),
    fc.array(fc.integer(), { maxLength: 400 }),
    fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 400 }),
  );
  fc.assert(
    fc.property(values, values, fc.integer(), (first, second, seed) => {
      const sketch = sketchOf(first, { k: 16, seed });
      const copy = copyOf(sketch);
      for (const value of second) {
        sketch.add(value);
        copy.add(value);
      }
      expect(copy.ranked()).toEqual(sketch.ranked());
      expect([copy.count, copy.min, copy.max]).toEqual([sketch.count, sketch.min, sketch.max]);
    }),
  );
});

test("levels come from and go to SageMaker's form", () => {
  const values = uniforms(5000, 12);
  const sketch = sketchOf(values, { k: 64 });
  const levels = sketch.levels().map((level) => [...level]);
  const again = KllSketch.fromLevels(levels, { k: 64, min: sketch.min ?? 0, max: sketch.max ?? 0 });
  expect(again.count).toBe(5000);
  expect(again.ranked()).toEqual(sketch.ranked());
  again.add(2);
  expect(again.max).toBe(2);
});
