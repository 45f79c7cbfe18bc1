/* What the tests of tokens share: keys that are in the repository (and open nothing), and tokens made by hand, right or
 * wrong in one place. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "serve/jwt.h"

#define OK(expr) assert_int_equal(expr, TF_OK)

#define NOW      (1700000000 * TF_SEC)
#define ISSUER   "https://issuer.example"
#define AUDIENCE "https://api.example"
#define THUMB_A  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define THUMB_B  "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* Members of a good token's claims; a test replaces one. */
#define C_ISS    "\"iss\":\"" ISSUER "\""
#define C_AUD    "\"aud\":\"" AUDIENCE "\""
#define C_WHO    "\"sub\":\"alpha\",\"client_id\":\"alpha\",\"jti\":\"1\""
#define C_TIMES  "\"iat\":1700000000,\"exp\":1700000300"
#define C_RIGHTS "\"scope\":\"policy:read policy:buy\",\"roles\":[\"partner\"]"
#define CLAIMS   "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES "," C_RIGHTS "}"
#define BOUND    "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES "," C_RIGHTS ",\"cnf\":{\"x5t#S256\":\"" THUMB_A "\"}}"

extern const char pem_ec[], pem_thief[], pem_rsa[], pem_ed[], pem_rsa_public[];
extern const char pem_p384[], pem_k256[], pem_rsa1024[]; /* public */

/* A private key with that kid. */
struct tf_jwk key_of(const char *pem, const char *kid);
/* {"keys":[...]} of the public halves of ec ("ec-1"), rsa ("rsa-1") and ed ("ed-1"). */
struct tf_jwks *keys_good(void);
/* header.payload.signature by that key; the header is text, whatever it says. alg is what really signs. */
void token_make(struct tf_buf *out, const char *head, struct tf_str payload, const struct tf_jwk *key, unsigned alg);
/* The same with the signature made by HMAC-SHA-256 over secret. */
void token_hmac(struct tf_buf *out, const char *head, struct tf_str payload, struct tf_str secret);
/* A good access token by ec-1. NUL-terminated. */
void token_good(struct tf_buf *out, const char *claims);
