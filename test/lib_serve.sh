# A system and its `serve`, in a directory of its own: what the scripts of systems share; sourced, not run, at the root.
. test/lib.sh

use_system() { # NAME PROMISE: its $program, and a $work to be removed; without the program PROMISE is skipped
	system=$1
	need_programs "$2" "$system"
	program=$bin/tenfold-$system
	work=$(mktemp -d)
	evidence=("$work/out")
	pid="" helpers=""
	trap 'for p in $pid $helpers; do kill -9 $p; done 2>/dev/null; rm -rf "$work"' EXIT
}
ready() { api=$(ready_address "$work/log") && [ -n "$api" ]; }
serve_options=() # of every serve
serve() { # DIR OPTIONS...: on any free port; $data is where, $api its address, $pid who
	data=$work/$1
	shift
	: >"$work/log" # the one before was ready too
	"$program" serve --data "$data" --listen 127.0.0.1:0 "${serve_options[@]}" "$@" 2>"$work/log" >&2 &
	pid=$!
	until_ok 60 ready || { echo "not ok - serve starts: $(tail -n 1 "$work/log")"; exit 1; }
	server=http://$api
	api=$server/$system/v1
}
stop() { # [SIGNAL]: its exit code is in $code
	kill -"${1:-TERM}" $pid 2>/dev/null
	wait $pid 2>/dev/null
	code=$?
	pid=""
}
answers_its_contract() { # SCHEMATHESIS_OPTIONS...: what serves answers what openapi.yaml says, and outlives being asked
	tools/schemathesis.sh "systems/$system/openapi.yaml" "$server" "$@"
	stop
	promise "serve outlives it" same $code 0
	promise "verify finds nothing after it" "$program" verify --data "$data"
}
