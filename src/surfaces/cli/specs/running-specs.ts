import type { CommandGroup, OptionSpec } from "../command-spec.ts";
import { START_ROLES } from "../injected.ts";

const LOG_LEVEL: OptionSpec = {
  flags: "--log-level <level>",
  description: "the least urgent level that is logged",
  choices: ["debug", "info", "warn", "error", "silent"],
};
/** Settings that can be given with a start, and tried before it. */
const SETTINGS: readonly OptionSpec[] = [
  { flags: "--host <address>", description: "address of the API (127.0.0.1)" },
  { flags: "--port <port>", description: "port of the API (7400)" },
  { flags: "--serving-host <address>", description: "address for invocations (127.0.0.1)" },
  { flags: "--serving-port <port>", description: "port for invocations (7401)" },
  { flags: "--workers <count>", description: "worker processes (2)" },
  {
    flags: "--database-url <reference>",
    description: "your own PostgreSQL: file:PATH, env:NAME, or a URL without a password",
  },
  LOG_LEVEL,
];
const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;

export const startGroup: CommandGroup = {
  name: "start",
  summary: "Run the server",
  commands: [
    {
      path: "start",
      summary:
        "Run Continuum on this machine: the API, workers, the serving process, and a PostgreSQL unless you name one",
      details:
        "The first start prints a one-time admin token and leaves it in the data folder for this user's commands.",
      options: [{ flags: "--role <role>", description: "one part instead of all", choices: START_ROLES }, ...SETTINGS],
      examples: ["start", "start --port 8080 --workers 4", "start --role worker --database-url env:DATABASE_URL"],
      load: async () => (await import("../commands/start.ts")).start,
    },
  ],
};

export const quickstartGroup: CommandGroup = {
  name: "quickstart",
  summary: "See it work, in a throwaway folder",
  commands: [
    {
      path: "quickstart",
      summary:
        "Train three models, deploy them behind a policy as far as production, and watch a bad one roll back; nothing is left behind",
      options: [
        { flags: "--keep", description: "leave it running and print the addresses" },
        { flags: "--simulate", description: "the simulated target alone, in seconds: mocks for models, CI and people" },
      ],
      examples: ["quickstart", "quickstart --keep", "quickstart --simulate"],
      load: async () => (await import("../commands/quickstart.ts")).quickstart,
    },
  ],
};

export const configGroup: CommandGroup = {
  name: "config",
  summary: "The settings",
  commands: [
    {
      path: "config check",
      summary: "Read the settings as `start` would, and show them and where each came from, or all that is wrong",
      details:
        "Defaults, then the file, then CONTINUUM_* variables, then the options of `start`. Secrets are never shown.\nExit code 64 when anything is wrong.",
      options: SETTINGS,
      examples: [
        "config check",
        "config check --config /etc/continuum.yaml -o json",
        "config check --host 0.0.0.0 --database-url env:DATABASE_URL",
      ],
      load: async () => (await import("../commands/config-check.ts")).configCheck,
    },
    {
      path: "config schema",
      summary: "The JSON Schema of continuum.yaml",
      examples: ["config schema > continuum.schema.json"],
      load: async () => (await import("../commands/config-schema.ts")).configSchema,
    },
  ],
};

export const completionGroup: CommandGroup = {
  name: "completion",
  summary: "Let your shell complete commands, options and files",
  commands: [
    {
      path: "completion",
      summary: "Print the script that completes commands, options, their values and files in your shell",
      details: [
        "bash:        source <(continuum completion bash), in ~/.bashrc to keep it",
        "zsh:         source <(continuum completion zsh), in ~/.zshrc after compinit",
        "fish:        continuum completion fish > ~/.config/fish/completions/continuum.fish",
        "powershell:  continuum completion powershell | Out-String | Invoke-Expression, in $PROFILE",
      ].join("\n"),
      arguments: [{ name: "<shell>", description: "which shell", choices: SHELLS }],
      examples: ["completion bash > continuum.bash", "completion zsh"],
      load: async () => (await import("../commands/completion.ts")).completion,
    },
  ],
};
