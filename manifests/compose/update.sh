#!/bin/sh
# One instance after the other: the next one is replaced when the last one is ready. Build or pull the new image
# before. It is tried where no caller reaches it; and what does not get ready is stopped, as it would answer 503:
# nginx asks another instance for a POST only where nobody answers.
set -eu
cd "$(dirname "$0")"

start() {
  docker compose up -d --no-deps --no-build --wait --wait-timeout 180 "$1" && return
  docker compose logs --tail 20 "$1"
  docker compose stop "$1"
  exit 1
}

# The new image may hold another package; who runs keeps the one that it has loaded.
docker compose run --rm --no-deps model
start trial
docker compose rm --stop --force trial
for instance in sentiment-1 sentiment-2 sentiment-3; do
  start "$instance"
done
