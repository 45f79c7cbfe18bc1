#!/bin/bash
# What was put aside is read again as it would have been read where it stood: under the file's own options.
# build: plain (killed by the clock: a slow program makes it take minutes)
set -u
cd "$(dirname "$0")/../../.."
. test/lib_serve.sh
use_system meter "what was put aside"
cd "$work"
reading() { # DATA METER: start, channel and value of each
	"$program" read --data "$1" --meter "$2" | tail -n +2 | cut -d, -f1,3,4
}

cat >home-7.csv <<'END'
start,value
2025-03-30 00:00,1.25
2025-03-30 00:30,1.5
2025-03-30 01:00,1.75
2025-03-30 02:00,2
END
"$program" load --data a --zone Europe/London --unit kWh --channel E5 home-7.csv >/dev/null
promise "a local time that does not exist is put aside by its name" \
	grep -q "local time '2025-03-30 01:00' does not exist in Europe/London" <("$program" quarantine list --data a)
promise "retried in a zone that has it, it is taken" "$program" quarantine retry 1 --data a --zone Etc/GMT+3
promise "with the file's unit, channel, interval and meter" \
	same "$(reading a home-7 | tail -n 1)" "2025-03-30T04:00:00Z,E5,1750"
promise "its day is the channel's" same "$("$program" usage --data a --account home-7 --by day --json | grep -c '"period":"2025-03-30"')" 1
promise "the file's name stays the head-end's" \
	same "$("$program" missing --data a --to 2025-03-30T04:00Z | sed -n 2p | cut -d, -f1)" "home"
promise "what is taken is no longer held" grep -q 'nothing is held' <("$program" quarantine list --data a)

cat >wide.csv <<'END'
start,A,B:B1
2025-03-30 00:30,1,3
2025-03-30 01:00,2,4
2025-03-30 02:00,3,5
2025-03-30 02:30,4,6
END
"$program" load --data b --zone Europe/London wide.csv >/dev/null
"$program" quarantine retry --all --data b --zone Etc/GMT+3 >/dev/null
promise "a wide row has the interval that the rows beside it show" \
	same "$(reading b B)" "$(printf '2025-03-30T00:30:00Z,B1,3\n2025-03-30T01:00:00Z,B1,5\n2025-03-30T01:30:00Z,B1,6\n2025-03-30T04:00:00Z,B1,4\n')"
promise "verify finds nothing" "$program" verify --data b

printf 'start,M1\n2025-01-01T00:00Z,1\n2025-01-01T00:15Z,\033[31m2\n2025-01-01T00:30Z,3\n' >bad.csv
"$program" load --data c bad.csv >/dev/null
"$program" quarantine list --data c >list
promise "no control character of a file reaches a terminal" test -z "$(tr -d '\n\040-\176' <list)"
promise "the record itself is kept byte for byte" cmp -s <("$program" quarantine show 1 --data c) <(sed -n 3p bad.csv)

if command -v python3 >/dev/null; then
	python3 - <<'END'
import zipfile
row = 'start,M1\n2025-01-01T00:00Z,1\n2025-01-01T00:15Z,q\n2025-01-01T00:30Z,1\n'
with zipfile.ZipFile('two.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('in/', '')
    z.writestr('in/a.csv', row)
    z.writestr('in/b.csv', '100,NEM12,202501010000,x,y\n900\n')
END
	"$program" load --data d two.zip >/dev/null
	"$program" quarantine list --data d >list
	promise "a folder in a zip is no record" same "$(tail -n +2 list | wc -l)" 1
	promise "a zip's member is named" grep -q ' two.zip:in/a.csv ' list
fi

# What has no number has a name; readings on one line are records of their own.
cat >month.jsonl <<'END'
{"meter":"M","start":"2025-01-01T00:00Z","interval":900,"unit":"Wh","values":[1,"x"]}
END
reading='<IntervalReading><timePeriod><duration>900</duration><start>%s</start></timePeriod><value>%s</value></IntervalReading>'
printf "<feed><entry><content><IntervalBlock>$reading$reading$reading</IntervalBlock></content></entry></feed>" 1 a 2 b c 3 >line.xml
sample='<IntervalReadings><timeStamp>%s</timeStamp><value>1</value></IntervalReadings>'
printf "<MeterReadings><MeterReading><IntervalBlocks>$sample$sample</IntervalBlocks></MeterReading></MeterReadings>" noon night >cim.xml
"$program" load --data g month.jsonl line.xml cim.xml >/dev/null 2>&1
"$program" quarantine list --data g --json >list
named() { jq -r ".quarantine[] | select(.file == \"$1\") | .field_name" list | tr '\n' ' '; }
promise "a JSON member is named" same "$(named month.jsonl)" 'values[1] '
promise "elements of one ESPI line are told apart and named" \
	same "$(named line.xml)" 'IntervalReading/value IntervalReading/value timePeriod/start MeterReading '
promise "elements of one CIM line are told apart and named" same "$(named cim.xml)" 'timeStamp timeStamp Meter/mRID '
promise "so they are in the list" grep -Eq ' line.xml +1 timePeriod/start +time: ' <("$program" quarantine list --data g)

mkdir folder
"$program" load --data g folder >/dev/null 2>err
promise "a directory is named as such" same "$? $(grep -c "'folder': it is a directory" err)" "2 1"

# Many at once: killed at growing delays until it comes through. A taken record's reading is there, each one once.
held=20000
seq $held | awk 'BEGIN { print "meter,start,end,value" } { printf "M%05d,2025-03-30 01:00,2025-03-30 01:30,%d\n", $1, $1 }' >many.csv
"$program" load --data e --zone Europe/London many.csv >/dev/null
state() { # STATE: how many records are in it
	"$program" quarantine list --all --data e --json | grep -c "\"state\":\"$1\""
}
counted() { "$program" sql --data e "SELECT count(*), count(DISTINCT meter), sum(value) FROM readings" | tail -n 1; }
sound=yes delay=0.1 code=137 kills=0 taken=0
while [ $code = 137 ] && [ $taken != $held ]; do
	code=0
	{ timeout -s KILL $delay "$program" quarantine retry --all --data e --zone Etc/GMT+3 >retried || code=$?; } 2>killed
	[ $code != 137 ] || kills=$((kills + 1))
	taken=$(state taken)
	IFS=, read -r readings meters sum <<<"$(counted)"
	[ $((taken + $(state held))) = $held ] && [ "$readings" = "$meters" ] && [ "$readings" -ge "$taken" ] ||
		{ sound=no && echo "# after $delay s: $taken taken, $readings readings of $meters meters"; }
	delay=$(awk -v d=$delay 'BEGIN { print d * 1.5 }')
done
promise "killed $kills times, a record is held or taken and its reading there once" test $sound = yes
promise "in the end all are taken" same "$taken" "$held"
promise "with each reading once" same "$(counted)" "$held,$held,$((held * (held + 1) / 2))"
"$program" quarantine retry --all --data e --json >again.json
promise "what was taken is not tried again" same "$? $(tr -d '\n' <again.json)" '1 {"retried":[]}'
promise "by its id it is told as taken before" grep -q 'record 1: taken before' <("$program" quarantine retry 1 --data e)

# What can be read no better leaves nothing behind.
seq 9000 | awk 'BEGIN { print "meter,start,end,value" } { printf "M1,2025-03-30T00:00Z,2025-03-30T00:15Z,x%d\n", $1 }' >worse.csv
"$program" load --data f worse.csv >/dev/null
log=$(cat f/log/0/* | wc -c)
"$program" quarantine retry --all --data f >retried
promise "what can be read no better stays held, and nothing is logged" \
	same "$? $(grep -c 'still held' retried) $(cat f/log/0/* | wc -c)" "1 9000 $log"
