import { Argument, Command, type CommanderError, Option } from "commander";
import { nearestKey } from "../../core/plan/nearest-key.ts";
import { malformed } from "./cli-error.ts";
import type { CommandGroup, CommandSpec, OptionSpec } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";

/** What commander found on the command line. */
export interface Invocation {
  spec: CommandSpec;
  args: readonly string[];
  options: Record<string, unknown>;
}

const COMMON: readonly OptionSpec[] = [
  { flags: "--wait", description: "follow what was started to its end" },
  { flags: "--timeout <duration>", description: "give up after 90s, 10m or 2h; exit code 5" },
  { flags: "--idempotency-key <key>", description: "the same key never does the same thing twice" },
  { flags: "--no-color", description: "no colours" },
  { flags: "-q, --quiet", description: "results only, no notes" },
];

const SERVER: readonly OptionSpec[] = [
  { flags: "--url <url>", description: "the server; else CONTINUUM_URL, else the one of the data folder" },
  { flags: "--token-file <file>", description: "file that holds the token; else CONTINUUM_TOKEN" },
  { flags: "--data-dir <folder>", description: "the data folder (~/.continuum)" },
  { flags: "--config <file>", description: "settings (continuum.yaml)" },
  { flags: "--allow-insecure-http", description: "plain HTTP to another machine" },
];

const EXIT_CODES =
  "Exit codes: 0 ok, 1 error, 2 denied or rejected, 3 awaiting approval, 4 rolled back, 5 timed out,\n" +
  "64 usage or malformed input, 69 unreachable, 77 forbidden.";

/** Builds commander's tree from the specs; `found` is called with what the user asked for. */
export function buildProgram(options: {
  groups: readonly CommandGroup[];
  version: string;
  write: { out(text: string): void; err(text: string): void };
  found(invocation: Invocation): void;
}): Command {
  const program = new Command("continuum")
    .description("Puts machine-learning models into production safely: plans, policy, guarded rollouts.")
    .version(options.version, "--version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .configureOutput({ writeOut: options.write.out, writeErr: options.write.err, outputError: () => undefined })
    .exitOverride()
    .addHelpText("after", `\n${EXIT_CODES}`);
  for (const group of options.groups) addGroup(program, group, options.found);
  return program;
}

/**
 * `help plan check` as `plan check --help`. Commander's own help command takes one word, and answers a word that it
 * does not know with the general help, as if nothing were wrong.
 */
export function asHelpOption(program: Command, argv: readonly string[]): readonly string[] {
  const words = argv.slice(1);
  if (argv[0] !== "help" || words.length === 0 || words.some((word) => word.startsWith("-"))) return argv;
  let command: Command | undefined = program;
  for (const word of words) command = command?.commands.find((candidate) => candidate.name() === word);
  if (command === undefined)
    throw malformed(`unknown command '${words.join(" ")}'`, "help", "must be one of those that --help lists");
  return [...words, "--help"];
}

function addGroup(program: Command, group: CommandGroup, found: (invocation: Invocation) => void): void {
  const single = group.commands.length === 1 && group.commands[0]?.path === group.name ? group.commands[0] : undefined;
  if (single !== undefined) {
    addCommand(program, single, found);
    return;
  }
  const parent = program.command(group.name).summary(group.summary).description(group.summary).helpCommand(false);
  for (const spec of group.commands) addCommand(parent, spec, found);
}

function addCommand(parent: Command, spec: CommandSpec, found: (invocation: Invocation) => void): void {
  const name = spec.path.split(" ").at(-1) ?? spec.path;
  const command = parent
    .command(name)
    .summary(spec.summary)
    .description([spec.summary, spec.details].filter(Boolean).join("\n\n"));
  for (const { name: shown, description, choices } of spec.arguments ?? []) {
    const argument = new Argument(shown, description);
    command.addArgument(choices === undefined ? argument : argument.choices(choices));
  }
  for (const option of spec.options ?? []) addOption(command, option);
  const formats = spec.formats ?? ["table", "json"];
  const output = new Option(
    spec.outputTakesFile ? `-o, --output <${formats.join("|")}|file>` : `-o, --output <${formats.join("|")}>`,
    spec.outputTakesFile ? "how to print, or the file to write (a name with a dot or a slash)" : "how to print",
  ).default("table");
  if (!spec.outputTakesFile) output.choices(formats);
  command.optionsGroup("Common options:").addOption(output);
  for (const option of COMMON) addOption(command, option);
  command.optionsGroup("Server options:");
  const own = new Set((spec.options ?? []).map(longName));
  for (const option of SERVER) if (!own.has(longName(option))) addOption(command, option);
  command.addHelpText(
    "after",
    `\nExamples:\n${spec.examples.map((line) => `  $ continuum ${line}`).join("\n")}\n\n${EXIT_CODES}`,
  );
  command.action(() => {
    const options = command.opts();
    requireOptions(spec, options);
    found({ spec, args: command.args, options });
  });
}

/** Looked at last, so that a misspelt option is told as such and not as a missing one. */
function requireOptions(spec: CommandSpec, options: Record<string, unknown>): void {
  for (const option of spec.options ?? []) {
    if (option.required && options[new Option(option.flags).attributeName()] === undefined)
      throw malformed(`${option.flags} is missing`, spec.path, `it is ${option.description}`);
  }
}

function longName(option: OptionSpec): string {
  return /--[a-z-]+/.exec(option.flags)?.[0] ?? option.flags;
}

function addOption(command: Command, spec: OptionSpec): void {
  const option = new Option(spec.flags, spec.description);
  if (spec.choices !== undefined) option.choices(spec.choices);
  if (spec.repeatable) option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  command.addOption(option);
}

/** Commander's outcome as an exit code and, for a mistake, one line. */
export function outcomeOf(
  error: CommanderError,
  { argv, program }: { argv: readonly string[]; program: Command },
): { exitCode: number; line?: string } {
  if (["commander.helpDisplayed", "commander.version"].includes(error.code)) return { exitCode: EXIT.ok };
  if (error.code === "commander.help") {
    const asked = argv.length === 0 || argv[0] === "help"; // a bare `continuum` is a question, a bare group a mistake
    return asked
      ? { exitCode: EXIT.ok }
      : { exitCode: EXIT.malformed, line: "a command is missing, see the list above" };
  }
  const [what = "", hint] = error.message.replace(/^error: /, "").split("\n");
  const near = hint === undefined ? undefined : /\(Did you mean (?:one of )?(.*?)\??\)/.exec(hint)?.[1];
  const meant = meantElsewhere(what, program) ?? near;
  return {
    exitCode: EXIT.malformed,
    line: meant === undefined ? `${what.trim()}, see --help` : `${what.trim()}, did you mean ${meant}?`,
  };
}

/** What commander does not look for: `check` for `plan check`, and a value that is nearly one of the choices. */
function meantElsewhere(what: string, program: Command): string | undefined {
  const unknown = /^unknown command '(.*)'$/.exec(what)?.[1];
  if (unknown !== undefined) {
    const paths = program.commands.flatMap((group) => group.commands.map((one) => `${group.name()} ${one.name()}`));
    const found = paths.filter((path) => path.endsWith(` ${unknown}`));
    return found.length > 0 && found.length <= 4 ? found.join(", ") : undefined;
  }
  const [, value, choices] = /argument '(.*)' is invalid.*Allowed choices are (.*)\.$/.exec(what) ?? [];
  return value === undefined || choices === undefined ? undefined : nearestKey(value, choices.split(", "));
}
