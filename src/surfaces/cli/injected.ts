import type { DoctorOptions } from "../../config/doctor-options.ts";
import type { Config } from "../../config/schema.ts";
import type { BackupSummary, BackupVerdict, RekeySummary, RestoreSummary } from "../../core/backup/summary.ts";
import type { DoctorFinding } from "../../core/doctor/finding.ts";
import type { TargetName } from "../../core/plan/schema.ts";
import type { Io } from "./io.ts";

export const START_ROLES = ["all", "api", "worker", "serve", "monitor"] as const;
export type StartRole = (typeof START_ROLES)[number];

export interface StartOptions {
  role: StartRole;
  config: Config;
}

export interface QuickstartOptions {
  /** Leave everything running at the end and print the addresses. */
  keep: boolean;
  /** Tell the story of a simulated deployment instead: no model, no signature, no person. */
  simulate: boolean;
  /** Whether the reader is a terminal that wants colours. */
  color: boolean;
}

/** What an operator does to a set-up beside the running program; each throws what it cannot do. */
export interface Maintenance {
  /** Brings the database to this program's schema, or with `check` only looks. Answers the versions. */
  migrate(options: { config: Config; check: boolean }): Promise<{ from: number; to: number }>;
  /** Makes the tenant of the settings with its first person, `admin`; undefined when it has people already. */
  bootstrap(options: { config: Config }): Promise<{ token: string; tenant: string } | undefined>;
  createBackup(options: {
    config: Config;
    out: string;
    /** The settings' file, which is backed up as well. */
    configFile: string | undefined;
    /** Binaries for an embedded database that another major version of PostgreSQL made. */
    postgresBin: string | undefined;
  }): Promise<BackupSummary>;
  verifyBackup(options: { config: Config; path: string }): Promise<BackupVerdict>;
  /** With `newAdminToken` also a token for this host's commands, left in the data folder. */
  restoreBackup(options: { config: Config; path: string; newAdminToken: boolean }): Promise<RestoreSummary>;
  /** Seals every artifact anew with the key in the settings that the previous key had sealed. */
  rekeyArtifacts(options: { config: Config }): Promise<RekeySummary>;
}

/** What the composition root hands in, so that no surface imports a driver or a server. Each resolves to an exit code. */
export interface Injected {
  version: string;
  /** Those that this build has a driver for. */
  targets: readonly TargetName[];
  start(options: StartOptions): Promise<number>;
  quickstart(options: QuickstartOptions): Promise<number>;
  maintenance(): Promise<Maintenance>;
  /** Looks at the set-up and changes nothing. */
  doctor(options: DoctorOptions): Promise<DoctorFinding[]>;
  /** Left out, the process's own streams and environment. */
  io?: Io;
}
