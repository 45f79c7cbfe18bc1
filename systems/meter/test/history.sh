#!/bin/bash
# Whatever order readings come in, and in whatever tier they lie: what stands and every sum are those of a model.
set -u
cd "$(dirname "$0")/../../.."
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-meter
command -v python3 >/dev/null || { echo "skip - random histories (no python3)"; exit 0; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
count=6
[ "${TENFOLD_CHECK_LONG:-no}" = no ] || count=200
first=$((RANDOM * 1000))
if python3 systems/meter/test/history_check.py "$program" "$dir" $(seq $first $((first + count - 1))) >"$dir/out"; then
	echo "ok - $count random histories from seed $first: readings, sums and counts are the model's"
else
	echo "not ok - $count random histories from seed $first: readings, sums and counts are the model's"
	sed 's/^/# /' "$dir/out"
fi
