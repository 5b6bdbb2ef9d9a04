/** What a backup holds, for whoever made or looks at it. */
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

export interface BackupVerdict extends BackupSummary {
  /** Whether the key of this set-up is the one that sealed it; `no-key` when there is none here to compare with. */
  seal: "verified" | "no-key";
}

export interface RestoreSummary extends BackupSummary {
  tenants: number;
  /** Rollouts that had not ended, and go on when the program is started. */
  openRollouts: number;
  auditEntries: number;
  /** The settings that were backed up, laid beside for whoever wants them; null when there were none. */
  configFile: string | null;
}

/** What became of a store of artifacts whose key was changed. */
export interface RekeySummary {
  /** Names the key that seals from now on. */
  keyId: string;
  tenants: number;
  moved: number;
  /** Artifacts that cannot be opened, which were left as they are. */
  damaged: { tenant: string; digest: string }[];
  /** Objects that neither key's folders of a known tenant hold: nobody reads them. */
  foreign: number;
}
