/* The client against a scripted server on the loopback interface, and against our own; skipped where there is no
 * libcurl. */
#include "client_peer_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/net.h"
#include "serve/curl_load.h"

#define TRIES 8

/* Answers the i-th request with the i-th text and closes the connection; one that begins with '+' (left out) keeps it
 * for the next; "" closes without an answer, "-" never answers. A request's body ends with END, or there is none. */
struct script {
	const char *answers[TRIES];
	int listener;
	atomic_int count;
	char got[TRIES][4096];
	pthread_t thread;
	char url[64];
	struct tf_client *drain; /* drained behind the last answer */
};

/* False: the connection has ended. */
static bool
receive(int fd, char *to)
{
	size_t n = 0;
	ssize_t k;
	const char *body;
	to[0] = 0;
	while (n < 4095 && (k = read(fd, to + n, 4095 - n)) > 0) {
		to[n += (size_t)k] = 0;
		bool bodyless = strncmp(to, "POST", 4) != 0 && strncmp(to, "PUT", 3) != 0;
		if ((body = strstr(to, "\r\n\r\n")) && (bodyless || strstr(body, "END")))
			return true;
	}
	return false;
}

/* One connection. */
static void
serve(struct script *s, int fd)
{
	char request[4096];
	bool keep = true;
	while (keep && s->answers[s->count] && receive(fd, request)) {
		const char *text = s->answers[s->count];
		memcpy(s->got[s->count], request, sizeof request);
		s->count++;
		keep = text[0] == '+';
		text += keep;
		if (strcmp(text, "-") == 0)
			while (read(fd, (char[64]){0}, 64) > 0)
				;
		else if (*text && write(fd, text, strlen(text)) < 0)
			perror("write");
	}
}

static void *
run(void *arg)
{
	struct script *s = arg;
	int fd;
	while (s->answers[s->count] && (fd = accept(s->listener, NULL, NULL)) >= 0) {
		serve(s, fd);
		close(fd);
		if (!s->answers[s->count] && s->drain) {
			nanosleep(&(struct timespec){0, 20000000}, NULL); /* the client is waiting by then, or soon */
			tf_client_drain(s->drain);
		}
	}
	return NULL;
}

static struct script *
play(const char *const answers[TRIES])
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	if (!tf_curl())
		skip();
	struct script *s = tf_calloc(1, sizeof *s);
	assert_non_null(s);
	memcpy(s->answers, answers, sizeof s->answers);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* of os they do not wait; this one does */
	assert_int_equal(listen(s->listener, 16), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/take", tf_net_port(s->listener));
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
	return s;
}

static void
end(struct script *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	tf_free(s);
}

/* A URL where nobody listens. */
static void
nobody(char url[static 64])
{
	int fd;
	if (!tf_curl())
		skip();
	OK(tf_net_listen("127.0.0.1", 0, 16, &fd, NULL));
	snprintf(url, 64, "http://127.0.0.1:%u/take", tf_net_port(fd));
	tf_net_close(&fd);
}

static struct tf_fault fault;
static struct tf_client_answer answer;
static struct tf_client *client;

static const struct tf_client_options quick = {
	.wait_first = 1000, .wait_max = 4000, .timeout = 10 * TF_SEC, .deadline = 20 * TF_SEC, .tries = 4};

/* The client of this test, from here on. */
static void
with(struct tf_client_options o)
{
	tf_client_free(&client);
	OK(tf_client_new(tf_os_real(), &o, &client, NULL));
}

static int
setup(void **state)
{
	(void)state;
	with(quick);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tf_client_free(&client);
	return 0;
}

static enum tf_err
call(struct tf_client_request r)
{
	return tf_client_call(client, &r, NULL, &answer, &fault);
}

/* A POST that may be repeated, and one that may not. */
static enum tf_err
post(const char *url)
{
	return call((struct tf_client_request){
		.url = url, .type = "text/csv", .key = "key-1", .body = TF_STR("a,b\n1,2\nEND")});
}

static enum tf_err
plain_post(const char *url)
{
	return call((struct tf_client_request){.url = url, .type = "text/csv", .body = TF_STR("END")});
}

#define OK_ANSWER   "HTTP/1.1 204 No Content\r\n\r\n"
#define BUSY_ANSWER "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

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
	char *seen = peer_seen(p);
	assert_string_equal(seen, "GET 0,HEAD 0,PUT 0,DELETE 0,POST 0,PUT 4,");
	tf_free(seen);
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
	struct tf_client_options o = quick;
	o.proxy = s->url;
	with(o);
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

/* ---- trying again ---- */

static void
it_is_tried_again_until_taken(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){BUSY_ANSWER, "", OK_ANSWER});
	OK(post(s->url));
	assert_int_equal(answer.tries, 3);
	assert_string_equal(strstr(s->got[0], "\r\n\r\n"), strstr(s->got[2], "\r\n\r\n"));
	end(s);
}

static void
tries_are_bounded(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){BUSY_ANSWER, BUSY_ANSWER, BUSY_ANSWER, BUSY_ANSWER, OK_ANSWER});
	assert_int_equal(post(s->url), TF_IO);
	assert_int_equal(answer.tries, 4);
	assert_int_equal(answer.status, 503);
	assert_string_equal(fault.text, "the answer to try 4 was 503");
	end(s);
}

static void
a_refusal_is_final(void **state)
{
	(void)state;
	struct script *s =
		play((const char *[TRIES]){"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", OK_ANSWER});
	assert_int_equal(post(s->url), TF_DENIED);
	assert_int_equal(answer.tries, 1);
	assert_int_equal(answer.status, 400);
	end(s);
}

static void
what_must_not_be_done_twice_is_sent_once(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){"", OK_ANSWER});
	assert_int_equal(plain_post(s->url), TF_IO);
	assert_int_equal(answer.tries, 1);
	assert_int_equal(s->count, 1);
	end(s);
	s = play((const char *[TRIES]){BUSY_ANSWER, OK_ANSWER});
	assert_int_equal(plain_post(s->url), TF_IO);
	assert_int_equal(answer.status, 503);
	assert_int_equal(s->count, 1);
	end(s);
	struct tf_client_options o = quick;
	o.timeout = 50000;
	with(o);
	s = play((const char *[TRIES]){"-", OK_ANSWER});
	assert_int_equal(plain_post(s->url), TF_TIMEOUT);
	assert_int_equal(s->count, 1);
	end(s);
}

/* A kept connection that dies with the request: libcurl would send it again by itself. */
static void
nor_is_it_sent_twice_over_a_kept_connection(void **state)
{
	(void)state;
	static const char kept[] = "+HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct script *s = play((const char *[TRIES]){kept, "", OK_ANSWER});
	OK(plain_post(s->url));
	assert_int_equal(plain_post(s->url), TF_IO);
	assert_int_equal(s->count, 2);
	assert_non_null(strstr(fault.text, "is not sent again"));
	end(s);
	s = play((const char *[TRIES]){kept, "", OK_ANSWER}); /* with its key it is */
	OK(post(s->url));
	OK(post(s->url));
	assert_int_equal(s->count, 3);
	end(s);
}

static void
what_was_certainly_not_sent_is_tried_again(void **state)
{
	(void)state;
	char url[64];
	nobody(url);
	assert_int_equal(plain_post(url), TF_IO);
	assert_int_equal(answer.tries, 4);
	assert_int_equal(answer.status, 0);
}

static void
silence_times_out(void **state)
{
	(void)state;
	struct tf_client_options o = quick;
	o.timeout = 50000;
	o.tries = 2;
	with(o);
	struct script *s = play((const char *[TRIES]){"-", "-"});
	assert_int_equal(post(s->url), TF_TIMEOUT);
	assert_int_equal(answer.tries, 2);
	assert_int_equal(answer.status, 0);
	end(s);
}

static tf_dur
ticks(void)
{
	return tf_os_ticks(tf_os_real());
}

static void
a_call_ends_by_its_deadline(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){"-"});
	tf_dur begun = ticks();
	struct tf_client_request r = {.method = "GET", .url = s->url, .deadline = 50000};
	assert_int_equal(call(r), TF_TIMEOUT);
	assert_true(ticks() - begun < 5 * TF_SEC);
	end(s);
	struct tf_client_options o = quick;
	o.wait_first = o.wait_max = 10 * TF_SEC;
	with(o);
	s = play((const char *[TRIES]){BUSY_ANSWER, OK_ANSWER});
	r = (struct tf_client_request){.method = "GET", .url = s->url, .deadline = 4 * TF_SEC};
	begun = ticks();
	assert_int_equal(call(r), TF_IO); /* it would have to wait for too long */
	assert_true(ticks() - begun < 3 * TF_SEC);
	assert_int_equal(answer.tries, 1);
	end(s);
}

#define BUSY_FOR(seconds) "HTTP/1.1 429 Too Many Requests\r\nRetry-After: " seconds "\r\nContent-Length: 0\r\n\r\n"

static void
retry_after_is_waited_for_or_the_call_ends(void **state)
{
	(void)state;
	struct tf_client_options o = quick;
	o.wait_max = 5 * TF_SEC;
	with(o);
	struct script *s = play((const char *[TRIES]){BUSY_FOR("1"), OK_ANSWER});
	tf_dur begun = ticks();
	OK(post(s->url));
	assert_true(ticks() - begun >= TF_SEC);
	end(s);
	s = play((const char *[TRIES]){BUSY_FOR("3600"), OK_ANSWER});
	assert_int_equal(post(s->url), TF_IO);
	assert_int_equal(answer.tries, 1);
	assert_int_equal(answer.retry_after, TF_HOUR);
	end(s);
}

static void
some_want_no_second_500(void **state)
{
	(void)state;
	struct tf_client_options o = quick;
	o.final_500 = true;
	with(o);
	struct script *s =
		play((const char *[TRIES]){BUSY_ANSWER, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", OK_ANSWER});
	assert_int_equal(post(s->url), TF_IO);
	assert_int_equal(answer.tries, 2);
	assert_int_equal(answer.status, 500);
	end(s);
}

/* ---- the end ---- */

static void
draining_ends_waits_and_leaves_one_try(void **state)
{
	(void)state;
	struct tf_client_options o = {.wait_first = TF_HOUR, .wait_max = TF_HOUR, .deadline = TF_DAY};
	with(o);
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
	struct tf_client_options o = {.timeout = TF_HOUR, .wait_first = TF_HOUR, .wait_max = TF_HOUR, .calls_max = 3};
	with(o);
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
	struct tf_client_options o = quick;
	o.bytes_max = 10;
	with(o);
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
say_now(struct peer *p, struct tf_exchange *x, unsigned number)
{
	(void)p;
	(void)number;
	peer_say(x, 200, "now");
}

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
	enum { MANY = 500 };
	struct tf_client_options o = quick;
	o.origin_max = 4;
	with(o);
	struct peer *p = peer_start(NULL, NULL, say_now, NULL);
	static struct outcomes all;
	struct tf_client_request r = {.url = p->url, .key = "k", .body = TF_STR("END")};
	outcomes_init(&all);
	for (int i = 0; i < MANY; i++)
		OK(tf_client_send(client, &r, outcomes_note, &all, NULL));
	outcomes_await(&all, MANY);
	assert_int_equal(all.ok, MANY);
	assert_int_equal(p->requests, MANY);
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

/* ---- the breaker ---- */

static void
fail_until_told(struct peer *p, struct tf_exchange *x, unsigned number)
{
	(void)number;
	peer_say(x, p->state ? p->state : 500, "");
}

static void
a_breaker_spares_who_has_failed(void **state)
{
	(void)state;
	struct tf_client_options o = quick;
	o.tries = 1;
	o.breaker = (struct tf_breaker_options){.failures = 3, .open_first = TF_SEC, .open_max = TF_SEC};
	with(o);
	struct peer *p = peer_start(NULL, NULL, fail_until_told, NULL);
	peer_set(p, 404);
	for (int i = 0; i < 5; i++)
		assert_int_equal(post(p->url), TF_DENIED); /* an answer is an answer */
	peer_set(p, 429);
	for (int i = 0; i < 5; i++)
		assert_int_equal(post(p->url), TF_IO);
	peer_set(p, 500);
	for (int i = 0; i < 3; i++)
		assert_int_equal(post(p->url), TF_IO);
	assert_int_equal(post(p->url), TF_BUSY);
	assert_int_equal(answer.tries, 0);
	assert_in_range(answer.retry_after, 1, TF_SEC);
	assert_non_null(strstr(fault.text, p->origin));
	assert_non_null(strstr(fault.text, "failed 3 times in a row: it is asked again in "));
	assert_int_equal(peer_count(p, &p->requests), 13);
	/* Its time over, one try is let in; it fails; then one that does not. */
	for (int failed = 0; failed < 2; failed++) {
		enum tf_err e;
		for (tf_dur begun = ticks(); (e = post(p->url)) == TF_BUSY && ticks() - begun < 10 * TF_SEC;)
			nanosleep(&(struct timespec){0, 1000000}, NULL);
		assert_int_equal(e, failed ? TF_OK : TF_IO);
		assert_int_equal(peer_count(p, &p->requests), 14 + (unsigned)failed);
		peer_set(p, 200);
	}
	OK(post(p->url));
	peer_end(&p);
}

static void
an_open_breaker_ends_a_call_that_would_try_again(void **state)
{
	(void)state;
	struct tf_client_options o = quick;
	o.tries = 8;
	o.breaker = (struct tf_breaker_options){.failures = 3, .open_first = TF_HOUR, .open_max = TF_HOUR};
	with(o);
	struct peer *p = peer_start(NULL, NULL, fail_until_told, NULL), *other = peer_start(NULL, NULL, say_now, NULL);
	assert_int_equal(post(p->url), TF_BUSY);
	assert_int_equal(answer.tries, 3);
	assert_int_equal(answer.status, 500);
	OK(post(other->url));
	peer_end(&p);
	peer_end(&other);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		TEST(it_is_tried_again_until_taken),
		TEST(tries_are_bounded),
		TEST(a_refusal_is_final),
		TEST(what_must_not_be_done_twice_is_sent_once),
		TEST(nor_is_it_sent_twice_over_a_kept_connection),
		TEST(what_was_certainly_not_sent_is_tried_again),
		TEST(silence_times_out),
		TEST(a_call_ends_by_its_deadline),
		TEST(retry_after_is_waited_for_or_the_call_ends),
		TEST(some_want_no_second_500),
		TEST(draining_ends_waits_and_leaves_one_try),
		TEST(stopping_ends_all_calls_at_once),
		TEST(bodies_in_the_queue_are_bounded),
		TEST(no_memory_is_an_error_and_nothing_more),
		TEST(a_connection_is_used_again),
		TEST(many_calls_share_few_connections),
		TEST(a_call_may_send_the_next),
		TEST(a_breaker_spares_who_has_failed),
		TEST(an_open_breaker_ends_a_call_that_would_try_again),
		TEST(tries_are_spans_that_the_peer_is_told_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
