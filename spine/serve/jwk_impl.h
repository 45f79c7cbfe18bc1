/* Between the files of JWK; not for users. */
#pragma once
#include "serve/jwks.h"

#define JWK_RSA_BYTES_MIN 256  /* 2048 bits */
#define JWK_RSA_BYTES_MAX 1024 /* 8192: a signature check costs with the square */

/* The public members of a key, as bytes without leading zeros (RSA) or of the curve's length. */
struct jwk_parts {
	const char *kty;                     /* "EC", "RSA", "OKP" */
	uint8_t a[JWK_RSA_BYTES_MAX], b[32]; /* x and y; n and e; x */
	size_t a_n, b_n;
};

/* False for a key that we do not keep. */
bool jwk_parts(const struct evp_pkey_st *key, struct jwk_parts *out);
/* Which algorithms a key of that type fits. */
unsigned jwk_algs(const struct jwk_parts *p);
/* The public key of parts that were read; NULL when OpenSSL finds it wrong. */
struct evp_pkey_st *jwk_build(const struct jwk_parts *p);
/* Fills thumbprint; false when memory is out. */
bool jwk_thumbprint(const struct jwk_parts *p, char out[static 44]);
/* Length of a kid that is a C string. */
void jwk_set_kid(struct tf_jwk *k, struct tf_str kid);
