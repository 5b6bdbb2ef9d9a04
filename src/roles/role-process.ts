import { flushCompileCache } from "node:module";
import { giveBackMemorySoon } from "./give-back-memory.ts";
import type { ReadyMessage } from "./supervisor.ts";

/** A role of this process that answers, and how it ends. */
export interface RunningRole {
  ready: Omit<ReadyMessage, "type">;
  stop(): Promise<void>;
}

/**
 * Runs a role until it is asked to stop: by a signal, or because the supervisor that started it is gone, which must
 * not leave its roles behind. Tells the supervisor, when there is one, that it answers. Resolves with the exit code.
 */
export async function runUntilStopped(start: () => Promise<RunningRole>): Promise<number> {
  const stopped = stopRequested();
  try {
    const role = await start();
    process.send?.({ type: "ready", ...role.ready } satisfies ReadyMessage);
    flushCompileCache(); // a role that is killed would never write it
    const leaveMemory = giveBackMemorySoon();
    await stopped;
    leaveMemory();
    await role.stop();
    return 0;
  } finally {
    // Also after a start that failed: its supervisor waits for it to end.
    leaveStarter();
  }
}

export function stopRequested(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => resolve());
  if (process.send === undefined) return promise;
  let stays = false;
  process.on("message", (message: { type?: unknown }) => {
    if (message?.type === "stay") stays = true;
  });
  process.on("disconnect", () => {
    if (!stays) resolve();
  });
  return promise;
}

/** The channel to whoever started this process would keep it alive. */
export function leaveStarter(): void {
  if (process.connected) process.disconnect?.();
}
