/* Tokens: the table of hostile ones, each with what is wrong and the answer; the RFCs' vectors.
 *
 * The key set has ec-1 (P-256), rsa-1 (2048) and ed-1 (Ed25519). A row's token is signed by the key of its `by` over
 * its own header, unless `twist` says that something else is done to it. */
#include "token_test.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/mem.h"
#include "serve/b64.h"
#include "serve/jws_impl.h"

#define HEAD            "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":\"at+jwt\"}"
#define HEAD_WITH(more) "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":\"at+jwt\"," more "}"
#define ALG(alg, kid)   "{\"alg\":\"" alg "\",\"kid\":\"" kid "\",\"typ\":\"at+jwt\"}"

enum by { BY_EC, BY_RSA, BY_RSA_PSS, BY_ED, BY_THIEF };
enum twist {
	AS_IS,
	UNSIGNED,      /* the third part is empty */
	HMAC_PEM,      /* HMAC with the RSA public key's PEM as the secret */
	HMAC_EMPTY,    /* HMAC with no secret */
	BIT,           /* one bit of the signature is another */
	CUT,           /* the signature's last byte is missing */
	DER,           /* the signature as X9.62 has it */
	ZEROS,         /* r = s = 0: CVE-2022-21449 */
	PADDED,        /* '=' behind */
	PADDED_HEAD,   /* '=' behind the header */
	STRAY_BITS,    /* the last character has bits that say nothing */
	DOT,           /* '.' behind */
	FOURTH,        /* ".e30" behind */
	TRAILING,      /* "AAAA" behind */
	NEWLINE,       /* "\n" behind */
	BLANK,         /* ' ' in the payload */
	TWO_PARTS,     /* signature cut off with its dot */
	JSON_FORM,     /* JWS JSON serialization */
	OTHER_PAYLOAD, /* claims replaced after signing */
};

struct row {
	const char *wrong; /* what is wrong with the token */
	const char *head, *claims;
	enum by by;
	enum twist twist;
	enum tf_err answer;
	const char *why; /* a part of the fault */
};

static const struct row rows[] = {
	/* Nothing is wrong with these. */
	{"nothing: ES256", HEAD, CLAIMS, BY_EC, AS_IS, TF_OK, ""},
	{"nothing: RS256", ALG("RS256", "rsa-1"), CLAIMS, BY_RSA, AS_IS, TF_OK, ""},
	{"nothing: PS256", ALG("PS256", "rsa-1"), CLAIMS, BY_RSA_PSS, AS_IS, TF_OK, ""},
	{"nothing: EdDSA", ALG("EdDSA", "ed-1"), CLAIMS, BY_ED, AS_IS, TF_OK, ""},
	{"nothing: typ in full, in capitals", "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":\"Application/AT+JWT\"}",
	 CLAIMS, BY_EC, AS_IS, TF_OK, ""},
	{"nothing: no kid, one key fits", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS, TF_OK, ""},
	{"nothing: aud is a list that has us", HEAD,
	 "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":[\"https://other.example\",\"" AUDIENCE "\"]}", BY_EC, AS_IS, TF_OK,
	 ""},

	/* The algorithm. */
	{"alg none, no signature", ALG("none", "ec-1"), CLAIMS, BY_EC, UNSIGNED, TF_INVALID, "three parts"},
	{"alg none, someone's signature", ALG("none", "ec-1"), CLAIMS, BY_EC, AS_IS, TF_DENIED, "not allowed"},
	{"alg nOnE", ALG("nOnE", "ec-1"), CLAIMS, BY_EC, AS_IS, TF_DENIED, "not allowed"},
	{"alg NONE and no kid", "{\"alg\":\"NONE\",\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS, TF_DENIED,
	 "not allowed"},
	{"alg empty", ALG("", "ec-1"), CLAIMS, BY_EC, AS_IS, TF_DENIED, "not allowed"},
	{"no alg", "{\"kid\":\"ec-1\",\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS, TF_INVALID, "no 'alg'"},
	{"alg is a number", "{\"alg\":256,\"kid\":\"ec-1\",\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS, TF_INVALID,
	 "'alg'"},
	{"HS256 with the RSA public key as secret", ALG("HS256", "rsa-1"), CLAIMS, BY_RSA, HMAC_PEM, TF_DENIED,
	 "not allowed"},
	{"HS256 with an empty secret", ALG("HS256", "ec-1"), CLAIMS, BY_EC, HMAC_EMPTY, TF_DENIED, "not allowed"},
	{"HMAC that says RS256", ALG("RS256", "rsa-1"), CLAIMS, BY_RSA, HMAC_PEM, TF_DENIED, "signature"},
	{"ES256 for an RSA key", ALG("ES256", "rsa-1"), CLAIMS, BY_RSA, AS_IS, TF_NOT_FOUND, "no key"},
	{"RS256 for an EC key", ALG("RS256", "ec-1"), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"RS256 named, PS256 signed", ALG("RS256", "rsa-1"), CLAIMS, BY_RSA_PSS, AS_IS, TF_DENIED, "signature"},
	{"PS256 named, RS256 signed", ALG("PS256", "rsa-1"), CLAIMS, BY_RSA, AS_IS, TF_DENIED, "signature"},
	{"ES384: not on the list", ALG("ES384", "ec-1"), CLAIMS, BY_EC, AS_IS, TF_DENIED, "not allowed"},
	{"ES256K: another curve", ALG("ES256K", "ec-1"), CLAIMS, BY_EC, AS_IS, TF_DENIED, "not allowed"},

	/* The signature. */
	{"signed by another key of that kid", HEAD, CLAIMS, BY_THIEF, AS_IS, TF_DENIED, "signature"},
	{"one bit is another", HEAD, CLAIMS, BY_EC, BIT, TF_DENIED, "signature"},
	{"one bit is another, RSA", ALG("RS256", "rsa-1"), CLAIMS, BY_RSA, BIT, TF_DENIED, "signature"},
	{"one bit is another, Ed25519", ALG("EdDSA", "ed-1"), CLAIMS, BY_ED, BIT, TF_DENIED, "signature"},
	{"a byte is missing", HEAD, CLAIMS, BY_EC, CUT, TF_DENIED, "signature"},
	{"in DER", HEAD, CLAIMS, BY_EC, DER, TF_DENIED, "signature"},
	{"r and s are zero", HEAD, CLAIMS, BY_EC, ZEROS, TF_DENIED, "signature"},
	{"empty", HEAD, CLAIMS, BY_EC, UNSIGNED, TF_INVALID, "three parts"},
	{"of other claims", HEAD, CLAIMS, BY_EC, OTHER_PAYLOAD, TF_DENIED, "signature"},

	/* The key. */
	{"kid unknown", ALG("ES256", "ec-2"), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"kid of another key", ALG("ES256", "ed-1"), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"kid is a path", ALG("ES256", "../../../../dev/null"), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"kid is SQL", ALG("ES256", "x' UNION SELECT 'AAAA'; --"), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"kid is a URL", ALG("ES256", "https://evil.example/k"), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"kid with a NUL behind", ALG("ES256", "ec-1\\u0000"), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"kid empty", ALG("ES256", ""), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"kid is a prefix", ALG("ES256", "ec-"), CLAIMS, BY_EC, AS_IS, TF_NOT_FOUND, "no key"},
	{"kid is a number", "{\"alg\":\"ES256\",\"kid\":1,\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS, TF_INVALID,
	 "'kid'"},
	{"kid is null", "{\"alg\":\"ES256\",\"kid\":null,\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS, TF_INVALID,
	 "'kid'"},
	{"no kid, signed by a key of another type", "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS,
	 TF_DENIED, "signature"},
	{"the thief's own key in jwk",
	 HEAD_WITH("\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}"), CLAIMS, BY_THIEF, AS_IS,
	 TF_DENIED, "signature"},
	{"the thief's own keys at jku", HEAD_WITH("\"jku\":\"https://evil.example/jwks\""), CLAIMS, BY_THIEF, AS_IS,
	 TF_DENIED, "signature"},
	{"the thief's certificate in x5c", HEAD_WITH("\"x5c\":[\"MIIB\"]"), CLAIMS, BY_THIEF, AS_IS, TF_DENIED,
	 "signature"},
	{"the thief's certificate at x5u", HEAD_WITH("\"x5u\":\"https://evil.example/c\""), CLAIMS, BY_THIEF, AS_IS,
	 TF_DENIED, "signature"},
	{"nothing: jwk, jku and x5u in a good token mean nothing", HEAD_WITH("\"jwk\":{},\"jku\":\"x\",\"x5u\":\"x\""),
	 CLAIMS, BY_EC, AS_IS, TF_OK, ""},

	/* The header. */
	{"crit names an unknown extension", HEAD_WITH("\"crit\":[\"exp\"],\"exp\":1"), CLAIMS, BY_EC, AS_IS, TF_INVALID,
	 "'crit'"},
	{"crit with b64", HEAD_WITH("\"crit\":[\"b64\"],\"b64\":false"), CLAIMS, BY_EC, AS_IS, TF_INVALID, "'crit'"},
	{"crit empty", HEAD_WITH("\"crit\":[]"), CLAIMS, BY_EC, AS_IS, TF_INVALID, "'crit'"},
	{"alg twice", "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS,
	 TF_INVALID, "header"},
	{"alg twice, once escaped", "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\",\"kid\":\"ec-1\",\"typ\":\"at+jwt\"}",
	 CLAIMS, BY_EC, AS_IS, TF_INVALID, "header"},
	{"kid twice", "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"kid\":\"x\",\"typ\":\"at+jwt\"}", CLAIMS, BY_EC, AS_IS,
	 TF_INVALID, "header"},
	{"typ JWT: an ID token", "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":\"JWT\"}", CLAIMS, BY_EC, AS_IS,
	 TF_DENIED, "typ"},
	{"no typ", "{\"alg\":\"ES256\",\"kid\":\"ec-1\"}", CLAIMS, BY_EC, AS_IS, TF_DENIED, "typ"},
	{"typ longer", "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":\"at+jwtx\"}", CLAIMS, BY_EC, AS_IS, TF_DENIED,
	 "typ"},
	{"typ is a list", "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":[\"at+jwt\"]}", CLAIMS, BY_EC, AS_IS, TF_INVALID,
	 "'typ'"},
	{"header is no object", "[]", CLAIMS, BY_EC, AS_IS, TF_INVALID, "no object"},
	{"header is no JSON", "{alg:ES256}", CLAIMS, BY_EC, AS_IS, TF_INVALID, "header"},
	{"header with bytes behind", HEAD "x", CLAIMS, BY_EC, AS_IS, TF_INVALID, "header"},
	{"header empty", "", CLAIMS, BY_EC, AS_IS, TF_INVALID, "header"},
	{"header nested past its depth", HEAD_WITH("\"x\":[[[[[[[[[]]]]]]]]]"), CLAIMS, BY_EC, AS_IS, TF_TOO_LARGE,
	 "header"},

	/* The text. */
	{"padding", HEAD, CLAIMS, BY_EC, PADDED, TF_INVALID, "base64url"},
	{"padding in the header", HEAD, CLAIMS, BY_EC, PADDED_HEAD, TF_INVALID, "base64url"},
	{"stray bits: two texts, one signature", HEAD, CLAIMS, BY_EC, STRAY_BITS, TF_INVALID, "base64url"},
	{"a dot behind", HEAD, CLAIMS, BY_EC, DOT, TF_INVALID, "three parts"},
	{"a fourth part", HEAD, CLAIMS, BY_EC, FOURTH, TF_INVALID, "three parts"},
	{"bytes behind", HEAD, CLAIMS, BY_EC, TRAILING, TF_DENIED, "signature"},
	{"a newline behind", HEAD, CLAIMS, BY_EC, NEWLINE, TF_INVALID, "base64url"},
	{"a blank inside", HEAD, CLAIMS, BY_EC, BLANK, TF_INVALID, "base64url"},
	{"two parts", HEAD, CLAIMS, BY_EC, TWO_PARTS, TF_INVALID, "three parts"},
	{"JSON serialization", HEAD, CLAIMS, BY_EC, JSON_FORM, TF_INVALID, "three parts"},

	/* The claims. */
	{"claims are no object", HEAD, "[]", BY_EC, AS_IS, TF_DENIED, "no object"},
	{"claims are no JSON", HEAD, "{", BY_EC, AS_IS, TF_INVALID, "claims"},
	{"claims empty", HEAD, "", BY_EC, AS_IS, TF_INVALID, "claims"},
	{"exp twice", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"exp\":1900000000}", BY_EC, AS_IS, TF_INVALID,
	 "claims"},
	{"aud twice", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"aud\":\"x\"}", BY_EC, AS_IS, TF_INVALID,
	 "claims"},
	{"cnf twice", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"cnf\":{},\"cnf\":{}}", BY_EC, AS_IS,
	 TF_INVALID, "claims"},
	{"no iss", HEAD, "{" C_AUD "," C_WHO "," C_TIMES "}", BY_EC, AS_IS, TF_DENIED, "issuer"},
	{"iss with a slash", HEAD, "{\"iss\":\"" ISSUER "/\"," C_AUD "," C_WHO "," C_TIMES "}", BY_EC, AS_IS, TF_DENIED,
	 "issuer"},
	{"iss in capitals", HEAD, "{\"iss\":\"https://ISSUER.example\"," C_AUD "," C_WHO "," C_TIMES "}", BY_EC, AS_IS,
	 TF_DENIED, "issuer"},
	{"iss is a list", HEAD, "{\"iss\":[\"" ISSUER "\"]," C_AUD "," C_WHO "," C_TIMES "}", BY_EC, AS_IS, TF_DENIED,
	 "'iss'"},
	{"no aud", HEAD, "{" C_ISS "," C_WHO "," C_TIMES "}", BY_EC, AS_IS, TF_DENIED, "no 'aud'"},
	{"aud is another", HEAD, "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":\"https://other.example\"}", BY_EC, AS_IS,
	 TF_DENIED, "another audience"},
	{"aud has ours inside", HEAD, "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":\"" AUDIENCE ".evil.example\"}", BY_EC,
	 AS_IS, TF_DENIED, "another audience"},
	{"aud is a part of ours", HEAD, "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":\"https://api\"}", BY_EC, AS_IS,
	 TF_DENIED, "another audience"},
	{"aud empty", HEAD, "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":\"\"}", BY_EC, AS_IS, TF_DENIED,
	 "another audience"},
	{"aud is an empty list", HEAD, "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":[]}", BY_EC, AS_IS, TF_DENIED,
	 "another audience"},
	{"aud is a list of others", HEAD, "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":[\"a\",\"" AUDIENCE "x\"]}", BY_EC,
	 AS_IS, TF_DENIED, "another audience"},
	{"aud has ours and a number", HEAD, "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":[\"" AUDIENCE "\",1]}", BY_EC,
	 AS_IS, TF_DENIED, "'aud'"},
	{"aud is an object", HEAD, "{" C_ISS "," C_WHO "," C_TIMES ",\"aud\":{\"" AUDIENCE "\":1}}", BY_EC, AS_IS,
	 TF_DENIED, "'aud'"},
	{"no exp", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000}", BY_EC, AS_IS, TF_DENIED, "no 'exp'"},
	{"exp is now", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1699999000,\"exp\":1700000000}", BY_EC, AS_IS,
	 TF_DENIED, "expired"},
	{"exp long past", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1,\"exp\":2}", BY_EC, AS_IS, TF_DENIED,
	 "expired"},
	{"exp is text", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"exp\":\"1700000300\"}", BY_EC, AS_IS,
	 TF_DENIED, "'exp'"},
	{"exp is null", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"exp\":null}", BY_EC, AS_IS,
	 TF_DENIED, "'exp'"},
	{"exp overflows", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"exp\":1e300}", BY_EC, AS_IS,
	 TF_DENIED, "'exp'"},
	{"exp negative", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"exp\":-1}", BY_EC, AS_IS, TF_DENIED,
	 "'exp'"},
	{"exp in ten years", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"exp\":2015000000}", BY_EC,
	 AS_IS, TF_DENIED, "longer"},
	{"nbf in the future", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"nbf\":1700000100}", BY_EC, AS_IS,
	 TF_DENIED, "not valid yet"},
	{"nbf is text", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"nbf\":\"0\"}", BY_EC, AS_IS, TF_DENIED,
	 "'nbf'"},
	{"iat in the future", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000100,\"exp\":1700000300}", BY_EC,
	 AS_IS, TF_DENIED, "in the future"},
	{"no iat", HEAD, "{" C_ISS "," C_AUD "," C_WHO ",\"exp\":1700000300}", BY_EC, AS_IS, TF_DENIED, "no 'iat'"},
	{"no sub", HEAD, "{" C_ISS "," C_AUD "," C_TIMES ",\"client_id\":\"a\",\"jti\":\"1\"}", BY_EC, AS_IS, TF_DENIED,
	 "no 'sub'"},
	{"no client_id", HEAD, "{" C_ISS "," C_AUD "," C_TIMES ",\"sub\":\"a\",\"jti\":\"1\"}", BY_EC, AS_IS, TF_DENIED,
	 "no 'client_id'"},
	{"no jti", HEAD, "{" C_ISS "," C_AUD "," C_TIMES ",\"sub\":\"a\",\"client_id\":\"a\"}", BY_EC, AS_IS, TF_DENIED,
	 "no 'jti'"},
	{"sub with a NUL", HEAD,
	 "{" C_ISS "," C_AUD "," C_TIMES ",\"sub\":\"admin\\u0000\",\"client_id\":\"a\",\"jti\":\"1\"}", BY_EC, AS_IS,
	 TF_DENIED, "'sub'"},
	{"client_id empty", HEAD, "{" C_ISS "," C_AUD "," C_TIMES ",\"sub\":\"a\",\"client_id\":\"\",\"jti\":\"1\"}",
	 BY_EC, AS_IS, TF_DENIED, "'client_id'"},
	{"scope is a list", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"scope\":[\"a\"]}", BY_EC, AS_IS,
	 TF_DENIED, "'scope'"},
	{"roles is text", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"roles\":\"admin\"}", BY_EC, AS_IS,
	 TF_DENIED, "'roles'"},
	{"a role with a blank: two roles", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"roles\":[\"a admin\"]}",
	 BY_EC, AS_IS, TF_DENIED, "role"},
	{"bound to a DPoP key", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"cnf\":{\"jkt\":\"" THUMB_A "\"}}",
	 BY_EC, AS_IS, TF_DENIED, "bound to something"},
	{"bound to two things", HEAD,
	 "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"cnf\":{\"x5t#S256\":\"" THUMB_A "\",\"jkt\":\"x\"}}", BY_EC,
	 AS_IS, TF_DENIED, "bound to something"},
	{"bound to nothing", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"cnf\":{}}", BY_EC, AS_IS, TF_DENIED,
	 "bound to something"},
	{"cnf is null", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"cnf\":null}", BY_EC, AS_IS, TF_DENIED,
	 "bound to something"},
	{"x5t#S256 too short", HEAD, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"cnf\":{\"x5t#S256\":\"AAAA\"}}",
	 BY_EC, AS_IS, TF_DENIED, "SHA-256"},
	{"x5t#S256 in hex", HEAD,
	 "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES
	 ",\"cnf\":{\"x5t#S256\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}}",
	 BY_EC, AS_IS, TF_DENIED, "SHA-256"},
};

static const struct tf_jwt_rules good_rules = {
	.issuer = {ISSUER, sizeof ISSUER - 1},
	.audience = {AUDIENCE, sizeof AUDIENCE - 1},
	.typ = "at+jwt",
	.access = true,
};

struct kit {
	struct tf_jwks *keys;
	struct tf_jwk by[5];
	struct tf_arena arena;
	struct tf_buf token;
};

static int
setup(void **state)
{
	struct kit *k = tf_calloc(1, sizeof *k);
	k->keys = keys_good();
	k->by[BY_EC] = key_of(pem_ec, "ec-1");
	k->by[BY_RSA] = key_of(pem_rsa, "rsa-1");
	k->by[BY_RSA_PSS] = key_of(pem_rsa, "rsa-1");
	k->by[BY_ED] = key_of(pem_ed, "ed-1");
	k->by[BY_THIEF] = key_of(pem_thief, "ec-1");
	tf_arena_init(&k->arena, "test", 1 << 20);
	tf_buf_init(&k->token, 0);
	*state = k;
	return 0;
}

static int
teardown(void **state)
{
	struct kit *k = *state;
	for (int i = 0; i < 5; i++)
		tf_jwk_release(&k->by[i]);
	tf_jwks_free(&k->keys);
	tf_arena_release(&k->arena);
	tf_buf_release(&k->token);
	tf_free(k);
	return 0;
}

static unsigned
alg_of(enum by by)
{
	static const unsigned algs[] = {TF_JWS_ES256, TF_JWS_RS256, TF_JWS_PS256, TF_JWS_EDDSA, TF_JWS_ES256};
	return algs[by];
}

/* Where the n-th dot is. */
static size_t
dot(const struct tf_buf *b, int n)
{
	size_t i = 0;
	for (;; i++)
		if (b->p[i] == '.' && --n == 0)
			return i;
}

static void
put_before(struct tf_buf *b, size_t at, const char *text)
{
	size_t n = strlen(text);
	assert_non_null(tf_buf_extend(b, n));
	memmove(b->p + at + n, b->p + at, b->n - n - at);
	memcpy(b->p + at, text, n);
}

/* The signature taken off, changed, and put back. */
static void
change_signature(struct tf_buf *b, enum twist twist)
{
	size_t at = dot(b, 2) + 1, n;
	uint8_t raw[1024], der[] = {0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};
	assert_true(tf_b64_decode(tf_str_n(b->p + at, b->n - at), raw, &n));
	b->n = at;
	if (twist == BIT)
		raw[n / 2] ^= 1;
	if (twist == CUT)
		n--;
	if (twist == ZEROS)
		memset(raw, 0, n);
	if (twist == DER)
		memcpy(raw, der, n = sizeof der);
	tf_b64_put(b, tf_str_n(raw, n));
}

static void
do_twist(struct tf_buf *b, enum twist twist)
{
	switch (twist) {
	case UNSIGNED:
		b->n = dot(b, 2) + 1;
		break;
	case BIT:
	case CUT:
	case DER:
	case ZEROS:
		change_signature(b, twist);
		break;
	case PADDED:
		tf_buf_cstr(b, "==");
		break;
	case PADDED_HEAD:
		put_before(b, dot(b, 1), "=");
		break;
	case STRAY_BITS: /* 64 bytes are 86 characters, the last of them with 4 bits of nothing */
		b->p[b->n - 1]++;
		break;
	case DOT:
		tf_buf_cstr(b, ".");
		break;
	case FOURTH:
		tf_buf_cstr(b, ".e30");
		break;
	case TRAILING:
		tf_buf_cstr(b, "AA");
		b->p[b->n - 3] = 'A';
		break;
	case NEWLINE:
		tf_buf_cstr(b, "\n");
		break;
	case BLANK:
		put_before(b, dot(b, 1) + 3, " ");
		break;
	case TWO_PARTS:
		b->n = dot(b, 2);
		break;
	case JSON_FORM:
		put_before(b, 0, "{\"payload\":\"");
		tf_buf_cstr(b, "\"}");
		b->p[dot(b, 1)] = '"';
		break;
	case OTHER_PAYLOAD:
		b->p[dot(b, 1) + 12] ^= 1;
		break;
	default:
		break;
	}
}

static void
make(struct kit *k, const struct row *r)
{
	struct tf_str claims = tf_str(r->claims);
	tf_buf_reset(&k->token);
	if (r->twist == HMAC_PEM || r->twist == HMAC_EMPTY)
		token_hmac(&k->token, r->head, claims, r->twist == HMAC_PEM ? tf_str(pem_rsa_public) : TF_STR(""));
	else
		token_make(&k->token, r->head, claims, &k->by[r->by], alg_of(r->by));
	do_twist(&k->token, r->twist);
}

static enum tf_err
verify(struct kit *k, const struct tf_jwt_rules *rules, tf_time now, struct tf_jwt *out, struct tf_fault *f)
{
	tf_arena_reset(&k->arena);
	return tf_jwt_verify(tf_buf_view(&k->token), k->keys, rules, now, &k->arena, out, f);
}

static void
hostile_tokens_get_their_answer(void **state)
{
	struct kit *k = *state;
	int wrong = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct tf_jwt jwt;
		struct tf_fault f = {0};
		make(k, r);
		enum tf_err e = verify(k, &good_rules, NOW, &jwt, &f);
		bool as_said = e == r->answer && (e == TF_OK || strstr(f.text, r->why));
		if (!as_said)
			print_error("%s: %s '%s', not %s '%s'\n", r->wrong, tf_err_name(e), f.text,
				    tf_err_name(r->answer), r->why);
		wrong += !as_said;
	}
	assert_int_equal(wrong, 0);
}

static void
a_good_token_tells_who_and_what(void **state)
{
	struct kit *k = *state;
	struct tf_jwt t;
	tf_buf_reset(&k->token);
	token_good(&k->token, BOUND);
	OK(verify(k, &good_rules, NOW, &t, NULL));
	assert_true(tf_str_eq(t.client, TF_STR("alpha")));
	assert_true(tf_str_eq(t.thumbprint, TF_STR(THUMB_A)));
	assert_true(tf_scope_has(t.scope, TF_STR("policy:buy")));
	assert_false(tf_scope_has(t.scope, TF_STR("policy")));
	assert_false(tf_scope_has(t.scope, TF_STR("")));
	assert_int_equal(t.expires, 1700000300 * TF_SEC);
	assert_string_equal(t.key->kid, "ec-1");
}

static void
skew_moves_each_limit_and_no_further(void **state)
{
	struct kit *k = *state;
	struct tf_jwt_rules r = good_rules;
	struct tf_jwt t;
	r.skew = 60 * TF_SEC;
	tf_buf_reset(&k->token);
	token_good(&k->token,
		   "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"nbf\":1700000000.5,\"exp\":1700000300}");
	OK(verify(k, &r, 1700000359 * TF_SEC, &t, NULL));
	assert_int_equal(verify(k, &r, 1700000360 * TF_SEC, &t, NULL), TF_DENIED);
	OK(verify(k, &r, 1699999941 * TF_SEC, &t, NULL));
	assert_int_equal(verify(k, &r, 1699999940 * TF_SEC, &t, NULL), TF_DENIED); /* nbf's half second */
	assert_int_equal(verify(k, &good_rules, 1700000300 * TF_SEC, &t, NULL), TF_DENIED);
}

static void
only_algorithms_of_the_list_are_taken(void **state)
{
	struct kit *k = *state;
	struct tf_jwt_rules r = good_rules;
	struct tf_jwt t;
	r.algs = TF_JWS_PS256 | TF_JWS_EDDSA;
	for (enum by by = BY_EC; by <= BY_ED; by++) {
		make(k, &rows[by]);
		enum tf_err e = verify(k, &r, NOW, &t, NULL);
		assert_int_equal(e, by == BY_RSA_PSS || by == BY_ED ? TF_OK : TF_DENIED);
	}
}

static void
a_token_past_its_size_is_refused(void **state)
{
	struct kit *k = *state;
	struct tf_jwt t;
	struct tf_buf claims;
	tf_buf_init(&claims, 0);
	tf_buf_cstr(&claims, "{" C_ISS "," C_AUD "," C_WHO "," C_TIMES ",\"x\":\"");
	for (int i = 0; i < TF_JWT_BYTES; i++)
		tf_buf_u8(&claims, 'x');
	tf_buf_cstr(&claims, "\"}");
	tf_buf_reset(&k->token);
	token_make(&k->token, HEAD, tf_buf_view(&claims), &k->by[BY_EC], TF_JWS_ES256);
	assert_int_equal(verify(k, &good_rules, NOW, &t, NULL), TF_TOO_LARGE);
	tf_buf_reset(&claims);
	tf_buf_cstr(&claims, "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":\"at+jwt\",\"x\":\"");
	for (int i = 0; i < TF_JWT_HEAD_BYTES; i++)
		tf_buf_u8(&claims, 'x');
	tf_buf_put(&claims, "\"}", 3);
	tf_buf_reset(&k->token);
	token_make(&k->token, (const char *)claims.p, TF_STR(CLAIMS), &k->by[BY_EC], TF_JWS_ES256);
	assert_int_equal(verify(k, &good_rules, NOW, &t, NULL), TF_TOO_LARGE);
	tf_buf_release(&claims);
}

/* Every byte of a good token replaced, one at a time: none of them is good any more. */
static void
no_byte_of_a_token_can_be_another(void **state)
{
	struct kit *k = *state;
	struct tf_jwt t;
	tf_buf_reset(&k->token);
	token_good(&k->token, CLAIMS);
	for (size_t i = 0; i < k->token.n; i++) {
		uint8_t was = k->token.p[i];
		k->token.p[i] = was == 'A' ? 'B' : 'A';
		if (was != '.')
			assert_int_not_equal(verify(k, &good_rules, NOW, &t, NULL), TF_OK);
		k->token.p[i] = was;
	}
	OK(verify(k, &good_rules, NOW, &t, NULL));
	for (size_t n = 0; n < k->token.n; n++) {
		tf_arena_reset(&k->arena);
		assert_int_not_equal(
			tf_jwt_verify(tf_str_n(k->token.p, n), k->keys, &good_rules, NOW, &k->arena, &t, NULL), TF_OK);
	}
}

static void
every_allocation_that_fails_is_told(void **state)
{
	struct kit *k = *state;
	struct tf_jwt t;
	for (uint64_t n = 1; n < 100; n++) {
		struct tf_arena arena;
		make(k, &rows[0]);
		tf_arena_init(&arena, "test", 0);
		tf_mem_fail_at(n);
		enum tf_err e = tf_jwt_verify(tf_buf_view(&k->token), k->keys, &good_rules, NOW, &arena, &t, NULL);
		bool untouched = tf_mem_fail_at(0) < n;
		tf_arena_release(&arena);
		assert_int_equal(e == TF_OK, untouched);
		if (untouched)
			return;
	}
	fail();
}

/* The RFCs' signatures; their claims are not ours, so the signature alone is looked at. */
static const struct {
	const char *from, *keys, *token;
} vectors[] = {
	{"RFC 7515 A.2, RS256",
	 "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
	 "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1P"
	 "t0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
	 "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg66"
	 "5xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
	 "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}",
	 "eyJhbGciOiJSUzI1NiJ9."
	 "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
	 "cC4hiUPoj9Eetdgtv3hF80EGr"
	 "huB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
	 "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6x"
	 "BArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
	 "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5"
	 "AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
	{"RFC 7515 A.3, ES256",
	 "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_"
	 "FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
	 "eyJhbGciOiJFUzI1NiJ9."
	 "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
	 "DtEhU3ljbEg8L38VWAfUAqOyKA"
	 "M6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
	{"RFC 7520 4.1, RS256",
	 "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"e\":\"AQAB\",\"n\":"
	 "\"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd"
	 "4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-"
	 "QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfV"
	 "fHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_"
	 "mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5i"
	 "aiQkqgc5gHdrNP5zw\"}]}",
	 "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9."
	 "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIg"
	 "ZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpb"
	 "mcgd2hlcmUgeW91IG1pZ2h0IGJlIHN"
	 "3ZXB0IG9mZiB0by4.MRjdkly7_-"
	 "oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-"
	 "BDkoBwA78185hX-Es4"
	 "JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_"
	 "de3xyIrDaLGdjluPxUAhb6L2aXic1U12"
	 "podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"},
	{"RFC 8037 A.4, EdDSA",
	 "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
	 "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
	 "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

static void
verifies_the_vectors_of_the_rfcs(void **state)
{
	struct kit *k = *state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct tf_jwks *keys;
		struct tf_jws jws;
		const struct tf_jwk *by;
		struct tf_fault f = {0};
		tf_arena_reset(&k->arena);
		OK(tf_jwks_parse(tf_str(vectors[i].keys), &keys, &f));
		assert_int_equal(keys->count, 1);
		OK(tf_jws_read(tf_str(vectors[i].token), &k->arena, &jws, &f));
		if (tf_jws_verify(&jws, keys, 0, &by, &f))
			fail_msg("%s: %s", vectors[i].from, f.text);
		tf_jwks_free(&keys);
	}
}

/* Ed25519 signs the same the same way every time, so the RFC's signature can be made as well. */
static void
makes_the_signature_of_rfc_8037(void **state)
{
	uint8_t d[32], signature[JWS_SIGNATURE_MAX];
	size_t n;
	char text[128];
	assert_true(tf_b64_exact(TF_STR("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"), d, 32));
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d, 32);
	struct tf_str vector = tf_str(vectors[3].token), head, payload;
	struct tf_str rest = vector;
	assert_true(tf_str_cut(&rest, '.', &head) && tf_str_cut(&rest, '.', &payload));
	assert_true(jws_make(key, TF_JWS_EDDSA, tf_str_n(vector.p, head.n + payload.n + 1), signature, &n));
	tf_b64_text(signature, n, text);
	assert_true(tf_str_eq(tf_str(text), rest));
	EVP_PKEY_free(key);
}

static void
what_it_signs_it_verifies(void **state)
{
	struct kit *k = *state;
	for (enum by by = BY_EC; by <= BY_ED; by++) {
		struct tf_jwt t;
		tf_buf_reset(&k->token);
		OK(tf_jws_sign(&k->by[by], alg_of(by), "at+jwt", TF_STR(CLAIMS), &k->token, NULL));
		OK(verify(k, &good_rules, NOW, &t, NULL));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_tokens_get_their_answer),
		cmocka_unit_test(a_good_token_tells_who_and_what),
		cmocka_unit_test(skew_moves_each_limit_and_no_further),
		cmocka_unit_test(only_algorithms_of_the_list_are_taken),
		cmocka_unit_test(a_token_past_its_size_is_refused),
		cmocka_unit_test(no_byte_of_a_token_can_be_another),
		cmocka_unit_test(every_allocation_that_fails_is_told),
		cmocka_unit_test(verifies_the_vectors_of_the_rfcs),
		cmocka_unit_test(makes_the_signature_of_rfc_8037),
		cmocka_unit_test(what_it_signs_it_verifies),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
