import { scrub } from "../core/privacy/scrub.ts";
import { LogDestination } from "./log-destination.ts";

/**
 * Lets an error that nobody caught end the process as it would anyway, but by one scrubbed line of its log: what the
 * runtime prints by itself holds every field of the error, and a database's error has the row in one.
 */
export function logCrashes(role: string): void {
  const destination = new LogDestination();
  process.on("uncaughtException", (error: unknown) => {
    destination.write(crashLine(error, { role, atMs: Date.now() }));
    process.exit(1);
  });
}

const CAUSES_MAX = 4;

/** One JSON line with its end. Of each error in the chain of causes the stack alone, which begins with its message. */
export function crashLine(error: unknown, { role, atMs }: { role: string; atMs: number }): string {
  const stacks: string[] = [];
  for (let at = error; at !== undefined && stacks.length < CAUSES_MAX; at = at instanceof Error ? at.cause : undefined)
    stacks.push(at instanceof Error ? (at.stack ?? at.message) : String(at));
  return `${JSON.stringify({
    level: 60,
    time: new Date(atMs).toISOString(),
    role,
    process: process.pid,
    stack: scrub(stacks.join("\ncaused by ")),
    msg: "crashed",
  })}\n`;
}
