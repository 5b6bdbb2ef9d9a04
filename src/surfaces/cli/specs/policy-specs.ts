import type { CommandGroup } from "../command-spec.ts";
import { POLICY_CHANGES } from "./policy-change-specs.ts";
import { ENDPOINT, ENDPOINT_NAME } from "./shared-options.ts";

const FOLDER = [
  { name: "[folder]", description: "your own policies, or a whole set; the shipped set when left out" },
] as const;

export const policyGroup: CommandGroup = {
  name: "policy",
  summary: "Look at the policy set, check changes to it, and put them into force",
  commands: [
    {
      path: "policy list",
      summary: "Every policy with its clause, level, gate and reason",
      arguments: FOLDER,
      options: [{ flags: "--server", description: "the set in force on the server" }],
      examples: ["policy list", "policy list ./policies -o json"],
      load: async () => (await import("../commands/policy-list.ts")).policyList,
    },
    {
      path: "policy lint",
      summary: "Check a folder of policies; exit code 1 when something is wrong",
      arguments: FOLDER,
      examples: ["policy lint ./policies"],
      load: async () => (await import("../commands/policy-lint.ts")).policyLint,
    },
    {
      path: "policy test",
      summary: "Run a folder's decision tables; exit code 1 when a row does not hold",
      arguments: FOLDER,
      examples: ["policy test", "policy test ./policies -o json"],
      load: async () => (await import("../commands/policy-test.ts")).policyTest,
    },
    {
      path: "policy diff",
      summary: "What a change of policies changes, with plans that are decided differently",
      arguments: [
        { name: "<before-folder>", description: "a folder; `shipped` is the shipped set" },
        { name: "[after-folder]", description: "a folder; the shipped set when left out" },
      ],
      examples: ["policy diff shipped ./policies"],
      load: async () => (await import("../commands/policy-diff.ts")).policyDiff,
    },
    ...POLICY_CHANGES,
  ],
};

export const pricesGroup: CommandGroup = {
  name: "prices",
  summary: "Prices that decisions use",
  commands: [
    {
      path: "prices show",
      summary: "Price per instance hour, with source and date",
      options: [{ flags: "--server", description: "the server's, instead of the shipped ones" }],
      examples: ["prices show", "prices show --server -o json"],
      load: async () => (await import("../commands/prices-show.ts")).pricesShow,
    },
  ],
};

export const breakerGroup: CommandGroup = {
  name: "breaker",
  summary: "The circuit breaker of an endpoint",
  commands: [
    {
      path: "breaker show",
      summary: "Whether it lets deployments through, and why not",
      arguments: [ENDPOINT_NAME],
      options: ENDPOINT,
      examples: ["breaker show churn -e staging"],
      load: async () => (await import("../commands/breaker.ts")).breakerShow,
    },
    {
      path: "breaker reset",
      summary: "Close it; people only",
      arguments: [ENDPOINT_NAME],
      options: [...ENDPOINT, { flags: "--comment <text>", description: "why" }],
      examples: ['breaker reset churn -e staging --comment "the disk was full"'],
      load: async () => (await import("../commands/breaker.ts")).breakerReset,
    },
  ],
};
