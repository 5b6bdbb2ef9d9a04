import type { Config } from "../config/schema.ts";
import type { GroundTruthParts } from "../service/ground-truth-parts.ts";
import { readCaptureKey } from "./capture-key.ts";

/** The key of pseudonyms, for whoever takes labels by the ids that callers know; read when it is first needed. */
export function composeGroundTruth(config: Pick<Config, "dataDir" | "serving">): GroundTruthParts {
  let key: Promise<Uint8Array> | undefined;
  return {
    captureKey: () => {
      key ??= readCaptureKey(config).catch((error: unknown) => {
        key = undefined;
        throw error;
      });
      return key;
    },
  };
}
