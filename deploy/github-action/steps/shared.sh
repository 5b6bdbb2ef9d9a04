# Read by every step. Results of one step are found by the next in a folder of this job, readable by nobody else.
set -euo pipefail
umask 077

STATE="${RUNNER_TEMP:?must be the folder for this job}/continuum-action"
TOKEN_FILE="$STATE/token"

# The program that the first step settled on.
continuum() {
  local program
  program="$(cat "$STATE/program")"
  case "$program" in
    *.js) node "$program" "$@" ;;
    *) "$program" "$@" ;;
  esac
}

# GitHub takes lines of output that begin with :: for commands. What comes from files and servers is shown with such
# commands switched off.
shown() {
  local stop code=0
  stop="stop-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  echo "::stop-commands::$stop"
  "$@" || code=$?
  echo "::$stop::"
  return "$code"
}

# One line for whoever looks at the run; line ends and percent signs as GitHub wants them.
annotate() {
  local level="$1" text="$2"
  text="${text//'%'/%25}"
  text="${text//$'\r'/%0D}"
  text="${text//$'\n'/%0A}"
  echo "::$level title=Continuum::$text"
}

output() {
  printf '%s=%s\n' "$1" "$2" >>"${GITHUB_OUTPUT:-/dev/null}"
}

# Bundles of an earlier run of the action in the same job are made anew.
fresh() {
  rm -f -- "$1"
  printf '%s' "$1"
}

evidence() {
  cat "$STATE/evidence"
}
