#!/bin/sh
# One instance after the other: the next one is replaced when the last one is ready. Stops at the first that
# does not get ready, with the others as they were. Build or pull the new image before.
set -eu
cd "$(dirname "$0")"
# The new image may hold another package; who runs keeps the one that it has loaded.
docker compose run --rm --no-deps model
for instance in sentiment-1 sentiment-2 sentiment-3; do
  docker compose up -d --no-deps --no-build --wait --wait-timeout 180 "$instance"
done
