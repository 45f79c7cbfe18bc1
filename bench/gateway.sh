#!/bin/bash
# The gateway by insure with everything on: mutual TLS required, a CRL, tokens bound to certificates, rate limits, the
# contract, correlation, audit. 1,000 clients of `tenfold identity`'s CA, 10 % of requests on new connections that resume
# a session, 10 million policies. Beside it in the same run: nginx, mutual TLS by the same CA and CRL, serving a static
# file as long as a policy's answer to the same requests; and the disk's own append and fdatasync.
# JSON lines, each with the generator's CPU (its TLS is BoringSSL: docs/decisions/generator.md). Open loop where a rate
# is offered: latency counts from when a request was due. Peaks are a closed loop's, over as many connections as the
# open loop has, and 80 % is of the peak just measured: the machine's speed changes by the minute. What is compared are
# the rounds' medians. Where the generator used a whole core the peak is its own, and the ratio of the servers' CPU per
# request, printed beside the ratio of the peaks, is the one to trust. TLS is 1.3 but where a line says 1.2. `cores` is
# what generator and server together would use at 20,000 purchases a second, by what each cost them at the peak.
# POLICIES, CLIENTS, SECONDS_EACH, ROUNDS, RATES, IDLE change it. Ports 9443 (the issuer) and a random one must be free.
set -euo pipefail
bin=$(realpath "$(dirname "$TENFOLD")")
load=$TENFOLD_BUILD/bench/gateway_load
policies=${POLICIES:-10000000} clients=${CLIENTS:-1000} each=${SECONDS_EACH:-4} rounds=${ROUNDS:-5} rates=${RATES:-20000} idle=${IDLE:-10000}
ninja -C "$TENFOLD_BUILD" bench/gateway_load bench/gateway_pki >/dev/null
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
work=$(mktemp -d "${TMPDIR:-/tmp}/tenfold-gateway.XXXXXX")
pids=()
end() {
	local p
	for p in "${pids[@]}"; do kill -9 "$p" && wait "$p" || true; done 2>/dev/null
	rm -rf "$work"
}
trap end EXIT
nap() { read -r -t "$1" <> <(:) || true; }
field() { jq -r "$1" <<<"$2"; }
ready() { # LOG PID: its port into $port
	until port=$(sed -n 's/.*"event":"serve.ready".*"address":"[^"]*:\([0-9]*\)".*/\1/p' "$1") && [ -n "$port" ]; do
		kill -0 "$2" || { cat "$1"; exit 1; }
		nap 0.05
	done
}
stop() { # PID
	kill -TERM "$1"
	wait "$1"
}
busy() { echo "{\"bench\":\"machine\",\"at\":\"$1\",\"cores\":$(nproc),\"load_average\":$(cut -d' ' -f1 /proc/loadavg)}"; }
busy start

# The issuer, one revoked certificate, and the clients.
audience=https://insurer.example issuer=https://localhost:9443
"$bin/tenfold-identity" init --dir "$work/id" --profile staging --audience $audience >/dev/null 2>&1
"$bin/tenfold-identity" cert issue --dir "$work/id" --name revoked >/dev/null
"$bin/tenfold-identity" cert revoke --dir "$work/id" --name revoked >/dev/null
mkdir "$work/clients"
begun=$(date +%s%3N)
"$TENFOLD_BUILD/bench/gateway_pki" "$work/id" $issuer $audience "$work/clients" "$clients"
jq -nc --argjson n "$clients" --argjson ms $(($(date +%s%3N) - begun)) '{bench: "clients made", certificates: $n, tokens: $n, ms: $ms}'
"$bin/tenfold-identity" serve --dir "$work/id" --listen 127.0.0.1:0 2>"$work/id.log" &
pids+=($!)
ready "$work/id.log" $!
jwks=https://localhost:$port/jwks

serve() { # DATA LOG: insure with everything on; $server, $at
	: >"$2" # the one before was ready too
	"$bin/tenfold-insure" serve --data "$1" --listen 127.0.0.1:0 --tls-cert "$work/id/certs/server.pem" --tls-key "$work/id/certs/server.key" \
		--client-ca "$work/id/ca.pem" --client-cert must --crl "$work/id/crl.pem" --issuer $issuer --audience $audience --jwks "$jwks" \
		--issuer-ca "$work/id/ca.pem" --audit "$1.audit" --rate 10000 --burst 20000 --connections 20000 --connections-per-peer 20000 --quiet 2>"$2" &
	server=$!
	pids+=($server)
	ready "$2" $server
	at=127.0.0.1:$port
}
client() { # MODE ADDRESS NAME=VALUE...: a line, kept in lines too
	"$load" "$1" "$2" identities="$work/clients" ca="$work/id/ca.pem" policies="$policies" "${@:3}" | tee -a "$work/lines"
}

# Idle connections, of a server with few policies: its memory is the connections'.
"$bin/tenfold-insure" simulate --data "$work/few" --policies 1000 >/dev/null
serve "$work/few" "$work/few.log"
client hold "$at" label="idle TLS connections" connections="$idle" policies=1 pid=$server
stop $server

line=$("$bin/tenfold-insure" simulate --data "$work/data" --policies "$policies" --json)
jq -c '{bench: "policies sold in bulk", policies, log_bytes, seconds, per_s: (.policies / .seconds | round)}' <<<"$line"
sync # what was just written is not to be written while something is measured
begun=$(date +%s%3N)
serve "$work/data" "$work/log"
memory=$(awk '/VmRSS/ { print $2 * 1024 }' /proc/$server/status)
jq -nc --argjson ms $(($(date +%s%3N) - begun)) --argjson memory "$memory" --argjson policies "$policies" \
	'{bench: "opened", policies: $policies, ms: $ms, resident_bytes: $memory, bytes_per_policy: ($memory / $policies | round)}'

# One worker of nginx and a file as long as a policy's answer.
static=""
if command -v nginx >/dev/null; then
	mkdir -p "$work/static"
	curl -sf --cacert "$work/id/ca.pem" --cert "$work/clients/0000.pem" -H "Authorization: Bearer $(cat "$work/clients/0000.jwt")" \
		"https://localhost:$port/insure/v1/policies/P000000000098" >"$work/static/policy"
	static=127.0.0.1:$((20000 + RANDOM % 10000))
	cat >"$work/nginx.conf" <<END
daemon off; master_process off; worker_processes 1; pid $work/nginx.pid; error_log $work/nginx.log; worker_rlimit_nofile 20000;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; open_file_cache max=10; default_type application/json; client_body_temp_path $work/a;
	proxy_temp_path $work/b; fastcgi_temp_path $work/c; uwsgi_temp_path $work/d; scgi_temp_path $work/e;
	server { listen $static ssl; root $work/static; ssl_protocols TLSv1.2 TLSv1.3;
		ssl_certificate $work/id/certs/server.pem; ssl_certificate_key $work/id/certs/server.key;
		ssl_verify_client on; ssl_client_certificate $work/id/ca.pem; ssl_crl $work/id/crl.pem; } }
END
	nginx -c "$work/nginx.conf" 2>/dev/null &
	nginx_pid=$!
	pids+=($nginx_pid)
	until curl -sf --cacert "$work/id/ca.pem" --cert "$work/clients/0000.pem" "https://localhost:${static#*:}/policy" >/dev/null; do
		kill -0 $nginx_pid || { cat "$work/nginx.log"; exit 1; }
		nap 0.05
	done
else
	echo '{"bench":"nginx","skipped":"apt-get install nginx-light"}'
fi

ask() { # NGINX|POLICY LABEL RATE SECONDS NEW
	if [ "$1" = policy ]; then
		client get "$at" label="policy status, $2" rate="$3" seconds="$4" connections=256 new="$5" pid=$server
	elif [ -n "$static" ]; then
		client get "$static" label="nginx static, $2" path=/policy rate="$3" seconds="$4" connections=256 new="$5" pid=$nginx_pid
	fi
}
eighty() { tail -n 1 "$work/lines" | jq '.answered_per_s * 8 / 10 | floor'; }
for ((round = 0; round < rounds; round++)); do # in turn, so that a busy moment hits both
	for who in ${static:+nginx} policy; do
		ask $who peak 0 "$each" 10
		ask $who "80 % of peak" "$(eighty)" "$each" 10
	done
done
status() { # SECONDS NEW NAME: both servers in turn, a closed loop
	ask nginx "$3" 0 "$1" "$2"
	ask policy "$3" 0 "$1" "$2"
}
status 3 0 "connections kept"
status 3 100 "connections new"
client get "$at" label="policy status, no session resumed" rate=0 seconds=3 connections=256 new=10 full=100 pid=$server

busy purchases
date=$(TZ=Asia/Kolkata date -d '+3 days' +%F)
for batch in 1 64 256; do "$load" sync "$work/sync" bytes=900 batch=$batch seconds=2; done
buy() { # LABEL RATE CONNECTIONS NAME=VALUE...: once what the introductions kept waiting is worked off
	client post "$at" label="$1" rate="$2" connections="$3" warm=3 seconds="$each" date="$date" pid=$server "${@:4}"
}
purchases() { # LABEL NAME=VALUE...: the peak and the rates, of a server that knows no sessions of those before
	local round rate
	stop $server
	serve "$work/data" "$work/log"
	for ((round = 0; round < rounds && round < 3; round++)); do
		buy "$1, peak" 0 256 "${@:2}"
		for rate in $rates; do buy "$1" "$rate" 512 "${@:2}"; done
	done
}
purchases "idempotent purchase" new=10
purchases "idempotent purchase, TLS 1.2" new=10 tls=12
purchases "idempotent purchase, connections kept" new=0
curl -s --cacert "$work/id/ca.pem" --cert "$work/clients/0000.pem" "https://localhost:${at#*:}/metrics" | awk '$1 == "tenfold_insure_keys" { keys = $2 } $1 == "tenfold_insure_commits_total" { commits = $2 }
	$1 == "tenfold_insure_sync_seconds_sum" { sync = $2 } END { printf "{\"bench\":\"group commits\",\"keys\":%d,\"commits\":%d,\"keys_per_commit\":%.1f,\"ms_per_commit\":%.2f}\n", keys, commits, keys / commits, 1000 * sync / commits }'
stop $server
du -s --block-size=1 "$work/data/log" "$work/data/state" "$work/data/keys" "$work/data.audit" |
	awk '{ n = split($2, p, "/"); sub(/^data\./, "", p[n]); s = s sprintf("%s\"%s\":%d", s ? "," : "", p[n], $1) } END { print "{\"bench\":\"bytes on disk\"," s "}" }'
busy end

# What is wanted beside what was got; a busy machine gets less.
jq -nc --slurpfile l "$work/lines" 'def rows(n): [$l[] | select(.bench == n)]; def median: sort | .[length / 2 | floor];
	def peak(n): [rows(n)[].answered_per_s] | median; def cpu(n): [rows(n)[].server_cpu_us_per_request] | median; def two: if . then . * 100 | round / 100 else . end;
	def ratio(a; b): if rows(b) == [] then null else {peak: (peak(a) / peak(b) | two), server_cpu: (cpu(b) / cpu(a) | two)} end;
	def tail(n): if rows(n) == [] then null else [rows(n)[].p99_us] | median / 1000 | two end;
	def ms(n): rows(n) | map({offered_per_s, answered_per_s, p99_ms: (.p99_us / 1000 | two)});
	def cores(n): [rows(n + ", peak")[] | .generator_cpu_us_per_request + .server_cpu_us_per_request] | median | . * 20000 / 1000000 | two;
	def bought(n): {peak: peak(n + ", peak"), peak_p99_ms: tail(n + ", peak"), cores: cores(n), got: ms(n)};
	{bench: "wanted and got", status_over_nginx: {want: 0.3, aim: 0.6, got: ratio("policy status, peak"; "nginx static, peak"),
		connections_kept: ratio("policy status, connections kept"; "nginx static, connections kept")},
	status_at_80_percent: {want_p99_ms: 20, aim: 5, got: ms("policy status, 80 % of peak"), p99_ms: tail("policy status, 80 % of peak"), nginx_p99_ms: tail("nginx static, 80 % of peak")},
	purchases: {want_per_s: 20000, aim: 40000, want_p99_ms: 25, new_connections: bought("idempotent purchase"),
		tls_1_2: bought("idempotent purchase, TLS 1.2"), connections_kept: bought("idempotent purchase, connections kept")},
	idle: {connections: 10000, want_bytes_below: 1000000000, got: (rows("idle TLS connections")[0] | {idle, resident_bytes})},
	other_answers: ([$l[] | .refused // 0, .failed // 0, .broken] | add), generator_cpu_percent_max: ([$l[].generator_cpu_percent // 0] | max)}'
