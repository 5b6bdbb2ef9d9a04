#!/usr/bin/env bash
# States, signed, how the tests of the artifact ended and how it was built.
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

if [ -n "${ACTION_JUNIT:-}" ]; then
  if [ -z "${ACTION_TESTS_KEY:-}" ]; then
    annotate error "junit is given without tests-key: nothing could sign the evidence"
    exit 1
  fi
  bundle="$(fresh "$(evidence)/tests.bundle.json")"
  shown continuum attest --junit "$ACTION_JUNIT" --artifact "${ACTION_ARTIFACT:?}" --key env:ACTION_TESTS_KEY -o "$bundle"
else
  annotate notice "no JUnit report is given: no test evidence is made here"
fi

if [ -n "${ACTION_PROVENANCE_KEY:-}" ]; then
  predicate="$(fresh "$STATE/provenance.json")"
  node "$(dirname "${BASH_SOURCE[0]}")/provenance.js" >"$predicate"
  bundle="$(fresh "$(evidence)/provenance.bundle.json")"
  shown continuum attest --provenance "$predicate" --artifact "${ACTION_ARTIFACT:?}" --key env:ACTION_PROVENANCE_KEY -o "$bundle"
fi
