import type { CommandGroup, OptionSpec } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";

const PASSWORD: readonly OptionSpec[] = [
  { flags: "--password-env <name>", description: "environment variable that holds the key's password" },
  { flags: "--password-file <file>", description: "file that holds the key's password" },
];
const KEY: OptionSpec = { flags: "--key <file>", description: "the encrypted private key (NAME.key)", required: true };

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

export const signGroup: CommandGroup = {
  name: "sign",
  summary: "Sign a file",
  commands: [
    {
      path: "sign",
      summary: "Sign a file's bytes with a cosign key; the result is a Sigstore bundle",
      arguments: [{ name: "<file>", description: "what to sign" }],
      options: [KEY, ...PASSWORD],
      outputTakesFile: true,
      examples: ["sign model.onnx --key ci.key -o model.onnx.bundle.json"],
      load: async () => (await import("../commands/sign.ts")).sign,
    },
  ],
};

export const verifyGroup: CommandGroup = {
  name: "verify",
  summary: "Verify a file's signature or evidence",
  commands: [
    {
      path: "verify",
      summary: "Verify that a bundle speaks of this file and was made with this key; exit code 1 when not",
      arguments: [{ name: "<file>", description: "what was signed" }],
      options: [
        { flags: "-b, --bundle <file>", description: "the bundle", required: true },
        { flags: "--key <file>", description: "the public key (NAME.pub)", required: true },
        {
          flags: "--type <type>",
          description: "what the bundle must be: a signature of the file, or evidence about it",
          choices: ["signature", "tests"],
        },
      ],
      examples: [
        "verify model.onnx --bundle model.onnx.bundle.json --key ci.pub",
        "verify model.onnx --bundle tests.json --key ci.pub --type tests",
      ],
      load: async () => (await import("../commands/verify.ts")).verify,
    },
  ],
};

export const attestGroup: CommandGroup = {
  name: "attest",
  summary: "Turn test results into signed evidence",
  commands: [
    {
      path: "attest",
      summary: "State, signed, what a JUnit report says about an artifact",
      details:
        "Names and messages of test cases stay out of the statement: it goes to a server, and they may hold personal data.",
      options: [
        { flags: "--junit <file>", description: "the report", required: true },
        { flags: "--artifact <file>", description: "what was tested", required: true },
        KEY,
        ...PASSWORD,
      ],
      outputTakesFile: true,
      examples: ["attest --junit report.xml --artifact model.onnx --key ci.key -o tests.json"],
      load: async () => (await import("../commands/attest.ts")).attest,
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
