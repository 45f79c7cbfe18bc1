#!/bin/sh
# Fetches DuckDB: leaves .deps/duckdb/libduckdb.so and .deps/duckdb/duckdb.h, both pinned by hash, and does nothing when
# they are there already. The library is in npm's @duckdb/node-bindings-linux-* (hash in package-lock.json). Its header
# is in npm's duckdb, which is packed and not installed, because only this one file of it is wanted and not what it
# depends on. No script of a package is run. Why from npm: docs/decisions/duckdb.md.
set -eu
cd "$(dirname "$0")/.."

header_package=duckdb@1.4.4
header_sha512=844249e61c9517454b8f776638ba6c5ab411d1bddde1892ab72826ea25178c72430e74aa83f5122b171be6abcdace84560f824b5ac94e9d5c2b603ea7269a9a2
header_path=package/src/duckdb/src/include/duckdb.h

case $(uname -m) in
x86_64) bindings=@duckdb/node-bindings-linux-x64 ;;
aarch64) bindings=@duckdb/node-bindings-linux-arm64 ;;
*) echo "duckdb: no library for $(uname -m) on npm" >&2; exit 2 ;;
esac

out=.deps/duckdb
stamp="$(uname -m) $header_sha512 $(sha512sum <package-lock.json)"
if [ -f $out/libduckdb.so ] && [ -f $out/duckdb.h ] && [ "$(cat $out/stamp 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi
command -v npm >/dev/null || { echo "duckdb: npm is missing: apt-get install npm" >&2; exit 2; }
echo "duckdb: fetching $bindings and the header of $header_package" >&2

mkdir -p .deps
work=$(mktemp -d .deps/fetch.XXXXXX)
trap 'rm -rf "$work"' EXIT
npm_quiet() { # every npm call: nothing it prints is wanted unless it fails
	(cd "$work" && npm "$@" --ignore-scripts --no-audit --no-fund >npm.log 2>&1) || {
		cat "$work/npm.log" >&2
		echo "duckdb: npm $1 failed" >&2
		exit 2
	}
}

cp package.json package-lock.json "$work"
npm_quiet ci
npm_quiet pack "$header_package"
tarball=$work/duckdb-${header_package#*@}.tgz
echo "$header_sha512  $tarball" | sha512sum --check --status || {
	echo "duckdb: the header's package is not the pinned one: $(sha512sum "$tarball")" >&2
	exit 2
}
tar -xzf "$tarball" -C "$work" "$header_path" package/LICENSE

rm -rf "$work/out"
mkdir "$work/out"
mv "$work/node_modules/$bindings/libduckdb.so" "$work/$header_path" "$work/out"
mv "$work/package/LICENSE" "$work/out/LICENSE"
echo "$stamp" >"$work/out/stamp"
rm -rf $out
mv "$work/out" $out
