/* Tokens that were found good, by the SHA-256 of their text; see oauth.h.
 *
 * A table of sets of four places; a new token takes the place that is free, has expired, or expires first. The text's
 * digest cannot be chosen freely by who has no token that the issuer signed, so the sets fill evenly. */
#include "base/mem.h"
#include "serve/oauth_impl.h"

static struct oauth_token **
set_of(struct tf_oauth *o, const uint8_t *digest)
{
	uint64_t h;
	memcpy(&h, digest, sizeof h);
	return o->cache + (h & (o->sets - 1)) * OAUTH_WAYS;
}

static void
drop(struct tf_oauth *o, struct oauth_token **place)
{
	oauth_token_free(*place);
	*place = NULL;
	o->tokens--;
}

struct oauth_token *
oauth_cache_get(struct tf_oauth *o, const uint8_t digest[static OAUTH_DIGEST], tf_dur ticks, tf_time now)
{
	struct oauth_token **set = set_of(o, digest);
	for (int i = 0; i < OAUTH_WAYS; i++) {
		if (!set[i] || memcmp(set[i]->digest, digest, OAUTH_DIGEST) != 0)
			continue;
		if (set[i]->until <= now || set[i]->stale <= ticks) {
			drop(o, &set[i]);
			return NULL;
		}
		atomic_fetch_add_explicit(&set[i]->refs, 1, memory_order_relaxed);
		return set[i];
	}
	return NULL;
}

static struct oauth_token **
place_for(struct oauth_token **set, const uint8_t *digest)
{
	struct oauth_token **first = &set[0];
	for (int i = 0; i < OAUTH_WAYS; i++)
		if (set[i] && memcmp(set[i]->digest, digest, OAUTH_DIGEST) == 0)
			return &set[i];
	for (int i = 0; i < OAUTH_WAYS; i++) {
		if (!set[i])
			return &set[i];
		if (set[i]->until < (*first)->until)
			first = &set[i];
	}
	return first;
}

void
oauth_cache_put(struct tf_oauth *o, struct oauth_token *t)
{
	if (t->text_n > OAUTH_KEPT_MAX)
		return;
	struct oauth_token **place = place_for(set_of(o, t->digest), t->digest);
	if (*place)
		drop(o, place);
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	*place = t;
	o->tokens++;
}

void
oauth_cache_sweep(struct tf_oauth *o)
{
	for (size_t i = 0; i < o->sets * OAUTH_WAYS; i++)
		if (o->cache[i] && o->cache[i]->key[0] && !tf_jwks_holds(o->keys, o->cache[i]->key))
			drop(o, &o->cache[i]);
}

/* The roles claim as a list with blanks between. */
static void
put_roles(struct tf_buf *b, const struct tf_json *claims)
{
	struct tf_str s;
	bool more = false;
	for (const struct tf_json *v = tf_json_first(tf_json_get(claims, "roles")); v; v = v->next) {
		if (!tf_json_str(v, &s))
			continue;
		if (more)
			tf_buf_u8(b, ' ');
		tf_buf_str(b, s);
		more = true;
	}
}

/* Puts s behind what is there and remembers where, by its length alone: pointers come when all is there. */
static size_t
keep(struct tf_buf *b, struct tf_str s)
{
	tf_buf_str(b, s);
	return s.n;
}

static struct tf_str
next(char **p, size_t n)
{
	struct tf_str s = tf_str_n(*p, n);
	*p += n;
	return s;
}

static struct tf_str
partner_of(const struct tf_oauth *o, const struct tf_jwt *jwt)
{
	struct tf_str s;
	if (o->o.partner_claim && tf_json_str(tf_json_get(jwt->claims, o->o.partner_claim), &s))
		return s;
	return o->o.partner_claim ? TF_STR("") : jwt->client;
}

struct oauth_token *
oauth_token_new(const struct tf_oauth *o, const uint8_t digest[static OAUTH_DIGEST], const struct tf_jwt *jwt)
{
	struct tf_buf b;
	size_t n[6];
	tf_buf_init(&b, 0);
	n[0] = keep(&b, jwt->client);
	n[1] = keep(&b, jwt->subject);
	n[2] = keep(&b, partner_of(o, jwt));
	n[3] = keep(&b, jwt->scope);
	n[4] = keep(&b, jwt->thumbprint);
	size_t before = b.n;
	put_roles(&b, jwt->claims);
	n[5] = b.n - before;
	struct oauth_token *t = b.err ? NULL : tf_calloc(1, sizeof *t + b.n + 1);
	if (t) {
		char *p = t->text;
		if (b.n)
			memcpy(t->text, b.p, b.n);
		t->text_n = b.n;
		t->who.client = next(&p, n[0]);
		t->who.subject = next(&p, n[1]);
		t->who.partner = next(&p, n[2]);
		t->who.scopes = next(&p, n[3]);
		t->who.thumbprint = next(&p, n[4]);
		t->who.roles = next(&p, n[5]);
		t->who.expires = jwt->expires;
		t->until = jwt->expires + o->o.skew;
		t->stale = TF_TIME_MAX;
		t->active = true;
		memcpy(t->digest, digest, OAUTH_DIGEST);
		if (jwt->key)
			memcpy(t->key, jwt->key->thumbprint, sizeof t->key);
		atomic_init(&t->refs, 1);
	}
	tf_buf_release(&b);
	return t;
}

void
oauth_token_free(struct oauth_token *t)
{
	if (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
		tf_free(t);
}
