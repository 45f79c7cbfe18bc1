#!/bin/bash
# serve answers what openapi.yaml says: schemathesis makes up requests from the contract, good and bad, and looks at every
# answer: its status, type, headers and shape. Skipped where it cannot be had (tools/schemathesis.sh).
set -u
cd "$(dirname "$0")/../../.."
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-meter
tool=${SCHEMATHESIS:-$(tools/schemathesis.sh)}
if [ -z "$tool" ] || [ ! -x "$program" ]; then
	echo "skip - serve answers what openapi.yaml says (no schemathesis)"
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
# Which values a parameter may have beyond its schema (a date that exists, a zone) only the server knows: what it refuses
# with 400 is right, so positive_data_acceptance is not asked for.
contract=$PWD/systems/meter/openapi.yaml
(cd "$work" && "$tool" run "$contract" --url "http://$address" --seed 1 --max-examples "${EXAMPLES:-10}" --phases examples,coverage,fuzzing \
	--checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,missing_required_header,unsupported_method \
	--no-color) >"$work/out" 2>&1
code=$?
kill -TERM $pid
wait $pid
ended=$?
pid=""
if [ $code = 0 ]; then
	echo "ok - serve answers what openapi.yaml says"
else
	echo "not ok - serve answers what openapi.yaml says"
	grep -vE '^ *$' "$work/out" | tail -n "${LINES_TOLD:-40}" | sed 's/^/# /'
fi
[ $ended = 0 ] && echo "ok - serve outlives it" || echo "not ok - serve outlives it: exit $ended"
"$program" verify --data "$work/data" >/dev/null && echo "ok - verify finds nothing after it" || echo "not ok - verify finds nothing after it"
