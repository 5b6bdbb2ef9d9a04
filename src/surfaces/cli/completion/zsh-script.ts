import { type CompletedPlace, type Completes, valuedOptions } from "./completion-model.ts";

/** A script for zsh: sourced, or kept as a file named `_continuum` in a folder of `fpath`. */
export function zshScript(places: readonly CompletedPlace[]): string {
  return `#compdef continuum
# Completion of continuum for zsh: source <(continuum completion zsh)
_continuum_words() {
  case "$1" in
${places.map(({ path, commands }) => branch(path, described(commands.map((one) => [one.name, one.description])))).join("\n")}
  esac
}
_continuum_options() {
  case "$1" in
${places.map(({ path, options }) => branch(path, described(options.flatMap(({ names, description }) => names.map((name): [string, string] => [name, description]))))).join("\n")}
  esac
}
_continuum_value() {
  case "$1:$2" in
${places.flatMap(valueBranches).join("\n")}
  esac
}
_continuum_argument() {
  case "$1:$2" in
${places.flatMap(argumentBranches).join("\n")}
  esac
}
${ENGINE.replace("VALUED", valuedOptions(places).join("|"))}`;
}

const ENGINE = String.raw`_continuum() {
  local word before="" place="" kind="" i index=0 pass=0
  local -a reply
  for ((i = 2; i < CURRENT; i++)); do
    word="$words[i]"
    if ((pass)); then pass=0; before=""; continue; fi
    before=""
    case "$word" in
      (VALUED) pass=1; before="$word" ;;
      (-*) before="$word" ;;
      (*)
        reply=(); _continuum_words "$place"
        if ((index == 0)) && (( \${+reply[(r)$word:*]} )); then place="\${place:+$place }$word"
        else ((index += 1)); fi
        ;;
    esac
  done
  reply=()
  word="$words[CURRENT]"
  if [[ $word == --*=* ]]; then
    before="\${word%%=*}"; compset -P '*='
  fi
  [[ -n $before ]] && _continuum_value "$place" "$before"
  if [[ -z $kind ]]; then
    ((pass)) && return 1
    if [[ $word == -* ]]; then _continuum_options "$place"; kind=words
    else
      _continuum_words "$place"
      if (($#reply && index == 0)); then kind=words; else reply=(); _continuum_argument "$place" "$index"; fi
    fi
  fi
  case "$kind" in
    (words) _describe -t words continuum reply ;;
    (file) _files ;;
    (folder) _files -/ ;;
    (*) return 1 ;;
  esac
}
compdef _continuum continuum
`.replaceAll("\\$", "$");

function branch(pattern: string, action: string): string {
  return `    ("${pattern}") ${action} ;;`;
}

/** `_describe` splits a word from its description at the first colon. */
function described(list: readonly (readonly [word: string, description: string])[]): string {
  const items = list.map(([word, text]) => quoted(`${word.replaceAll(":", "\\:")}${text === "" ? "" : `:${text}`}`));
  return `reply=(${items.join(" ")})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function valueBranches({ path, options }: CompletedPlace): string[] {
  return options
    .filter(({ value, completes }) => value !== "none" && completes !== undefined)
    .map(
      ({ names, completes }) => `    (${names.map((name) => `"${path}:${name}"`).join("|")}) ${action(completes)} ;;`,
    );
}

function argumentBranches({ path, arguments: all }: CompletedPlace): string[] {
  return all
    .map(({ completes, variadic }, index) => ({ completes, pattern: variadic ? `"${path}:"*` : `"${path}:${index}"` }))
    .filter(({ completes }) => completes !== undefined)
    .map(({ completes, pattern }) => `    (${pattern}) ${action(completes)} ;;`);
}

function action(completes: Completes): string {
  if (typeof completes !== "object") return `kind=${completes ?? ""}`;
  return `kind=words; ${described(completes.words.map((word) => [word, ""]))}`;
}
