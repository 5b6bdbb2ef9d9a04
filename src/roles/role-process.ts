import type { ReadyMessage } from "./supervisor.ts";

/** Tells the supervisor, when there is one, that this process answers. */
export function announceReady(message: Omit<ReadyMessage, "type">): void {
  process.send?.({ type: "ready", ...message });
}

/**
 * Resolves when this process is asked to stop: by SIGTERM or SIGINT, or because its supervisor is gone, which must not
 * leave its roles behind.
 */
export function stopRequested(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => resolve(signal));
  if (process.send !== undefined) process.on("disconnect", () => resolve("the supervisor is gone"));
  return promise;
}
