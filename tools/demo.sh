#!/bin/bash
# `make demo`: interval files in, a bill out, on nothing but a directory. tools/demo.sh [FILE...]
# Without files a head-end is simulated: DEMO_METERS meters (400), 14 months of quarter hours up to today, so that every
# tier holds something; and one damaged file. With files, those are loaded, times without offset being local to DEMO_ZONE
# where that is set. Everything goes into build/demo/, which is emptied first. Exit 0 only if all of it held.
set -eu -o pipefail
cd "$(dirname "$0")/.."
meter="build/tenfold meter"
meters=${DEMO_METERS:-400}
days=425
dir=build/demo
data=$dir/data
begun=$(date +%s)
exec 3>&1 # where the reader looks, also from inside a pipe

title() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
indent() { sed 's/^/  /'; }
# Shows a command as one would type it, then runs it.
shown() {
	echo "  \$ $meter $*" | sed -E 's/(( [^ ]+\/in\/[^ ]+){2})( [^ ]+\/in\/[^ ]+)+/\1 .../' | cut -c1-150 >&3
	$meter "$@"
}
# Exit 1 means that a part was rejected, and is shown as such.
shown_part() { shown "$@" || [ $? = 1 ]; }

rm -rf "$dir"
mkdir -p "$dir/in"
simulated=no
zone=()
[ -z "${DEMO_ZONE:-}" ] || zone=(--zone "$DEMO_ZONE")
if [ $# = 0 ]; then
	simulated=yes
	zone=(--zone "${DEMO_ZONE:-Asia/Kolkata}")
	start=$(date -u -d "today -$days days" +%F)
	title "1. A head-end's files: $meters meters, $days days of 96 readings, from $start"
	shown simulate --meters "$meters" --days $days --start "$start" --interval 15 "${zone[@]}" --seed 1 --format nem12 \
		--out "$dir/in" >"$dir/simulate.txt"
	mapfile -t files < <(find "$dir/in" -type f | sort)
else
	title "1. Your files"
	files=("$@")
fi
du -cbL "${files[@]}" | awk -v n=${#files[@]} 'END { printf "  %d files, %.1f MB\n", n, $1 / 1e6 }'

title "2. Through the durable log into storage"
shown_part load --data "$data" "${zone[@]}" --json "${files[@]}" >"$dir/load.json"
jq -r '"  \(.readings) readings in \(.seconds) s, \(.readings / ([.seconds, 0.001] | max) / 1e4 | round / 100) million a second, durable: " +
	"\(.accepted) accepted, \(.duplicate) duplicate, \(.superseded) superseded, \(.quarantined) records quarantined"' "$dir/load.json"

title "3. The same file again changes nothing"
shown_part load --data "$data" "${zone[@]}" --json "${files[0]}" >"$dir/again.json"
jq -r '"  \(.accepted) accepted, \(.duplicate) duplicate"' "$dir/again.json"

if [ $simulated = yes ]; then
	title "4. A damaged file: what is wrong is named and put aside, the rest is taken"
	awk -F, -v OFS=, '$1 == 200 { $2 = $7 = "DAMAGED01" } NR == 3 { NF = 60 } NR <= 4 || $1 == 900' "${files[0]}" >"$dir/damaged.csv"
	echo "900" >>"$dir/damaged.csv"
	shown_part load --data "$data" "${zone[@]}" --json "$dir/damaged.csv" >"$dir/damaged.json"
	jq -r '"  \(.accepted) accepted, \(.quarantined) records quarantined"' "$dir/damaged.json"
	shown quarantine list --data "$data" | cut -c1-150 | indent
	awk -F, 'BEGIN { print "account,transformer,feeder,zone,region" }
		$1 == 200 && !seen[$2]++ { n++; printf "%s,T%d,F%d,%s,CITY\n", $2, n / 20, n / 100, n % 3 ? "NORTH" : "SOUTH" }' \
		"${files[@]}" >"$dir/network.csv"
	shown network --data "$data" "$dir/network.csv" | indent
else
	title "4. What could not be read"
	shown quarantine list --data "$data" | sed -n 1,12p | cut -c1-150 | indent
fi

title "5. Each reading to the tier of its age"
shown tier --data "$data" >"$dir/tier.txt"
shown tier --data "$data" | indent # the second time nothing is left to move
$meter tier --data "$data" --dry-run --json >"$dir/tier.json"

title "6. A customer's months$([ $simulated = no ] || echo ", a feeder's"), and the bill"
# What a bill is made of: energy in Wh, in (E...) and out (B...).
billed="unit = 'Wh' AND (channel LIKE 'E%' OR channel LIKE 'B%')"
account=$($meter sql --data "$data" "SELECT meter FROM readings GROUP BY meter
	ORDER BY count(*) FILTER (WHERE $billed) DESC, count(*) DESC, meter LIMIT 1" | sed 1d | tr -d '"\r')
period=
if [ -z "$account" ]; then
	echo "  no reading was taken: there is no customer"
else
	shown usage --data "$data" --account "$account" --by month | tail -n 4 | indent
	# Its fullest month that is over, the last of them.
	period=$($meter usage --data "$data" --account "$account" --by month |
		awk -v now="$(date -u +%Y-%m)" '$1 ~ /^[0-9]+-[0-9]+$/ && $1 < now && $2 ~ /^[EB]/ && $4 == "Wh" && $5 >= most {
			p = $1; most = $5 } END { print p }')
	[ -n "$period" ] || echo "  no bill: no channel of $account is energy in Wh (E... or B...) in a month that is over"
fi
[ $simulated = no ] || shown usage --data "$data" --feeder F1 --by month | tail -n 4 | indent
if [ -n "$period" ]; then
	shown bill --data "$data" --period "$period" --account "$account" 2>/dev/null | indent
	shown bill --data "$data" --period "$period" --json >"$dir/bill.json"
	jq -r '.totals as $t | .run as $r | "  all: \($t.accounts) accounts, \($t.energy_wh / 1000 | round) kWh, \(.currency) \($t.total / pow(10; .minor_digits)), \($t.missing) intervals missing; in \($r.seconds) s"' "$dir/bill.json"
fi

title "7. DuckDB's SQL over all tiers"
query="SELECT count(*) AS readings, count(DISTINCT meter) AS meters, sum(value) AS total FROM readings"
[ $simulated = no ] || query="$query WHERE meter <> 'DAMAGED01'"
shown sql --data "$data" "$query" >"$dir/sql.csv"
indent <"$dir/sql.csv"
if [ $simulated = yes ]; then
	# An independent parse of the same files.
	cat "${files[@]}" | awk -F, '$1 == 300 { for (i = 3; i <= 98; i++) if ($i != "") { n++; s += int($i * 1000 + ($i < 0 ? -0.5 : 0.5)) } }
		END { printf "%d %d\n", n, s }' >"$dir/awk.txt"
	tail -n 1 "$dir/sql.csv" | awk -F, '{ print $1, $3 }' | cmp -s - "$dir/awk.txt" ||
		{ echo "  awk's sum of the files differs: $(cat "$dir/awk.txt")"; exit 1; }
	echo "  awk's own sum of the files is the same"
fi

title "8. What it costs"
if [ -n "$account" ]; then
	shown cost --data "$data" 2>/dev/null | indent
else
	echo "  nothing is stored, and nothing costs"
fi

title "9. Every checksum, every aggregate recomputed"
shown verify --data "$data" 2>&1 | indent

title "Done in $(($(date +%s) - begun)) s: $(jq -r '.accepted' "$dir/load.json") readings, $(du -sb "$data" | awk '{ printf "%.1f MB", $1 / 1e6 }') in $data. Try:"
echo "  $meter sql --data $data \"SELECT * FROM readings LIMIT 5\""
if $meter --help | grep -q '^  serve '; then
	echo "  $meter serve --data $data --listen 127.0.0.1:8080"
fi
