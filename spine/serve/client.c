/* One POST by libcurl; see client.h. */
#include "serve/client.h"

#include <time.h>

#include "base/buf.h"
#include "client_span.h"
#include "serve/curl_load.h"

#define SLICE (50 * 1000) /* of a wait, between looks at stop */

enum tf_err
tf_client_check(struct tf_str url, struct tf_fault *f)
{
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] >= 127)
			return tf_fault(f, TF_INVALID, "the URL has a character that is not visible ASCII");
	bool tls = tf_str_starts(url, TF_STR("https://"));
	if (!tls && !tf_str_starts(url, TF_STR("http://")))
		return tf_fault(f, TF_INVALID, "'%.*s' is no http or https URL", TF_FMT(url));
	struct tf_str rest = tf_str_n(url.p + (tls ? 8 : 7), url.n - (tls ? 8 : 7));
	size_t host = 0;
	while (host < rest.n && !memchr("/?#", rest.p[host], 3))
		host++;
	if (!host)
		return tf_fault(f, TF_INVALID, "'%.*s' names no host", TF_FMT(url));
	return memchr(rest.p, '@', host) ? tf_fault(f, TF_INVALID, "a user in a URL is not taken") : TF_OK;
}

struct attempt {
	struct tf_os *os;
	const struct tf_client_options *o;
	unsigned number; /* from 0 */
	CURLcode result;
	long status;
	curl_off_t retry_after;
};

static bool
stopped(const struct tf_client_options *o)
{
	return o->stop && atomic_load(o->stop);
}

static size_t
drop(char *p, size_t size, size_t n, void *ctx)
{
	(void)p;
	(void)ctx;
	return size * n;
}

static int
progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return stopped(ctx);
}

/* Options whose names and types are right cannot fail but for memory; the perform that follows tells of that. */
static void
configure(CURL *h, const struct tf_client_post *post, const struct tf_client_options *o, struct curl_slist *headers)
{
	tf_curl()->easy_setopt(h, CURLOPT_URL, post->url);
	tf_curl()->easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	tf_curl()->easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	tf_curl()->easy_setopt(h, CURLOPT_POST, 1L);
	tf_curl()->easy_setopt(h, CURLOPT_POSTFIELDS, post->body.p ? post->body.p : "");
	tf_curl()->easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body.n);
	tf_curl()->easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	tf_curl()->easy_setopt(h, CURLOPT_USERAGENT, "tenfold");
	tf_curl()->easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout / 1000));
	tf_curl()->easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(o->timeout / 1000));
	tf_curl()->easy_setopt(h, CURLOPT_WRITEFUNCTION, drop);
	tf_curl()->easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	tf_curl()->easy_setopt(h, CURLOPT_XFERINFOFUNCTION, progress);
	tf_curl()->easy_setopt(h, CURLOPT_XFERINFODATA, o);
}

static struct curl_slist *
header(struct curl_slist *list, const char *name, const char *value)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_printf(&b, "%s: %s", name, value);
	tf_buf_u8(&b, 0);
	struct curl_slist *longer = b.err ? NULL : tf_curl()->slist_append(list, (const char *)b.p);
	tf_buf_release(&b);
	return longer ? longer : list;
}

/* What names the work to the other side. */
static struct curl_slist *
trace_headers(struct curl_slist *list, const struct tf_client_span *s)
{
	char text[TF_TRACEPARENT_BYTES], id[TF_CORRELATION_MAX + 1];
	struct tf_str correlation = tf_trace_correlation(&s->self);
	if (!s->post->trace)
		return list;
	list = header(list, "traceparent", tf_trace_format(&s->self, text));
	memcpy(id, correlation.p, correlation.n);
	id[correlation.n] = 0;
	return id[0] ? header(list, "X-Correlation-Id", id) : list;
}

static void
try_once(const struct tf_client_post *post, struct attempt *a)
{
	CURL *h = tf_curl()->easy_init();
	struct tf_client_span span;
	a->result = CURLE_OUT_OF_MEMORY;
	a->status = 0;
	a->retry_after = 0;
	if (!h)
		return;
	struct curl_slist *headers = header(NULL, "Content-Type", post->type);
	headers = header(headers, "Expect", "");
	if (post->key)
		headers = header(headers, "Idempotency-Key", post->key);
	tf_client_span_begin(a->os, &span, post, a->number);
	headers = trace_headers(headers, &span);
	configure(h, post, a->o, headers);
	a->result = tf_curl()->easy_perform(h);
	if (a->result == CURLE_OK) {
		tf_curl()->easy_getinfo(h, CURLINFO_RESPONSE_CODE, &a->status);
		tf_curl()->easy_getinfo(h, CURLINFO_RETRY_AFTER, &a->retry_after);
	}
	tf_client_span_end(&span, (int)a->status, a->result == CURLE_OPERATION_TIMEDOUT);
	tf_curl()->slist_free_all(headers);
	tf_curl()->easy_cleanup(h);
}

static void
wait_before_next(struct tf_os *os, const struct attempt *a, unsigned tries)
{
	const struct tf_client_options *o = a->o;
	uint32_t random;
	tf_os_random(os, &random, sizeof random);
	tf_dur wait = o->wait_first;
	for (unsigned i = 1; i < tries && wait < o->wait_max; i++)
		wait *= 2;
	wait -= (tf_dur)(random % 512) * wait / 1024;
	if (a->retry_after > 0 && a->retry_after < o->wait_max / TF_SEC && wait < a->retry_after * TF_SEC)
		wait = a->retry_after * TF_SEC;
	else if (a->retry_after >= o->wait_max / TF_SEC && a->retry_after > 0)
		wait = o->wait_max;
	tf_dur until = tf_os_ticks(os) + (wait < o->wait_max ? wait : o->wait_max);
	for (tf_dur left; (left = until - tf_os_ticks(os)) > 0 && !stopped(o);) {
		struct timespec t = {0, (left < SLICE ? left : SLICE) * 1000};
		nanosleep(&t, NULL);
	}
}

static bool
worth_another(const struct attempt *a)
{
	if (a->result != CURLE_OK)
		return a->result != CURLE_URL_MALFORMAT && a->result != CURLE_UNSUPPORTED_PROTOCOL;
	return a->status == 408 || a->status == 429 || a->status >= 500;
}

static enum tf_err
tell(const struct attempt *a, unsigned tries, struct tf_fault *f)
{
	if (a->result == CURLE_OK && a->status >= 200 && a->status < 300)
		return TF_OK;
	if (stopped(a->o))
		return tf_fault(f, TF_END, "given up: stopping");
	if (a->result == CURLE_OK)
		return tf_fault(f, worth_another(a) ? TF_IO : TF_DENIED, "the answer to try %u was %ld", tries,
				a->status);
	return tf_fault(f, a->result == CURLE_OPERATION_TIMEDOUT ? TF_TIMEOUT : TF_IO, "no answer to try %u: %s", tries,
			tf_curl()->easy_strerror(a->result));
}

enum tf_err
tf_client_post(struct tf_os *os, const struct tf_client_post *post, const struct tf_client_options *given,
	       struct tf_client_answer *out, struct tf_fault *f)
{
	struct tf_client_options o = *given;
	o.connect_timeout = o.connect_timeout ? o.connect_timeout : 10 * TF_SEC;
	o.timeout = o.timeout ? o.timeout : 60 * TF_SEC;
	o.tries = o.tries ? o.tries : 4;
	o.wait_first = o.wait_first ? o.wait_first : TF_SEC;
	o.wait_max = o.wait_max ? o.wait_max : 30 * TF_SEC;
	struct attempt a = {.os = os, .o = &o};
	*out = (struct tf_client_answer){0};
	TF_TRY(tf_client_check(tf_str(post->url), f));
	if (!tf_curl())
		return tf_fault(f, TF_UNSUPPORTED, "cannot post: there is no libcurl.so.4");
	for (;;) {
		a.number = out->tries;
		try_once(post, &a);
		out->tries++;
		if (a.status)
			out->status = (int)a.status;
		out->retry_after = a.retry_after > 0 && a.retry_after < TF_DAY / TF_SEC ? a.retry_after * TF_SEC : 0;
		if (!worth_another(&a) || out->tries == o.tries || stopped(&o))
			return tell(&a, out->tries, f);
		wait_before_next(os, &a, out->tries);
		if (stopped(&o))
			return tell(&a, out->tries, f);
	}
}
