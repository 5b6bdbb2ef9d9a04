#!/usr/bin/env bash
# The token has served; on a runner of one's own it would lie there for the next job to find.
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

rm -f -- "$TOKEN_FILE"
