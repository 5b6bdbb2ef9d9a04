import type { Argument, Command, Option } from "commander";
import { buildProgram } from "../program.ts";
import { COMMAND_GROUPS } from "../specs/command-groups.ts";

interface Named {
  path: string;
  command: Command;
}

const INTRODUCTION = `# Commands

Made from the command tree; a test holds this page to it. \`continuum COMMAND --help\` says the same. What a command ends with is in [exit-and-problem-codes.md](exit-and-problem-codes.md), settings are in [operating](../guides/operating.md).`;

/** The reference of every command as Markdown, from the tree that parses the command line. */
export function commandReference(): string {
  const silent = () => undefined;
  const program = buildProgram({
    groups: COMMAND_GROUPS,
    version: "",
    write: { out: silent, err: silent },
    found: silent,
  });
  const commands = program.commands.flatMap((one) =>
    one.commands.length === 0 ? [{ path: one.name(), command: one }] : membersOf(one),
  );
  const shared = sharedOptions(commands);
  const contents = commands.map(({ path }) => `[${path}](#${path.replaceAll(" ", "-")})`).join(" · ");
  const pieces = [
    INTRODUCTION,
    contents,
    `## Options of every command\n${optionTable(shared)}`,
    ...commands.map((one) => commandText(one, shared)),
  ];
  return `${pieces.join("\n\n")}\n`;
}

function membersOf(group: Command): Named[] {
  return group.commands.map((command) => ({ path: `${group.name()} ${command.name()}`, command }));
}

/** Those that every command has, said in the same words: they are listed once. */
function sharedOptions(commands: readonly Named[]): Option[] {
  const [first, ...others] = commands.map(({ command }) => visible(command));
  return (first ?? []).filter((option) => others.every((options) => isAmong(option, options)));
}

function visible(command: Command): Option[] {
  return command.createHelp().visibleOptions(command);
}

function isAmong({ flags, description }: Option, options: readonly Option[]): boolean {
  return options.some((other) => other.flags === flags && other.description === description);
}

function commandText({ path, command }: Named, shared: readonly Option[]): string {
  const spec = COMMAND_GROUPS.flatMap((group) => group.commands).find((one) => one.path === path);
  const given = command.registeredArguments;
  const own = visible(command).filter((option) => !isAmong(option, shared));
  const usage = [`continuum ${path}`, ...given.map(termOf)].join(" ");
  const examples = (spec?.examples ?? []).map((line) => `continuum ${line}`).join("\n");
  return [
    `## ${path}\n\`${usage}\``,
    command.description().replaceAll("\n\n", "\n").replaceAll("\n", "  \n"),
    ...(given.length === 0 ? [] : [argumentTable(given)]),
    ...(own.length === 0 ? [] : [optionTable(own)]),
    `\`\`\`sh\n${examples}\n\`\`\``,
  ].join("\n\n");
}

function termOf(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function argumentTable(given: readonly Argument[]): string {
  return table(
    "argument",
    given.map((one) => [termOf(one), withChoices(one.description, one.argChoices)]),
  );
}

function optionTable(options: readonly Option[]): string {
  return table(
    "option",
    options.map((one) => [one.flags, withChoices(one.description, one.argChoices)]),
  );
}

function withChoices(description: string, choices: readonly string[] | undefined): string {
  return choices === undefined ? description : `${description}: ${choices.join(", ")}`;
}

function table(head: string, rows: readonly (readonly [string, string])[]): string {
  const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const lines = rows.map(([term, description]) => `| \`${cell(term)}\` | ${cell(description)} |`);
  return [`| ${head} | |`, "|---|---|", ...lines].join("\n");
}
