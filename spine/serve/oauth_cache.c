/* Tokens that were found good, and apart from them those heard to be not active, by the SHA-256 of their text; see
 * oauth.h.
 *
 * A table of sets of four places; a new token takes the place that is free, has expired, or expires first. The text's
 * digest cannot be chosen freely by who has no token that the issuer signed, so the sets of good ones fill evenly. */
#include "base/mem.h"
#include "serve/oauth_impl.h"

#define SETS_MAX ((size_t)1 << 22)

enum tf_err
oauth_cache_init(struct oauth_cache *c, uint32_t tokens)
{
	c->sets = 1;
	while (c->sets * OAUTH_WAYS < tokens && c->sets < SETS_MAX)
		c->sets *= 2;
	c->places = tf_calloc(c->sets * OAUTH_WAYS, sizeof(struct oauth_token *));
	return c->places ? TF_OK : TF_NO_MEMORY;
}

void
oauth_cache_release(struct oauth_cache *c)
{
	for (size_t i = 0; c->places && i < c->sets * OAUTH_WAYS; i++)
		oauth_token_free(c->places[i]);
	tf_free(c->places);
	*c = (struct oauth_cache){0};
}

static void
drop(struct oauth_cache *c, struct oauth_token **place)
{
	oauth_token_free(*place);
	*place = NULL;
	c->tokens--;
}

/* The first of the places where it may be. */
static struct oauth_token **
set_of(struct oauth_cache *c, const uint8_t *digest)
{
	uint64_t h;
	memcpy(&h, digest, sizeof h);
	return c->places + (h & (c->sets - 1)) * OAUTH_WAYS;
}

static struct oauth_token **
find(struct oauth_cache *c, const uint8_t *digest)
{
	struct oauth_token **set = set_of(c, digest);
	for (int i = 0; i < OAUTH_WAYS; i++)
		if (set[i] && memcmp(set[i]->digest, digest, OAUTH_DIGEST) == 0)
			return &set[i];
	return NULL;
}

static struct oauth_token *
get(struct oauth_cache *c, const uint8_t *digest, tf_dur ticks, tf_time now)
{
	struct oauth_token **place = c->places ? find(c, digest) : NULL;
	if (!place)
		return NULL;
	if ((*place)->until <= now || (*place)->stale <= ticks) {
		drop(c, place);
		return NULL;
	}
	atomic_fetch_add_explicit(&(*place)->refs, 1, memory_order_relaxed);
	return *place;
}

struct oauth_token *
oauth_cache_get(struct tf_oauth *o, const uint8_t digest[static OAUTH_DIGEST], tf_dur ticks, tf_time now)
{
	struct oauth_token *t = get(&o->good, digest, ticks, now);
	return t ? t : get(&o->bad, digest, ticks, now);
}

static struct oauth_token **
place_for(struct oauth_cache *c, const uint8_t *digest)
{
	struct oauth_token **set = set_of(c, digest), **first = find(c, digest);
	if (first)
		return first;
	first = set;
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
	struct oauth_cache *c = t->active ? &o->good : &o->bad, *other = t->active ? &o->bad : &o->good;
	struct oauth_token **place = other->places ? find(other, t->digest) : NULL;
	if (place)
		drop(other, place); /* what is said now counts */
	if (t->text_n > OAUTH_KEPT_MAX)
		return;
	place = place_for(c, t->digest);
	if (*place)
		drop(c, place);
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	*place = t;
	c->tokens++;
}

void
oauth_cache_sweep(struct tf_oauth *o)
{
	struct oauth_cache *c = &o->good; /* what was heard by asking has no key */
	for (size_t i = 0; i < c->sets * OAUTH_WAYS; i++)
		if (c->places[i] && c->places[i]->key[0] && !tf_jwks_holds(o->keys, c->places[i]->key))
			drop(c, &c->places[i]);
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
