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
  const role = await start();
  process.send?.({ type: "ready", ...role.ready } satisfies ReadyMessage);
  await stopped;
  await role.stop();
  leaveStarter();
  return 0;
}

export function stopRequested(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => resolve());
  if (process.send !== undefined) process.on("disconnect", () => resolve());
  return promise;
}

/** The channel to whoever started this process would keep it alive. */
export function leaveStarter(): void {
  if (process.connected) process.disconnect?.();
}
