#!/bin/bash
# The gateway by insure: policy status with 10 million policies beside nginx serving a static file of that size, and durable
# idempotent purchases beside what the disk does by itself. Plain HTTP. JSON lines; the generator's CPU is in each.
# Open loop where a rate is offered: latency counts from when a request was due. POLICIES, SECONDS_EACH, RATES change it.
set -eu
program=$(realpath "$(dirname "$TENFOLD")")/tenfold-insure
load=$TENFOLD_BUILD/bench/gateway_load
policies=${POLICIES:-10000000} each=${SECONDS_EACH:-8} rates=${RATES:-20000 40000}
ninja -C "$TENFOLD_BUILD" bench/gateway_load >/dev/null
work=$(mktemp -d "${TMPDIR:-/tmp}/tenfold-gateway.XXXXXX")
server="" nginx_pid=""
end() {
	local p
	for p in $server $nginx_pid; do kill -9 $p && wait $p; done 2>/dev/null
	rm -rf "$work"
}
trap end EXIT
nap() { read -r -t "$1" <> <(:) || true; }
field() { jq -r "$1" <<<"$2"; }

echo "load average $(cut -d' ' -f1-3 /proc/loadavg): figures of a busy machine are lower"
line=$("$program" simulate --data "$work/data" --policies "$policies" --json)
jq -c '{bench: "policies sold in bulk", policies, log_bytes, seconds, per_s: (.policies / .seconds | round)}' <<<"$line"

begun=$(date +%s%3N)
"$program" serve --data "$work/data" --listen 127.0.0.1:0 --insecure-partner-header --rate 0 --connections 4096 --quiet 2>"$work/log" &
server=$!
until at=$(jq -rR 'fromjson? | select(.event == "serve.ready") | .address' "$work/log") && [ -n "$at" ]; do
	kill -0 $server || { cat "$work/log"; exit 1; }
	nap 0.05
done
memory=$(awk '/VmRSS/ { print $2 * 1024 }' /proc/$server/status)
jq -nc --argjson ms $(($(date +%s%3N) - begun)) --argjson memory "$memory" --argjson policies "$policies" \
	'{bench: "opened", policies: $policies, ms: $ms, resident_bytes: $memory, bytes_per_policy: ($memory / $policies | round)}'

# One worker of nginx and a file as long as a policy's answer.
static=""
if command -v nginx >/dev/null; then
	mkdir -p "$work/static"
	curl -s "http://$at/insure/v1/policies/P000000000098" -H 'X-Partner: bench' >"$work/static/policy"
	static=127.0.0.1:$((20000 + RANDOM % 10000))
	cat >"$work/nginx.conf" <<END
daemon off; master_process off; worker_processes 1; pid $work/nginx.pid; error_log $work/nginx.log; worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; open_file_cache max=10; default_type application/json; client_body_temp_path $work/a;
	proxy_temp_path $work/b; fastcgi_temp_path $work/c; uwsgi_temp_path $work/d; scgi_temp_path $work/e;
	server { listen $static; root $work/static; } }
END
	nginx -c "$work/nginx.conf" 2>/dev/null &
	nginx_pid=$!
	until curl -sf "http://$static/policy" >/dev/null; do nap 0.05; done
else
	echo '{"bench":"nginx","skipped":"apt-get install nginx-light"}'
fi

best=0 best_static=0
for round in 1 2 3; do # in turn, so that a busy moment hits both
	if [ -n "$static" ]; then
		line=$("$load" get "$static" label="nginx static, peak" path=/policy rate=0 seconds="$each" connections=64 new=10 pid=$nginx_pid)
		echo "$line"
		rate=$(field .answered_per_s "$line")
		[ "$rate" -le $best_static ] || best_static=$rate
	fi
	line=$("$load" get "$at" label="policy status, peak" rate=0 seconds="$each" connections=64 new=10 policies="$policies" pid=$server)
	echo "$line"
	rate=$(field .answered_per_s "$line")
	[ "$rate" -le $best ] || best=$rate
done
jq -nc --argjson a "$best" --argjson b "$best_static" '{bench: "policy status over nginx static", ratio: (if $b > 0 then ($a / $b * 100 | round / 100) else null end)}'
"$load" get "$at" label="policy status, 80 % of peak" rate=$((best * 8 / 10)) seconds="$each" connections=256 new=10 policies="$policies" pid=$server

date=$(TZ=Asia/Kolkata date -d '+3 days' +%F)
for batch in 1 64 256; do "$load" sync "$work/sync" bytes=900 batch=$batch seconds=3; done
"$load" post "$at" label="idempotent purchase, peak" rate=0 seconds="$each" connections=256 date="$date" pid=$server
for rate in $rates; do
	"$load" post "$at" label="idempotent purchase" rate="$rate" seconds="$each" connections=512 date="$date" pid=$server
done
curl -s "http://$at/metrics" | awk '$1 == "tenfold_insure_keys" { keys = $2 } $1 == "tenfold_insure_commits_total" { commits = $2 }
	$1 == "tenfold_insure_sync_seconds_sum" { sync = $2 } END { printf "{\"bench\":\"group commits\",\"keys\":%d,\"commits\":%d,\"keys_per_commit\":%.1f,\"ms_per_commit\":%.2f}\n", keys, commits, keys / commits, 1000 * sync / commits }'
kill -TERM $server
wait $server
server=""
du -s --block-size=1 "$work/data/log" "$work/data/state" "$work/data/keys" | awk '{ n = split($2, p, "/"); s = s sprintf("%s\"%s\":%d", s ? "," : "", p[n], $1) } END { print "{\"bench\":\"bytes on disk\"," s "}" }'
