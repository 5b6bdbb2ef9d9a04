import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import type { RekeyableArtifacts } from "../drivers/artifacts/artifacts.ts";
import { openLocalArtifacts, requireOwnKeys } from "../drivers/artifacts/local/local-artifacts.ts";
import { storeKey } from "../drivers/artifacts/sealed-object.ts";
import { createSecretFile } from "../drivers/secrets/local/create-secret-file.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";

/**
 * The encrypted store; its key is made at the first start, unless it is kept elsewhere. Keys that open nothing of what
 * is there are refused here, where somebody sees it, and not at the first gate that finds its model missing; whoever
 * has to start all the same says what is to be done with the refusal.
 */
export async function composeArtifacts(
  config: ArtifactsConfig,
  onForeignKeys: (refusal: Error) => void = (refusal) => {
    throw refusal;
  },
): Promise<RekeyableArtifacts> {
  const { keyReference } = config.artifacts;
  if (keyReference === `file:${join(config.dataDir, "keys", "artifact-store.key")}`) {
    const folder = join(config.dataDir, "keys");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createSecretFile(join(folder, "artifact-store.key"), randomBytes(32));
  }
  const options = await artifactStoreOptions(config);
  try {
    await requireOwnKeys(options.root, keysOf(options));
  } catch (error) {
    onForeignKeys(error instanceof Error ? error : new Error(String(error)));
  }
  return openLocalArtifacts(options);
}

type ArtifactsConfig = Pick<Config, "artifacts" | "dataDir">;

function keysOf({ key, previousKey }: { key: Uint8Array; previousKey?: Uint8Array }): Uint8Array[] {
  return previousKey === undefined ? [key] : [key, previousKey];
}

/** What a change of the store's key needs. Errors: `no-previous-key`, those of the secrets. */
export async function composeRekey(config: ArtifactsConfig): Promise<{ artifacts: RekeyableArtifacts; keyId: string }> {
  const options = await artifactStoreOptions(config);
  if (options.previousKey === undefined)
    throw new ContinuumError(
      "no-previous-key",
      "There is nothing to change from: set artifacts.previousKeyReference to the key until now, and artifacts.keyReference to a new one.",
    );
  await requireOwnKeys(options.root, [options.key, options.previousKey]);
  return { artifacts: await openLocalArtifacts(options), keyId: storeKey(options.key).id.toString("hex") };
}

/** Where the store is, and its keys as the settings name them. Errors: those of the secrets. */
export async function artifactStoreOptions(config: ArtifactsConfig) {
  const { keyReference, previousKeyReference, maxBytes } = config.artifacts;
  const secrets = localSecrets({ environment: process.env });
  return {
    root: join(config.dataDir, "artifacts"),
    key: await secrets.read(keyReference),
    ...(previousKeyReference === undefined ? {} : { previousKey: await secrets.read(previousKeyReference) }),
    sizeBytesMax: maxBytes,
  };
}
