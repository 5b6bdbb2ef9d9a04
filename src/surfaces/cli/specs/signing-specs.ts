import type { CommandGroup, OptionSpec } from "../command-spec.ts";

export const PASSWORD: readonly OptionSpec[] = [
  { flags: "--password-env <name>", description: "environment variable that holds the key's password" },
  { flags: "--password-file <file>", description: "file that holds the key's password; else COSIGN_PASSWORD" },
];
const KEY: OptionSpec = {
  flags: "--key <reference>",
  description: "the encrypted private key: file:PATH, env:NAME or a path",
};
const REQUIRED_KEY: OptionSpec = { ...KEY, required: true };

export const packageGroup: CommandGroup = {
  name: "package",
  summary: "Write the manifest of a model or a plan",
  commands: [
    {
      path: "package",
      summary: "Write the manifest of a model folder (every file with its SHA-256) or of a plan, or compare",
      details:
        "A model's has the form of OpenSSF Model Signing. Symbolic links and special files are refused; .git, .gitignore,\n" +
        ".gitattributes and .github at the top are left out. A plan's is its canonical bytes, whose SHA-256 is the plan\n" +
        "digest. `sign` signs the same bytes; so does `cosign sign-blob` of a plan's manifest.",
      arguments: [{ name: "<path>", description: "the model's folder, its one file, or the plan" }],
      options: [
        { flags: "--type <type>", description: "what it is; a model, if left out", choices: ["model", "plan"] },
        { flags: "--against <file>", description: "a list from before; exit code 1 where the folder differs" },
      ],
      outputTakesFile: true,
      examples: [
        "package ./model -o model.manifest.json",
        "package ./model --against model.manifest.json",
        "package plan.yaml --type plan -o plan.manifest.json",
      ],
      load: async () => (await import("../commands/package.ts")).packageManifest,
    },
  ],
};

export const signGroup: CommandGroup = {
  name: "sign",
  summary: "Sign a file, a plan or a model folder",
  commands: [
    {
      path: "sign",
      summary: "Sign a file, a plan or a model folder with a cosign key; the result is a Sigstore bundle",
      details:
        "Of a plan its canonical bytes are signed, whose SHA-256 is the plan digest; of a model folder the list of its\n" +
        "files (OpenSSF Model Signing). `cosign verify-blob` takes the bundle of a file as it is.",
      arguments: [{ name: "<path>", description: "what to sign" }],
      options: [
        {
          flags: "--type <type>",
          description: "what it is; else a folder is a model and all else a file",
          choices: ["file", "plan", "model"],
        },
        REQUIRED_KEY,
        ...PASSWORD,
        { flags: "--bare", description: "only the signature in base64, as cosign sign-blob prints it" },
      ],
      outputTakesFile: true,
      examples: [
        "sign model.onnx --key ci.key -o model.onnx.bundle.json",
        "sign plan.yaml --type plan --key env:RELEASE_KEY -o plan.bundle.json",
        "sign ./model --key file:release.key -o model.sig",
      ],
      load: async () => (await import("../commands/sign.ts")).sign,
    },
  ],
};

export const verifyGroup: CommandGroup = {
  name: "verify",
  summary: "Verify a signature or evidence",
  commands: [
    {
      path: "verify",
      summary: "Verify, offline, what this signer said of a file, a plan or a model folder; exit code 1 when not",
      details:
        "The signer is a key, or an identity with its issuer under a trusted root; both are compared character by\n" +
        "character. Instead of a file, --type tests and provenance take a digest, such as an image's.",
      arguments: [{ name: "<path>", description: "what was signed" }],
      options: [
        { flags: "-b, --bundle <file>", description: "the bundle" },
        { flags: "--signature <file>", description: "a signature alone, in base64, instead of a bundle" },
        { flags: "--key <reference>", description: "the public key (NAME.pub): file:PATH, env:NAME or a path" },
        { flags: "--identity <subject>", description: "whom the certificate must name, exactly" },
        { flags: "--issuer <url>", description: "who must have vouched for that identity, exactly" },
        { flags: "--trusted-root <file>", description: "the authorities and logs that certificates are judged by" },
        {
          flags: "--type <type>",
          description: "what the bundle must be: a signature (of a folder: its files), or evidence about it",
          choices: ["file", "plan", "model", "signature", "tests", "provenance"],
        },
        {
          flags: "--builder <id>",
          description: "for provenance: a builder that may have built it, exactly",
          repeatable: true,
        },
      ],
      examples: [
        "verify model.onnx --bundle model.onnx.bundle.json --key ci.pub",
        "verify plan.yaml --type plan --bundle plan.bundle.json --key release.pub",
        "verify ./model --bundle model.sig --key release.pub",
        "verify model.onnx --bundle tests.json --key ci.pub --type tests",
        "verify model.onnx --bundle tests.json --type tests --identity https://github.com/acme/churn/.github/workflows/release.yml@refs/heads/main --issuer https://token.actions.githubusercontent.com --trusted-root trusted_root.json",
      ],
      load: async () => (await import("../commands/verify.ts")).verify,
    },
  ],
};

export const attestGroup: CommandGroup = {
  name: "attest",
  summary: "Turn test results or a build's provenance into signed evidence",
  commands: [
    {
      path: "attest",
      summary: "State, signed, what a JUnit report says about an artifact, or how it was built",
      details:
        "Of a report only counts, the verdict and the report's digest go into the statement; each case is named by its\n" +
        "place. Names, parameters, messages and output of tests stay where they are: they may hold personal data.\n" +
        "A provenance is taken as it is: the predicate of SLSA provenance v1.",
      options: [
        { flags: "--junit <file>", description: "the test report" },
        { flags: "--provenance <file>", description: "SLSA provenance v1: the predicate, JSON" },
        { flags: "--artifact <file>", description: "what was tested or built", repeatable: true },
        { flags: "--digest <digest>", description: "the same by its digest, such as an image's", repeatable: true },
        KEY,
        ...PASSWORD,
        { flags: "--unsigned", description: "the statement alone, for cosign attest-blob --statement to sign" },
      ],
      outputTakesFile: true,
      examples: [
        "attest --junit report.xml --artifact model.onnx --key ci.key -o tests.json",
        "attest --provenance provenance.json --artifact model.onnx --key env:CI_KEY -o provenance.bundle.json",
        "attest --junit report.xml --digest sha256:4f... --unsigned -o tests.statement.json",
      ],
      load: async () => (await import("../commands/attest.ts")).attest,
    },
  ],
};
