#!/bin/bash
# serve answers what openapi.yaml says (tools/schemathesis.sh).
set -u
cd "$(dirname "$0")/../../.."
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-meter
if [ ! -x "$program" ]; then
	echo "skip - serve answers what openapi.yaml says (no tenfold-meter)"
	exit 0
fi
work=$(mktemp -d)
pid=""
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
"$program" simulate --meters 3 --days 40 --start 2025-03-01 --zone UTC --seed 1 --format csv --out "$work/in" >/dev/null
printf 'start,X1\n2025-03-01T00:00Z,x\n' >"$work/in/bad.csv"
"$program" load --data "$work/data" "$work"/in/* >/dev/null
printf 'account,transformer,feeder,zone,region\nS000000001,T1,F1,Z1,R1\n' >"$work/network.csv"
"$program" network --data "$work/data" "$work/network.csv" >/dev/null
"$program" tier --data "$work/data" --now 2025-04-13T00:00:00Z >/dev/null
"$program" serve --data "$work/data" --listen 127.0.0.1:0 --publish-every 10 --tier-every 0 2>"$work/log" &
pid=$!
for _ in $(seq 200); do
	address=$(jq -rR 'fromjson? | select(.event == "serve.ready") | .address' "$work/log")
	[ -z "$address" ] || break
	read -r -t 0.05 <> <(:) || true
done
tools/schemathesis.sh systems/meter/openapi.yaml "http://$address"
kill -TERM $pid
wait $pid
ended=$?
pid=""
[ $ended = 0 ] && echo "ok - serve outlives it" || echo "not ok - serve outlives it: exit $ended"
"$program" verify --data "$work/data" >/dev/null && echo "ok - verify finds nothing after it" || echo "not ok - verify finds nothing after it"
