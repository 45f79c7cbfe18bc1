#!/bin/sh
# Installs the Debian packages that building (deps.sh build) or checking (deps.sh check) needs, and only those that are
# missing. Asking takes 20 ms, so every make target asks. Not root and no sudo: says which line to run, exit 2.
set -eu

build="gcc libc6-dev make meson ninja-build pkg-config libcmocka-dev libsqlite3-dev libzstd-dev libexpat1-dev
zlib1g-dev libxxhash-dev libssl-dev libcurl4-openssl-dev libyaml-dev libpcre2-dev libnghttp2-dev python3 python3-jsonschema tzdata ca-certificates jq curl"
check="git python3-venv nginx-light sqlite3 strace gawk clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev llvm-14
libxml2-utils unzip zip xz-utils openssl procps patch nghttp2-client
android-libboringssl-dev"

case "${1:-build}" in
build) want=$build ;;
check) want="$build $check" ;;
*) echo "usage: tools/deps.sh build|check" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system; it must have the equivalents of:" $want >&2
	exit 0
fi

# npm fetches DuckDB's library; any npm does.
command -v npm >/dev/null || want="$want npm"

have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $want 2>/dev/null | sed -n 's/^installed //p' || true)
missing=""
for p in $want; do
	echo "$have" | grep -qx -- "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	as=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	as="sudo"
elif command -v sudo >/dev/null && [ -t 0 ]; then
	as="sudo"
else
	echo "deps: missing packages, and neither root nor sudo to install them. Run:" >&2
	echo "    apt-get install --no-install-recommends$missing" >&2
	exit 2
fi

echo "deps: installing$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
	$as env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -y -q install \
		--no-install-recommends $missing >"$log" 2>&1
}
# The package lists of a fresh machine are absent or old: refresh them where the first try fails.
if ! install; then
	$as apt-get -o DPkg::Lock::Timeout=300 -q update >>"$log" 2>&1 || true
	if ! install; then
		tail -20 "$log" >&2
		echo "deps: apt-get failed; the line was: apt-get install --no-install-recommends$missing" >&2
		exit 2
	fi
fi
