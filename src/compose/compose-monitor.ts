import { join } from "node:path";
import { monitorOpsPort } from "../config/monitor-ops-port.ts";
import type { Config } from "../config/schema.ts";
import { BaselineBook } from "../engine/monitor/baseline-book.ts";
import { profileBaseline } from "../engine/monitor/profile-baseline.ts";
import { startMonitorRole } from "../roles/monitor-role.ts";
import type { ProgramLog } from "../roles/program-log.ts";
import type { RunningRole } from "../roles/role-process.ts";
import { clockProblem } from "../store/database-clock.ts";
import { composeCapture } from "./compose-capture.ts";
import { closing, composeParts } from "./compose-parts.ts";

/** What reads the captures of this host, beside the data plane that writes them. */
export async function composeMonitor(config: Config, log: ProgramLog): Promise<RunningRole> {
  const { parts, clock, close } = await composeParts(config, {
    log,
    connections: 2,
    role: "worker",
    loadPolicy: "when-asked",
  });
  const { opsHost } = config.monitor;
  return composeCapture(config)
    .then(({ pseudonymKey }) =>
      startMonitorRole({
        parts: {
          ...parts,
          host: config.hostName,
          captureDir: join(config.dataDir, "capture"),
          captureKey: pseudonymKey,
          captureBytesPerSecondMax: config.monitor.captureBytesPerSecondMax,
          baselines: new BaselineBook({ ...parts, profile: profileBaseline }),
        },
        ...{ opsHost, opsPort: monitorOpsPort(config), clockProblem: () => clockProblem(clock), close },
      }),
    )
    .catch(closing(close));
}
