import { InferenceSession, Tensor } from "onnxruntime-node";
import { ContinuumError } from "../../core/error.ts";

/** The answers to a batch, one entry per row. */
export interface Predictions {
  /** Probability of the positive class, 0 to 1. */
  probabilities: readonly number[];
  /** The predicted class, 0 or 1. */
  labels: readonly number[];
}

export type Predict = (rows: readonly ArrayLike<number>[]) => Promise<Predictions>;

/** A binary classifier with the input `features` float32 [N, width] and the outputs `probability` and `label`. */
export interface ClassifierSession {
  /** Throws `model-run-failed` with the runtime's own words when the model cannot answer these rows. */
  predict: Predict;
  close(): Promise<void>;
}

export type ClassifierSessionErrorCode = "model-load-failed" | "model-run-failed";

/** The runtime would print each failed run on stderr; the thrown error says the same, once. */
const LOG_FATAL_ONLY = 4;

/** Loads an ONNX file into this process, on one thread: for the quickstart's own tests, never for serving. */
export async function openClassifier(onnx: Uint8Array): Promise<ClassifierSession> {
  const session = await loadSession(onnx);
  return {
    predict: (rows) => run(session, rows),
    close: () => session.release(),
  };
}

async function loadSession(onnx: Uint8Array): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(onnx, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: LOG_FATAL_ONLY,
    });
  } catch (cause) {
    const code: ClassifierSessionErrorCode = "model-load-failed";
    throw new ContinuumError(code, `the ONNX runtime cannot load the model: ${reason(cause)}`, { cause });
  }
}

async function run(session: InferenceSession, rows: readonly ArrayLike<number>[]): Promise<Predictions> {
  const width = rows[0]?.length ?? 0;
  const features = new Float32Array(rows.length * width);
  for (const [index, row] of rows.entries()) features.set(row, index * width);
  try {
    const input = new Tensor("float32", features, [rows.length, width]);
    const output = await session.run({ features: input }, { logSeverityLevel: LOG_FATAL_ONLY });
    return { probabilities: numbers(output["probability"]), labels: numbers(output["label"]) };
  } catch (cause) {
    const code: ClassifierSessionErrorCode = "model-run-failed";
    throw new ContinuumError(code, `the model failed on a batch of ${rows.length}: ${reason(cause)}`, { cause });
  }
}

function numbers(tensor: Tensor | undefined): number[] {
  const data = tensor?.data;
  if (data instanceof Float32Array || data instanceof BigInt64Array) return Array.from(data, Number);
  throw new Error("the model has no float32 output `probability` or no int64 output `label`");
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
