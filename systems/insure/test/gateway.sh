#!/bin/bash
# The gateway in front of insure, driven by curl and openssl over mutual TLS, with tokens of `tenfold identity`: who is let
# in, who is not and with which answer, revocation, rotation of keys and certificates under load, the audit log.
set -u
cd "$(dirname "$0")/../../.."
. test/lib.sh
need_programs gateway insure identity audit
dir=$(mktemp -d)
evidence=("$dir/out")
jobs=()
trap '[ ${#jobs[@]} = 0 ] || kill -9 "${jobs[@]}" 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
id() { "$bin/tenfold-identity" "$@"; }

# An issuer, two partners with certificates of their own, and one whose token may only read.
audience=https://insurer.example
id init --dir id --profile staging --audience $audience >/dev/null 2>&1 || { echo "not ok - an issuer"; exit 1; }
for name in alpha beta gamma delta insurer; do id cert issue --dir id --name $name >/dev/null; done
id client add --dir id --id alpha --partner P-ALPHA --scope policy:read --scope policy:buy --cert id/certs/alpha.pem >/dev/null
id client add --dir id --id beta --partner P-BETA --scope policy:read --cert id/certs/beta.pem >/dev/null
id client add --dir id --id insurer --partner P-INSURER --scope policy:read --scope policy:buy --role insurer --cert id/certs/insurer.pem >/dev/null
id client add --dir id --id gamma --partner P-GAMMA --scope policy:read --cert id/certs/gamma.pem >/dev/null
"$bin/tenfold-identity" serve --dir id --listen 127.0.0.1:0 2>id.log &
jobs+=($!)
await id.log serve.ready
issuer=https://localhost:9443
at=https://localhost:$(ready_port id.log)
with() { # NAME CURL...: with that certificate; body in out, head in head, status in $status
	local name=$1
	shift
	rm -f out
	status=$(curl -s -m 30 --cacert id/ca.pem --cert "id/certs/$name.pem" --key "id/certs/$name.key" -o out -D head -w '%{http_code}' "$@")
}
token() { # NAME: a token into $token
	with "$1" -d grant_type=client_credentials -d client_id="$1" "$at/token"
	token=$(jq -r .access_token out)
}

cp id/certs/server.pem server.pem
cp id/certs/server.key server.key
cp id/crl.pem crl.pem
"$bin/tenfold-insure" simulate --data data --policies 100 --partner P-ALPHA >/dev/null
start() { # OPTIONS...
	: >insure.log # the one before was ready too
	"$bin/tenfold-insure" serve --data data --listen 127.0.0.1:0 --tls-cert server.pem --tls-key server.key --client-ca id/ca.pem --crl crl.pem \
		--issuer "$issuer" --audience $audience --jwks "$at/jwks" --issuer-ca id/ca.pem --audit audit ${GATEWAY_OPTIONS:-} "$@" 2>insure.log &
	insure=$!
	jobs+=($insure)
	await insure.log serve.ready || { echo "not ok - insure starts: $(tail -n 1 insure.log)"; exit 1; }
	api=https://localhost:$(ready_port insure.log)/insure/v1
}
start
policy=$api/policies/P000000000098
get() { with "$1" -H "Authorization: Bearer $2" "$policy"; }
is() { [ "$status" = "$1" ] && { [ -z "${2:-}" ] || jq -e --arg c "$2" '.code == $c' out; }; }
purchase='{"product":"TERM_LIFE","sum_insured":500000000,"currency":"INR","term_years":20,"start_date":"'$(TZ=Asia/Kolkata date +%F)'","holder":{"name":"Asha Rao","date_of_birth":"1990-04-01","phone":"+919812345678"}}'
buy() { # NAME TOKEN KEY
	with "$1" -H "Authorization: Bearer $2" -H 'Content-Type: application/json' -H "Idempotency-Key: $3" --data "$purchase" "$api/policies"
}

# Who is let in.
token alpha
alpha=$token
token beta
beta=$token
get alpha "$alpha"
promise "a partner's certificate and its token: 200" is 200
buy alpha "$alpha" order-1
promise "it buys: 201" is 201
cp out first
buy alpha "$alpha" order-1
promise "again: the same bytes" cmp -s first out
cp -r audit early # what the record was, a while ago
own=$(jq -r .number first)
see() { with "$1" -H "Authorization: Bearer $2" "$api/policies/$3"; cp out "seen.$1"; cut -d: -f1 head | sort >"head.$1"; }
alike() { cmp <(jq 'del(.correlation_id)' "$1") <(jq 'del(.correlation_id)' "$2"); }
see alpha "$alpha" "$own"
promise "it sees what it sold: 200" is 200
token insurer
insurer=$token
see beta "$beta" "$own"
promise "to another partner there is no such policy: 404" is 404 POLICY_UNKNOWN
cp seen.beta another
cp head.beta another.head
see beta "$beta" P000000999916
promise "just as for a number that was never given out" eval 'is 404 POLICY_UNKNOWN && alike another seen.beta && cmp another.head head.beta'
with beta -H "Authorization: Bearer $beta" -H 'If-None-Match: *' "$api/policies/$own"
promise "whatever it says it knows" is 404 POLICY_UNKNOWN
see insurer "$insurer" "$own"
promise "with the role insurer it is seen: 200" is 200
with insurer -H "Authorization: Bearer $insurer" -H 'Content-Type: application/json' -H 'Idempotency-Key: end' --data '{"date":"'"$(TZ=Asia/Kolkata date -d '+9 days' +%F)"'"}' "$api/policies/$own/cancellation"
promise "and not cancelled: 404" is 404 POLICY_UNKNOWN
buy beta "$beta" order-1
promise "a token that may only read: 403" is 403 insufficient_scope
promise "and is told what it lacks" grep -qi '^www-authenticate: Bearer .*insufficient_scope.*policy:buy' head
get beta "$alpha"
promise "a stolen token with another certificate: 401" is 401 invalid_token
promise "and a challenge" grep -qi '^www-authenticate: Bearer .*invalid_token' head
with alpha "$policy"
promise "no token: 401" is 401
promise "and a challenge without an error" grep -qi '^www-authenticate: Bearer realm="[^"]*"' head
get alpha "$beta"
promise "somebody else's token: 401" is 401 invalid_token
get alpha "${alpha%?????}AAAAA"
promise "a changed signature: 401" is 401 invalid_token
get alpha "$(printf '{"alg":"none"}' | base64 -w0 | tr -d '=').$(cut -d. -f2 <<<"$alpha")."
promise "no algorithm: 401" is 401 invalid_token
with alpha -H "Authorization: Bearer $alpha" -H "Authorization: Bearer $alpha" "$policy"
promise "two tokens: 400" is 400
with alpha -H "Authorization: Basic YTpi" "$policy"
promise "another scheme: 401" is 401
curl -s -m 10 --cacert id/ca.pem -H "Authorization: Bearer $alpha" "$policy" >out 2>&1
promise "no certificate: no connection" grep -qx "5[56]" <<<$? # curl: sending or receiving failed
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout id/certs/evil.key -out id/certs/evil.pem -subj /CN=alpha -days 1 2>/dev/null
get evil "$alpha"
promise "a certificate of one's own making: no connection" same "$status" 000
with alpha -H "Authorization: Bearer $alpha" -H "Client-Cert: :$(openssl x509 -in id/certs/beta.pem -outform DER | base64 -w0):" "$policy"
promise "a certificate in a header changes nothing" is 200

# One effect for many: with a certificate each request, on connections of their own.
seq 32 | xargs -P 32 -I{} curl -s -m 30 --cacert id/ca.pem --cert id/certs/alpha.pem --key id/certs/alpha.key -o many.{} -w '%{http_code}\n' \
	-H "Authorization: Bearer $alpha" -H 'Content-Type: application/json' -H 'Idempotency-Key: many' --data "$purchase" "$api/policies" >codes
promise "32 at once: 201 or 409" test "$(grep -cvE '^(201|409)$' codes)" = 0
promise "at least one is answered" grep -q 201 codes
promise "one policy, the same bytes" test "$(grep -l '"number"' many.* | xargs sha256sum | cut -c1-64 | sort -u | wc -l)" = 1

# A key that the guard has not seen: the request waits while the issuer is asked.
id keys rotate --dir id >/dev/null
token alpha
get alpha "$token"
promise "a token of a key made a moment ago: 200" is 200
get alpha "$alpha"
promise "one of the key before: 200" is 200

# Keys, certificate and revocation list replaced under load: no request fails. Connections are new every 20 requests.
load() { # FILE: until stop is there
	while [ ! -e stop ]; do
		curl -s -m 20 --cacert id/ca.pem --cert id/certs/alpha.pem --key id/certs/alpha.key -H "Authorization: Bearer $token" -w '%{http_code}\n' \
			-o /dev/null -o /dev/null -o /dev/null -o /dev/null -o /dev/null "$policy" "$policy" "$policy" "$policy" "$policy" >>"$1" || echo "curl $?" >>"$1"
	done
}
for i in 1 2 3 4; do load load.$i & loads+=($!); done
id cert revoke --dir id --name gamma >/dev/null
for round in 1 2 3; do
	id cert issue --dir id --name "localhost$round" --server --san localhost >/dev/null
	cp "id/certs/localhost$round.key" server.key
	cp "id/certs/localhost$round.pem" server.pem
	cp id/crl.pem crl.pem
	id keys rotate --dir id >/dev/null
	kill -HUP $insure
	await insure.log tls.reloaded $round
	nap 0.3
done
touch stop
wait "${loads[@]}"
promise "three rotations under load: no request failed ($(cat load.* | wc -l) of them)" test "$(grep -cv '^200$' <(cat load.*))" = 0
serial() { openssl x509 -noout -serial; }
promise "the new certificate is shown" same "$(openssl s_client -connect "$(cut -d/ -f3 <<<"$api")" -cert id/certs/alpha.pem -key id/certs/alpha.key </dev/null 2>/dev/null | serial)" \
	"$(serial <id/certs/localhost3.pem)"

# Revoked: on a connection that is kept, on a new one, and on a resumed session.
mkfifo say
openssl s_client -quiet -connect "$(cut -d/ -f3 <<<"$api")" -cert id/certs/delta.pem -key id/certs/delta.key <say >kept 2>/dev/null &
jobs+=($!)
exec 7>say
ask() { printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n' >&7; }
ask
await kept '200 OK'
id cert revoke --dir id --name delta >/dev/null
cp id/crl.pem crl.pem
kill -HUP $insure
await insure.log tls.reloaded 4
ask
promise "a certificate revoked while its connection is kept: 401" await kept 'HTTP/1.1 401 '
exec 7>&-
hello() { # NAME FILE OPTION: a request over openssl's client, whose session is kept in or taken from FILE
	{ printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'; nap 1; } |
		openssl s_client -quiet -connect "$(cut -d/ -f3 <<<"$api")" -cert "id/certs/$1.pem" -key "id/certs/$1.key" "$3" "$2" 2>/dev/null
}
get gamma "$alpha"
promise "a revoked certificate: no connection" same "$status" 000
for version in tls1_2 tls1_3; do
	hello beta session.$version -sess_out >/dev/null
	promise "a session is kept ($version)" test -s session.$version
done
promise "it is resumed" grep -q '200 OK' <(hello beta session.tls1_3 -sess_in)
id cert revoke --dir id --name beta >/dev/null
cp id/crl.pem crl.pem
kill -HUP $insure
await insure.log tls.reloaded 5
promise "a resumed session of a revoked certificate: refused" same "$(hello beta session.tls1_3 -sess_in)" ""
get beta "$beta"
promise "and a new one" same "$status" 000
await insure.log tls.refused
promise "the log says why" grep -q '"event":"tls.refused".*revoked' insure.log

# Who is refused cannot fill the record: at most 50 a second are kept, and the next tells of the others.
with alpha -o /dev/null "$api/policies/x[1-400]"
nap 0.1
with alpha "$policy"

# The record.
buy alpha "$token" order-2
promise "it still sells" is 201
kill -TERM $insure
wait $insure
promise "it drains and ends" same $? 0
promise "the audit log is unaltered" "$bin/tenfold-audit" verify --data audit
promise "it knows who bought" test "$("$bin/tenfold-audit" show --data audit | jq -r 'select(.entry.what == "decided" and .entry.key == "order-2").entry.partner')" = P-ALPHA
promise "each decision once" test "$("$bin/tenfold-audit" show --data audit | jq -r 'select(.entry.what == "decided").entry.key' | sort | uniq -c | awk '{ print $1 $2 }' | paste -sd ' ')" = "1many 1order-1 1order-2"
promise "and who was refused, with whose certificate" test "$("$bin/tenfold-audit" show --data audit | jq -r 'select(.entry.what == "refused" and .entry.status == 401).entry.certificate' | sort -u | wc -l)" -ge 2
delta=$(openssl x509 -in id/certs/delta.pem -outform DER | sha256sum | cut -c1-64)
promise "and whom its connection refused" test "$("$bin/tenfold-audit" show --data audit | jq -r --arg c "$delta" 'select(.entry.certificate == $c).entry | [.what, .status, .path] | @csv')" = '"refused",401,"/healthz"'
promise "and who came no further than the handshake" test "$("$bin/tenfold-audit" show --data audit | jq -c 'select(.entry.status == 0 and (.entry.why | test("revoked"))).entry' | wc -l)" -ge 2
beta=$(openssl x509 -in id/certs/beta.pem -outform DER | sha256sum | cut -c1-64)
promise "with what was shown there" test "$("$bin/tenfold-audit" show --data audit | jq -r 'select(.entry.status == 0).entry.certificate' | grep -cx "$beta")" -ge 2
"$bin/tenfold-audit" show --data audit | jq -c 'select(.entry.path // "" | test("/x[0-9]+$")).entry' >flood
promise "of many refusals not all are kept" test "$(wc -l <flood)" -ge 50 -a "$(wc -l <flood)" -lt 390
promise "and the next says how many were not" test "$("$bin/tenfold-audit" show --data audit | jq -s 'map(.entry.unrecorded_before // 0) | add')" -ge 10
head=$("$bin/tenfold-audit" head --data audit)
cp -r audit cut
segment=$(ls cut/0/*.log | head -n 1)
# One letter of a partner's name.
offset=$(grep -abo 'P-ALPHA' "$segment" | head -n 1 | cut -d: -f1)
printf 'X' | dd of="$segment" bs=1 seek="$offset" conv=notrunc 2>/dev/null
"$bin/tenfold-audit" verify --data cut --json >altered
promise "a letter changed: found" same $? 1
promise "and its record named" jq -e '.ok == false and (.altered | test("record [0-9]+"))' altered
promise "the head that was noted fits" "$bin/tenfold-audit" verify --data audit --head "$head"

# Started again: what was sold is known.
start
token alpha
buy alpha "$token" order-1
promise "after a restart the same bytes" cmp -s first out

# A crash that left decisions and took their records: here the record of an hour ago is put back.
kill -TERM $insure
wait $insure
rm -r audit
cp -r early audit
start
kill -TERM $insure
wait $insure
"$bin/tenfold-audit" show --data audit | jq -c .entry >entries
promise "decisions without a record get it at the next start" same "$(jq -r 'select(.late).key' entries | sort | paste -sd ' ')" "many order-2"
promise "with whose they were" same "$(jq -r 'select(.late and .key == "order-2").partner' entries)" P-ALPHA
promise "each decision once, still" same "$(jq -r 'select(.what == "decided").key' entries | sort | uniq -d)" ""
promise "and the chain holds" "$bin/tenfold-audit" verify --data audit
promise "each start is recorded, with the log's next offset" test "$(jq -r 'select(.what == "started").next' entries | tail -n 1)" = \
	"$(jq -s 'map(select(.what == "decided").offset) | max + 1' entries)"
