#!/bin/bash
# tenfold insure serve, driven by curl: keys, stored answers, parallel repetition, kill -9 under load, rejections that name
# their field, limits, correlation, SIGTERM, and the answer that follows its sync.
# `systems/insure/test/serve.sh [STORY...]` runs only those: functions story_*.
set -u
cd "$(dirname "$0")/../../.."
. test/lib_serve.sh
root=$PWD
use_system insure serve
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
today=$(TZ=Asia/Kolkata date +%F)

serve_options=(--insecure-partner-header)
buy() { # KEY BODY [CURL_ARGUMENTS...]
	local key=$1 body=$2
	shift 2
	ask "$api/policies" -H 'X-Partner: exchange' -H 'Content-Type: application/json' -H "Idempotency-Key: $key" --data-binary "$body" "$@"
}
look() { local number=$1; shift; ask "$api/policies/$number" -H 'X-Partner: exchange' "$@"; }
body() { # [JQ_CHANGE]: a good purchase, changed
	jq -nc --arg today "$today" '{product: "TERM_LIFE", sum_insured: 500000000, currency: "INR", term_years: 20, start_date: $today,
		holder: {name: "Asha Rao", date_of_birth: "1990-04-01", phone: "+919812345678"}}'" | ${1:-.}"
}
is() { [ "$status" = "$1" ] && { [ $# -lt 2 ] || [ "$(jq -r .code "$work/out")" = "$2" ]; } && { [ $# -lt 3 ] || [ "$(jq -r '.field // ""' "$work/out")" = "$3" ]; }; }
kept() { cp "$work/out" "$work/$1.body" && { echo "$status"; header Location; header Content-Type; header Tenfold-Offset; } >"$work/$1.head"; }
same_answer() { [ -s "$work/$1.body" ] && kept again && cmp "$work/$1.body" "$work/again.body" && cmp "$work/$1.head" "$work/again.head"; }
policies() { curl -s "${api%/insure/v1}/metrics" | awk '$1 == "tenfold_insure_policies" { print $2 }'; }
verified() { "$program" verify --data "$data" --json >"$work/out" 2>"$work/verify" && [ "$(jq .policies "$work/out")" = "$1" ]; }

story_keys() {
	serve keys
	ask "$api/policies" -H 'X-Partner: exchange' -H 'Content-Type: application/json' --data-binary "$(body)"
	promise "a missing key: 400" is 400 IDEMPOTENCY_KEY_MISSING Idempotency-Key
	buy "$(printf 'k%.0s' {1..256})" "$(body)"
	promise "a key of 256 bytes: 400" is 400 IDEMPOTENCY_KEY_INVALID Idempotency-Key
	buy a "$(body)" -H 'Idempotency-Key: b'
	promise "two keys: 400" is 400 IDEMPOTENCY_KEY_INVALID Idempotency-Key
	buy one "$(body)"
	promise "a new key sells: 201 with Location" eval 'is 201 && [ -n "$(header Location)" ] && kept one'
	number=$(jq -r .number "$work/out")
	promise "Location names the policy" [ "$(header Location)" = "/insure/v1/policies/$number" ]
	buy one "$(body)"
	promise "the same key, the same bytes" same_answer one
	buy one "$(body '.term_years = 21')"
	promise "the same key with another body: 422" is 422 IDEMPOTENCY_KEY_REUSED Idempotency-Key
	buy one "$(body)" -H 'X-Correlation-Id: retry-7'
	promise "another correlation id is the same request" same_answer one
	ask "$api/policies/$number/cancellation" -H 'X-Partner: exchange' -H 'Content-Type: application/json' -H 'Idempotency-Key: one' \
		--data-binary "{\"date\":\"$today\"}"
	promise "the same key on another route is another one" eval 'is 200 && [ "$(jq -r .status "$work/out")" = cancelled ]'
	buy two "$(body)"
	ask "$api/policies/$(jq -r .number "$work/out")/cancellation" -H 'X-Partner: other' -H 'Content-Type: application/json' -H 'Idempotency-Key: two' \
		--data-binary "{\"date\":\"$today\"}"
	promise "another partner's policy is not cancelled: 404" is 404 POLICY_UNKNOWN
	ask "$api/policies" -H 'X-Partner: other' -H 'Content-Type: application/json' -H 'Idempotency-Key: one' --data-binary "$(body '.term_years = 21')"
	promise "and another partner's" is 201
	stop KILL
	serve keys
	buy one "$(body)"
	promise "after kill -9 the same key, the same bytes" same_answer one
	buy one "$(body '.term_years = 21')"
	promise "and 422 for another body" is 422 IDEMPOTENCY_KEY_REUSED
	promise "nothing was sold twice" [ "$(policies)" = 3 ]
	stop
	promise "SIGTERM: exit 0" [ $code = 0 ]
	serve keys
	buy one "$(body)"
	promise "after SIGTERM the same bytes" same_answer one
	stop
	promise "verify finds nothing" verified 3
}

# 64 identical requests at once: one effect; each gets the stored bytes or 409.
story_parallel() {
	serve parallel
	local b n=0 wrong=0 stored=0
	b=$(body)
	for round in 1 2 3; do
		seq 64 | xargs -P 64 -I{} curl -s -m 60 -o "$work/p$round.{}" -w '%{http_code}\n' "$api/policies" -H 'X-Partner: exchange' \
			-H 'Content-Type: application/json' -H "Idempotency-Key: round-$round" --data-binary "$b" >"$work/codes"
		n=$((n + $(wc -l <"$work/codes")))
		wrong=$((wrong + $(grep -vcE '^(201|409)$' "$work/codes")))
		stored=$((stored + $(grep -c 201 "$work/codes")))
		buy "round-$round" "$b"
		kept "round-$round"
		for i in $(seq 64); do
			grep -q '"code":"IDEMPOTENCY_KEY_IN_USE"' "$work/p$round.$i" || cmp -s "$work/p$round.$i" "$work/round-$round.body" || wrong=$((wrong + 1))
		done
	done
	promise "3 times 64 identical requests: each 201 with the same bytes, or 409 (201: $stored of $n)" [ "$wrong" = 0 -a "$n" = 192 -a "$stored" -ge 3 ]
	promise "one effect each" [ "$(policies)" = 3 ]
	stop
	promise "verify finds three policies" verified 3
}

# A client that writes down what it was answered, until the server is gone.
shop() { # WORKER: lines "KEY NUMBER"
	local i=0 answer
	while :; do
		i=$((i + 1))
		echo "w$1-$i" >>"$work/sent.$1"
		answer=$(curl -s -m 20 "$api/policies" -H 'X-Partner: exchange' -H 'Content-Type: application/json' -H "Idempotency-Key: w$1-$i" \
			--data-binary "$load_body") || return 0
		echo "w$1-$i $(echo "$answer" | jq -r .number)" >>"$work/told.$1"
	done
}
# kill -9 at seeded instants under load: whoever was answered gets the same policy again, and repeating what was sent sells nothing twice.
story_kill() {
	local seeds=5 seed w bad=0 sent=0 total=0
	[ "${TENFOLD_SHORT:-no}" = no ] || seeds=2
	[ "${TENFOLD_CHECK_LONG:-no}" = no ] || seeds=60
	load_body=$(body)
	RANDOM=20261126
	for seed in $(seq $seeds); do
		rm -f "$work"/sent.* "$work"/told.*
		serve kill
		for w in 1 2 3 4; do
			shop "$seed-$w" &
		done
		nap 0.$((RANDOM % 700 + 200))
		stop KILL
		wait
		serve kill
		while read -r key number; do
			buy "$key" "$load_body"
			[ "$status" = 201 ] && [ "$(jq -r .number "$work/out")" = "$number" ] || bad=$((bad + 1))
		done < <(cat "$work"/told.*)
		while read -r key; do
			buy "$key" "$load_body"
			[ "$status" = 201 ] || bad=$((bad + 1))
		done < <(cat "$work"/sent.*)
		sent=$((sent + $(cat "$work"/sent.* | wc -l)))
		total=$(policies)
		stop
	done
	promise "kill -9 at $seeds instants, $sent keys sent: no answer forgotten" [ "$bad" = 0 -a "$sent" -gt 0 ]
	promise "no effect doubled" [ "$total" = "$sent" ]
	promise "verify agrees" verified "$sent"
}

story_rejections() {
	serve rejections
	local rows=0 bad=0 change status_wanted code field
	while IFS='|' read -r change status_wanted code field; do
		rows=$((rows + 1))
		buy "r$rows" "$(body "$change")"
		is "$status_wanted" "$code" "$field" || { bad=$((bad + 1)); echo "# $change: $status $(cat "$work/out")"; }
	done <<'END'
.product = "MARINE"|422|PRODUCT_UNKNOWN|/product
.product = 7|422|INVALID|/product
del(.product)|422|MISSING|/product
.sum_insured = 100|422|SUM_OUT_OF_RANGE|/sum_insured
.sum_insured = 500000001|422|SUM_NOT_IN_STEPS|/sum_insured
.sum_insured = "5"|422|INVALID|/sum_insured
.sum_insured = 1.5|422|INVALID|/sum_insured
.currency = "USD"|422|INVALID|/currency
.term_years = 4|422|TERM_OUT_OF_RANGE|/term_years
.term_years = 0|422|INVALID|/term_years
.start_date = "2020-01-01"|422|START_IN_THE_PAST|/start_date
.start_date = "2199-01-01"|422|START_TOO_FAR|/start_date
.start_date = "2026-02-30"|422|INVALID|/start_date
.quoted_premium = 1|422|PREMIUM_CHANGED|/quoted_premium
.holder.date_of_birth = "2025-01-01"|422|AGE_OUT_OF_RANGE|/holder/date_of_birth
.holder.date_of_birth = "x"|422|INVALID|/holder/date_of_birth
.holder.phone = "12"|422|INVALID|/holder/phone
.holder.name = ""|422|INVALID|/holder/name
.holder.nick = "A"|422|UNKNOWN|/holder/nick
. * {term_years: 40, holder: {date_of_birth: "1970-01-01"}}|422|AGE_AT_END|/term_years
.colour = 1|422|UNKNOWN|/colour
[.]|422|INVALID|
END
	promise "$rows bad purchases are refused, each with its field" [ "$bad" = 0 ]
	buy r1 "$(body)"
	promise "a refused request leaves its key free" is 201
	buy x '{"a":'
	promise "broken JSON: 400" is 400 SYNTAX
	buy x "$(body)" -H 'Content-Type: application/xml'
	promise "two content types: 415" is 415 UNSUPPORTED Content-Type
	ask "$api/policies" -H 'X-Partner: exchange' -H 'Content-Type: text/plain' -H 'Idempotency-Key: x' --data-binary "$(body)"
	promise "another content type: 415" is 415 UNSUPPORTED Content-Type
	buy x "$(head -c 9000 /dev/zero | tr '\0' ' ')"
	promise "a body over 8 KiB: 413" is 413 TOO_LARGE
	look P000000000099
	promise "a number with wrong check digits: 404" is 404 POLICY_UNKNOWN
	look P000000999916
	promise "a policy that is not there: 404" is 404 POLICY_UNKNOWN
	ask "$api/policies/P000000000001"
	promise "nobody: 401" is 401 UNIDENTIFIED X-Partner
	stop
	"$program" serve --data "$work/rejections" --listen 127.0.0.1:0 2>"$work/log" >&2 &
	pid=$!
	until_ok 30 ready
	ask "http://$api/insure/v1/policies/P000000000001" -H 'X-Partner: exchange'
	promise "without --insecure-partner-header nobody is believed: 401" is 401 UNIDENTIFIED
	stop
}

story_reads() {
	serve reads
	buy one "$(body)"
	number=$(jq -r .number "$work/out") offset=$(header Tenfold-Offset)
	look "$number"
	promise "a look-up shows status and initials, no name" eval 'is 200 && [ "$(jq -r "[.status, .holder_initials] | join(\" \")" "$work/out")" = "active AR" ] && ! grep -q Asha "$work/out"'
	etag=$(header ETag)
	ask "$api/policies/$number" -H 'X-Partner: other'
	promise "another partner's policy is none: 404" is 404 POLICY_UNKNOWN
	ask "$api/policies/$number?min_offset=$offset" -H 'X-Partner: other'
	promise "also with min_offset" is 404 POLICY_UNKNOWN
	look "$number" -H "If-None-Match: \"x\", $etag"
	promise "304 for what is known" eval 'is 304 && [ ! -s "$work/out" ]'
	look "$number?min_offset=$offset"
	promise "min_offset of the purchase: at once" is 200
	look "$number?min_offset=x"
	promise "a bad min_offset: 400" is 400 INVALID min_offset
	look "$number?colour=1"
	promise "an unknown parameter: 400" is 400 INVALID colour
	look "$number" -I
	promise "HEAD" eval 'is 200 && [ -n "$(header ETag)" ]'
	stop
}

story_limits() {
	serve limits --rate 1 --burst 3
	for _ in 1 2 3; do look P000000000001; done
	promise "three at once are taken, with RateLimit headers" eval 'is 404 && [[ "$(header RateLimit)" == *";r=0;"* ]] && [ "$(header RateLimit-Policy)" = "\"requests\";q=3;w=3" ]'
	look P000000000001
	promise "the fourth: 429 with Retry-After" eval 'is 429 RATE_LIMITED && [ "$(header Retry-After)" = 1 ]'
	ask "$api/policies/P000000000001" -H 'X-Partner: other'
	promise "another partner has a rate of its own" is 404
	again() { look P000000000001 && is 404; }
	promise "and it recovers by itself" until_ok 5 again
	stop
	serve quota --partner-keys 2
	buy a "$(body)"
	buy b "$(body)"
	buy c "$(body)"
	promise "over the quota of keys: 429" eval 'is 429 && [ -n "$(header Retry-After)" ]'
	buy a "$(body)"
	promise "what is known is still answered" is 201
	stop
}

story_correlation() {
	serve correlation --correlation require
	look P000000000001
	promise "required and missing: 400" is 400 CORRELATION_REQUIRED X-Correlation-Id
	look P000000000001 -H 'X-Correlation-Id: a b'
	promise "required and bad: 400" is 400 CORRELATION_REQUIRED X-Correlation-Id
	look P000000000001 -H 'X-Correlation-Id: order-7'
	promise "given: sent back" eval 'is 404 && [ "$(header X-Correlation-Id)" = order-7 ] && [ "$(jq -r .correlation_id "$work/out")" = order-7 ]'
	stop
	serve correlation
	look P000000000001
	promise "minted: the trace id" eval 'is 404 && [[ "$(header X-Correlation-Id)" =~ ^[0-9a-f]{32}$ ]]'
	stop
}

# SIGTERM while requests are on their way: each is answered or never taken.
story_term() {
	serve term
	load_body=$(body)
	rm -f "$work"/sent.* "$work"/told.*
	for w in 1 2 3 4; do
		shop "$w" &
	done
	nap 0.5
	stop TERM
	wait
	promise "SIGTERM under load: exit 0" [ $code = 0 ]
	local told bad=0
	told=$(cat "$work"/told.* | wc -l)
	promise "everything answered is there" eval 'verified $(cat "$work"/told.* | grep -c " P")'
	promise "some were answered ($told)" [ "$told" -gt 0 ]
}

# The answer is sent after the fdatasync that covers it: seen in a trace of system calls.
story_sync() {
	if ! strace -o /dev/null true 2>/dev/null || nm "$program" 2>/dev/null | grep -q __asan_init; then
		echo "skip - the answer follows its sync (no tracer, or a sanitizer)"
		return
	fi
	data=$work/sync
	strace -f -yy -s 64 -o "$work/trace" -e trace=openat,creat,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,rename,renameat,renameat2,sendto,sendmsg \
		"$program" serve --data "$data" --listen 127.0.0.1:0 --insecure-partner-header --quiet 2>"$work/log" >&2 &
	pid=$!
	until_ok 60 ready || { echo "not ok - serve starts under strace"; return; }
	api=http://$api/insure/v1
	look P000000000001 # what was written to create the log stands before this answer
	for i in 1 2 3; do buy "s$i" "$(body)"; done
	child=$(jq -rR 'fromjson? | select(.event == "serve.ready") | .pid' "$work/log")
	kill "$child"
	wait $pid 2>/dev/null
	pid=""
	# One after the other: before each answer its record was written, then synced.
	own_record() {
		awk '/(write|pwrite64|writev|pwritev)\(.*\/log\/0\/.*\.log>/ { written = 1; synced = 0 }
			/fdatasync\(.*\/log\/0\/.*\.log>/ { synced = written }
			/HTTP\/1.1 404/ { written = synced = 0 }
			/HTTP\/1.1 201/ { answers++; bad += !(written && synced); written = synced = 0 }
			END { exit !(answers == 3 && !bad) }' "$work/trace"
	}
	promise "each answer has a record of its own in front of it" own_record
	promise "an answer follows the sync that covers it" tools/trace_check.py --log '/log/.*\.log$' --ack 'HTTP/1.1 201' "$work/trace"
}

# An operator's own contract: an answer that would break it is not given, and nothing is decided for it.
story_contract() {
	sed 's/^        premium:/        premium_:/; s/sum_insured, premium, currency/sum_insured, premium_, currency/' systems/insure/openapi.yaml >"$work/other.yaml"
	"$program" simulate --data "$work/contract" --policies 3 --partner exchange >/dev/null 2>&1
	serve contract --contract "$work/other.yaml"
	look P000000000001
	promise "an answer that breaks the contract: 500" is 500
	buy c1 "$(body)"
	promise "a decision whose answer would: 500" is 500
	promise "both are counted" [ "$(curl -s "${api%/insure/v1}/metrics" | awk '$1 == "tenfold_insure_answers_broken_total" { print $2 }')" = 2 ]
	promise "and told in the log" grep -q '"event":"contract.broken".*premium_' "$work/log"
	promise "nothing was sold" [ "$(policies)" = 3 ]
	ask "$api/openapi.yaml"
	promise "the contract in force is shown" cmp "$work/out" "$work/other.yaml"
	stop
	serve contract
	buy c1 "$(body)"
	promise "by the built-in contract the key is free" is 201
	stop
	echo 'openapi: 3.1.0' >"$work/empty.yaml"
	"$program" serve --data "$work/contract" --listen 127.0.0.1:0 --contract "$work/empty.yaml" >"$work/out" 2>&1
	code=$?
	promise "a contract without the operations: named, exit 2" [ "$code $(grep -c "empty.yaml': the contract has no POST" "$work/out")" = "2 1" ]
}

# Logs of released versions give the state they gave.
story_golden() {
	local version
	for version in "$root"/systems/insure/test/golden/*/; do
		cp -r "$version" "$work/golden"
		data=$work/golden
		"$program" verify --data "$data" --json >"$work/out" 2>&1
		promise "the log of $(basename "$version") is replayed to its state" \
			[ "$(jq -c '[.ok, .records, .policies, .digest]' "$work/out")" = "$(jq -c '[.ok, .records, .policies, .digest]' "$version/expected.json")" ]
		rm -rf "$work/golden"
	done
}

[ $# -gt 0 ] || set -- keys parallel kill rejections reads limits correlation term sync contract golden
for story in "$@"; do "story_$story"; done
