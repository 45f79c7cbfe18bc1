#!/bin/bash
# serve answers what openapi.yaml says (tools/schemathesis.sh).
set -u
cd "$(dirname "$0")/../../.."
. test/lib_serve.sh
use_system meter "serve answers what openapi.yaml says"
"$program" simulate --meters 3 --days 40 --start 2025-03-01 --zone UTC --seed 1 --format csv --out "$work/in" >/dev/null
printf 'start,X1\n2025-03-01T00:00Z,x\n' >"$work/in/bad.csv"
"$program" load --data "$work/data" "$work"/in/* >/dev/null
printf 'account,transformer,feeder,zone,region\nS000000001,T1,F1,Z1,R1\n' >"$work/network.csv"
"$program" network --data "$work/data" "$work/network.csv" >/dev/null
"$program" tier --data "$work/data" --now 2025-04-13T00:00:00Z >/dev/null
serve data --publish-every 10 --tier-every 0
answers_its_contract
