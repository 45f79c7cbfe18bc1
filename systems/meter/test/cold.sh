#!/bin/bash
# Cold Parquet holds every reading, whatever the regions are called, and anyone finds them there by region.
set -u
cd "$(dirname "$0")/../../.."
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-meter
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
promise() { # NAME CONDITION...
	local name=$1
	shift
	if "$@" >/dev/null; then echo "ok - $name"; else echo "not ok - $name"; fi
}

meters=8
"$program" simulate --meters $meters --days 31 --start 2025-03-01 --seed 1 --out "$dir/in" >/dev/null
"$program" load --data "$dir/data" --zone UTC "$dir"/in/* >/dev/null
# Names alike but for what cannot stand in a path, of other scripts, of the greatest length, and none.
long=$(printf '%064d' 0)
"$program" sql --data "$dir/data" "SELECT DISTINCT meter FROM readings ORDER BY 1" | tail -n +2 >"$dir/meters"
printf '%s\n' 'North 1' 'North_1' 'North/1' 'दि' 'मु' "$long" "${long}" '' >"$dir/regions"
{
	echo account,transformer,feeder,zone,region
	paste -d, "$dir/meters" "$dir/regions" | sed 's/,/,T1,F1,Z1,/'
} >"$dir/network.csv"
"$program" network --data "$dir/data" "$dir/network.csv" >/dev/null
"$program" sql --data "$dir/data" "SELECT meter, count(*), sum(value) FROM readings GROUP BY 1 ORDER BY 1" >"$dir/before"
"$program" tier --data "$dir/data" --now 2026-12-01T00:00:00Z --json >"$dir/tier.json"

promise "every reading went cold" jq -e ".tiers[2].readings == $meters * 31 * 96" "$dir/tier.json"
"$program" sql --data "$dir/data" "SELECT meter, count(*), sum(value) FROM readings GROUP BY 1 ORDER BY 1" >"$dir/after"
promise "each meter's sum is what it was" cmp -s "$dir/before" "$dir/after"
promise "verify finds nothing" "$program" verify --data "$dir/data"
promise "no two regions share a file" test "$(find "$dir/data/cold" -name '*.parquet' | wc -l)" = "$(sort -u "$dir/regions" | wc -l)"
