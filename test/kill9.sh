#!/bin/bash
# kill -9 at seeded instants, during load and during tier moves: test/kill9.sh [SEEDS [FIRST]]
# Each seed loads files into a fresh directory and moves them through the tiers, and is killed on the way, by the clock or
# at the n-th write, sync, rename or open. After every kill what was acknowledged is there, whole and once; at the end, after
# every command was run again until it finished, all readings are there once and `verify` finds nothing. One promise a seed;
# `test/kill9.sh 1 SEED` runs one again. SEEDS: 25, 1,000 in check-long.
set -u
cd "$(dirname "$0")/.."
program=$(dirname "${TENFOLD:-build/tenfold}")/tenfold-meter
case ${TENFOLD_CHECK_LONG:-no},${TENFOLD_SHORT:-no} in
yes,*) seeds=1000 ;;
*,yes) seeds=6 ;;
*) seeds=25 ;;
esac
seeds=${1:-$seeds}
first=${2:-1}
if [ ! -x "$program" ]; then
	echo "skip - kill -9 (no tenfold-meter)"
	exit 0
fi
program=$(realpath "$program")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A leak check cannot run under the tracer that kills at the n-th call.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
tracer=no
! strace -o /dev/null true 2>/dev/null || tracer=yes

meters=12
files=5
days=6 # in each file
# 5 files of 6 days of 12 meters; what they hold, per file and meter: rows and sum.
make_input() {
	mkdir -p "$work/in"
	gawk -v meters=$meters -v files=$files -v days=$days -v out="$work/in" 'BEGIN {
		srand(20250301); at = 1740787200 # 2025-03-01T00:00:00Z
		for (f = 0; f < files; f++) {
			path = out "/" f ".csv"
			head = "start"
			for (m = 0; m < meters; m++) head = head sprintf(",KM%02d", m)
			print head > path
			for (i = 0; i < days * 96; i++) {
				line = strftime("%Y-%m-%dT%H:%M:%SZ", at, 1)
				for (m = 0; m < meters; m++) {
					v = int(rand() * rand() * 900)
					line = line "," v
					sum[f, m] += v
				}
				print line > path
				at += 900
			}
			close(path)
			for (m = 0; m < meters; m++) printf "%d KM%02d %d %d\n", f, m, days * 96, sum[f, m]
		}
	}' >"$work/known"
}
file_from() { date -u -d "2025-03-01 +$(($1 * days)) days" +%Y-%m-%dT00:00:00Z; }

# totals METER FROM TO: rows and sum, as `read` tells them.
totals() {
	"$program" read --data "$data" --meter "$1" --from "$2" --to "$3" 2>>"$work/err" |
		awk -F, 'NR > 1 { n++; s += $4 } END { printf "%d %d\n", n, s }'
}

fail() { reason=${reason:-$1}; }

# to_be_killed LABEL COMMAND...: exit 0 when it finished all the same.
to_be_killed() {
	local label=$1 code
	shift
	if [ $tracer = yes ] && [ $((RANDOM % 2)) = 0 ]; then
		local calls=(pwrite64 write fdatasync fsync rename,renameat,renameat2 openat unlink,unlinkat ftruncate)
		local call=${calls[RANDOM % ${#calls[@]}]} n=$((RANDOM % 12 + 1))
		[ "$call" != openat ] || n=$((n + RANDOM % 60))
		strace -f -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" "$program" "$@" \
			>"$work/out" 2>>"$work/err"
		code=$?
		label="$label at $call $n"
	else
		local us=$((RANDOM * 32768 + RANDOM))
		us=$((us % (longest_ms * 1000) + 1000))
		timeout -s KILL "$(printf '%d.%06d' $((us / 1000000)) $((us % 1000000)))" "$program" "$@" >"$work/out" 2>>"$work/err"
		code=$?
		label="$label after $((us / 1000)) ms"
	fi
	case $code in
	0) return 0 ;;
	137) kills=$((kills + 1)); told="$told, $label"; return 1 ;;
	*) fail "$label: exit $code: $(tail -1 "$work/err")"; return 1 ;;
	esac
} 2>/dev/null # where the shell would tell of every kill

# harass ACKNOWLEDGED IN_FLIGHT LABEL COMMAND...: killed up to three times in a row, so that recovery is killed too.
# Exit 0 when it finished all the same.
harass() {
	local acknowledged=$1 in_flight=$2 try
	shift 2
	for try in 1 2 3; do
		[ $((RANDOM % 3)) != 0 ] || return 1
		! to_be_killed "$@" || return 0
		check_files "$acknowledged" "$in_flight"
	done
	return 1
}

finish() { # COMMAND...: run again, unharmed
	"$program" "$@" >"$work/out" 2>>"$work/err" || fail "$1 after a kill: exit $?: $(tail -1 "$work/err")"
}

# Of every acknowledged file each reading is there once; of the one in flight none is there twice.
check_files() { # ACKNOWLEDGED IN_FLIGHT
	local f n s got meter=KM$(printf '%02d' $((RANDOM % meters)))
	for f in $(seq 0 "$2"); do
		read -r n s < <(awk -v f="$f" -v m="$meter" '$1 == f && $2 == m { print $3, $4 }' "$work/known")
		got=$(totals "$meter" "$(file_from "$f")" "$(file_from $((f + 1)))")
		if [ "$f" -lt "$1" ] && [ "$got" != "$n $s" ]; then
			fail "file $f was acknowledged; $meter has rows and sum $got, not $n $s"
		elif [ "${got% *}" -gt "$n" ]; then
			fail "file $f: $meter has ${got% *} rows of $n"
		fi
	done
}

check_all() {
	local f meter n s got
	for meter in $(awk '{ print $2 }' "$work/known" | sort -u); do
		read -r n s < <(awk -v m="$meter" '$2 == m { n += $3; s += $4 } END { print n, s }' "$work/known")
		got=$(totals "$meter" "$(file_from 0)" "$(file_from $files)")
		[ "$got" = "$n $s" ] || fail "$meter has rows and sum $got, not $n $s"
	done
	"$program" verify --data "$data" >"$work/out" 2>>"$work/err" || fail "verify: exit $?: $(tail -q -n 1 "$work/out" "$work/err" | tr '\n' ' ')"
}

loads() {
	local f
	for f in $(seq 0 $((files - 1))); do
		harass "$f" "$f" load load --data "$data" "$work/in/$f.csv" || finish load --data "$data" "$work/in/$f.csv"
	done
}

tiers() {
	local now
	# Everything is hot on the first day, warm on the second, cold on the third.
	for now in 2025-03-31T00:00:00Z 2025-05-01T00:00:00Z 2027-01-01T00:00:00Z; do
		harass $files $((files - 1)) tier tier --data "$data" --now $now || finish tier --data "$data" --now $now
	done
}

# How long the longest command takes undisturbed: kills by the clock are spread over that.
measure() {
	data=$work/measure
	local start end
	start=$(date +%s%3N)
	finish load --data "$data" "$work/in/0.csv"
	end=$(date +%s%3N)
	longest_ms=$((end - start))
	start=$end
	finish tier --data "$data" --now 2025-05-01T00:00:00Z
	end=$(date +%s%3N)
	[ $((end - start)) -le $longest_ms ] || longest_ms=$((end - start))
	longest_ms=$((longest_ms < 4 ? 4 : longest_ms))
	rm -rf "$data"
}

reason=""
make_input
measure
if [ -n "$reason" ]; then
	echo "not ok - kill -9: without a kill: $reason"
	exit 1
fi
total=0
for seed in $(seq "$first" $((first + seeds - 1))); do
	RANDOM=$seed
	data=$work/data
	rm -rf "$data"
	reason="" kills=0 told=""
	: >"$work/err"
	loads
	tiers
	check_all
	total=$((total + kills))
	if [ -z "$reason" ]; then
		echo "ok - seed $seed: nothing lost, nothing doubled, $kills kills${told:+:${told#,}}"
	else
		echo "not ok - seed $seed: $reason$told"
	fi
done
echo "# $total kills over $seeds seeds"
[ $total -gt 0 ] || echo "not ok - kill -9: no kill hit"
