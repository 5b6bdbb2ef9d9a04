import { type BackupKey, keyFingerprint } from "../../core/backup/manifest.ts";

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

/** Those of these keys that can stand where that one is needed: the store opens with its present key and the one before. */
export function keysLike({ purpose }: Pick<BackupKey, "purpose">, keys: readonly KeyAtHand[]): KeyAtHand[] {
  const family = (one: BackupKey["purpose"]) => (one === "artifact-store-previous" ? "artifact-store" : one);
  return keys.filter((key) => family(key.purpose) === family(purpose));
}

/** The key at hand that is the needed one, whatever it is called by now. */
export function keyAtHand(needed: BackupKey, keys: readonly KeyAtHand[]): KeyAtHand | undefined {
  return keysLike(needed, keys).find(({ bytes }) => keyFingerprint(bytes) === needed.fingerprint);
}

export function sealingKey(keys: readonly KeyAtHand[]): KeyAtHand | undefined {
  return keys.find(({ purpose }) => purpose === "artifact-store");
}
