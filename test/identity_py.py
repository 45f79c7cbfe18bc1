#!/usr/bin/env python3
"""Another implementation beside ours, for test/identity.sh: PyJWT and joserfc.
verify JWKS_FILE ISSUER AUDIENCE < TOKEN    both must take our token
assert PEM_FILE ALG CLIENT AUDIENCE [exp]   prints a client's assertion signed by PyJWT (exp: seconds from now)"""
import json
import sys
import time
import uuid

import jwt
from joserfc import jwt as jose
from joserfc.jwk import KeySet


def verify(path, issuer, audience):
    token = sys.stdin.read().strip()
    keys = json.load(open(path))
    head = jwt.get_unverified_header(token)
    assert head["typ"] == "at+jwt", head
    key = next(k for k in keys["keys"] if k["kid"] == head["kid"])
    claims = jwt.decode(token, jwt.PyJWK.from_dict(key).key, algorithms=[head["alg"]], audience=audience, issuer=issuer,
                        options={"require": ["exp", "iat", "sub", "jti", "client_id"]})
    algorithms = [head["alg"]]
    assert jose.decode(token, KeySet.import_key_set(keys), algorithms=algorithms).claims == claims


def assertion(path, alg, client, audience, life="60"):
    now = int(time.time())
    claims = {"iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + int(life), "jti": str(uuid.uuid4())}
    print(jwt.encode(claims, open(path).read(), algorithm=alg))


{"verify": verify, "assert": assertion}[sys.argv[1]](*sys.argv[2:])
