import type { Config } from "../config/schema.ts";
import type { CaptureRules } from "../serving/router/capture-fields.ts";
import { readCaptureKey } from "./capture-key.ts";

/** What is kept of invocations. Inference ids are pseudonyms always, so wherever there is a capture there is a key. */
export async function composeCapture(config: Pick<Config, "dataDir" | "serving">): Promise<CaptureRules> {
  const { serving } = config;
  const rules = {
    fields: namesOf(serving.captureFields),
    textFields: namesOf(serving.captureTextFields),
    pseudonymFields: namesOf(serving.capturePseudonymFields),
  };
  return serving.captureEnabled ? { ...rules, pseudonymKey: await readCaptureKey(config) } : rules;
}

function namesOf(list: string): string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
