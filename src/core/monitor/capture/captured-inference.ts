/** One captured request with its answer, from our own data plane or from SageMaker's data capture. */
export interface CapturedInference {
  /**
   * A caller's own id is kept as a pseudonym; a request without one goes by the id that the server made, and SageMaker
   * keeps everything as it is. `pseudonymOfInference` answers the same form for all.
   */
  inferenceId: { pseudonym: string } | { raw: string };
  /** When the request was complete and when it was answered; SageMaker tells the first alone. */
  requestedAtMs: number;
  answeredAtMs: number;
  /** What our own data plane knows besides; null for SageMaker's records. */
  continuum: CapturedAssignment | null;
  input: CapturedBody | null;
  output: CapturedBody | null;
}

/** To which version a request went, and how. */
export interface CapturedAssignment {
  requestId: string;
  /** The rollout whose version was drawn, whichever answered in the end. */
  variant: string;
  role: "stable" | "candidate";
  modelVersion: string;
  /** With which the request went to the candidate. */
  candidateProbability: number;
  status: number;
  latencyMs: number;
  /** Replicas that were asked, one after the other: more than 1 after a replica died. */
  attempts: number;
  /** The candidate had no replica, so that the version that serves answered in its place. */
  failedOver: boolean;
}

export interface CapturedBody {
  encoding: "CSV" | "JSON";
  /** null when the body was too large, could not be read, or no part of it may be kept. */
  data: string | null;
  /**
   * Whether values of the body may have been left out because no list names them. Then a null is not known to be a
   * missing value.
   */
  isPartial: boolean;
}

/** A value as a row has it: null is missing, undefined was not captured, an array or an object fits no column. */
export type Cell = number | string | boolean | null | undefined | object;

/** Which columns a row has, as the baseline names them. */
export interface RowShape {
  /** In the baseline's order, which is the order of the model's inputs. Without the label and what the model answers. */
  columns: readonly string[];
  /** Those that the model need not be told, e.g. the facet: a row may be without them. */
  optional: readonly string[];
  answer: AnswerShape;
}

/** How an answer is to be understood; what is null is found by the rules of `readAnswers`. */
export interface AnswerShape {
  problem: "binary" | "multiclass" | "regression" | null;
  /** The output (by its name, or by its place counted from 0) that holds the predicted class or value. */
  prediction: string | null;
  /** The output that holds the probability of the positive class, alone or as the second of two. */
  probability: string | null;
}

/** What a model answered for one row; null what it did not answer or what cannot be told from it. */
export interface AnsweredRow {
  /** The class, as `categoryOf` writes it. */
  predicted: string | null;
  /** The number that was predicted, for a regression. */
  value: number | null;
  /** The probability of the positive class, or of the likeliest of more than two classes; in [0, 1]. */
  score: number | null;
}

/** Why a request's rows, or their answers, are not known. */
export const UNREAD_REASONS = [
  "failed",
  "not-captured",
  "unreadable",
  "unknown-shape",
  "wrong-columns",
  "rows-differ",
  "no-prediction",
] as const;
export type UnreadReason = (typeof UNREAD_REASONS)[number];

export interface InferenceRows {
  /** Cells in the order of `RowShape.columns`. */
  rows: readonly (readonly Cell[])[];
  /** As many as rows; null for all of them when the answer cannot be read. */
  answers: readonly AnsweredRow[] | null;
  /** Why there are no rows, and why there are no answers; null when there are. */
  unreadRows: UnreadReason | null;
  unreadAnswers: UnreadReason | null;
}
