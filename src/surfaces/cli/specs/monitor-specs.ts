import type { CommandGroup } from "../command-spec.ts";
import { ALARM_COMMANDS } from "./alarm-specs.ts";
import { monitorFileCommands } from "./monitor-file-specs.ts";
import { TRUTH_COMMANDS } from "./truth-specs.ts";

/** What stands in files comes first; what a server knows of endpoints follows. */
export const monitorGroup: CommandGroup = {
  name: "monitor",
  summary: "Baselines, checks of data, and what the monitor sees",
  commands: [...monitorFileCommands, ...TRUTH_COMMANDS, ...ALARM_COMMANDS],
};
