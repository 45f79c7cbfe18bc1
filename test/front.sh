#!/bin/bash
# The front program: what it finds, what it hands over, what it exits with.
set -u
. "$(dirname "$0")/lib.sh"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT

mkdir -p "$bin/bin" "$bin/libexec/tenfold"
cp "$TENFOLD" "$bin/bin/tenfold"
cat >"$bin/bin/tenfold-alpha" <<'END'
#!/bin/sh
printf '%s|' "$@"
exit 75
END
cp "$bin/bin/tenfold-alpha" "$bin/libexec/tenfold/tenfold-beta"
printf 'not a program' >"$bin/bin/tenfold-gamma"
chmod +x "$bin/bin/tenfold-alpha" "$bin/libexec/tenfold/tenfold-beta"

help=$("$bin/bin/tenfold" --help)
promise "help lists the systems found in both folders" grep -qx 'systems: alpha beta' <<<"$help"
promise "version names the program" grep -qE '^tenfold [0-9]+\.[0-9]+\.[0-9]+$' <<<"$("$bin/bin/tenfold" --version)"

out=$("$bin/bin/tenfold" alpha verb --json 'two words' '')
code=$?
promise "arguments reach the system unchanged" test "$out" = 'verb|--json|two words||'
promise "the system's exit code is the front's" test $code = 75
promise "a system in libexec is found" test "$("$bin/bin/tenfold" beta x)" = 'x|'

ln -s "$bin/bin/tenfold" "$bin/link"
promise "a symbolic link finds the systems beside its target" test "$("$bin/link" alpha x)" = 'x|'

err=$("$bin/bin/tenfold" nosuch 2>&1 >/dev/null)
promise "an unknown system is a usage error" test $? = 2
promise "an unknown system's message names it and those there are" test "$err" = "tenfold: no system 'nosuch'
systems: alpha beta"
"$bin/bin/tenfold" ../bin/tenfold-alpha >/dev/null 2>&1
promise "a path is not a system" test $? = 2
"$bin/bin/tenfold" >/dev/null 2>&1
promise "no arguments is a usage error" test $? = 2
"$bin/bin/tenfold" gamma >/dev/null 2>&1
promise "a file that cannot be run is a temporary failure" test $? = 75
