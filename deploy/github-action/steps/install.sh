#!/usr/bin/env bash
# Settles which program runs and where bundles lie. The program is the one of the commit that the workflow pinned this
# action to: a package of the same name from a registry could be anybody's.
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

rm -rf -- "$STATE"
mkdir -p -- "$STATE"

program="${ACTION_PROGRAM:-}"
if [ -z "$program" ]; then
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"
  [ -d "$root/node_modules" ] || (cd "$root" && npm ci --omit=dev --no-fund --no-audit)
  program="$root/bin/continuum.js"
fi
printf '%s' "$program" >"$STATE/program"

folder="${ACTION_EVIDENCE:-$STATE/evidence-bundles}"
mkdir -p -- "$folder"
folder="$(cd "$folder" && pwd)"
printf '%s' "$folder" >"$STATE/evidence"
output evidence-folder "$folder"

continuum --version
