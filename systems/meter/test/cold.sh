#!/bin/bash
# Cold Parquet holds every reading, whatever the regions are called, and anyone finds them there by region.
set -u
cd "$(dirname "$0")/../../.."
. test/lib.sh
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-meter
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

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

# A small store: the months of a year share a file, and part again.
"$program" simulate --meters 3 --days 120 --start 2024-11-10 --seed 2 --format csv --out "$dir/small" >/dev/null
"$program" load --data "$dir/few" --zone Europe/London "$dir"/small/* >/dev/null
sums="SELECT meter, channel, strftime(start, '%Y-%m') AS month, count(*), sum(value) FROM readings GROUP BY ALL ORDER BY ALL"
"$program" sql --data "$dir/few" "$sums" >"$dir/before"
"$program" tier --data "$dir/few" --now 2026-12-01T00:00:00Z >/dev/null
promise "a small store has one file a year" test "$(cd "$dir/few/cold" && ls */*/* | cut -d- -f1,2 | paste -sd ' ')" = \
	"year=2024/region=none/2024-11 year=2025/region=none/2025-01"
"$program" sql --data "$dir/few" "$sums" >"$dir/after"
promise "each month's sum is what it was" cmp -s "$dir/before" "$dir/after"
meter=$(sed -n 's/^\([^,]*\),E1,2025-02.*/\1/p' "$dir/before" | head -1)
"$program" read --data "$dir/few" --meter "$meter" --channel E1 --from 2025-02-01T00:00Z --to 2025-02-02T00:00Z --stats \
	>"$dir/day" 2>"$dir/stats"
promise "a day is read from the month's part of it" test "$(wc -l <"$dir/day")" = 97
printf 'meter,start,end,value,quality,issued\n%s,2025-02-01T00:00Z,2025-02-01T00:15Z,777,A,2026-12-01T00:00:00Z\n' "$meter" >"$dir/late.csv"
"$program" load --data "$dir/few" --zone Europe/London "$dir/late.csv" >/dev/null
promise "a correction is taken" test "$("$program" read --data "$dir/few" --meter "$meter" --channel E1 --from 2025-02-01T00:00Z \
	--to 2025-02-01T00:15Z | tail -1 | cut -d, -f4,7)" = 777,2
promise "verify finds nothing after it" "$program" verify --data "$dir/few"
"$program" tier --data "$dir/few" --now 2027-12-01T00:00:00Z >/dev/null
promise "and it goes back into one file" test "$(ls "$dir"/few/cold/*/*/* | wc -l)" = 2
promise "verify finds nothing there" "$program" verify --data "$dir/few"
