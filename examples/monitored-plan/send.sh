#!/bin/sh
# Asks about each row of a table as one request, named by its line: send.sh TABLE URL, with TOKEN in the environment.
line=0
tail -n +2 "$1" | cut -d, -f1-3 | while read -r row; do
  line=$((line + 1))
  curl -sS -o /dev/null -H "authorization: Bearer $TOKEN" -H 'content-type: text/csv' \
    -H "x-amzn-sagemaker-inference-id: $(basename "$1" .csv)-$line" --data-binary "$row" "$2"
done
