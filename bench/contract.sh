#!/bin/bash
# A body of 1 KB against a schema, parsing included, in µs: ours and ajv's (npm), in turn, three times. JSON lines.
# Aim: 3 µs (1 if it can be).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ninja -C "$TENFOLD_BUILD" bench/contract_bench >/dev/null
cp contract/ajv.js "$work"
(cd "$work" && npm install --silent --no-audit --no-fund --ignore-scripts ajv@8.17.1 ajv-formats@3.0.1 >/dev/null)
bytes=$(wc -c <contract/body.json)
for run in 1 2 3; do
	ours=$("$TENFOLD_BUILD/bench/contract_bench" contract/schema.json contract/body.json)
	read -r _ both both95 <<<"$(grep both <<<"$ours")"
	read -r _ parse _ <<<"$(grep parse <<<"$ours")"
	read -r ajv ajv95 version node <<<"$(node "$work/ajv.js" contract/schema.json contract/body.json)"
	echo "{\"bench\":\"contract\",\"run\":$run,\"body_bytes\":$bytes,\"ours_us\":$both,\"ours_p95_us\":$both95,\"ours_parse_us\":$parse,\"ajv_us\":$ajv,\"ajv_p95_us\":$ajv95,\"ajv\":\"$version\",\"node\":\"$node\"}"
done
