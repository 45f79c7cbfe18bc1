#!/bin/bash
# Cold Parquet holds every reading, whatever the regions are called, and anyone finds them there by region.
set -u
cd "$(dirname "$0")/../../.."
. test/lib_serve.sh
use_system meter "cold Parquet"

meters=8
"$program" simulate --meters $meters --days 31 --start 2025-03-01 --seed 1 --out "$work/in" >/dev/null
"$program" load --data "$work/data" --zone UTC "$work"/in/* >/dev/null
# Names alike but for what cannot stand in a path, of other scripts, of the greatest length, and none.
long=$(printf '%064d' 0)
"$program" sql --data "$work/data" "SELECT DISTINCT meter FROM readings ORDER BY 1" | tail -n +2 >"$work/meters"
printf '%s\n' 'North 1' 'North_1' 'North/1' 'दि' 'मु' "$long" "${long}" '' >"$work/regions"
{
	echo account,transformer,feeder,zone,region
	paste -d, "$work/meters" "$work/regions" | sed 's/,/,T1,F1,Z1,/'
} >"$work/network.csv"
"$program" network --data "$work/data" "$work/network.csv" >/dev/null
"$program" sql --data "$work/data" "SELECT meter, count(*), sum(value) FROM readings GROUP BY 1 ORDER BY 1" >"$work/before"
"$program" tier --data "$work/data" --now 2026-12-01T00:00:00Z --json >"$work/tier.json"

promise "every reading went cold" jq -e ".tiers[2].readings == $meters * 31 * 96" "$work/tier.json"
"$program" sql --data "$work/data" "SELECT meter, count(*), sum(value) FROM readings GROUP BY 1 ORDER BY 1" >"$work/after"
promise "each meter's sum is what it was" cmp -s "$work/before" "$work/after"
promise "verify finds nothing" "$program" verify --data "$work/data"
promise "no two regions share a file" test "$(find "$work/data/cold" -name '*.parquet' | wc -l)" = "$(sort -u "$work/regions" | wc -l)"

# A small store: the months of a year share a file, and part again.
"$program" simulate --meters 3 --days 120 --start 2024-11-10 --seed 2 --format csv --out "$work/small" >/dev/null
"$program" load --data "$work/few" --zone Europe/London "$work"/small/* >/dev/null
sums="SELECT meter, channel, strftime(start, '%Y-%m') AS month, count(*), sum(value) FROM readings GROUP BY ALL ORDER BY ALL"
"$program" sql --data "$work/few" "$sums" >"$work/before"
"$program" tier --data "$work/few" --now 2026-12-01T00:00:00Z >/dev/null
promise "a small store has one file a year" test "$(cd "$work/few/cold" && ls */*/* | cut -d- -f1,2 | paste -sd ' ')" = \
	"year=2024/region=none/2024-11 year=2025/region=none/2025-01"
"$program" sql --data "$work/few" "$sums" >"$work/after"
promise "each month's sum is what it was" cmp -s "$work/before" "$work/after"
meter=$(sed -n 's/^\([^,]*\),E1,2025-02.*/\1/p' "$work/before" | head -1)
"$program" read --data "$work/few" --meter "$meter" --channel E1 --from 2025-02-01T00:00Z --to 2025-02-02T00:00Z --stats \
	>"$work/day" 2>"$work/stats"
promise "a day is read from the month's part of it" test "$(wc -l <"$work/day")" = 97
printf 'meter,start,end,value,quality,issued\n%s,2025-02-01T00:00Z,2025-02-01T00:15Z,777,A,2026-12-01T00:00:00Z\n' "$meter" >"$work/late.csv"
"$program" load --data "$work/few" --zone Europe/London "$work/late.csv" >/dev/null
promise "a correction is taken" test "$("$program" read --data "$work/few" --meter "$meter" --channel E1 --from 2025-02-01T00:00Z \
	--to 2025-02-01T00:15Z | tail -1 | cut -d, -f4,7)" = 777,2
promise "verify finds nothing after it" "$program" verify --data "$work/few"
"$program" tier --data "$work/few" --now 2027-12-01T00:00:00Z >/dev/null
promise "and it goes back into one file" test "$(ls "$work"/few/cold/*/*/* | wc -l)" = 2
promise "verify finds nothing there" "$program" verify --data "$work/few"
