/* The check of one request; see oauth.h. */
#include "serve/oauth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/mem.h"
#include "serve/b64.h"
#include "serve/oauth_impl.h"

#define TREE_BYTES (256 * 1024) /* a token's JSON: its text is at most 8 KiB */

struct check {
	struct tf_oauth *o;
	const struct tf_oauth_ask *ask;
	struct tf_oauth_refusal *refusal;
	struct tf_fault *f;
};

/* Quoted strings of RFC 7235: what would end one, or a header, is left out. */
static void
put_quoted(char *out, size_t size, const char *text)
{
	size_t n = 0;
	for (; *text && n + 1 < size; text++)
		if (*text >= ' ' && *text < 127 && *text != '"' && *text != '\\')
			out[n++] = *text;
	out[n] = '\0';
}

static enum tf_err
refuse(struct check *c, int status, const char *code, enum tf_err e)
{
	struct tf_oauth_refusal *r = c->refusal;
	char why[160], realm[64], scope[128];
	*r = (struct tf_oauth_refusal){.status = status, .code = code};
	put_quoted(why, sizeof why, c->f->text);
	put_quoted(realm, sizeof realm, c->o->o.realm);
	put_quoted(scope, sizeof scope, c->ask->scope && status == 403 ? c->ask->scope : "");
	if (status == 429 || status == 503)
		return e;
	int n = snprintf(r->challenge, sizeof r->challenge, "Bearer realm=\"%s\"", realm);
	if (!c->ask->authorization.p) /* RFC 6750 section 3.1: no error for who brought nothing */
		return e;
	n += snprintf(r->challenge + n, sizeof r->challenge - (size_t)n, ", error=\"%s\", error_description=\"%s\"",
		      code, why);
	if (scope[0])
		snprintf(r->challenge + n, sizeof r->challenge - (size_t)n, ", scope=\"%s\"", scope);
	return e;
}

static enum tf_err
refuse_token(struct check *c, const char *why)
{
	tf_fault(c->f, TF_DENIED, "%s", why);
	return refuse(c, 401, "invalid_token", TF_DENIED);
}

static enum tf_err
busy(struct check *c, const char *why)
{
	tf_fault(c->f, TF_BUSY, "%s", why);
	return refuse(c, 503, "unavailable", TF_BUSY);
}

/* RFC 6750 section 2.1: "Bearer", blanks, b64token. */
static enum tf_err
bearer(struct check *c, struct tf_str *out)
{
	struct tf_str h = c->ask->authorization, scheme;
	if (!h.p)
		return refuse_token(c, "no access token");
	if (!tf_str_cut(&h, ' ', &scheme) || !tf_str_eq_nocase(scheme, TF_STR("Bearer")))
		return refuse_token(c, "not a bearer token");
	while (h.n && *h.p == ' ')
		h = tf_str_n(h.p + 1, h.n - 1);
	*out = h;
	return TF_OK;
}

static enum tf_err
check_form(struct check *c, struct tf_str token)
{
	bool ok = token.n > 0;
	for (size_t i = 0; i < token.n; i++)
		ok = ok && token.p[i] > ' ' && token.p[i] < 127 && token.p[i] != ',' && token.p[i] != '"';
	if (!ok) {
		tf_fault(c->f, TF_INVALID, "the Authorization header is no bearer token");
		return refuse(c, 400, "invalid_request", TF_INVALID);
	}
	return token.n <= TF_JWT_BYTES ? TF_OK : refuse_token(c, "the token is too large");
}

/* Keys to try with, counted for the caller; NULL when there are none to believe. */
static struct tf_jwks *
keys_at(struct tf_oauth *o, tf_dur ticks)
{
	struct tf_jwks *keys = NULL;
	pthread_mutex_lock(&o->lock);
	if (o->keys && ticks - o->keys_at <= o->o.stale_max)
		keys = tf_jwks_ref(o->keys);
	pthread_mutex_unlock(&o->lock);
	return keys;
}

/* Is there more to be told than looked_at did (NULL: there were none)? By keys that came while those were looked at, or
 * by a fetch, which it makes due: at once, or when the gap is over. Keys whose fetch began after the request had come
 * tell all there is; where that time is not known, those of this gap do. */
static bool
worth_waiting(struct tf_oauth *o, const struct tf_oauth_ask *ask, const struct tf_jwks *looked_at)
{
	pthread_mutex_lock(&o->lock);
	bool newer = looked_at && o->keys != looked_at;
	bool old = ask->since ? o->fetch_at < ask->since : ask->ticks - o->fetch_at >= o->o.fetch_gap;
	bool open = newer || o->fetching || o->wanted || old || !o->tried;
	if (open && !newer && !o->fetching && !o->wanted) {
		o->wanted = true;
		pthread_cond_broadcast(&o->moved);
	}
	pthread_mutex_unlock(&o->lock);
	return open;
}

static enum tf_err
verify(struct check *c, struct tf_str token, const uint8_t *digest, const struct tf_jwks *keys,
       struct oauth_token **out)
{
	struct tf_arena arena;
	struct tf_jwt jwt;
	struct tf_jwt_rules rules = oauth_rules(c->o);
	tf_arena_init(&arena, "token", TREE_BYTES);
	enum tf_err e = tf_jwt_verify(token, keys, &rules, c->ask->now, &arena, &jwt, c->f);
	if (!e) {
		*out = oauth_token_new(c->o, digest, &jwt);
		e = *out ? TF_OK : tf_fault(c->f, TF_NO_MEMORY, "cannot keep a token: out of memory");
	}
	tf_arena_release(&arena);
	return e;
}

/* A key may have vanished from the set while we looked: then the token is good for this request alone. */
static void
remember(struct tf_oauth *o, struct oauth_token *t)
{
	pthread_mutex_lock(&o->lock);
	if (o->keys && tf_jwks_holds(o->keys, t->key))
		oauth_cache_put(o, t);
	pthread_mutex_unlock(&o->lock);
}

static enum tf_err
by_keys(struct check *c, struct tf_str token, const uint8_t *digest, struct oauth_token **out)
{
	struct tf_jwks *keys = keys_at(c->o, c->ask->ticks);
	if (!keys) {
		worth_waiting(c->o, c->ask, NULL);
		return busy(c, "the issuer's keys are not there yet");
	}
	enum tf_err e = verify(c, token, digest, keys, out);
	bool wait = e == TF_NOT_FOUND && worth_waiting(c->o, c->ask, keys);
	tf_jwks_free(&keys);
	if (!e)
		remember(c->o, *out);
	else if (wait)
		return busy(c, "the issuer's keys are being fetched");
	else if (e == TF_NO_MEMORY)
		return refuse(c, 503, "unavailable", e);
	else
		return refuse(c, 401, "invalid_token", TF_DENIED);
	return TF_OK;
}

static enum tf_err
by_asking(struct check *c, struct tf_str token, const uint8_t *digest)
{
	struct tf_oauth *o = c->o;
	bool there = false;
	pthread_mutex_lock(&o->lock);
	for (unsigned i = 0; i < o->asked_count && !there; i++)
		there = memcmp(o->asked[(o->asked_at + i) % OAUTH_ASKED_MAX].digest, digest, OAUTH_DIGEST) == 0;
	if (!there && o->asked_count < OAUTH_ASKED_MAX) {
		struct oauth_asked *a = &o->asked[(o->asked_at + o->asked_count++) % OAUTH_ASKED_MAX];
		memcpy(a->digest, digest, OAUTH_DIGEST);
		memcpy(a->text, token.p, token.n);
		a->n = (uint32_t)token.n;
		pthread_cond_broadcast(&o->moved);
	}
	pthread_mutex_unlock(&o->lock);
	return busy(c, "the issuer is being asked about the token");
}

static bool
hash(EVP_MD_CTX *sha256, struct tf_str token, uint8_t out[static OAUTH_DIGEST])
{
	return EVP_DigestInit_ex(sha256, NULL, NULL) && EVP_DigestUpdate(sha256, token.p, token.n) &&
	       EVP_DigestFinal_ex(sha256, out, NULL);
}

static enum tf_err
find(struct check *c, struct tf_str token, struct oauth_token **out)
{
	uint8_t digest[OAUTH_DIGEST];
	pthread_mutex_lock(&c->o->lock);
	bool hashed = hash(c->o->sha256, token, digest);
	bool fresh = c->o->o.introspect_url || (c->o->keys && c->ask->ticks - c->o->keys_at <= c->o->o.stale_max);
	*out = hashed && fresh ? oauth_cache_get(c->o, digest, c->ask->ticks, c->ask->now) : NULL;
	pthread_mutex_unlock(&c->o->lock);
	if (*out)
		return TF_OK;
	if (!hashed) {
		tf_fault(c->f, TF_NO_MEMORY, "cannot hash a token");
		return refuse(c, 503, "unavailable", TF_NO_MEMORY);
	}
	TF_TRY(check_form(c, token)); /* what is remembered has it */
	if (c->ask->remembered) {
		tf_fault(c->f, TF_OVERLOAD, "too many tokens were refused: wait");
		return refuse(c, 429, "too_many", TF_OVERLOAD);
	}
	return c->o->o.introspect_url ? by_asking(c, token, digest) : by_keys(c, token, digest, out);
}

/* RFC 8705 section 3: on each request, whatever was remembered of the token. */
static enum tf_err
check_binding(struct check *c, const struct tf_oauth_principal *p)
{
	struct tf_str mine = c->ask->thumbprint;
	if (!p->thumbprint.n)
		return c->o->o.bound_only ? refuse_token(c, "the token is not bound to a certificate") : TF_OK;
	if (!mine.n)
		return refuse_token(c, "the token is bound to a certificate, and none was shown");
	if (mine.n != p->thumbprint.n || CRYPTO_memcmp(mine.p, p->thumbprint.p, mine.n) != 0)
		return refuse_token(c, "the token is bound to another certificate");
	return TF_OK;
}

static enum tf_err
check_rights(struct check *c, const struct tf_oauth_principal *p)
{
	struct tf_str wanted = tf_str(c->ask->scope), word;
	while (tf_str_cut(&wanted, ' ', &word))
		if (word.n && !tf_scope_has(p->scopes, word)) {
			tf_fault(c->f, TF_DENIED, "the token has not the scope '%.*s'", TF_FMT(word));
			return refuse(c, 403, "insufficient_scope", TF_DENIED);
		}
	wanted = tf_str(c->ask->role);
	if (!wanted.n)
		return TF_OK;
	while (tf_str_cut(&wanted, ' ', &word))
		if (word.n && tf_scope_has(p->roles, word))
			return TF_OK;
	tf_fault(c->f, TF_DENIED, "the client has not the role '%s'", c->ask->role);
	return refuse(c, 403, "insufficient_scope", TF_DENIED);
}

enum tf_err
tf_oauth_check(struct tf_oauth *o, const struct tf_oauth_ask *ask, const struct tf_oauth_principal **out,
	       struct tf_oauth_refusal *refusal, struct tf_fault *f)
{
	struct tf_fault own;
	struct check c = {o, ask, refusal, f ? f : &own};
	struct oauth_token *t = NULL;
	struct tf_str token = {0};
	TF_TRY(bearer(&c, &token));
	TF_TRY(find(&c, token, &t));
	TF_ASSERT(t);
	enum tf_err e = t->active ? check_binding(&c, &t->who) : refuse_token(&c, "the token is not active");
	e = e ? e : check_rights(&c, &t->who);
	if (e)
		oauth_token_free(t);
	else
		*out = &t->who;
	return e;
}

void
tf_oauth_done(const struct tf_oauth_principal **p)
{
	oauth_token_free((struct oauth_token *)*p);
	*p = NULL;
}

char *
tf_oauth_thumbprint(struct tf_str der, char out[static 44])
{
	uint8_t digest[OAUTH_DIGEST];
	if (!EVP_Digest(der.p, der.n, digest, NULL, EVP_sha256(), NULL))
		return NULL;
	tf_b64_text(digest, sizeof digest, out);
	return out;
}
