#!/bin/bash
# Damage on the disk: a byte changed in any file of a data directory is found by verify, which names the file, or changes
# no answer; a changed reading is never given out.
set -u
cd "$(dirname "$0")/.."
program=$(dirname "$TENFOLD")/tenfold-meter
[ -x "$program" ] || { echo "skip - damage (no tenfold-meter)"; exit 0; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
RANDOM=7

gawk 'BEGIN {
	srand(5); at = 1735689600; print "start,M1,M2,M3,M4"
	for (i = 0; i < 96 * 60; i++) {
		line = strftime("%Y-%m-%dT%H:%M:%SZ", at + 900 * i, 1)
		for (m = 0; m < 4; m++) line = line "," int(rand() * rand() * 700)
		print line
	}
}' >"$dir/in.csv"
good=$dir/good
"$program" load --data "$good" "$dir/in.csv" >/dev/null 2>"$dir/err" || { echo "not ok - damage: load: $(tail -n 1 "$dir/err")"; exit 1; }
# One half cold, one half warm; the log still holds what came last.
"$program" tier --data "$good" --now 2026-03-15T00:00:00Z >/dev/null 2>>"$dir/err"
sed '2,$ s/2025-/2026-/' "$dir/in.csv" | head -n 500 >"$dir/late.csv"
"$program" load --data "$good" "$dir/late.csv" >/dev/null 2>>"$dir/err"

answers() { # DATA: every reading of every meter
	local m
	for m in M1 M2 M3 M4; do
		"$program" read --data "$1" --meter $m --from 2024-12-01T00:00:00Z --to 2027-01-01T00:00:00Z || return 1
	done 2>>"$dir/err"
}
answers "$good" >"$dir/answers"
"$program" verify --data "$good" >/dev/null 2>>"$dir/err" || echo "not ok - damage: verify of what is whole"

flip() { # FILE: one bit of one byte; tells where
	local size at old bit
	size=$(stat -c %s "$1")
	at=$(((RANDOM * 32768 + RANDOM) % size))
	old=$(od -An -tu1 -j $at -N 1 "$1" | tr -d ' ')
	bit=$((1 << RANDOM % 8))
	printf "\\x$(printf %x $((old ^ bit)))" | dd of="$1" bs=1 seek=$at conv=notrunc 2>/dev/null
	echo "$at"
}

# damaged NAME FILES TIMES [known]: "known" where a read may be wrong until verify has run, which is then shown as a skip.
damaged() {
	local name=$1 times=$3 known=${4:-} i file at lied="" unnamed="" found=0 files
	last_found=""
	mapfile -t files < <(cd "$good" && eval "ls $2" 2>/dev/null)
	if [ ${#files[@]} = 0 ]; then
		echo "skip - $name (there is none)"
		return
	fi
	for i in $(seq "$times"); do
		rm -rf "$dir/bad"
		cp -a "$good" "$dir/bad"
		file=${files[RANDOM % ${#files[@]}]}
		at=$(flip "$dir/bad/$file")
		if ! "$program" verify --data "$dir/bad" >"$dir/verify" 2>&1; then
			found=$((found + 1))
			grep -q "$(basename "$file" | cut -d. -f1)" "$dir/verify" || unnamed="$unnamed $file:$at"
			# A refusal is an answer, another value is not.
			answers "$dir/bad" >"$dir/now" && ! cmp -s "$dir/now" "$dir/answers" && lied="$lied $file:$at"
		else
			answers "$dir/bad" >"$dir/now"
			cmp -s "$dir/now" "$dir/answers" || lied="$lied $file:$at"
		fi
	done
	if [ -n "$lied" ] && [ -n "$known" ]; then echo "skip - $name: no changed reading is given out ($known)"
	elif [ -z "$lied" ]; then echo "ok - $name: no changed reading is given out"; else echo "not ok - $name: no changed reading is given out:$lied"; fi
	[ -z "$unnamed" ] || echo "# $name: verify did not name the file:$unnamed"
	echo "# $name: verify found $found of $times"
	last_found=$found
}

found_all() {
	[ -n "$last_found" ] || return 0
	if [ "$last_found" = 12 ]; then echo "ok - verify finds every flipped bit in $1"; else echo "not ok - verify finds every flipped bit in $1"; fi
}

damaged "a flipped bit in a pack" "packs/*" 12
found_all "a pack"
# DuckDB neither writes nor checks page checksums, and hashing a whole file for each read would cost more than the read.
damaged "a flipped bit in cold Parquet" "\$(find cold -name '*.parquet')" 12 "Parquet pages have no checksum: verify compares the file"
found_all "cold Parquet"
damaged "a flipped bit in the log" "\$(find log -name '*.log' -size +0)" 8
damaged "a flipped bit in the catalog" "meter.db" 12
