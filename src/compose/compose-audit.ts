import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { type CheckpointSigner, checkpointSecret, checkpointSigner } from "../core/audit/checkpoint-signer.ts";
import { isCosignature, parseVerifierKey, type VerifierKey } from "../core/audit/verifier-key.ts";
import { ContinuumError } from "../core/error.ts";
import type { Archive } from "../drivers/archive/archive.ts";
import { directoryArchive } from "../drivers/archive/directory/directory-archive.ts";
import { httpWitness } from "../drivers/archive/witness/http-witness.ts";
import { createSecretFile } from "../drivers/secrets/local/create-secret-file.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import type { CheckpointParts } from "../engine/audit-parts.ts";

/** How the audit logs are signed, and where their checkpoints go. The key is made when it is first needed. */
export function composeAudit({ audit, dataDir }: Pick<Config, "audit" | "dataDir">): CheckpointParts {
  const witnessKeys = keysOf(audit.witnessKeys);
  const archives: Archive[] = audit.directory === null ? [] : [directoryArchive({ root: audit.directory })];
  if (audit.witnessUrl !== undefined) {
    if (witnessKeys.length === 0) throw badWitness("audit.witnessUrl needs the witness's key in audit.witnessKeys");
    archives.push(httpWitness({ url: audit.witnessUrl, keys: witnessKeys }));
  }
  let signer: Promise<CheckpointSigner> | undefined;
  return {
    ...{ archives, witnessKeys, intervalMs: audit.checkpointSeconds * 1000 },
    signer: () => {
      signer ??= readSigner({ audit, dataDir }).catch((error: unknown) => {
        signer = undefined;
        throw error;
      });
      return signer;
    },
  };
}

function keysOf(text: string): VerifierKey[] {
  return text.split(/\s+/).flatMap((word) => {
    if (word === "") return [];
    const key = parseVerifierKey(word);
    if (!key.ok) throw badWitness(`bad setting audit.witnessKeys, ${key.problem.message}`);
    if (!isCosignature(key.value)) throw badWitness("bad setting audit.witnessKeys, the key is no witness's");
    return [key.value];
  });
}

async function readSigner({ audit, dataDir }: Pick<Config, "audit" | "dataDir">): Promise<CheckpointSigner> {
  const { keyReference, previousKeyReference } = audit;
  const folder = join(dataDir, "keys");
  const file = join(folder, "audit-checkpoints.key");
  if (keyReference === `file:${file}`) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createSecretFile(file, randomBytes(32));
  }
  const secrets = localSecrets({ environment: process.env });
  const read = async (reference: string) => checkpointSecret(await secrets.read(reference));
  const current = await read(keyReference);
  return previousKeyReference === undefined
    ? checkpointSigner({ current })
    : checkpointSigner({ current, previous: await read(previousKeyReference) });
}

function badWitness(message: string): ContinuumError {
  return new ContinuumError("bad-audit-setting", message);
}
