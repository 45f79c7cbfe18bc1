#!/bin/sh
# Prints the path of schemathesis, which makes up requests from an OpenAPI contract: from PATH, or installed from PyPI below
# .deps. Exit 1 where it cannot be had.
set -u
cd "$(dirname "$0")/.."
command -v schemathesis && exit 0
venv=$PWD/.deps/schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv" >/dev/null 2>&1 && "$venv/bin/pip" -q install schemathesis==4.32.5 >/dev/null 2>&1 || { rm -rf "$venv"; exit 1; }
fi
echo "$venv/bin/schemathesis"
