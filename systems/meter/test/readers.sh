#!/bin/bash
# Who may only read, reads: in a directory that may not be written, and beside a process that writes.
set -u
cd "$(dirname "$0")/../../.."
. test/lib.sh
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-meter
library=$PWD/.deps/duckdb/libduckdb.so
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
reader() { # As one who may not write here.
	if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$program" "$@"; else "$program" "$@"; fi
}

"$program" simulate --meters 5 --days 40 --start 2025-03-01 --seed 1 --format csv --out in >/dev/null
"$program" load --data data --zone Europe/London in/* >/dev/null
"$program" tier --data data --now 2026-04-20T00:00:00Z >/dev/null # some of it warm, some cold
count='SELECT count(*) AS n, sum(value) AS wh FROM readings'
want=$("$program" sql --data data "$count")
bill=$("$program" bill --data data --period 2025-03 --json | sed 's/"run":.*//')

chmod a+rx .
if [ "$(id -u)" = 0 ] && ! setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'test -x "$0" && test -r "$1"' "$program" "$library"; then
	echo "skip - who may only read (another user does not reach the program where it lies)"
else
	chmod -R a+rX,a-w data
	promise "sql reads where nothing may be written" same "$(reader sql --data data "$count")" "$want"
	promise "a bill too" same "$(reader bill --data data --period 2025-03 --json | sed 's/"run":.*//')" "$bill"
	promise "verify too" reader verify --data data
	promise "and nothing was written" test -z "$(find data -newer in -name 'meter.db-*')"
	reader load --data data in/* >/dev/null 2>&1
	promise "load is refused there" same $? 1
	chmod -R u+w data
fi

"$program" serve --data data --listen 127.0.0.1:0 2>log >/dev/null &
server=$!
for _ in $(seq 100); do
	grep -q listen log && break
	kill -0 "$server" 2>/dev/null || break
	read -rt 0.1 <> <(:) || :
done
promise "sql reads beside a process that writes" same "$("$program" sql --data data "$count")" "$want"
promise "verify too, beside it" "$program" verify --data data
"$program" load --data data in/* >/dev/null 2>&1
promise "a second writer is told to try again" same $? 75
kill "$server"
wait "$server"
server=

# Nor does verify keep a writer out: one that has a finding to tell, and nobody reads it.
cp -r data torn
for pack in torn/packs/*; do : >"$pack"; done
mkfifo told
exec 4<>told
head -c 65536 /dev/zero >&4 # the pipe is full
"$program" verify --data torn >/dev/null 2>told &
checking=$!
read -rt 1 <> <(:) || : # to get there
"$program" load --data torn --zone Europe/London in/*01.csv >/dev/null
promise "a load goes on beside verify" same $? 0
promise "which is still at work" kill -0 $checking
kill $checking
wait $checking 2>/dev/null
exec 4<&-

# A long query does not keep a writer out: the server's lock is gone, so this is the reader's doing or nobody's.
mkfifo rows
"$program" sql --data data "SELECT * FROM readings CROSS JOIN range(200)" >rows 2>/dev/null &
asking=$!
exec 3<rows
head -c 1 <&3 >/dev/null # it is answering, and waits for who reads it
promise "a move goes on beside a query" "$program" tier --data data --now 2026-06-01T00:00:00Z
promise "a load too" "$program" load --data data --zone UTC in/*01.csv
kill "$asking"
exec 3<&-
wait "$asking" 2>/dev/null

# Answers are of one state while moves go on beside.
rm -rf data
"$program" load --data data --zone Europe/London in/* >/dev/null
meter=$("$program" read --data data --meter S000000001 | md5sum)
for day in 10 15 20 25; do
	"$program" tier --data data --now 2025-03-${day}T00:00:00Z >/dev/null || echo "not ok - tier on 2025-03-$day"
	"$program" tier --data data --now 2025-04-${day}T00:00:00Z >/dev/null || echo "not ok - tier on 2025-04-$day"
	"$program" tier --data data --now 2026-0$((day / 5))-20T00:00:00Z >/dev/null || echo "not ok - tier in month $((day / 5))"
done &
mover=$!
wrong=0 asked=0
while kill -0 $mover 2>/dev/null || [ $asked -lt 3 ]; do
	[ "$("$program" sql --data data "$count" 2>>err)" = "$want" ] || wrong=$((wrong + 1))
	[ "$("$program" read --data data --meter S000000001 2>>err | md5sum)" = "$meter" ] || wrong=$((wrong + 1))
	asked=$((asked + 1))
done
promise "answers beside moves are of one state" test $wrong = 0
