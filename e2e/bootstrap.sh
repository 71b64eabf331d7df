#!/bin/sh
# Prints the path of uv, installing it first where the machine has none.
# Everything else comes from uv.lock; uv itself is the one thing it can't hold.
set -eu
if command -v uv >/dev/null 2>&1; then command -v uv; exit 0; fi
home="${XDG_CACHE_HOME:-$HOME/.cache}/sentiment-operator/uv"
if [ ! -x "$home/bin/uv" ]; then
  command -v python3 >/dev/null 2>&1 || { echo "Python 3.11 or newer is needed: install python3." >&2; exit 1; }
  if ! python3 -m venv "$home" >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
      echo "installing python3-venv" >&2
      apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends python3-venv >&2
      rm -rf "$home" && python3 -m venv "$home"
    else
      echo "python3 -m venv does not work: install python3-venv, or uv itself." >&2; exit 1
    fi
  fi
  "$home/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9 >&2
fi
echo "$home/bin/uv"
