/* The server over HTTP/2: the same routes, answers and refusals, many at a time on one connection. Bounds and time are
 * server_h2_bounds_test.c's. */
#include "h2_wire_test.h"

static struct tf_tls *tls;
static struct site *site;
static struct wire *w;

static int
setup(void **state)
{
	(void)state;
	tls = wire_tls();
	site = site_start((struct tf_server_options){.tls = tls});
	w = wire_dial(site, &wire_pki.partner, "h2");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	wire_close(&w);
	site_end(&site);
	tf_tls_free(&tls);
	return 0;
}

static bool
told(uint32_t id, const char *line)
{
	return strstr(wire_stream(w, id)->fields, line) != NULL;
}

static void
a_request_is_told_and_answered_as_over_http_1(void **state)
{
	(void)state;
	wire_ask(w, 1, "GET", "/echo/a%2Fb/c?q=1", "x: y z\nx-correlation-id: order-7\n", true);
	assert_int_equal(wire_until(w, 1)->status, 200);
	struct tf_str body = tf_buf_view(&wire_stream(w, 1)->body);
	static const char *const lines[] = {"a=a/b\n",  "b=c\n",   "q=1\n",
					    "host=h\n", "x=y z\n", "certificate=CN=partner\n"};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_non_null(memmem(body.p, body.n, lines[i], strlen(lines[i])));
	assert_true(told(1, "x-correlation-id: order-7\n") && told(1, "x-more: 1\n"));
	assert_true(told(1, "content-type: text/plain\n") && told(1, "\ndate: "));
	assert_false(told(1, "connection") || told(1, "transfer-encoding"));
	assert_int_equal(wire_get(w, 3, "/none"), 404);
	assert_true(told(3, "content-type: application/problem+json\n"));
	assert_int_equal(wire_get(w, 5, "/body"), 405);
	assert_true(told(5, "allow: POST\n"));
	assert_int_equal(wire_get(w, 7, "/now?a=1"), 400);
	assert_int_equal(wire_get(w, 9, "/work"), 200);
	assert_int_equal(wire_get(w, 11, "/metrics"), 200);
	site_logged(site, "\"path\":\"/echo/a%2Fb/c\"", 1);
}

static void
a_hundred_streams_are_answered_at_once(void **state)
{
	(void)state;
	enum { ROUNDS = 5, MANY = 100 };
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t first = 1 + round * MANY * 2;
		for (uint32_t i = 0; i < MANY; i++)
			wire_ask(w, first + i * 2, "GET", i % 4 ? "/now" : "/echo/1/2", NULL, true);
		for (uint32_t i = 0; i < MANY; i++)
			assert_int_equal(wire_until(w, first + i * 2)->status, 200);
	}
	assert_int_equal(w->goaway, -1);
}

static void
bodies_go_both_ways(void **state)
{
	(void)state;
	enum { SIZE = 65536 };
	char *body = tf_malloc(SIZE);
	for (int i = 0; i < SIZE; i++)
		body[i] = (char)('a' + i % 23);
	wire_ask(w, 1, "POST", "/body", "content-length: 65536\n", false);
	wire_ask(w, 3, "POST", "/body", NULL, false); /* without a length, its pieces between the other's */
	for (int i = 0; i < SIZE; i += 8192) {
		wire_data(w, 1, tf_str_n(body + i, 8192), i == SIZE - 8192);
		wire_data(w, 3, tf_str_n(body + i, 4096), i == SIZE - 8192);
	}
	wire_ask(w, 5, "POST", "/body", "content-length: 0\n", true);
	assert_int_equal(wire_until(w, 1)->status, 200);
	assert_int_equal(wire_until(w, 3)->status, 200);
	assert_int_equal(wire_until(w, 5)->status, 200);
	assert_true(tf_str_eq(tf_buf_view(&wire_stream(w, 1)->body), tf_str_n(body, SIZE)));
	assert_int_equal(wire_stream(w, 3)->body.n, SIZE / 2);
	assert_int_equal(wire_stream(w, 5)->body.n, 0);
	tf_free(body);
	assert_int_equal(wire_get(w, 7, "/big?n=4"), 200);
	assert_int_equal(wire_stream(w, 7)->body.n, 4 << 20);
}

/* What follows a body may be trailers; they end it. */
static void
trailers_end_a_body(void **state)
{
	(void)state;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	wire_field(&b, "x-sum", TF_STR("1"));
	wire_ask(w, 1, "POST", "/body", NULL, false);
	wire_data(w, 1, TF_STR("abc"), false);
	wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, b.p, b.n);
	assert_int_equal(wire_until(w, 1)->status, 200);
	assert_true(wire_body_is(w, 1, "abc"));
	tf_buf_release(&b);
}

static void
what_has_no_body_ends_with_its_head(void **state)
{
	(void)state;
	static const char *const paths[] = {"/now", "/status?code=200", "/metrics"};
	uint32_t id = 1;
	for (size_t i = 0; i < 3; i++, id += 2) {
		wire_ask(w, id, "HEAD", paths[i], NULL, true);
		assert_int_equal(wire_until(w, id)->status, 200);
		assert_true(wire_stream(w, id)->ended && !wire_stream(w, id)->datas);
	}
	assert_true(told(1, "content-length: 3\n"));
	static const char *const bodyless[] = {"/status?code=204", "/status?code=304"};
	for (size_t i = 0; i < 2; i++, id += 2) {
		assert_int_equal(wire_get(w, id, bodyless[i]), i ? 304 : 204);
		assert_int_equal(wire_stream(w, id)->datas, 0);
	}
	assert_int_equal(wire_get(w, id, "/status?code=200"), 200);
	assert_true(wire_body_is(w, id, "stream"));
	assert_false(told(id, "content-length"));
}

static void
a_stream_is_sent_as_it_is_written(void **state)
{
	(void)state;
	wire_ask(w, 1, "GET", "/drip", NULL, true);
	wire_ask(w, 3, "GET", "/drip", NULL, true);
	while (wire_stream(w, 1)->body.n < 3 || wire_stream(w, 3)->body.n < 3)
		assert_true(wire_hear(w));
	assert_true(told(1, "content-type: text/event-stream\n") && !wire_stream(w, 1)->ended);
	assert_true(wire_body_is(w, 3, "one"));
	assert_int_equal(wire_get(w, 5, "/now"), 200);
	site_release(site, 2);
	wire_until(w, 3);
	wire_until(w, 1);
	assert_true(wire_body_is(w, 1, "onetwo") && wire_body_is(w, 3, "onetwo"));
}

static void
a_broken_answer_resets_its_stream_alone(void **state)
{
	(void)state;
	wire_ask(w, 1, "GET", "/broken", NULL, true);
	assert_int_equal(wire_until(w, 1)->reset, NGHTTP2_INTERNAL_ERROR);
	wire_ask(w, 3, "GET", "/headers", NULL, true);
	assert_int_equal(wire_until(w, 3)->reset, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(wire_get(w, 5, "/now"), 200);
	site_logged(site, "\"aborted\":true", 2);
}

static void
a_body_too_large_is_answered_and_not_awaited(void **state)
{
	(void)state;
	static char bytes[65537];
	wire_ask(w, 1, "POST", "/body", "content-length: 65537\n", false);
	assert_int_equal(wire_until(w, 1)->status, 413);
	wire_ask(w, 3, "POST", "/body", NULL, false);
	wire_data(w, 3, tf_str_n(bytes, sizeof bytes), false);
	assert_int_equal(wire_until(w, 3)->status, 413);
	wire_ask(w, 5, "GET", "/now", NULL, false);
	wire_data(w, 5, TF_STR("x"), false);
	assert_int_equal(wire_until(w, 5)->status, 413);
	wire_data(w, 3, tf_str_n(bytes, sizeof bytes), true);
	wire_settle(w);
	assert_int_equal(wire_get(w, 7, "/now"), 200);
	for (uint32_t id = 1; id < 7; id += 2)
		assert_int_equal(wire_stream(w, id)->reset, -1);
	while (wire_stream(w, 1)->reset < 0) /* in the end it is told so */
		assert_true(wire_hear(w));
	assert_int_equal(wire_stream(w, 1)->reset, NGHTTP2_NO_ERROR);
	assert_int_equal(wire_stream(w, 3)->reset, -1);
	assert_int_equal(wire_stream(w, 5)->reset, NGHTTP2_NO_ERROR);
}

static void
a_client_is_told_to_continue(void **state)
{
	(void)state;
	wire_ask(w, 1, "POST", "/body", "content-length: 3\nexpect: 100-continue\n", false);
	while (!wire_stream(w, 1)->heads)
		assert_true(wire_hear(w));
	assert_int_equal(wire_stream(w, 1)->status, 100);
	wire_data(w, 1, TF_STR("abc"), true);
	assert_int_equal(wire_until(w, 1)->status, 200);
	assert_true(wire_body_is(w, 1, "abc"));
	wire_ask(w, 3, "POST", "/body", "content-length: 70000\nexpect: 100-continue\n", false);
	assert_int_equal(wire_until(w, 3)->status, 413);
	assert_int_equal(wire_stream(w, 3)->heads, 1);
}

/* Heads that are malformed: reset (RFC 9113, 8.1.1) or refused. The connection goes on. */
static void
malformed_requests_reach_no_handler(void **state)
{
	(void)state;
	static const struct {
		const char *fields;
		int status, reset;
	} rows[] = {
		{"X-Upper: a\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"bad name: a\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"x: a\rb\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"x: a\x7f\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"connection: keep-alive\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"transfer-encoding: chunked\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"upgrade: h2c\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"te: gzip\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"te: trailers\n", 200, -1},
		{":path: /now\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"x: y\n:scheme: https\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{":status: 200\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"content-length: 1\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"content-length: 0\ncontent-length: 0\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"content-length: +0\n", 0, NGHTTP2_PROTOCOL_ERROR},
		{"host: h\n", 200, -1},
		{"host: other\n", 400, -1},
		{"expect: tea\n", 417, -1},
	};
	uint32_t id = 1;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, id += 2) {
		wire_ask(w, id, "GET", "/now", rows[i].fields, true);
		struct wire_stream *s = wire_until(w, id);
		if (s->status != rows[i].status || s->reset != rows[i].reset)
			print_message("%s: %d %d\n", rows[i].fields, s->status, s->reset);
		assert_int_equal(s->status, rows[i].status);
		assert_int_equal(s->reset, rows[i].reset);
	}
	static const char *const paths[] = {"now", "http://h/now", "/n ow", "/now#x", "/no%zz", "*"};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++, id += 2) {
		wire_ask(w, id, "GET", paths[i], NULL, true);
		struct wire_stream *s = wire_until(w, id);
		assert_true(s->reset == NGHTTP2_PROTOCOL_ERROR || s->status == 400);
	}
	wire_ask(w, id, "GET", "/now", NULL, true);
	assert_int_equal(wire_until(w, id)->status, 200);
	site_await(site, &site->handled, 3);
	assert_int_equal(site->handled, 3);
}

static void
a_body_that_is_not_its_content_length_reaches_no_handler(void **state)
{
	(void)state;
	wire_ask(w, 1, "POST", "/body", "content-length: 4\n", false);
	wire_data(w, 1, TF_STR("abc"), true);
	assert_int_equal(wire_until(w, 1)->reset, NGHTTP2_PROTOCOL_ERROR);
	wire_ask(w, 3, "POST", "/body", "content-length: 2\n", false);
	wire_data(w, 3, TF_STR("abc"), true);
	assert_int_equal(wire_until(w, 3)->reset, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(site->handled, 0);
	assert_int_equal(wire_get(w, 5, "/now"), 200);
}

static void
a_stream_number_that_was_skipped_is_closed(void **state)
{
	(void)state;
	assert_int_equal(wire_get(w, 1, "/now"), 200);
	assert_int_equal(wire_get(w, 7, "/now"), 200);
	assert_int_equal(wire_get(w, 9, "/now"), 200);
	assert_int_equal(w->goaway, -1);
	wire_ask(w, 3, "GET", "/now", NULL, true);
	wire_end(w);
	assert_int_equal(w->goaway, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(site->handled, 3);
}

/* The client is silent until its answer's commit: in `after` nothing may lie before it. */
static void
no_answer_is_sent_before_its_commit(void **state)
{
	(void)state;
	wire_settle(w);
	assert_int_equal(wire_get(w, 1, "/now"), 200);
	pthread_mutex_lock(&site->lock);
	site->sealed = w->tcp.fd;
	pthread_mutex_unlock(&site->lock);
	for (uint32_t i = 1; i < 20; i++) {
		wire_ask(w, 1 + i * 2, "GET", "/now", NULL, true);
		wire_send(w);
		site_await(site, &site->committed, i + 1);
		assert_int_equal(wire_until(w, 1 + i * 2)->status, 200);
	}
	assert_int_equal(site->early, 0);
}

static void
a_revoked_certificate_is_told_on_each_stream(void **state)
{
	(void)state;
	X509 *revoked[] = {wire_pki.partner.x};
	assert_int_equal(wire_get(w, 1, "/now"), 200);
	pki_write_crl(wire_pki.crl, &wire_pki.root, revoked, 1, WIRE_DAY);
	tf_server_reload(site->server);
	site_logged(site, "tls.reloaded", 1);
	for (uint32_t id = 3; id < 9; id += 2)
		assert_int_equal(wire_get(w, id, "/now"), 401);
	assert_int_equal(site->handled, 1);
}

static void
a_stream_that_is_cancelled_ends_its_exchange(void **state)
{
	(void)state;
	wire_ask(w, 1, "GET", "/held", NULL, true);
	wire_ask(w, 3, "GET", "/held", NULL, true);
	wire_ask(w, 5, "POST", "/body", NULL, false);
	wire_send(w);
	site_await(site, &site->held_count, 2);
	wire_reset(w, 1);
	wire_reset(w, 5);
	wire_settle(w);
	site_release(site, 2);
	assert_int_equal(wire_until(w, 3)->status, 200);
	site_logged(site, "\"aborted\":true", 1);
	assert_int_equal(site->gone, 1);
}

static void
a_client_that_goes_away_ends_all_its_streams(void **state)
{
	(void)state;
	w->keep_window = true;
	wire_ask(w, 1, "GET", "/held", NULL, true);
	wire_ask(w, 3, "GET", "/big?n=64", NULL, true);
	wire_ask(w, 5, "GET", "/big?n=64", NULL, true);
	wire_ask(w, 7, "POST", "/body", NULL, false);
	wire_send(w);
	site_await(site, &site->held_count, 1);
	client_reset(&w->tcp);
	w->closed = true;
	w->tcp = client_new();
	site_await(site, &site->work_ended, 2);
	site_release(site, 1);
	site_await(site, &site->gone, 1);
	site_logged(site, "\"aborted\":true", 3);
	assert_true(site->written < 64u << 20);
}

/* What a client sent before it could know of the drain is answered; then no stream begins. */
static void
a_drain_fails_no_request(void **state)
{
	(void)state;
	w->keep_ping = true;
	wire_ask(w, 1, "GET", "/held", NULL, true);
	wire_send(w);
	site_await(site, &site->held_count, 1);
	tf_server_stop(site->server);
	while (!w->pings)
		assert_true(wire_hear(w));
	assert_int_equal(w->goaways, 1);
	assert_int_equal(w->goaway, NGHTTP2_NO_ERROR);
	assert_int_equal(w->goaway_last, 0x7fffffff);
	assert_int_equal(wire_get(w, 3, "/now"), 200);
	wire_ask(w, 5, "GET", "/work", NULL, true);
	wire_frame(w, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(wire_until(w, 5)->status, 200);
	while (w->goaways < 2)
		assert_true(wire_hear(w));
	assert_int_equal(w->goaway_last, 5);
	wire_ask(w, 7, "GET", "/now", NULL, true);
	site_release(site, 1);
	assert_int_equal(wire_until(w, 1)->status, 200);
	wire_end(w);
	assert_int_equal(wire_stream(w, 7)->status, 0);
	assert_int_equal(site->handled, 1);
	site_await(site, &site->ended, 1);
}

static void
http_1_is_spoken_where_it_is_asked_for(void **state)
{
	(void)state;
	struct wire *old = wire_dial(site, &wire_pki.partner, "http/1.1");
	char answer[32] = "";
	static const char request[] = "GET /now HTTP/1.1\r\nHost: h\r\n\r\n";
	assert_false(old->closed);
	assert_int_equal(SSL_write(old->ssl, request, sizeof request - 1), sizeof request - 1);
	assert_true(SSL_read(old->ssl, answer, sizeof answer - 1) > 15);
	assert_memory_equal(answer, "HTTP/1.1 200 OK", 15);
	wire_close(&old);
	struct wire *other = wire_dial(site, &wire_pki.partner, "spdy/3");
	assert_true(other->closed);
	wire_close(&other);
}

static void
http_2_is_not_spoken_unless_offered(void **state)
{
	(void)state;
	struct tf_tls_options o = {.certificate = wire_pki.certificate, .key = wire_pki.key};
	struct tf_tls *without;
	OK(tf_tls_new(tf_os_real(), &o, &without, NULL));
	struct site *s = site_start((struct tf_server_options){.tls = without});
	struct wire *refused = wire_dial(s, NULL, "h2");
	assert_true(refused->closed);
	wire_close(&refused);
	site_end(&s);
	tf_tls_free(&without);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_told_and_answered_as_over_http_1),
		TEST(a_hundred_streams_are_answered_at_once),
		TEST(bodies_go_both_ways),
		TEST(trailers_end_a_body),
		TEST(what_has_no_body_ends_with_its_head),
		TEST(a_stream_is_sent_as_it_is_written),
		TEST(a_broken_answer_resets_its_stream_alone),
		TEST(a_body_too_large_is_answered_and_not_awaited),
		TEST(a_client_is_told_to_continue),
		TEST(malformed_requests_reach_no_handler),
		TEST(a_body_that_is_not_its_content_length_reaches_no_handler),
		TEST(a_stream_number_that_was_skipped_is_closed),
		TEST(no_answer_is_sent_before_its_commit),
		TEST(a_revoked_certificate_is_told_on_each_stream),
		TEST(a_stream_that_is_cancelled_ends_its_exchange),
		TEST(a_client_that_goes_away_ends_all_its_streams),
		TEST(a_drain_fails_no_request),
		TEST(http_1_is_spoken_where_it_is_asked_for),
		TEST(http_2_is_not_spoken_unless_offered),
	};
	return cmocka_run_group_tests(tests, wire_pki_make, wire_pki_drop);
}
