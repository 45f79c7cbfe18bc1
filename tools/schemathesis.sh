#!/bin/bash
# Does a server answer what its contract says? tools/schemathesis.sh CONTRACT URL [OPTION...]
# schemathesis, from PATH or installed from PyPI below .deps, makes up requests from the contract, good and bad, and looks
# at every answer: its status, type, headers and shape. EXAMPLES (10) for each operation. Prints one line, ok, not ok or,
# where the tool cannot be had, skip.
set -u
cd "$(dirname "$0")/.."
contract=$(realpath "$1") url=$2
shift 2
tool=${SCHEMATHESIS:-$(command -v schemathesis || true)}
if [ -z "$tool" ]; then
	venv=$PWD/.deps/schemathesis tool=$PWD/.deps/schemathesis/bin/schemathesis
	if [ ! -x "$tool" ]; then
		rm -rf "$venv"
		if ! { python3 -m venv "$venv" && "$venv/bin/pip" -q install schemathesis==4.32.5; } >/dev/null 2>&1; then
			rm -rf "$venv"
			echo "skip - serve answers what openapi.yaml says (no schemathesis)"
			exit 0
		fi
	fi
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Which values a parameter may have beyond its schema (a date that exists, a zone) only the server knows: what it refuses
# with 400 is right, so positive_data_acceptance is not asked for.
if (cd "$work" && "$tool" run "$contract" --url "$url" "$@" --seed 1 --max-examples "${EXAMPLES:-10}" \
	--phases examples,coverage,fuzzing --no-color --checks \
	not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,missing_required_header,unsupported_method) \
	>"$work/out" 2>&1; then
	echo "ok - serve answers what openapi.yaml says"
else
	echo "not ok - serve answers what openapi.yaml says"
	grep -vE '^ *$' "$work/out" | tail -n "${LINES_TOLD:-40}" | sed 's/^/# /'
	exit 1
fi
