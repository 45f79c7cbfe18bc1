#!/bin/bash
# Runs one test program and prints one TAP line per test function: tools/cmocka.sh LABEL LOG SECONDS DIR PROGRAM [ARG...].
# It runs in DIR, as meson would. cmocka's own words decide ([ OK ], [ FAILED ], [ SKIPPED ]); a test that began and did not
# end is a failure, and so is an exit code that no failed test explains (an abort, a leak, a group's setup). A program that
# does not speak cmocka is one promise, kept by exit code 0, skipped by 77. All it printed is kept in LOG.
set -u
label=$1
log=$2
seconds=$3
cwd=$4
shift 4

dir=$(mktemp -d "${TMPDIR:-/tmp}/tenfold-test.XXXXXX")
trap 'rm -rf "$dir"' EXIT
log=$(realpath "$log")
(cd "$cwd" && TMPDIR=$dir exec timeout -k 10 "$seconds" "$@") >"$log" 2>&1 </dev/null
code=$?

awk -v label="$label" -v code=$code '
	function name(line) { sub(/^.*\] /, "", line); gsub(/[^A-Za-z0-9_. -]/, "_", line); return line }
	function end(word, suffix) { print word " - " label ": " current suffix; current = "" }
	/\[==========\] Running / { cmocka = 1 }
	/\[ RUN      \] / { if (current != "") { end("not ok", " (did not end)"); bad++ } current = name($0); next }
	/\[       OK \] / { if (current != "") { end("ok", ""); count++ } next }
	/\[  SKIPPED \] / { if (current != "") { end("skip", ""); count++ } next }
	/\[  FAILED  \] / { if (current != "") { end("not ok", ""); bad++ } next }
	END {
		if (current != "") { end("not ok", " (did not end, exit " code ")"); bad++ }
		if (code == 77 && !cmocka) print "skip - " label
		else if (code != 0 && !bad) print "not ok - " label ": exit " code
		if (code == 0 && cmocka && !bad && !count) print "not ok - " label ": no test ran"
		if (code == 0 && !cmocka) print "ok - " label
	}' "$log"
