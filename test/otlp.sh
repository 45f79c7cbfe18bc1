#!/bin/bash
# Spans in a real OpenTelemetry Collector: built from its Go modules (test/otlp/, versions and sums pinned), run on the loopback
# interface, and fed by `tenfold meter serve --otlp` and `tenfold insure serve --otlp`, which curl drives with a traceparent.
# The collector is built once, into build-check/collector; skipped where there is no Go or its modules cannot be had.
set -u
cd "$(dirname "$0")/.."
. test/lib.sh
root=$PWD
unset http_proxy all_proxy HTTP_PROXY ALL_PROXY
work=$(mktemp -d)
evidence=("$work/log")
pids=""
trap 'for p in $pids; do kill -9 $p 2>/dev/null; done; rm -rf "$work"' EXIT

skip() {
	echo "skip - spans in an OpenTelemetry Collector ($1)"
	exit 0
}

need_programs "spans in an OpenTelemetry Collector" meter insure
for tool in curl jq gawk xxd; do command -v $tool >/dev/null || skip "no $tool"; done

# The collector: built beside the file that is its name, so that an interrupted build leaves none.
key=$(cat test/otlp/main.go test/otlp/go.mod test/otlp/go.sum | sha256sum | cut -c1-16)
cache=build-check/collector
collector=$root/$cache/$key
if [ ! -x "$collector" ]; then
	command -v go >/dev/null || skip "no go"
	export GOTOOLCHAIN=local GOFLAGS=-mod=readonly
	mkdir -p $cache
	(cd test/otlp && timeout 300 go mod download) >"$work/go.log" 2>&1 || skip "its modules cannot be had: $(tail -n 1 "$work/go.log" | cut -c1-120)"
	if ! (cd test/otlp && go build -trimpath -ldflags='-s -w' -o "$collector.$$" .) >"$work/go.log" 2>&1; then
		echo "not ok - the collector is built: $(tail -n 1 "$work/go.log")"
		exit 1
	fi
	mv "$collector.$$" "$collector"
fi

said=$work/said # by the collector: its debug exporter writes each span as text
collect() { # PORT: starts it
	cat >"$work/config.yaml" <<-END
		receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:$1"}}}}
		exporters: {debug: {verbosity: detailed}}
		service:
		  telemetry: {metrics: {level: none}}
		  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
	END
	"$collector" --config "file:$work/config.yaml" >"$said" 2>&1 &
	collecting=$!
	pids="$pids $collecting"
}
up() { grep -q 'Everything is ready' "$said"; }
running() { kill -0 "$collecting" 2>/dev/null; }
up_or_gone() { up || ! running; }
for try in 1 2 3 4 5; do # a port that someone else took is another try
	port=$((20000 + RANDOM % 10000))
	collect $port
	until_ok 30 up_or_gone && up && break
done
promise "an OpenTelemetry Collector runs" up
up || exit 1
url=http://127.0.0.1:$port

ready() { api=$(ready_address "$work/log") && [ -n "$api" ]; }
serve() { # SYSTEM OPTIONS...
	local system=$1
	shift
	: >"$work/log" # the one before was ready too
	"$bin/tenfold-$system" serve --data "$work/$system" --listen 127.0.0.1:0 "$@" 2>"$work/log" >&2 &
	server=$!
	pids="$pids $server"
	until_ok 60 ready || { echo "not ok - $system serves: $(tail -n 1 "$work/log")"; exit 1; }
	api=http://$api
}
stop() {
	kill -TERM "$server"
	wait "$server"
	code=$?
}
counted() { curl -s "$api/metrics" | grep -qE "^tenfold_spans_total\{fate=\"$1\"\} $2\$"; }

# spans: what the collector said, a line each: trace, parent, id, kind, name, then attributes key=value, between tabs.
spans() {
	gawk '
		function out() { if (id != "") print trace "\t" parent "\t" id "\t" kind "\t" name "\t" rest; id = "" }
		function value(line) { sub(/^[^:]*: /, "", line); return line }
		/^ResourceSpans #/ { out() }
		/^Span #/ { out(); rest = "" }
		/^ +Trace ID +:/ { trace = value($0); sub(/ $/, "", trace) }
		/^ +Parent ID +:/ { parent = NF > 3 ? $4 : "" }
		/^ +ID +:/ { id = $3 }
		/^ +Name +:/ { name = value($0) }
		/^ +Kind +:/ { kind = $3 }
		/^     -> / { a = $0; sub(/^ +-> /, "", a); sub(/: (Str|Int)\(/, "=", a); sub(/\)$/, "", a); rest = rest a "\t" }
		END { out() }' "$said"
}
seen() { spans | grep -P "^$1"; } # PATTERN of such a line
service() { grep -q -- "-> service.name: Str($1)" "$said" && grep -q -- '-> service.version: Str(' "$said"; }

trace=$(head -c 16 /dev/urandom | xxd -p)
caller=$(head -c 8 /dev/urandom | xxd -p)
parent=(-H "traceparent: 00-$trace-$caller-01" -H "X-Correlation-Id: order-7")
today=$(date -u +%F)
quarters() { gawk -v at="$(date -u -d "$today -2 days" +%s)" 'BEGIN { print "start,M7"
	for (i = 0; i < 96; i++) if (i < 40 || i > 43) print strftime("%Y-%m-%dT%H:%M:%SZ", at + 900 * i, 1) "," i }'; }

# The head-end is the collector itself: it answers 404, which is an answer.
serve meter --otlp "$url" --tier-every 0 --publish-every 50 --rerequest-every 0 --rerequest "*=$url/head-end?token=secret"
posted=$(quarters | curl -s "${parent[@]}" --data-binary @- "$api/meter/v1/readings?name=HES7-a.csv")
offset=$(jq .offset <<<"$posted")
curl -s -o /dev/null "${parent[@]}" "$api/meter/v1/meters/M7/readings?min_offset=$offset"
curl -s -o /dev/null "${parent[@]}" -X POST "$api/meter/v1/missing/send"
curl -s -o /dev/null -H "traceparent: 00-${trace%????}0000-$caller-00" "$api/meter/v1/tiers"
promise "the trace that curl began reaches the collector" until_ok 30 seen "$trace\t$caller\t\w+\tServer\tPOST /meter/v1/readings\t"
promise "... the request with its status, offset and correlation id" \
	seen "$trace\t$caller\t.*http.request.method=POST\thttp.route=/meter/v1/readings\t.*correlation_id=order-7\thttp.response.status_code=202\ttenfold.log.offset=$offset\t"
request=$(seen "$trace\t$caller\t\w+\tServer\tPOST /meter/v1/readings\t" | cut -f3)
promise "... the group commit as its child, with the offset" until_ok 30 seen "$trace\t$request\t\w+\tInternal\tlog.commit\t.*tenfold.log.offset=$offset\ttenfold.commit.requests=1\t"
promise "... a read by its route's template" until_ok 30 seen "$trace\t$caller\t\w+\tServer\tGET /meter/v1/meters/\{meter\}/readings\t"
promise "... a round of re-requests below who asked" until_ok 30 seen "$trace\t\w+\t\w+\tInternal\trerequest\t"
round=$(seen "$trace\t\w+\t\w+\tInternal\trerequest\t" | cut -f3)
promise "... and below it the outbound post, without its query" until_ok 30 seen "$trace\t$round\t\w+\tClient\tPOST\t.*url.full=$url/head-end\t.*http.response.status_code=404\t"
promise "its resource is service and version" service meter
stop
promise "SIGTERM sends what waits and ends with 0" [ $code = 0 ]
promise "a trace whose caller did not sample it stays away" [ "$(spans | grep -c "^${trace%????}0000")" = 0 ]

trace=$(head -c 16 /dev/urandom | xxd -p)
serve insure --otlp "$url" --insecure-partner-header
jq -nc --arg today "$(TZ=Asia/Kolkata date +%F)" '{product: "TERM_LIFE", sum_insured: 500000000, currency: "INR", term_years: 20,
	start_date: $today, holder: {name: "Asha Rao", date_of_birth: "1990-04-01", phone: "+919812345678"}}' |
	curl -s -o /dev/null -H "traceparent: 00-$trace-$caller-01" -H 'X-Partner: exchange' -H 'Content-Type: application/json' -H 'Idempotency-Key: one' \
		--data-binary @- "$api/insure/v1/policies"
stop
promise "a purchase's span was sent at the end" seen "$trace\t$caller\t\w+\tServer\tPOST /insure/v1/policies\t.*http.response.status_code=201\t"
promise "... with its group commit" seen "$trace\t\w+\t\w+\tInternal\tlog.commit\t"
request=$(seen "$trace\t$caller\t\w+\tServer\t" | cut -f3)
in_log() { cat "$work"/insure/log/*/*.log | xxd -p | tr -d '\n' | grep -q "$trace$request"; }
promise "... and its event in the log carries that very trace and span" in_log

# The collector dies: the server neither waits nor forgets to count.
serve meter --otlp "$url"
kill -9 $collecting
wait $collecting 2>/dev/null
slowest=$(for _ in $(seq 50); do curl -s -o /dev/null -w '%{time_total}\n' "$api/healthz"; done | sort -n | tail -n 1)
promise "without a collector requests are answered as before" gawk -v t="$slowest" 'BEGIN { exit t > 1 }'
promise "... and it is logged, once" until_ok 10 grep -q '"event":"otlp.failing"' "$work/log"
begun=$SECONDS
stop
promise "... and the end comes in its bound" [ $code = 0 -a $((SECONDS - begun)) -le 20 ]
"$bin/tenfold-meter" serve --data "$work/meter" --otlp collector:4318 2>"$work/err"
promise "a URL that is none is a usage error" [ $? = 2 ]
exit 0
