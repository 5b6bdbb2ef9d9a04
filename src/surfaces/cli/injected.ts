import type { Config } from "../../config/schema.ts";
import type { TargetName } from "../../core/plan/schema.ts";
import type { Io } from "./io.ts";

export const START_ROLES = ["all", "api", "worker", "serve"] as const;
export type StartRole = (typeof START_ROLES)[number];

export interface StartOptions {
  role: StartRole;
  config: Config;
}

export interface QuickstartOptions {
  /** Leave everything running at the end and print the addresses. */
  keep: boolean;
  /** Whether the reader is a terminal that wants colours. */
  color: boolean;
}

/** What the composition root hands in, so that no surface imports a driver or a server. Each resolves to an exit code. */
export interface Injected {
  version: string;
  /** Those that this build has a driver for. */
  targets: readonly TargetName[];
  start(options: StartOptions): Promise<number>;
  quickstart(options: QuickstartOptions): Promise<number>;
  /** Left out, the process's own streams and environment. */
  io?: Io;
}
