import type { CommandContext } from "./command-context.ts";

export interface OptionSpec {
  /** As commander reads them: `-f, --file <file>`. */
  flags: string;
  description: string;
  choices?: readonly string[];
  required?: true;
  /** May be given several times; the values come as a list. */
  repeatable?: true;
}

export interface ArgumentSpec {
  /** `<id>` is required, `[id]` is not, `<id...>` takes several. */
  name: string;
  description: string;
  choices?: readonly string[];
}

/** One command as data: help is built from it without loading what it runs. */
export interface CommandSpec {
  /** `plan check` is the command `check` of the group `plan`. */
  path: string;
  summary: string;
  /** More than the summary, shown by `--help`. */
  details?: string;
  arguments?: readonly ArgumentSpec[];
  options?: readonly OptionSpec[];
  /** Without the leading `continuum`. */
  examples: readonly string[];
  /** `ndjson` is offered where one item a line makes sense. */
  formats?: readonly ("table" | "json" | "ndjson")[];
  /** The `-o` of this command also takes the file that its result is written to. */
  outputTakesFile?: true;
  /** Loads the command's code: only what runs is read. Resolves to the exit code. */
  load(): Promise<(context: CommandContext) => Promise<number>>;
}

export interface CommandGroup {
  name: string;
  summary: string;
  commands: readonly CommandSpec[];
}
