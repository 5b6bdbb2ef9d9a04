import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { captureRemover } from "../engine/captured-files.ts";
import type { EngineParts } from "../engine/engine.ts";
import { sweepCapture, sweepDatabase } from "../engine/retention.ts";

/** How often a worker looks whether a day has passed; the first look comes a while after the start. */
const LOOK_MS = 10 * 60_000;
const FIRST_LOOK_MS = 30_000;

/** Looks now and then whether what is past its time is to be removed. Answers how to stop, which waits for a look. */
export function keepRetention(parts: EngineParts, config: Config): () => Promise<void> {
  const { retention: policy, hostName: host, dataDir } = config;
  const remove = captureRemover(join(dataDir, "capture"));
  let looking: Promise<void> = Promise.resolve();
  const look = () => {
    looking = sweepDatabase(parts, policy)
      .then(() => sweepCapture(parts, { policy, host, remove }))
      .then(
        () => undefined,
        (error: unknown) => parts.log.warn("retention-failed", { reason: String(error) }),
      );
  };
  const first = setTimeout(look, FIRST_LOOK_MS);
  const timer = setInterval(look, LOOK_MS);
  first.unref();
  timer.unref();
  return async () => {
    clearTimeout(first);
    clearInterval(timer);
    await looking;
  };
}
