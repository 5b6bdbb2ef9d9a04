import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { createSecretFile } from "../drivers/secrets/local/create-secret-file.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";

/**
 * The key of pseudonyms, which the data plane, the monitor and the API of a host share. Made when it is the default file
 * and not there yet: whichever of them comes first makes it.
 */
export async function readCaptureKey({ dataDir, serving }: Pick<Config, "dataDir" | "serving">): Promise<Uint8Array> {
  const folder = join(dataDir, "keys");
  if (serving.captureKeyReference === `file:${join(folder, "capture.key")}`) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createSecretFile(join(folder, "capture.key"), randomBytes(32));
  }
  return localSecrets({ environment: process.env }).read(serving.captureKeyReference);
}
