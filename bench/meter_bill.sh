#!/bin/bash
# The billing run: ACCOUNTS (1,000,000) accounts, 30 days of 96 readings, from readings and again from sealed time-of-use sums, page
# cache warm; bytes read over that month's bytes; then 20,000 accounts with 1 and with 13 months of history; beside a peer:
# DuckDB summing the same readings by meter and hour from Parquet, 2,000 accounts.
# One million accounts take some 12 GB in TMPDIR and 10 minutes to fill; ACCOUNTS=100000 is a tenth of it.
set -eu -o pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
meter="$TENFOLD meter"
ninja -C "$TENFOLD_BUILD" bench/meter_fill >/dev/null
fill=$TENFOLD_BUILD/bench/meter_fill

bill() { # label data extra...
	local label=$1 data=$2 month_bytes
	shift 2
	month_bytes=$(sqlite3 "$data/meter.db" "SELECT sum(bytes) FROM block WHERE level = 1 AND span = (2026 - 1970) * 12 + 10")
	for i in 1 2 3; do
		/usr/bin/time -f '%e %M' -o "$work/time" $meter bill --data "$data" --period 2026-11 --json "$@" >"$work/bill.json"
		tail -1 "$work/bill.json" >"$work/last"
		echo "$(grep -o '"run":{.*' "$work/bill.json" | grep -o '[0-9.]*' | tr '\n' ' ') $(cat "$work/time")"
	done >"$work/runs"
	sort -n "$work/runs" | sed -n 2p | awk -v label="$label" -v all="$month_bytes" \
		'{ printf "%-44s %7.2f s  %11d bytes read, %.3f of the month'"'"'s  %6.0f MB memory\n", label, $1, $3 + $5, ($3 + $5) / all, $NF / 1024 }'
}

accounts=${ACCOUNTS:-1000000}
"$fill" "$work/data" "$accounts" 30 2026-11-01
$meter tier --data "$work/data" --now 2026-12-20 >/dev/null
bill "$accounts accounts from readings" "$work/data" --from-sums never
bill "$accounts accounts from sealed sums" "$work/data" --from-sums only
blocks=$(find "$work/data/packs" -name '*.pack')
begun=$(date +%s.%N)
cat $blocks >/dev/null
echo "$begun $(date +%s.%N) $(du -cb $blocks | tail -1)" | awk '{ printf "limit: reading the same bytes from the cache    %.2f s\n", $2 - $1 }'
rm -rf "$work/data"

"$fill" "$work/one" 20000 30 2026-11-01 >/dev/null
$meter tier --data "$work/one" --now 2026-12-20 >/dev/null
bill "20000 accounts, 1 month of history" "$work/one" --from-sums never
for month in 2025-11-01 2025-12-01 2026-01-01 2026-02-01 2026-03-01 2026-04-01 2026-05-01 2026-06-01 2026-07-01 2026-08-01 2026-09-01 2026-10-01; do
	"$fill" "$work/one" 20000 28 $month >/dev/null
done
$meter tier --data "$work/one" --now 2026-12-20 >/dev/null
bill "20000 accounts, 13 months of history" "$work/one" --from-sums never
rm -rf "$work/one"

"$fill" "$work/peer" 2000 30 2026-11-01 >/dev/null
$meter tier --data "$work/peer" --now 2026-12-20 >/dev/null
bill "2000 accounts from readings" "$work/peer" --from-sums never
ours=$(sort -n "$work/runs" | sed -n 2p | cut -d' ' -f1)
$meter tier --data "$work/peer" --now 2028-02-01 >/dev/null
for i in 1 2 3; do
	/usr/bin/time -f '%e' -o "$work/time" $meter sql --data "$work/peer" \
		"SELECT meter, hour(start) AS hour, sum(value) AS wh, max(value) AS most FROM readings GROUP BY ALL" >"$work/peer.csv"
	cat "$work/time"
done | sort -n | sed -n 2p | awk -v ours="$ours" \
	'{ printf "peer: DuckDB over Parquet, 2000 accounts        %.2f s; the bills take %.2f of that\n", $1, ours / $1 }'
