#!/bin/bash
# `make check`: everything a commit must pass. tools/check.sh [--long] [--only STEP[,STEP...]]
# Steps: format layers plain asan tsan scripts fuzz tidy. Each prints TAP lines (ok - / not ok - / skip -) into a file;
# progress and failures are shown as they come, and the very last line is `N passed, N failed, N skipped`, one count per
# test function, scripted promise, fuzz target, checked file or rule. Exit 0 only if none failed.
set -u
cd "$(dirname "$0")/.."

long=no
only=""
while [ $# -gt 0 ]; do
	case $1 in
	--long) long=yes ;;
	--only) shift; only=",$1," ;;
	*) echo "usage: tools/check.sh [--long] [--only STEP,...]" >&2; exit 2 ;;
	esac
	shift
done

work=$PWD/build-check
results=$work/results
rm -rf "$results"
mkdir -p "$results"
jobs=$(nproc)
export TENFOLD_CHECK_LONG=$long
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
export LSAN_OPTIONS=suppressions=$PWD/tools/lsan.supp:print_suppressions=0

# step NAME COMMAND...: runs it with its TAP in a file of its own; shows how it went.
step() {
	local name=$1
	shift
	[ -z "$only" ] || [[ $only == *",$name,"* ]] || return 0
	local tap=$results/$name.tap start=$SECONDS
	echo "== $name"
	"$@" >"$tap" 2>"$results/$name.err"
	grep -E '^not ok' -A 20 "$tap" | grep -E '^(not ok|#)'
	if ! grep -qE '^(ok|not ok|skip)' "$tap"; then
		echo "not ok - $name: gave no result" | tee -a "$tap"
		tail -20 "$results/$name.err"
	fi
	grep -E '^# advice' "$tap"
	printf '   %s: %d passed, %d failed, %d skipped, %d s\n' "$name" $(count ok "$tap") $(count 'not ok' "$tap") \
		$(count skip "$tap") $((SECONDS - start))
}

count() { cat "${@:2}" 2>/dev/null | grep -cE "^$1( |$)"; }

check_format() {
	git ls-files -co --exclude-standard '*.c' '*.h' | while read -r f; do
		[ ! -f "$f" ] || [ -L "$f" ] || echo "$f"
	done >"$results/format.files"
	if clang-format-14 --dry-run -Werror $(cat "$results/format.files") 2>"$results/format.log"; then
		echo "ok - every C file is formatted"
	else
		echo "not ok - every C file is formatted"
		grep -E 'error:' "$results/format.log" | cut -d: -f1 | sort -u | sed 's/^/# make format: /'
	fi
}

build() { # NAME DIR OPTIONS...: one TAP line for "it builds without a warning"
	local name=$1 dir=$2
	shift 2
	if tools/build.sh "$dir" --all "$@" >"$results/build-$name.log" 2>&1; then
		echo "ok - builds: $name"
	else
		echo "not ok - builds: $name"
		grep -E 'error|FAILED|warning' "$results/build-$name.log" | head -20 | sed 's/^/# /'
		return 1
	fi
}

# tests LABEL DIR [PATTERN]: every cmocka program of a build, or those whose name matches. An executable that cannot be
# started, or an aborted one, counts as a failure (tools/cmocka.sh).
tests() {
	local label=$1 dir=$2 pattern=${3:-.}
	mkdir -p "$results/$label"
	meson introspect "$dir" --tests | jq -r --arg p "$pattern" --arg d "$PWD/$dir" '.[] | select(.name | test($p)) |
		[.name, ([.timeout * 6, 300] | max), .workdir // $d] + .cmd | @tsv' >"$results/$label/list"
	export -f one_test
	export results label
	tr '\n' '\0' <"$results/$label/list" | xargs -0 -r -P "$jobs" -I '{}' bash -c 'one_test "$1"' - '{}'
	cat "$results/$label"/*.tap 2>/dev/null
}

one_test() {
	local IFS=$'\t'
	local field=($1) words=()
	IFS=' ' read -ra words <<<"$wrap"
	local base=$results/$label/${field[0]//[^A-Za-z0-9_.-]/_}
	tools/cmocka.sh "$label ${field[0]}" "$base.log" "${field[1]}" "${field[2]}" "${words[@]}" "${field[@]:3}" >"$base.tap"
	if grep -q '^not ok' "$base.tap"; then
		grep -E '\[  ERROR   \]|---|error:|ERROR:|SUMMARY:|Expected|!=' "$base.log" | head -12 | sed 's/^/# /' >>"$base.tap"
	fi
}
export wrap="" # a command and one option that the programs are started with

check_plain() { build plain build-check/plain; tests plain build-check/plain; }
# gcc's flow warnings are often wrong on instrumented code: there they are not errors, as they are in the plain build.
check_asan() {
	build asan build-check/asan -Db_sanitize=address,undefined -Dwerror=false
	tests asan build-check/asan
}

# Those that start workers: their sources say so.
check_tsan() {
	build tsan build-check/tsan -Db_sanitize=thread -Dwerror=false
	# ThreadSanitizer wants its fixed address space; gcc 12's does not know the wider randomisation of newer kernels.
	if setarch -R true 2>/dev/null; then wrap="setarch -R"; fi
	local names
	names=$(meson introspect build-check/tsan --targets | jq -r --arg root "$PWD/" '.[] | select(.type == "executable") |
		.name as $n | .target_sources[].sources[]? | select(endswith("_test.c")) | $n + "\t" + .' |
		while IFS=$'\t' read -r name source; do
			! grep -qE 'tf_os_start|pthread_create|tf_pool_start|tf_workers' "$source" || echo "$name"
		done | sort -u | paste -sd '|')
	[ -n "$names" ] || { echo "skip - tsan (no test starts workers)"; return; }
	local programs
	programs=$(meson introspect build-check/tsan --tests | jq -r --arg p "/($names)\$" \
		'.[] | select(.cmd[0] | test($p)) | .name' | paste -sd '|')
	tests tsan build-check/tsan "^(${programs:-none})\$"
	wrap=""
}

# Scripted promises. A script says `# build: plain` in its first lines where the sanitizers would be in its way.
check_scripts() {
	local script kind seconds
	for script in test/*.sh systems/*/test/*.sh; do
		[ -x "$script" ] || continue
		kind=asan
		! head -20 "$script" | grep -q '^# build: plain' || kind=plain
		! head -20 "$script" | grep -q '^# tool' || continue
		seconds=1500
		[ "$long" = no ] || seconds=36000
		local log=$results/script-$(basename "$script" .sh) dir
		dir=$(mktemp -d "${TMPDIR:-/tmp}/tenfold-test.XXXXXX")
		chmod 711 "$dir" # a test may try another user's rights below it
		TMPDIR=$dir TENFOLD=$work/$kind/tenfold TENFOLD_BUILD=$work/$kind \
			timeout -k 10 $seconds "$script" >"$log.out" 2>"$log.err" </dev/null
		local code=$?
		rm -rf "$dir"
		local label
		label=$(basename "$script" .sh)
		sed -nE "s/^(ok|not ok|skip) - /\1 - $label: /p; /^#/p" "$log.out"
		if [ $code != 0 ] && ! grep -q '^not ok' "$log.out"; then
			echo "not ok - $label: exit $code"
			tail -5 "$log.err" | sed 's/^/# /'
		elif ! grep -qE '^(ok|not ok|skip) - ' "$log.out"; then
			echo "not ok - $label: promised nothing"
		elif grep -q '^not ok' "$log.out"; then
			tail -5 "$log.err" | sed 's/^/# /'
		fi
	done
}

check_fuzz() {
	local seconds=10
	[ "$long" = no ] || seconds=60
	CC=clang-14 build fuzz build-check/fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args=-fsanitize=fuzzer-no-link
	tools/fuzz.sh $seconds
}

check_tidy() {
	[ -f build-check/plain/compile_commands.json ] || tools/build.sh build-check/plain --all >&2
	tools/tidy.sh build-check/plain "$work/tidy"
}

step format check_format
step layers tools/layers.sh
step plain check_plain
step asan check_asan
step tsan check_tsan
step scripts check_scripts
step fuzz check_fuzz
step tidy check_tidy

failed=$(count 'not ok' "$results"/*.tap)
if [ "$failed" != 0 ]; then
	echo "failed:"
	cat "$results"/*.tap | grep '^not ok' | sed 's/^not ok - /   /'
fi
echo "$(count ok "$results"/*.tap) passed, $failed failed, $(count skip "$results"/*.tap) skipped"
[ "$failed" = 0 ]
