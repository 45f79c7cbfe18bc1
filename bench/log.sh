#!/bin/bash
# Group commit of the log beside plain write and fdatasync of the same sizes, in turn.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ninja -C "$TENFOLD_BUILD" bench/log_bench >/dev/null
"$TENFOLD_BUILD/bench/log_bench" "$work/log" 1
