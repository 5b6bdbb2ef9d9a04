import pino from "pino";
import { scrub } from "../core/privacy/scrub.ts";
import type { LogFacts, Logger } from "../engine/engine.ts";
import { LogDestination } from "./log-destination.ts";

/**
 * Facts that may stand in a log: names, numbers, codes and digests of ours, and the reasons that our own code words.
 * A payload, a token, a comment or a person's data has no field here, and what has no field is not written. A reason may
 * quote what another program said; the scrubber is the net under it.
 */
const FIELDS: ReadonlySet<string> = new Set([
  ...["tenant", "rollout", "endpoint", "phase", "sequence", "command", "generation", "worker", "host", "port", "pid"],
  ...[
    "attempts",
    "durationMs",
    "code",
    "status",
    "operation",
    "requestId",
    "count",
    "role",
    "target",
    "variant",
    "replica",
    "effect",
  ],
  ...[
    "principal",
    "method",
    "route",
    "signal",
    "version",
    "reason",
    "cause",
    "how",
    "lost",
    "url",
    "bootId",
    "endpoints",
  ],
]);
const REASON_CHARACTERS_MAX = 300;
/** Where the program itself listens or looks, as its settings say: an address there is nobody's. */
const OWN_ADDRESSES: ReadonlySet<string> = new Set(["url", "host"]);

export interface ProgramLog extends Logger {
  /** The same log in the words of a library that says its fields first. */
  readonly fieldsFirst: {
    info(fields: Record<string, unknown>, message: string): void;
    warn(fields: Record<string, unknown>, message: string): void;
    error(fields: Record<string, unknown>, message: string): void;
  };
}

/** One JSON line an event, on standard error, so that a command's output stays its own. */
export function programLog(options: { level: string; role: string }): ProgramLog {
  const out = pino(
    {
      level: options.level,
      base: { role: options.role, process: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    new LogDestination(),
  );
  const write = (level: "info" | "warn" | "error") => (event: string, facts?: LogFacts) =>
    out[level](allowed(facts), scrub(event));
  const writeFieldsFirst = (level: "info" | "warn" | "error") => (fields: Record<string, unknown>, message: string) =>
    out[level](allowed(fields), scrub(message));
  return {
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    fieldsFirst: { info: writeFieldsFirst("info"), warn: writeFieldsFirst("warn"), error: writeFieldsFirst("error") },
  };
}

function allowed(facts: Record<string, unknown> = {}): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(facts)) {
    if (!FIELDS.has(name)) continue;
    // Scrubbed first: half of a secret would not be known for one.
    if (typeof value === "string")
      kept[name] = scrub(value, { addresses: OWN_ADDRESSES.has(name) ? "keep" : "hide" }).slice(
        0,
        REASON_CHARACTERS_MAX,
      );
    if (typeof value === "number" || typeof value === "boolean") kept[name] = value;
  }
  return kept;
}
