import { ContinuumError } from "../../core/error.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";

/** `refused` carries the exit code that the server's problem has. */
export type CliErrorCode = "malformed-input" | "unreachable" | "timed-out" | "failed" | "refused";

/** Something that ends a command with one line on stderr and its own exit code. */
export class CliError extends ContinuumError<CliErrorCode> {
  readonly exitCode: ExitCode;

  constructor(
    code: CliErrorCode,
    message: string,
    options: { exitCode: ExitCode; cause?: unknown; details?: Record<string, unknown> },
  ) {
    super(code, message, { cause: options.cause, details: options.details ?? {}, retryable: code === "unreachable" });
    this.exitCode = options.exitCode;
  }
}

/** A user's mistake: what is wrong, where it stands, and what would be right. */
export function malformed(what: string, where: string, right: string): CliError {
  return new CliError("malformed-input", [what, where, right].filter((part) => part !== "").join(", "), {
    exitCode: EXIT.malformed,
  });
}

export function unreachable(message: string, cause?: unknown): CliError {
  return new CliError("unreachable", message, { exitCode: EXIT.unreachable, cause });
}

export function timedOut(message: string): CliError {
  return new CliError("timed-out", message, { exitCode: EXIT.timedOut });
}

/** What was asked could not be done, for a reason that is no mistake of the input. */
export function failed(message: string): CliError {
  return new CliError("failed", message, { exitCode: EXIT.failed });
}
