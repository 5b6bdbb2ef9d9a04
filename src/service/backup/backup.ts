/** What of a set-up is backed up beside the database. */
export interface BackupParts {
  /** The folder of the encrypted store. */
  artifactsRoot: string;
  /** Its key: named in the backup by reference and fingerprint, and used to seal the manifest. */
  artifactKey: { reference: string; bytes: Uint8Array };
}

export interface BackupSummary {
  /** The first 16 hexadecimal digits of `manifestSha256`. */
  id: string;
  manifestSha256: string;
  createdAt: string;
  programVersion: string;
  /** Of the server that it was taken from. */
  postgresVersion: string;
  schemaVersion: number;
  rows: number;
  tables: number;
  artifacts: number;
  sizeBytes: number;
  hasConfig: boolean;
  /** What must be at hand for a restore. */
  keys: { purpose: string; reference: string; fingerprint: string }[];
}
