/* Keys for signatures as JSON: JWK and JWK Set (RFC 7517, 7518 section 6, 8037), by OpenSSL's EVP.
 *
 * A set is what an issuer publishes. Of it, the keys that can verify one of our algorithms are kept; as RFC 7517
 * section 5 asks, others are passed over and counted: unknown kty or crv, use or key_ops for something else, RSA below
 * 2048 or above 8192 bits or with an exponent other than 65537, points that are not on the curve, symmetric keys, and
 * a "d" (a private key that was published is nobody's any more). Two kept keys of one type with one kid make the whole
 * set refused: which one signed could not be told. Members x5u, x5c and jku are never read.
 *
 * Ownership: a set is counted (tf_jwks_ref, tf_jwks_free) and immutable, so threads may share it. Pure: no I/O. */
#pragma once
#include <stdatomic.h>

#include "base/json.h"

struct evp_pkey_st;

/* Bits. A key of one type fits the algorithms of that type and no other. */
enum tf_jws_alg {
	TF_JWS_ES256 = 1, /* P-256, SHA-256: RFC 7518 section 3.4 */
	TF_JWS_RS256 = 2, /* RSASSA-PKCS1-v1_5, SHA-256 */
	TF_JWS_PS256 = 4, /* RSASSA-PSS, SHA-256, salt of 32 bytes */
	TF_JWS_EDDSA = 8, /* Ed25519: RFC 8037 */
	TF_JWS_ALL = 15,
};

#define TF_JWKS_KEYS_MAX 32
#define TF_JWKS_BYTES    65536 /* of a set's text */
#define TF_JWK_KID_MAX   128   /* bytes; a longer one is passed over, and refused in a token */
#define TF_JWK_PEM_BYTES 16384

struct tf_jwk {
	char kid[TF_JWK_KID_MAX + 1]; /* empty: none */
	unsigned kid_n;               /* a kid may hold any byte, also a NUL */
	unsigned algs;                /* of enum tf_jws_alg; one bit where the JWK names its alg */
	char thumbprint[44];          /* RFC 7638, SHA-256, base64url */
	struct evp_pkey_st *key;
};

struct tf_jwks {
	atomic_uint refs;
	size_t count;
	size_t ignored; /* passed over */
	struct tf_jwk keys[TF_JWKS_KEYS_MAX];
};

/* "ES256"; asserts that alg is one bit. */
const char *tf_jws_alg_name(unsigned alg);
/* 0 for a name that is not on the list. Exact case. */
unsigned tf_jws_alg_of(struct tf_str name);

/* Reads a set. TF_INVALID for what is no set, TF_TOO_LARGE past the limits. */
enum tf_err tf_jwks_parse(struct tf_str json, struct tf_jwks **out, struct tf_fault *f) TF_MUST_USE;
/* An empty set, to put keys into before it is shared. */
enum tf_err tf_jwks_new(struct tf_jwks **out, struct tf_fault *f) TF_MUST_USE;
/* Moves key into the set; *key is emptied in every case. TF_TOO_LARGE when it is full, TF_EXISTS for a kid twice. */
enum tf_err tf_jwks_take(struct tf_jwks *set, struct tf_jwk *key, struct tf_fault *f) TF_MUST_USE;
struct tf_jwks *tf_jwks_ref(struct tf_jwks *set);
/* Gives one reference back. Accepts NULL. */
void tf_jwks_free(struct tf_jwks **set);
/* The key that a token names: of that kid, or, where the token has none (kid.p NULL), the only one that fits alg. NULL
 * when there is none. The kid is compared byte by byte with those of the set and used for nothing else. */
const struct tf_jwk *tf_jwks_find(const struct tf_jwks *set, struct tf_str kid, unsigned alg);
/* Is a key with that thumbprint in the set? */
bool tf_jwks_holds(const struct tf_jwks *set, const char *thumbprint);

/* A key from PEM: a private key (not encrypted), a public key or a certificate's. Its kid is its thumbprint. The same
 * limits as in a set. */
enum tf_err tf_jwk_from_pem(struct tf_str pem, bool private, struct tf_jwk *out, struct tf_fault *f) TF_MUST_USE;
/* A new private key for one alg: P-256, RSA of 3072 bits, Ed25519. */
enum tf_err tf_jwk_generate(unsigned alg, struct tf_jwk *out, struct tf_fault *f) TF_MUST_USE;
/* The private key as PKCS #8 PEM. */
enum tf_err tf_jwk_to_pem(const struct tf_jwk *key, struct tf_buf *out, struct tf_fault *f) TF_MUST_USE;
void tf_jwk_release(struct tf_jwk *key);
/* The public half as a JWK: kty and its members, use sig, kid, and alg where the key has one. */
void tf_jwk_put(struct tf_json_out *w, const struct tf_jwk *key);
/* {"keys":[...]}, without a newline. */
void tf_jwks_put(struct tf_json_out *w, const struct tf_jwks *set);
