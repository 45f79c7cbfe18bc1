#!/bin/bash
# The law of layers, as far as include paths cannot enforce it. Prints one TAP line per rule, with the offending lines.
# base < os < watch < store < {flow, serve, mind} < systems < cmd.
set -u
cd "$(dirname "$0")/.."

failed=0
rule() { # NAME FOUND: FOUND empty means kept
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		echo "$2" | sed 's/^/# /'
		failed=1
	fi
}

sources() { git ls-files -co --exclude-standard -- "$@" | grep -E '\.[ch]$' | while read -r f; do [ -L "$f" ] || echo "$f"; done; }
all=$(sources .)
product=$(sources spine systems cmd | grep -vE '_test\.c$|/test/')

rule "no include climbs out of its folder" "$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"\.\./' $all)"
rule "no function or object is declared by hand with extern" \
	"$(grep -nE '^[[:space:]]*extern[[:space:]]' $(echo "$all" | grep '\.c$'))"

# upward LAYER FORBIDDEN...: includes of LAYER that name a layer standing to its right.
upward() {
	local layer=$1
	shift
	local files names
	files=$(sources "spine/$layer")
	[ -n "$files" ] || return 0
	names=$(IFS='|'; echo "$*")
	grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]+\"($names)/" $files /dev/null
}
systems=$(ls systems)
rule "a layer of the spine includes only what stands left of it" "$(
	upward base os watch store flow serve mind $systems
	upward os watch store flow serve mind $systems
	upward watch store flow serve mind $systems
	upward store flow serve mind $systems
	upward flow serve mind $systems
	upward serve flow mind $systems
	upward mind flow serve $systems
)"

rule "no system includes another" "$(
	for s in $systems; do
		others=$(echo "$systems" | grep -vx "$s" | paste -sd '|')
		[ -n "$others" ] || continue
		files=$(sources "systems/$s")
		[ -z "$files" ] || grep -nE "#[[:space:]]*include[[:space:]]+\"($others)/" $files /dev/null
	done
)"

# A library's include directories are those of its own layer and below: the variables are named LAYER_inc, LAYER_dep.
allowed() {
	case $1 in
	base) echo base ;;
	os) echo base os ;;
	watch) echo base os watch ;;
	store) echo base os watch store ;;
	flow | serve | mind) echo base os watch store "$1" ;;
	esac
}
rule "a layer's meson.build names no layer to its right" "$(
	for layer in base os watch store flow serve mind; do
		[ -f "spine/$layer/meson.build" ] || continue
		keep=$(allowed $layer | tr ' ' '|')
		grep -noE '\b(base|os|watch|store|flow|serve|mind)_(inc|lib|dep)\b' "spine/$layer/meson.build" |
			grep -vE ":($keep)_(inc|lib|dep)$" | sed "s,^,spine/$layer/meson.build:,"
	done
)"

rule "no call without a bound on what it writes or reads" "$(
	grep -nE '(^|[^a-z_A-Z0-9>.])(strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atof|alloca)[[:space:]]*\(' $product /dev/null |
		grep -vE ':[[:space:]]*(/?\*|//|#)'
)"
# os is where the outside world is met: $TZDIR, and what the C library allocated itself.
rule "all heap memory comes from base/mem.h" "$(
	grep -nE '(^|[^a-z_A-Z0-9>.])(malloc|calloc|realloc|free|strdup|strndup)[[:space:]]*\(' $(echo "$product" | grep -vE '^spine/(base/mem\.|os/)') /dev/null |
		grep -vE ':[[:space:]]*(/?\*|//|#)'
)"
rule "no library of the spine exits or reads the environment" "$(
	grep -nE '(^|[^a-z_A-Z0-9>.])(exit|_exit|getenv|secure_getenv)[[:space:]]*\(' $(sources spine | grep -vE '_test\.c$|^spine/os/') /dev/null |
		grep -vE ':[[:space:]]*(/?\*|//)'
)"
rule "no file of C is longer than 800 lines" "$(
	wc -l $(echo "$product" | grep '\.c$') | awk '$1 > 800 && $2 != "total"'
)"
exit $failed
