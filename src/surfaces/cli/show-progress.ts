import type { RolloutEventView } from "./client.ts";
import type { CommandContext } from "./command-context.ts";
import { eventLine } from "./event-text.ts";
import { paint } from "./paint.ts";

const CLEAR_LINE = "\r\u001b[2K";
const TICK_MS = 1000;

/** Shows a rollout's way: one line per event, and on a terminal a line that counts the seconds of the present phase. */
export interface Progress {
  event(event: RolloutEventView): Promise<void>;
  end(): void;
}

/**
 * Progress goes to stderr beside a result, and to stdout where it is the result (`toStdout`). With ndjson the events
 * themselves go to stdout.
 */
export function showProgress(context: CommandContext, options: { toStdout: boolean }): Progress {
  if (context.format === "ndjson")
    return { event: (event) => context.io.out(`${JSON.stringify(event)}\n`), end: () => undefined };
  const toStdout = options.toStdout && context.format === "table";
  if (context.quiet && !toStdout) return { event: async () => undefined, end: () => undefined };
  const isTerminal = toStdout ? context.io.stdoutIsTerminal : context.io.stderrIsTerminal;
  const colors = paint(context.wantsColor(isTerminal));
  const write = async (text: string) => (toStdout ? context.io.out(text) : context.io.err(text));
  const live = isTerminal && context.io.environment.variables["TERM"] !== "dumb" ? liveLine(write) : undefined;
  return {
    async event(event) {
      live?.clear();
      await write(`${eventLine(event, colors)}\n`);
      live?.start(event.phase);
    },
    end: () => live?.stop(),
  };
}

function liveLine(write: (text: string) => unknown): { start(phase: string): void; clear(): void; stop(): void } {
  let phase = "";
  let sinceMs = 0;
  const draw = () => void write(`${CLEAR_LINE}${phase} for ${Math.round((performance.now() - sinceMs) / 1000)} s`);
  const timer = setInterval(() => phase !== "" && draw(), TICK_MS);
  timer.unref();
  return {
    start(next) {
      if (next !== phase) sinceMs = performance.now();
      phase = next;
      draw();
    },
    clear: () => void write(CLEAR_LINE),
    stop() {
      clearInterval(timer);
      if (phase !== "") void write(CLEAR_LINE);
    },
  };
}
