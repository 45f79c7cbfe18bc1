/* The exporter against a collector made of our own server, and against none; skipped where there is no libcurl. */
#include "serve/otlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/curl_load.h"
#include "serve/server.h"

#define OK(expr) assert_int_equal(expr, TF_OK)
#define SOON     10 /* seconds: more than any of these takes */
#define POSTS    16

/* Answers the i-th post with the i-th status, those behind them with the last one. */
struct sink {
	struct tf_server *server;
	struct tf_worker *runner;
	struct tf_watch watch;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	const char *retry_after;
	int statuses[POSTS];
	unsigned status_count, count;
	struct tf_buf bodies[POSTS];
	tf_dur at[POSTS];
	struct tf_buf log;
	char url[64];
};

static const struct tf_trace sampled = {.trace = {0x4b, [15] = 0x36}, .span = {0xf0, [7] = 0x0a}, .flags = 1};

static void
take(void *ctx, struct tf_exchange *x)
{
	struct sink *k = ctx;
	pthread_mutex_lock(&k->lock);
	unsigned i = k->count < POSTS ? k->count++ : POSTS - 1;
	int status = k->statuses[i < k->status_count ? i : k->status_count - 1];
	k->at[i] = tf_os_ticks(tf_os_real());
	if (tf_str_eq(tf_exchange_header(x, "content-type"), TF_STR("application/json")))
		tf_buf_str(&k->bodies[i], tf_exchange_body(x));
	const char *retry_after = status == 200 ? NULL : k->retry_after;
	pthread_cond_broadcast(&k->moved);
	pthread_mutex_unlock(&k->lock);
	if (retry_after)
		tf_reply_header(x, "Retry-After", tf_str(retry_after));
	tf_reply(x, status, "application/json", TF_STR("{}"));
}

static const struct tf_route routes[] = {{"POST", "/base/v1/traces", take, .body_max = 4 << 20}, {0}};

static void
keep_line(void *ctx, struct tf_str line)
{
	struct sink *k = ctx;
	pthread_mutex_lock(&k->lock);
	tf_buf_str(&k->log, line);
	pthread_mutex_unlock(&k->lock);
}

static void
run(void *arg)
{
	(void)!tf_server_run(((struct sink *)arg)->server, NULL);
}

/* Most of this needs libcurl. */
static void
need_curl(void)
{
	if (!tf_curl())
		skip();
}

static struct sink *
sink_start(const int *statuses, unsigned count)
{
	need_curl();
	struct sink *k = tf_calloc(1, sizeof *k);
	assert_non_null(k);
	memcpy(k->statuses, statuses, count * sizeof *statuses);
	k->status_count = count;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->moved, NULL);
	for (int i = 0; i < POSTS; i++)
		tf_buf_init(&k->bodies[i], 0);
	tf_buf_init(&k->log, 0);
	tf_watch_init(&k->watch, tf_os_real(), "sink", TF_LOG_INFO, keep_line, k);
	struct tf_server_options o = {.host = "127.0.0.1", .routes = routes, .ctx = k, .watch = &k->watch};
	OK(tf_server_new(tf_os_real(), &o, &k->server, NULL));
	OK(tf_os_start(tf_os_real(), run, k, &k->runner, NULL));
	snprintf(k->url, sizeof k->url, "http://127.0.0.1:%u/base/", tf_server_port(k->server));
	return k;
}

static void
sink_end(struct sink *k)
{
	tf_server_stop(k->server);
	tf_worker_join(&k->runner);
	tf_server_free(&k->server);
	for (int i = 0; i < POSTS; i++)
		tf_buf_release(&k->bodies[i]);
	tf_buf_release(&k->log);
	tf_watch_release(&k->watch);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->moved);
	tf_free(k);
}

static unsigned
posts(struct sink *k)
{
	pthread_mutex_lock(&k->lock);
	unsigned n = k->count;
	pthread_mutex_unlock(&k->lock);
	return n;
}

static void
await(struct sink *k, unsigned wanted)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SOON;
	pthread_mutex_lock(&k->lock);
	while (k->count < wanted)
		assert_int_equal(pthread_cond_timedwait(&k->moved, &k->lock, &until), 0);
	pthread_mutex_unlock(&k->lock);
}

/* Until the exporter has counted so many. */
static void
await_counted(struct tf_otlp *o, enum tf_spans_fate fate, uint64_t n)
{
	const struct timespec slice = {0, 1000000};
	tf_dur until = tf_os_ticks(tf_os_real()) + SOON * TF_SEC;
	while (tf_spans_counted(tf_otlp_spans(o), fate) < n && tf_os_ticks(tf_os_real()) < until)
		nanosleep(&slice, NULL);
	assert_int_equal(tf_spans_counted(tf_otlp_spans(o), fate), n);
}

static struct tf_otlp *
exporter(struct sink *k, struct tf_otlp_options o)
{
	struct tf_otlp *out;
	o.url = o.url ? o.url : k->url;
	o.service = "test";
	o.version = "1.2.3";
	o.watch = k ? &k->watch : o.watch;
	o.wait_first = o.wait_first ? o.wait_first : 1000;
	OK(tf_otlp_new(tf_os_real(), &o, &out, NULL));
	return out;
}

static void
record(struct tf_otlp *o, unsigned count)
{
	struct tf_span s;
	for (unsigned i = 0; i < count; i++) {
		tf_span_init(&s, TF_SPAN_INTERNAL, TF_STR("work"), &sampled, NULL, 1000000, 5);
		tf_span_i64(&s, "number", i);
		tf_spans_put(tf_otlp_spans(o), &s);
	}
}

/* The spans of a request's one resource and scope. */
static const struct tf_json *
spans_of(struct tf_str text, struct tf_arena *arena, const struct tf_json **out_resource)
{
	const struct tf_json *v;
	OK(tf_json_parse(text, arena, 0, &v, NULL));
	const struct tf_json *r = tf_json_first(tf_json_get(v, "resourceSpans"));
	if (out_resource)
		*out_resource = tf_json_get(r, "resource");
	return tf_json_get(tf_json_first(tf_json_get(r, "scopeSpans")), "spans");
}

static unsigned
count_of(struct sink *k, unsigned post)
{
	struct tf_arena arena;
	tf_arena_init(&arena, "test", 16 << 20);
	unsigned n = spans_of(tf_buf_view(&k->bodies[post]), &arena, NULL)->count;
	tf_arena_release(&arena);
	return n;
}

static void
is_text(const struct tf_json *object, const char *name, const char *wanted)
{
	struct tf_str s;
	assert_true(tf_json_str(tf_json_get(object, name), &s));
	assert_true(tf_str_eq(s, tf_str(wanted)));
}

static void
is_attribute(const struct tf_json *a, const char *key, const char *kind, const char *value)
{
	is_text(a, "key", key);
	is_text(tf_json_get(a, "value"), kind, value);
}

static void
json_is_as_the_protocol_has_it(void **state)
{
	(void)state;
	struct tf_buf b;
	struct tf_arena arena;
	struct tf_span s[2];
	const struct tf_json *resource;
	static const uint8_t parent[8] = {1, 2, [7] = 0xff};
	int64_t n;
	tf_buf_init(&b, 0);
	tf_arena_init(&arena, "test", 1 << 20);
	tf_span_init(&s[0], TF_SPAN_SERVER, TF_STR("GET /\"a\""), &sampled, parent, 1500000, 250);
	tf_span_str(&s[0], "url.path", TF_STR("/\xff\x01"));
	tf_span_i64(&s[0], "http.response.status_code", 503);
	tf_span_fail(&s[0], TF_STR("503"));
	tf_span_init_shared(tf_os_real(), &s[1], TF_STR("log.commit"), 1, 1);
	tf_span_cover(&s[1], &sampled);
	tf_span_cover(&s[1], &sampled);
	tf_otlp_put(&b, "test", "1.2.3", s, 2);
	const struct tf_json *all = spans_of(tf_buf_view(&b), &arena, &resource);
	const struct tf_json *a = tf_json_first(tf_json_get(resource, "attributes"));
	is_attribute(a, "service.name", "stringValue", "test");
	is_attribute(a->next, "service.version", "stringValue", "1.2.3");
	assert_int_equal(all->count, 2);
	const struct tf_json *one = tf_json_first(all), *two = one->next;
	is_text(one, "traceId", "4b000000000000000000000000000036");
	is_text(one, "spanId", "f00000000000000a");
	is_text(one, "parentSpanId", "01020000000000ff");
	is_text(one, "name", "GET /\"a\"");
	is_text(one, "startTimeUnixNano", "1500000000");
	is_text(one, "endTimeUnixNano", "1500250000");
	assert_true(tf_json_i64(tf_json_get(one, "kind"), &n) && n == 2);
	assert_true(tf_json_i64(tf_json_get(tf_json_get(one, "status"), "code"), &n) && n == 2);
	a = tf_json_first(tf_json_get(one, "attributes"));
	is_attribute(a, "url.path", "stringValue", "/\xef\xbf\xbd\x01");
	is_attribute(a->next, "http.response.status_code", "intValue", "503");
	is_attribute(a->next->next, "error.type", "stringValue", "503");
	is_text(two, "parentSpanId", "f00000000000000a");
	is_text(tf_json_first(tf_json_get(two, "links")), "traceId", "4b000000000000000000000000000036");
	assert_null(tf_json_get(tf_json_get(two, "status"), "code"));
	tf_arena_release(&arena);
	tf_buf_release(&b);
}

static void
spans_are_sent_when_their_time_is_up(void **state)
{
	(void)state;
	struct sink *k = sink_start((int[]){200}, 1);
	struct tf_otlp *o = exporter(k, (struct tf_otlp_options){.every = 20000});
	record(o, 3);
	await_counted(o, TF_SPANS_SENT, 3);
	unsigned sum = 0;
	for (unsigned i = 0; i < posts(k); i++)
		sum += count_of(k, i);
	assert_int_equal(sum, 3);
	tf_otlp_free(&o);
	sink_end(k);
}

static void
a_full_batch_does_not_wait(void **state)
{
	(void)state;
	struct sink *k = sink_start((int[]){200}, 1);
	struct tf_otlp *o = exporter(k, (struct tf_otlp_options){.every = TF_DAY, .batch = 4});
	record(o, 4);
	await(k, 1);
	assert_int_equal(count_of(k, 0), 4);
	await_counted(o, TF_SPANS_SENT, 4);
	tf_otlp_free(&o);
	sink_end(k);
}

static void
a_busy_collector_is_asked_again(void **state)
{
	(void)state;
	struct sink *k = sink_start((int[]){503, 429, 502, 504, 200}, 5);
	struct tf_otlp *o = exporter(k, (struct tf_otlp_options){.every = TF_DAY, .batch = 2});
	record(o, 2);
	await_counted(o, TF_SPANS_SENT, 2);
	assert_int_equal(posts(k), 5);
	for (unsigned i = 1; i < 5; i++)
		assert_true(tf_str_eq(tf_buf_view(&k->bodies[i]), tf_buf_view(&k->bodies[0])));
	tf_otlp_free(&o);
	sink_end(k);
}

static void
tries_are_bounded_and_the_loss_is_counted(void **state)
{
	(void)state;
	struct sink *k = sink_start((int[]){503, 503, 503, 200}, 4);
	struct tf_otlp *o = exporter(k, (struct tf_otlp_options){.every = TF_DAY, .batch = 2, .tries = 3});
	record(o, 2);
	await_counted(o, TF_SPANS_LOST, 2);
	assert_int_equal(posts(k), 3);
	record(o, 2);
	await_counted(o, TF_SPANS_SENT, 2);
	tf_otlp_free(&o);
	pthread_mutex_lock(&k->lock); /* the server writes the lines of its requests behind their answers */
	tf_buf_u8(&k->log, 0);
	assert_non_null(strstr((const char *)k->log.p, "\"event\":\"otlp.failing\""));
	assert_non_null(strstr((const char *)k->log.p, "\"event\":\"otlp.works_again\""));
	pthread_mutex_unlock(&k->lock);
	sink_end(k);
}

static void
a_refusal_is_final(void **state)
{
	(void)state;
	struct sink *k = sink_start((int[]){400, 500, 413}, 3);
	struct tf_otlp *o = exporter(k, (struct tf_otlp_options){.every = TF_DAY, .batch = 2});
	for (unsigned i = 1; i <= 3; i++) {
		record(o, 2);
		await_counted(o, TF_SPANS_REFUSED, 2 * i);
	}
	assert_int_equal(posts(k), 3);
	tf_otlp_free(&o);
	sink_end(k);
}

static void
ask_for(struct sink *k, const char *retry_after)
{
	pthread_mutex_lock(&k->lock);
	k->retry_after = retry_after;
	pthread_mutex_unlock(&k->lock);
}

static void
retry_after_is_kept(void **state)
{
	(void)state;
	struct sink *k = sink_start((int[]){503, 200}, 2);
	ask_for(k, "1");
	struct tf_otlp *o = exporter(k, (struct tf_otlp_options){.every = TF_DAY, .batch = 2});
	record(o, 2);
	await_counted(o, TF_SPANS_SENT, 2);
	pthread_mutex_lock(&k->lock);
	tf_dur between = k->at[1] - k->at[0];
	pthread_mutex_unlock(&k->lock);
	assert_true(between >= TF_SEC);
	tf_otlp_free(&o);
	sink_end(k);
}

/* Longer than a batch may wait: it is lost, and the collector is left alone for as long as it asked. */
static void
a_long_retry_after_leaves_the_collector_alone(void **state)
{
	(void)state;
	struct sink *k = sink_start((int[]){429, 200}, 2);
	ask_for(k, "2");
	struct tf_otlp *o = exporter(k, (struct tf_otlp_options){.every = TF_DAY, .batch = 2, .wait_max = 1000});
	record(o, 2);
	await_counted(o, TF_SPANS_LOST, 2);
	record(o, 2);
	await_counted(o, TF_SPANS_SENT, 2);
	assert_int_equal(posts(k), 2);
	assert_true(k->at[1] - k->at[0] >= 2 * TF_SEC);
	tf_otlp_free(&o);
	sink_end(k);
}

static void
the_end_sends_what_waits(void **state)
{
	(void)state;
	struct sink *k = sink_start((int[]){200}, 1);
	struct tf_otlp *o = exporter(k, (struct tf_otlp_options){.every = TF_DAY, .batch = 4, .ring = 64});
	record(o, 10);
	tf_otlp_free(&o);
	unsigned sum = 0;
	for (unsigned i = 0; i < posts(k); i++)
		sum += count_of(k, i);
	assert_int_equal(sum, 10);
	sink_end(k);
}

static void
drop_line(void *ctx, struct tf_str line)
{
	(void)ctx;
	(void)line;
}

/* Nobody takes the connection from the backlog: it is open and silent. */
static void
a_silent_collector_slows_no_one_and_ends_in_time(void **state)
{
	(void)state;
	int listener;
	char url[64];
	struct tf_watch watch;
	need_curl();
	tf_watch_init(&watch, tf_os_real(), "test", TF_LOG_INFO, drop_line, NULL);
	OK(tf_net_listen("127.0.0.1", 0, 16, &listener, NULL));
	snprintf(url, sizeof url, "http://127.0.0.1:%u", tf_net_port(listener));
	struct tf_otlp_options options = {.url = url,
					  .watch = &watch,
					  .every = TF_DAY,
					  .batch = 8,
					  .ring = 16,
					  .timeout = TF_HOUR,
					  .drain_timeout = TF_SEC / 10};
	struct tf_otlp *o = exporter(NULL, options);
	record(o, 100000);
	struct tf_spans *s = tf_otlp_spans(o);
	uint64_t recorded = tf_spans_counted(s, TF_SPANS_RECORDED), dropped = tf_spans_counted(s, TF_SPANS_DROPPED);
	assert_int_equal(recorded + dropped, 100000);
	assert_in_range(recorded, 16, 24); /* the ring, and the batch that was taken from it */
	tf_dur begun = tf_os_ticks(tf_os_real());
	tf_otlp_free(&o);
	assert_true(tf_os_ticks(tf_os_real()) - begun < 5 * TF_SEC);
	tf_net_close(&listener);
	tf_watch_release(&watch);
}

static void
a_dead_collector_loses_spans_and_nothing_else(void **state)
{
	(void)state;
	int listener;
	char url[64];
	struct tf_watch watch;
	need_curl();
	tf_watch_init(&watch, tf_os_real(), "test", TF_LOG_INFO, drop_line, NULL);
	OK(tf_net_listen("127.0.0.1", 0, 16, &listener, NULL));
	snprintf(url, sizeof url, "http://127.0.0.1:%u", tf_net_port(listener));
	tf_net_close(&listener);
	struct tf_otlp_options options = {.url = url, .watch = &watch, .every = TF_DAY, .batch = 2, .tries = 3};
	struct tf_otlp *o = exporter(NULL, options);
	record(o, 2);
	await_counted(o, TF_SPANS_LOST, 2);
	record(o, 3);
	tf_otlp_free(&o);
	tf_watch_release(&watch);
}

static void
a_url_is_checked(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "collector:4318", "ftp://a/", "http://a/?x=1", "http://u:p@a/"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct tf_otlp *o = NULL;
		struct tf_fault f = {0};
		struct tf_otlp_options options = {.url = bad[i], .service = "test", .version = "1"};
		assert_int_equal(tf_otlp_new(tf_os_real(), &options, &o, &f), TF_INVALID);
		assert_null(o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_as_the_protocol_has_it),
		cmocka_unit_test(a_url_is_checked),
		cmocka_unit_test(spans_are_sent_when_their_time_is_up),
		cmocka_unit_test(a_full_batch_does_not_wait),
		cmocka_unit_test(a_busy_collector_is_asked_again),
		cmocka_unit_test(tries_are_bounded_and_the_loss_is_counted),
		cmocka_unit_test(a_refusal_is_final),
		cmocka_unit_test(retry_after_is_kept),
		cmocka_unit_test(a_long_retry_after_leaves_the_collector_alone),
		cmocka_unit_test(the_end_sends_what_waits),
		cmocka_unit_test(a_silent_collector_slows_no_one_and_ends_in_time),
		cmocka_unit_test(a_dead_collector_loses_spans_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
