import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { growTree, thresholdBetween, treeValue } from "./regression-tree.ts";

const options = { learningRate: 1, penalty: 0, leafCurvatureMin: 1 };

/** With a curvature of 1 per row, a leaf's value is the mean of what its rows lack. */
function grow(rows: readonly number[][], wanted: readonly number[], depthMax: number, leafCurvatureMin = 1) {
  const columns = rows[0]?.length ?? 0;
  return growTree({
    ...options,
    depthMax,
    leafCurvatureMin,
    rows: rows.map((row) => Float32Array.from(row)),
    rowOrders: Array.from({ length: columns }, (_, column) =>
      Uint32Array.from(rows.keys()).sort((a, b) => (rows[a]?.[column] ?? 0) - (rows[b]?.[column] ?? 0)),
    ),
    gradients: wanted.map((value) => -value),
    curvatures: wanted.map(() => 1),
  });
}

describe("growTree", () => {
  it("cuts the column that explains most, half way between its neighbours", () => {
    const tree = grow(
      [
        [5, 1],
        [1, 2],
        [4, 7],
        [2, 8],
      ],
      [-3, -3, 5, 5],
      1,
    );
    expect(tree[0]).toEqual({ kind: "branch", column: 1, threshold: 4.5, left: 1, right: 2 });
    expect(treeValue(tree, [0, 4.5])).toBe(-3);
    expect(treeValue(tree, [0, 4.6])).toBe(5);
  });

  it("needs two levels for an interaction, and finds it", () => {
    const corners = [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ];
    const tree = grow(corners, [1, 2, 3, 9], 2);
    expect(corners.map((row) => treeValue(tree, row))).toEqual([1, 2, 3, 9]);
  });

  it("leaves rows together when they are equal, when nothing is gained, and when a leaf would be too small", () => {
    expect(grow([[3], [3], [3]], [1, 5, 9], 3)).toEqual([{ kind: "leaf", value: 5 }]);
    expect(grow([[1], [2], [3]], [4, 4, 4], 3)).toEqual([{ kind: "leaf", value: 4 }]);
    expect(grow([[1], [2], [3]], [0, 0, 9], 3, 2)).toEqual([{ kind: "leaf", value: 3 }]);
  });
});

describe("thresholdBetween", () => {
  it("is a 32-bit float that separates any two neighbours", () => {
    const largest = Math.fround(1e30);
    const float = fc
      .float({ noNaN: true, noDefaultInfinity: true, min: -largest, max: largest })
      .map((value) => value + 0);
    fc.assert(
      fc.property(float, float, (one, other) => {
        fc.pre(one !== other);
        const below = Math.min(one, other);
        const above = Math.max(one, other);
        const threshold = thresholdBetween(below, above);
        expect(Math.fround(threshold)).toBe(threshold);
        expect(below <= threshold && threshold < above).toBe(true);
      }),
    );
  });

  it("rounds down between two floats that touch, where the midpoint would round up to the larger", () => {
    const below = 1 + 2 ** -23;
    const above = 1 + 2 ** -22;
    expect(Math.fround((below + above) / 2)).toBe(above);
    expect(thresholdBetween(below, above)).toBe(below);
    expect(thresholdBetween(-above, -below)).toBe(-above);
    expect(thresholdBetween(-(2 ** -149), 0)).toBe(-(2 ** -149));
  });
});
