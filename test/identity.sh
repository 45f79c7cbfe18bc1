#!/bin/bash
# tenfold identity, driven as people drive it: curl and openssl from outside, PyJWT and joserfc as other implementations
# of tokens, npm's oidc-provider as another issuer that our guard must understand. What comes from npm and PyPI is kept
# below .deps; where neither it nor the registry is there, those promises are skipped.
set -u
cd "$(dirname "$0")/.."
. test/lib.sh
root=$PWD
program=$(realpath "$(dirname "${TENFOLD:-build/tenfold}")")/tenfold-identity
dir=$(mktemp -d)
jobs=()
trap '[ ${#jobs[@]} = 0 ] || kill "${jobs[@]}" 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
refused() { ! "$@"; }
id() { "$program" "$@"; }
code() { # EXPECTED COMMAND...: its exit code
	local want=$1
	shift
	"$@" >/dev/null 2>&1 </dev/null
	test $? = "$want"
}

# The directory.
promise "staging says that it is" grep -q 'not for production' <(id init --dir s --profile staging --audience https://api.example 2>&1)
promise "a second init is refused" code 1 id init --dir s --profile staging
mkdir full && touch full/x
promise "init in a directory that holds something else is refused" code 1 id init --dir full --profile staging
promise "production refuses tokens that live long" code 1 id init --dir x --profile production --token-seconds 3600
promise "production refuses an issuer without https" code 1 id init --dir x --profile production --issuer http://localhost:1
promise "an overlap shorter than a token's life is refused" code 2 id init --dir x --profile staging --overlap 1m
promise "production begins" id init --dir p --profile production --audience https://api.example
promise "production refuses shared secrets" code 1 id client add --dir p --id a --secret
promise "production refuses certificates for a year" code 1 id cert issue --dir p --name a --days 365
promise "production refuses plain HTTP without a terminator" code 1 id serve --dir p --plain --listen 127.0.0.1:0
for name in alpha beta; do
	promise "a certificate for $name" id cert issue --dir s --name $name
	id cert issue --dir p --name $name >/dev/null
done
promise "a name is no path" code 2 id cert issue --dir s --name ../../escape
promise "a SAN brings no second one" code 2 id cert issue --dir s --name c --server --san 'a,DNS:b'
promise "a good name is not issued twice" code 1 id cert issue --dir s --name alpha
promise "nothing is for others to read" test -z "$(find s p -perm /077 -not -type l)"

# openssl's opinion.
chain() { openssl verify -x509_strict -CAfile s/ca.pem "$@"; }
promise "openssl takes a client's certificate" chain -crl_check -CRLfile s/crl.pem -purpose sslclient s/certs/alpha.pem
promise "openssl takes the server's" chain -purpose sslserver -verify_hostname localhost s/certs/server.pem
promise "a client's is not a server's" refused chain -purpose sslserver s/certs/alpha.pem
promise "a client's signs no others" refused openssl verify -CAfile s/ca.pem -untrusted s/certs/alpha.pem -purpose crlsign s/certs/alpha.pem
x5t=$(openssl x509 -in s/certs/alpha.pem -outform DER | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=\n')

# Clients.
id client add --dir s --id alpha --scope policy:read --scope policy:buy --role partner --partner P1 --cert s/certs/alpha.pem >/dev/null
id client add --dir s --id named --scope policy:read --cert-name beta >/dev/null
secret=$(id client add --dir s --id basic --scope policy:read --scope introspect --secret | jq -r .secret)
id client add --dir p --id alpha --scope policy:read --cert p/certs/alpha.pem >/dev/null
promise "a client is not added twice" code 1 id client add --dir s --id alpha --secret
promise "a scope is one word" code 2 id client add --dir s --id x --secret --scope 'a admin'
promise "the secret is not kept" refused grep -rq -- "$secret" s
promise "clients are listed" same "$(id client list --dir s | jq -r .id | paste -sd ' ')" 'alpha named basic'

# The server.
"$program" serve --dir s --listen 127.0.0.1:0 2>s.log &
jobs+=($!)
await s.log serve.ready
url=https://localhost:$(sed -n 's/.*"address":"[^"]*:\([0-9]*\)".*/\1/p' s.log)
issuer=https://localhost:9443
web() { curl -sS --max-time 20 --cacert s/ca.pem "$@"; }
as() { # NAME CURL...: with that certificate
	local name=$1
	shift
	web --cert "s/certs/$name.pem" --key "s/certs/$name.key" "$@"
}
grant() { as "$1" -d grant_type=client_credentials "${@:2}" "$url/token"; }
check() { id check --issuer $issuer --audience https://api.example --jwks "$url/jwks" --ca s/ca.pem "$@"; }
error() { jq -r .error; }

promise "metadata names the endpoints" same "$(web "$url/.well-known/oauth-authorization-server" | jq -r .token_endpoint)" $issuer/token
promise "the keys are public only" same "$(web "$url/jwks" | jq -r '[.keys[] | keys[]] | sort | join(",")')" alg,crv,kid,kty,use,x,y
token=$(grant alpha -d client_id=alpha | jq -r .access_token)
claims() { cut -d. -f2 | tr -- '-_' '+/' | base64 -d 2>/dev/null; }
promise "a token says whom it is bound to, as openssl computes it" same "$(claims <<<"$token" | jq -r '.cnf["x5t#S256"]')" "$x5t"
promise "the guard lets its owner in" check --cert s/certs/alpha.pem --scope policy:buy --role partner <<<"$token"
promise "another certificate is refused" same "$(check --cert s/certs/beta.pem <<<"$token" | jq -r .why)" 'the token is bound to another certificate'
promise "no certificate is refused" same "$(check <<<"$token" | jq .status)" 401
promise "a scope it has not is 403" same "$(check --cert s/certs/alpha.pem --scope claim:pay <<<"$token" | jq .status)" 403
promise "another audience is refused" same "$(id check --issuer $issuer --audience https://api --jwks "$url/jwks" --ca s/ca.pem <<<"$token" | jq .status)" 401
promise "less may be asked for" same "$(grant alpha -d client_id=alpha -d scope=policy:read | jq -r .scope)" policy:read
promise "more may not" same "$(grant alpha -d client_id=alpha -d 'scope=policy:read admin' | error)" invalid_scope
promise "another's certificate proves nothing" same "$(grant beta -d client_id=alpha | error)" invalid_client
promise "no certificate proves nothing" same "$(web -d grant_type=client_credentials -d client_id=alpha "$url/token" | error)" invalid_client
promise "a certificate's name proves who was registered by it" same "$(grant beta -d client_id=named | jq -r .token_type)" Bearer
promise "and nobody else" same "$(grant alpha -d client_id=named | error)" invalid_client
promise "a secret proves a client" same "$(web -u "basic:$secret" -d grant_type=client_credentials "$url/token" | jq -r .token_type)" Bearer
promise "a wrong one does not" same "$(web -u "basic:x$secret" -d grant_type=client_credentials "$url/token" | error)" invalid_client
promise "nor a secret in the body" same "$(web -d grant_type=client_credentials -d client_id=basic -d "client_secret=$secret" "$url/token" | error)" invalid_client
promise "a field twice is refused" same "$(grant alpha -d client_id=alpha -d client_id=alpha | error)" invalid_request
promise "another grant is refused" same "$(as alpha -d grant_type=password -d client_id=alpha "$url/token" | error)" unsupported_grant_type
promise "a certificate in a header is not believed" same "$(web -H "Client-Cert: :$(openssl x509 -in s/certs/alpha.pem -outform DER | base64 -w0):" \
	-d grant_type=client_credentials -d client_id=alpha "$url/token" | error)" invalid_client

id check --issuer $issuer --audience https://api.example --jwks "$url/jwks" <<<"$token" >/dev/null 2>&1
promise "keys of a server that is not trusted are not taken" same $? 75

# An assertion that the shell and openssl have made.
b64() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
assertion() { # ALG SIGN...: of the client cli
	local now text
	now=$(date +%s)
	text=$(printf '{"alg":"%s"}' "$1" | b64).$(printf '{"iss":"cli","sub":"cli","aud":"%s","iat":%s,"exp":%s,"jti":"%s"}' \
		$issuer "$now" $((now + 60)) "$RANDOM$RANDOM$RANDOM" | b64)
	echo "$text.$(printf %s "$text" | "${@:2}" | b64)"
}
with() { # ASSERTION
	web -d grant_type=client_credentials -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
		-d "client_assertion=$1" "$url/token"
}
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out cli.key 2>/dev/null
openssl pkey -in cli.key -pubout -out cli.pub
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak.key 2>/dev/null
openssl pkey -in weak.key -pubout -out weak.pub
promise "a client's weak key is refused" code 2 id client add --dir s --id weak --key weak.pub
id client add --dir s --id cli --scope policy:read --key cli.pub >/dev/null
promise "an RS256 assertion by openssl proves a client" same "$(with "$(assertion RS256 openssl dgst -sha256 -sign cli.key)" | jq -r .token_type)" Bearer
promise "a PS256 one too" same "$(with "$(assertion PS256 openssl dgst -sha256 -sign cli.key -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32)" | jq -r .token_type)" Bearer
promise "signed by another key it does not" same "$(with "$(assertion RS256 openssl dgst -sha256 -sign weak.key)" | error)" invalid_client
promise "nor by HS256 with the public key as the secret" same "$(with "$(assertion HS256 openssl dgst -sha256 -mac HMAC -macopt "key:$(cat cli.pub)" -binary)" | error)" invalid_client
promise "nor by nothing" same "$(with "$(assertion none true)" | error)" invalid_client

# Introspection and revocation.
ask() { web -u "basic:$secret" -d "token=$1" "$url/introspect"; }
promise "introspection knows the token and its binding" same "$(ask "$token" | jq -r '.active, .cnf["x5t#S256"]' | paste -sd ' ')" "true $x5t"
promise "the guard can ask instead" env "TENFOLD_SECRET=$secret" "$program" check --issuer $issuer --audience https://api.example \
	--introspect "$url/introspect" --client basic --ca s/ca.pem --cert s/certs/alpha.pem <<<"$token"
promise "who has not the scope may not ask" same "$(as alpha -d client_id=alpha -d "token=$token" "$url/introspect" | error)" insufficient_scope
promise "nonsense is not active" same "$(ask nonsense)" '{"active":false}'
other=$(grant alpha -d client_id=alpha | jq -r .access_token)
web -u "basic:$secret" -d "token=$other" "$url/revoke"
promise "another client's token is not revoked" same "$(ask "$other" | jq .active)" true
as alpha -d client_id=alpha -d "token=$token" "$url/revoke"
promise "a revoked token is not active" same "$(ask "$token")" '{"active":false}'

# Rotation, while the server runs.
old=$(id keys list --dir s | jq -r .kid)
new=$(id keys rotate --dir s)
promise "both keys are published after a rotation" same "$(web "$url/jwks" | jq -r '[.keys[].kid] | sort | join(" ")')" "$(printf '%s\n' "$old" "$new" | LC_ALL=C sort | paste -sd ' ')"
promise "a token of before is good" check --cert s/certs/alpha.pem <<<"$other"
again=$(grant alpha -d client_id=alpha | jq -r .access_token)
promise "the new key signs" same "$(cut -d. -f1 <<<"$again" | tr -- '-_' '+/' | base64 -d 2>/dev/null | jq -r .kid)" "$new"
promise "its token is good" check --cert s/certs/alpha.pem <<<"$again"

# A certificate and a client taken back, while the server runs.
promise "a certificate is revoked" id cert revoke --dir s --name beta
promise "openssl refuses it" refused chain -crl_check -CRLfile s/crl.pem s/certs/beta.pem
promise "openssl takes the list" openssl crl -in s/crl.pem -CAfile s/ca.pem -noout
await s.log tls.reloaded
promise "the server refuses it without a restart" refused grant beta -d client_id=named
promise "a client is removed" id client remove --dir s --id alpha
promise "its tokens are not active any more" same "$(ask "$again")" '{"active":false}'
kill -HUP "${jobs[0]}"
kill "${jobs[0]}"
wait "${jobs[0]}"
promise "it drains and ends" test $? = 0
"$program" serve --dir s --listen 127.0.0.1:0 2>s2.log &
jobs=($!)
await s2.log serve.ready
url=https://localhost:$(sed -n 's/.*"address":"[^"]*:\([0-9]*\)".*/\1/p' s2.log)
promise "what was revoked stays revoked after a restart" same "$(ask "$token")" '{"active":false}'

# Production.
"$program" serve --dir p --listen 127.0.0.1:0 2>p.log &
jobs+=($!)
await p.log serve.ready
purl=https://localhost:$(sed -n 's/.*"address":"[^"]*:\([0-9]*\)".*/\1/p' p.log)
promise "production: five minutes" same "$(curl -sS --cacert p/ca.pem --cert p/certs/alpha.pem --key p/certs/alpha.key -d grant_type=client_credentials \
	-d client_id=alpha "$purl/token" | jq .expires_in)" 300
promise "production: secrets are not offered" refused grep -q client_secret <(curl -sS --cacert p/ca.pem "$purl/.well-known/oauth-authorization-server")

# Another implementation: PyJWT and joserfc.
venv=$root/.deps/jose
if ! "$venv/bin/python" -c 'import jwt, joserfc' 2>/dev/null; then
	mkdir -p "$root/.deps"
	python3 -m venv "$venv" 2>/dev/null && timeout 120 "$venv/bin/pip" -q install pyjwt==2.15.1 joserfc==1.8.0 cryptography >pip.log 2>&1
fi
if "$venv/bin/python" -c 'import jwt, joserfc' 2>/dev/null; then
	py() { "$venv/bin/python" "$root/test/identity_py.py" "$@"; }
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ES256.key 2>/dev/null
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out RS256.key 2>/dev/null
	cp RS256.key PS256.key
	openssl genpkey -algorithm ED25519 -out EdDSA.key
	for alg in ES256 RS256 PS256 EdDSA; do
		openssl pkey -in $alg.key -pubout -out $alg.pub
		id client add --dir s --id "py-$alg" --scope policy:read --key $alg.pub >/dev/null
		id keys rotate --dir s --alg $alg >/dev/null
		one=$(py assert $alg.key $alg "py-$alg" $issuer)
		token=$(with "$one" | jq -r .access_token)
		web "$url/jwks" >jwks.json
		promise "$alg: PyJWT and joserfc take our token" py verify jwks.json $issuer https://api.example <<<"$token"
		promise "$alg: our guard takes it" check <<<"$token"
		promise "$alg: an assertion by PyJWT is not taken twice" same "$(with "$one" | error)" invalid_client
	done
	promise "an assertion that lives an hour is refused" same "$(with "$(py assert EdDSA.key EdDSA py-EdDSA $issuer 3600)" | error)" invalid_client
	promise "an assertion for another audience is refused" same "$(with "$(py assert EdDSA.key EdDSA py-EdDSA https://x)" | error)" invalid_client
	promise "an assertion by another client's key is refused" same "$(with "$(py assert ES256.key ES256 py-EdDSA $issuer)" | error)" invalid_client
else
	echo "skip - PyJWT and joserfc (not there, and no registry)"
fi

# openssl checks the signature of the last token.
kid=$(id keys list --dir s | jq -r 'select(.retired == 0) | .kid')
id client add --dir s --id last --cert s/certs/alpha.pem >/dev/null
token=$(grant alpha -d client_id=last | jq -r .access_token)
if [ "$(cut -d. -f1 <<<"$token" | tr -- '-_' '+/' | base64 -d 2>/dev/null | jq -r .alg)" = EdDSA ]; then
	openssl pkey -in "s/keys/$kid.pem" -pubout -out kid.pub
	cut -d. -f1,2 <<<"$token" | tr -d '\n' >text
	{ cut -d. -f3 <<<"$token" | tr -- '-_' '+/' | tr -d '\n'; echo ==; } | base64 -d >signature 2>/dev/null
	promise "openssl takes our EdDSA signature" openssl pkeyutl -verify -pubin -inkey kid.pub -rawin -in text -sigfile signature
fi

# Another issuer: oidc-provider.
provider=$root/.deps/oidc
if [ ! -d "$provider/node_modules/oidc-provider" ] && command -v npm >/dev/null; then
	mkdir -p "$provider"
	(cd "$provider" && echo '{"private":true}' >package.json && timeout 180 npm install --ignore-scripts --no-audit --no-fund oidc-provider@8.8.1) >npm.log 2>&1
fi
if [ -d "$provider/node_modules/oidc-provider" ]; then
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	(cd "$provider" && exec node "$root/test/identity_oidc.mjs" "$port" "$dir/s/ca.pem" "$dir/s/certs/server.pem" "$dir/s/certs/server.key") >oidc.log 2>&1 &
	jobs+=($!)
	await oidc.log ready
	their=https://localhost:$port
	guard() { # AUDIENCE CHECK...
		id check --issuer "$their" --audience "$1" --jwks "$their/jwks" --ca s/ca.pem "${@:2}"
	}
	get() { as alpha -d grant_type=client_credentials -d client_id=alpha "$@" "$their/token" | jq -r .access_token; }
	token=$(get -d scope=policy:read)
	promise "oidc-provider: its bound token is good" guard https://api.example --cert s/certs/alpha.pem --scope policy:read --bound <<<"$token"
	promise "oidc-provider: stolen, it is not" same "$(guard https://api.example --cert s/certs/beta.pem <<<"$token" | jq -r .why)" 'the token is bound to another certificate'
	promise "oidc-provider: nor without a certificate" same "$(guard https://api.example <<<"$token" | jq .status)" 401
	promise "oidc-provider: nor with a scope that was not granted" same "$(guard https://api.example --cert s/certs/alpha.pem --scope policy:buy <<<"$token" | jq .status)" 403
	promise "oidc-provider: nor for our own issuer" same "$(check --cert s/certs/alpha.pem <<<"$token" | jq .status)" 401
	promise "oidc-provider: RS256" guard https://rsa.example --cert s/certs/alpha.pem <<<"$(get -d resource=https://rsa.example)"
	token=$(get -d resource=https://opaque.example)
	opaque() { TENFOLD_SECRET='a secret: for/tests+only' id check --issuer "$their" --audience https://opaque.example --introspect "$their/token/introspection" --client api --ca s/ca.pem "$@"; }
	promise "oidc-provider: an opaque token, by introspection" opaque --cert s/certs/alpha.pem <<<"$token"
	promise "oidc-provider: stolen, it is not" same "$(opaque --cert s/certs/beta.pem <<<"$token" | jq .status)" 401
	promise "oidc-provider: nonsense is not" same "$(opaque --cert s/certs/alpha.pem <<<nonsense | jq .status)" 401
else
	echo "skip - oidc-provider (not there, and no registry)"
fi
