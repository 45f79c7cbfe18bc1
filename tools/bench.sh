#!/bin/bash
# `make bench`: every measurement there is, one after the other: tools/bench.sh [NAME...]
# bench/*.sh are scripts, each of which prints its figures beside a peer or a limit of the same run; they find the built
# programs by TENFOLD and TENFOLD_BUILD. A script that fails is named at the end, and the exit code is 1.
set -u
cd "$(dirname "$0")/.."
tools/build.sh build --all || exit 2
export TENFOLD=$PWD/build/tenfold TENFOLD_BUILD=$PWD/build

echo "machine: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(awk '/MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)"
echo "commit: $(git rev-parse --short HEAD 2>/dev/null), $(date -u +%FT%TZ)"
failed=""
for script in bench/*.sh; do
	name=$(basename "$script" .sh)
	[ -x "$script" ] || continue
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	echo
	echo "== $name"
	"$script" || failed="$failed $name"
done
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
