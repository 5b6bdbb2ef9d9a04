import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (options: { type: "major"; flavor: "last-resort" }) => void;

/** When what a start leads to right away (the first looks, the first answers) is over. */
const SETTLED_MS = 3000;

/** Does so once the process that has just become ready has settled. Answers how to leave it be. */
export function giveBackMemorySoon(): () => void {
  const timer = setTimeout(giveBackMemory, SETTLED_MS);
  return () => clearTimeout(timer);
}

/**
 * Gives back what starting took. V8 keeps the room that a program needed while it was read and compiled, about 15 MiB a
 * process, for work that then never comes: a collection as for want of memory lets go of it. It costs about 40 ms of
 * processor time, so it belongs where a process has just become ready and nobody waits.
 */
export function giveBackMemory(): void {
  setFlagsFromString("--expose-gc");
  const collect: Collect = runInNewContext("gc");
  // Contexts made after this one have no such function.
  setFlagsFromString("--no-expose-gc");
  collect({ type: "major", flavor: "last-resort" });
}
