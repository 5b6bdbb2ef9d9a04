import { openHttp } from "../config/open-http.ts";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import { logCrashes } from "../roles/log-crashes.ts";
import { requireOpenFiles } from "../roles/open-file-limit.ts";
import { programLog } from "../roles/program-log.ts";
import { runUntilStopped } from "../roles/role-process.ts";
import type { StartOptions } from "../surfaces/cli/injected.ts";

/**
 * Runs one role, or all of them as processes of their own, until it is asked to stop. Resolves with the exit code.
 * A role loads its own parts only: they are most of its process's memory and of the time that it takes to start.
 */
export async function startRole({ role, config }: StartOptions, program: Program): Promise<number> {
  logCrashes(role);
  requireOpenFiles();
  refuseOpenHttp(role, config);
  const log = programLog({ level: config.logLevel, role });
  switch (role) {
    case "all":
      return (await import("../roles/all-roles.ts")).runAllRoles({
        config,
        entry: program.entry,
        log,
        checkDatabase: async (database) =>
          (await import("./compose-policy.ts")).checkPolicyInForce(database, config, log),
        say: (line) => console.log(line),
      });
    case "api":
      return runUntilStopped(async () =>
        (await import("./control-plane.ts")).composeApi(config, { log, version: program.version }),
      );
    case "worker":
      return runUntilStopped(async () => (await import("./control-plane.ts")).composeWorker(config, log));
    case "monitor":
      return runUntilStopped(async () => (await import("./compose-monitor.ts")).composeMonitor(config, log));
    case "serve":
      return runUntilStopped(async () =>
        (await import("./data-plane.ts")).composeServing(config, { log, version: program.version }),
      );
  }
}

export interface Program {
  version: string;
  /** The file that starts the program. */
  entry: string;
}

/** Said before anything starts: a role that falls over later is harder to understand. */
function refuseOpenHttp(role: StartOptions["role"], config: Config): void {
  const roles = { "api.host": ["all", "api"], "serving.host": ["all", "serve"] };
  const open = openHttp(config).find(({ setting }) => roles[setting].includes(role));
  if (open !== undefined) throw new ContinuumError("insecure-address", open.message);
}
