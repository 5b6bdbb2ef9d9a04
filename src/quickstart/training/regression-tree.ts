import { assert } from "../../core/error.ts";
import { element } from "./element.ts";

/** Nodes by index; the root is 0. A row goes left when its value is at most the threshold. */
export type RegressionTree = readonly TreeNode[];

export type TreeNode =
  | { kind: "branch"; column: number; threshold: number; left: number; right: number }
  | { kind: "leaf"; value: number };

export interface TreeTask {
  rows: readonly Float32Array[];
  /** Per column, the row indices in ascending order of that column's value. */
  rowOrders: readonly Uint32Array[];
  /** First and second derivative of the loss at each row. */
  gradients: readonly number[];
  curvatures: readonly number[];
  depthMax: number;
  learningRate: number;
  penalty: number;
  leafCurvatureMin: number;
}

interface Sums {
  gradient: number;
  curvature: number;
}

/** A cut of a column anywhere between two neighbouring values of the rows at hand. */
interface Split {
  column: number;
  below: number;
  above: number;
  gain: number;
}

/** Splits that gain less than this only fit noise of the arithmetic. */
const GAIN_MIN = 1e-9;

/** Grows one tree greedily, trying every split of every column. */
export function growTree(task: TreeTask): RegressionTree {
  const nodes: TreeNode[] = [];
  growNode(task, nodes, { members: new Uint8Array(task.rows.length).fill(1), depth: 0 });
  return nodes;
}

/** The value of the leaf that a row falls into. */
export function treeValue(tree: RegressionTree, row: ArrayLike<number>): number {
  let node = element(tree, 0);
  while (node.kind === "branch")
    node = element(tree, element(row, node.column) <= node.threshold ? node.left : node.right);
  return node.value;
}

/** Adds the node of these rows and everything below it; returns its index. */
function growNode(task: TreeTask, nodes: TreeNode[], at: { members: Uint8Array; depth: number }): number {
  const index = nodes.length;
  const sums = sumsOf(task, at.members);
  const split = at.depth < task.depthMax ? bestSplit(task, at.members, sums) : undefined;
  if (split === undefined) {
    const step = -sums.gradient / (sums.curvature + task.penalty);
    nodes.push({ kind: "leaf", value: Math.fround(step * task.learningRate) });
    return index;
  }
  const { column } = split;
  const threshold = thresholdBetween(split.below, split.above);
  nodes.push({ kind: "leaf", value: 0 });
  const goesLeft = (row: number) => element(element(task.rows, row), column) <= threshold;
  const leftMembers = at.members.map((member, row) => (member === 1 && goesLeft(row) ? 1 : 0));
  const rightMembers = at.members.map((member, row) => (member === 1 && !goesLeft(row) ? 1 : 0));
  const left = growNode(task, nodes, { members: leftMembers, depth: at.depth + 1 });
  const right = growNode(task, nodes, { members: rightMembers, depth: at.depth + 1 });
  nodes[index] = { kind: "branch", column, threshold, left, right };
  return index;
}

function bestSplit(task: TreeTask, members: Uint8Array, total: Sums): Split | undefined {
  let best: Split | undefined;
  for (const [column, order] of task.rowOrders.entries()) {
    const split = bestSplitOfColumn(task, { column, order, members, total });
    if (split !== undefined && split.gain > (best?.gain ?? GAIN_MIN)) best = split;
  }
  return best;
}

function bestSplitOfColumn(
  task: TreeTask,
  at: { column: number; order: Uint32Array; members: Uint8Array; total: Sums },
): Split | undefined {
  const parentScore = score(task, at.total);
  const left: Sums = { gradient: 0, curvature: 0 };
  let best: Split | undefined;
  let previous: number | undefined;
  for (const row of at.order) {
    if (at.members[row] !== 1) continue;
    const value = element(element(task.rows, row), at.column);
    const right = { gradient: at.total.gradient - left.gradient, curvature: at.total.curvature - left.curvature };
    const allowed = left.curvature >= task.leafCurvatureMin && right.curvature >= task.leafCurvatureMin;
    if (previous !== undefined && previous < value && allowed) {
      const gain = score(task, left) + score(task, right) - parentScore;
      if (best === undefined || gain > best.gain) {
        best = { column: at.column, below: previous, above: value, gain };
      }
    }
    left.gradient += element(task.gradients, row);
    left.curvature += element(task.curvatures, row);
    previous = value;
  }
  return best;
}

/**
 * The midpoint, rounded *down* to a 32-bit float: the exported tree stores thresholds as such, and rounding up could
 * carry the threshold to `above`, which would then go left in the export and right here.
 */
export function thresholdBetween(below: number, above: number): number {
  const middle = below + (above - below) / 2;
  const rounded = Math.fround(middle);
  const threshold = rounded <= middle ? rounded : nextFloat32Below(rounded);
  assert(below <= threshold && threshold < above, "a threshold separates its two neighbours");
  return threshold;
}

/** The bits of a float of one sign are ordered like whole numbers, so that its neighbour is one step away. */
function nextFloat32Below(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  if (value === 0) view.setInt32(0, -0x7fffffff);
  else view.setInt32(0, view.getInt32(0) + (value > 0 ? -1 : 1));
  return view.getFloat32(0);
}

function score(task: TreeTask, sums: Sums): number {
  return sums.gradient ** 2 / (sums.curvature + task.penalty);
}

function sumsOf(task: TreeTask, members: Uint8Array): Sums {
  const sums: Sums = { gradient: 0, curvature: 0 };
  for (const [row, member] of members.entries()) {
    if (member === 0) continue;
    sums.gradient += element(task.gradients, row);
    sums.curvature += element(task.curvatures, row);
  }
  return sums;
}
