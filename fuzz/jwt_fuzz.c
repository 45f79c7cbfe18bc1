/* Tokens and keys: any bytes as a token are never a good one (nobody has signed them), as base64url have one text, as a
 * key set are refused or written and read back to the same keys, as claims are refused or keep what the rules say. */
#include <stddef.h>
#include <stdint.h>

#include "serve/b64.h"
#include "serve/jwt.h"

#define NOW (1700000000 * TF_SEC)

static const struct tf_jwt_rules rules = {
	.issuer = {"i", 1}, .audience = {"a", 1}, .typ = "at+jwt", .skew = 60 * TF_SEC, .access = true};

/* One key of each kind, the private halves thrown away with the process. */
static struct tf_jwks *
keys(void)
{
	static struct tf_jwks *set;
	static const unsigned algs[] = {TF_JWS_ES256, TF_JWS_RS256, TF_JWS_EDDSA};
	if (set || tf_jwks_new(&set, NULL))
		return set;
	for (int i = 0; i < 3; i++) {
		struct tf_jwk k;
		enum tf_err e = tf_jwk_generate(algs[i], &k, NULL);
		TF_ASSERT(e == TF_OK);
		k.kid[0] = (char)('a' + i);
		k.kid[1] = '\0';
		k.kid_n = 1;
		e = tf_jwks_take(set, &k, NULL);
		TF_ASSERT(e == TF_OK);
	}
	return set;
}

static void
as_token(struct tf_str text, struct tf_arena *arena)
{
	struct tf_jwt jwt;
	struct tf_fault f = {0};
	enum tf_err e = tf_jwt_verify(text, keys(), &rules, NOW, arena, &jwt, &f);
	TF_ASSERT(e != TF_OK && f.text[0]);
}

static void
as_base64url(struct tf_str text)
{
	uint8_t raw[4096];
	size_t n;
	struct tf_buf again;
	if (TF_B64_BYTES(text.n) > sizeof raw || !tf_b64_decode(text, raw, &n))
		return;
	tf_buf_init(&again, 0);
	tf_b64_put(&again, tf_str_n(raw, n));
	TF_ASSERT(tf_str_eq(tf_buf_view(&again), text));
	tf_buf_release(&again);
}

static void
as_keys(struct tf_str text)
{
	struct tf_jwks *set, *back;
	struct tf_buf b;
	if (tf_jwks_parse(text, &set, NULL))
		return;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_jwks_put(&w, set);
	enum tf_err e = tf_jwks_parse(tf_buf_view(&b), &back, NULL);
	TF_ASSERT(e == TF_OK && back->count == set->count && back->ignored == 0);
	for (size_t i = 0; i < set->count; i++)
		TF_ASSERT(strcmp(set->keys[i].thumbprint, back->keys[i].thumbprint) == 0);
	tf_jwks_free(&set);
	tf_jwks_free(&back);
	tf_buf_release(&b);
}

static void
as_claims(struct tf_str text, struct tf_arena *arena)
{
	const struct tf_json *v;
	struct tf_jwt t;
	if (tf_json_parse(text, arena, 0, &v, NULL) || tf_jwt_claims(v, &rules, NOW, &t, NULL))
		return;
	TF_ASSERT(t.expires + rules.skew > NOW && t.issued <= NOW + rules.skew);
	TF_ASSERT(tf_str_eq(t.issuer, rules.issuer) && t.subject.n && t.client.n && t.id.n);
	TF_ASSERT(!t.thumbprint.p || t.thumbprint.n == 43);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tf_arena arena;
	struct tf_str text = tf_str_n(data, size);
	tf_arena_init(&arena, "fuzz", 1 << 22);
	as_token(text, &arena);
	as_base64url(text);
	as_keys(text);
	tf_arena_reset(&arena);
	as_claims(text, &arena);
	tf_arena_release(&arena);
	return 0;
}
