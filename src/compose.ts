import { readFileSync } from "node:fs";
import { DRIVEN_TARGETS } from "./compose/driven-targets.ts";
import { runCli } from "./surfaces/cli/cli.ts";

/**
 * The whole program: parses the command line and runs what it says. What a command does not need is not loaded: a
 * server's drivers and database would make every short command wait. Resolves with the exit code.
 */
export function main(argv: string[], entry: string): Promise<number> {
  const version: string = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;
  return runCli(argv, {
    version,
    targets: DRIVEN_TARGETS,
    start: async (options) => (await import("./compose/start-role.ts")).startRole(options, { version, entry }),
    maintenance: async () => (await import("./compose/maintenance.ts")).composeMaintenance({ version }),
    doctor: async (options) => (await import("./compose/compose-doctor.ts")).composeDoctor(options, { version }),
    quickstart: async (options) => (await import("./quickstart/quickstart.ts")).runQuickstart({ entry, ...options }),
  });
}
