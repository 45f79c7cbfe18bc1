#!/bin/bash
# Logs of released versions are still understood: each golden/vN/log, alone in a directory, gives the readings, sums and
# quarantine that golden/vN/expected says. A new version of a format adds a folder; the old ones stay.
# `systems/meter/test/golden.sh --write vN` writes expected anew: look at what changed.
set -u
cd "$(dirname "$0")/../../.."
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-meter
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

tell() { # DATA
	local meter
	for meter in $("$program" sql --data "$1" "SELECT DISTINCT meter FROM readings ORDER BY 1" | tail -n +2); do
		echo "== $meter"
		"$program" read --data "$1" --meter "$meter" --versions
		"$program" usage --data "$1" --account "$meter" --by day
	done
	"$program" quarantine list --data "$1"
	"$program" quarantine show 1 --data "$1"
}
for golden in systems/meter/test/golden/*/; do
	name=$(basename "$golden")
	mkdir -p "$dir/$name"
	cp -r "$golden/log" "$dir/$name/log"
	"$program" load --data "$dir/$name" /dev/null >/dev/null 2>&1 # refused; but the writer has made the catalog from the log
	tell "$dir/$name" >"$dir/$name.told" 2>&1
	[ "${1:-}" != --write ] || [ "${2:-}" != "$name" ] || cp "$dir/$name.told" "$golden/expected"
	if cmp -s "$dir/$name.told" "$golden/expected"; then
		echo "ok - the log of $name gives what it gave"
	else
		echo "not ok - the log of $name gives what it gave"
		diff "$dir/$name.told" "$golden/expected" | head -5 | sed 's/^/# /'
	fi
	if "$program" verify --data "$dir/$name" >"$dir/verify" 2>&1; then
		echo "ok - verify finds nothing in $name"
	else
		echo "not ok - verify finds nothing in $name"
		head -3 "$dir/verify" | sed 's/^/# /'
	fi
done
