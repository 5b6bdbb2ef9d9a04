import { ContinuumError } from "../core/error.ts";

/** Everything the data plane throws at a caller of its control API. */
export type ServingErrorCode =
  | "stale-generation"
  | "no-such-endpoint"
  | "bad-model"
  | "host-memory"
  | "not-available"
  | "tripped"
  | "bad-request"
  | "superseded"
  | "internal";

export function servingError(
  code: ServingErrorCode,
  message: string,
  options: { retryable?: boolean; cause?: unknown; details?: Record<string, unknown> } = {},
): ContinuumError<ServingErrorCode> {
  return new ContinuumError(code, message, options);
}
