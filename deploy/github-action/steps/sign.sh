#!/usr/bin/env bash
# Lists and signs the files of the model folder, and signs the plan's manifest.
source "$(dirname "${BASH_SOURCE[0]}")/shared.sh"

if [ -n "${ACTION_MODEL_FOLDER:-}" ]; then
  manifest="$(fresh "$STATE/model.manifest.json")"
  shown continuum package "$ACTION_MODEL_FOLDER" -o "$manifest"
fi

if [ -z "${ACTION_MANIFEST_KEY:-}" ]; then
  annotate notice "no manifest-key is given: the plan is not signed here"
  exit 0
fi
if [ -n "${ACTION_MODEL_FOLDER:-}" ]; then
  # Beside the evidence and not in it: it goes with the model to whoever loads it.
  bundle="$(fresh "$(evidence)/model.sig")"
  shown continuum sign "$ACTION_MODEL_FOLDER" --key env:ACTION_MANIFEST_KEY -o "$bundle"
  # The folder must still be what was listed: a build that goes on writing has not finished.
  shown continuum package "$ACTION_MODEL_FOLDER" --against "$manifest"
fi
bundle="$(fresh "$(evidence)/plan.bundle.json")"
shown continuum sign "${ACTION_PLAN:?}" --type plan --key env:ACTION_MANIFEST_KEY -o "$bundle"
