import { onnxModel } from "../../../src/quickstart/onnx/model.ts";

/** What a model is asked about: two numbers in [0, 1], and which of two groups it is about. */
export type ScoredRow = readonly [first: number, second: number, group: 0 | 1];

/** How steeply the probability goes from 0 to 1 at the middle: nine in ten answers are sure of themselves. */
const STEEPNESS = 20;

/**
 * A small real model: `features`, float32 [N, 3], give `probability` [N, 1], the logistic function of how far the
 * weighted features are over `middle`. Equal weights with another middle are another model.
 */
export function scoredModel(options: { weights: ScoredWeights; middle: number }): Uint8Array {
  return onnxModel({
    name: "scored",
    inputs: [{ name: "features", type: "float", shape: ["N", 3] }],
    outputs: [{ name: "probability", type: "float", shape: ["N", 1] }],
    nodes: [
      { operator: "MatMul", inputs: ["features", "weights"], outputs: ["weighted"] },
      { operator: "Sub", inputs: ["weighted", "middle"], outputs: ["over"] },
      { operator: "Sigmoid", inputs: ["over"], outputs: ["probability"] },
    ],
    initializers: [
      { name: "weights", type: "float", shape: [3, 1], values: options.weights.map((one) => one * STEEPNESS) },
      { name: "middle", type: "float", shape: [1], values: [options.middle * STEEPNESS] },
    ],
    opset: { standard: 17 },
  });
}

type ScoredWeights = readonly [first: number, second: number, group: number];

/** What is true of a row, whatever a model says. */
export function truthOf([first]: ScoredRow): 0 | 1 {
  return first > 0.5 ? 1 : 0;
}

/** Rows that come as the baseline's did, from a seed; `shift` moves the first feature. */
export function drawRows(seed: number, { shift = 0 } = {}): () => ScoredRow {
  const draw = uniform(seed);
  return () => [rounded(draw() + shift), rounded(draw()), draw() < 0.5 ? 0 : 1];
}

/** The table that the model was made from: its inputs, and where asked for what is true and what was answered. */
export function baselineTable(options: { rows: number; withAnswers: boolean }): Uint8Array {
  const draw = drawRows(1);
  const header = options.withAnswers ? "first,second,member,label,probability" : "first,second,member";
  const lines = Array.from({ length: options.rows }, () => {
    const row = draw();
    const probability = 1 / (1 + Math.exp(-STEEPNESS * (row[0] - 0.5)));
    return (options.withAnswers ? [...row, truthOf(row), rounded(probability)] : row).join(",");
  });
  return Buffer.from(`${[header, ...lines].join("\n")}\n`);
}

function rounded(value: number): number {
  return Number(value.toFixed(5));
}

/** Mulberry32: numbers in [0, 1) that are the same each time. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
