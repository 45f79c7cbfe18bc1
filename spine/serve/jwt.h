/* Signed tokens: JWS compact (RFC 7515), JWT (RFC 7519) and JWT access tokens (RFC 9068), read strictly. Pure: no I/O,
 * no clock; crypto is OpenSSL's EVP.
 *
 * What is refused, and how each is answered, is the table in jwt_test.c. The rules behind it:
 *  - the algorithm comes from the caller's list, and only a key whose type fits it is tried (RFC 8725 section 3.1);
 *    "none" and the HS family are on no list, so a public key is never a secret;
 *  - the key comes from the caller's set and nowhere else: jwk, jku, x5u and x5c of the header are not looked at;
 *  - "crit" is refused whatever it names: no extension is known here (RFC 7515 section 4.1.11);
 *  - one token has one text: base64url without padding and stray bits, three parts, JSON without duplicate members;
 *  - typ, iss and aud are compared whole, never by prefix or substring; exp, nbf and iat with at most 60 s of skew.
 *
 * Ownership: what was read lives in the caller's arena and in the token's text. */
#pragma once
#include "base/time.h"
#include "serve/jwks.h"

#define TF_JWT_BYTES      8192 /* of a token: half of what a request's head may have */
#define TF_JWT_HEAD_BYTES 1024 /* of its header, decoded */
#define TF_JWT_SKEW_MAX   (60 * TF_SEC)
#define TF_JWT_LIST_MAX   32 /* audiences, roles, scopes */

/* A token taken apart and not believed yet. */
struct tf_jws {
	struct tf_str signing; /* the text that was signed */
	struct tf_str payload; /* decoded */
	struct tf_str signature;
	struct tf_str kid; /* p NULL: the header has none */
	struct tf_str typ; /* p NULL: none */
	struct tf_str alg;
};

/* What a token must say. */
struct tf_jwt_rules {
	struct tf_str issuer;   /* iss, exactly */
	struct tf_str audience; /* aud, or one of them, exactly */
	const char *typ;        /* "at+jwt", with or without "application/"; NULL: any */
	unsigned algs;          /* of enum tf_jws_alg; 0: all of them */
	tf_dur skew;            /* between clocks, 0 to TF_JWT_SKEW_MAX */
	tf_dur life_max;        /* refused when exp is later than this from now; 0: 24 h */
	bool access;            /* an access token: sub, client_id, iat and jti must be there (RFC 9068 section 2.2) */
	bool asked;             /* the issuer itself was asked for these claims (introspection): iss may be absent */
};

/* What a believed token says. Absent strings have p NULL. */
struct tf_jwt {
	struct tf_str issuer, subject, client, id, scope;
	struct tf_str thumbprint; /* cnf.x5t#S256: 43 characters */
	const struct tf_json *claims;
	const struct tf_jwk *key; /* that verified it; as long as the set lives */
	tf_time expires, issued;
};

/* Takes a token apart. TF_INVALID, or TF_TOO_LARGE, for what is no JWS that anybody should make. */
enum tf_err tf_jws_read(struct tf_str token, struct tf_arena *arena, struct tf_jws *out,
			struct tf_fault *f) TF_MUST_USE;
/* Checks the signature. TF_NOT_FOUND: the set has no key of that kid for that algorithm (a newer set may have);
 * TF_DENIED: the algorithm is not allowed, or the signature is wrong. */
enum tf_err tf_jws_verify(const struct tf_jws *jws, const struct tf_jwks *keys, unsigned algs,
			  const struct tf_jwk **out_key, struct tf_fault *f) TF_MUST_USE;
/* Reads claims (a token's payload, or the answer of introspection) and checks them by the rules. TF_DENIED. */
enum tf_err tf_jwt_claims(const struct tf_json *claims, const struct tf_jwt_rules *rules, tf_time now,
			  struct tf_jwt *out, struct tf_fault *f) TF_MUST_USE;
/* All of it: parse, typ, signature, claims. Errors as above; never TF_OK for anything not signed. */
enum tf_err tf_jwt_verify(struct tf_str token, const struct tf_jwks *keys, const struct tf_jwt_rules *rules,
			  tf_time now, struct tf_arena *arena, struct tf_jwt *out, struct tf_fault *f) TF_MUST_USE;

/* Is word one of those between single blanks in list (RFC 6749 section 3.3)? Byte by byte. */
bool tf_scope_has(struct tf_str list, struct tf_str word);

/* Appends a token with the payload signed by a private key. alg 0: the key's own, RS256 for an RSA key of both. typ may
 * be NULL. The header is {"alg","kid","typ"}. */
enum tf_err tf_jws_sign(const struct tf_jwk *key, unsigned alg, const char *typ, struct tf_str payload,
			struct tf_buf *out, struct tf_fault *f) TF_MUST_USE;
