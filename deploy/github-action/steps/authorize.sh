#!/usr/bin/env bash
# Leaves a token that may propose in a file of this job: the one that was given, or a short one for the job's identity.
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

rm -f -- "$TOKEN_FILE"
if [ -z "${ACTION_SERVER_URL:-}" ]; then
  annotate notice "no server-url is given: the plan is checked here"
  exit 0
fi
if [ -n "${ACTION_TOKEN:-}" ]; then
  printf '%s' "$ACTION_TOKEN" >"$TOKEN_FILE"
  exit 0
fi
node "$(dirname "${BASH_SOURCE[0]}")/exchange.js" "$TOKEN_FILE"
