/**
 * A failure: something that should have worked did not. A denial, a refusal or a verdict is a value instead.
 * Each module that throws declares its own closed union of codes and narrows `Code` to it.
 */
export class ContinuumError<Code extends string = string> extends Error {
  override readonly name = "ContinuumError";
  readonly code: Code;
  readonly retryable: boolean;
  /** Facts for the reader of the error: never a secret, never personal data. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: Code,
    message: string,
    options: { cause?: unknown; retryable?: boolean; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** Crashes on a broken invariant: a bug of ours, never a user's mistake. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${invariant}`);
}

/** A value that parsed, or one line that says what is wrong, where, and what would be right. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; problem: Problem };

/** `path` is a JSON pointer into the input, `""` for the whole of it. */
export interface Problem {
  path: string;
  message: string;
}
