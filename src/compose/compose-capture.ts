import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { createSecretFile } from "../drivers/secrets/local/create-secret-file.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import type { CaptureRules } from "../serving/router/capture-fields.ts";

/** What is kept of invocations. The key of pseudonyms is made, or read, only where there are some. */
export async function composeCapture({ dataDir, serving }: Pick<Config, "dataDir" | "serving">): Promise<CaptureRules> {
  const rules = {
    fields: namesOf(serving.captureFields),
    textFields: namesOf(serving.captureTextFields),
    pseudonymFields: namesOf(serving.capturePseudonymFields),
  };
  if (rules.pseudonymFields.length === 0) return rules;
  const folder = join(dataDir, "keys");
  if (serving.captureKeyReference === `file:${join(folder, "capture.key")}`) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createSecretFile(join(folder, "capture.key"), randomBytes(32));
  }
  const pseudonymKey = await localSecrets({ environment: process.env }).read(serving.captureKeyReference);
  return { ...rules, pseudonymKey };
}

function namesOf(list: string): string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
