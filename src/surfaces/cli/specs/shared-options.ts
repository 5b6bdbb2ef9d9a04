import type { ArgumentSpec, OptionSpec } from "../command-spec.ts";
import { ENVIRONMENT_NAMES, TARGET_NAMES } from "./plan-words.ts";

export const PLAN_FILE: OptionSpec = {
  flags: "-f, --file <file>",
  description: "the plan, YAML or JSON; - is standard input",
  required: true,
};

export const PAGE: readonly OptionSpec[] = [
  { flags: "--limit <count>", description: "items per page, at most 200" },
  { flags: "--cursor <cursor>", description: "the next page, as the one before said" },
  { flags: "--all", description: "every page" },
];

export const ENDPOINT_NAME: ArgumentSpec = {
  name: "<name>",
  description: "the endpoint's name, without its environment",
};

export const ENDPOINT: readonly OptionSpec[] = [
  {
    flags: "-e, --environment <environment>",
    description: "where it serves",
    choices: ENVIRONMENT_NAMES,
    required: true,
  },
  { flags: "--target <target>", description: "what it serves on (local)", choices: TARGET_NAMES },
];

export const LISTS = ["table", "json", "ndjson"] as const;

/** Of commands that an operator gives beside the server. */
export const DATABASE: OptionSpec = {
  flags: "--database-url <reference>",
  description: "your own PostgreSQL: file:PATH, env:NAME, or a URL without a password",
};
