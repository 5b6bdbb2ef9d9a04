import type { DoctorOptions } from "../config/doctor-options.ts";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import { lookAtDataFolder } from "./data-folder.ts";
import { lookAtDatabase } from "./database.ts";
import { broken, reasonOf } from "./finding.ts";
import { lookAtMachine } from "./machine.ts";
import { type ArtifactLook, lookAtArtifacts, lookAtPolicy } from "./policy.ts";
import { lookAtProcesses } from "./processes.ts";
import { lookAtServers } from "./servers.ts";

export interface DiagnoseParts {
  version: string;
  artifacts: ArtifactLook;
  nowMs(): number;
}

/**
 * Looks at a set-up from outside, whether it runs or not. Nothing is made, started or changed, but one file that is
 * written into the data folder and removed. A look that fails is a finding; the others go on.
 */
export async function diagnose(options: DoctorOptions, parts: DiagnoseParts): Promise<DoctorFinding[]> {
  const { config } = options;
  const looks: Record<string, () => Promise<DoctorFinding[]>> = {
    runtime: () => lookAtMachine(parts.version),
    "data-folder": () => lookAtDataFolder(config),
    processes: () => lookAtProcesses(config),
    database: () => lookAtDatabase(config),
    artifacts: () => lookAtArtifacts(parts.artifacts),
    policy: () => lookAtPolicy(parts.nowMs()),
    servers: () => lookAtServers(options),
  };
  const found = await Promise.all(Object.entries(looks).map(([area, look]) => guarded(area, look)));
  return found.flat();
}

async function guarded(area: string, look: () => Promise<DoctorFinding[]>): Promise<DoctorFinding[]> {
  try {
    return await look();
  } catch (error) {
    const at = { check: `${area}.look`, looked: area };
    return [
      broken(
        at,
        `could not be looked at: ${reasonOf(error)}`,
        "mend what is named; CONTINUUM_DEBUG=1 shows more in other commands",
      ),
    ];
  }
}
