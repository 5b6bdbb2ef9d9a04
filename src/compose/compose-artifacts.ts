import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import type { Artifacts } from "../drivers/artifacts/artifacts.ts";
import { openLocalArtifacts } from "../drivers/artifacts/local/local-artifacts.ts";
import { createSecretFile } from "../drivers/secrets/local/create-secret-file.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";

/** The encrypted store; its key is made at the first start, unless it is kept elsewhere. */
export async function composeArtifacts(config: Config): Promise<Artifacts> {
  const { keyReference, maxBytes } = config.artifacts;
  if (keyReference === `file:${join(config.dataDir, "keys", "artifact-store.key")}`) {
    const folder = join(config.dataDir, "keys");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createSecretFile(join(folder, "artifact-store.key"), randomBytes(32));
  }
  const key = await localSecrets({ environment: process.env }).read(keyReference);
  return openLocalArtifacts({ root: join(config.dataDir, "artifacts"), key, sizeBytesMax: maxBytes });
}
