import { ContinuumError } from "../core/error.ts";

/**
 * `database-unavailable`: PostgreSQL is not there or went away; trying again makes sense.
 * `database-full`: PostgreSQL's disk is full; nothing was changed, and it works again once there is space.
 * `database-newer`: a newer program has migrated this database.
 * `database-older`: the schema is behind this program, and nothing was asked to change it.
 * `migration-changed`: a migration that was applied differs from the one this program carries.
 * `migration-failed`: a migration did not run; nothing of it stayed.
 * `roles-missing`: the roles that the program runs as are not there, and whoever migrates may not make them.
 * `role-unfit`: the login may do more than the program needs, or sees nothing at all.
 * `embedded-unsupported`: no PostgreSQL binaries for this machine came with the program.
 * `embedded-version`: the data directory belongs to another major version of PostgreSQL.
 * `embedded-failed`: the embedded server could not be set up or did not start.
 */
export type StoreErrorCode =
  | "database-unavailable"
  | "database-full"
  | "database-newer"
  | "database-older"
  | "migration-changed"
  | "migration-failed"
  | "roles-missing"
  | "role-unfit"
  | "embedded-unsupported"
  | "embedded-version"
  | "embedded-failed";

export class StoreError extends ContinuumError<StoreErrorCode> {}

/** What the store tells of itself; the engine's logger fits. */
export interface StoreLog {
  info(
    event: string,
    facts?: { port?: number; pid?: number; attempts?: number; version?: string; reason?: string },
  ): void;
  warn(
    event: string,
    facts?: { port?: number; pid?: number; attempts?: number; version?: string; reason?: string },
  ): void;
}
