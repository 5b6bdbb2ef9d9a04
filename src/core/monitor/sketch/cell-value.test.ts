import { expect, test } from "vitest";
import { categoryOf, numberOf } from "./cell-value.ts";

test.each([
  [1.5, 1.5],
  [-0, -0],
  [Number.NaN, null],
  [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  [true, 1],
  [12n, 12],
  [null, null],
  [" 41 ", 41],
  ["-4e2", -400],
  ["+.5", 0.5],
  ["", null],
  ["  ", null],
  ["nan", null],
  ["NaN", null],
  ["0", 0],
  ["00012", 12],
  ["0x1f", Number.NaN],
  ["0b0", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-inf", Number.NaN],
  ["1,5", Number.NaN],
  ["Ada", Number.NaN],
  [{}, Number.NaN],
  [[1], Number.NaN],
])("%s as a number is %s", (cell, number) => expect(numberOf(cell)).toBe(number));

test.each([
  ["Ulm", "Ulm"],
  [" Ulm\r", "Ulm"],
  ["", null],
  [" ", null],
  [null, null],
  [Number.NaN, null],
  [7, "7"],
  [7.5, "7.5"],
  ["7.0", "7"],
  ["-7.00", "-7"],
  ["007", "007"],
  ["1.10", "1.10"],
  [true, "true"],
  ["True", "true"],
  ["FALSE", "false"],
  [[1], undefined],
  [{}, undefined],
])("%s as a category is %s", (cell, category) => expect(categoryOf(cell)).toBe(category));

test("a long text is cut, and still told from others that begin alike", () => {
  const [one, two] = ["x", "y"].map((end) => categoryOf("é".repeat(5000) + end));
  expect(one).toHaveLength(117);
  expect(one).not.toBe(two);
});
