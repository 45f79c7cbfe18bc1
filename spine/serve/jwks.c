/* Key sets: reading a JWK Set, finding a key in it; see jwks.h. */
#include "serve/jwks.h"

#include <openssl/evp.h>

#include "base/mem.h"
#include "serve/b64.h"
#include "serve/jwk_impl.h"

#define TREE_BYTES (TF_JWKS_BYTES * 16) /* of a set's JSON: nodes are larger than the shortest values */
#define DEPTH      8

static const struct {
	const char *name;
	unsigned alg;
} algs[] = {
	{"ES256", TF_JWS_ES256},
	{"RS256", TF_JWS_RS256},
	{"PS256", TF_JWS_PS256},
	{"EdDSA", TF_JWS_EDDSA},
};

const char *
tf_jws_alg_name(unsigned alg)
{
	size_t i = 0;
	while (i < sizeof algs / sizeof *algs && algs[i].alg != alg)
		i++;
	TF_ASSERT(i < sizeof algs / sizeof *algs);
	return algs[i].name;
}

unsigned
tf_jws_alg_of(struct tf_str name)
{
	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++)
		if (tf_str_eq(name, tf_str(algs[i].name)))
			return algs[i].alg;
	return 0;
}

static bool
member_is(const struct tf_json *v, const char *name, const char *text)
{
	struct tf_str s;
	return tf_json_str(tf_json_get(v, name), &s) && tf_str_eq(s, tf_str(text));
}

/* May the key verify signatures, as far as use and key_ops tell (RFC 7517 section 4.2 and 4.3)? */
static bool
for_verifying(const struct tf_json *v)
{
	if (tf_json_get(v, "use") && !member_is(v, "use", "sig"))
		return false;
	const struct tf_json *ops = tf_json_get(v, "key_ops");
	if (!ops)
		return true;
	struct tf_str s;
	for (const struct tf_json *o = tf_json_first(ops); o; o = o->next)
		if (tf_json_str(o, &s) && tf_str_eq(s, TF_STR("verify")))
			return true;
	return false;
}

static bool
read_rsa(const struct tf_json *v, struct jwk_parts *p)
{
	struct tf_str n, e;
	p->kty = "RSA";
	return tf_json_str(tf_json_get(v, "n"), &n) && tf_json_str(tf_json_get(v, "e"), &e) &&
	       TF_B64_BYTES(n.n) <= sizeof p->a && TF_B64_BYTES(e.n) <= sizeof p->b &&
	       tf_b64_decode(n, p->a, &p->a_n) && tf_b64_decode(e, p->b, &p->b_n);
}

/* Coordinates have the curve's full length: RFC 7518 section 6.2.1.2. */
static bool
read_curve(const struct tf_json *v, struct jwk_parts *p)
{
	struct tf_str x, y;
	bool ec = member_is(v, "kty", "EC");
	p->kty = ec ? "EC" : "OKP";
	p->a_n = 32;
	p->b_n = ec ? 32 : 0;
	return member_is(v, "crv", ec ? "P-256" : "Ed25519") && tf_json_str(tf_json_get(v, "x"), &x) &&
	       tf_b64_exact(x, p->a, 32) &&
	       (!ec || (tf_json_str(tf_json_get(v, "y"), &y) && tf_b64_exact(y, p->b, 32)));
}

/* kid and alg: absent, or as they must be. */
static bool
read_names(const struct tf_json *v, struct tf_jwk *k)
{
	struct tf_str s;
	if (tf_json_get(v, "kid")) {
		if (!tf_json_str(tf_json_get(v, "kid"), &s) || s.n == 0 || s.n > TF_JWK_KID_MAX)
			return false;
		jwk_set_kid(k, s);
	}
	if (tf_json_get(v, "alg")) {
		if (!tf_json_str(tf_json_get(v, "alg"), &s))
			return false;
		k->algs &= tf_jws_alg_of(s);
	}
	return k->algs != 0;
}

/* False: the key is passed over. */
static bool
read_key(const struct tf_json *v, struct tf_jwk *out)
{
	struct jwk_parts parts = {0}, built;
	struct tf_jwk k = {0};
	if (!for_verifying(v) || tf_json_get(v, "d"))
		return false;
	bool rsa = member_is(v, "kty", "RSA");
	if (!rsa && !member_is(v, "kty", "EC") && !member_is(v, "kty", "OKP"))
		return false;
	if (rsa ? !read_rsa(v, &parts) : !read_curve(v, &parts))
		return false;
	k.algs = jwk_algs(&parts);
	if (!read_names(v, &k))
		return false;
	k.key = jwk_build(&parts);
	if (!k.key || !jwk_parts(k.key, &built) || !jwk_thumbprint(&built, k.thumbprint)) {
		tf_jwk_release(&k);
		return false;
	}
	*out = k;
	return true;
}

enum tf_err
tf_jwks_new(struct tf_jwks **out, struct tf_fault *f)
{
	struct tf_jwks *set = tf_calloc(1, sizeof *set);
	if (!set)
		return tf_fault(f, TF_NO_MEMORY, "cannot make a key set: out of memory");
	atomic_init(&set->refs, 1);
	*out = set;
	return TF_OK;
}

static enum tf_err
refuse(struct tf_jwk *key, struct tf_fault *f, enum tf_err e, const char *why)
{
	tf_fault(f, e, "key '%.*s': %s", (int)key->kid_n, key->kid, why);
	tf_jwk_release(key);
	return e;
}

enum tf_err
tf_jwks_take(struct tf_jwks *set, struct tf_jwk *key, struct tf_fault *f)
{
	if (set->count == TF_JWKS_KEYS_MAX)
		return refuse(key, f, TF_TOO_LARGE, "the set has 32 already");
	struct tf_str kid = tf_str_n(key->kid, key->kid_n);
	for (size_t i = 0; i < set->count; i++) {
		const struct tf_jwk *k = &set->keys[i];
		if (kid.n && (k->algs & key->algs) && tf_str_eq(kid, tf_str_n(k->kid, k->kid_n)))
			return refuse(key, f, TF_EXISTS, "the set has another of that kid");
	}
	set->keys[set->count++] = *key;
	*key = (struct tf_jwk){0};
	return TF_OK;
}

static enum tf_err
read_set(const struct tf_json *root, struct tf_jwks *set, struct tf_fault *f)
{
	const struct tf_json *keys;
	TF_TRY(tf_json_need(root, "keys", TF_JSON_ARRAY, &keys, f));
	if (keys->count > TF_JWKS_KEYS_MAX)
		return tf_fault(f, TF_TOO_LARGE, "a key set of %u keys: at most %d", keys->count, TF_JWKS_KEYS_MAX);
	for (const struct tf_json *v = tf_json_first(keys); v; v = v->next) {
		struct tf_jwk k;
		if (!read_key(v, &k))
			set->ignored++;
		else if (tf_jwks_take(set, &k, f))
			return tf_fault_wrap(f, TF_INVALID, "key set");
	}
	return TF_OK;
}

enum tf_err
tf_jwks_parse(struct tf_str json, struct tf_jwks **out, struct tf_fault *f)
{
	struct tf_jwks *set;
	struct tf_arena arena;
	const struct tf_json *root = NULL;
	if (json.n > TF_JWKS_BYTES)
		return tf_fault(f, TF_TOO_LARGE, "a key set of %zu bytes: at most %d", json.n, TF_JWKS_BYTES);
	TF_TRY(tf_jwks_new(&set, f));
	tf_arena_init(&arena, "key set", TREE_BYTES);
	enum tf_err e = tf_json_parse(json, &arena, DEPTH, &root, f);
	e = e ? e : read_set(root, set, f);
	tf_arena_release(&arena);
	if (e)
		tf_jwks_free(&set);
	else
		*out = set;
	return e;
}

struct tf_jwks *
tf_jwks_ref(struct tf_jwks *set)
{
	atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	return set;
}

void
tf_jwks_free(struct tf_jwks **set)
{
	struct tf_jwks *s = *set;
	*set = NULL;
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->count; i++)
		tf_jwk_release(&s->keys[i]);
	tf_free(s);
}

const struct tf_jwk *
tf_jwks_find(const struct tf_jwks *set, struct tf_str kid, unsigned alg)
{
	const struct tf_jwk *found = NULL;
	for (size_t i = 0; i < set->count; i++) {
		const struct tf_jwk *k = &set->keys[i];
		if (!(k->algs & alg))
			continue;
		if (kid.p && k->kid_n && tf_str_eq(kid, tf_str_n(k->kid, k->kid_n)))
			return k;
		if (!kid.p && found)
			return NULL; /* more than one could be meant */
		if (!kid.p)
			found = k;
	}
	return found;
}

bool
tf_jwks_holds(const struct tf_jwks *set, const char *thumbprint)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->keys[i].thumbprint, thumbprint) == 0)
			return true;
	return false;
}
