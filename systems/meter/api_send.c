/* Re-requests; see api_send.h. */
#include "api_send.h"

#include <inttypes.h>
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/json.h"
#include "base/mem.h"
#include "missing.h"
#include "serve/client.h"

struct target {
	char *name, *url;
};

struct head_end {
	char name[80];
	struct tf_buf file;
	uint64_t gaps, intervals, left_out;
	const char *state; /* "sent", "failed", "no_url" */
	struct tf_client_answer answer;
	struct tf_fault fault;
};

struct meter_api_send {
	struct meter_api *api;
	tf_dur every, window, begun;
	struct target targets[METER_SEND_TARGETS_MAX];
	uint32_t target_count;

	struct tf_client *client;
	struct tf_worker *worker;
	atomic_bool done, stop;
	struct meter_store *reader;
	struct tf_exchange *x; /* who asked for this round; NULL: the schedule */

	/* The round: the worker's while it runs, the loop's before and after. */
	tf_time at;            /* 0: there was none */
	struct tf_trace trace; /* its span; the posts are below it */
	uint8_t parent[8];     /* of who asked; zero: none */
	struct head_end *ends;
	uint32_t end_count, last;
	size_t bytes;
	uint64_t left_out; /* gaps of head-ends past the bound */
	struct tf_fault fault;
	struct tf_buf told; /* the last round as JSON */
};

enum tf_err
meter_send_new(struct meter_api *a, tf_dur every, tf_dur window, struct meter_api_send **out, struct tf_fault *f)
{
	struct meter_api_send *s = tf_calloc(1, sizeof *s);
	if (!s)
		return tf_fault(f, TF_NO_MEMORY, "no memory for re-requests");
	*s = (struct meter_api_send){.api = a, .every = every, .window = window};
	s->begun = tf_os_ticks(a->os);
	tf_buf_init(&s->told, 0);
	enum tf_err e = tf_client_new(a->os, &(struct tf_client_options){0}, &s->client, f);
	if (e)
		meter_send_free(&s);
	else
		*out = s;
	return e;
}

enum tf_err
meter_send_target(struct meter_api_send *s, struct tf_str text, struct tf_fault *f)
{
	struct tf_str name, url = text;
	if (!tf_str_cut(&url, '=', &name) || !name.n || name.n >= sizeof s->ends->name || !url.p)
		return tf_fault(f, TF_USAGE, "'%.*s' is not NAME=URL", TF_FMT(text));
	if (tf_client_check(url, f))
		return tf_fault_wrap(f, f->code = TF_USAGE, "head-end '%.*s'", TF_FMT(name));
	if (s->target_count == METER_SEND_TARGETS_MAX)
		return tf_fault(f, TF_USAGE, "more than %d head-ends", METER_SEND_TARGETS_MAX);
	struct target t = {tf_strndup(name.p, name.n), tf_strndup(url.p, url.n)};
	if (!t.name || !t.url) {
		tf_free(t.name);
		tf_free(t.url);
		return tf_fault(f, TF_NO_MEMORY, "no memory for a head-end");
	}
	s->targets[s->target_count++] = t;
	return TF_OK;
}

static const char *
url_of(const struct meter_api_send *s, const char *name)
{
	const char *others = NULL;
	for (uint32_t i = 0; i < s->target_count; i++)
		if (strcmp(s->targets[i].name, name) == 0)
			return s->targets[i].url;
		else if (strcmp(s->targets[i].name, "*") == 0)
			others = s->targets[i].url;
	return others;
}

/* Gaps of one head-end mostly come together. NULL: no room for another one. */
static struct head_end *
end_of(struct meter_api_send *s, struct tf_str name)
{
	if (s->last < s->end_count && tf_str_eq(tf_str(s->ends[s->last].name), name))
		return &s->ends[s->last];
	for (s->last = 0; s->last < s->end_count; s->last++)
		if (tf_str_eq(tf_str(s->ends[s->last].name), name))
			return &s->ends[s->last];
	if (s->end_count == METER_SEND_HEAD_ENDS_MAX || name.n >= sizeof s->ends->name)
		return NULL;
	struct head_end *e = &s->ends[s->end_count++];
	*e = (struct head_end){.state = "failed"};
	memcpy(e->name, name.p ? name.p : "", name.n);
	tf_buf_init(&e->file, 0);
	tf_buf_cstr(&e->file, METER_MISSING_HEADER);
	return e;
}

static enum tf_err
on_gap(void *ctx, const struct meter_gap *gap, struct tf_fault *f)
{
	struct meter_api_send *s = ctx;
	struct head_end *e = end_of(s, gap->head_end);
	if (atomic_load(&s->stop))
		return TF_END;
	if (!e) {
		s->left_out++;
		return TF_OK;
	}
	if (e->file.n >= METER_SEND_FILE_MAX || s->bytes >= METER_SEND_BYTES_MAX) {
		e->left_out++;
		return TF_OK;
	}
	size_t before = e->file.n;
	meter_gap_csv(gap, &e->file);
	s->bytes += e->file.n - before;
	e->gaps++;
	e->intervals += gap->intervals;
	return e->file.err ? tf_fault(f, e->file.err, "no memory for a re-request file") : TF_OK;
}

static enum tf_err
find_gaps(struct meter_api_send *s, struct tf_fault *f)
{
	struct meter_store_options o = {.read_only = true};
	tf_time to = 0;
	if (!s->reader)
		TF_TRY(meter_store_open(s->api->os, s->api->dir, &o, &s->reader, f));
	TF_TRY(meter_missing_until(s->reader, &to, f));
	return meter_missing(s->reader, s->at - s->window, to, on_gap, s, f);
}

static void
post(struct meter_api_send *s, struct head_end *e)
{
	char key[33];
	const char *url = url_of(s, e->name);
	if (!url) {
		e->state = "no_url";
		return;
	}
	XXH128_hash_t h = XXH3_128bits(e->file.p, e->file.n);
	snprintf(key, sizeof key, "%016" PRIx64 "%016" PRIx64, h.high64, h.low64);
	struct tf_client_request r = {.url = url,
				      .type = "text/csv; charset=utf-8",
				      .key = key,
				      .body = tf_buf_view(&e->file),
				      .trace = &s->trace,
				      .spans = s->api->spans};
	if (!tf_client_call(s->client, &r, NULL, &e->answer, &e->fault))
		e->state = "sent";
}

static void
work(void *arg)
{
	struct meter_api_send *s = arg;
	enum tf_err e = find_gaps(s, &s->fault);
	s->fault.code = e == TF_END ? TF_OK : e;
	for (uint32_t i = 0; !e && i < s->end_count && !atomic_load(&s->stop); i++)
		post(s, &s->ends[i]);
	atomic_store(&s->done, true);
	tf_server_wake(s->api->server);
}

/* The trace of who asked, or one of its own. */
static void
begin_trace(struct meter_api_send *s, struct tf_exchange *x)
{
	memset(s->parent, 0, sizeof s->parent);
	if (x) {
		tf_trace_child(s->api->os, tf_exchange_trace(x), &s->trace);
		memcpy(s->parent, tf_exchange_trace(x)->span, sizeof s->parent);
	} else {
		tf_trace_new(s->api->os, &s->trace);
		tf_spans_decide(s->api->spans, &s->trace);
	}
}

static void
record_span(struct meter_api_send *s)
{
	struct tf_span span;
	if (!tf_spans_want(s->api->spans, &s->trace))
		return;
	tf_span_init(&span, TF_SPAN_INTERNAL, TF_STR("rerequest"), &s->trace, s->parent, s->at,
		     tf_os_ticks(s->api->os) - s->begun);
	tf_span_i64(&span, "tenfold.head_ends", s->end_count);
	if (s->fault.code)
		tf_span_fail(&span, tf_str(tf_err_name(s->fault.code)));
	(void)tf_spans_put(s->api->spans, &span); /* a full ring counts it */
}

static enum tf_err
start(struct meter_api_send *s, struct tf_exchange *x, struct tf_fault *f)
{
	if (s->worker)
		return tf_fault(f, TF_CONFLICT, "re-requests are being sent");
	s->ends = tf_calloc(METER_SEND_HEAD_ENDS_MAX, sizeof *s->ends);
	if (!s->ends)
		return tf_fault(f, TF_NO_MEMORY, "no memory for head-ends");
	s->x = x;
	begin_trace(s, x);
	s->at = tf_os_now(s->api->os);
	s->begun = tf_os_ticks(s->api->os);
	s->end_count = s->last = 0;
	s->bytes = 0;
	s->left_out = 0;
	s->fault = (struct tf_fault){0};
	atomic_store(&s->done, false);
	enum tf_err e = tf_os_start(s->api->os, work, s, &s->worker, f);
	if (e) {
		tf_free(s->ends);
		s->ends = NULL;
	}
	return e;
}

static void
put_end(struct tf_json_out *w, const struct head_end *e)
{
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "head_end", e->name);
	tf_json_set_cstr(w, "state", e->state);
	tf_json_set_u64(w, "gaps", e->gaps);
	tf_json_set_u64(w, "intervals", e->intervals);
	tf_json_set_u64(w, "left_out", e->left_out);
	tf_json_set_u64(w, "tries", e->answer.tries);
	tf_json_set_i64(w, "status", e->answer.status);
	if (e->fault.code)
		tf_json_set_cstr(w, "error", e->fault.text);
	tf_json_end_object(w);
}

/* The round as JSON, a log line and a count for each head-end. */
static void
tell(struct meter_api_send *s)
{
	char at[40];
	struct meter_api *a = s->api;
	tf_buf_reset(&s->told);
	struct tf_json_out w = tf_json_out(&s->told);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "at", tf_time_format(s->at, at));
	tf_json_key(&w, "head_ends");
	tf_json_begin_array(&w);
	for (uint32_t i = 0; i < s->end_count; i++) {
		const struct head_end *e = &s->ends[i];
		put_end(&w, e);
		if (strcmp(e->state, "no_url") == 0)
			continue;
		tf_metric_add(a->metrics, METER_M_REREQUESTS, e->fault.code != 0, 1);
		TF_LOG(a->watch, e->fault.code ? TF_LOG_WARN : TF_LOG_INFO,
		       e->fault.code ? "rerequest.failed" : "rerequest.sent", NULL,
		       TF_KV("head_end", (const char *)e->name), TF_KV("gaps", e->gaps),
		       TF_KV("intervals", e->intervals), TF_KV("tries", (uint64_t)e->answer.tries),
		       TF_KV("status", (int64_t)e->answer.status), TF_KV("error", (const char *)e->fault.text));
	}
	tf_json_end_array(&w);
	tf_json_set_u64(&w, "left_out", s->left_out);
	tf_json_end_object(&w);
	tf_json_finish(&w);
}

static void
finish(struct meter_api_send *s)
{
	tf_worker_join(&s->worker);
	record_span(s);
	if (s->fault.code)
		tf_watch_fault(s->api->watch, "rerequest.failed", NULL, &s->fault);
	else
		tell(s);
	if (s->x && s->fault.code)
		tf_reply_fault(s->x, &s->fault, NULL);
	else if (s->x)
		tf_reply(s->x, 200, "application/json", tf_buf_view(&s->told));
	s->x = NULL;
	for (uint32_t i = 0; i < s->end_count; i++)
		tf_buf_release(&s->ends[i].file);
	tf_free(s->ends);
	s->ends = NULL;
	s->end_count = 0;
}

void
meter_send_schedule(struct meter_api_send *s, tf_dur now)
{
	struct tf_fault f = {0};
	if (s->worker && atomic_load(&s->done))
		finish(s);
	if (!s->every || !s->target_count || s->worker || now - s->begun <= s->every)
		return;
	if (start(s, NULL, &f))
		tf_watch_fault(s->api->watch, "rerequest.failed", NULL, &f);
}

void
meter_send_stop(struct meter_api_send *s)
{
	if (!s)
		return;
	atomic_store(&s->stop, true);
	if (s->client)
		tf_client_stop(s->client);
	if (s->worker) {
		s->x = NULL;
		finish(s);
	}
}

void
meter_send_free(struct meter_api_send **send)
{
	struct meter_api_send *s = *send;
	if (!s)
		return;
	meter_send_stop(s);
	tf_client_free(&s->client);
	meter_store_close(&s->reader);
	for (uint32_t i = 0; i < s->target_count; i++) {
		tf_free(s->targets[i].name);
		tf_free(s->targets[i].url);
	}
	tf_buf_release(&s->told);
	tf_free(s);
	*send = NULL;
}

void
meter_api_post_send(void *ctx, struct tf_exchange *x)
{
	struct meter_api *a = ctx;
	struct tf_fault f = {0};
	if (!a->send->target_count) {
		tf_fault(&f, TF_CONFLICT, "no head-end has a URL: serve --rerequest NAME=URL");
		tf_reply_fault(x, &f, NULL);
	} else if (start(a->send, x, &f)) {
		tf_reply_fault(x, &f, NULL);
	}
}

void
meter_api_get_sent(void *ctx, struct tf_exchange *x)
{
	struct meter_api *a = ctx;
	if (a->send->told.n) {
		tf_reply(x, 200, "application/json", tf_buf_view(&a->send->told));
		return;
	}
	struct tf_fault f = {TF_NOT_FOUND, "nothing was sent yet"};
	tf_reply_fault(x, &f, NULL);
}
