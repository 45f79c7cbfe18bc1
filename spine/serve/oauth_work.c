/* What goes to the issuer, and the object's life; see oauth.h. */
#include <openssl/evp.h>
#include <time.h>

#include "base/mem.h"
#include "serve/oauth_impl.h"

static void
set_defaults(struct tf_oauth_options *o)
{
	o->realm = o->realm ? o->realm : "tenfold";
	o->life_max = o->life_max ? o->life_max : TF_DAY;
	o->refresh_every = o->refresh_every ? o->refresh_every : 5 * TF_MINUTE;
	o->fetch_gap = o->fetch_gap ? o->fetch_gap : 2 * TF_SEC;
	o->stale_max = o->stale_max ? o->stale_max : TF_DAY;
	o->answer_ttl = o->answer_ttl ? o->answer_ttl : 30 * TF_SEC;
	o->cache_tokens = o->cache_tokens ? o->cache_tokens : 16384;
}

static enum tf_err
check_options(const struct tf_oauth_options *o, struct tf_fault *f)
{
	if (!o->issuer || !*o->issuer || !o->audience || !*o->audience)
		return tf_fault(f, TF_USAGE, "an issuer and an audience are needed");
	if (!o->jwks_url == !o->introspect_url)
		return tf_fault(f, TF_USAGE, "either the URL of the issuer's keys or that of its introspection");
	if (o->skew < 0 || o->skew > TF_JWT_SKEW_MAX)
		return tf_fault(f, TF_USAGE, "a skew of 0 to 60 s is possible");
	return TF_OK;
}

static void
make_condition(pthread_cond_t *c)
{
	pthread_condattr_t a;
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(c, &a);
	pthread_condattr_destroy(&a);
}

enum tf_err
tf_oauth_new(const struct tf_oauth_options *options, struct tf_oauth **out, struct tf_fault *f)
{
	TF_TRY(check_options(options, f));
	struct tf_oauth *o = tf_calloc(1, sizeof *o);
	if (!o)
		return tf_fault(f, TF_NO_MEMORY, "cannot guard: out of memory");
	o->o = *options;
	set_defaults(&o->o);
	pthread_mutex_init(&o->lock, NULL);
	make_condition(&o->moved);
	o->wanted = o->o.jwks_url != NULL;
	o->sha256 = EVP_MD_CTX_new();
	enum tf_err e = o->sha256 && EVP_DigestInit_ex(o->sha256, EVP_sha256(), NULL) ? TF_OK : TF_NO_MEMORY;
	if (!e)
		e = oauth_cache_init(&o->good, o->o.cache_tokens);
	if (!e && o->o.introspect_url) {
		o->asked = tf_calloc(OAUTH_ASKED_MAX, sizeof *o->asked);
		e = o->asked ? oauth_cache_init(&o->bad, OAUTH_BAD_MAX) : TF_NO_MEMORY;
	}
	if (e) {
		tf_oauth_free(&o);
		return tf_fault(f, TF_NO_MEMORY, "cannot guard: out of memory");
	}
	*out = o;
	return TF_OK;
}

void
tf_oauth_free(struct tf_oauth **out)
{
	struct tf_oauth *o = *out;
	*out = NULL;
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->stop = true;
	pthread_cond_broadcast(&o->moved);
	pthread_mutex_unlock(&o->lock);
	tf_worker_join(&o->worker);
	oauth_cache_release(&o->good);
	oauth_cache_release(&o->bad);
	tf_jwks_free(&o->keys);
	pthread_cond_destroy(&o->moved);
	pthread_mutex_destroy(&o->lock);
	EVP_MD_CTX_free(o->sha256);
	tf_free(o->asked);
	tf_free(o);
}

struct tf_jwt_rules
oauth_rules(const struct tf_oauth *o)
{
	bool asked = o->o.introspect_url != NULL;
	return (struct tf_jwt_rules){
		.issuer = tf_str(o->o.issuer),
		.audience = tf_str(o->o.audience),
		.typ = "at+jwt",
		.algs = o->o.algs,
		.skew = o->o.skew,
		.life_max = o->o.life_max,
		.access = !asked,
		.asked = asked,
	};
}

void
oauth_changed(struct tf_oauth *o)
{
	pthread_mutex_lock(&o->lock);
	o->changes++;
	pthread_cond_broadcast(&o->moved);
	pthread_mutex_unlock(&o->lock);
	if (o->o.changed)
		o->o.changed(o->o.changed_ctx);
}

static enum tf_err
fetch_keys(struct tf_oauth *o, struct tf_jwks **out, struct tf_fault *f)
{
	struct tf_buf body;
	struct tf_oauth_request r = {.url = o->o.jwks_url};
	tf_buf_init(&body, TF_OAUTH_ANSWER_BYTES);
	enum tf_err e = o->o.fetch(o->o.fetch_ctx, &r, &body, f);
	e = e ? e : tf_jwks_parse(tf_buf_view(&body), out, f);
	if (!e && (*out)->count == 0)
		e = tf_fault(f, TF_INVALID, "none can be used: nobody is let in"); /* it counts: see refresh */
	tf_buf_release(&body);
	return e ? tf_fault_wrap(f, e, "the issuer's keys") : TF_OK;
}

/* A set is the issuer's whole word (RFC 7517), also one without any key: then none is believed any more. It is told all
 * the same. What cannot be had or read leaves the keys as they are. */
static enum tf_err
refresh(struct tf_oauth *o, tf_dur ticks, struct tf_fault *f)
{
	struct tf_jwks *keys = NULL;
	enum tf_err e = fetch_keys(o, &keys, f);
	pthread_mutex_lock(&o->lock);
	o->fetching = false;
	o->fetch_at = ticks;
	o->tried = true;
	if (keys) {
		tf_jwks_free(&o->keys);
		o->keys = keys;
		o->keys_at = ticks;
		oauth_cache_sweep(o);
	}
	pthread_mutex_unlock(&o->lock);
	oauth_changed(o);
	return e;
}

/* When keys are due next; the lock is held. */
static tf_dur
due(const struct tf_oauth *o)
{
	if (o->o.introspect_url)
		return o->asked_count ? o->ask_at : TF_TIME_MAX;
	if (!o->tried)
		return 0;
	bool failing = !o->keys || o->keys_at != o->fetch_at;
	return o->fetch_at + (o->wanted || failing ? o->o.fetch_gap : o->o.refresh_every);
}

enum tf_err
tf_oauth_work(struct tf_oauth *o, tf_dur ticks, tf_time now, tf_dur *out_next, struct tf_fault *f)
{
	enum tf_err e = TF_OK;
	pthread_mutex_lock(&o->lock);
	bool go = due(o) <= ticks && !o->fetching;
	if (go) {
		o->fetching = o->o.jwks_url != NULL;
		o->wanted = false;
	}
	pthread_mutex_unlock(&o->lock);
	if (go)
		e = o->o.introspect_url ? oauth_ask_one(o, ticks, now, f) : refresh(o, ticks, f);
	pthread_mutex_lock(&o->lock);
	*out_next = due(o);
	pthread_mutex_unlock(&o->lock);
	return e;
}

/* Waits until moved or so long; the lock is held. */
static void
doze(struct tf_oauth *o, tf_dur most)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	most = most > TF_HOUR ? TF_HOUR : most;
	int64_t ns = t.tv_nsec + most % TF_SEC * 1000;
	t.tv_sec += (time_t)(most / TF_SEC + ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	pthread_cond_timedwait(&o->moved, &o->lock, &t);
}

static void
work(void *arg)
{
	struct tf_oauth *o = arg;
	for (;;) {
		struct tf_fault f = {0};
		tf_dur next;
		if (tf_oauth_work(o, tf_os_ticks(o->os), tf_os_now(o->os), &next, &f) && o->failed)
			o->failed(o->failed_ctx, &f);
		pthread_mutex_lock(&o->lock);
		tf_dur ticks = tf_os_ticks(o->os);
		if (!o->stop && due(o) > ticks)
			doze(o, due(o) - ticks);
		bool stop = o->stop;
		pthread_mutex_unlock(&o->lock);
		if (stop)
			return;
	}
}

enum tf_err
tf_oauth_start(struct tf_oauth *o, struct tf_os *os, void (*failed)(void *ctx, const struct tf_fault *f), void *ctx,
	       struct tf_fault *f)
{
	o->os = os;
	o->failed = failed;
	o->failed_ctx = ctx;
	return tf_os_start(os, work, o, &o->worker, f);
}

uint64_t
tf_oauth_changes(struct tf_oauth *o)
{
	pthread_mutex_lock(&o->lock);
	uint64_t n = o->changes;
	pthread_mutex_unlock(&o->lock);
	return n;
}

void
tf_oauth_await(struct tf_oauth *o, uint64_t since, tf_dur most)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	tf_dur end = (tf_dur)t.tv_sec * TF_SEC + t.tv_nsec / 1000 + most, left = most;
	pthread_mutex_lock(&o->lock);
	while (o->changes == since && left > 0) {
		doze(o, left);
		clock_gettime(CLOCK_MONOTONIC, &t);
		left = end - ((tf_dur)t.tv_sec * TF_SEC + t.tv_nsec / 1000);
	}
	pthread_mutex_unlock(&o->lock);
}

void
tf_oauth_count(struct tf_oauth *o, size_t *out_keys, size_t *out_tokens)
{
	pthread_mutex_lock(&o->lock);
	*out_keys = o->keys ? o->keys->count : 0;
	*out_tokens = o->good.tokens;
	pthread_mutex_unlock(&o->lock);
}
