#!/bin/bash
# `make demo`: interval files in, a bill out, on nothing but a directory. tools/demo.sh [FILE...]
# Without files a head-end is simulated: DEMO_METERS meters (400), 14 months of quarter hours up to today, so that every
# tier holds something. With files, those are loaded. Everything goes into build/demo/, which is emptied first.
set -eu -o pipefail
cd "$(dirname "$0")/.."
meter="build/tenfold meter"
zone=${DEMO_ZONE:-Asia/Kolkata}
meters=${DEMO_METERS:-400}
days=425
dir=build/demo
data=$dir/data
begun=$(date +%s)

title() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }
shown() { echo "  \$ tenfold meter ${*}" >&2; $meter "$@"; }
number() { LC_ALL=en_US.UTF-8 printf "%'d" "$1" 2>/dev/null || echo "$1"; }
key() { jq -r "$1 // 0" "$2"; }

rm -rf "$dir"
mkdir -p "$dir/in"

if [ $# = 0 ]; then
	start=$(date -u -d "today -$days days" +%F)
	title "1. A head-end's files: $meters meters, $days days of 96 readings, from $start"
	shown simulate --meters "$meters" --days $days --start "$start" --interval 15 --zone "$zone" --seed 1 --format nem12 --out "$dir/in" >"$dir/simulate.txt"
	mapfile -t files < <(find "$dir/in" -type f -not -name '*.tmp' | sort)
else
	title "1. Your files"
	files=("$@")
fi
echo "  ${#files[@]} files, $(du -cbL "${files[@]}" | awk 'END { printf "%.1f MB", $1 / 1e6 }')"

title "2. Through the durable log into storage"
code=0
shown load --data "$data" --zone "$zone" --json "${files[@]}" >"$dir/load.json" || code=$?
[ $code -le 1 ] || exit $code
jq -r '"  \(.readings) readings in \(.seconds) s (\(.readings / ([.seconds, 0.001] | max) / 1e6 * 100 | round / 100) million a second): " +
	"\(.accepted) accepted, \(.duplicate) duplicate, \(.superseded) superseded, \(.quarantined) records quarantined"' "$dir/load.json"
if [ "$(key .quarantined "$dir/load.json")" != 0 ]; then
	shown quarantine list --data "$data" | head -12 | sed 's/^/  /'
fi

title "3. The same file again changes nothing"
shown load --data "$data" --zone "$zone" --json "${files[0]}" >"$dir/again.json" || [ $? = 1 ]
jq -r '"  \(.accepted) accepted, \(.duplicate) duplicate"' "$dir/again.json"

title "4. Each reading to the tier of its age"
shown tier --data "$data" --json >"$dir/tier.json"
shown tier --data "$data" --json >"$dir/tier.json" # twice: a second run has nothing left to move
{
	echo "tier readings bytes bytes/reading oldest newest"
	jq -r '.tiers[] | [.tier, (.readings // 0), (.bytes // 0), ((.bytes_per_reading // 0) * 1000 | round / 1000), (.oldest // "-" | tostring[0:10]),
		(.newest // "-" | tostring[0:10])] | map(tostring) | join(" ")' "$dir/tier.json"
} | awk '{ printf "%-10s %12s %14s %14s %11s %11s\n", $1, $2, $3, $4, $5, $6 }' | sed 's/^/  /'
echo "  on disk: $(du -sb "$data" | awk '{ printf "%.1f MB", $1 / 1e6 }') in $data"

title "5. A customer's months, and the bill"
account=$(build/tenfold meter sql --data "$data" "SELECT meter FROM readings LIMIT 1" 2>/dev/null | tail -1 | tr -d '"\r' || true)
period=$(date -u -d "$(date -u +%Y-%m-15) -1 month" +%Y-%m)
if [ $# != 0 ]; then
	period=$(jq -r '[.tiers[].newest // empty | tostring] | max // "" | .[0:7]' "$dir/tier.json")
fi
if [ -n "$account" ]; then
	shown usage --data "$data" --account "$account" --by month | tail -5 | sed 's/^/  /'
	shown bill --data "$data" --period "$period" --account "$account" | head -30 | sed 's/^/  /'
fi
shown bill --data "$data" --period "$period" --json >"$dir/bill.json"

title "6. The same readings to another program's eyes: DuckDB over all tiers"
shown sql --data "$data" "SELECT count(*) AS readings, count(DISTINCT meter) AS meters, sum(value) AS total FROM readings" | sed 's/^/  /'

title "7. What it costs"
shown cost --data "$data" | head -30 | sed 's/^/  /'

title "8. Every checksum, every aggregate recomputed"
shown verify --data "$data" | tail -5 | sed 's/^/  /'

title "Done in $(($(date +%s) - begun)) s"
echo "  $(number "$(key .accepted "$dir/load.json")") readings of $(jq -r '[.tiers[].tier] | length' "$dir/tier.json") tiers in $data; try:"
echo "    build/tenfold meter sql --data $data \"SELECT * FROM readings LIMIT 5\""
echo "    build/tenfold meter serve --data $data --listen 127.0.0.1:8080"
