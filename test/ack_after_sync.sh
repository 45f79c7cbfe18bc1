#!/bin/bash
# Every acknowledgement follows the fdatasync that covers it: seen in a system call trace of the real program.
# build: plain (a leak check cannot run under a tracer)
set -u
cd "$(dirname "$0")/.."
check=tools/trace_check.py
dir=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill -9 $server 2>/dev/null; rm -rf "$dir"' EXIT
calls=openat,creat,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,rename,renameat,renameat2,sendto,sendmsg

verdict() { # NAME WANTED_EXIT TRACE LOG ACK
	local out
	out=$($check --log "$4" --ack "$5" "$3" 2>&1)
	if [ $? = "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		echo "$out" | head -5 | sed 's/^/# /'
	fi
}

# The checker itself, on traces written by hand.
sample() { # NAME WANTED_EXIT, trace on stdin
	cat >"$dir/sample"
	verdict "$1" "$2" "$dir/sample" '/log/.*\.log$' '"files"'
}
sample "the checker accepts an answer after its sync" 0 <<'END'
7 write(5</d/log/0/1.log>, "x", 1) = 1
7 fdatasync(5</d/log/0/1.log>) = 0
7 write(1</dev/null>, "{\"files\":1}", 11) = 11
END
sample "the checker refuses an answer before its sync" 1 <<'END'
7 write(5</d/log/0/1.log>, "x", 1) = 1
7 fdatasync(5</d/log/0/1.log>) = 0
7 write(5</d/log/0/1.log>, "y", 1) = 1
7 write(1</dev/null>, "{\"files\":1}", 11) = 11
7 fdatasync(5</d/log/0/1.log>) = 0
END
sample "the checker refuses a sync that began before the write ended" 1 <<'END'
8 write(5</d/log/0/1.log>, "x", 1 <unfinished ...>
7 fdatasync(5</d/log/0/1.log> <unfinished ...>
8 <... write resumed>) = 1
7 <... fdatasync resumed>) = 0
7 write(1</dev/null>, "{\"files\":1}", 11) = 11
END
sample "the checker refuses a failed sync" 1 <<'END'
7 write(5</d/log/0/1.log>, "x", 1) = 1
7 fdatasync(5</d/log/0/1.log>) = -1 EIO (Input/output error)
7 write(1</dev/null>, "{\"files\":1}", 11) = 11
END
sample "the checker refuses a segment whose folder was not synced" 1 <<'END'
7 openat(AT_FDCWD</d>, "log/0/1.log", O_RDWR|O_CREAT, 0666) = 5</d/log/0/1.log>
7 write(5</d/log/0/1.log>, "x", 1) = 1
7 fdatasync(5</d/log/0/1.log>) = 0
7 write(1</dev/null>, "{\"files\":1}", 11) = 11
END

program=$(dirname "$TENFOLD")/tenfold-meter
if [ ! -x "$program" ]; then
	echo "skip - load prints its result after the sync (no tenfold-meter)"
	exit 0
fi
if ! strace -o /dev/null true 2>/dev/null; then
	echo "skip - load prints its result after the sync (this machine allows no tracing)"
	exit 0
fi

# 3 meters, 2 days of 96 quarter hours each.
wide() { # FIRST_DAY
	local day i
	echo "start,M1,M2,M3"
	for day in 0 1; do
		for i in $(seq 0 95); do
			echo "$(date -u -d "$1 +$day day" +%Y-%m-%d)T$(printf '%02d:%02d' $((i / 4)) $((i % 4 * 15))):00Z,$i,$((i * 7 % 50)),$((day + i))"
		done
	done
}
wide 2025-03-01 >"$dir/a.csv"
wide 2025-03-03 >"$dir/b.csv"

for run in first second; do
	file=$dir/a.csv
	[ $run = first ] || file=$dir/b.csv
	if strace -f -y -s 64 -e trace=$calls -o "$dir/load.trace" \
		"$program" load --data "$dir/data" --json "$file" >"$dir/load.out" 2>"$dir/load.err"; then
		verdict "the $run load prints its result after the sync that covers it" 0 "$dir/load.trace" "^$dir/data/.*\.log$" '"files"'
	else
		echo "not ok - the $run load prints its result after the sync that covers it"
		head -3 "$dir/load.err" | sed 's/^/# /'
	fi
done

if ! "$program" --help | grep -q '^  serve '; then
	echo "skip - serve answers 202 after the sync (no verb serve)"
	exit 0
fi
port=$((20000 + $$ % 20000))
strace -f -y -s 64 -e trace=$calls -o "$dir/serve.trace" \
	"$program" serve --data "$dir/served" --listen "127.0.0.1:$port" >"$dir/serve.out" 2>"$dir/serve.err" &
server=$!
for _ in $(seq 100); do
	curl -s -o /dev/null "http://127.0.0.1:$port/" && break
	read -r -t 0.1 <> <(:) || true
done
answers=""
for day in 2025-04-01 2025-04-03 2025-04-05; do
	wide $day >"$dir/post.csv"
	answers="$answers$(curl -s -o "$dir/answer" -w '%{http_code} ' -H 'Content-Type: text/csv' -H "Idempotency-Key: $day" \
		--data-binary @"$dir/post.csv" "http://127.0.0.1:$port/meter/v1/readings")"
done
# The tracer passes no signal on: the server is its child.
kill -TERM $(ps -o pid= --ppid $server) 2>/dev/null
wait $server
server=""
if [ "$answers" = "202 202 202 " ]; then
	verdict "serve answers 202 after the sync that covers it" 0 "$dir/serve.trace" "^$dir/served/.*\\.log$" 'HTTP/1.1 202'
else
	echo "not ok - serve answers 202 after the sync that covers it"
	echo "# answers: $answers$(head -c 200 "$dir/answer") $(tail -n 2 "$dir/serve.err")"
fi
