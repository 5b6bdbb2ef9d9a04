import { isLoopback } from "../config/client-settings.ts";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import { requireOpenFiles } from "../roles/open-file-limit.ts";
import { programLog } from "../roles/program-log.ts";
import { runUntilStopped } from "../roles/role-process.ts";
import type { StartOptions } from "../surfaces/cli/injected.ts";

/**
 * Runs one role, or all of them as processes of their own, until it is asked to stop. Resolves with the exit code.
 * A role loads its own parts only: they are most of its process's memory and of the time that it takes to start.
 */
export async function startRole({ role, config }: StartOptions, program: Program): Promise<number> {
  requireOpenFiles();
  refuseOpenHttp(role, config);
  const log = programLog({ level: config.logLevel, role });
  switch (role) {
    case "all":
      return (await import("../roles/all-roles.ts")).runAllRoles({
        config,
        entry: program.entry,
        log,
        say: (line) => console.log(line),
      });
    case "api":
      return runUntilStopped(async () =>
        (await import("./control-plane.ts")).composeApi(config, { log, version: program.version }),
      );
    case "worker":
      return runUntilStopped(async () => (await import("./control-plane.ts")).composeWorker(config, log));
    case "serve":
      return runUntilStopped(async () => (await import("./data-plane.ts")).composeServing(config, log));
  }
}

export interface Program {
  version: string;
  /** The file that starts the program. */
  entry: string;
}

/** Both ports take tokens. Said before anything starts: a role that falls over later is harder to understand. */
function refuseOpenHttp(role: StartOptions["role"], { api, serving }: Config): void {
  const listening = [
    { name: "api", host: api.host, here: role === "all" || role === "api" },
    { name: "serving", host: serving.host, here: role === "all" || role === "serve" },
  ];
  const open = listening.find(({ host, here }) => here && !isLoopback(host) && host !== "::1");
  if (open === undefined || api.allowInsecureHttp) return;
  throw new ContinuumError(
    "insecure-address",
    `Refusing to serve plain HTTP on ${open.host} (${open.name}.host): tokens would cross the network in clear. ` +
      "Listen on 127.0.0.1, or set api.allowInsecureHttp when TLS ends in front of it.",
  );
}
