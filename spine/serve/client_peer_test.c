/* The server of the client's tests; see client_peer_test.h. */
#include "client_peer_test.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "serve/curl_load.h"

#define SOON 20 /* seconds: more than any of these takes */

static void
count_connection(struct peer *p, struct tf_exchange *x)
{
	uint16_t port = tf_exchange_peer(x)->port;
	for (unsigned i = 0; i < p->connections; i++)
		if (p->ports[i] == port)
			return;
	if (p->connections < PEER_CONNECTIONS)
		p->ports[p->connections++] = port;
}

static void
on_x(void *ctx, struct tf_exchange *x)
{
	struct peer *p = ctx;
	pthread_mutex_lock(&p->lock);
	count_connection(p, x);
	p->x(p, x, p->requests++);
	pthread_mutex_unlock(&p->lock);
}

static void
on_token(void *ctx, struct tf_exchange *x)
{
	struct peer *p = ctx;
	pthread_mutex_lock(&p->lock);
	count_connection(p, x);
	p->token(p, x, p->tokens++);
	pthread_mutex_unlock(&p->lock);
}

static const struct tf_route routes[] = {{"GET", "/x", on_x, .query = "q"},
					 {"POST", "/x", on_x, .body_max = 1 << 20},
					 {"PUT", "/x", on_x, .body_max = 1 << 20},
					 {"DELETE", "/x", on_x},
					 {"POST", "/token", on_token, .body_max = 1 << 16},
					 {0}};

static void
drop_line(void *ctx, struct tf_str line)
{
	(void)ctx;
	(void)line;
}

static void
run(void *arg)
{
	(void)!tf_server_run(((struct peer *)arg)->server, NULL);
}

struct peer *
peer_start(const char *host, struct tf_tls *tls, peer_answer *x, peer_answer *token)
{
	if (!tf_curl())
		skip();
	struct peer *p = tf_calloc(1, sizeof *p);
	assert_non_null(p);
	p->x = x;
	p->token = token;
	pthread_mutex_init(&p->lock, NULL);
	tf_buf_init(&p->seen, 0);
	tf_watch_init(&p->watch, tf_os_real(), "peer", TF_LOG_INFO, drop_line, NULL);
	struct tf_server_options o = {
		.host = host ? host : "127.0.0.1", .routes = routes, .ctx = p, .watch = &p->watch, .tls = tls};
	OK(tf_server_new(tf_os_real(), &o, &p->server, NULL));
	OK(tf_os_start(tf_os_real(), run, p, &p->runner, NULL));
	snprintf(p->origin, sizeof p->origin, "%s://%s:%u", tls ? "https" : "http", o.host, tf_server_port(p->server));
	snprintf(p->url, sizeof p->url, "%s/x", p->origin);
	snprintf(p->token_url, sizeof p->token_url, "%s/token", p->origin);
	return p;
}

void
peer_end(struct peer **peer)
{
	struct peer *p = *peer;
	tf_server_stop(p->server);
	tf_worker_join(&p->runner);
	tf_server_free(&p->server);
	tf_watch_release(&p->watch);
	tf_buf_release(&p->seen);
	pthread_mutex_destroy(&p->lock);
	tf_free(p);
	*peer = NULL;
}

unsigned
peer_count(struct peer *p, const unsigned *count)
{
	pthread_mutex_lock(&p->lock);
	unsigned n = *count;
	pthread_mutex_unlock(&p->lock);
	return n;
}

void
peer_set(struct peer *p, int state)
{
	pthread_mutex_lock(&p->lock);
	p->state = state;
	pthread_mutex_unlock(&p->lock);
}

void
peer_saw(struct peer *p, const char *wanted)
{
	pthread_mutex_lock(&p->lock);
	char *seen = tf_strndup((const char *)p->seen.p, p->seen.n);
	pthread_mutex_unlock(&p->lock);
	assert_string_equal(seen, wanted);
	tf_free(seen);
}

void
peer_say(struct tf_exchange *x, int status, const char *text)
{
	tf_reply(x, status, "text/plain", tf_str(text));
}

void
say_now(struct peer *p, struct tf_exchange *x, unsigned number)
{
	(void)p;
	(void)number;
	peer_say(x, 200, "now");
}

struct tf_client *client;
struct tf_client_answer answer;
struct tf_fault fault;

struct tf_client_options
client_quick(struct tf_client_options o)
{
	o.wait_first = o.wait_first ? o.wait_first : 1000;
	o.wait_max = o.wait_max ? o.wait_max : 4000;
	o.timeout = o.timeout ? o.timeout : 10 * TF_SEC;
	o.deadline = o.deadline ? o.deadline : 20 * TF_SEC;
	return o;
}

void
with(struct tf_client_options o)
{
	o = client_quick(o);
	tf_client_free(&client);
	OK(tf_client_new(tf_os_real(), &o, &client, NULL));
}

tf_dur
ticks(void)
{
	return tf_os_ticks(tf_os_real());
}

void
outcomes_init(struct outcomes *o)
{
	*o = (struct outcomes){0};
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->moved, NULL);
}

void
outcomes_note(void *ctx, enum tf_err e, const struct tf_client_answer *a, const struct tf_fault *f)
{
	struct outcomes *o = ctx;
	pthread_mutex_lock(&o->lock);
	o->count++;
	o->ok += e == TF_OK;
	o->last = e;
	o->answer = *a;
	o->answer.body = (struct tf_str){0};
	o->fault = *f;
	pthread_cond_broadcast(&o->moved);
	pthread_mutex_unlock(&o->lock);
}

void
outcomes_await(struct outcomes *o, unsigned count)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SOON;
	pthread_mutex_lock(&o->lock);
	while (o->count < count)
		assert_int_equal(pthread_cond_timedwait(&o->moved, &o->lock, &until), 0);
	pthread_mutex_unlock(&o->lock);
}

const struct outcomes *
send_many(const struct tf_client_request *r, unsigned count)
{
	static struct outcomes all; /* a failed test leaves calls behind */
	outcomes_init(&all);
	for (unsigned i = 0; i < count; i++)
		OK(tf_client_send(client, r, outcomes_note, &all, NULL));
	outcomes_await(&all, count);
	return &all;
}
