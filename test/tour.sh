#!/bin/bash
# README.md's five-minute tour: every ```console block is run, one after the other, in one empty directory.
# In a block `$ ` begins a command, `> ` goes on with it, and the lines behind it are what it prints on stdout. `...` there
# stands for anything, across lines too. A command exits 0, or N where it ends in the comment `# exit N`. A command that shows no
# output may print anything. One promise per block, named by the heading above it.
set -u
cd "$(dirname "$0")/.."
readme=$PWD/README.md
PATH=$(realpath "${TENFOLD_BUILD:-$(dirname "${TENFOLD:-build/tenfold}")}"):$PATH
if ! command -v tenfold-meter >/dev/null; then
	echo "skip - the README's tour (no tenfold-meter)"
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tour"
cd "$dir/tour" || exit 1

# as_pattern EXPECTED: a pattern of bash's that matches it, `...` being anything.
as_pattern() {
	local p=${1//\\/\\\\} c
	for c in '*' '?' '[' ']' '(' ')' '+' '@' '!'; do p=${p//"$c"/\\$c}; done
	printf '%s' "${p//.../*}"
}

reason=""
# one COMMAND EXPECTED SHOWN: runs it; the reason is kept where it is not as told.
one() {
	local wanted=0 out code
	if [[ $1 =~ \#\ exit\ ([0-9]+)$ ]]; then wanted=${BASH_REMATCH[1]}; fi
	out=$(bash -c "$1" 2>"$dir/err" </dev/null)
	code=$?
	[ -z "$reason" ] || return
	if [ $code != "$wanted" ]; then
		reason="exit $code of: $1"
	elif [ "$3" = yes ] && [[ $out != $(as_pattern "$2") ]]; then
		reason="printed otherwise: $1"
	else
		return
	fi
	printf '%s\n' "$out" | head -20 >"$dir/out"
}

# block HEADING LINES: splits a block into commands with what they print.
block() {
	local command="" expected="" shown=no line
	reason=""
	while IFS= read -r line; do
		case $line in
		'$ '*)
			[ -z "$command" ] || one "$command" "$expected" $shown
			command=${line#'$ '} expected="" shown=no
			;;
		'> '* | '>')
			command+=$'\n'${line#'>'}
			command=${command/$'\n '/$'\n'}
			;;
		*)
			[ $shown = no ] || expected+=$'\n'
			expected+=$line
			shown=yes
			;;
		esac
	done <<<"$2"
	one "$command" "$expected" $shown
	if [ -z "$reason" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: ${reason%%$'\n'*}"
		sed 's/^/# /' "$dir/out" "$dir/err"
	fi
}

heading="" lines="" inside=no number=0
while IFS= read -r line; do
	case $inside,$line in
	no,'### '*) heading=${line#'### '} number=0 ;;
	no,'```console') inside=yes lines="" ;;
	yes,'```')
		inside=no
		number=$((number + 1))
		block "$heading $number" "${lines%$'\n'}"
		;;
	yes,*) lines+=$line$'\n' ;;
	esac
done <"$readme"
[ -n "$heading" ] || echo "not ok - README.md has a tour"
