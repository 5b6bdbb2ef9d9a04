import type { Command, Option } from "commander";

/** What stands after an option or as an argument: words to choose from, or a path; undefined when nobody can know. */
export type Completes = { words: readonly string[] } | "file" | "folder" | undefined;

export interface CompletedOption {
  /** `--file` and, where there is one, `-f`. */
  names: readonly string[];
  description: string;
  value: "none" | "required" | "optional";
  completes: Completes;
}

/** One place on the command line: the words after the program's name that lead there, and what may follow. */
export interface CompletedPlace {
  /** `plan check`; empty for the program itself. */
  path: string;
  commands: readonly { name: string; description: string }[];
  options: readonly CompletedOption[];
  arguments: readonly { completes: Completes; variadic: boolean }[];
}

/** Every place of the program, from the very tree that parses the command line. */
export function completionModel(program: Command): CompletedPlace[] {
  const places = placesOf(program, []);
  return [...places, ...places.filter(({ commands }) => commands.length > 0).map(helpOf)];
}

/** `help plan check`: the names again, and nothing else. */
function helpOf({ path, commands }: CompletedPlace): CompletedPlace {
  const others = commands.filter(({ name }) => name !== "help");
  return { path: `help ${path}`.trim(), commands: others, options: [], arguments: [] };
}

/** Options that take the next word, wherever they stand; a shell's script passes over that word. */
export function valuedOptions(places: readonly CompletedPlace[]): string[] {
  const all = places.flatMap(({ options }) => options.filter(({ value }) => value === "required"));
  return [...new Set(all.flatMap(({ names }) => names))].sort();
}

function placesOf(command: Command, path: readonly string[]): CompletedPlace[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const place: CompletedPlace = {
    path: path.join(" "),
    commands: commands.map((one) => ({
      name: one.name(),
      description: firstSentence(one.summary() || one.description()),
    })),
    options: help.visibleOptions(command).map(optionOf),
    arguments: command.registeredArguments.map((argument) => ({
      completes: completesOf(argument.name(), argument.argChoices),
      variadic: argument.variadic,
    })),
  };
  // The tree's own `help` command takes the names of the others.
  const further = commands.filter((one) => one.name() !== "help");
  return [place, ...further.flatMap((one) => placesOf(one, [...path, one.name()]))];
}

function optionOf(option: Option): CompletedOption {
  const names = [option.long, option.short].filter((name) => name !== undefined && name !== null);
  const placeholder = /[<[]([^>\]]+)/.exec(option.flags)?.[1] ?? "";
  return {
    names,
    description: firstSentence(option.description),
    value: option.required ? "required" : option.optional ? "optional" : "none",
    completes: completesOf(placeholder, option.argChoices),
  };
}

/** A path by the name of its placeholder, as `--help` shows it: `<file>`, `[folder]`, `<table|json|file>`. */
function completesOf(placeholder: string, choices: readonly string[] | undefined): Completes {
  if (choices !== undefined) return { words: choices };
  if (/(^|\|)file(\.\.\.)?$/.test(placeholder)) return "file";
  if (/^(.*-)?folder$/.test(placeholder)) return "folder";
  return undefined;
}

/** Scripts quote a description in the ways of four shells, so that it holds one line of plain text. */
function firstSentence(text: string): string {
  return (text.split("\n")[0] ?? "").replaceAll(/[^\x20-\x7e]/g, "");
}
