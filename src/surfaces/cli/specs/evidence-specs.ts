import type { CommandGroup } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";
import { PASSWORD } from "./signing-specs.ts";

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
      arguments: [{ name: "<file>", description: "the public key (NAME.pub)" }],
      options: [{ flags: "--purpose <purpose>", description: "what it may sign", choices: ["tests"], required: true }],
      examples: ["keys import --purpose tests ci-tests.pub"],
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
      options: [{ flags: "--purpose <purpose>", description: "for which purpose", choices: ["tests"], required: true }],
      examples: ["keys revoke sha256:9d... --purpose tests"],
      load: async () => (await import("../commands/keys.ts")).keysRevoke,
    },
  ],
};

export const evidenceGroup: CommandGroup = {
  name: "evidence",
  summary: "Signed statements that the server keeps",
  commands: [
    {
      path: "evidence add",
      summary: "Store a bundle under the digest that it speaks of",
      arguments: [{ name: "<file>", description: "the bundle" }],
      examples: ["evidence add tests.json"],
      load: async () => (await import("../commands/evidence.ts")).evidenceAdd,
    },
    {
      path: "evidence list",
      summary: "Stored statements",
      options: [{ flags: "--subject <digest>", description: "only about this artifact" }, ...PAGE],
      formats: LISTS,
      examples: ["evidence list --subject sha256:4f..."],
      load: async () => (await import("../commands/evidence.ts")).evidenceList,
    },
  ],
};
