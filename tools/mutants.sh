#!/bin/bash
# `make mutants`: takes each safeguard away (test/mutants/NNN-name.patch) and sees the suite fail on every one.
# tools/mutants.sh [NNN...]
#
# A patch opens with two header lines, then a unified diff with a/ and b/ paths:
#   Safeguard: what it takes away
#   Caught by: names of cmocka programs (as meson test names) and scripts (test/x.sh), comma separated
# Those named are built and run first; where they let the mutant live, everything is. A mutant that survives, whose patch
# does not apply, or that does not compile, fails. Only a test that passes on the untouched tree can catch.
# Works in a copy of the tree with one build directory for all mutants; the last line is a count line.
set -u
cd "$(dirname "$0")/.."
root=$PWD
want=$*

copy=$(mktemp -d "${TMPDIR:-/tmp}/tenfold-mutants.XXXXXX")
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
git ls-files -co --exclude-standard -z | while IFS= read -r -d '' f; do
	[ -e "$f" ] || [ -L "$f" ] && printf '%s\0' "$f"
done | tar -c --null --no-recursion -T - | tar -x -C "$copy"
[ ! -d .deps ] || ln -s "$root/.deps" "$copy/.deps"
mkdir -p build-check
cd "$copy" || exit 2

passed=0 failed=0 skipped=0
note() { # WORD NAME DETAIL
	echo "$1 - $2${3:+: $3}"
	case $1 in
	ok) passed=$((passed + 1)) ;;
	skip) skipped=$((skipped + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
}

header() { sed -n "/^--- /q; s/^$1: *//p" "$2"; }

patches=""
for p in test/mutants/*.patch; do
	[ -f "$p" ] || continue
	number=$(basename "$p" | cut -d- -f1)
	[ -z "$want" ] || [[ " $want " == *" $number "* ]] || continue
	patches="$patches $p"
done

# A program that does not build is found out below: the tests that need it fail without a mutant.
tools/build.sh build --all -Dwerror=false >build.out 2>&1 || grep -E 'error|undefined' build.out | head -5
meson introspect build --tests >tests.json

# run_named NAME...: 0 when every named test passed; prints the first that failed.
run_named() {
	local name
	for name in "$@"; do
		case $name in
		*.sh) run_script "$name" || { echo "$name"; return 1; } ;;
		*) run_program "$name" || { echo "$name"; return 1; } ;;
		esac
	done
}

run_program() {
	local IFS=$'\t'
	local command=($(jq -r --arg n "$1" '[.[] | select(.name == $n)][0].cmd // ["/nonexistent"] | @tsv' tests.json))
	tools/cmocka.sh "$1" last.log 240 build "${command[@]}" >last.tap
	! grep -q '^not ok' last.tap
}

run_script() {
	mkdir -p tmp
	TMPDIR=$copy/tmp TENFOLD=$copy/build/tenfold TENFOLD_BUILD=$copy/build TENFOLD_SHORT=yes \
		timeout -k 10 300 "$1" >last.tap 2>last.log </dev/null
	local code=$?
	rm -rf tmp
	[ $code = 0 ] && ! grep -q '^not ok' last.tap
}

all_programs() { jq -r '.[].name' tests.json; }
all_scripts() { for s in test/*.sh systems/*/test/*.sh; do [ ! -x "$s" ] || head -20 "$s" | grep -q '^# tool' || echo "$s"; done; }

# What the named tests need, so that a mutant rebuilds no more: their programs, or everything for a script.
goals() {
	local name
	for name in "$@"; do
		case $name in
		*.sh) tools/build.sh build >build.out 2>&1 || return 1 ;;
		*) ninja -C build --quiet "$(jq -r --arg n "$name" --arg root "$copy/build/" \
			'[.[] | select(.name == $n)][0].cmd[0] // "" | ltrimstr($root)' tests.json)" >build.out 2>&1 || return 1 ;;
		esac
	done
}

named() { header 'Caught by' "$1" | tr ',' '\n' | sed 's/^ *//; s/ *$//' | grep . ; }

# On the untouched tree: what fails there can catch nothing.
usable=""
for name in $(for p in $patches; do named "$p"; done | sort -u); do
	if run_named "$name" >/dev/null; then usable="$usable $name"; else echo "# fails without a mutant: $name"; fi
done

take_away() { patch -p1 --forward --batch --quiet --no-backup-if-mismatch -r - <"$1" >patch.out 2>&1; }
put_back() { patch -p1 -R --batch --quiet --no-backup-if-mismatch <"$1" >patch.out 2>&1 || { cat patch.out; exit 2; }; }

# caught_by_any PATCH: the first test of all that fails with the mutant and passes without. Leaves the mutant in place.
caught_by_any() {
	local name
	tools/build.sh build --all >build.out 2>&1
	for name in $(all_programs) $(all_scripts); do
		run_named "$name" >/dev/null && continue
		put_back "$1"
		tools/build.sh build --all >build.out 2>&1
		if run_named "$name" >/dev/null; then
			take_away "$1"
			echo "$name"
			return
		fi
		take_away "$1"
		tools/build.sh build --all >build.out 2>&1
	done
}

for p in $patches; do
	name=$(basename "$p" .patch)
	safeguard=$(header Safeguard "$p")
	tests=$(named "$p")
	start=$SECONDS
	bad=$(for t in $tests; do [[ " $usable " == *" $t "* ]] || echo "$t"; done | paste -sd ' ')
	if [ -z "$safeguard" ] || [ -z "$tests" ]; then
		note 'not ok' "$name" "its header names no safeguard or no test"
		continue
	elif [ -n "$bad" ]; then
		note 'not ok' "$name" "without the mutant there is no passing $bad"
		continue
	elif ! take_away "$p"; then
		note 'not ok' "$name" "does not apply"
		patch -p1 -R --batch --quiet --force --no-backup-if-mismatch -r - <"$p" >/dev/null 2>&1
		git -C "$root" ls-files -co --exclude-standard -z -- $(sed -n 's,^+++ b/,,p' "$p" | cut -f1) | (cd "$root" && xargs -0 -r cp --parents -t "$copy")
		continue
	fi
	if ! goals $tests; then
		note 'not ok' "$name" "does not compile"
		grep -m 3 error build.out | sed 's/^/# /'
	elif catcher=$(run_named $tests); [ -n "$catcher" ]; then
		note ok "$name" "$safeguard: caught by $catcher in $((SECONDS - start)) s"
	elif catcher=$(caught_by_any "$p"); [ -n "$catcher" ]; then
		note ok "$name" "$safeguard: caught by $catcher, not by those named, in $((SECONDS - start)) s"
	else
		note 'not ok' "$name" "$safeguard: SURVIVED"
	fi
	put_back "$p"
done
[ -n "$patches" ] || note 'not ok' mutants "there are none"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
