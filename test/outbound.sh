#!/bin/bash
# The outbound client (spine/serve/client.h) against servers of other makes: nginx, which wants a client certificate, and
# npm's oidc-provider as the issuer of tokens (kept below .deps by test/identity.sh; without it and a registry those
# promises are skipped). Our own issuer too. What was really sent is read from nginx's access log.
set -u
cd "$(dirname "$0")/.."
. test/lib.sh
root=$PWD
build=$(realpath "${TENFOLD_BUILD:-$(dirname "${TENFOLD:-build/tenfold}")}")
probe=$build/spine/serve/client_probe
dir=$(mktemp -d)
evidence=("$dir/outcome")
jobs=()
trap '[ ${#jobs[@]} = 0 ] || kill "${jobs[@]}" 2>/dev/null; rm -rf "$dir"' EXIT
skip() {
	echo "skip - outbound calls to other makes' servers ($1)"
	exit 0
}
[ -x "$probe" ] || skip "no client_probe in $build"
command -v nginx >/dev/null || skip "no nginx"
[ -x "$build/tenfold-identity" ] || skip "no tenfold-identity"
cd "$dir"
id() { "$build/tenfold-identity" "$@"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Certificates: ours, the server's, and one of an authority that nobody trusts.
id init --dir s --profile staging --audience https://api.example >/dev/null 2>&1
id init --dir other --profile staging >/dev/null 2>&1
id cert issue --dir s --name alpha >/dev/null
id cert issue --dir s --name beta >/dev/null
cp s/certs/alpha.pem own.pem
cp s/certs/alpha.key own.key

# nginx: one server that wants certificates of ours, one that nobody trusts.
port=$(free_port)
untrusted=$(free_port)
cat >nginx.conf <<END
daemon off; master_process off; pid nginx.pid; error_log nginx.err;
events { worker_connections 512; }
http {
	log_format seen '\$connection \$ssl_client_s_dn \$request_method \$uri \$status "\$http_authorization" \$http_idempotency_key';
	access_log seen.log seen;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	limit_req_zone \$server_port zone=slow:1m rate=20r/m;
	ssl_client_certificate s/ca.pem;
	server {
		listen 127.0.0.1:$port ssl; listen 127.0.0.2:$port ssl;
		ssl_certificate s/certs/server.pem; ssl_certificate_key s/certs/server.key; ssl_verify_client on;
		location /ok { return 200 fine; }
		location /gone { return 404; }
		location /busy { return 503; }
		location /lost { return 444; }
		location /moved { return 307 /ok; }
		location /slow { limit_req zone=slow; limit_req_status 429; add_header Retry-After 3 always; try_files /dev/null @slow; }
		location @slow { return 200 fine; }
		location /closing { keepalive_timeout 0; return 200 fine; }
		location /bearer { if (\$http_authorization !~ "^Bearer .") { return 401; } return 200 fine; }
	}
	server {
		listen 127.0.0.1:$untrusted ssl;
		ssl_certificate other/certs/server.pem; ssl_certificate_key other/certs/server.key;
		location / { return 200 fine; }
	}
}
END
touch seen.log
nginx_start() {
	nginx -p "$dir" -c nginx.conf 2>nginx.out &
	nginx=$!
	jobs+=($nginx)
	for _ in $(seq 200); do
		(: <>/dev/tcp/127.0.0.1/$port) 2>/dev/null && return
		read -r -t 0.05 <> <(:)
	done
	return 1
}
nginx_stop() {
	kill -QUIT $nginx
	wait $nginx 2>/dev/null
	local left=() j
	for j in "${jobs[@]}"; do [ "$j" = $nginx ] || left+=("$j"); done
	jobs=("${left[@]}")
}
promise "nginx runs" nginx_start
at=https://localhost:$port

# A client that is asked line by line; what nginx saw since. Servers have its pipe open too, so it is told when to end.
client_end() {
	echo end >&"$to"
	exec {to}>&-
	wait "$probing"
}
client() { # OPTIONS...
	[ -z "${probing:-}" ] || client_end
	rm -f to outcome
	mkfifo to
	"$probe" --ca s/ca.pem --cert own.pem --key own.key "$@" <to >outcome 2>probe.err &
	probing=$!
	exec {to}>to
}
ask() { # COUNT METHOD URL [KEY]: prints the outcome
	local before
	before=$(wc -l <outcome)
	echo "$*" >&"$to"
	for _ in $(seq 1000); do
		[ "$(wc -l <outcome)" -gt "$before" ] && break
		read -r -t 0.02 <> <(:)
	done
	tail -n 1 outcome
}
outcome() { ask "$@" | cut -d' ' -f1-4; } # OK-COUNT ERROR STATUS TRIES
clear_seen() { : >seen.log; }
seen() { grep -c -- "$1" seen.log; }
connections() { cut -d' ' -f1 seen.log | sort -u | grep -c .; }

client --tries 3
promise "nginx takes our certificate" same "$(outcome 1 GET $at/ok)" "1 OK 200 1"
promise "... and saw whose it is" same "$(cut -d' ' -f2 seen.log)" CN=alpha
for _ in $(seq 20); do ask 1 POST $at/ok >/dev/null; done
promise "21 calls, one connection" same "$(seen ' /ok 200'),$(connections)" 21,1
clear_seen
promise "200 calls at once, 16 connections at most" same "$(outcome 200 GET $at/ok | cut -d' ' -f1,2)" "200 OK"
promise "... each sent once" test "$(seen ' /ok 200')" = 200 -a "$(connections)" -le 16
promise "an answer of 4xx stands" same "$(outcome 1 GET $at/gone)" "0 DENIED 404 1"
promise "a redirect is not followed" same "$(outcome 1 GET $at/moved)" "0 DENIED 307 1"
clear_seen
promise "GET is tried again" same "$(outcome 1 GET $at/busy)" "0 IO 503 3"
promise "... as often as it may" same "$(seen /busy)" 3
client --tries 3
promise "POST is not" same "$(outcome 1 POST $at/busy)" "0 IO 503 1"
promise "... but with its key" same "$(outcome 1 POST $at/busy order-1)" "0 IO 503 3"
promise "... which is told each time" same "$(seen 'POST /busy 503 .* order-1$')" 3
client --tries 3
clear_seen
promise "a POST whose answer was lost is not sent again" same "$(outcome 1 POST $at/lost)" "0 IO 0 1"
promise "... nginx saw it once" same "$(seen 'POST /lost')" 1
ask 1 GET $at/ok >/dev/null
clear_seen
promise "nor over a connection that was kept" same "$(outcome 1 POST $at/lost)" "0 IO 0 1"
promise "... nginx saw it once" same "$(seen 'POST /lost')" 1
promise "a PUT is" same "$(outcome 1 PUT $at/lost | cut -d' ' -f1,2)" "0 IO"
promise "... nginx saw more of it" test "$(seen 'PUT /lost')" -ge 3

promise "a server of another authority hears nothing" same "$(outcome 1 GET https://localhost:$untrusted/)" "0 IO 0 1"
promise "... nor does it under another name" same "$(outcome 1 GET https://127.0.0.2:$port/ok | cut -d' ' -f1,2)" "0 IO"
promise "nothing of it came" same "$(seen ' / ')" 0

# The client's certificate is replaced while it runs.
clear_seen
ask 1 GET $at/closing >/dev/null
cp s/certs/beta.pem own.pem
cp s/certs/beta.key own.key
ask 1 GET $at/closing >/dev/null
promise "a replaced certificate is shown on the next connection" same "$(cut -d' ' -f2 seen.log | paste -sd,)" CN=alpha,CN=beta
cp s/certs/alpha.pem own.pem
cp s/certs/alpha.key own.key

# A breaker: nginx is away for a while.
client --tries 1 --open 2s
promise "before" same "$(outcome 1 GET $at/ok)" "1 OK 200 1"
nginx_stop
for _ in 1 2 3 4 5; do ask 1 GET $at/ok >/dev/null; done
promise "five calls to nobody fail by themselves" same "$(cut -d' ' -f2,4 outcome | tail -n 5 | sort -u)" "IO 1"
promise "the next one is not made" same "$(outcome 1 GET $at/ok)" "0 BUSY 0 0"
promise "... and says when it will be" grep -q "failed 5 times in a row: it is asked again in [0-9]* ms" outcome
promise "nginx is back" nginx_start
back() {
	for _ in $(seq 100); do
		[ "$(outcome 1 GET $at/ok | cut -d' ' -f2)" = OK ] && return
		read -r -t 0.05 <> <(:)
	done
	return 1
}
promise "so are the calls" back

# Tokens: of our own issuer, proved by the certificate.
id client add --dir s --id alpha --scope policy:read --cert s/certs/alpha.pem >/dev/null
secret=$(id client add --dir s --id basic --scope policy:read --secret | jq -r .secret)
"$build/tenfold-identity" serve --dir s --listen 127.0.0.1:0 2>s.log &
jobs+=($!)
await s.log serve.ready
ours=https://localhost:$(sed -n 's/.*"address":"[^"]*:\([0-9]*\)".*/\1/p' s.log)
tokens_seen() { sed -n 's/.*"Bearer \([^"]*\)".*/\1/p' seen.log; }
clear_seen
client --token-url "$ours/token" --client alpha --scope policy:read
promise "without a token nginx says 401" same "$("$probe" --ca s/ca.pem --cert own.pem --key own.key <<<"1 GET $at/bearer" | cut -d' ' -f2,3)" "DENIED 401"
clear_seen
promise "64 calls at once, all with a token" same "$(outcome 64 GET $at/bearer | cut -d' ' -f1-3)" "64 OK 200"
promise "... the same one" same "$(tokens_seen | sort | uniq -c | wc -l)" 1
promise "... asked for once" same "$(grep -c '"path":"/token"' s.log)" 1
promise "... which is bound to our certificate" id check --issuer https://localhost:9443 --audience https://api.example \
	--jwks "$ours/jwks" --ca s/ca.pem --cert s/certs/alpha.pem --scope policy:read --bound <<<"$(tokens_seen | head -n 1)"
client --token-url "$ours/token" --client basic --secret "$secret"
promise "a secret proves a client too" same "$(outcome 1 POST $at/bearer | cut -d' ' -f1-3)" "1 OK 200"
client --token-url "$ours/token" --client basic --secret "x$secret"
promise "a wrong one is told" same "$(outcome 1 POST $at/bearer)" "0 BUSY 0 0"
promise "... as the issuer said" grep -q "no token from '$ours': invalid_client: the answer to try 1 was 401" outcome

# Another issuer: oidc-provider.
provider=$root/.deps/oidc
if [ ! -d "$provider/node_modules/oidc-provider" ] && command -v npm >/dev/null; then
	mkdir -p "$provider"
	(cd "$provider" && echo '{"private":true}' >package.json && timeout 180 npm install --ignore-scripts --no-audit --no-fund oidc-provider@8.8.1) >npm.log 2>&1
fi
if [ -d "$provider/node_modules/oidc-provider" ]; then
	their_port=$(free_port)
	(cd "$provider" && exec node "$root/test/identity_oidc.mjs" "$their_port" "$dir/s/ca.pem" "$dir/s/certs/server.pem" "$dir/s/certs/server.key") >oidc.log 2>&1 &
	jobs+=($!)
	await oidc.log ready
	their=https://localhost:$their_port
	clear_seen
	client --token-url "$their/token" --client alpha --scope policy:read
	promise "oidc-provider: 64 calls at once, all with a token" same "$(outcome 64 POST $at/bearer | cut -d' ' -f1-3)" "64 OK 200"
	promise "oidc-provider: ... the same one" same "$(tokens_seen | sort | uniq -c | wc -l)" 1
	promise "oidc-provider: ... bound to our certificate" id check --issuer "$their" --audience https://api.example \
		--jwks "$their/jwks" --ca s/ca.pem --cert s/certs/alpha.pem --scope policy:read --bound <<<"$(tokens_seen | head -n 1)"
	# Its tokens for this resource live 2 s; nginx lets one call in every 3 s and asks for a wait of 3 s.
	client --token-url "$their/token" --client alpha --resource https://short.example
	ask 1 GET $at/slow >/dev/null
	clear_seen
	promise "oidc-provider: a call outlasts its token" same "$(outcome 1 GET $at/slow)" "1 OK 200 2"
	promise "oidc-provider: ... and was tried with a fresh one" same "$(tokens_seen | sort -u | wc -l)" 2
else
	echo "skip - oidc-provider (not there, and no registry)"
fi
promise "the client ends well" client_end
exit 0
