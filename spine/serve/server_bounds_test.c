/* The server's bounds in number and time, each reached and answered with the status that server.h names, and its end.
 * Limits of time are a tenth of a second here; nothing waits but for what the server does. */
#include "site_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHORT (TF_SEC / 10)

static struct site *site;
static char zeros[60000];

static void
start(struct tf_server_options limits, struct client *c)
{
	site = site_start(limits);
	*c = site_dial(site);
}

static void
end(struct client *c)
{
	client_close(c);
	site_end(&site);
}

/* Hears a refusal behind which the connection is closed. */
static void
refused(struct client *c, int status)
{
	client_hear(c, false);
	assert_int_equal(c->status, status);
	assert_string_equal(client_header(c, "Connection"), "close");
	client_ended(c);
}

static void
say_body(struct client *c, const char *head)
{
	client_say(c, head);
	client_send(c, tf_str_n(zeros, sizeof zeros));
}

#define POST_LENGTH(path)  "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
#define POST_CHUNKED(path) "POST " path " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n"

static void
bodies_past_their_bound_are_told_to_try_again(void **state)
{
	(void)state;
	struct client c, d, e, f;
	start((struct tf_server_options){.bodies_max = 100000}, &c);
	say_body(&c, POST_LENGTH("/held"));
	site_await(site, &site->held_count, 1);
	d = site_dial(site);
	client_say(&d, POST_LENGTH("/body")); /* its body need not come */
	client_hear(&d, false);
	assert_int_equal(d.status, 429);
	assert_string_equal(client_header(&d, "Retry-After"), "1");
	assert_non_null(strstr(client_text(&d), "\"code\":\"OVERLOAD\""));
	client_ended(&d);
	client_close(&d);
	e = site_dial(site);
	say_body(&e, POST_CHUNKED("/body"));
	refused(&e, 429);
	client_close(&e);
	f = site_dial(site);
	client_say(&f, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	client_hear(&f, false);
	assert_int_equal(f.status, 200);
	site_release(site, 1);
	client_hear(&c, false);
	assert_int_equal(c.status, 200);
	say_body(&f, POST_LENGTH("/body"));
	client_hear(&f, false);
	assert_int_equal(f.body.n, sizeof zeros);
	assert_int_equal(client_get(&f, "/metrics"), 200);
	assert_non_null(strstr(client_text(&f), "tenfold_http_bodies_bytes 0\n"));
	assert_non_null(strstr(client_text(&f), "tenfold_http_overload_total 2\n"));
	client_close(&f);
	end(&c);
}

static void
exchanges_past_the_workers_queue_are_told_to_try_again(void **state)
{
	(void)state;
	struct client c, d, e;
	start((struct tf_server_options){.workers = 1, .queue_max = 1}, &c);
	d = site_dial(site);
	e = site_dial(site);
	client_say(&c, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	site_await(site, &site->working, 1);
	client_say(&d, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(client_get(&e, "/now"), 200); /* by then d's waits */
	assert_int_equal(client_get(&e, "/work"), 503);
	assert_string_equal(client_header(&e, "Retry-After"), "1");
	assert_non_null(strstr(client_text(&e), "\"code\":\"BUSY\""));
	site_release(site, 2);
	client_hear(&c, false);
	client_hear(&d, false);
	assert_string_equal(client_text(&d), "waited");
	assert_int_equal(client_get(&e, "/work"), 200);
	client_close(&d);
	client_close(&e);
	end(&c);
}

static void
one_connection_more_than_fit_waits(void **state)
{
	(void)state;
	struct client c, d, e;
	char byte;
	start((struct tf_server_options){.connections_max = 2}, &c);
	assert_int_equal(client_get(&c, "/now"), 200);
	d = site_dial(site);
	assert_int_equal(client_get(&d, "/now"), 200);
	e = site_dial(site);
	client_say(&e, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
	for (int i = 0; i < 5; i++)
		assert_int_equal(client_get(&c, "/work"), 200);
	assert_int_equal(recv(e.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	client_close(&d);
	client_hear(&e, false);
	assert_int_equal(e.status, 200);
	client_close(&e);
	end(&c);
}

/* From another of this machine's addresses: 127.0.a.b. */
static struct client
dial_from(unsigned a, unsigned b)
{
	struct client c = client_new();
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 | a << 8 | b)};
	assert_int_equal(bind(c.fd, (struct sockaddr *)&from, sizeof from), 0);
	client_connect(&c, site);
	return c;
}

static void
a_peer_has_its_part_of_the_connections(void **state)
{
	(void)state;
	struct client c, d, e, other;
	start((struct tf_server_options){.peer_max = 2}, &c);
	assert_int_equal(client_get(&c, "/now"), 200);
	d = site_dial(site);
	assert_int_equal(client_get(&d, "/now"), 200);
	for (int i = 0; i < 3; i++) {
		e = site_dial(site);
		client_ended(&e);
		client_close(&e);
	}
	other = dial_from(0, 2);
	assert_int_equal(client_get(&other, "/metrics"), 200);
	assert_non_null(strstr(client_text(&other), "tenfold_http_turned_away_total{bound=\"peer\"} 3\n"));
	site_logged(site, "\"event\":\"http.turned_away\"", 1);
	client_close(&other);
	client_close(&d);
	do /* until the server has seen d's end */
		assert_int_equal(client_get(&c, "/metrics"), 200);
	while (!strstr(client_text(&c), "tenfold_http_connections 1\n"));
	e = site_dial(site);
	assert_int_equal(client_get(&e, "/now"), 200);
	client_close(&e);
	end(&c);
}

static void
a_terminator_may_have_all_connections(void **state)
{
	(void)state;
	struct client c, d;
	start((struct tf_server_options){.peer_max = 1, .terminators = "127.0.0.9,127.0.0.1"}, &c);
	assert_int_equal(client_get(&c, "/now"), 200);
	d = site_dial(site);
	assert_int_equal(client_get(&d, "/now"), 200);
	client_close(&d);
	end(&c);
}

/* Many more addresses than there may be connections: who is there stays counted. */
static void
peers_that_left_are_forgotten_and_those_that_are_there_not(void **state)
{
	(void)state;
	struct client c, d;
	start((struct tf_server_options){.connections_max = 4, .peer_max = 1}, &c);
	assert_int_equal(client_get(&c, "/now"), 200);
	for (unsigned i = 1; i < 100; i++) {
		d = dial_from(1, i);
		assert_int_equal(client_get(&d, "/now"), 200);
		client_close(&d);
		d = site_dial(site);
		client_ended(&d);
		client_close(&d);
	}
	end(&c);
}

/* Who says nothing, or not all of a head, gives way to who comes when there is no room: the oldest first, and never one
 * that is answered or has been. */
static void
who_says_nothing_gives_way_when_all_connections_are_taken(void **state)
{
	(void)state;
	struct client answered, kept, silent, slow, next;
	start((struct tf_server_options){.connections_max = 4}, &answered);
	client_say(&answered, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
	site_await(site, &site->held_count, 1);
	silent = site_dial(site);
	slow = site_dial(site);
	client_say(&slow, "GET /now HTTP/1.1\r\n");
	kept = site_dial(site);
	assert_int_equal(client_get(&kept, "/now"), 200);
	for (int i = 0; i < 2; i++) { /* the silent one, then the slow one */
		next = site_dial(site);
		assert_int_equal(client_get(&next, "/now"), 200);
		client_ended(i ? &slow : &silent);
		client_close(i ? &slow : &silent);
		*(i ? &slow : &silent) = next;
	}
	next = site_dial(site); /* all have had a request: it waits */
	client_say(&next, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
	client_say(&kept, "GET /now"); /* the next one's head has begun */
	client_hear(&next, false);
	assert_int_equal(next.status, 200);
	client_ended(&kept);
	assert_int_equal(client_get(&next, "/metrics"), 200);
	assert_non_null(strstr(client_text(&next), "tenfold_http_turned_away_total{bound=\"room\"} 3\n"));
	site_release(site, 1);
	client_hear(&answered, false);
	assert_int_equal(answered.status, 200);
	client_close(&next);
	client_close(&kept);
	client_close(&silent);
	client_close(&slow);
	end(&answered);
}

static void
a_peer_of_ipv6_is_its_network(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.2", false},
		{"10.0.0.1", "10.0.0.2", false},
		{"10.0.0.1", "10.0.0.1", true},
		{"::1", "::2", true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tf_peer a = {0}, b = {0};
		char scratch[2][16];
		snprintf(a.host, sizeof a.host, "%s", rows[i].a);
		snprintf(b.host, sizeof b.host, "%s", rows[i].b);
		assert_int_equal(tf_str_eq(tf_peer_key(&a, scratch[0]), tf_peer_key(&b, scratch[1])), rows[i].same);
	}
}

/* Descriptors are out: the others are served, and the listener is asked again a few times a second, not at once. */
static void
a_failed_accept_is_tried_again_later(void **state)
{
	(void)state;
	struct client c, d = client_new();
	struct rlimit was, low;
	start((struct tf_server_options){0}, &c);
	assert_int_equal(client_get(&c, "/work"), 200);
	int lowest = dup(c.fd);
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &was);
	low = was;
	low.rlim_cur = (rlim_t)lowest;
	tf_dur begun = tf_os_ticks(tf_os_real());
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	client_connect(&d, site);
	site_logged(site, "http.accept_failed", 3);
	tf_dur took = tf_os_ticks(tf_os_real()) - begun;
	int status = client_get(&c, "/now");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(took > TF_SEC / 4);
	assert_int_equal(status, 200);
	assert_int_equal(client_get(&d, "/now"), 200);
	client_close(&d);
	end(&c);
}

static void
a_slow_head_times_out(void **state)
{
	(void)state;
	struct client c;
	start((struct tf_server_options){.head_timeout = SHORT}, &c);
	client_say(&c, "GET /now HTTP/1.1\r\nHo");
	refused(&c, 408);
	client_close(&c);
	c = site_dial(site);
	client_say(&c, "GET /now HTTP/1.1\r\nHost: a\r\n\r\nGET /now HT");
	client_hear(&c, false);
	assert_int_equal(c.status, 200);
	refused(&c, 408);
	end(&c);
}

static void
a_slow_body_times_out(void **state)
{
	(void)state;
	struct client c;
	start((struct tf_server_options){.body_timeout = SHORT}, &c);
	client_say(&c, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
	refused(&c, 408);
	client_close(&c);
	c = site_dial(site);
	client_say(&c, "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1");
	refused(&c, 408);
	end(&c);
}

static void
a_body_that_trickles_times_out(void **state)
{
	(void)state;
	struct client c;
	start((struct tf_server_options){.body_timeout = SHORT}, &c);
	client_say(&c, POST_LENGTH("/body"));
	struct pollfd p = {.fd = c.fd, .events = POLLIN};
	int sent = 0;
	while (poll(&p, 1, 20) == 0 && sent++ < 1000)
		client_say(&c, "x");
	refused(&c, 408);
	end(&c);
}

static void
an_idle_connection_is_closed_without_a_word(void **state)
{
	(void)state;
	struct client c;
	start((struct tf_server_options){.idle_timeout = SHORT, .head_timeout = SHORT / 2}, &c);
	client_ended(&c);
	client_close(&c);
	c = site_dial(site);
	assert_int_equal(client_get(&c, "/now"), 200);
	client_ended(&c);
	client_close(&c);
	c = site_dial(site);
	client_say(&c, "\r\n"); /* an empty line is no request */
	client_ended(&c);
	end(&c);
}

static void
a_client_that_takes_nothing_holds_up_its_worker_and_is_given_up(void **state)
{
	(void)state;
	struct client c;
	start((struct tf_server_options){.send_timeout = SHORT}, &c);
	client_say(&c, "GET /big?n=1024 HTTP/1.1\r\nHost: a\r\n\r\n");
	site_await(site, &site->work_ended, 1);
	site_logged(site, "\"aborted\":true", 1);
	assert_true(site->written < (uint64_t)64 << 20); /* what the kernel takes, and twice out_bytes */
	end(&c);
}

static void
is_refused(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(site->port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct client late = client_new();
	assert_int_equal(connect(late.fd, (struct sockaddr *)&to, sizeof to), -1);
	assert_int_equal(errno, ECONNREFUSED);
	client_close(&late);
}

static void
what_was_begun_is_finished_when_stopping(void **state)
{
	(void)state;
	struct client held, half, idle, working;
	start((struct tf_server_options){0}, &held);
	half = site_dial(site);
	idle = site_dial(site);
	working = site_dial(site);
	client_say(&held, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
	client_say(&working, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	client_say(&half, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
	site_await(site, &site->held_count, 1);
	site_await(site, &site->working, 1);
	assert_int_equal(client_get(&idle, "/readyz"), 200);
	tf_server_stop(site->server);
	client_ended(&idle);
	is_refused();
	client_say(&half, "bc");
	client_hear(&half, false);
	assert_string_equal(client_text(&half), "abc");
	assert_string_equal(client_header(&half, "Connection"), "close");
	client_ended(&half);
	site_release(site, 1);
	client_hear(&held, false);
	assert_string_equal(client_text(&held), "held");
	assert_string_equal(client_header(&held, "Connection"), "close");
	client_hear(&working, false);
	assert_string_equal(client_text(&working), "waited");
	client_close(&idle);
	client_close(&half);
	client_close(&working);
	end(&held);
}

static void
what_is_not_finished_in_time_is_dropped_when_stopping(void **state)
{
	(void)state;
	struct client held, slow, half;
	start((struct tf_server_options){.drain_timeout = SHORT}, &held);
	slow = site_dial(site);
	half = site_dial(site);
	client_say(&held, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
	client_say(&slow, "GET /big?n=1048576 HTTP/1.1\r\nHost: a\r\n\r\n");
	client_say(&half, "GET /now HT");
	site_await(site, &site->held_count, 1);
	uint8_t some[4096];
	assert_true(recv(slow.fd, some, sizeof some, 0) > 0);
	tf_server_stop(site->server);
	site_await(site, &site->ended, 1);
	client_close(&slow);
	client_close(&half);
	end(&held);
}

static void
a_port_in_use_is_said(void **state)
{
	(void)state;
	struct client c;
	struct tf_server *second = NULL;
	struct tf_fault f = {0};
	start((struct tf_server_options){0}, &c);
	static const struct tf_route none[] = {{0}};
	struct tf_server_options o = {.host = "127.0.0.1", .port = site->port, .routes = none};
	assert_int_equal(tf_server_new(tf_os_real(), &o, &second, &f), TF_BUSY);
	assert_null(second);
	assert_non_null(strstr(f.text, "cannot listen"));
	end(&c);
}

static void
a_server_without_memory_is_not_begun(void **state)
{
	(void)state;
	static const struct tf_route none[] = {{0}};
	struct tf_server_options o = {.host = "127.0.0.1", .routes = none};
	struct tf_server *s = NULL;
	enum tf_err e = TF_NO_MEMORY;
	for (uint64_t n = 1; e && n < 100; n++) {
		struct tf_fault f = {0};
		tf_mem_fail_at(n);
		e = tf_server_new(tf_os_real(), &o, &s, &f);
		tf_mem_fail_at(0);
		assert_true(e == TF_OK || (e == TF_NO_MEMORY && !s && f.text[0]));
	}
	assert_int_equal(e, TF_OK);
	tf_server_free(&s);
	assert_null(s);
	tf_server_free(&s);
}

/* Looks at one answer that begins at *at, and steps behind it; false where it was cut off. Its body must be whole. */
static bool
whole_answer(const char **at, const char *end, unsigned *out_ok)
{
	const char *head = *at, *body = memmem(head, (size_t)(end - head), "\r\n\r\n", 4);
	if (!body)
		return false;
	body += 4;
	const char *length = memmem(head, (size_t)(body - head), "Content-Length: ", 16);
	const char *last = length ? NULL : memmem(body, (size_t)(end - body), "\r\n0\r\n\r\n", 7);
	size_t n = length ? strtoul(length + 16, NULL, 10) : 0;
	if (length ? (size_t)(end - body) < n : !last)
		return false;
	*at = length ? body + n : last + 7;
	*out_ok += !strncmp(head, "HTTP/1.1 200", 12);
	if (memmem(head, (size_t)(body - head), "problem+json", 12))
		assert_true(!n || !memcmp(body + n - 2, "}\n", 2));
	if (memmem(head, (size_t)(body - head), "version=0.0.4", 13))
		assert_non_null(memmem(body, n, "site_up 1\n", 10));
	return true;
}

/* Receives to the end, without memory of Tenfold's; how many answers were 200. */
static unsigned
hear_all(int fd)
{
	static char bytes[2 << 20];
	size_t n = 0;
	unsigned ok = 0;
	ssize_t got;
	while (n < sizeof bytes && (got = recv(fd, bytes + n, sizeof bytes - n, 0)) > 0)
		n += (size_t)got;
	assert_true(n < sizeof bytes);
	for (const char *at = bytes; at < bytes + n && whole_answer(&at, bytes + n, &ok);)
		;
	return ok;
}

/* The n-th allocation fails, n = 1, 2, 3, and so on until none did. It costs an answer, never the server; what is
 * answered is whole. */
static void
a_failed_allocation_costs_a_connection_at_most(void **state)
{
	(void)state;
	const char *requests =
		"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
		"GET /big?n=1 HTTP/1.1\r\nHost: a\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
		"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
		"GET /echo/%41/2?q=%42 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	uint64_t made = 0;
	for (uint64_t n = 1; n == 1 || made >= n - 1; n++) {
		struct client c, d = client_new();
		start((struct tf_server_options){.workers = 1}, &c);
		assert_int_equal(client_get(&c, "/now"), 200);
		tf_mem_fail_at(n);
		client_connect(&d, site);
		client_say(&d, requests);
		unsigned ok = hear_all(d.fd);
		made = tf_mem_fail_at(0);
		assert_true(made >= n || ok == 4);
		client_close(&d);
		d = site_dial(site);
		assert_int_equal(client_get(&d, "/work"), 200);
		client_close(&d);
		end(&c);
		assert_true(n < 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_without_memory_is_not_begun),
		cmocka_unit_test(a_port_in_use_is_said),
		cmocka_unit_test(a_failed_allocation_costs_a_connection_at_most),
		cmocka_unit_test(bodies_past_their_bound_are_told_to_try_again),
		cmocka_unit_test(exchanges_past_the_workers_queue_are_told_to_try_again),
		cmocka_unit_test(one_connection_more_than_fit_waits),
		cmocka_unit_test(a_peer_has_its_part_of_the_connections),
		cmocka_unit_test(a_terminator_may_have_all_connections),
		cmocka_unit_test(peers_that_left_are_forgotten_and_those_that_are_there_not),
		cmocka_unit_test(who_says_nothing_gives_way_when_all_connections_are_taken),
		cmocka_unit_test(a_peer_of_ipv6_is_its_network),
		cmocka_unit_test(a_failed_accept_is_tried_again_later),
		cmocka_unit_test(a_slow_head_times_out),
		cmocka_unit_test(a_slow_body_times_out),
		cmocka_unit_test(a_body_that_trickles_times_out),
		cmocka_unit_test(an_idle_connection_is_closed_without_a_word),
		cmocka_unit_test(a_client_that_takes_nothing_holds_up_its_worker_and_is_given_up),
		cmocka_unit_test(what_was_begun_is_finished_when_stopping),
		cmocka_unit_test(what_is_not_finished_in_time_is_dropped_when_stopping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
