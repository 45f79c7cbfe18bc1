#!/bin/bash
# clang-tidy-14 over the product's C files: tools/tidy.sh BUILD_DIR CACHE_DIR. One TAP line per file.
# A file whose preprocessed text, source and configuration were found clean before is not looked at again.
set -u
cd "$(dirname "$0")/.."
build=$1
cache=$2
mkdir -p "$cache"

if [ "${3:-}" = one ]; then
	file=$4
	command=$(jq -r --arg f "../$file" --arg g "../../$file" \
		'[.[] | select(.file == $f or .file == $g)][0].command // ""' "$build/compile_commands.json")
	if [ -z "$command" ]; then
		echo "skip - tidy $file (no build compiles it)"
		exit 0
	fi
	# The command without its output and dependency files, as a preprocessor.
	flags=$(echo "$command" | sed -E 's/ -o [^ ]+//; s/ -M[DQF]+( [^ -][^ ]*)?//g; s/ -c / /')
	hint=()
	[ "$file" = spine/base/err.c ] || hint=(--extra-arg=-include --extra-arg="$PWD/tools/analyzer.h")
	key=$( (cat .clang-tidy tools/analyzer.h "$file"; cd "$build" && eval "$flags -E -P -w" 2>/dev/null) | sha256sum | cut -c1-40)
	if [ -f "$cache/$key" ]; then
		cat "$cache/$key"
		exit 0
	fi
	out=$(clang-tidy-14 --quiet -p "$build" "${hint[@]}" "$file" 2>"$cache/$key.err")
	code=$?
	rm -f "$cache/$key.err"
	advice=$(echo "$out" | grep -E 'warning: .*readability-function-size' | sed 's/^/# advice: /')
	if [ $code = 0 ]; then
		{ echo "ok - tidy $file"; [ -z "$advice" ] || echo "$advice"; } | tee "$cache/$key"
	else
		echo "not ok - tidy $file"
		echo "$out" | grep -E '(error|warning): ' | sed 's/^/# /'
	fi
	exit 0
fi

git ls-files -co --exclude-standard spine systems cmd | grep '\.c$' | grep -vE '_(test|bench|probe)\.c$|/test/' |
	while read -r f; do [ -L "$f" ] || [ ! -f "$f" ] || echo "$f"; done |
	xargs -r -P "$(nproc)" -n 1 "$0" "$build" "$cache" one
