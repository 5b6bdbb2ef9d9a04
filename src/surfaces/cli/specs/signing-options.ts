import type { OptionSpec } from "../command-spec.ts";

/** The options of a command that ends with a person's signature. */
export const SIGNING_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--key <file>",
    description: "your own private key, encrypted, as `keys generate` or cosign makes it",
    required: true,
  },
  { flags: "--password-env <name>", description: "environment variable that holds the key's password" },
  { flags: "--password-file <file>", description: "file that holds the key's password" },
  { flags: "--code <code>", description: "your one-time code; asked for on the terminal when left out" },
];
