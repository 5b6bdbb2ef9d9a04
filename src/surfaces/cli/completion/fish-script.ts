import { type CompletedOption, type CompletedPlace, type Completes, valuedOptions } from "./completion-model.ts";

/** A script for fish 3 and newer: kept as `~/.config/fish/completions/continuum.fish`. */
export function fishScript(places: readonly CompletedPlace[]): string {
  const lines = places.flatMap((place) => [
    ...place.commands.map(({ name, description }) => line(place, ["-a", quoted(name), "-d", quoted(description)])),
    ...place.options.map((option) => line(place, optionWords(option))),
    ...argumentLines(place),
  ]);
  return `# Completion of continuum for fish: continuum completion fish > ~/.config/fish/completions/continuum.fish
${PLACE.replace(
  "COMMANDS",
  places
    .map(({ path }) => path)
    .filter(Boolean)
    .map(quoted)
    .join(" "),
).replace("VALUED", valuedOptions(places).join(" "))}
complete -c continuum -f
${lines.join("\n")}
`;
}

/** Prints where on the command line the cursor stands, and how many arguments stand before it. */
const PLACE = `function __continuum_place
    set -l known COMMANDS
    set -l place
    set -l index 0
    set -l pass 0
    for word in (commandline -opc)[2..-1]
        if test $pass = 1
            set pass 0
        else if contains -- $word VALUED
            set pass 1
        else if not string match -q -- '-*' $word
            if test $index = 0; and contains -- "$place $word" ' '$known
                set place "$place $word"
            else
                set index (math $index + 1)
            end
        end
    end
    echo "$place:$index"
end
function __continuum_at
    string match -q -- $argv[1] (__continuum_place)
end`;

function line({ path, commands }: CompletedPlace, rest: readonly string[]): string {
  // Where commands are due, none is offered once an argument stands there.
  const index = commands.length > 0 && rest[0] === "-a" ? "0" : "*";
  return `complete -c continuum -n ${quoted(`__continuum_at '${place(path)}:${index}'`)} ${rest.join(" ")}`;
}

function place(path: string): string {
  return path === "" ? "" : ` ${path}`;
}

function optionWords({ names, description, value, completes }: CompletedOption): string[] {
  const spelt = names.flatMap((name) => (name.startsWith("--") ? ["-l", name.slice(2)] : ["-s", name.slice(1)]));
  const taken = value === "required" ? ["-x"] : [];
  return [...spelt, ...(value === "none" ? [] : [...taken, ...offered(completes)]), "-d", quoted(description)];
}

function argumentLines(at: CompletedPlace): string[] {
  return at.arguments.flatMap(({ completes, variadic }, index) => {
    if (completes === undefined) return [];
    const condition = quoted(`__continuum_at '${place(at.path)}:${variadic ? "*" : index}'`);
    return [`complete -c continuum -n ${condition} ${offered(completes).join(" ")}`];
  });
}

function offered(completes: Completes): string[] {
  if (completes === "file") return ["-a", quoted("(__fish_complete_path (commandline -ct))")];
  if (completes === "folder") return ["-a", quoted("(__fish_complete_directories (commandline -ct))")];
  return completes === undefined ? [] : ["-a", quoted(completes.words.join(" "))];
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
