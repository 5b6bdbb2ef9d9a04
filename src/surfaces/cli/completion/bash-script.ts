import { type CompletedPlace, type Completes, valuedOptions } from "./completion-model.ts";

/**
 * A script for bash 3.2 and newer, whole in itself: nothing is started while somebody presses Tab, and the
 * `bash-completion` package is not needed.
 */
export function bashScript(places: readonly CompletedPlace[]): string {
  return `# Completion of continuum for bash: source <(continuum completion bash)
_continuum_words() {
  case "$1" in
${places.map(({ path, commands }) => branch(path, words(commands.map(({ name }) => name)))).join("\n")}
  esac
}
_continuum_options() {
  case "$1" in
${places.map(({ path, options }) => branch(path, words(options.flatMap(({ names }) => names)))).join("\n")}
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
  local cur="\${COMP_WORDS[COMP_CWORD]}" before="" place="" word reply="" kind="" i index=0 pass=0
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    # Bash cuts --output=json into three words.
    if [[ $word == = ]]; then pass=1; continue; fi
    if ((pass)); then pass=0; before=""; continue; fi
    before=""
    case "$word" in
      VALUED) [[ \${COMP_WORDS[i + 1]} == = ]] || pass=1; before="$word" ;;
      -*) before="$word" ;;
      *)
        _continuum_words "$place"
        if [[ $index == 0 && " $reply " == *" $word "* ]]; then place="\${place:+$place }$word"
        else index=$((index + 1)); fi
        ;;
    esac
  done
  [[ $cur == = ]] && cur="" && before="\${COMP_WORDS[COMP_CWORD - 1]}"
  [[ \${COMP_WORDS[COMP_CWORD - 1]} == = ]] && before="\${COMP_WORDS[COMP_CWORD - 2]}"
  reply=""
  [[ -n $before ]] && _continuum_value "$place" "$before"
  if [[ -z $kind && $pass == 1 ]]; then COMPREPLY=(); return; fi
  if [[ -z $kind && $cur == -* ]]; then _continuum_options "$place"; kind=words
  elif [[ -z $kind ]]; then
    _continuum_words "$place"
    if [[ -n $reply && $index == 0 ]]; then kind=words; else _continuum_argument "$place" "$index"; fi
  fi
  local IFS=$' \t\n'
  case "$kind" in
    words) COMPREPLY=($(compgen -W "$reply" -- "$cur")) ;;
    file) IFS=$'\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    folder) IFS=$'\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    *) COMPREPLY=() ;;
  esac
}
complete -F _continuum continuum
`.replaceAll("\\$", "$");

function words(list: readonly string[]): string {
  return `reply="${list.join(" ")}"`;
}

function branch(pattern: string, action: string): string {
  return `    "${pattern}") ${action} ;;`;
}

function valueBranches({ path, options }: CompletedPlace): string[] {
  return options
    .filter(({ value, completes }) => value !== "none" && completes !== undefined)
    .map(({ names, completes }) => {
      const patterns = names.map((name) => `"${path}:${name}"`).join("|");
      return `    ${patterns}) ${action(completes)} ;;`;
    });
}

function argumentBranches({ path, arguments: all }: CompletedPlace): string[] {
  return all
    .map(({ completes, variadic }, index) => ({ completes, pattern: variadic ? `"${path}:"*` : `"${path}:${index}"` }))
    .filter(({ completes }) => completes !== undefined)
    .map(({ completes, pattern }) => `    ${pattern}) ${action(completes)} ;;`);
}

function action(completes: Completes): string {
  return typeof completes === "object" ? `kind=words ${words(completes.words)}` : `kind=${completes ?? ""}`;
}
