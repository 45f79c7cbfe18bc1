#!/bin/bash
# Durable load, process start to exit, from NEM12 and from wide CSV; beside the limits (reading the file, writing the log's
# bytes with one fdatasync) and a peer that is on every machine: sqlite3's .import of the same readings as rows.
# METERS (2000) meters of 30 days of 96 readings are simulated, unless FILES names NEM12 or CSV files.
set -eu -o pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
meter="$TENFOLD meter"

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

measure() { # name files...
	local name=$1 i
	shift
	for i in 1 2 3 4 5; do
		rm -rf "$work/data"
		/usr/bin/time -f '%e %U %S %M' -o "$work/time" $meter load --data "$work/data" --zone UTC --json "$@" >"$work/out"
		echo "$(jq .readings "$work/out") $(cat "$work/time")"
	done >"$work/runs"
	awk '{ print $1 / $2 / 1e6 }' "$work/runs" | median >"$work/rate"
	awk '{ print $1 / ($3 + $4) / 1e6 }' "$work/runs" | median >"$work/cpu"
	printf '%-10s %12d readings  %8.2f M readings/s (median of 5)  %8.2f M a core second  %6.0f MB memory\n' "$name" \
		"$(awk 'NR == 1 { print $1 }' "$work/runs")" "$(cat "$work/rate")" "$(cat "$work/cpu")" \
		"$(awk '{ print $5 / 1024 }' "$work/runs" | median)"
}

if [ -n "${FILES:-}" ]; then
	measure files $FILES
	exit
fi
for format in nem12 csv; do
	$meter simulate --meters "${METERS:-2000}" --days 30 --start 2026-10-01 --interval 15 --zone UTC --seed 1 --format $format \
		--out "$work/$format" >/dev/null
	measure $format "$work/$format"/*
done

begun=$(date +%s.%N)
cat "$work"/nem12/* >/dev/null
echo "$begun $(date +%s.%N) $(du -cb "$work"/nem12/* | tail -1)" | awk '{ printf "limit: reading the NEM12 files  %8.0f MB/s\n", $3 / ($2 - $1) / 1e6 }'
dd if=/dev/urandom of="$work/random" bs=1M count=64 status=none
begun=$(date +%s.%N)
dd if="$work/random" of="$work/written" bs=1M conv=fdatasync status=none
echo "$begun $(date +%s.%N)" | awk '{ printf "limit: writing 64 MB, fdatasync  %8.0f MB/s\n", 67.1 / ($2 - $1) }'

rm -rf "$work/data"
$meter load --data "$work/data" --zone UTC --json "$work"/nem12/* >/dev/null
$meter sql --data "$work/data" "SELECT meter, channel, start, value, quality FROM readings LIMIT 1000000" | tail -n +2 >"$work/rows.csv"
begun=$(date +%s.%N)
sqlite3 "$work/peer.db" "PRAGMA journal_mode=WAL" "CREATE TABLE r(meter TEXT, channel TEXT, start TEXT, value INT, quality TEXT, PRIMARY KEY(meter, channel, start)) WITHOUT ROWID" \
	".mode csv" ".import $work/rows.csv r" >/dev/null
echo "$begun $(date +%s.%N)" | awk -v ours="$(cat "$work/rate")" '{ r = 1 / ($2 - $1); printf "peer: sqlite3 .import, 1 M rows   %8.2f M readings/s; ours from CSV is %.1f times that\n", r, ours / r }'
