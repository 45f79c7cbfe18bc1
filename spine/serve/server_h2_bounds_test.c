/* HTTP/2's bounds: how many streams, how long a head, how often a client may do what costs only the server; and time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "h2.h"
#include "h2_wire_test.h"

static struct tf_tls *tls;
static struct site *site;
static struct wire *w;

static int
setup(void **state)
{
	(void)state;
	tls = wire_tls();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tf_tls_free(&tls);
	return 0;
}

static void
begin(struct tf_server_options o)
{
	o.tls = tls;
	site = site_start(o);
	w = wire_dial(site, &wire_pki.partner, "h2");
}

static void
end(void)
{
	wire_close(&w);
	site_end(&site);
}

/* Goes on until the server ends the connection and says why. */
static void
calmed(const char *why)
{
	wire_end(w);
	assert_int_equal(w->goaway, NGHTTP2_ENHANCE_YOUR_CALM);
	site_logged(site, why, 1);
	end();
}

static void
reset(uint32_t id)
{
	wire_ask(w, id, "GET", "/work", NULL, true);
	wire_reset(w, id);
}

static void
rapid_resets_end_the_connection(void **state)
{
	(void)state;
	begin((struct tf_server_options){0});
	for (uint32_t i = 0; i < 1000; i++)
		reset(1 + i * 2);
	wire_send(w);
	calmed("too many streams were reset");
}

/* Streams that the server has to reset are the client's doing. */
static void
made_resets_end_the_connection_too(void **state)
{
	(void)state;
	begin((struct tf_server_options){0});
	for (uint32_t i = 0; i < 1000; i++)
		wire_ask(w, 1 + i * 2, "GET", "/work", "connection: close\n", true);
	wire_send(w);
	calmed("too many streams were reset");
}

static void
a_client_may_cancel_what_it_began(void **state)
{
	(void)state;
	begin((struct tf_server_options){0});
	for (uint32_t i = 0; i < TF_H2_STREAMS; i++)
		reset(1 + i * 2);
	assert_int_equal(wire_get(w, 1 + TF_H2_STREAMS * 2, "/now"), 200);
	assert_int_equal(w->goaway, -1);
	end();
}

/* A reset frees the client's stream, not the worker that has it. */
static void
reset_streams_count_while_their_handlers_run(void **state)
{
	(void)state;
	uint32_t id = 1;
	begin((struct tf_server_options){.queue_max = 200});
	for (uint32_t i = 0; i < TF_H2_STREAMS; i++, id += 2)
		wire_ask(w, id, "GET", "/wait", NULL, true);
	wire_settle(w);
	for (uint32_t i = 0; i < TF_H2_STREAMS; i++)
		wire_reset(w, 1 + i * 2);
	wire_settle(w);
	wire_ask(w, id, "GET", "/now", NULL, true);
	assert_int_equal(wire_until(w, id)->reset, NGHTTP2_REFUSED_STREAM);
	site_release(site, TF_H2_STREAMS);
	site_logged(site, "\"aborted\":true", TF_H2_STREAMS);
	id += 2;
	while (wire_get(w, id, "/now") != 200) /* the last is over once its line is written */
		id += 2;
	end();
}

static void
more_streams_than_the_server_has_are_refused(void **state)
{
	(void)state;
	begin((struct tf_server_options){.streams_max = 2});
	wire_ask(w, 1, "GET", "/held", NULL, true);
	wire_ask(w, 3, "GET", "/held", NULL, true);
	wire_ask(w, 5, "GET", "/now", NULL, true);
	assert_int_equal(wire_until(w, 5)->reset, NGHTTP2_REFUSED_STREAM);
	site_release(site, 2);
	assert_int_equal(wire_until(w, 1)->status, 200);
	assert_int_equal(wire_until(w, 3)->status, 200);
	assert_int_equal(wire_get(w, 7, "/now"), 200);
	end();
}

/* When all connections are taken the oldest that has asked for nothing gives way: not one that has. */
static void
a_connection_with_a_stream_does_not_give_way(void **state)
{
	(void)state;
	begin((struct tf_server_options){.connections_max = 2});
	wire_ask(w, 1, "GET", "/held", NULL, true);
	wire_settle(w);
	struct wire *silent = wire_dial(site, &wire_pki.partner, "h2"),
		    *third = wire_dial(site, &wire_pki.partner, "h2");
	assert_int_equal(wire_get(third, 1, "/now"), 200);
	wire_end(silent);
	site_release(site, 1);
	assert_int_equal(wire_until(w, 1)->status, 200);
	wire_close(&silent);
	wire_close(&third);
	end();
}

static void
streams_past_what_was_told_end_the_connection(void **state)
{
	(void)state;
	begin((struct tf_server_options){.queue_max = 200});
	wire_settle(w); /* SETTINGS were acknowledged */
	for (uint32_t i = 0; i <= TF_H2_STREAMS; i++)
		wire_ask(w, 1 + i * 2, "GET", "/wait", NULL, true);
	wire_end(w);
	assert_int_equal(w->goaway, NGHTTP2_PROTOCOL_ERROR);
	site_release(site, TF_H2_STREAMS);
	end();
}

static void
floods_of_control_frames_end_the_connection(void **state)
{
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		begin((struct tf_server_options){0});
		wire_ask(w, 1, "POST", "/held", NULL, false);
		for (unsigned i = 0; i < 2 * TF_H2_CONTROLS; i++) {
			if (kind == 0)
				wire_frame(w, NGHTTP2_PING, 0, 0, "flooding", 8);
			else if (kind == 1)
				wire_frame(w, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
			else if (kind == 2)
				wire_frame(w, NGHTTP2_DATA, 0, 1, NULL, 0);
			else
				wire_frame(w, NGHTTP2_PRIORITY, 0, 3, "\0\0\0\0\x10", 5);
			if (i % 50 == 0)
				wire_send(w);
		}
		wire_send(w);
		wire_end(w);
		assert_int_equal(w->goaway, NGHTTP2_ENHANCE_YOUR_CALM);
		end();
	}
}

static void
a_header_list_past_its_bound_is_refused(void **state)
{
	(void)state;
	enum { LONG = 12000 };
	static char value[LONG + 1], more[LONG + 8], many[2048], path[9001] = "/";
	memset(value, 'v', LONG);
	begin((struct tf_server_options){0});
	snprintf(more, sizeof more, "a: %s\n", value);
	wire_ask(w, 1, "GET", "/now", more, true);
	assert_int_equal(wire_until(w, 1)->status, 200);
	struct tf_buf b; /* two frames, together over 16 KiB */
	tf_buf_init(&b, 0);
	wire_field(&b, ":method", TF_STR("GET"));
	wire_field(&b, ":scheme", TF_STR("https"));
	wire_field(&b, ":path", TF_STR("/now"));
	wire_field(&b, ":authority", TF_STR("h"));
	wire_field(&b, "a", tf_str_n(value, 9000));
	wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 3, b.p, b.n);
	tf_buf_reset(&b);
	wire_field(&b, "b", tf_str_n(value, 9000));
	wire_frame(w, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 3, b.p, b.n);
	tf_buf_release(&b);
	assert_int_equal(wire_until(w, 3)->status, 431);
	for (int i = 0; i < 64; i++)
		memcpy(many + i * 5, "x: y\n", 5);
	wire_ask(w, 5, "GET", "/now", many, true);
	assert_int_equal(wire_until(w, 5)->status, 431);
	memset(path + 1, 'p', 8999);
	wire_ask(w, 7, "GET", path, NULL, true);
	assert_int_equal(wire_until(w, 7)->status, 414);
	assert_int_equal(wire_get(w, 9, "/now"), 200);
	end();
}

/* Many times the same long field: little on the wire, much in memory. */
static void
a_header_list_without_end_ends_the_connection(void **state)
{
	(void)state;
	static char value[4000];
	struct tf_buf b;
	memset(value, 'v', sizeof value);
	begin((struct tf_server_options){0});
	tf_buf_init(&b, 0);
	tf_buf_u8(&b, 0x40); /* a field to be remembered; then its place in the table */
	tf_buf_u8(&b, 1);
	tf_buf_cstr(&b, "x");
	tf_buf_u8(&b, 127);
	tf_buf_varint(&b, sizeof value - 127);
	tf_buf_put(&b, value, sizeof value);
	for (int i = 0; i < 1000; i++)
		tf_buf_u8(&b, 0x80 | 62);
	wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, b.p, b.n);
	tf_buf_release(&b);
	calmed("a header list is too long");
}

static void
a_flood_of_continuations_ends_the_connection(void **state)
{
	(void)state;
	begin((struct tf_server_options){0});
	wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, NULL, 0);
	for (int i = 0; i < 100; i++)
		wire_frame(w, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
	wire_end(w);
	assert_int_equal(site->handled, 0);
	end();
}

static void
bodies_past_their_bound_are_told_to_try_again(void **state)
{
	(void)state;
	begin((struct tf_server_options){.bodies_max = 100000});
	wire_ask(w, 1, "POST", "/held", "content-length: 90000\n", false);
	wire_ask(w, 3, "POST", "/body", "content-length: 20000\n", false);
	assert_int_equal(wire_until(w, 3)->status, 429);
	assert_non_null(strstr(wire_stream(w, 3)->fields, "retry-after: 1\n"));
	wire_ask(w, 5, "POST", "/held", NULL, false);
	static char bytes[20000];
	wire_data(w, 5, tf_str_n(bytes, sizeof bytes), false);
	assert_int_equal(wire_until(w, 5)->status, 429);
	wire_reset(w, 1);
	wire_settle(w);
	wire_ask(w, 7, "POST", "/body", "content-length: 20000\n", false);
	wire_data(w, 7, tf_str_n(bytes, sizeof bytes), true);
	assert_int_equal(wire_until(w, 7)->status, 200);
	end();
}

static void
a_client_that_takes_nothing_holds_up_its_worker_and_is_given_up(void **state)
{
	(void)state;
	begin((struct tf_server_options){.send_timeout = TF_SEC / 2});
	w->keep_window = true;
	wire_ask(w, 1, "GET", "/big?n=64", NULL, true);
	assert_int_equal(wire_until(w, 1)->reset, NGHTTP2_CANCEL);
	site_await(site, &site->work_ended, 1);
	assert_true(site->written < 2u << 20);
	assert_int_equal(wire_get(w, 3, "/now"), 200); /* the connection's window is used up: no more than the head */
	assert_int_equal(wire_stream(w, 3)->reset, NGHTTP2_CANCEL);
	end();
}

static void
a_slow_body_times_out(void **state)
{
	(void)state;
	begin((struct tf_server_options){.body_timeout = TF_SEC / 2});
	wire_ask(w, 1, "POST", "/body", "content-length: 3\n", false);
	wire_data(w, 1, TF_STR("a"), false);
	assert_int_equal(wire_until(w, 1)->status, 408);
	assert_int_equal(wire_get(w, 3, "/now"), 200);
	end();
}

static void
a_slow_header_block_ends_the_connection(void **state)
{
	(void)state;
	begin((struct tf_server_options){.head_timeout = TF_SEC / 2});
	wire_settle(w);
	wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, NULL, 0);
	wire_end(w);
	end();
	begin((struct tf_server_options){.head_timeout = TF_SEC / 2});
	tf_buf_reset(&w->out); /* not even a preface */
	while (!w->closed && SSL_read(w->ssl, tf_buf_room(&w->in, 1000), 1000) > 0)
		;
	w->closed = true;
	end();
}

static void
an_idle_connection_is_told_to_go(void **state)
{
	(void)state;
	begin((struct tf_server_options){.idle_timeout = TF_SEC / 2});
	assert_int_equal(wire_get(w, 1, "/now"), 200);
	wire_end(w);
	assert_int_equal(w->goaway, NGHTTP2_NO_ERROR);
	assert_int_equal(w->goaway_last, 1);
	end();
}

static void
a_drain_ends_without_the_clients_help(void **state)
{
	(void)state;
	begin((struct tf_server_options){0});
	w->keep_ping = true;
	assert_int_equal(wire_get(w, 1, "/now"), 200);
	tf_server_stop(site->server);
	wire_end(w);
	assert_int_equal(w->goaways, 2);
	end();
}

static void
bytes_that_are_no_http_2_end_the_connection(void **state)
{
	(void)state;
	begin((struct tf_server_options){0});
	tf_buf_reset(&w->out);
	tf_buf_cstr(&w->out, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	wire_end(w);
	end();
}

/* The n-th allocation fails while requests are answered: one stream or one connection is lost, no more. */
static void
a_failed_allocation_costs_a_connection_at_most(void **state)
{
	(void)state;
	bool failed = true;
	struct wire *other;
	begin((struct tf_server_options){0});
	for (uint64_t n = 1; failed; n++) {
		other = wire_dial(site, &wire_pki.partner, "h2");
		wire_settle(other);
		wire_ask(other, 1, "POST", "/body", NULL, false);
		wire_data(other, 1, TF_STR("abc"), true);
		wire_ask(other, 3, "GET", "/work", NULL, true);
		tf_mem_fail_at(n);
		wire_send(other);
		struct wire_stream *a = wire_stream(other, 1), *b = wire_stream(other, 3);
		while ((!a->ended && a->reset < 0) || (!b->ended && b->reset < 0))
			if (!wire_hear(other))
				break;
		failed = tf_mem_fail_at(0) >= n;
		assert_true(failed || (a->status == 200 && b->status == 200));
		assert_true(n < 1000);
		wire_close(&other);
		assert_int_equal(wire_get(w, (uint32_t)n * 2 - 1, "/work"), 200);
	}
	end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rapid_resets_end_the_connection),
		TEST(made_resets_end_the_connection_too),
		TEST(a_client_may_cancel_what_it_began),
		TEST(reset_streams_count_while_their_handlers_run),
		TEST(more_streams_than_the_server_has_are_refused),
		TEST(a_connection_with_a_stream_does_not_give_way),
		TEST(streams_past_what_was_told_end_the_connection),
		TEST(floods_of_control_frames_end_the_connection),
		TEST(a_header_list_past_its_bound_is_refused),
		TEST(a_header_list_without_end_ends_the_connection),
		TEST(a_flood_of_continuations_ends_the_connection),
		TEST(bodies_past_their_bound_are_told_to_try_again),
		TEST(a_client_that_takes_nothing_holds_up_its_worker_and_is_given_up),
		TEST(a_slow_body_times_out),
		TEST(a_slow_header_block_ends_the_connection),
		TEST(an_idle_connection_is_told_to_go),
		TEST(a_drain_ends_without_the_clients_help),
		TEST(bytes_that_are_no_http_2_end_the_connection),
		TEST(a_failed_allocation_costs_a_connection_at_most),
	};
	return cmocka_run_group_tests(tests, wire_pki_make, wire_pki_drop);
}
