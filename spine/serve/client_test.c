/* The client against a scripted server on the loopback interface; skipped where there is none, or no libcurl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/net.h"
#include "serve/client.h"

#define TRIES 8

/* Answers the i-th connection with the i-th text, then closes it; "" closes without an answer, "-" never answers. */
struct peer {
	const char *answers[TRIES];
	int listener, count;
	char got[TRIES][4096];
	pthread_t thread;
	char url[64];
	atomic_bool *stop_at_end; /* set after the last answer */
};

static void
receive(int fd, char *to)
{
	size_t n = 0;
	ssize_t k;
	const char *body;
	to[0] = 0;
	while (n < 4095 && (k = read(fd, to + n, 4095 - n)) > 0) {
		to[n += (size_t)k] = 0;
		if ((body = strstr(to, "\r\n\r\n")) && strstr(body, "END"))
			return;
	}
}

static void *
serve(void *arg)
{
	struct peer *p = arg;
	int fd;
	while (p->answers[p->count] && (fd = accept(p->listener, NULL, NULL)) >= 0) {
		const char *text = p->answers[p->count];
		receive(fd, p->got[p->count++]);
		if (strcmp(text, "-") == 0)
			while (read(fd, (char[64]){0}, 64) > 0)
				;
		else if (*text && write(fd, text, strlen(text)) < 0)
			perror("write");
		if (!p->answers[p->count] && p->stop_at_end)
			atomic_store(p->stop_at_end, true);
		close(fd);
	}
	return NULL;
}

/* A peer at whose URL nobody listens. */
static struct peer *
start(const char *const answers[TRIES])
{
	struct peer *p = tf_calloc(1, sizeof *p);
	assert_non_null(p);
	memcpy(p->answers, answers, sizeof p->answers);
	if (tf_net_listen("127.0.0.1", 0, 16, &p->listener, NULL)) {
		tf_free(p);
		skip();
	}
	snprintf(p->url, sizeof p->url, "http://127.0.0.1:%u/take", tf_net_port(p->listener));
	tf_net_close(&p->listener);
	return p;
}

/* Sockets of os do not wait; this one does. */
static struct peer *
run(const char *const answers[TRIES], atomic_bool *stop_at_end)
{
	struct peer *p = start(answers);
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	p->stop_at_end = stop_at_end;
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(listen(p->listener, 16), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &n), 0);
	snprintf(p->url, sizeof p->url, "http://127.0.0.1:%u/take", tf_net_port(p->listener));
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
	return p;
}

static void
end(struct peer *p)
{
	shutdown(p->listener, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->listener);
	tf_free(p);
}

static struct tf_fault fault;
static struct tf_client_answer answer;
static const struct tf_client_options quick = {
	.wait_first = 1000, .wait_max = 4000, .timeout = 10 * TF_SEC, .tries = 4};

static enum tf_err
post(const char *url, const struct tf_client_options *o)
{
	struct tf_client_post q = {url, "text/csv", "key-1", TF_STR("a,b\n1,2\nEND")};
	enum tf_err e = tf_client_post(tf_os_real(), &q, o, &answer, &fault);
	if (e == TF_UNSUPPORTED)
		skip();
	return e;
}

#define OK_ANSWER   "HTTP/1.1 204 No Content\r\n\r\n"
#define BUSY_ANSWER "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

static void
post_arrives_whole(void **state)
{
	(void)state;
	struct peer *p = run((const char *[TRIES]){OK_ANSWER}, NULL);
	assert_int_equal(post(p->url, &quick), TF_OK);
	assert_int_equal(answer.status, 204);
	assert_int_equal(answer.tries, 1);
	assert_non_null(strstr(p->got[0], "POST /take HTTP/1.1\r\n"));
	assert_non_null(strstr(p->got[0], "Content-Type: text/csv\r\n"));
	assert_non_null(strstr(p->got[0], "Idempotency-Key: key-1\r\n"));
	assert_non_null(strstr(p->got[0], "\r\n\r\na,b\n1,2\nEND"));
	assert_null(strstr(p->got[0], "Expect:"));
	end(p);
}

static void
post_is_tried_again_until_taken(void **state)
{
	(void)state;
	struct peer *p = run((const char *[TRIES]){BUSY_ANSWER, "", OK_ANSWER}, NULL);
	assert_int_equal(post(p->url, &quick), TF_OK);
	assert_int_equal(answer.tries, 3);
	assert_string_equal(strstr(p->got[0], "\r\n\r\n"), strstr(p->got[2], "\r\n\r\n"));
	end(p);
}

static void
tries_are_bounded(void **state)
{
	(void)state;
	struct peer *p =
		run((const char *[TRIES]){BUSY_ANSWER, BUSY_ANSWER, BUSY_ANSWER, BUSY_ANSWER, OK_ANSWER}, NULL);
	assert_int_equal(post(p->url, &quick), TF_IO);
	assert_int_equal(answer.tries, 4);
	assert_int_equal(answer.status, 503);
	assert_string_equal(fault.text, "the answer to try 4 was 503");
	end(p);
}

static void
refusal_is_final(void **state)
{
	(void)state;
	struct peer *p =
		run((const char *[TRIES]){"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", OK_ANSWER}, NULL);
	assert_int_equal(post(p->url, &quick), TF_DENIED);
	assert_int_equal(answer.tries, 1);
	assert_int_equal(answer.status, 400);
	end(p);
}

static void
redirect_is_not_followed(void **state)
{
	(void)state;
	struct peer *p = run(
		(const char *[TRIES]){
			"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
			OK_ANSWER},
		NULL);
	assert_int_equal(post(p->url, &quick), TF_DENIED);
	assert_int_equal(p->count, 1);
	end(p);
}

static void
silence_times_out(void **state)
{
	(void)state;
	struct tf_client_options o = {.timeout = 50000, .tries = 2, .wait_first = 1000, .wait_max = 1000};
	struct peer *p = run((const char *[TRIES]){"-", "-"}, NULL);
	assert_int_equal(post(p->url, &o), TF_TIMEOUT);
	assert_int_equal(answer.tries, 2);
	assert_int_equal(answer.status, 0);
	end(p);
}

static void
nobody_there_is_an_error(void **state)
{
	(void)state;
	struct peer *p = start((const char *[TRIES]){NULL});
	assert_int_equal(post(p->url, &quick), TF_IO);
	assert_int_equal(answer.tries, 4);
	tf_free(p);
}

static void
stop_ends_waiting(void **state)
{
	(void)state;
	atomic_bool stop = false;
	struct tf_client_options o = {.wait_first = TF_DAY, .wait_max = TF_DAY, .stop = &stop};
	struct peer *p = run((const char *[TRIES]){BUSY_ANSWER}, &stop);
	assert_int_equal(post(p->url, &o), TF_END);
	assert_int_equal(answer.tries, 1);
	end(p);
}

/* Each try is a span of its own below the one given, and the other side is told which. */
static void
tries_are_spans_that_the_peer_is_told_of(void **state)
{
	(void)state;
	static const struct tf_trace trace = {
		.trace = {0xab, [15] = 1}, .span = {7}, .flags = 1, .correlation_n = 7, .correlation = "order-7"};
	struct peer *p = run((const char *[TRIES]){BUSY_ANSWER, OK_ANSWER}, NULL);
	struct tf_spans *spans;
	struct tf_span s[4];
	char url[128], text[TF_TRACEPARENT_BYTES];
	assert_int_equal(tf_spans_new(&(struct tf_spans_options){.count = 8}, &spans, NULL), TF_OK);
	snprintf(url, sizeof url, "%s?token=secret", p->url);
	struct tf_client_post q = {url, "text/csv", NULL, TF_STR("END"), &trace, spans};
	if (tf_client_post(tf_os_real(), &q, &quick, &answer, &fault) == TF_UNSUPPORTED)
		skip();
	assert_int_equal(tf_spans_take(spans, s, 4), 2);
	for (int i = 0; i < 2; i++) {
		struct tf_trace self = {.flags = 1};
		memcpy(self.trace, s[i].trace, sizeof self.trace);
		memcpy(self.span, s[i].span, sizeof self.span);
		assert_memory_equal(s[i].trace, trace.trace, 16);
		assert_memory_equal(s[i].parent, trace.span, 8);
		assert_int_equal(s[i].kind, TF_SPAN_CLIENT);
		assert_non_null(strstr(p->got[i], tf_trace_format(&self, text)));
		assert_non_null(strstr(p->got[i], "X-Correlation-Id: order-7\r\n"));
		assert_true(tf_str_eq(tf_span_text(&s[i], &s[i].attributes[3]), tf_str(p->url)));
	}
	assert_memory_not_equal(s[0].span, s[1].span, 8);
	assert_int_equal(s[0].status, TF_SPAN_ERROR);
	assert_int_equal(s[1].status, TF_SPAN_UNSET);
	assert_int_equal(answer.retry_after, 0);
	tf_spans_free(&spans);
	end(p);
}

static void
url_is_checked(void **state)
{
	(void)state;
	static const char *const good[] = {"http://a", "https://a.example:8443/x?y=1", "http://[::1]:80/"};
	static const char *const bad[] = {"",           "a",         "ftp://a/",      "file:///etc/passwd",
					  "http://",    "http:///x", "http://u:p@a/", "http://a/ b",
					  "http://a/\n"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(tf_client_check(tf_str(good[i]), &fault), TF_OK);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tf_client_check(tf_str(bad[i]), &fault), TF_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(post_arrives_whole),       cmocka_unit_test(post_is_tried_again_until_taken),
		cmocka_unit_test(tries_are_bounded),        cmocka_unit_test(refusal_is_final),
		cmocka_unit_test(redirect_is_not_followed), cmocka_unit_test(silence_times_out),
		cmocka_unit_test(nobody_there_is_an_error), cmocka_unit_test(stop_ends_waiting),
		cmocka_unit_test(url_is_checked),           cmocka_unit_test(tries_are_spans_that_the_peer_is_told_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
