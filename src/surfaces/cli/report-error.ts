import { ContinuumError } from "../../core/error.ts";
import { scrub } from "../../core/privacy/scrub.ts";
import { CliError } from "./cli-error.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { printable } from "./printable.ts";
import { systemRefusal } from "./system-error.ts";

/** What `-o json` prints on standard error when a command could not do what was asked. */
interface ErrorView {
  code: string;
  message: string;
  exitCode: number;
  /** The server's own code and status, when it was the server that refused. */
  problem?: string;
  status?: number;
}

/**
 * Says on standard error why a command ended, in one line, and answers its exit code. With `asJson` the line is
 * `{"error": {...}}`, so that a program need not read sentences; standard output stays empty either way.
 */
export function reportError(error: unknown, { io, asJson }: { io: Io; asJson: boolean }): number {
  const debug = Boolean(io.environment.variables["CONTINUUM_DEBUG"]);
  const view = viewOf(error, debug);
  const stack = debug && error instanceof Error ? `${scrub(error.stack ?? "", { addresses: "keep" })}\n` : "";
  io.err(asJson ? `${JSON.stringify({ error: view })}\n${stack}` : `continuum: ${view.message}\n${stack}`);
  return view.exitCode;
}

function viewOf(error: unknown, debug: boolean): ErrorView {
  if (error instanceof CliError) {
    const { problem, status } = error.details;
    return {
      code: typeof problem === "string" ? problem : error.code,
      message: printable(error.message),
      exitCode: error.exitCode,
      ...(typeof problem === "string" ? { problem } : {}),
      ...(typeof status === "number" ? { status } : {}),
    };
  }
  const refusal = systemRefusal(error);
  if (refusal !== undefined) {
    const { code, message } = refusal;
    return { code, message: `${printable(message)} (${code})`, exitCode: EXIT.failed };
  }
  const message = error instanceof Error ? error.message : String(error);
  // A failure with a code was foreseen, and its message is worded for whoever reads it.
  if (error instanceof ContinuumError)
    return {
      code: error.code,
      message: `${printable(scrub(message, { addresses: "keep" }).slice(0, 1000))} (${error.code})`,
      exitCode: EXIT.failed,
    };
  const hint = debug ? "" : "; CONTINUUM_DEBUG=1 shows where";
  return {
    code: "internal",
    message: `internal error: ${printable(scrub(message).slice(0, 500))}${hint}`,
    exitCode: EXIT.failed,
  };
}

/** Looked for before the command line was understood, since that may be what failed. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const options = end === -1 ? argv : argv.slice(0, end);
  return options.some((word, index) => {
    if (word === "-o" || word === "--output") return isJson(options[index + 1]);
    return isJson(/^(?:--output=|-o)(.+)$/.exec(word)?.[1]);
  });
}

function isJson(format: string | undefined): boolean {
  return format === "json" || format === "ndjson";
}
