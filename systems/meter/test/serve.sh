#!/bin/bash
# tenfold meter serve, driven by curl: every format in, one effect, quarantine, refusals, overload, moves, re-requests,
# kill -9, SIGTERM and a full disk. `systems/meter/test/serve.sh [STORY...]` runs only those: functions story_*.
set -u
cd "$(dirname "$0")/../../.."
. test/lib_serve.sh
root=$PWD
use_system meter serve
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

post() { # FILE [QUERY [CURL_ARGUMENTS...]]
	local file=$1 query=${2:-}
	shift $(($# < 2 ? $# : 2))
	ask --data-binary @"$file" "$api/readings$query" "$@"
}
offset() { jq -r .offset "$work/out"; }
answers() { [ "$status" = "$1" ]; }
says() { jq -e "$1" "$work/out"; } # a jq expression about the answer
field_is() { answers 400 && says ".field == \"$1\" and .code == \"INVALID\""; }
# sum METER [OFFSET]: rows and sum of what stands.
sum() {
	curl -s "$api/meters/$1/readings${2:+?min_offset=$2}" | awk -F, 'NR > 1 { n++; s += $4 } END { print n + 0, s + 0 }'
}
stored() { curl -s "$api/tiers" | jq '[.tiers[:3][].readings] | add'; }
clean() { "$program" verify --data "$work/$1"; }

# A meter's quarter hours from a day on: wide METER DAY DAYS [FIRST_VALUE].
wide() {
	awk -v m="$1" -v at="$(date -u -d "$2" +%s)" -v n=$(($3 * 96)) -v v="${4:-1}" 'BEGIN {
		print "start," m
		for (i = 0; i < n; i++) print strftime("%Y-%m-%dT%H:%M:%SZ", at + 900 * i, 1) "," (v + i * 7) % 997
	}'
}
wide_sum() { awk -F, 'NR > 1 { n++; s += $2 } END { print n, s }' "$1"; }

espi() { # METER: 96 quarter hours in kWh and watt-hours' thousandths, as utilities' download pages give them
	awk -v m="$1" 'BEGIN {
		print "<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><updated>2025-03-02T00:00:00Z</updated>"
		print "<entry><link rel=\"self\" href=\"/UsagePoint/" m "/MeterReading/01\"/>"
		print "<link rel=\"related\" href=\"/ReadingType/07\"/><content><MeterReading/></content></entry>"
		print "<entry><link rel=\"self\" href=\"/ReadingType/07\"/><content><ReadingType xmlns=\"http://naesb.org/espi\">"
		print "<flowDirection>1</flowDirection><intervalLength>900</intervalLength>"
		print "<powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom></ReadingType></content></entry>"
		print "<entry><link rel=\"self\" href=\"/UsagePoint/" m "/MeterReading/01/IntervalBlock/1\"/>"
		print "<link rel=\"up\" href=\"/UsagePoint/" m "/MeterReading/01/IntervalBlock\"/><content><IntervalBlock>"
		for (i = 0; i < 96; i++)
			printf "<IntervalReading><timePeriod><duration>900</duration><start>%d</start></timePeriod><value>%d</value></IntervalReading>\n", 1740787200 + 900 * i, i * 3
		print "</IntervalBlock></content></entry></feed>"
	}'
}

story_formats() {
	local f name n kind=(nem12 csv jsonl cim)
	serve formats --tier-every 0 --publish-every 100
	ask "${api%/meter/v1}/readyz"
	promise "it starts on a free port and is ready" answers 200
	for f in "${kind[@]}"; do
		"$program" simulate --plain --meters 2 --days 2 --start 2025-03-01 --zone UTC --seed 7 --format $f --out "$work/in/$f" >/dev/null
	done
	# The simulator's own sums are not asked: awk adds up what its CSV says.
	read -r n want < <(awk -F, 'FNR > 1 { n++; s += $2 } END { print n, s }' "$work"/in/csv/*)
	for f in "${kind[@]}"; do
		# Each format's copy under a meter of its own.
		name=$(ls "$work/in/$f" | head -n 1)
		cat "$work/in/$f"/* >/dev/null
		local part last=0
		for part in "$work/in/$f"/*; do
			sed "s/S00000000\([12]\)/$f\1/g" "$part" >"$work/body"
			post "$work/body" "?name=$name&zone=UTC"
			last=$(offset)
			[ "$status" = 202 ] || break
		done
		promise "$f is taken: 202 with its offset" answers 202
		promise "$f is recognised" says ".format | startswith(\"${f/csv/csv-}\")"
		promise "$f: what min_offset reads back has awk's sum" same "$(sum ${f}1 "$last")" "$n $want"
	done
	espi U1 >"$work/body"
	post "$work/body"
	promise "ESPI is taken" answers 202
	promise "ESPI has awk's sum" same "$(sum U1 "$(offset)")" "96 $((95 * 96 / 2 * 3))"
	wide Z1 2025-03-01 2 >"$work/body"
	gzip -k "$work/body" && post "$work/body.gz" "" -H 'Content-Encoding: gzip'
	promise "gzip is taken" same "$(sum Z1 "$(offset)")" "$(wide_sum "$work/body")"
	wide Z2 2025-03-01 2 5 >"$work/z2.csv"
	(cd "$work" && zip -q body.zip z2.csv) && post "$work/body.zip"
	promise "zip is taken" same "$(sum Z2 "$(offset)")" "$(wide_sum "$work/z2.csv")"
	ask -H 'Accept: application/json' "$api/meters/Z2/readings?from=2025-03-01T00:00Z&to=2025-03-01T00:30Z"
	promise "readings come as JSON where that is asked for" says '.meter == "Z2" and (.readings | length) == 2 and .readings[0].value == 5'
	ask -X POST "$api/verify"
	promise "verify over HTTP finds nothing" says '.ok and .findings == 0 and .blocks > 0'
	ask "$api/openapi.yaml"
	promise "openapi.yaml is served" cmp "$work/out" systems/meter/openapi.yaml
	stop
	promise "SIGTERM ends it with 0" same $code 0
	promise "the command line's verify finds nothing" clean formats
}

story_once() {
	local before
	serve once --tier-every 0 --publish-every 50
	wide O1 2025-03-01 1 >"$work/a"
	wide O1 2025-03-02 1 >"$work/b"
	post "$work/a" "" -H 'Idempotency-Key: one'
	sum O1 "$(offset)" >/dev/null
	before=$(stored)
	post "$work/a" "" -H 'Idempotency-Key: one'
	promise "the same key with the same body: 202 again" answers 202
	promise "... and no second effect" same "$(sum O1 "$(offset)") $(stored)" "$(wide_sum "$work/a") $before"
	post "$work/b" "" -H 'Idempotency-Key: one'
	promise "the same key with another body: 422 that names the header" answers 422
	promise "... as a problem with a code" says '.field == "Idempotency-Key" and .code == "CONFLICT" and .status == 422'
	promise "... and no effect" same "$(stored)" "$before"
	post "$work/b" "" -H 'Idempotency-Key: two'
	promise "another key, another body: taken" same "$(sum O1 "$(offset)")" "$(cat "$work/a" "$work/b" | awk -F, '/Z/ { n++; s += $2 } END { print n, s }')"
	before=$(stored)
	post "$work/b"
	post "$work/b" "" -H 'Idempotency-Key: three'
	sum O1 "$(offset)" >/dev/null
	promise "the same body under other keys or none has one effect" same "$(stored)" "$before"
	local deliveries
	deliveries=$(sqlite3 -readonly "$work/once/meter.db" "SELECT count(*) FROM delivery")
	promise "... and is one delivery" same "$deliveries" 2
	stop
	serve once --tier-every 0
	post "$work/b" "" -H 'Idempotency-Key: one'
	promise "keys outlive a restart" answers 422
	stop
}

# Two at once under one key: both are there when the loop looks again.
pair() { # FILE KEY: statuses and the second's Retry-After, sorted
	python3 - "${api#http://}" "$1" "$2" $pid <<'PYTHON'
import http.client, os, signal, sys
address, path, key, pid = sys.argv[1:]
body = open(path, "rb").read()
both = [http.client.HTTPConnection(address.split("/")[0], timeout=30) for _ in range(2)]
for c in both:
    c.request("GET", "/healthz")
    c.getresponse().read()
os.kill(int(pid), signal.SIGSTOP)
for c in both:
    c.request("POST", "/meter/v1/readings", body, {"Idempotency-Key": key})
os.kill(int(pid), signal.SIGCONT)
answers = [c.getresponse() for c in both]
print(*sorted(f"{r.status}{'' if r.status == 202 else '+' + str(r.getheader('Retry-After'))}" for r in answers))
PYTHON
}
keyed() { # FILE KEY [QUERY [CURL_ARGUMENTS...]]
	local file=$1 key=$2 query=${3:-}
	shift $(($# < 3 ? $# : 3))
	post "$file" "$query" -H "Idempotency-Key: $key" "$@"
}
answered() { cmp "$work/out" "$1"; }
log_has() { grep -qa "$1" "$work/keys/log/0/"*.log; } # TEXT

story_keys() {
	wide Y1 2025-03-01 2 >"$work/a"
	wide Y1 2025-03-05 1 >"$work/b"
	printf 'start,Y2\n2025-03-01T00:00Z,1\n2025-03-01T00:15Z,"\\ \x01 x"\n' >"$work/bad"
	mkdir -p "$work/keys"
	echo "a file of versions before" >"$work/keys/keys.db"
	serve keys --tier-every 0 --publish-every 50
	keyed "$work/a" first "" -H 'X-Correlation-Id: order-4711' -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
	promise "a directory with the key file of before is served" answers 202
	promise "the request's correlation id is in the log, beside its effect" log_has order-4711
	promise "... and its trace" env LC_ALL=C grep -qaP '\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c' "$work/keys/log/0/00000000000000000000.log"
	cp "$work/out" "$work/a.first"
	keyed "$work/bad" second
	promise "a body with a bad record under a key" says '.quarantined == 1 and (.bad | length) == 1'
	cp "$work/out" "$work/bad.first"
	local there
	sum Y2 "$(offset)" >/dev/null
	there=$(stored)
	keyed "$work/a" first
	promise "a repetition gets the first answer, byte for byte" answered "$work/a.first"
	keyed "$work/bad" second
	promise "... with the bad records it told" answered "$work/bad.first"
	keyed "$work/a" first '?zone=UTC'
	promise "another query is another request: 422" answers 422
	keyed "$work/bad" second
	sum Y2 "$(offset)" >/dev/null
	promise "... and a repetition has no second effect" same "$(stored)" "$there"
	promise "two at once: one is taken, the other told to come again" same "$(pair "$work/b" third)" "202 409+1"
	keyed "$work/b" third
	promise "... and then gets the answer of the first" answers 202
	keyed "$work/b" "$(printf 'k%.0s' $(seq 255))"
	promise "a key of 255 bytes is taken" answers 202
	keyed "$work/b" "$(printf 'k%.0s' $(seq 256))"
	promise "one of 256 is not" field_is Idempotency-Key
	post "$work/b" "" -H 'X-Correlation-Id: order-4712'
	promise "what a body brought carries its request's correlation id in the log" log_has order-4712
	ask "${api%/meter/v1}/metrics"
	promise "known keys are counted" grep -q '^tenfold_meter_keys_total{answer="stored"} 4' "$work/out"
	stop KILL
	serve keys --tier-every 0 --publish-every 50
	keyed "$work/a" first
	promise "after kill -9 the answer is the same" answered "$work/a.first"
	keyed "$work/b" second
	promise "... and another body is refused" answers 422
	ask -X POST "$api/tier"
	promise "a move trims no log that a key needs" says '.log_bytes_trimmed == 0'
	keyed "$work/bad" second
	promise "... and the answer is the same" answered "$work/bad.first"
	stop
	promise "the log once more changes nothing" "$program" replay --data "$work/keys"
	"$program" tier --data "$work/keys" >/dev/null
	rm -r "$work/keys/keys"
	serve keys --tier-every 0 --publish-every 50
	keyed "$work/a" first
	promise "after replay, a move by the command line and without its index the answer is the same" answered "$work/a.first"
	stop
	promise "verify finds nothing" clean keys
}

story_refusals() {
	local q
	serve refusals --tier-every 0 --body-bytes 20MiB --publish-every 50
	printf 'start,R1\n2025-03-01 00:00,1\n2025-03-01 00:15,x\xff\n2025-03-01 00:30,3\n' >"$work/a"
	post "$work/a" '?zone=Europe/Berlin&name=HES1-7.csv'
	promise "a bad record does not refuse its file" answers 202
	promise "the answer names line, field and rule" says '.readings == 2 and .quarantined == 1 and .bad[0].line == 3 and .bad[0].field == 2 and .bad[0].rule == "value"'
	ask "$api/quarantine?min_offset=$(offset)"
	promise "quarantine lists it" says '.quarantine | length == 1 and .[0].file == "HES1-7.csv" and .[0].state == "held"'
	local id
	id=$(jq -r '.quarantine[0].id' "$work/out")
	ask "$api/quarantine/$id"
	sed -n 3p "$work/a" >"$work/record"
	promise "... and gives it byte for byte" cmp "$work/record" "$work/out"
	ask -X POST "$api/quarantine/$id/retry"
	promise "what is still wrong stays held" says '.retried == [{"id": '"$id"', "taken": false}]'
	printf 'start,R2\n2025-03-30 01:45,1\n2025-03-30 02:15,2\n2025-03-30 03:15,3\n' >"$work/b"
	post "$work/b" '?zone=Europe/Berlin&interval=15'
	ask "$api/quarantine?min_offset=$(offset)&after=$id"
	promise "a time that does not exist is put aside" says '.quarantine | length == 1'
	id=$(jq -r '.quarantine[0].id' "$work/out")
	ask -X POST "$api/retry?zone=Europe/London"
	promise "retried in another zone it is taken" says ".retried | map(select(.id == $id)) == [{id: $id, taken: true}]"
	ask -X POST "$api/quarantine/$id/retry"
	promise "a record is taken once: then 409" answers 409
	ask -X POST "$api/retry?after=1000"
	promise "where none is held nothing is retried" says '.retried == []'
	ask -X POST "$api/quarantine/999/retry"
	promise "no such record: 404" answers 404

	post "$work/a" '?zone=Nowhere/Land'
	promise "an unknown zone: 400 that names it" field_is zone
	post "$work/a" '?colour=red'
	promise "an unknown parameter: 400 that names it" field_is colour
	for q in format=xls unit=furlong interval=0 interval=x channel=a,b name=a%0Ab; do
		post "$work/a" "?$q"
		promise "$q: 400 that names it" field_is "${q%%=*}"
	done
	ask "$api/meters/R1/readings?from=yesterday"
	promise "a bad time: 400 that names it" field_is from
	ask "$api/usage?account=R1&by=week"
	promise "a bad period: 400 that names it" field_is by
	ask "$api/meters/none/readings"
	promise "no such meter: 404" answers 404
	ask "$api/nothing"
	promise "no such path: 404" answers 404
	ask -X DELETE "$api/readings"
	promise "no such method: 405 with Allow" grep -qi '^allow: POST' "$work/head"
	ask -H 'Accept: image/png' "$api/missing"
	promise "no such representation: 406" answers 406
	post /dev/null
	promise "no body: 400" answers 400
	echo 'once upon a time' >"$work/tale"
	post "$work/tale"
	promise "what is in no known format: 415" answers 415
	post "$work/a" "" -H 'Content-Encoding: gzip'
	promise "a body that is not the gzip it says: 400" field_is Content-Encoding
	post "$work/a" "" -H 'Content-Encoding: br'
	promise "another encoding: 415" answers 415

	# Ten million bytes without a line's end: a record like any other.
	{ printf 'meter,start,end,value\nL1,2025-03-01T00:00Z,2025-03-01T00:15Z,5\nL1,'; head -c 10000000 /dev/zero | tr '\0' 7; printf '\nL1,2025-03-01T00:30Z,2025-03-01T00:45Z,6\n'; } >"$work/long"
	post "$work/long"
	promise "a line of 10 MB is put aside, its neighbours are taken" says '.readings == 2 and .quarantined == 1'
	id=$(curl -s "$api/quarantine?limit=1000&min_offset=$(offset)" | jq '.quarantine[-1].id')
	ask "$api/quarantine/$id"
	sed -n 3p "$work/long" >"$work/record"
	promise "... and comes back byte for byte" cmp "$work/record" "$work/out"
	wide T1 2025-03-01 90 | gzip -9 | head -c 20000 >"$work/cut.gz"
	post "$work/cut.gz"
	promise "truncated gzip: what came is taken, the cut is told" says '.readings > 1000 and (.bad | map(.rule)) == ["truncated", "archive"]'
	head -c 21000000 /dev/zero >"$work/big"
	post "$work/big"
	promise "a body over the limit: 413" answers 413
	ask -X POST -H 'Transfer-Encoding: chunked' -T "$work/big" "$api/readings"
	promise "... chunked too" answers 413
	post "$work/a" '?zone=UTC&name=after'
	promise "and it goes on" answers 202
	stop
	promise "verify finds nothing after all that" clean refusals
}

many() { # COUNT DIR: bodies of one meter, a day each
	local i
	mkdir -p "$2"
	for i in $(seq -w 1 "$1"); do wide W1 "2025-03-01 +$((10#$i)) days" 1 $((10#$i)) >"$2/$i"; done
}
deliver() { # FILE: as a client does that heeds Retry-After
	local code
	for _ in $(seq 200); do
		code=$(curl -s -o /dev/null -D "$1.head" -w '%{http_code}' --data-binary @"$1" "$api/readings")
		[ "$code" != 202 ] || return 0
		echo "$code" >>"$1.refused"
		[ "$code" = 429 ] && grep -qi '^retry-after: 1' "$1.head" || { echo other >>"$1.refused"; return 1; }
		nap 0.1
	done
	return 1
}

story_overload() {
	local f
	serve overload --tier-every 0 --queue-bytes 1500 --publish-every 50
	many 60 "$work/w"
	export -f deliver nap
	export api
	ls "$work"/w/* | xargs -P 12 -I '{}' bash -c 'deliver {}' 
	promise "past the queue's bound: 429 with Retry-After" grep -qx 429 "$work"/w/*.refused
	promise "... and no other refusal" same "$(cat "$work"/w/*.refused | sort -u)" 429
	ask "${api%/meter/v1}/metrics"
	promise "it recovers by itself, nothing acknowledged is lost" until_ok 30 same_sum
	stop
	promise "verify finds nothing after overload" clean overload
	serve overload --tier-every 0 --queue-bytes 1500
	gzip -c <(wide G1 2025-03-01 60) >"$work/gz"
	post "$work/gz"
	promise "a body that alone is more than the queue: 413, not 429 for ever" answers 413
	stop

	serve bodies --tier-every 0 --bodies-bytes 4000 --publish-every 50
	wide B1 2025-03-01 1 >"$work/slow"
	wide B2 2025-03-01 1 >"$work/second"
	curl -s -o "$work/slow.out" -w '%{http_code}' --limit-rate 1500 --data-binary @"$work/slow" "$api/readings" >"$work/slow.code" &
	local slow=$!
	helpers="$helpers $slow"
	until_ok 10 receiving
	post "$work/second"
	promise "more bodies at once than the bound: 429" answers 429
	promise "... with Retry-After" grep -qi '^retry-after: ' "$work/head"
	wait $slow
	promise "the body under way was taken" same "$(cat "$work/slow.code")" 202
	post "$work/second"
	promise "and then there is room again" answers 202
	wide B3 2025-03-01 3 >"$work/large"
	post "$work/large"
	promise "a body that never fits: 413" answers 413
	stop
}
same_sum() { same "$(sum W1)" "$(awk -F, '/Z/ { n++; s += $2 } END { print n, s }' "$work"/w/??)"; }
receiving() { curl -s "${api%/meter/v1}/metrics" | grep -E '^tenfold_.*bod' | grep -qvE ' 0$'; }

story_tiers() {
	local today
	today=$(date -u +%Y-%m-%d)
	serve tiers --tier-every 1 --publish-every 50
	wide A1 2024-02-01 3 >"$work/old"
	wide A1 "$today -40 days" 3 >"$work/mid"
	wide A1 "$today -2 days" 1 >"$work/new"
	for f in old mid new; do post "$work/$f"; done
	promise "the scheduled move takes each age to its tier" until_ok 60 in_tiers '[96, 288, 288]'
	promise "... and says so" grep -q '"event":"tier.moved"' "$work/log"
	promise "a read spans the tiers" same "$(sum A1)" "$(cat "$work/old" "$work/mid" "$work/new" | awk -F, '/Z/ { n++; s += $2 } END { print n, s }')"
	stop
	serve tiers --tier-every 0 --publish-every 50
	ask "$api/meters/A1/readings?from=2024-02-01&to=2024-02-02"
	ask -X POST "$api/tier?now=2028-03-01T00:00:00Z"
	promise "POST tier moves what is due at another time" says '.now == "2028-03-01T00:00:00Z" and (.moved | map(.readings) | add) > 0'
	promise "... and all is cold" in_tiers '[0, 0, 672]'
	local read_before
	read_before=$(sqlite3 -readonly "$work/tiers/meter.db" "SELECT count(*) FROM access")
	ask "$api/meters/A1/readings?from=2024-02-01&to=2024-02-02"
	ask -X POST "$api/tier"
	promise "a cold month read over HTTP counts for its return" test "$(sqlite3 -readonly "$work/tiers/meter.db" "SELECT count(*) FROM access")" -gt "$read_before"
	ask -X POST "$api/tier?now=soon"
	promise "a bad now: 400 that names it" field_is now
	ask "$api/cost"
	promise "cost is told over HTTP" says '.measured.meters == 1 and (.curve | length) == 5'
	printf 'account,transformer,feeder,zone,region\nA1,T1,F1,Z1,R1\n' >"$work/network"
	ask --data-binary @"$work/network" "$api/network"
	promise "the network file is taken over HTTP" says '.rows == 1'
	printf 'account,transformer\nA1\n' >"$work/network"
	ask --data-binary @"$work/network" "$api/network"
	promise "a bad one is refused: 400" answers 400
	ask "$api/usage?feeder=F1&by=month"
	promise "usage by feeder" says '[.usage[].readings] | add == 672'
	ask "$api/reports/monthly?period=2024-02"
	promise "reports over HTTP" says '.report == "monthly" and .rows[0].accounts == 1 and .rows[0].zone == "Z1"'
	ask "$api/bill?period=2024-02&account=A1"
	promise "a bill over HTTP" says '.accounts[0].account == "A1" and .accounts[0].readings == 288'
	promise "... is the command line's" same "$(jq -S 'del(.run)' "$work/out")" \
		"$("$program" bill --data "$work/tiers" --period 2024-02 --account A1 --json | jq -S 'del(.run)')"
	ask "$api/usage?account=A1&by=day"
	promise "usage over HTTP is the command line's" same "$(jq -S . "$work/out")" \
		"$("$program" usage --data "$work/tiers" --account A1 --by day --json | jq -S .)"
	stop
	promise "verify finds nothing after moves" clean tiers
}
in_tiers() { same "$(curl -s "$api/tiers" | jq -c '[.tiers[:3][].readings]')" "$(jq -c . <<<"$1")"; }

# A head-end that is busy at first, and keeps what it is sent.
head_end() {
	cat >"$work/head_end.py" <<'PYTHON'
import http.server, os, sys
class Take(http.server.BaseHTTPRequestHandler):
    count = 0
    def do_POST(self):
        Take.count += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = "%s/%d" % (sys.argv[1], Take.count)
        with open(name + ".part", "wb") as f:
            f.write(body)
        with open(name + ".key", "w") as f:
            f.write(self.headers["Idempotency-Key"] + " " + self.headers["Content-Type"])
        os.rename(name + ".part", name)
        self.send_response(503 if Take.count == 1 else 400 if self.path == "/no" else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *a):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Take)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
	mkdir -p "$work/sent"
	python3 "$work/head_end.py" "$work/sent" >"$work/head_end.port" &
	helpers="$helpers $!"
	until_ok 20 test -s "$work/head_end.port"
	end=http://127.0.0.1:$(cat "$work/head_end.port")
}

story_rerequest() {
	local today end
	today=$(date -u +%Y-%m-%d)
	head_end
	serve rerequest --tier-every 0 --publish-every 50 --rerequest-every 0 --rerequest "HES7=$end/take" --rerequest "HES8=$end/no"
	wide M7 "$today -2 days" 1 | sed '11,14d' >"$work/a"
	wide M8 "$today -2 days" 1 | sed '21d' >"$work/b"
	wide M9 "$today -2 days" 1 | sed '31d' >"$work/c"
	post "$work/a" "?name=HES7-$today.csv"
	post "$work/b" "?name=HES8-$today.csv"
	post "$work/c" "?name=HES9-$today.csv"
	ask "$api/missing?head_end=HES7&min_offset=$(offset)"
	cp "$work/out" "$work/wanted"
	promise "missing is a re-request file" same "$(sed -n '1p;2s/.*,//p' "$work/wanted" | paste -sd ' ')" "head_end,meter,channel,from,to,intervals 4"
	promise "... the command line's" same "$("$program" missing --data "$work/rerequest" --head-end HES7 | md5sum)" "$(md5sum <"$work/wanted")"
	ask "$api/missing/sent"
	promise "nothing was sent yet: 404" answers 404
	ask -X POST "$api/missing/send"
	promise "each head-end is sent what it owes, after a 503 once more" says '.head_ends[0] | .head_end == "HES7" and .state == "sent" and .tries == 2 and .status == 204 and .intervals == 4'
	promise "... the file itself" cmp "$work/wanted" "$work/sent/2"
	promise "... under the same key at each try" cmp "$work/sent/1.key" "$work/sent/2.key"
	promise "... as text/csv" grep -q ' text/csv' "$work/sent/2.key"
	promise "a refusal is told and not tried again" says '.head_ends[1] | .head_end == "HES8" and .state == "failed" and .tries == 1 and .status == 400'
	promise "one without a URL is told" says '.head_ends[2] | .head_end == "HES9" and .state == "no_url"'
	cp "$work/out" "$work/told"
	ask "$api/missing/sent"
	promise "what was sent can be looked up" cmp "$work/out" "$work/told"
	promise "... and is in the log" grep -q '"event":"rerequest.failed".*"head_end":"HES8"' "$work/log"
	ask "${api%/meter/v1}/metrics"
	promise "... and counted" grep -qx 'tenfold_meter_rerequests_total{result="ok"} 1' "$work/out"
	stop
	serve rerequest --tier-every 0 --rerequest-every 1 --rerequest "*=$end/take"
	promise "the schedule sends by itself, to all" until_ok 30 test -e "$work/sent/6"
	stop
	promise "SIGTERM ends it while it sends" same $code 0
	"$program" serve --data "$work/rerequest" --listen 127.0.0.1:0 --rerequest 'HES7=ftp://a/' 2>"$work/err"
	promise "a URL that is none is a usage error" same "$?" 2
}

# Bodies of an hour each, numbered; the number is the value of its four readings.
hour() {
	awk -v k="$1" 'BEGIN { at = 1740787200 + 3600 * k; print "start,K1"
		for (i = 0; i < 4; i++) print strftime("%Y-%m-%dT%H:%M:%SZ", at + 900 * i, 1) "," k }'
}
poster() { # FROM: posts until it is refused or cut off; writes down what was acknowledged
	local k=$1
	while hour "$k" | curl -s -m 5 -o "$work/told.$k" -w '%{http_code}\n' -H "Idempotency-Key: $k" --data-binary @- "$api/readings" | grep -qx 202; do
		echo "$k" >>"$work/acknowledged"
		k=$((k + 1))
	done
}
whole() { # of each acknowledged body four readings, once
	curl -s "$api/meters/K1/readings" | awk -F, -v said="$work/acknowledged" '
		NR > 1 { n[$4]++; if (seen[$1]++) { print "doubled " $1; bad = 1 } }
		END { while ((getline k < said) > 0) if (n[k] != 4) { print "body " k " has " n[k] + 0 " readings"; bad = 1 } exit bad }'
}

told_again() { # each acknowledged body, once more: the same answer
	local k
	for k in $(cat "$work/acknowledged"); do
		hour "$k" | curl -s -H "Idempotency-Key: $k" --data-binary @- "$api/readings" | cmp - "$work/told.$k" || return 1
	done
}

story_kill() {
	local seed from=1 acked=0
	: >"$work/acknowledged"
	for seed in 1 2 3 4 5; do
		RANDOM=$seed
		serve kill --tier-every 1 --publish-every 20
		export api
		poster $from &
		local first=$!
		poster $((from + 100000 / 4)) &
		local second=$!
		nap "0.$(printf '%03d' $((RANDOM % 700 + 100)))"
		kill -9 $pid
		{ wait $pid $first $second; } 2>/dev/null
		pid=""
		from=$((from + 2000))
		serve kill --tier-every 0 --publish-every 20
		promise "seed $seed: after kill -9 every body that was acknowledged is there, once" whole
		promise "seed $seed: ... and its key gets the answer it got" told_again
		stop
		promise "seed $seed: verify finds nothing" clean kill
	done
	acked=$(wc -l <"$work/acknowledged")
	promise "bodies were acknowledged before the kills" test "$acked" -ge 10
	echo "# $acked bodies acknowledged over 5 kills"
}

story_drain() {
	serve drain --tier-every 0
	wide D1 2025-03-01 1 >"$work/slow"
	curl -s -o "$work/slow.out" -w '%{http_code}' --limit-rate 1500 --data-binary @"$work/slow" "$api/readings" >"$work/slow.code" &
	local slow=$!
	helpers="$helpers $slow"
	until_ok 10 receiving
	stop
	wait $slow
	promise "SIGTERM lets a body under way end" same "$(cat "$work/slow.code")" 202
	promise "... and the process ends with 0" same $code 0
	serve drain --tier-every 0
	promise "... and what it brought is there" same "$(sum D1)" "$(wide_sum "$work/slow")"
	"$program" serve --data "$work/drain" --listen 127.0.0.1:0 2>"$work/err"
	promise "a second server of the directory ends with 75" same $? 75
	promise "... and says why" grep -q "another writer" "$work/err"
	stop
}

# A file that may not grow stands for a disk that is full.
story_full() {
	: >"$work/acknowledged"
	serve full --tier-every 0
	stop
	trap '' XFSZ
	# No publishing beside it: it is the log that is full, and the next post that is told so.
	(ulimit -f 3000 && exec "$program" serve --data "$work/full" --listen 127.0.0.1:0 --publish-every 3600000 --quiet) 2>"$work/log" >&2 &
	pid=$!
	trap - XFSZ
	until_ok 30 ready
	api=http://$api/meter/v1
	local k=1 status=202
	while [ "$status" = 202 ] && [ $k -lt 3000 ]; do
		hour $k >"$work/body"
		head -c 300000 /dev/urandom | base64 -w 0 | sed 's/^/2025-03-01T00:00Z,/' >>"$work/body"
		post "$work/body"
		[ "$status" != 202 ] || echo $k >>"$work/acknowledged"
		k=$((k + 1))
	done
	promise "where nothing more fits the answer is an error" test "$status" -ge 500
	wait $pid
	code=$?
	pid=""
	promise "... and the process ends: try again" same $code 75
	serve full --tier-every 0
	promise "nothing acknowledged is lost" whole
	post "$work/body"
	promise "with room again it goes on" answers 202
	stop
	promise "verify finds nothing after a full disk" clean full
}

if [ $# = 0 ]; then set -- $(declare -F | sed -n 's/^declare -f story_//p'); fi
for story in "$@"; do "story_$story"; done
