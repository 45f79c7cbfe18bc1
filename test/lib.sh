# What test scripts share; sourced, not run. evidence: files whose beginnings are shown with a broken promise.
evidence=()
promise() { # NAME COMMAND...: a line of TAP; what the command said follows a failure
	local promise_name=$1 promise_file # the command sees these too: names that nobody else has
	shift
	if "$@" >"${TMPDIR:-/tmp}/promise.$$" 2>&1; then
		echo "ok - $promise_name"
	else
		echo "not ok - $promise_name"
		{
			echo "$*"
			tail -n 3 "${TMPDIR:-/tmp}/promise.$$"
			for promise_file in "${evidence[@]}"; do head -c 300 "$promise_file"; done
		} 2>/dev/null | cut -c1-300 | sed 's/^/# /'
	fi
	rm -f "${TMPDIR:-/tmp}/promise.$$"
}
same() { [ "$1" = "$2" ] || { echo "$1 is not $2"; false; }; }
nap() { read -r -t "$1" <> <(:) || true; } # a wait that starts no program
until_ok() { # SECONDS COMMAND...: asks until the answer is yes
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		nap 0.05
	done
}
await() { # FILE TEXT [TIMES]: until so many of its lines have the text
	until_ok 20 await_count "$1" "$2" "${3:-1}"
}
await_count() { local n; n=$(grep -c "$2" "$1" 2>/dev/null); [ "${n:-0}" -ge "$3" ]; }
need_programs() { # PROMISE SYSTEM...: theirs are in $bin; without one of them PROMISE is skipped
	local need_promise=$1 need_system
	bin=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")
	shift
	for need_system in "$@"; do
		[ -x "$bin/tenfold-$need_system" ] || { echo "skip - $need_promise (no tenfold-$need_system)"; exit 0; }
	done
}
# What a server says when it is ready.
ready_address() { jq -rR 'fromjson? | select(.event == "serve.ready") | .address' "$1"; }
ready_port() { ready_address "$1" | sed 's/.*://'; }

# ask CURL_ARGUMENTS...: body in $work/out, head in $work/head, status in $status.
ask() { rm -f "$work/out"; status=$(curl -s -m 60 -o "$work/out" -D "$work/head" -w '%{http_code}' "$@"); }
header() { tr -d '\r' <"$work/head" | sed -n "s/^$1: //Ip"; }
