#!/bin/bash
# Bytes a reading on disk, tier by tier, aggregates and log apart; beside the same readings as others keep them.
# Input: FILES, else the measured homes of ../shared/data where that folder is, else simulated homes (half hours).
set -eu -o pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
meter="$TENFOLD meter"
homes=$(dirname "$0")/../../shared/data/meter/edrp200_halfhourly_wh.csv.gz
if [ -n "${FILES:-}" ]; then
	files=$FILES
elif [ -f "$homes" ]; then
	files=$homes
else
	$meter simulate --meters 200 --days 92 --start 2026-03-01 --interval 30 --zone UTC --seed 1 --format csv --out "$work/in" >/dev/null
	files=$(echo "$work"/in/*)
fi
echo "input: $(basename -a $files | head -1) ($(echo $files | wc -w) files)"

$meter load --data "$work/data" --zone UTC --json $files >"$work/load.json" || [ $? = 1 ]
readings=$(jq .accepted "$work/load.json")
first=$($meter sql --data "$work/data" "SELECT strftime(min(start), '%Y-%m-%d') FROM readings" | tail -1)
last=$($meter sql --data "$work/data" "SELECT strftime(max(start) + INTERVAL 60 DAY, '%Y-%m-%d') FROM readings" | tail -1)

row() { printf '%-34s %9.4f bytes a reading  %s\n' "$1" "$(awk -v b="$2" -v n="$readings" 'BEGIN { print b / n }')" "${3:-}"; }
tier() { # name now
	$meter tier --data "$work/data" --now "$2" --json >"$work/tier.json"
	row "$1" "$(jq "[.tiers[] | select(.tier == \"$1\")][0].bytes" "$work/tier.json")" \
		"du $(du -s -B1 "$work/data" | cut -f1) = tiers $(jq '[.tiers[] | select(.tier != "aggregate") | .bytes] | add' "$work/tier.json") + aggregates $(jq '[.tiers[] | select(.tier == "aggregate") | .bytes] | add' "$work/tier.json") + log $(jq .log_bytes "$work/tier.json")"
}
tier hot "$first"
tier warm "$last"
tier cold "$(date -u -d "$last 20 months" +%F)"
row "cold, Parquet files alone" "$(find "$work/data/cold" -name '*.parquet' -printf '%s\n' | awk '{ s += $1 } END { print s }')"
row "aggregates (apart)" "$(jq '[.tiers[] | select(.tier == "aggregate") | .bytes] | add' "$work/tier.json")"

$meter sql --data "$work/data" "SELECT meter, channel, start, value, quality, version FROM readings ORDER BY meter, channel, start" >"$work/rows.csv"
row "peer: rows as CSV, zstd -19" "$(zstd -19 -q -c "$work/rows.csv" | wc -c)"
row "peer: rows as CSV, xz -6" "$(xz -6 -T0 -c "$work/rows.csv" | wc -c)"
tail -n +2 "$work/rows.csv" >"$work/body.csv"
sqlite3 "$work/peer.db" "CREATE TABLE r(meter TEXT, channel TEXT, start TEXT, value INT, quality TEXT, version INT, PRIMARY KEY(meter, channel, start)) WITHOUT ROWID" \
	".mode csv" ".import $work/body.csv r"
row "peer: SQLite table" "$(stat -c %s "$work/peer.db")"
