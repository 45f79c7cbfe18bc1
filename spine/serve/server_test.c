/* The server over sockets: what is asked is answered, in order, as HTTP frames it, and not before its commit. Limits
 * and time are server_bounds_test.c's. */
#include "site_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct site *site;
static struct client c;

static int
setup(void **state)
{
	(void)state;
	site = site_start((struct tf_server_options){0});
	c = site_dial(site);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	client_close(&c);
	site_end(&site);
	return 0;
}

static void
says(struct client *to, const char *request, const char *want)
{
	client_say(to, request);
	client_hear(to, false);
	assert_true(to->whole);
	assert_int_equal(to->status, 200);
	assert_string_equal(client_text(to), want);
}

/* Says it and hears a refusal behind which the connection is closed. */
static void
refused(const char *request, int status, const char *detail)
{
	struct client d = site_dial(site);
	client_say(&d, request);
	client_hear(&d, false);
	assert_int_equal(d.status, status);
	assert_true(d.whole);
	assert_string_equal(client_header(&d, "Connection"), "close");
	assert_string_equal(client_header(&d, "Content-Type"), "application/problem+json");
	assert_non_null(strstr(client_text(&d), detail));
	client_ended(&d);
	client_close(&d);
}

static void
a_connection_is_kept_for_the_next_request(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		says(&c, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", "now");
		says(&c, "GET /work HTTP/1.1\r\nHost: a\r\n\r\n", "work");
		says(&c, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "abc");
		says(&c, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "");
		says(&c,
		     "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
		     "chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
		     "abc");
		assert_string_equal(client_header(&c, "Connection"), "");
	}
	assert_int_equal(c.in.n, 0);
}

static void
a_request_may_come_a_byte_at_a_time(void **state)
{
	(void)state;
	const char *request =
		"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
	for (const char *p = request; *p; p++)
		client_send(&c, tf_str_n(p, 1));
	client_hear(&c, false);
	assert_string_equal(client_text(&c), "abc");
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
	(void)state;
	enum { TIMES = 300 };
	struct tf_buf b;
	tf_buf_init(&b, 0);
	for (int i = 0; i < TIMES; i++) {
		char text[8];
		snprintf(text, sizeof text, "%d", i);
		tf_buf_printf(&b,
			      "GET /work HTTP/1.1\r\nHost: a\r\n\r\nPOST /body HTTP/1.1\r\nHost: a\r\n"
			      "Content-Length: %zu\r\n\r\n%s",
			      strlen(text), text);
	}
	client_send(&c, tf_buf_view(&b));
	tf_buf_release(&b);
	for (int i = 0; i < TIMES; i++) {
		client_hear(&c, false);
		assert_string_equal(client_text(&c), "work");
		client_hear(&c, false);
		assert_int_equal(strtol(client_text(&c), NULL, 10), i);
	}
}

static void
an_announced_close_is_kept(void **state)
{
	(void)state;
	says(&c, "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /now HTTP/1.1\r\nHost: a\r\n\r\n",
	     "now");
	assert_string_equal(client_header(&c, "Connection"), "close");
	client_ended(&c);
}

static void
a_client_is_told_to_continue_only_where_its_body_is_wanted(void **state)
{
	(void)state;
	client_say(&c, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	client_hear(&c, false);
	assert_int_equal(c.status, 100);
	says(&c, "abc", "abc");
	client_say(&c, "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
	client_hear(&c, false);
	assert_int_equal(c.status, 100);
	says(&c, "3\r\nabc\r\n0\r\n\r\n", "abc");
	says(&c, "GET /now HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "now");
	refused("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n", 413,
		"the body is too large");
	refused("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", 404,
		"there is nothing at this path");
	refused("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: tea\r\n\r\n", 417,
		"only 100-continue can be expected");
}

static void
a_request_that_breaks_the_rules_is_refused_and_closed(void **state)
{
	(void)state;
	refused("GET /now HTTP/1.1\nHost: a\r\n\r\n", 400, "bare line feed");
	refused("GET /now HTTP/1.0\r\n\r\n", 505, "only HTTP/1.1");
	refused("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", 400, "bad chunk size");
	refused("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		"Content-Length with Transfer-Encoding");
	says(&c, "GET /now HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\nE: f\r\n\r\n", "now");
	client_say(&c, "GET /now HTTP/1.1\r\nHost : a\r\n\r\n");
	client_hear(&c, false);
	assert_int_equal(c.status, 400);
	client_ended(&c);
	site_logged(site, "\"status\":505", 1);
}

static void
a_body_that_no_route_takes_is_refused(void **state)
{
	(void)state;
	refused("GET /now HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 413, "TOO_LARGE");
	refused("GET /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n", 413, "TOO_LARGE");
	refused("GET /none HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 404, "NOT_FOUND");
	refused("PATCH /now HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 405, "UNSUPPORTED");
	refused("GET /now?a=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 400, "unknown query parameter");
	says(&c, "GET /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "now");
}

static void
a_path_without_a_route_and_a_method_without_one_differ(void **state)
{
	(void)state;
	assert_int_equal(client_get(&c, "/none"), 404);
	assert_non_null(strstr(client_text(&c), "\"code\":\"NOT_FOUND\""));
	assert_string_equal(client_header(&c, "Allow"), "");
	assert_int_equal(client_get(&c, "/now/"), 404);
	assert_int_equal(client_get(&c, "//now"), 404);
	assert_int_equal(client_get(&c, "/"), 404);
	assert_int_equal(client_get(&c, "/NOW"), 404);
	assert_int_equal(client_get(&c, "/body"), 405);
	assert_string_equal(client_header(&c, "Allow"), "POST");
	client_say(&c, "DELETE /now HTTP/1.1\r\nHost: a\r\n\r\n");
	client_hear(&c, false);
	assert_int_equal(c.status, 405);
	assert_string_equal(client_header(&c, "Allow"), "GET, HEAD, PUT");
	client_say(&c, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	client_hear(&c, false);
	assert_int_equal(c.status, 404);
}

/* The line `name=` of what /echo said. */
static void
echoed(const char *target, int status, const char *line)
{
	assert_int_equal(client_get(&c, target), status);
	if (!strstr(client_text(&c), line))
		print_message("%s: %s\n", target, client_text(&c));
	assert_non_null(strstr(client_text(&c), line));
}

static void
path_parameters_are_decoded_segments(void **state)
{
	(void)state;
	echoed("/echo/1/2", 200, "a=1\nb=2\n");
	echoed("/echo/%41b/c%2Fd%20+", 200, "a=Ab\nb=c/d +\n");
	echoed("/echo/%e2%82%ac/..", 200, "a=\xe2\x82\xac\nb=..\n");
	echoed("/echo/1/", 404, "NOT_FOUND");
	echoed("/echo//2", 404, "NOT_FOUND");
	echoed("/echo/1/2/", 404, "NOT_FOUND");
	echoed("/echo/1", 404, "NOT_FOUND");
	echoed("/%65cho/1/2", 404, "NOT_FOUND");
	echoed("/echo/a%00/2", 400, "\"field\":\"a\"");
}

static void
query_parameters_are_decoded_and_known(void **state)
{
	(void)state;
	echoed("/echo/1/2", 200, "q=(none)\nr=(none)\n");
	echoed("/echo/1/2?", 200, "q=(none)\nr=(none)\n");
	echoed("/echo/1/2?q=a%26b+c&r", 200, "q=a&b+c\nr=\n");
	echoed("/echo/1/2?%71==/?", 200, "q==/?\n");
	echoed("/echo/1/2?s=1", 400, "unknown query parameter: 's'");
	echoed("/echo/1/2?q=1&q=1", 400, "query parameter given twice: 'q'");
	echoed("/echo/1/2?q=1&%71=1", 400, "query parameter given twice: 'q'");
	echoed("/echo/1/2?q=%00", 400, "badly encoded query parameter: 'q'");
	echoed("/echo/1/2?q=1&&r=1", 400, "an empty query parameter");
	echoed("/echo/1/2?&q=1", 400, "an empty query parameter");
	echoed("/echo/1/2?q=1&", 400, "an empty query parameter");
	echoed("/echo/1/2?=1", 400, "unknown query parameter: ''");
	echoed("/now?q=1", 400, "\"field\":\"q\"");
	echoed("/healthz?q=1", 400, "unknown query parameter: 'q'");
}

/* As long as a target may be, decoded for none of the routes that it doesn't belong to. */
static void
a_long_encoded_path_is_decoded(void **state)
{
	(void)state;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, "GET /echo/");
	for (int i = 0; i < 1300; i++)
		tf_buf_cstr(&b, "%41");
	tf_buf_cstr(&b, "/");
	for (int i = 0; i < 1300; i++)
		tf_buf_cstr(&b, "%42");
	tf_buf_cstr(&b, " HTTP/1.1\r\nHost: a\r\n\r\n");
	client_send(&c, tf_buf_view(&b));
	tf_buf_release(&b);
	client_hear(&c, false);
	assert_int_equal(c.status, 200);
	assert_non_null(strstr(client_text(&c), "AAAA\nb=BBBB"));
}

static void
a_request_keeps_its_ids_and_gets_those_it_lacks(void **state)
{
	(void)state;
	const char *trace = "4bf92f3577b34da6a3ce929d0e0e4736";
	char request[512];
	client_say(&c, "GET /echo/1/2 HTTP/1.1\r\nHost: a\r\nX-Correlation-Id: order-7:a.b_c\r\n\r\n");
	client_hear(&c, false);
	assert_string_equal(client_header(&c, "X-Correlation-Id"), "order-7:a.b_c");
	assert_string_equal(client_header(&c, "X-More"), "1");
	snprintf(request, sizeof request,
		 "GET /echo/1/2 HTTP/1.1\r\nHost: a\r\ntraceparent: 00-%s-00f067aa0ba902b7-01\r\n\r\n", trace);
	client_say(&c, request);
	client_hear(&c, false);
	assert_string_equal(client_header(&c, "X-Correlation-Id"), trace);
	assert_non_null(strstr(client_text(&c), "trace=00-4bf92f3577b34da6a3ce929d0e0e4736-"));
	assert_null(strstr(client_text(&c), "00f067aa0ba902b7")); /* a span of its own */
	const char *twice = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
			    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	const char *bad[] = {"X-Correlation-Id: a b",      "X-Correlation-Id: ",
			     "X-Correlation-Id: <script>", "X-Correlation-Id: a\r\nX-Correlation-Id: b",
			     "traceparent: 00-0-0-01",     twice};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(request, sizeof request, "GET /now HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", bad[i]);
		client_say(&c, request);
		client_hear(&c, false);
		assert_int_equal(strspn(client_header(&c, "X-Correlation-Id"), "0123456789abcdef"), 32);
		assert_string_not_equal(client_header(&c, "X-Correlation-Id"), trace);
	}
	site_logged(site, "\"correlation\":\"order-7:a.b_c\"", 1);
}

static void
an_answer_to_head_has_no_body(void **state)
{
	(void)state;
	client_say(&c, "HEAD /now HTTP/1.1\r\nHost: a\r\n\r\nHEAD /big?n=1 HTTP/1.1\r\nHost: a\r\n\r\n"
		       "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\nGET /work HTTP/1.1\r\nHost: a\r\n\r\n");
	client_hear(&c, true);
	assert_int_equal(c.status, 200);
	assert_string_equal(client_header(&c, "Content-Length"), "3");
	client_hear(&c, true);
	assert_string_equal(client_header(&c, "Transfer-Encoding"), "chunked");
	client_hear(&c, true);
	assert_int_equal(c.status, 404);
	client_hear(&c, false);
	assert_string_equal(client_text(&c), "work");
	client_say(&c, "HEAD /now HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
	client_hear(&c, true);
	assert_int_equal(c.status, 400);
	client_ended(&c);
}

static void
a_status_without_a_body_has_none(void **state)
{
	(void)state;
	assert_int_equal(client_get(&c, "/status?code=204"), 204);
	assert_int_equal(client_get(&c, "/status?code=304"), 304);
	assert_int_equal(client_get(&c, "/status?code=202"), 202);
	assert_string_equal(client_text(&c), "stream");
	assert_int_equal(c.in.n, 0);
}

static void
an_aborted_answer_can_not_be_taken_for_whole(void **state)
{
	(void)state;
	client_say(&c, "GET /broken HTTP/1.1\r\nHost: a\r\n\r\n");
	client_hear(&c, false);
	assert_int_equal(c.status, 200);
	assert_false(c.whole);
	assert_string_equal(client_text(&c), "half of");
	client_ended(&c);
	site_logged(site, "\"aborted\":true", 1);
}

static void
an_answer_with_more_headers_than_fit_is_aborted(void **state)
{
	(void)state;
	char bytes[8192];
	size_t n = 0;
	ssize_t got;
	client_say(&c, "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n");
	while ((got = recv(c.fd, bytes + n, sizeof bytes - n, 0)) > 0)
		n += (size_t)got;
	assert_int_equal(got, 0);
	assert_null(memmem(bytes, n, "\r\n\r\n", 4));
}

static void
a_fault_is_answered_by_its_row_in_the_table_of_errors(void **state)
{
	(void)state;
	for (int e = TF_INVALID; e <= TF_BUG; e++) {
		char target[32], code[64];
		struct client d = site_dial(site);
		snprintf(target, sizeof target, "/fault?code=%d", e);
		snprintf(code, sizeof code, "\"code\":\"%s\"", tf_err_name((enum tf_err)e));
		assert_int_equal(client_get(&d, target), tf_err_http((enum tf_err)e));
		assert_string_equal(client_header(&d, "Content-Type"), "application/problem+json");
		assert_string_equal(client_header(&d, "Retry-After"), tf_err_retry((enum tf_err)e) ? "1" : "");
		assert_non_null(strstr(client_text(&d), code));
		assert_non_null(strstr(client_text(&d), "\"detail\":\"the 'disk' failed\""));
		assert_non_null(strstr(client_text(&d), "\"field\":\"code\""));
		assert_non_null(strstr(client_text(&d), client_header(&d, "X-Correlation-Id")));
		client_close(&d);
	}
	site_logged(site, "http.failed", 1);
}

static void
what_is_kept_is_answered_later(void **state)
{
	(void)state;
	struct client d = site_dial(site);
	client_say(&c, "POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	site_await(site, &site->held_count, 1);
	assert_int_equal(client_get(&d, "/now"), 200); /* the loop goes on */
	client_say(&d, "GET /gated HTTP/1.1\r\nHost: a\r\n\r\n");
	site_await(site, &site->held_count, 2);
	site_release(site, 1);
	client_hear(&c, false);
	assert_string_equal(client_text(&c), "held");
	site_release(site, 1);
	client_hear(&d, false);
	assert_string_equal(client_text(&d), "work");
	client_close(&d);
}

/* The hook `after` looks at what lies before the client when it runs; see site_test.c. */
static void
an_answer_comes_after_its_commit(void **state)
{
	(void)state;
	enum { TIMES = 20 };
	pthread_mutex_lock(&site->lock);
	site->watched[site->watched_count++] = c.fd;
	pthread_mutex_unlock(&site->lock);
	for (unsigned i = 1; i <= TIMES; i++) {
		client_say(&c, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
		site_await(site, &site->committed, i);
	}
	for (unsigned i = 1; i <= TIMES; i++) /* `100 Continue` may not take the answer along */
		client_say(&c, "POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
	for (unsigned i = 1; i <= TIMES; i++)
		client_say(&c, "GET /now HTTP/1.1\r\nHost: a\r\n\r\nPOST /body HTTP/1.1\r\nHost: a\r\nContent-Length: "
			       "1\r\n\r\nx");
	site_await(site, &site->committed, 4 * TIMES);
	assert_int_equal(site->early, 0);
	unsigned answers = 0;
	while (answers < 4 * TIMES) {
		client_hear(&c, false);
		answers += c.status == 200;
	}
	pthread_mutex_lock(&site->lock);
	site->watched_count = 0;
	pthread_mutex_unlock(&site->lock);
}

static void
no_one_waits_for_the_slow_reader_of_a_large_answer(void **state)
{
	(void)state;
	struct client d = site_dial(site), e = site_dial(site);
	client_say(&c, "GET /big?n=48 HTTP/1.1\r\nHost: a\r\n\r\n");
	client_say(&d, "GET /big?n=48 HTTP/1.1\r\nHost: a\r\n\r\n");
	for (int i = 0; i < 20; i++)
		assert_int_equal(client_get(&e, "/now"), 200);
	client_hear(&d, false);
	assert_true(d.whole && d.body.n == (size_t)48 << 20);
	client_hear(&c, false);
	assert_true(c.whole && c.body.n == (size_t)48 << 20);
	assert_int_equal(client_get(&c, "/now"), 200);
	client_close(&d);
	client_close(&e);
}

static void
a_client_that_vanishes_frees_its_worker(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) { /* more than there are workers */
		struct client d = site_dial(site);
		client_say(&d, "GET /big?n=1048576 HTTP/1.1\r\nHost: a\r\n\r\n");
		uint8_t some[4096];
		assert_true(recv(d.fd, some, sizeof some, 0) > 0);
		client_reset(&d);
	}
	site_await(site, &site->work_ended, 4);
	site_logged(site, "\"aborted\":true", 4);
	assert_int_equal(client_get(&c, "/work"), 200);
}

static void
a_client_that_vanishes_while_its_answer_is_kept_is_known_to_be_gone(void **state)
{
	(void)state;
	struct client d = site_dial(site);
	client_say(&d, "POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	site_await(site, &site->held_count, 1);
	client_reset(&d);
	for (int i = 0; i < 3; i++) /* the loop has seen it by then */
		assert_int_equal(client_get(&c, "/now"), 200);
	site_release(site, 1);
	site_logged(site, "\"aborted\":true", 1);
	assert_int_equal(site->gone, 1);
}

static void
a_client_that_sends_no_more_still_gets_its_answers(void **state)
{
	(void)state;
	client_say(&c, "GET /work HTTP/1.1\r\nHost: a\r\n\r\nGET /now HTTP/1.1\r\nHost: a\r\n\r\n");
	tf_net_shutdown(c.fd);
	client_hear(&c, false);
	assert_string_equal(client_text(&c), "work");
	client_hear(&c, false);
	assert_string_equal(client_text(&c), "now");
	client_ended(&c);
}

static void
health_readiness_and_metrics_are_always_there(void **state)
{
	(void)state;
	says(&c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "ok\n");
	says(&c, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "ready\n");
	pthread_mutex_lock(&site->lock);
	site->ready = false;
	pthread_mutex_unlock(&site->lock);
	assert_int_equal(client_get(&c, "/readyz"), 503);
	assert_string_equal(client_text(&c), "not ready\n");
	assert_int_equal(client_get(&c, "/metrics"), 200);
	assert_non_null(strstr(client_text(&c), "tenfold_http_requests_total{status=\"2xx\"} 2\n"));
	assert_non_null(strstr(client_text(&c), "tenfold_http_requests_total{status=\"5xx\"} 1\n"));
	assert_non_null(strstr(client_text(&c), "tenfold_http_connections 1\n"));
	assert_non_null(strstr(client_text(&c), "site_up 1\n"));
}

static void
each_request_is_logged_once(void **state)
{
	(void)state;
	assert_int_equal(client_get(&c, "/echo/1/2?q=secret"), 200);
	assert_int_equal(client_get(&c, "/work"), 200);
	site_logged(site, "\"event\":\"http.request\"", 2);
	site_logged(site, "\"method\":\"GET\",\"path\":\"/echo/1/2\",\"status\":200,\"bytes_in\":0,\"bytes_out\":", 1);
	pthread_mutex_lock(&site->lock);
	tf_buf_u8(&site->log, 0);
	assert_null(strstr((char *)site->log.p, "secret"));
	assert_int_equal(site_count((char *)site->log.p, "\"path\":\"/work\""), 1);
	site->log.n--;
	pthread_mutex_unlock(&site->lock);
}

#define CALLERS 6
#define CALLS   60

/* What one of many callers does; NULL when all went well. cmocka's asserts belong to the first thread. */
static void *
call(void *arg)
{
	struct client *own = arg;
	static const char *const targets[] = {"/now", "/work", "/echo/1/2", "/none", "/big?n=1"};
	uint8_t bytes[65536];
	for (int i = 0; i < CALLS; i++) {
		char request[128];
		bool last = i == CALLS - 1;
		int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", targets[i % 5],
				 last ? "Connection: close\r\n" : "");
		if (send(own->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
			return own;
	}
	ssize_t n;
	while ((n = recv(own->fd, bytes, sizeof bytes, 0)) > 0)
		own->status += (int)n;
	return n < 0 || own->status < (CALLS / 5) << 20 ? own : NULL;
}

static void
many_clients_are_served_side_by_side(void **state)
{
	(void)state;
	struct client clients[CALLERS];
	pthread_t threads[CALLERS];
	for (int i = 0; i < CALLERS; i++) {
		clients[i] = site_dial(site);
		assert_int_equal(pthread_create(&threads[i], NULL, call, &clients[i]), 0);
	}
	for (int i = 0; i < CALLERS; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_null(failed);
		client_close(&clients[i]);
	}
	site_logged(site, "\"event\":\"http.request\"", CALLERS * CALLS);
}

#define WITH_SITE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SITE(a_connection_is_kept_for_the_next_request),
		WITH_SITE(a_request_may_come_a_byte_at_a_time),
		WITH_SITE(pipelined_requests_are_answered_in_order),
		WITH_SITE(an_announced_close_is_kept),
		WITH_SITE(a_client_is_told_to_continue_only_where_its_body_is_wanted),
		WITH_SITE(a_request_that_breaks_the_rules_is_refused_and_closed),
		WITH_SITE(a_body_that_no_route_takes_is_refused),
		WITH_SITE(a_path_without_a_route_and_a_method_without_one_differ),
		WITH_SITE(path_parameters_are_decoded_segments),
		WITH_SITE(query_parameters_are_decoded_and_known),
		WITH_SITE(a_long_encoded_path_is_decoded),
		WITH_SITE(a_request_keeps_its_ids_and_gets_those_it_lacks),
		WITH_SITE(an_answer_to_head_has_no_body),
		WITH_SITE(a_status_without_a_body_has_none),
		WITH_SITE(an_aborted_answer_can_not_be_taken_for_whole),
		WITH_SITE(an_answer_with_more_headers_than_fit_is_aborted),
		WITH_SITE(a_fault_is_answered_by_its_row_in_the_table_of_errors),
		WITH_SITE(what_is_kept_is_answered_later),
		WITH_SITE(an_answer_comes_after_its_commit),
		WITH_SITE(no_one_waits_for_the_slow_reader_of_a_large_answer),
		WITH_SITE(a_client_that_vanishes_frees_its_worker),
		WITH_SITE(a_client_that_vanishes_while_its_answer_is_kept_is_known_to_be_gone),
		WITH_SITE(a_client_that_sends_no_more_still_gets_its_answers),
		WITH_SITE(health_readiness_and_metrics_are_always_there),
		WITH_SITE(each_request_is_logged_once),
		WITH_SITE(many_clients_are_served_side_by_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
