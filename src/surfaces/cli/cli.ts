import { CommanderError } from "commander";
import { processEnvironment } from "../../config/environment.ts";
import { malformed } from "./cli-error.ts";
import { CommandContext, type ContextLoaders, type OutputFormat } from "./command-context.ts";
import { EXIT } from "./exit-codes.ts";
import type { Injected } from "./injected.ts";
import { type Io, processIo } from "./io.ts";
import { asHelpOption, buildProgram, type Invocation, outcomeOf } from "./program.ts";
import { asksForJson, reportError } from "./report-error.ts";
import { COMMAND_GROUPS } from "./specs/command-groups.ts";

/**
 * Runs one command line (without the names of Node and the script) and resolves to the exit code of the documented
 * table. A user's mistake is one line on stderr, never a stack; a failure of ours is one line as well, with its stack
 * only when CONTINUUM_DEBUG is set.
 */
export async function runCli(argv: readonly string[], injected: Injected): Promise<number> {
  const io = injected.io ?? processIo(processEnvironment());
  try {
    const found = await parseCommandLine(argv, injected, io);
    return typeof found === "number" ? found : await runCommand(found, injected, io);
  } catch (error) {
    return reportError(error, { io, asJson: asksForJson(argv) });
  }
}

/** The command that was asked for, or the exit code when help or a mistake was all there was. */
async function parseCommandLine(argv: readonly string[], injected: Injected, io: Io): Promise<Invocation | number> {
  let invocation: Invocation | undefined;
  const written: Promise<void>[] = [];
  const program = buildProgram({
    groups: COMMAND_GROUPS,
    version: injected.version,
    write: { out: (text) => written.push(io.out(text)), err: (text) => io.err(text) },
    found: (found) => {
      invocation = found;
    },
  });
  try {
    program.parse(argv.length === 0 ? ["help"] : asHelpOption(program, argv), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    await Promise.all(written);
    const { exitCode, line } = outcomeOf(error, { argv, program });
    if (line === undefined) return exitCode;
    throw malformed(line, "", "");
  }
  return invocation ?? EXIT.ok;
}

/** Loaded only by the commands that need them, so that the others start sooner. */
const LOADERS: ContextLoaders = {
  config: async (context) => (await import("./load-settings.ts")).loadSettings(context).config,
  client: async (context) => (await import("./open-client.ts")).openClient(context),
  program: () => {
    const silent = () => undefined;
    return buildProgram({ groups: COMMAND_GROUPS, version: "", write: { out: silent, err: silent }, found: silent });
  },
};

async function runCommand({ spec, args, options }: Invocation, injected: Injected, io: Io): Promise<number> {
  const output = String(options["output"] ?? "table");
  const isFormat = ((spec.formats ?? ["table", "json"]) as readonly string[]).includes(output);
  if (!isFormat && !/[./\\]/.test(output))
    throw malformed(
      `unknown format ${JSON.stringify(output)}`,
      "-o",
      "must be table, json or a file's name with a dot or a slash",
    );
  const format = isFormat ? (output as OutputFormat) : "table";
  const context = new CommandContext({
    args,
    options: isFormat ? options : { ...options, outputFile: output },
    format,
    io,
    injected,
    loaders: LOADERS,
  });
  const run = await spec.load();
  return run(context);
}
