import type { CommandGroup, CommandSpec } from "../command-spec.ts";
import { ENVIRONMENT_NAMES } from "./plan-words.ts";
import { LISTS, PAGE } from "./shared-options.ts";

const ROLLOUT = [{ name: "<id>", description: "the rollout" }] as const;
const COMMENT = { flags: "--comment <text>", description: "why; kept with the rollout" } as const;

export const rolloutGroup: CommandGroup = {
  name: "rollout",
  summary: "List, follow and steer rollouts",
  commands: [
    {
      path: "rollout list",
      summary: "Rollouts, newest first",
      options: [
        { flags: "-e, --environment <environment>", description: "only there", choices: ENVIRONMENT_NAMES },
        { flags: "--name <name>", description: "only of this endpoint" },
        { flags: "--phase <phase>", description: "only in this phase" },
        { flags: "--active", description: "only those under way" },
        ...PAGE,
      ],
      formats: LISTS,
      examples: ["rollout list --active", "rollout list -e production -o json"],
      load: async () => (await import("../commands/rollout-list.ts")).rolloutList,
    },
    {
      path: "rollout get",
      summary: "One rollout, and what it waits for",
      arguments: ROLLOUT,
      examples: ["rollout get 01J9Z", "rollout get 01J9Z -o json"],
      load: async () => (await import("../commands/rollout-get.ts")).rolloutGet,
    },
    {
      path: "rollout watch",
      summary: "Follow a rollout to its end; its end is the exit code",
      arguments: ROLLOUT,
      options: [{ flags: "--after <sequence>", description: "only events after this one" }],
      formats: LISTS,
      examples: ["rollout watch 01J9Z", "rollout watch 01J9Z -o ndjson --timeout 10m"],
      load: async () => (await import("../commands/rollout-watch.ts")).rolloutWatch,
    },
    action("pause", "Hold a rollout where it is; the judge goes on watching"),
    action("resume", "Let a paused rollout go on"),
    action("promote", "End the present bake by your word; people only"),
    action("abort", "Stop a rollout; what it changed is rolled back"),
    action("rollback", "Roll a rollout back, or restore what ran before one that succeeded"),
  ],
};

function action(verb: "pause" | "resume" | "promote" | "abort" | "rollback", summary: string): CommandSpec {
  return {
    path: `rollout ${verb}`,
    summary,
    arguments: ROLLOUT,
    options: [COMMENT],
    examples: [`rollout ${verb} 01J9Z`, `rollout ${verb} 01J9Z --comment "asked by support"`],
    load: async () => (await import("../commands/rollout-action.ts")).rolloutAction(verb),
  };
}
