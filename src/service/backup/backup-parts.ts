/** What of a set-up is backed up beside the database. */
export interface BackupParts {
  /** The folder of the encrypted store. */
  artifactsRoot: string;
  /** Its key: named in the backup by reference and fingerprint, and used to seal the manifest. */
  artifactKey: BackupKeyAtHand;
}

export interface BackupKeyAtHand {
  reference: string;
  bytes: Uint8Array;
}
