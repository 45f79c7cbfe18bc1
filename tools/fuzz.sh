#!/bin/bash
# Runs every fuzz target for some seconds: tools/fuzz.sh SECONDS [TARGET...]. One TAP line per target.
# Seeds are made by fuzz/seeds.py; what a run finds worth keeping stays in build-check/corpus, and an input that broke the
# target in build-check/findings. fuzz/corpus/<target>/ holds inputs that once broke it.
set -u
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift
dir=build-check/fuzz

options=()
[ -f $dir/build.ninja ] || options=(-Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link)
CC=clang-14 tools/build.sh $dir --all "${options[@]}" >&2 # a target that was not built fails below, by name
mkdir -p build-check/corpus build-check/findings
fuzz/seeds.py build-check/seeds
targets=${*:-$(meson introspect $dir --targets | jq -r '.[] | select(.type == "executable" and (.name | endswith("_fuzz"))) | .name')}
[ -n "$targets" ] || { echo "skip - fuzz (no target)"; exit 0; }

fuzz_one() {
	local target=$1 name=${1%_fuzz}
	mkdir -p "build-check/corpus/$name"
	local seeds="" d
	for d in "fuzz/corpus/$name" "build-check/seeds/$name"; do
		[ ! -d "$d" ] || seeds="$seeds $d"
	done
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "build-check/fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
		-max_len=65536 -seed=1 -print_final_stats=1 -artifact_prefix="build-check/findings/$name-" \
		"build-check/corpus/$name" $seeds >"build-check/findings/$name.log" 2>&1 </dev/null
	local code=$?
	local runs
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build-check/findings/$name.log")
	if [ $code = 0 ]; then
		echo "ok - fuzz $name (${runs:-0} inputs)"
	else
		echo "not ok - fuzz $name"
		grep -E 'ERROR|SUMMARY|runtime error|Test unit written|^    #[0-9]' "build-check/findings/$name.log" | head -12 | sed 's/^/# /'
	fi
}
export -f fuzz_one
export seconds
echo $targets | tr ' ' '\n' | xargs -r -P "$(nproc)" -I '{}' bash -c 'fuzz_one {}' | tee build-check/findings/result.tap
! grep -q '^not ok' build-check/findings/result.tap
