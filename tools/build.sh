#!/bin/sh
# Configures and builds one build directory: tools/build.sh DIR [--all] [meson setup options].
# Programs (tenfold, tenfold-*) are built; with --all the tests and benches too. The programs are then linked into DIR
# itself, side by side, because Meson leaves each in its own folder and `tenfold` looks for the others beside itself.
set -eu
cd "$(dirname "$0")/.."

dir=$1
shift
all=no
if [ "${1:-}" = --all ]; then
	all=yes
	shift
fi

if [ ! -f "$dir/build.ninja" ]; then
	mkdir -p "$dir"
	if ! meson setup "$dir" "$@" >"$dir.setup.log" 2>&1; then
		cat "$dir.setup.log" >&2
		exit 2
	fi
	mv "$dir.setup.log" "$dir/setup.log"
	echo "$*" >"$dir/setup.options"
elif [ "$#" -gt 0 ] && [ "$*" != "$(cat "$dir/setup.options" 2>/dev/null)" ]; then
	meson configure "$dir" "$@"
	echo "$*" >"$dir/setup.options"
fi

# Brings build.ninja up to date with the meson.build files, so that the list of programs below is the present one.
ninja -C "$dir" build.ninja >"$dir/build.log" 2>&1 || {
	cat "$dir/build.log" >&2
	exit 2
}
programs=$(meson introspect "$dir" --targets |
	jq -r --arg root "$PWD/$dir/" '.[] | select(.type == "executable" and (.name | test("^tenfold(-|$)")))
		| .filename[0] | ltrimstr($root)')
goals=$programs
[ "$all" = no ] || goals="-k 0" # everything that can be built, so that one broken program hides no other's tests
code=0
if [ -t 1 ]; then
	ninja -C "$dir" $goals || code=2
else
	ninja -C "$dir" --quiet $goals >"$dir/build.log" 2>&1 || code=2
	[ $code = 0 ] || cat "$dir/build.log" >&2
fi

for p in $programs; do
	[ ! -f "$dir/$p" ] || ln -f "$dir/$p" "$dir/$(basename "$p")"
done
exit $code
