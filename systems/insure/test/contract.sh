#!/bin/bash
# serve answers what openapi.yaml says (tools/schemathesis.sh).
set -u
cd "$(dirname "$0")/../../.."
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-insure
if [ ! -x "$program" ]; then
	echo "skip - serve answers what openapi.yaml says (no tenfold-insure)"
	exit 0
fi
work=$(mktemp -d)
pid=""
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
"$program" simulate --data "$work/data" --policies 1000 --partner exchange >/dev/null
"$program" serve --data "$work/data" --listen 127.0.0.1:0 --insecure-partner-header --rate 0 2>"$work/log" &
pid=$!
for _ in $(seq 200); do
	address=$(jq -rR 'fromjson? | select(.event == "serve.ready") | .address' "$work/log")
	[ -z "$address" ] || break
	read -r -t 0.05 <> <(:) || true
done
tools/schemathesis.sh systems/insure/openapi.yaml "http://$address" -H "X-Partner: exchange"
kill -TERM $pid
wait $pid
ended=$?
pid=""
[ $ended = 0 ] && echo "ok - serve outlives it" || echo "not ok - serve outlives it: exit $ended"
"$program" verify --data "$work/data" >/dev/null && echo "ok - verify finds nothing after it" || echo "not ok - verify finds nothing after it"
