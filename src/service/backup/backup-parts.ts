import type { BackupKey } from "../../core/backup/manifest.ts";

/** What of a set-up is backed up beside the database. */
export interface BackupParts {
  /** The folder of the encrypted store. */
  artifactsRoot: string;
  /**
   * The keys in use: named in the backup by reference and fingerprint. That of the artifact store must be among them: it
   * seals the manifest.
   */
  keys: readonly KeyAtHand[];
}

export interface KeyAtHand {
  purpose: BackupKey["purpose"];
  reference: string;
  bytes: Uint8Array;
}

export function sealingKey(keys: readonly KeyAtHand[]): KeyAtHand | undefined {
  return keys.find(({ purpose }) => purpose === "artifact-store");
}
