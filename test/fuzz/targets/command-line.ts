import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { signMessage } from "../../../src/core/evidence/sign.ts";
import { generateSigningKey } from "../../../src/core/evidence/signing-key.ts";
import { verifyBackup } from "../../../src/service/backup/verify-backup.ts";
import { runCli } from "../../../src/surfaces/cli/cli.ts";
import { EXIT } from "../../../src/surfaces/cli/exit-codes.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { mutated } from "../mutations.ts";
import { checkLine, checkShown, holds } from "../violation.ts";
import { backupBytes } from "./valid-backup.ts";
import { PLANS, planYaml } from "./valid-plans.ts";

const CODES: ReadonlySet<number> = new Set(Object.values(EXIT));
const REPORT = '<testsuite tests="1"><testcase name="a"/></testsuite>';
const SETTINGS = "dataDir: ./data\napi:\n  port: 7400\nserving:\n  port: 7401\nworkers: 2\n";

/** Every command that reads a file and needs no server, with the file that it reads. */
function commands(folder: string): { argv: string[]; file: string; texts: (string | Uint8Array)[] }[] {
  const key = generateSigningKey(randomBytes);
  writeFileSync(join(folder, "model.onnx"), "a model");
  writeFileSync(join(folder, "key.pub"), key.publicKey.spkiPem);
  const plans = PLANS.map(planYaml);
  const bundle = signMessage(Buffer.from("a model"), key);
  writeFileSync(join(folder, "bundle.json"), bundle);
  writeFileSync(join(folder, "other.yaml"), plans[0] ?? "");
  const rules = '@id("own-1")\n@level("advise")\n@reason("r")\nforbid (principal, action, resource) when { false };\n';
  return [
    { argv: ["plan", "check", "-f", "plan.yaml"], file: "plan.yaml", texts: plans },
    {
      argv: ["plan", "check", "-f", "plan.json", "-o", "json"],
      file: "plan.json",
      texts: PLANS.map((plan) => JSON.stringify(plan)),
    },
    { argv: ["plan", "explain", "-f", "plan.yaml"], file: "plan.yaml", texts: plans },
    { argv: ["plan", "diff", "-f", "plan.yaml", "--against", "other.yaml"], file: "plan.yaml", texts: plans },
    { argv: ["policy", "lint", "rules"], file: "rules/own.cedar", texts: [rules] },
    { argv: ["verify", "model.onnx", "-b", "bundle.json", "--key", "key.pub"], file: "bundle.json", texts: [bundle] },
    {
      argv: ["verify", "model.onnx", "-b", "bundle.json", "--key", "mine.pub"],
      file: "mine.pub",
      texts: [key.publicKey.spkiPem],
    },
    { argv: ["audit", "verify", "log.ndjson", "--head", `0:${"0".repeat(64)}`], file: "log.ndjson", texts: ["{}\n"] },
    { argv: ["config", "check", "--config", "continuum.yaml"], file: "continuum.yaml", texts: [SETTINGS] },
    {
      argv: [
        "attest",
        "--junit",
        "report.xml",
        "--artifact",
        "model.onnx",
        "--key",
        "own.key",
        "--password-env",
        "PASSWORD",
      ],
      file: "own.key",
      texts: [
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
        REPORT,
      ],
    },
  ];
}

/** The offline commands as a user runs them: a documented exit code, and one line when the input is wrong. */
export const commandLine: FuzzTarget = {
  name: "command-line",
  share: 2.2,
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuum-fuzz-cli-"));
    mkdirSync(join(folder, "rules"));
    writeFileSync(join(folder, "report.xml"), REPORT);
    const all = commands(folder);
    const words = [
      "-o",
      "json",
      "--fix",
      "--policy",
      "rules",
      "--",
      "-",
      "",
      "--config",
      "\u0000",
      "help",
      "x".repeat(300),
      "--timeout",
      "1x",
    ];
    const inputs = fc.nat(all.length - 1).chain((command) =>
      fc.record({
        command: fc.constant(command),
        bytes: mutated(all[command]?.texts ?? [""]),
        more: fc.oneof(
          { weight: 9, arbitrary: fc.constant<string[]>([]) },
          fc.array(fc.constantFrom(...words), { maxLength: 3 }),
        ),
      }),
    );
    return openTarget({
      inputs,
      bytesOf: ({ bytes }) => bytes.length,
      floorMs: 1500,
      async feed({ command, bytes, more }) {
        const chosen = all[command];
        if (chosen === undefined) return "none";
        writeFileSync(join(folder, chosen.file), bytes);
        const { code, out, err } = await run([...chosen.argv, ...more], folder);
        holds(CODES.has(code), `exit code ${code}`);
        checkShown(out, [SECRET]);
        checkShown(err, [SECRET]);
        holds(!/internal error/.test(err), `an internal error: ${err.slice(0, 300)}`);
        if (code === EXIT.malformed) checkLine(err.trimEnd(), [SECRET]);
        // What is wrong with the settings is what `config check` was asked for.
        const isReport = chosen.argv[0] === "config" && chosen.argv[1] === "check";
        if (code === EXIT.malformed && !isReport)
          holds(out === "", "something beside the refusal stands on standard output");
        return `${chosen.argv[0]} ${chosen.argv[1]} ${code}`;
      },
      close: async () => rmSync(folder, { recursive: true, force: true }),
    });
  },
};

const SECRET = "a password that nobody shows";

async function run(argv: string[], folder: string): Promise<{ code: number; out: string; err: string }> {
  const run = { code: -1, out: "", err: "" };
  const unreached = async () => {
    throw new Error("an offline command asked for a running program");
  };
  run.code = await runCli(argv, {
    version: "1.2.3",
    targets: ["local", "simulated"],
    ...{ start: unreached, quickstart: unreached, maintenance: unreached, doctor: unreached },
    io: {
      out: async (text) => {
        run.out += typeof text === "string" ? text : Buffer.from(text).toString("utf8");
      },
      err: (text) => {
        run.err += text;
      },
      stdin: (async function* () {
        yield Buffer.from("{}");
      })(),
      ...{ stdoutIsTerminal: false, stderrIsTerminal: false, stdinIsTerminal: false },
      environment: { variables: { PASSWORD: SECRET }, homeDir: folder, workingDir: folder, hostName: "host-1" },
    },
  });
  return run;
}

/** A backup's file before anything of it is restored. */
export const backups: FuzzTarget = {
  name: "backups",
  share: 5,
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuum-fuzz-backup-"));
    const path = join(folder, "backup.tar");
    const key = Buffer.alloc(32, 7);
    const whole = backupBytes(key);
    const keys = [{ purpose: "artifact-store" as const, reference: "file:x", bytes: key }];
    return openTarget({
      inputs: fc.record({ bytes: mutated([whole]), sealed: fc.boolean() }),
      bytesOf: ({ bytes }) => bytes.length,
      async feed({ bytes, sealed }) {
        writeFileSync(path, bytes);
        try {
          const { archive, seal } = await verifyBackup(path, sealed ? keys : []);
          await archive.close();
          const same =
            createHash("sha256").update(bytes).digest("hex") === createHash("sha256").update(whole).digest("hex");
          // Padding and a header's fields that nobody reads may differ; what is restored may not.
          holds(!sealed || same || bytes.length === whole.length, "another file was taken for the backup");
          return seal;
        } catch (error) {
          if (!(error instanceof Error) || !("code" in error)) throw error;
          const code = String(error.code);
          holds(code.startsWith("backup-"), `a code that is no backup's: ${code} ${error.message}`);
          checkLine(error.message);
          return code;
        }
      },
      close: async () => rmSync(folder, { recursive: true, force: true }),
    });
  },
};
