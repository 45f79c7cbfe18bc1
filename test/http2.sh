#!/bin/bash
# HTTP/2 as other implementations speak it: curl, nghttp and h2load against `tenfold insure serve --http2` and `tenfold meter
# serve --http2`; hostile frames (test/http2.py); h2spec, where Go can fetch it.
# `test/http2.sh [STORY...]` runs only those: functions story_*.
set -u
cd "$(dirname "$0")/.."
. test/lib.sh
root=$PWD
need_programs http2 insure identity meter
for p in nghttp h2load; do
	command -v $p >/dev/null || { echo "skip - http2 (no $p)"; exit 0; }
done
dir=$(mktemp -d)
evidence=("$dir/out")
jobs=()
trap '{ [ ${#jobs[@]} = 0 ] || kill -9 "${jobs[@]}"; wait; } 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
id() { "$bin/tenfold-identity" "$@"; }
serve() { # SYSTEM OPTIONS...: $at is where, $pid who, log.N its log
	local system=$1
	shift
	log=log.${#jobs[@]}
	"$bin/tenfold-$system" serve --listen 127.0.0.1:0 --tls-cert id/certs/server.pem --tls-key id/certs/server.key "$@" 2>"$log" &
	pid=$!
	jobs+=($pid)
	await "$log" serve.ready || { echo "not ok - $system starts: $(tail -n 1 "$log")"; exit 1; }
	at=https://localhost:$(ready_port "$log")
}
stop() { # its exit code is in $code
	kill -TERM $pid
	wait $pid
	code=$?
}
# ask CURL...: body in out, head in head, status and version in $answer.
ask() { rm -f out head; answer=$(curl -s -m 30 --cacert id/ca.pem -o out -D head -w '%{http_code} %{http_version}' "$@"); }
is() { same "$answer" "$1"; }
count() { curl -s --cacert id/ca.pem "${with[@]}" "$at/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
with=()

audience=https://insurer.example
id init --dir id --profile staging --audience $audience >/dev/null 2>&1 || { echo "not ok - an issuer"; exit 1; }
purchase='{"product":"TERM_LIFE","sum_insured":500000000,"currency":"INR","term_years":20,"start_date":"'$(TZ=Asia/Kolkata date +%F)'","holder":{"name":"Asha Rao","date_of_birth":"1990-04-01","phone":"+919812345678"}}'
echo "$purchase" >purchase

story_alpn() {
	serve insure --data alpn --insecure-partner-header
	ask --http2 "$at/healthz"
	promise "without --http2, curl is given HTTP/1.1" is "200 1.1"
	stop
	serve insure --data alpn --insecure-partner-header --http2
	ask --http2 "$at/healthz"
	promise "with it, HTTP/2" is "200 2"
	ask --http1.1 "$at/healthz"
	promise "and HTTP/1.1 to who asks for it" is "200 1.1"
	ask --http2 -I "$at/metrics"
	promise "HEAD" eval 'is "200 2" && grep -qi "^content-length: [1-9]" head'
	ask --http2 "$at/none" -H 'X-Correlation-Id: order-7'
	promise "an unknown path, with its correlation id" eval 'is "404 2" && grep -qi "^x-correlation-id: order-7" head && jq -e ".code == \"NOT_FOUND\"" out'
	head -c 9000000 /dev/zero >big
	ask --http2 --data-binary @big -H 'X-Partner: a' "$at/insure/v1/policies"
	promise "a body over 8 KiB: 413" eval 'is "413 2" && jq -e ".code == \"TOO_LARGE\"" out'
	promise "plain HTTP/2 is not offered" eval '! curl -s -m 5 --http2-prior-knowledge "${at/https/http}/healthz"'
	"$bin/tenfold-insure" serve --data plain --http2 >out 2>&1
	promise "--http2 without TLS: exit 2" same $? 2
	stop
	promise "SIGTERM: exit 0" same $code 0
}

# The gate is the same: certificates, tokens bound to them, keys of requests.
story_gate() {
	local name token alpha beta
	for name in alpha beta; do
		id cert issue --dir id --name $name >/dev/null
		id client add --dir id --id $name --partner P-$name --scope policy:read --scope policy:buy --cert id/certs/$name.pem >/dev/null
	done
	"$bin/tenfold-identity" serve --dir id --listen 127.0.0.1:0 2>id.log &
	jobs+=($!)
	await id.log serve.ready
	local issuer
	issuer=https://localhost:$(ready_port id.log)
	serve insure --data gate --client-ca id/ca.pem --crl id/crl.pem --issuer https://localhost:9443 --audience $audience --jwks "$issuer/jwks" \
		--issuer-ca id/ca.pem --audit audit --http2
	for name in alpha beta; do
		ask --cert id/certs/$name.pem --key id/certs/$name.key -d grant_type=client_credentials -d client_id=$name "$issuer/token"
		token=$(jq -r .access_token out)
		[ $name = beta ] || alpha=$token
	done
	beta=$token
	as() { # NAME TOKEN CURL...
		local name=$1 token=$2
		shift 2
		ask --http2 --cert "id/certs/$name.pem" --key "id/certs/$name.key" -H "Authorization: Bearer $token" "$@"
	}
	buy() { as "$1" "$2" -H 'Content-Type: application/json' -H "Idempotency-Key: $3" --data @purchase "$at/insure/v1/policies"; }
	buy alpha "$alpha" one
	promise "a partner's certificate and token: 201" is "201 2"
	cp out first
	buy alpha "$alpha" one
	promise "again: the same bytes" cmp first out
	buy beta "$alpha" one
	promise "a stolen token: 401 and a challenge" eval 'is "401 2" && grep -qi "^www-authenticate: Bearer .*invalid_token" head'
	buy beta "$beta" one
	promise "another partner's key is its own" eval 'is "201 2" && ! cmp -s first out'
	as alpha "$alpha" "$at/insure/v1/policies/$(jq -r .number first)"
	promise "a look-up" is "200 2"
	curl -s -m 10 --http2 --cacert id/ca.pem "$at/healthz" >out 2>&1
	promise "no certificate: no connection" test $? != 0
	nghttp --no-verify-peer --cert=id/certs/alpha.pem --key=id/certs/alpha.key -H "authorization: Bearer $alpha" -H 'content-type: application/json' \
		-H 'idempotency-key: many' -d purchase -m 64 "$at/insure/v1/policies" >out 2>nghttp.log
	with=(--cert id/certs/alpha.pem --key id/certs/alpha.key)
	promise "64 of one key on one connection: one policy" same "$(grep -o '"number":"[^"]*"' out | sort -u | wc -l) $(count tenfold_insure_policies)" "1 3"
	promise "each was sold it, or told to wait" same "$(($(grep -o '"number":' out | wc -l) + $(grep -o 'IDEMPOTENCY_KEY_IN_USE' out | wc -l)))" 64
	id cert revoke --dir id --name alpha >/dev/null 2>&1
	kill -HUP $pid
	await "$log" tls.reloaded
	buy alpha "$alpha" two
	promise "a revoked certificate is refused" test "$answer" != "201 2"
	with=(--cert id/certs/beta.pem --key id/certs/beta.key)
	stop
	promise "SIGTERM: exit 0" same $code 0
	promise "the audit log is whole, and names both partners" eval \
		'"$bin/tenfold-audit" verify --data audit && [ "$("$bin/tenfold-audit" show --data audit | grep -o "\"P-[a-z]*\"" | sort -u | wc -l)" = 2 ]'
	with=()
}

# The gateway's whole story once more: curl takes HTTP/2 where it is offered.
story_gateway() {
	GATEWAY_OPTIONS="--http2 --handshake-threads 2" "$root/systems/insure/test/gateway.sh" 2>/dev/null | sed 's/^\(ok\|not ok\) - /&over HTTP\/2: /'
}

loaded() { grep -q "^requests: $1 total, $1 started, $1 done, $1 succeeded, 0 failed, 0 errored, 0 timeout" out; }
story_load() {
	serve insure --data load --insecure-partner-header --rate 0 --http2
	h2load -n 20000 -c 4 -m 100 "$at/healthz" >out 2>&1
	promise "100 streams on each of 4 connections: 20000 answered" loaded 20000
	h2load -n 2000 -c 2 -m 100 -d purchase -H 'content-type: application/json' -H 'x-partner: a' -H 'idempotency-key: load' "$at/insure/v1/policies" >out 2>&1
	promise "2000 purchases of one key: 201 or 409" eval '[ "$(sed -n "s/^status codes: \([0-9]*\) 2xx, 0 3xx, \([0-9]*\) 4xx, 0 5xx/\1 + \2/p" out | xargs expr)" = 2000 ]'
	promise "one effect" same "$(count tenfold_insure_policies)" 1
	promise "nothing is left of the streams" same "$(count tenfold_http2_streams)" 1 # the one that asks
	# SIGTERM under load: what was begun is answered.
	local before
	before=$(grep -c '"path":"/healthz"' "$log")
	h2load -D 5 -c 4 -m 50 "$at/healthz" >out 2>&1 &
	local load=$!
	nap 1
	stop
	promise "SIGTERM under load: exit 0" same $code 0
	wait $load
	local answered
	answered=$(sed -n 's/^status codes: \([0-9]*\) 2xx, 0 3xx, 0 4xx, 0 5xx/\1/p' out)
	# What h2load had queued itself when it was told of the end it counts as failed: that was never sent.
	promise "every request that came was answered and heard ($answered)" same "$(($(grep -c '"path":"/healthz"' "$log") - before))" "$answered"
	promise "none was cut off" eval '! grep -q "\"aborted\":true" "$log"'
}

# An answer in pieces, of any size.
story_stream() {
	"$bin/tenfold-meter" simulate --meters 3 --days 60 --start 2025-03-01 --zone UTC --seed 1 --format csv --out in >/dev/null
	"$bin/tenfold-meter" load --data meter in/* >/dev/null
	serve meter --data meter --http2
	local meter
	ask --http2 "$at/meter/v1/meters"
	meter=$(jq -r '.meters[0]' out)
	ask --http1.1 "$at/meter/v1/meters/$meter/readings"
	promise "readings over HTTP/1.1" eval 'is "200 1.1" && grep -qi "^transfer-encoding: chunked" head'
	mv out lines
	ask --http2 "$at/meter/v1/meters/$meter/readings"
	promise "the same bytes over HTTP/2 ($(wc -c <lines))" eval 'is "200 2" && [ -s out ] && cmp lines out'
	ask --http2 --data-binary @"$(ls in/* | head -n 1)" "$at/meter/v1/readings?zone=UTC"
	promise "a delivery of $(cat "$(ls in/* | head -n 1)" | wc -c) bytes" eval '[[ "$answer" == "20"*" 2" ]]'
	stop
	promise "SIGTERM: exit 0" same $code 0
}

story_hostile() {
	serve insure --data hostile --insecure-partner-header --http2
	python3 "$root/test/http2.py" "$(ready_port "$log")"
	ask --http2 "$at/healthz"
	promise "the server is well afterwards" eval 'is "200 2" && [ "$(count tenfold_http2_calmed_total)" -ge 4 ]'
	stop
	promise "SIGTERM: exit 0" same $code 0
}

# h2spec breaks each rule of RFC 9113's forerunner in turn.
story_spec() {
	local spec=$root/.deps/go/h2spec
	if [ ! -x "$spec" ]; then
		command -v go >/dev/null && GOBIN=$root/.deps/go timeout 240 go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible >/dev/null 2>&1
		[ -x "$spec" ] || { echo "skip - h2spec (no Go, or it cannot be fetched)"; return; }
	fi
	serve meter --data spec --http2
	"$spec" -h localhost -p "$(ready_port "$log")" -t -k -P /healthz -o 3 >h2spec.out 2>&1
	sed -n '/^Failures/,$s/^ *× *//p' h2spec.out | sort -u >failed
	echo "# h2spec: $(grep passed h2spec.out)"
	promise "h2spec finds nothing" grep -q ' 0 failed' h2spec.out
	sed 's/^/# /' failed
	stop
}

[ $# -gt 0 ] || set -- alpn gate gateway load stream hostile spec
for story in "$@"; do "story_$story"; done
