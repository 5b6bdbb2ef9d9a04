import { TRUSTED_PURPOSES } from "../../../contract/trust-views.ts";
import type { CommandGroup, OptionSpec } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";

export const PURPOSE: OptionSpec = {
  flags: "--purpose <purpose>",
  description: "the one thing that it may sign",
  choices: TRUSTED_PURPOSES,
  required: true,
};
export const NOT_AFTER: OptionSpec = {
  flags: "--not-after <time>",
  description: "when the trust ends, such as 2027-01-31",
};

export const identityGroup: CommandGroup = {
  name: "identity",
  summary: "Say which identities of certificates are trusted for what",
  commands: [
    {
      path: "identity add",
      summary: "Trust an identity that certificates name, exactly, for one purpose; people only",
      details: "Certificates are judged by the trusted root that `trust pin` sets; without one no identity counts.",
      arguments: [{ name: "<subject>", description: "as the certificate has it, to the last character" }],
      options: [{ flags: "--issuer <url>", description: "who vouches for it", required: true }, PURPOSE, NOT_AFTER],
      examples: [
        "identity add https://github.com/acme/churn/.github/workflows/release.yml@refs/heads/main --issuer https://token.actions.githubusercontent.com --purpose tests",
      ],
      load: async () => (await import("../commands/identity.ts")).identityAdd,
    },
    {
      path: "identity list",
      summary: "Trusted identities",
      options: PAGE,
      formats: LISTS,
      examples: ["identity list"],
      load: async () => (await import("../commands/identity.ts")).identityList,
    },
    {
      path: "identity revoke",
      summary: "Stop trusting an identity for its purpose; people only",
      arguments: [{ name: "<id>", description: "as `identity list` gives it" }],
      options: [PURPOSE],
      examples: ["identity revoke identity:sha256:9d... --purpose tests"],
      load: async () => (await import("../commands/identity.ts")).identityRevoke,
    },
  ],
};

export const trustGroup: CommandGroup = {
  name: "trust",
  summary: "Builders that count, how old evidence may be, and the trusted root",
  commands: [
    {
      path: "trust show",
      summary: "What evidence is judged by, besides keys and identities",
      examples: ["trust show"],
      load: async () => (await import("../commands/trust.ts")).trustShow,
    },
    {
      path: "trust update",
      summary: "Say which builders count and how old evidence may be; people only",
      options: [
        { flags: "--builder <id>", description: "a builder whose provenance counts; all that count", repeatable: true },
        { flags: "--clear-builders", description: "none counts any more" },
        { flags: "--max-age <kind=duration>", description: "such as tests=30d", repeatable: true },
      ],
      examples: [
        "trust update --builder https://github.com/actions/runner/github-hosted --max-age tests=30d",
        "trust update --max-age provenance=90d",
      ],
      load: async () => (await import("../commands/trust.ts")).trustUpdate,
    },
    {
      path: "trust pin",
      summary: "Pin the trusted root that identities are judged by; people only",
      arguments: [{ name: "<file>", description: "a trusted root of Sigstore's form (trusted_root.json)" }],
      examples: ["trust pin trusted_root.json"],
      load: async () => (await import("../commands/trust.ts")).trustPin,
    },
    {
      path: "trust unpin",
      summary: "Remove the trusted root: no identity counts any more; people only",
      examples: ["trust unpin"],
      load: async () => (await import("../commands/trust.ts")).trustUnpin,
    },
  ],
};
