/* The client against a scripted server on the loopback interface, and against our own: a request and its answer,
 * bounds, the end, many at once. */
#include "client_script_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "serve/curl_load.h"

/* ---- one request ---- */

static void
a_request_arrives_whole(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){OK_ANSWER});
	OK(call((struct tf_client_request){.url = s->url,
					   .type = "text/csv",
					   .key = "key-1",
					   .headers = {{"Accept", "a/b"}, {"X-Empty", ""}},
					   .body = TF_STR("a,b\n1,2\nEND")}));
	assert_int_equal(answer.status, 204);
	assert_int_equal(answer.tries, 1);
	assert_non_null(strstr(s->got[0], "POST /take HTTP/1.1\r\n"));
	assert_non_null(strstr(s->got[0], "Content-Type: text/csv\r\n"));
	assert_non_null(strstr(s->got[0], "Idempotency-Key: key-1\r\n"));
	assert_non_null(strstr(s->got[0], "Accept: a/b\r\n"));
	assert_non_null(strstr(s->got[0], "X-Empty:\r\n"));
	assert_non_null(strstr(s->got[0], "\r\n\r\na,b\n1,2\nEND"));
	assert_null(strstr(s->got[0], "Expect:"));
	end(s);
}

static void
tell_method(struct peer *p, struct tf_exchange *x, unsigned number)
{
	const struct tf_http_request *q = tf_exchange_request(x);
	(void)number;
	tf_buf_printf(&p->seen, "%.*s %zu,", TF_FMT(q->method), tf_exchange_body(x).n);
	peer_say(x, 200, "said");
}

static void
methods_are_sent_as_they_are_named(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, tell_method, NULL);
	struct tf_buf body;
	static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "POST"};
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		tf_buf_init(&body, 0);
		struct tf_client_request r = {.method = methods[i], .url = p->url, .answer_max = 4};
		OK(tf_client_call(client, &r, &body, &answer, &fault));
		assert_true(tf_str_eq(answer.body, i == 1 ? TF_STR("") : TF_STR("said")));
		assert_string_equal(answer.type, "text/plain");
		tf_buf_release(&body);
	}
	OK(call((struct tf_client_request){.method = "PUT", .url = p->url, .body = TF_STR("body")}));
	peer_saw(p, "GET 0,HEAD 0,PUT 0,DELETE 0,POST 0,PUT 4,");
	assert_int_equal(p->connections, 1);
	peer_end(&p);
}

static void
an_answer_is_bounded(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, tell_method, NULL);
	struct tf_buf body;
	tf_buf_init(&body, 3);
	struct tf_client_request r = {.method = "GET", .url = p->url, .answer_max = 3};
	assert_int_equal(tf_client_call(client, &r, &body, &answer, &fault), TF_TOO_LARGE);
	assert_int_equal(answer.tries, 1);
	r.answer_max = 4; /* the caller's buffer has no room */
	assert_int_equal(tf_client_call(client, &r, &body, &answer, &fault), TF_TOO_LARGE);
	tf_buf_release(&body);
	OK(call(r)); /* dropped */
	assert_int_equal(answer.body.n, 0);
	peer_end(&p);
}

static void
a_head_without_end_is_given_up(void **state)
{
	(void)state;
	char *endless = malloc(100000);
	int n = snprintf(endless, 100, "HTTP/1.1 200 OK\r\n");
	while (n < 99000)
		n += snprintf(endless + n, 100, "X: 012345678901234567890123456789012345678901234567890123456789\r\n");
	struct script *s = play((const char *[TRIES]){endless});
	assert_int_equal(post(s->url), TF_TOO_LARGE);
	assert_int_equal(answer.tries, 1);
	end(s);
	free(endless);
}

static void
a_redirect_is_not_followed(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){
		"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", OK_ANSWER});
	assert_int_equal(post(s->url), TF_DENIED);
	assert_int_equal(s->count, 1);
	end(s);
}

static void
a_proxy_is_used_when_asked_for_only(void **state)
{
	(void)state;
	char dead[64];
	nobody(dead);
	setenv("http_proxy", dead, 1);
	struct script *s = play((const char *[TRIES]){OK_ANSWER, OK_ANSWER});
	enum tf_err e = post(s->url);
	unsetenv("http_proxy");
	OK(e);
	with((struct tf_client_options){.proxy = s->url});
	OK(post("http://a.example/x"));
	assert_non_null(strstr(s->got[1], "POST http://a.example/x HTTP/1.1\r\n"));
	end(s);
}

static void
what_would_not_arrive_as_it_is_meant_is_refused(void **state)
{
	(void)state;
	if (!tf_curl())
		skip();
	static const struct tf_client_request bad[] = {
		{.url = "ftp://a/"},
		{.url = "http://a/", .method = "GE T"},
		{.url = "http://a/", .method = ""},
		{.url = "http://a/", .method = "GET", .body = {"x", 1}},
		{.url = "http://a/", .key = "a\r\nX: y"},
		{.url = "http://a/", .key = ""},
		{.url = "http://a/", .type = "a\nb"},
		{.url = "http://a/", .headers = {{"A:", "b"}}},
		{.url = "http://a/", .headers = {{"A", "b\r\nX: y"}}},
		{.url = "http://a/", .headers = {{"A", NULL}}},
		{.url = "http://a/", .user = "u"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(call(bad[i]), TF_INVALID);
		assert_int_equal(answer.tries, 0);
	}
}

static void
a_url_is_checked(void **state)
{
	(void)state;
	static const char *const good[] = {"http://a", "https://a.example:8443/x?y=1@", "http://[::1]:80/",
					   "http://a_b:/", "https://127.0.0.1?x"};
	static const char *const bad[] = {"",
					  "a",
					  "ftp://a/",
					  "file:///etc/passwd",
					  "http://",
					  "http:///x",
					  "http://u:p@a/",
					  "http://a/ b",
					  "http://a/\n",
					  "http://a:0/",
					  "http://a:65536/",
					  "http://a:x/",
					  "http://a\\@b/",
					  "http://[::1/",
					  "http://:80/",
					  "http://a%00b/"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		OK(tf_client_check(tf_str(good[i]), &fault));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tf_client_check(tf_str(bad[i]), &fault), TF_INVALID);
}

/* ---- the end ---- */

static void
draining_ends_waits_and_leaves_one_try(void **state)
{
	(void)state;
	with((struct tf_client_options){.wait_first = TF_HOUR, .wait_max = TF_HOUR, .deadline = TF_DAY});
	struct script *s = play((const char *[TRIES]){BUSY_ANSWER});
	s->drain = client;
	assert_int_equal(post(s->url), TF_IO);
	assert_int_equal(answer.tries, 1);
	assert_int_equal(answer.status, 503);
	end(s);
	s = play((const char *[TRIES]){BUSY_ANSWER, OK_ANSWER});
	assert_int_equal(post(s->url), TF_IO);
	OK(post(s->url));
	end(s);
}

static void
stopping_ends_all_calls_at_once(void **state)
{
	(void)state;
	with((struct tf_client_options){
		.timeout = TF_HOUR, .wait_first = TF_HOUR, .wait_max = TF_HOUR, .deadline = TF_DAY, .calls_max = 3});
	static struct outcomes all; /* a failed test leaves calls behind */
	char dead[64];
	nobody(dead);
	struct script *s = play((const char *[TRIES]){"-"});
	struct tf_client_request r = {.method = "GET", .url = s->url};
	outcomes_init(&all);
	OK(tf_client_send(client, &r, outcomes_note, &all, NULL));
	OK(tf_client_send(client, &r, outcomes_note, &all, NULL));
	r.url = dead; /* waits to be tried again */
	OK(tf_client_send(client, &r, outcomes_note, &all, NULL));
	assert_int_equal(tf_client_send(client, &r, outcomes_note, &all, &fault), TF_OVERLOAD);
	tf_dur begun = ticks();
	while (!s->count && ticks() - begun < 10 * TF_SEC)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	begun = ticks();
	tf_client_stop(client);
	outcomes_await(&all, 3);
	assert_int_equal(all.last, TF_END);
	assert_int_equal(all.ok, 0);
	assert_int_equal(post(s->url), TF_END);
	tf_client_free(&client);
	assert_true(ticks() - begun < 5 * TF_SEC);
	end(s);
}

static void
bodies_in_the_queue_are_bounded(void **state)
{
	(void)state;
	with((struct tf_client_options){.bytes_max = 10});
	static struct outcomes all;
	struct script *s = play((const char *[TRIES]){"-"});
	struct tf_client_request r = {.url = s->url, .body = TF_STR("0123456789END")};
	outcomes_init(&all);
	OK(tf_client_send(client, &r, outcomes_note, &all, NULL)); /* one alone may be larger */
	assert_int_equal(tf_client_send(client, &r, outcomes_note, &all, &fault), TF_OVERLOAD);
	tf_client_free(&client);
	assert_int_equal(all.count, 1);
	end(s);
}

static void
no_memory_is_an_error_and_nothing_more(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, tell_method, NULL);
	tf_client_free(&client);
	const struct tf_client_options quick = client_quick((struct tf_client_options){0});
	bool ok = false;
	for (uint64_t n = 1; !ok && n < 200; n++) {
		struct tf_buf body;
		tf_buf_init(&body, 0);
		tf_mem_fail_at(n);
		enum tf_err e = tf_client_new(tf_os_real(), &quick, &client, &fault);
		struct tf_client_request r = {.url = p->url, .key = "k", .body = TF_STR("END"), .answer_max = 100};
		e = e ? e : tf_client_call(client, &r, &body, &answer, &fault);
		tf_client_free(&client);
		ok = tf_mem_fail_at(0) < n && e == TF_OK; /* none was refused */
		/* The server's allocations are counted too: what fails there is an answer, or there is none. */
		assert_true(e == TF_OK || e == TF_NO_MEMORY || answer.tries > 0);
		tf_buf_release(&body);
	}
	assert_true(ok);
	peer_end(&p);
}

/* ---- many ---- */

static void
a_connection_is_used_again(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, say_now, NULL);
	for (int i = 0; i < 20; i++)
		OK(plain_post(p->url));
	assert_int_equal(p->requests, 20);
	assert_int_equal(p->connections, 1);
	peer_end(&p);
}

static void
many_calls_share_few_connections(void **state)
{
	(void)state;
	with((struct tf_client_options){.origin_max = 4});
	struct peer *p = peer_start(NULL, NULL, say_now, NULL);
	struct tf_client_request r = {.url = p->url, .key = "k", .body = TF_STR("END")};
	assert_int_equal(send_many(&r, 500)->ok, 500);
	assert_int_equal(p->requests, 500);
	assert_in_range(p->connections, 1, 4);
	peer_end(&p);
}

/* From the worker itself a call may be sent, and is not waited for. */
struct chain {
	struct outcomes all;
	const char *url;
	int left;
};

static void
send_next(void *ctx, enum tf_err e, const struct tf_client_answer *a, const struct tf_fault *f)
{
	struct chain *k = ctx;
	struct tf_client_request r = {.method = "GET", .url = k->url};
	if (!e && k->left-- > 0)
		e = tf_client_send(client, &r, send_next, k, NULL);
	if (e || k->left < 0)
		outcomes_note(&k->all, e, a, f);
}

static void
a_call_may_send_the_next(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, say_now, NULL);
	struct chain k = {.url = p->url, .left = 10};
	struct tf_client_request r = {.method = "GET", .url = p->url};
	outcomes_init(&k.all);
	OK(tf_client_send(client, &r, send_next, &k, NULL));
	outcomes_await(&k.all, 1);
	assert_int_equal(k.all.ok, 1);
	assert_int_equal(peer_count(p, &p->requests), 11);
	peer_end(&p);
}

/* ---- traces ---- */

/* Each try is a span of its own below the one given, and the other side is told which. */
static void
tries_are_spans_that_the_peer_is_told_of(void **state)
{
	(void)state;
	static const struct tf_trace trace = {
		.trace = {0xab, [15] = 1}, .span = {7}, .flags = 1, .correlation_n = 7, .correlation = "order-7"};
	struct script *p = play((const char *[TRIES]){BUSY_ANSWER, OK_ANSWER});
	struct tf_spans *spans;
	struct tf_span s[4];
	char url[128], text[TF_TRACEPARENT_BYTES];
	OK(tf_spans_new(&(struct tf_spans_options){.count = 8}, &spans, NULL));
	snprintf(url, sizeof url, "%s?token=secret", p->url);
	OK(call((struct tf_client_request){
		.method = "PUT", .url = url, .body = TF_STR("END"), .trace = &trace, .spans = spans}));
	assert_int_equal(tf_spans_take(spans, s, 4), 2);
	for (int i = 0; i < 2; i++) {
		struct tf_trace self = {.flags = 1};
		memcpy(self.trace, s[i].trace, sizeof self.trace);
		memcpy(self.span, s[i].span, sizeof self.span);
		assert_memory_equal(s[i].trace, trace.trace, 16);
		assert_memory_equal(s[i].parent, trace.span, 8);
		assert_int_equal(s[i].kind, TF_SPAN_CLIENT);
		assert_memory_equal(s[i].name, "PUT", 3);
		assert_non_null(strstr(p->got[i], tf_trace_format(&self, text)));
		assert_non_null(strstr(p->got[i], "X-Correlation-Id: order-7\r\n"));
		assert_true(tf_str_eq(tf_span_text(&s[i], &s[i].attributes[1]), TF_STR("127.0.0.1")));
		assert_true(tf_str_eq(tf_span_text(&s[i], &s[i].attributes[3]), tf_str(p->url)));
	}
	assert_memory_not_equal(s[0].span, s[1].span, 8);
	assert_int_equal(s[0].status, TF_SPAN_ERROR);
	assert_int_equal(s[1].status, TF_SPAN_UNSET);
	tf_spans_free(&spans);
	end(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_arrives_whole),
		TEST(methods_are_sent_as_they_are_named),
		TEST(an_answer_is_bounded),
		TEST(a_head_without_end_is_given_up),
		TEST(a_redirect_is_not_followed),
		TEST(a_proxy_is_used_when_asked_for_only),
		TEST(what_would_not_arrive_as_it_is_meant_is_refused),
		TEST(a_url_is_checked),
		TEST(draining_ends_waits_and_leaves_one_try),
		TEST(stopping_ends_all_calls_at_once),
		TEST(bodies_in_the_queue_are_bounded),
		TEST(no_memory_is_an_error_and_nothing_more),
		TEST(a_connection_is_used_again),
		TEST(many_calls_share_few_connections),
		TEST(a_call_may_send_the_next),
		TEST(tries_are_spans_that_the_peer_is_told_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
