/* Sockets, poller and waker on the loopback interface; skipped where there is none. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/net.h"
#include "os/os.h"

#define OK(expr)     assert_int_equal(expr, TF_OK)
#define IS(err, got) assert_int_equal(got, TF_##err)
#define SOON         (10 * TF_SEC) /* more than any of these takes; a failing test ends */

static struct tf_fault fault;

struct pair {
	struct tf_poll *poll;
	int listener, client, server;
	struct tf_peer peer;
};

/* Waits until data is reported, and returns its events; 0 when the time is over. */
static unsigned
await(struct tf_poll *poll, const void *data)
{
	struct tf_poll_event events[8];
	int n;
	do {
		OK(tf_poll_wait(poll, events, 8, SOON, &n, &fault));
		for (int i = 0; i < n; i++)
			if (events[i].data == data)
				return events[i].events;
	} while (n);
	return 0;
}

static int
setup(void **state)
{
	struct pair *p = tf_calloc(1, sizeof(*p));
	p->listener = p->client = p->server = -1;
	*state = p;
	if (tf_net_listen("127.0.0.1", 0, 16, &p->listener, &fault) != TF_OK)
		return 0;
	OK(tf_poll_new(&p->poll, &fault));
	OK(tf_poll_add(p->poll, p->listener, TF_POLL_IN, &p->listener, &fault));
	OK(tf_net_connect("127.0.0.1", tf_net_port(p->listener), &p->client, &fault));
	OK(tf_poll_add(p->poll, p->client, TF_POLL_OUT, &p->client, &fault));
	assert_int_equal(await(p->poll, &p->listener), TF_POLL_IN);
	OK(tf_net_accept(p->listener, &p->server, &p->peer, &fault));
	assert_int_equal(await(p->poll, &p->client), TF_POLL_OUT);
	OK(tf_net_connected(p->client, &fault));
	OK(tf_poll_mod(p->poll, p->client, TF_POLL_IN, &p->client, &fault));
	OK(tf_poll_add(p->poll, p->server, TF_POLL_IN, &p->server, &fault));
	return 0;
}

static int
teardown(void **state)
{
	struct pair *p = *state;
	tf_net_close(&p->client);
	tf_net_close(&p->server);
	tf_net_close(&p->listener);
	tf_poll_free(&p->poll);
	tf_poll_free(&p->poll);
	tf_free(p);
	return 0;
}

static struct pair *
pair(void **state)
{
	struct pair *p = *state;
	if (!p->poll)
		skip();
	return p;
}

static void
bytes_come_through_both_ways(void **state)
{
	struct pair *p = pair(state);
	char got[8];
	size_t n;
	assert_string_equal(p->peer.host, "127.0.0.1");
	assert_int_equal(p->peer.port, tf_net_port(p->client));
	IS(BUSY, tf_net_recv(p->server, got, sizeof(got), &n, &fault));
	OK(tf_net_send(p->client, "ping", 4, &n, &fault));
	assert_int_equal(n, 4);
	assert_int_equal(await(p->poll, &p->server), TF_POLL_IN);
	OK(tf_net_recv(p->server, got, sizeof(got), &n, &fault));
	assert_int_equal(n, 4);
	assert_memory_equal(got, "ping", 4);
	OK(tf_net_send(p->server, "pong", 4, &n, &fault));
	assert_int_equal(await(p->poll, &p->client), TF_POLL_IN);
	OK(tf_net_recv(p->client, got, sizeof(got), &n, &fault));
	assert_memory_equal(got, "pong", 4);
}

static void
accept_without_a_connection_is_busy(void **state)
{
	struct pair *p = pair(state);
	struct tf_peer peer;
	int fd = -1;
	IS(BUSY, tf_net_accept(p->listener, &fd, &peer, &fault));
	assert_int_equal(fd, -1);
}

static void
a_half_close_ends_one_direction(void **state)
{
	struct pair *p = pair(state);
	char c;
	size_t n;
	tf_net_shutdown(p->client);
	assert_int_equal(await(p->poll, &p->server) & TF_POLL_IN, TF_POLL_IN);
	IS(END, tf_net_recv(p->server, &c, 1, &n, &fault));
	OK(tf_net_send(p->server, "x", 1, &n, &fault));
	assert_int_equal(await(p->poll, &p->client), TF_POLL_IN);
	OK(tf_net_recv(p->client, &c, 1, &n, &fault));
}

static void
sending_to_a_closed_peer_is_an_error_not_a_signal(void **state)
{
	struct pair *p = pair(state);
	size_t n;
	enum tf_err e = TF_OK;
	tf_net_close(&p->server);
	assert_int_equal(p->server, -1);
	tf_net_close(&p->server);
	for (int i = 0; i < 1000 && e == TF_OK; i++) {
		e = tf_net_send(p->client, "x", 1, &n, &fault);
		await(p->poll, &p->client);
	}
	IS(IO, e);
}

static void
a_full_send_buffer_is_busy_until_the_peer_reads(void **state)
{
	struct pair *p = pair(state);
	static char block[1 << 16];
	uint64_t sent = 0, received = 0;
	size_t n;
	enum tf_err e;
	while ((e = tf_net_send(p->client, block, sizeof(block), &n, &fault)) == TF_OK)
		sent += n;
	IS(BUSY, e);
	while (received < sent) {
		assert_int_equal(await(p->poll, &p->server), TF_POLL_IN);
		OK(tf_net_recv(p->server, block, sizeof(block), &n, &fault));
		received += n;
	}
	OK(tf_poll_mod(p->poll, p->client, TF_POLL_OUT, &p->client, &fault));
	assert_int_equal(await(p->poll, &p->client), TF_POLL_OUT);
}

static void
an_address_in_use_is_busy_and_a_closed_port_refuses(void **state)
{
	struct pair *p = pair(state);
	uint16_t port = tf_net_port(p->listener);
	int fd = -1;
	IS(BUSY, tf_net_listen("127.0.0.1", port, 16, &fd, &fault));
	assert_non_null(strstr(fault.text, "cannot listen on '127.0.0.1:"));
	tf_net_close(&p->listener);
	enum tf_err e = tf_net_connect("127.0.0.1", port, &fd, &fault);
	if (e == TF_OK) {
		OK(tf_poll_add(p->poll, fd, TF_POLL_OUT, &fd, &fault));
		assert_true(await(p->poll, &fd) & TF_POLL_CLOSED);
		e = tf_net_connected(fd, &fault);
		tf_net_close(&fd);
	}
	IS(IO, e);
}

static void
a_deleted_socket_is_not_reported(void **state)
{
	struct pair *p = pair(state);
	struct tf_poll_event event;
	size_t sent;
	int n;
	OK(tf_net_send(p->client, "x", 1, &sent, &fault));
	assert_int_equal(await(p->poll, &p->server), TF_POLL_IN);
	tf_poll_del(p->poll, p->server);
	OK(tf_poll_wait(p->poll, &event, 1, 0, &n, &fault));
	assert_int_equal(n, 0);
}

static struct tf_waker *waker;

static void
wake(void *arg)
{
	tf_waker_wake(arg);
}

static void
on_signal(int number)
{
	tf_waker_wake(waker);
}

static void
a_waker_wakes_from_threads_and_signal_handlers(void **state)
{
	struct tf_poll *poll;
	struct tf_worker *worker;
	struct tf_poll_event event;
	int n;
	OK(tf_poll_new(&poll, &fault));
	OK(tf_waker_new(&waker, &fault));
	OK(tf_poll_add(poll, tf_waker_fd(waker), TF_POLL_IN, waker, &fault));
	OK(tf_os_start(tf_os_real(), wake, waker, &worker, &fault));
	assert_int_equal(await(poll, waker), TF_POLL_IN);
	tf_worker_join(&worker);
	tf_waker_wake(waker);
	tf_waker_clear(waker);
	OK(tf_poll_wait(poll, &event, 1, 0, &n, &fault));
	assert_int_equal(n, 0);
	struct sigaction act = {.sa_handler = on_signal}, was;
	sigaction(SIGUSR1, &act, &was);
	raise(SIGUSR1);
	sigaction(SIGUSR1, &was, NULL);
	assert_int_equal(await(poll, waker), TF_POLL_IN);
	tf_waker_free(&waker);
	tf_waker_free(&waker);
	tf_poll_free(&poll);
}

static void
a_wait_ends_at_its_timeout(void **state)
{
	struct tf_poll *poll;
	struct tf_poll_event event;
	int n = -1;
	OK(tf_poll_new(&poll, &fault));
	tf_dur before = tf_os_ticks(tf_os_real());
	OK(tf_poll_wait(poll, &event, 1, 1500, &n, &fault));
	assert_int_equal(n, 0);
	assert_true(tf_os_ticks(tf_os_real()) - before >= 1500);
	tf_poll_free(&poll);
}

static void
addresses_parse(void **state)
{
	char host[256];
	uint16_t port;
	OK(tf_net_parse(TF_STR("localhost:8080"), host, &port, &fault));
	assert_string_equal(host, "localhost");
	assert_int_equal(port, 8080);
	OK(tf_net_parse(TF_STR("[::1]:0"), host, &port, &fault));
	assert_string_equal(host, "::1");
	assert_int_equal(port, 0);
	OK(tf_net_parse(TF_STR(":65535"), host, &port, &fault));
	assert_string_equal(host, "");
	const char *bad[] = {"", "host", "host:", "host:65536", "::1:80", "host:-1", "host: 80", "8080"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		IS(INVALID, tf_net_parse(tf_str(bad[i]), host, &port, &fault));
	IS(INVALID, tf_net_parse(TF_STR("a\0b:80"), host, &port, &fault));
	char host300[304];
	memset(host300, 'a', 300);
	memcpy(host300 + 300, ":80", 4);
	IS(INVALID, tf_net_parse(tf_str(host300), host, &port, &fault));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_come_through_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(accept_without_a_connection_is_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(a_half_close_ends_one_direction, setup, teardown),
		cmocka_unit_test_setup_teardown(sending_to_a_closed_peer_is_an_error_not_a_signal, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_send_buffer_is_busy_until_the_peer_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(an_address_in_use_is_busy_and_a_closed_port_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deleted_socket_is_not_reported, setup, teardown),
		cmocka_unit_test(a_waker_wakes_from_threads_and_signal_handlers),
		cmocka_unit_test(a_wait_ends_at_its_timeout),
		cmocka_unit_test(addresses_parse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
