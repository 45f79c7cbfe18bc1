/* The exporter's worker: waits, takes a batch, posts it; see otlp.h. */
#include "serve/otlp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/mem.h"
#include "serve/client.h"

#define ASKED_MAX (5 * TF_MINUTE) /* a collector is left alone for so long at most */

struct tf_otlp {
	struct tf_os *os;
	struct tf_otlp_options o;
	struct tf_spans *spans;
	char *url;
	struct tf_client *client;
	struct tf_worker *worker;
	struct tf_span *batch;
	struct tf_buf body;
	bool failing; /* the last batch was not taken */

	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool woken, stopping, done;
	atomic_bool give_up; /* the drain took too long */
};

static struct timespec
from_now(tf_dur wait)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += wait / TF_SEC;
	t.tv_nsec += wait % TF_SEC * 1000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* Called by whoever recorded a batch's last span: the lock is held for an assignment only. */
static void
wake(void *ctx)
{
	struct tf_otlp *o = ctx;
	pthread_mutex_lock(&o->lock);
	o->woken = true;
	pthread_cond_broadcast(&o->moved);
	pthread_mutex_unlock(&o->lock);
}

/* Until so much time went by, it stops, or (for_batch) a batch is full. Returns whether it stops. */
static bool
pause_for(struct tf_otlp *o, tf_dur wait, bool for_batch)
{
	struct timespec until = from_now(wait);
	pthread_mutex_lock(&o->lock);
	int e = 0;
	while (!o->stopping && !(for_batch && o->woken) && !e)
		e = pthread_cond_timedwait(&o->moved, &o->lock, &until);
	if (for_batch)
		o->woken = false;
	bool stops = o->stopping;
	pthread_mutex_unlock(&o->lock);
	return stops;
}

/* Says it once when it changes, not for every batch. */
static void
tell(struct tf_otlp *o, enum tf_err e, const struct tf_fault *f)
{
	if (o->failing == (e != TF_OK))
		return;
	o->failing = e != TF_OK;
	if (e)
		TF_LOG(o->o.watch, TF_LOG_WARN, "otlp.failing", NULL, TF_KV("url", (const char *)o->url),
		       TF_KV("error", tf_err_name(f->code)), TF_KV("text", (const char *)f->text));
	else
		TF_LOG(o->o.watch, TF_LOG_INFO, "otlp.works_again", NULL, TF_KV("url", (const char *)o->url));
}

/* One batch, its tries bounded; once it stops there is one try, without a wait. Returns for how long the collector
 * wants to be left alone. */
static tf_dur
send_batch(struct tf_otlp *o, size_t count)
{
	struct tf_fault f = {0};
	struct tf_client_answer answer = {0};
	enum tf_err e;
	tf_buf_reset(&o->body);
	tf_otlp_put(&o->body, o->o.service, o->o.version, o->batch, count);
	struct tf_client_request r = {
		.url = o->url, .type = "application/json", .body = tf_buf_view(&o->body), .repeatable = true};
	if (o->body.err)
		e = tf_fault(&f, o->body.err, "a batch of %zu spans has no room", count);
	else
		e = tf_client_call(o->client, &r, NULL, &answer, &f);
	bool busy = answer.status == 408 || answer.status == 429 || (answer.status >= 502 && answer.status <= 504);
	tf_spans_count(o->spans, !e ? TF_SPANS_SENT : answer.status && !busy ? TF_SPANS_REFUSED : TF_SPANS_LOST, count);
	tell(o, e, &f);
	return e ? answer.retry_after : 0;
}

static void
drop_rest(struct tf_otlp *o)
{
	for (size_t n; (n = tf_spans_take(o->spans, o->batch, o->o.batch)) > 0;)
		tf_spans_count(o->spans, TF_SPANS_LOST, n);
}

static void
work(void *arg)
{
	struct tf_otlp *o = arg;
	tf_dur asked = 0;
	for (bool stops = false; !stops;) {
		stops = (asked && pause_for(o, asked < ASKED_MAX ? asked : ASKED_MAX, false)) ||
			pause_for(o, o->o.every, true);
		asked = 0;
		for (size_t n = o->o.batch; (n == o->o.batch && !asked) || stops;) {
			n = atomic_load(&o->give_up) ? 0 : tf_spans_take(o->spans, o->batch, o->o.batch);
			if (!n)
				break;
			asked = send_batch(o, n);
		}
	}
	drop_rest(o);
	pthread_mutex_lock(&o->lock);
	o->done = true;
	pthread_cond_broadcast(&o->moved);
	pthread_mutex_unlock(&o->lock);
}

static void
defaults(struct tf_otlp_options *o)
{
#define DEFAULT(field, value) o->field = o->field ? o->field : (value)
	DEFAULT(ring, 2048);
	DEFAULT(batch, 512);
	DEFAULT(every, TF_SEC);
	DEFAULT(tries, 5);
	DEFAULT(timeout, 10 * TF_SEC);
	DEFAULT(wait_first, TF_SEC / 2);
	DEFAULT(wait_max, 15 * TF_SEC);
	DEFAULT(drain_timeout, 5 * TF_SEC);
#undef DEFAULT
}

static enum tf_err
traces_url(const char *url, char **out, struct tf_fault *f)
{
	struct tf_buf b;
	struct tf_str base = tf_str(url);
	TF_TRY(tf_client_check(base, f));
	if (memchr(base.p, '?', base.n) || memchr(base.p, '#', base.n))
		return tf_fault(f, TF_INVALID, "'%.*s' has a query: a base URL is wanted", TF_FMT(base));
	while (base.n && base.p[base.n - 1] == '/')
		base.n--;
	tf_buf_init(&b, 0);
	tf_buf_str(&b, base);
	tf_buf_cstr(&b, "/v1/traces");
	*out = b.err ? NULL : tf_strndup((const char *)b.p, b.n);
	tf_buf_release(&b);
	return *out ? TF_OK : tf_fault(f, TF_NO_MEMORY, "no memory for an exporter");
}

static enum tf_err
start(struct tf_otlp *o, struct tf_fault *f)
{
	TF_TRY(traces_url(o->o.url, &o->url, f));
	struct tf_spans_options ring = {
		.count = o->o.ring, .skip_ppm = o->o.skip_ppm, .batch = o->o.batch, .wake = wake, .ctx = o};
	TF_TRY(tf_spans_new(&ring, &o->spans, f));
	/* One batch at a time, and the tries are bounded: a breaker would only lose more of them. */
	struct tf_client_options client = {.timeout = o->o.timeout,
					   .connect_timeout = o->o.timeout,
					   .deadline = o->o.tries * (o->o.timeout + o->o.wait_max),
					   .tries = o->o.tries,
					   .wait_first = o->o.wait_first,
					   .wait_max = o->o.wait_max,
					   .final_500 = true,
					   .breaker = {.failures = TF_BREAKER_NEVER, .names = 1}};
	TF_TRY(tf_client_new(o->os, &client, &o->client, f));
	o->batch = tf_calloc(o->o.batch, sizeof *o->batch);
	if (!o->batch)
		return tf_fault(f, TF_NO_MEMORY, "no memory for an exporter");
	return tf_os_start(o->os, work, o, &o->worker, f);
}

enum tf_err
tf_otlp_new(struct tf_os *os, const struct tf_otlp_options *given, struct tf_otlp **out, struct tf_fault *f)
{
	struct tf_otlp *o = tf_calloc(1, sizeof *o);
	pthread_condattr_t attr;
	if (!o)
		return tf_fault(f, TF_NO_MEMORY, "no memory for an exporter");
	o->os = os;
	o->o = *given;
	defaults(&o->o);
	tf_buf_init(&o->body, TF_OTLP_BATCH_BYTES);
	TF_ASSERT(!pthread_condattr_init(&attr) && !pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	TF_ASSERT(!pthread_mutex_init(&o->lock, NULL) && !pthread_cond_init(&o->moved, &attr));
	pthread_condattr_destroy(&attr);
	enum tf_err e = start(o, f);
	if (e) {
		tf_otlp_free(&o);
		return e;
	}
	*out = o;
	return TF_OK;
}

struct tf_spans *
tf_otlp_spans(const struct tf_otlp *o)
{
	return o ? o->spans : NULL;
}

void
tf_otlp_free(struct tf_otlp **otlp)
{
	struct tf_otlp *o = *otlp;
	if (!o)
		return;
	struct timespec until = from_now(o->o.drain_timeout);
	pthread_mutex_lock(&o->lock);
	o->stopping = true;
	pthread_cond_broadcast(&o->moved);
	if (o->client)
		tf_client_drain(o->client);
	while (o->worker && !o->done && !pthread_cond_timedwait(&o->moved, &o->lock, &until))
		;
	pthread_mutex_unlock(&o->lock);
	atomic_store(&o->give_up, true);
	if (o->client)
		tf_client_stop(o->client);
	tf_worker_join(&o->worker);
	tf_client_free(&o->client);
	tf_spans_free(&o->spans);
	tf_buf_release(&o->body);
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->moved);
	tf_free(o->batch);
	tf_free(o->url);
	tf_free(o);
	*otlp = NULL;
}
