import { type Attribute, type GraphNode, type Initializer, onnxModel } from "../onnx/model.ts";
import type { BoostedTrees } from "./gradient-boosting.ts";
import type { LogisticRegression } from "./logistic-regression.ts";
import { DECISION_THRESHOLD } from "./metrics.ts";
import type { RegressionTree } from "./regression-tree.ts";

/** A part of a graph: what it computes from `features` ends in the float [N, 1] value named `margin`. */
export interface MarginGraph {
  nodes: readonly GraphNode[];
  initializers: readonly Initializer[];
}

export interface ClassifierDescription {
  name: string;
  featureNames: readonly string[];
  labelName: string;
}

/** Operator sets of 2022: old enough for every runtime in use, new enough for all that these models need. */
const OPSET = { standard: 17, classical: 3 };

/**
 * A whole classifier: `features` float [N, width] in; `probability` float [N, 1] of the positive class and
 * `label` int64 [N] out.
 */
export function classifierOnnx(description: ClassifierDescription, margin: MarginGraph): Uint8Array {
  return onnxModel({
    name: description.name,
    inputs: [{ name: "features", type: "float", shape: ["N", description.featureNames.length] }],
    outputs: [
      { name: "probability", type: "float", shape: ["N", 1] },
      { name: "label", type: "int64", shape: ["N"] },
    ],
    nodes: [
      ...margin.nodes,
      { operator: "Sigmoid", inputs: ["margin"], outputs: ["probability"] },
      { operator: "Greater", inputs: ["probability", "decision_threshold"], outputs: ["positive"] },
      { operator: "Cast", inputs: ["positive"], outputs: ["label_column"], attributes: { to: INT64 } },
      { operator: "Squeeze", inputs: ["label_column", "column_axis"], outputs: ["label"] },
    ],
    initializers: [
      ...margin.initializers,
      { name: "decision_threshold", type: "float", shape: [], values: [DECISION_THRESHOLD] },
      { name: "column_axis", type: "int64", shape: [1], values: [1] },
    ],
    opset: OPSET,
    metadata: { features: description.featureNames.join(","), label: description.labelName },
  });
}

/** `int64` in the numbering of the ONNX element types. */
export const INT64: Attribute = { kind: "int", value: 7 };

export function logisticMarginGraph(model: LogisticRegression): MarginGraph {
  const width = model.columns.length;
  return {
    nodes: [
      { operator: "Gather", inputs: ["features", "columns"], outputs: ["chosen"], attributes: { axis: int(1) } },
      { operator: "Sub", inputs: ["chosen", "means"], outputs: ["centred"] },
      { operator: "Div", inputs: ["centred", "deviations"], outputs: ["standardised"] },
      { operator: "Gemm", inputs: ["standardised", "weights", "intercept"], outputs: ["margin"] },
    ],
    initializers: [
      { name: "columns", type: "int64", shape: [width], values: model.columns },
      { name: "means", type: "float", shape: [width], values: model.means },
      { name: "deviations", type: "float", shape: [width], values: model.deviations },
      { name: "weights", type: "float", shape: [width, 1], values: model.weights },
      { name: "intercept", type: "float", shape: [1], values: [model.intercept] },
    ],
  };
}

/** One `TreeEnsembleRegressor`, whose output is named by the caller so that more can be added to it. */
export function boostedMarginNode(model: BoostedTrees, output: string): GraphNode {
  const rows = model.trees.flatMap((tree, treeId) => treeRows(tree, treeId));
  const leaves = rows.filter((row) => row.mode === "LEAF");
  return {
    operator: "TreeEnsembleRegressor",
    domain: "ai.onnx.ml",
    inputs: ["features"],
    outputs: [output],
    attributes: {
      n_targets: int(1),
      aggregate_function: { kind: "string", value: "SUM" },
      post_transform: { kind: "string", value: "NONE" },
      base_values: { kind: "floats", value: [model.baseMargin] },
      nodes_treeids: ints(rows.map((row) => row.treeId)),
      nodes_nodeids: ints(rows.map((row) => row.nodeId)),
      nodes_modes: { kind: "strings", value: rows.map((row) => row.mode) },
      nodes_featureids: ints(rows.map((row) => row.column)),
      nodes_values: { kind: "floats", value: rows.map((row) => row.threshold) },
      nodes_truenodeids: ints(rows.map((row) => row.left)),
      nodes_falsenodeids: ints(rows.map((row) => row.right)),
      target_treeids: ints(leaves.map((row) => row.treeId)),
      target_nodeids: ints(leaves.map((row) => row.nodeId)),
      target_ids: ints(leaves.map(() => 0)),
      target_weights: { kind: "floats", value: leaves.map((row) => row.leafValue) },
    },
  };
}

interface TreeRow {
  treeId: number;
  nodeId: number;
  mode: "BRANCH_LEQ" | "LEAF";
  column: number;
  threshold: number;
  left: number;
  right: number;
  leafValue: number;
}

function treeRows(tree: RegressionTree, treeId: number): TreeRow[] {
  return tree.map((node, nodeId) =>
    node.kind === "leaf"
      ? { treeId, nodeId, mode: "LEAF", column: 0, threshold: 0, left: 0, right: 0, leafValue: node.value }
      : { ...node, treeId, nodeId, mode: "BRANCH_LEQ", leafValue: 0 },
  );
}

function int(value: number): Attribute {
  return { kind: "int", value };
}

function ints(value: readonly number[]): Attribute {
  return { kind: "ints", value };
}
