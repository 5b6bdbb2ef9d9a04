/**
 * A place outside of the database that gets every checkpoint of the audit logs, so that whoever can rewrite the database
 * cannot rewrite what it once said. It keeps what it was given for good, or it is a witness, which remembers the
 * newest and signs that the log has only grown.
 */
export interface Archive {
  /** A word of the operator's for this place, such as `directory`. */
  readonly name: string;
  /** False for a witness: it is shown the newest checkpoint alone. */
  readonly keepsAll: boolean;
  /**
   * Publishes one checkpoint, and answers once it is safe there. Doing it again changes nothing. Errors:
   * `archive-unavailable` (retryable), `archive-refused` (it does not take this log's checkpoints), `archive-conflict`
   * (it knows another story of this log).
   */
  publish(submission: CheckpointSubmission): Promise<ArchiveReceipt>;
  /** Every checkpoint that it holds of a log, as it was published, smallest first; nothing where `keepsAll` is false. */
  kept(origin: string): AsyncIterable<ArchivedCheckpoint>;
  /** The largest of them. */
  newest(origin: string): Promise<ArchivedCheckpoint | undefined>;
}

export interface CheckpointSubmission {
  /** The log's name. */
  origin: string;
  size: number;
  /** The signed note. */
  note: Uint8Array;
  /** The size that this archive was given last; 0 at first. */
  lastSize: number;
  /** RFC 6962's consistency proof from that size to this one. */
  prove(earlierSize: number): Promise<readonly Uint8Array[]>;
}

export interface ArchiveReceipt {
  /** Signature lines of witnesses, each verified, without line feeds. */
  cosignatures: string[];
}

export interface ArchivedCheckpoint {
  size: number;
  note: Uint8Array;
}

export type ArchiveErrorCode = "archive-unavailable" | "archive-refused" | "archive-conflict";
