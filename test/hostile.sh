#!/bin/bash
# Hostile requests, each with the answer it gets, beside nginx's where that is installed. test/hostile.sh --table prints
# the table alone.
cd "$(dirname "$0")/.."
exec python3 test/hostile.py "${TENFOLD:-build/tenfold}" "$@"
