#!/usr/bin/env bash
# Hands artifact and evidence to the server, has the plan checked, and submits it where that was asked.
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

DENIED=2
AWAITING_APPROVAL=3
decision="$(fresh "$STATE/decision.json")"
plan="${ACTION_PLAN:?}"
code=0

# Fields of a JSON result as outputs of this step. Each is one word; all else is refused, so that none can hold a second line.
outputs() {
  local file="$1"
  shift
  node -e '
    const [file, ...pairs] = process.argv.slice(1);
    const result = JSON.parse(require("node:fs").readFileSync(file, "utf8"));
    for (const [name, key] of pairs.map((pair) => pair.split("="))) {
      if (typeof result[key] !== "string" || !/^[A-Za-z0-9:._-]{1,200}$/.test(result[key])) process.exit(1);
      console.log(`${name}=${result[key]}`);
    }' "$file" "$@" >>"${GITHUB_OUTPUT:-/dev/null}"
}

if [ -z "${ACTION_SERVER_URL:-}" ]; then
  continuum plan check -f "$plan" -o json >"$decision" || code=$?
else
  server=(--url "$ACTION_SERVER_URL" --token-file "$TOKEN_FILE")
  shown continuum artifact import "${ACTION_ARTIFACT:?}" "${server[@]}"
  for bundle in "$(evidence)"/*.json "$(evidence)"/*.jsonl; do
    [ -f "$bundle" ] || continue
    about=()
    [ "$(basename "$bundle")" = plan.bundle.json ] && about=(--kind manifest-signature --plan "$plan")
    shown continuum evidence add "$bundle" ${about[@]+"${about[@]}"} "${server[@]}"
  done
  continuum plan check -f "$plan" --server -o json "${server[@]}" >"$decision" || code=$?
fi

if [ "$code" != 0 ] && [ "$code" != "$DENIED" ] && [ "$code" != "$AWAITING_APPROVAL" ]; then
  annotate error "the plan could not be checked (exit code $code)"
  exit "$code"
fi
outputs "$decision" decision=decision plan-digest=planDigest
if [ "$code" = "$DENIED" ]; then
  shown cat "$decision"
  annotate error "the plan is denied; the findings in the log say by which clauses and what would be right"
  exit "$DENIED"
fi
[ "$code" = "$AWAITING_APPROVAL" ] && annotate notice "a person has to approve this plan before it is deployed"

if [ "${ACTION_SUBMIT:-false}" != true ] || [ -z "${ACTION_SERVER_URL:-}" ]; then
  exit 0
fi
rollout="$(fresh "$STATE/rollout.json")"
code=0
continuum plan submit -f "$plan" -o json "${server[@]}" >"$rollout" || code=$?
if [ "$code" != 0 ] && [ "$code" != "$AWAITING_APPROVAL" ]; then
  annotate error "the plan was not taken (exit code $code)"
  exit "$code"
fi
outputs "$rollout" rollout=id
