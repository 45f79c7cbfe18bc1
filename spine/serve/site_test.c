/* The server and the client that serve's tests share; see site_test.h. */
#include "site_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE ((size_t)64 << 10)

static struct timespec
soon(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SOON;
	return until;
}

/* Under the lock. */
static void
wait_moved(struct site *s, const struct timespec *until)
{
	int code = pthread_cond_timedwait(&s->moved, &s->lock, until);
	if (code)
		pthread_mutex_unlock(&s->lock); /* for the test's end */
	assert_int_equal(code, 0);
}

static void
add(struct site *s, unsigned *count)
{
	pthread_mutex_lock(&s->lock);
	++*count;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

static void
text(struct tf_exchange *x, struct tf_str body)
{
	tf_reply(x, 200, "text/plain", body);
}

static void
put_or_none(struct tf_buf *b, const char *name, struct tf_str s)
{
	tf_buf_printf(b, "%s=", name);
	if (s.p)
		tf_buf_str(b, s);
	else
		tf_buf_cstr(b, "(none)");
	tf_buf_u8(b, '\n');
}

static void
echo(void *ctx, struct tf_exchange *x)
{
	char trace[TF_TRACEPARENT_BYTES];
	struct tf_buf b;
	(void)ctx;
	tf_buf_init(&b, 0);
	put_or_none(&b, "a", tf_exchange_param(x, 0));
	put_or_none(&b, "b", tf_exchange_param(x, 1));
	put_or_none(&b, "q", tf_exchange_query(x, "q"));
	put_or_none(&b, "r", tf_exchange_query(x, "r"));
	put_or_none(&b, "host", tf_exchange_request(x)->host);
	put_or_none(&b, "x", tf_exchange_header(x, "x"));
	put_or_none(&b, "trace", tf_str(tf_trace_format(tf_exchange_trace(x), trace)));
	const struct tf_certificate *certificate = tf_exchange_certificate(x);
	if (certificate)
		put_or_none(&b, "certificate", tf_str(certificate->subject));
	tf_reply_header(x, "X-More", TF_STR("1"));
	text(x, tf_buf_view(&b));
	tf_buf_release(&b);
}

static void
body(void *ctx, struct tf_exchange *x)
{
	struct site *s = ctx;
	add(s, &s->handled);
	text(x, tf_exchange_body(x));
}

static void
now(void *ctx, struct tf_exchange *x)
{
	struct site *s = ctx;
	add(s, &s->handled);
	text(x, TF_STR("now"));
}

static void
work(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	text(x, tf_exchange_worker(x) < 2 ? TF_STR("work") : TF_STR("which worker?"));
}

static void
keep(void *ctx, struct tf_exchange *x)
{
	struct site *s = ctx;
	*tf_exchange_user(x) = s;
	pthread_mutex_lock(&s->lock);
	if (s->held_count < SITE_HELD)
		s->held[s->held_count++] = x;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

static bool
keep_at_gate(void *ctx, struct tf_exchange *x)
{
	keep(ctx, x);
	return false;
}

/* Until site_release lets it go. */
static void
until_released(struct site *s)
{
	pthread_mutex_lock(&s->lock);
	unsigned number = s->working++;
	pthread_cond_broadcast(&s->moved);
	while (s->released <= number)
		pthread_cond_wait(&s->moved, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void
wait_in_worker(void *ctx, struct tf_exchange *x)
{
	struct site *s = ctx;
	until_released(s);
	text(x, TF_STR("waited"));
}

static void
big(void *ctx, struct tf_exchange *x)
{
	struct site *s = ctx;
	static char pattern[PIECE];
	uint64_t mib = 0;
	enum tf_err e = TF_OK;
	bool ok = tf_str_u64(tf_exchange_query(x, "n"), &mib);
	tf_reply_begin(x, ok ? 200 : 400, "application/octet-stream");
	for (uint64_t i = 0; !e && i < mib << 20; i += PIECE) {
		e = tf_reply_write(x, tf_str_n(pattern, PIECE));
		pthread_mutex_lock(&s->lock);
		s->written += PIECE;
		pthread_mutex_unlock(&s->lock);
	}
	tf_reply_end(x);
	add(s, &s->work_ended);
}

static void
drip(void *ctx, struct tf_exchange *x)
{
	struct site *s = ctx;
	tf_reply_begin(x, 200, "text/event-stream");
	(void)!tf_reply_write(x, TF_STR("one"));
	until_released(s);
	(void)!tf_reply_write(x, TF_STR("two"));
	tf_reply_end(x);
}

static void
broken(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	tf_reply_begin(x, 200, "text/plain");
	(void)!tf_reply_write(x, TF_STR("half of"));
	tf_reply_abort(x);
}

static uint64_t
number(struct tf_exchange *x, const char *name)
{
	uint64_t n = 0;
	return tf_str_u64(tf_exchange_query(x, name), &n) ? n : 0;
}

static void
fault(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	struct tf_fault f = {(enum tf_err)number(x, "code"), "the 'disk' failed"};
	tf_reply_fault(x, &f, "code");
}

static void
headers(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	char value[1001];
	memset(value, 'v', 1000);
	value[1000] = 0;
	for (int i = 0; i < 5; i++)
		tf_reply_header(x, "X-Long", tf_str(value));
	text(x, TF_STR("headers"));
}

static void
status(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	tf_reply_begin(x, (int)number(x, "code"), "text/plain");
	(void)!tf_reply_write(x, TF_STR("stream"));
	tf_reply_end(x);
}

static const struct tf_route routes[] = {
	{"GET", "/echo/{a}/{b}", echo, .query = "q r"},
	{"POST", "/body", body, .body_max = 65536},
	{"GET", "/now", now},
	{"PUT", "/now", now},
	{"GET", "/work", work, .flags = TF_ROUTE_WORKER},
	{"POST", "/held", keep, .body_max = 1 << 20},
	{"GET", "/held", keep},
	{"GET", "/wait", wait_in_worker, .flags = TF_ROUTE_WORKER},
	{"GET", "/gated", work, .flags = TF_ROUTE_WORKER, .gate = keep_at_gate},
	{"GET", "/big", big, .flags = TF_ROUTE_WORKER, .query = "n"},
	{"GET", "/drip", drip, .flags = TF_ROUTE_WORKER},
	{"GET", "/broken", broken},
	{"GET", "/fault", fault, .query = "code"},
	{"GET", "/headers", headers},
	{"GET", "/status", status, .query = "code"},
	{0},
};

/* How many answers 200 lie before the client, unread. */
static unsigned
lying(int fd)
{
	static char bytes[1 << 16];
	ssize_t n = recv(fd, bytes, sizeof bytes - 1, MSG_PEEK | MSG_DONTWAIT);
	bytes[n > 0 ? n : 0] = 0;
	return site_count(bytes, "HTTP/1.1 200");
}

/* The group commit: what was handled up to here may be seen by clients from here on. */
static tf_dur
after(void *ctx)
{
	struct site *s = ctx;
	struct tf_exchange *let[SITE_HELD];
	pthread_mutex_lock(&s->lock);
	unsigned seen = 0, n = s->letting < s->held_count ? s->letting : s->held_count;
	for (unsigned i = 0; i < s->watched_count; i++)
		seen += lying(s->watched[i]);
	if (s->watched_count && seen > s->committed)
		s->early++;
	char byte;
	if (s->sealed && s->handled > s->committed && recv(s->sealed, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
		s->early++;
	s->committed = s->handled;
	memcpy(let, s->held, n * sizeof *let);
	memmove(s->held, s->held + n, (s->held_count - n) * sizeof *let);
	s->held_count -= n;
	s->letting -= n;
	for (unsigned i = 0; i < n; i++)
		s->gone += tf_exchange_gone(let[i]);
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < n; i++)
		if (tf_str_eq(tf_exchange_request(let[i])->path, TF_STR("/gated")))
			tf_exchange_to_worker(let[i]);
		else
			text(let[i], *tf_exchange_user(let[i]) == s ? TF_STR("held") : TF_STR("whose?"));
	return -1;
}

static bool
is_ready(void *ctx)
{
	struct site *s = ctx;
	pthread_mutex_lock(&s->lock);
	bool ready = s->ready;
	pthread_mutex_unlock(&s->lock);
	return ready;
}

static void
own_metrics(void *ctx, struct tf_buf *out)
{
	(void)ctx;
	tf_buf_cstr(out, "site_up 1\n");
}

static void
sink(void *ctx, struct tf_str line)
{
	struct site *s = ctx;
	pthread_mutex_lock(&s->lock);
	tf_buf_str(&s->log, line);
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

static void
run(void *arg)
{
	struct site *s = arg;
	enum tf_err e = tf_server_run(s->server, NULL);
	pthread_mutex_lock(&s->lock);
	s->result = e;
	s->ended = 1;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

struct site *
site_start(struct tf_server_options o)
{
	struct site *s = tf_calloc(1, sizeof *s);
	assert_non_null(s);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->moved, NULL);
	tf_buf_init(&s->log, 0);
	tf_watch_init(&s->watch, tf_os_real(), "site", TF_LOG_INFO, sink, s);
	s->ready = true;
	o.host = "127.0.0.1";
	o.routes = routes;
	o.ctx = s;
	o.watch = &s->watch;
	o.after = after;
	o.ready = is_ready;
	o.metrics = own_metrics;
	OK(tf_server_new(tf_os_real(), &o, &s->server, NULL));
	s->port = tf_server_port(s->server);
	OK(tf_os_start(tf_os_real(), run, s, &s->runner, NULL));
	return s;
}

void
site_end(struct site **site)
{
	struct site *s = *site;
	tf_server_stop(s->server);
	tf_worker_join(&s->runner);
	assert_int_equal(s->result, TF_OK);
	tf_server_free(&s->server);
	assert_int_equal(s->early, 0);
	tf_watch_release(&s->watch);
	tf_buf_release(&s->log);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->lock);
	tf_free(s);
	*site = NULL;
}

void
site_await(struct site *s, const unsigned *count, unsigned least)
{
	struct timespec until = soon();
	pthread_mutex_lock(&s->lock);
	while (*count < least)
		wait_moved(s, &until);
	pthread_mutex_unlock(&s->lock);
}

void
site_release(struct site *s, unsigned count)
{
	pthread_mutex_lock(&s->lock);
	s->released += count;
	s->letting += count;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	tf_server_wake(s->server);
}

unsigned
site_count(const char *in, const char *part)
{
	unsigned n = 0;
	for (const char *p = in; (p = strstr(p, part)); p += strlen(part))
		n++;
	return n;
}

static unsigned
log_count(struct site *s, const char *part)
{
	struct tf_str all = tf_buf_view(&s->log);
	char *copy = tf_strndup(all.p ? all.p : "", all.n);
	assert_non_null(copy);
	unsigned n = site_count(copy, part);
	tf_free(copy);
	return n;
}

void
site_logged(struct site *s, const char *part, unsigned times)
{
	struct timespec until = soon();
	pthread_mutex_lock(&s->lock);
	while (log_count(s, part) < times)
		wait_moved(s, &until);
	pthread_mutex_unlock(&s->lock);
}

struct client
client_new(void)
{
	struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	struct timeval limit = {.tv_sec = SOON};
	assert_true(c.fd >= 0);
	setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	tf_buf_init(&c.in, 0);
	tf_buf_init(&c.body, 0);
	return c;
}

void
client_connect(struct client *c, struct site *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(s->port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
}

struct client
site_dial(struct site *s)
{
	struct client c = client_new();
	client_connect(&c, s);
	return c;
}

void
client_send(struct client *c, struct tf_str bytes)
{
	while (bytes.n) {
		ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		assert_true(n > 0);
		bytes = tf_str_n(bytes.p + n, bytes.n - (size_t)n);
	}
}

void
client_say(struct client *c, const char *said)
{
	client_send(c, tf_str(said));
}

/* Receives more; false at the end. */
static bool
receive(struct client *c)
{
	uint8_t *room = tf_buf_room(&c->in, 65536);
	assert_non_null(room);
	ssize_t n = recv(c->fd, room, 65536, 0);
	assert_true(n >= 0 || errno == ECONNRESET);
	c->in.n += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void
drop(struct client *c, size_t n)
{
	memmove(c->in.p, c->in.p + n, c->in.n - n);
	c->in.n -= n;
}

/* Up to n bytes of what comes go to the body; false when the end came before. */
static bool
take_body(struct client *c, size_t n)
{
	while (n) {
		if (!c->in.n && !receive(c))
			return false;
		size_t part = c->in.n < n ? c->in.n : n;
		tf_buf_str(&c->body, tf_str_n(c->in.p, part));
		drop(c, part);
		n -= part;
	}
	return true;
}

/* A line with its CRLF, as text; false when the end came before. */
static bool
take_line(struct client *c, char *out, size_t size)
{
	char *end;
	while (!(end = c->in.n ? memmem(c->in.p, c->in.n, "\r\n", 2) : NULL))
		if (!receive(c))
			return false;
	size_t n = (size_t)(end - (char *)c->in.p) + 2;
	assert_true(n < size);
	memcpy(out, c->in.p, n);
	out[n] = 0;
	drop(c, n);
	return true;
}

static bool
hear_chunks(struct client *c)
{
	char line[64];
	unsigned long size;
	do {
		if (!take_line(c, line, sizeof line) || sscanf(line, "%lx\r\n", &size) != 1 || !take_body(c, size) ||
		    !take_line(c, line, sizeof line))
			return false;
		assert_string_equal(line, "\r\n");
	} while (size);
	return true;
}

void
client_hear(struct client *c, bool bodyless)
{
	size_t n = 0;
	char *at = c->head;
	tf_buf_reset(&c->body);
	do {
		assert_true(take_line(c, at, sizeof c->head - (size_t)(at - c->head)));
		n = strlen(at);
		at += n;
	} while (n > 2);
	assert_int_equal(sscanf(c->head, "HTTP/1.1 %d ", &c->status), 1);
	const char *length = client_header(c, "Content-Length");
	bool chunked = !strcmp(client_header(c, "Transfer-Encoding"), "chunked");
	assert_false(*length && chunked);
	if (bodyless || c->status == 100 || c->status == 204 || c->status == 304)
		c->whole = true;
	else if (chunked)
		c->whole = hear_chunks(c);
	else
		c->whole = *length && take_body(c, strtoul(length, NULL, 10));
}

const char *
client_header(const struct client *c, const char *name)
{
	static char values[4][512]; /* the last four answers of this function stay */
	static unsigned turn;
	char *value = values[turn++ % 4];
	size_t n = strlen(name);
	value[0] = 0;
	for (const char *p = strstr(c->head, "\r\n"); p; p = strstr(p + 2, "\r\n"))
		if (!strncasecmp(p + 2, name, n) && p[2 + n] == ':') {
			snprintf(value, sizeof values[0], "%.*s", (int)strcspn(p + 4 + n, "\r"), p + 4 + n);
			break;
		}
	return value;
}

const char *
client_text(struct client *c)
{
	uint8_t *end = tf_buf_room(&c->body, 1);
	assert_non_null(end);
	*end = 0;
	return (const char *)c->body.p;
}

int
client_get(struct client *c, const char *target)
{
	char request[512];
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
	client_say(c, request);
	client_hear(c, false);
	assert_true(c->whole);
	return c->status;
}

void
client_ended(struct client *c)
{
	assert_int_equal(c->in.n, 0);
	assert_false(receive(c));
}

void
client_close(struct client *c)
{
	close(c->fd);
	tf_buf_release(&c->in);
	tf_buf_release(&c->body);
}

void
client_reset(struct client *c)
{
	struct linger abrupt = {1, 0};
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
	client_close(c);
}
