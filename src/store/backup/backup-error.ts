import { ContinuumError } from "../../core/error.ts";

/**
 * `backup-damaged`: the file is not what was written; the message says where.
 * `backup-newer`: it was made by a program of a later schema or format.
 * `backup-foreign`: its migrations are not this program's.
 * `backup-key`: a key that it needs is not there or is another one, or did not seal it.
 * `not-empty`: there is something where it would be restored.
 * `backup-not-written`: the file could not be written; nothing of it was left.
 */
export type BackupErrorCode =
  | "backup-damaged"
  | "backup-newer"
  | "backup-foreign"
  | "backup-key"
  | "not-empty"
  | "backup-not-written";

export class BackupError extends ContinuumError<BackupErrorCode> {}
