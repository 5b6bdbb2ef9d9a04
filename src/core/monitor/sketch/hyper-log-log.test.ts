import { describe, expect, test } from "vitest";
import { HyperLogLog } from "./hyper-log-log.ts";
import { SketchReader, SketchWriter } from "./sketch-bytes.ts";

const ofNumbers = (from: number, to: number, step = 1) => {
  const sketch = new HyperLogLog();
  for (let value = from; value < to; value += 1) sketch.addNumber(value * step);
  return sketch;
};
const bytesOf = (sketch: HyperLogLog) => {
  const to = new SketchWriter();
  sketch.encode(to);
  return to.done();
};

describe("the number of different values", () => {
  // Four standard errors of 1.6 %.
  test.each([0, 1, 2, 10, 100, 1000, 4000, 10_000, 20_000, 200_000])("of %d is told within 6.5 %%", (count) => {
    for (const step of [1, 0.1, 1e-9, 12_345_678]) {
      const estimate = ofNumbers(0, count, step).estimate();
      expect(Math.abs(estimate - count)).toBeLessThanOrEqual(0.065 * count);
    }
  });

  test("is right within 2.2 % on average and leans to no side", () => {
    let squares = 0;
    let sum = 0;
    for (let run = 0; run < 60; run += 1) {
      const error = ofNumbers(run * 1e6, run * 1e6 + 6000, 1.37).estimate() / 6000 - 1;
      squares += error * error;
      sum += error;
    }
    expect(Math.sqrt(squares / 60)).toBeLessThan(0.022);
    expect(Math.abs(sum / 60)).toBeLessThan(0.009);
  });

  test("of texts and of what came twice", () => {
    const sketch = new HyperLogLog();
    for (let round = 0; round < 3; round += 1) for (let at = 0; at < 5000; at += 1) sketch.addText(`customer-${at}`);
    expect(Math.abs(sketch.estimate() - 5000)).toBeLessThan(325);
    const zeros = new HyperLogLog();
    zeros.addNumber(0);
    zeros.addNumber(-0);
    expect(Math.round(zeros.estimate())).toBe(1);
  });
});

test("merged in any order they are what one would have been", () => {
  const whole = ofNumbers(0, 9000);
  for (const order of [
    [0, 1, 2],
    [2, 0, 1],
  ]) {
    const merged = new HyperLogLog();
    for (const part of order) merged.merge(ofNumbers(part * 2500, part * 2500 + 4000));
    expect(bytesOf(merged)).toEqual(bytesOf(whole));
  }
});

test("bytes hold all of it, in 3 KB at most", () => {
  for (const count of [0, 1, 50, 1200, 1800, 2200, 100_000]) {
    const sketch = ofNumbers(0, count);
    const bytes = bytesOf(sketch);
    const from = new SketchReader(bytes);
    const again = HyperLogLog.decode(from);
    from.end();
    expect(bytesOf(again)).toEqual(bytes);
    expect(again.estimate()).toBe(sketch.estimate());
    expect(bytes.byteLength).toBeLessThan(3080);
  }
});
