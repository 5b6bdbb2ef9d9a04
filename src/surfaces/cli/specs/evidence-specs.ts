import { SIGNED_KINDS } from "../../../contract/trust-views.ts";
import type { CommandGroup, OptionSpec } from "../command-spec.ts";
import { OWN_KEY_COMMANDS } from "./approval-specs.ts";
import { LISTS, PAGE } from "./shared-options.ts";
import { PASSWORD } from "./signing-specs.ts";
import { NOT_AFTER, PURPOSE } from "./trust-specs.ts";

const KIND: OptionSpec = { flags: "--kind <kind>", description: "what it must be", choices: SIGNED_KINDS };

export const keysGroup: CommandGroup = {
  name: "keys",
  summary: "Make signing keys, and say which ones are trusted for what",
  commands: [
    {
      path: "keys generate",
      summary: "Make a key pair that cosign can use: NAME.key (encrypted) and NAME.pub",
      arguments: [{ name: "<name>", description: "path without an ending; nothing is ever overwritten" }],
      options: PASSWORD,
      examples: ["keys generate ci-tests", "keys generate ci-tests --password-env KEY_PASSWORD"],
      load: async () => (await import("../commands/keys-generate.ts")).keysGenerate,
    },
    {
      path: "keys import",
      summary: "Trust a public key for one purpose; people only",
      arguments: [{ name: "<reference>", description: "the public key (NAME.pub): file:PATH, env:NAME or a path" }],
      options: [PURPOSE, NOT_AFTER],
      examples: [
        "keys import --purpose tests ci-tests.pub",
        "keys import --purpose manifest --not-after 2027-12-31 release.pub",
      ],
      load: async () => (await import("../commands/keys.ts")).keysImport,
    },
    {
      path: "keys list",
      summary: "Trusted keys",
      options: PAGE,
      formats: LISTS,
      examples: ["keys list"],
      load: async () => (await import("../commands/keys.ts")).keysList,
    },
    {
      path: "keys revoke",
      summary: "Stop trusting a key for its purpose; people only",
      arguments: [{ name: "<key-id>", description: "as `keys list` gives it" }],
      options: [PURPOSE],
      examples: ["keys revoke sha256:9d... --purpose tests"],
      load: async () => (await import("../commands/keys.ts")).keysRevoke,
    },
    ...OWN_KEY_COMMANDS,
  ],
};

export const evidenceGroup: CommandGroup = {
  name: "evidence",
  summary: "Signed statements that the server keeps",
  commands: [
    {
      path: "evidence add",
      summary: "Store a bundle under the digest that it speaks of",
      details: "Test results, provenance, and signatures of plans, models and images; the server judges who signed.",
      arguments: [{ name: "<file>", description: "the bundle" }],
      options: [
        KIND,
        { flags: "--plan <file>", description: "the plan that it signs, where the server has not seen the plan yet" },
      ],
      examples: ["evidence add tests.json", "evidence add plan.bundle.json --kind manifest-signature --plan plan.yaml"],
      load: async () => (await import("../commands/evidence.ts")).evidenceAdd,
    },
    {
      path: "evidence list",
      summary: "Stored statements",
      options: [{ flags: "--subject <digest>", description: "only about this artifact" }, KIND, ...PAGE],
      formats: LISTS,
      examples: ["evidence list --subject sha256:4f...", "evidence list --kind provenance"],
      load: async () => (await import("../commands/evidence.ts")).evidenceList,
    },
    {
      path: "evidence revoke",
      summary: "Take a stored statement out of force for good; people only",
      arguments: [{ name: "<id>", description: "as `evidence list` gives it" }],
      options: [{ flags: "--reason <text>", description: "why, for the audit log", required: true }],
      examples: ['evidence revoke sha256:5e... --reason "the runner was compromised"'],
      load: async () => (await import("../commands/evidence.ts")).evidenceRevoke,
    },
  ],
};
