/* Requests and the connections that carry them; see gateway_load.h. */
#include <stdlib.h>

#include "gateway_load.h"

#define EVENTS 256

/* Requests. */

static void
policy_number(uint64_t policy, char out[static 48])
{
	snprintf(out, 48, "P%010" PRIu64 "%02" PRIu64, policy, 98 - policy * 100 % 97);
}

/* Who asks, and the id that the answer will bear. */
static size_t
write_head(struct load *l, struct conn *c, const char *method, const char *path)
{
	int n = snprintf(c->out, sizeof c->out, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Correlation-Id: load-%" PRIu64 "\r\n",
			 method, path, l->ids.ctx ? "localhost" : l->o.host, l->t.sent);
	size_t left = sizeof c->out - (size_t)n;
	if (c->who)
		n += snprintf(c->out + n, left, "Authorization: Bearer %s\r\n", c->who->token);
	else
		n += snprintf(c->out + n, left, "X-Partner: p%" PRIu64 "\r\n", load_random(&l->random) % l->o.partners);
	return (size_t)n;
}

static void
write_get(struct load *l, struct conn *c)
{
	char number[48], path[128];
	policy_number(load_random(&l->random) % l->o.policies, number);
	if (l->o.path)
		snprintf(path, sizeof path, "%s", l->o.path);
	else
		snprintf(path, sizeof path, "/insure/v1/policies/%s", number);
	c->n = write_head(l, c, "GET", path);
	c->n += (size_t)snprintf(c->out + c->n, sizeof c->out - c->n, "\r\n");
}

static void
write_post(struct load *l, struct conn *c)
{
	char body[512];
	uint64_t r = load_random(&l->random);
	int n = snprintf(
		body, sizeof body,
		"{\"product\":\"TERM_LIFE\",\"sum_insured\":%" PRIu64 ",\"currency\":\"INR\",\"term_years\":%" PRIu64
		",\"start_date\":\"%s\",\"holder\":{\"name\":\"Asha Rao\",\"date_of_birth\":\"1990-04-%02" PRIu64
		"\",\"phone\":\"+9198%08" PRIu64 "\"}}",
		(10 + r % 100) * 5000000, 5 + r % 20, l->o.date, 1 + r % 28, r % 100000000);
	c->n = write_head(l, c, "POST", "/insure/v1/policies");
	c->n += (size_t)snprintf(c->out + c->n, sizeof c->out - c->n,
				 "Idempotency-Key: %s-%016" PRIx64 "-%" PRIu64
				 "\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				 l->o.prefix, r, l->t.sent, n, body);
}

/* Connections. */

static void
watch(struct load *l, struct conn *c, unsigned events)
{
	if (c->polled != events && !tf_poll_mod(l->poll, c->fd, events, c, NULL))
		c->polled = events;
}

void
conn_close(struct conn *c)
{
	tls_end(c);
	tf_net_close(&c->fd);
}

static void
rest(struct load *l, struct conn *c)
{
	c->phase = IDLE;
	if (!l->hold)
		l->idle[l->idle_count++] = (uint64_t)(c - l->conns);
}

static void
broke(struct load *l, struct conn *c)
{
	l->t.broken++;
	conn_close(c);
	rest(l, c);
}

static bool
open_conn(struct load *l, struct conn *c)
{
	if (tf_net_connect(l->o.host, l->o.port, &c->fd, NULL) || tf_poll_add(l->poll, c->fd, TF_POLL_OUT, c, NULL))
		return false;
	c->polled = TF_POLL_OUT;
	c->phase = CONNECTING;
	l->t.opened++;
	return true;
}

static void
push(struct load *l, struct conn *c)
{
	while (c->sent < c->n) {
		size_t n;
		unsigned want = TF_POLL_OUT;
		enum tf_err e = c->ssl ? tls_send(c, c->out + c->sent, c->n - c->sent, &n, &want)
				       : tf_net_send(c->fd, c->out + c->sent, c->n - c->sent, &n, NULL);
		if (e == TF_BUSY) {
			watch(l, c, want);
			return;
		}
		if (e) {
			broke(l, c);
			return;
		}
		c->sent += n;
	}
	c->phase = WAITING;
	watch(l, c, TF_POLL_IN);
}

static void
shake(struct load *l, struct conn *c)
{
	unsigned want = TF_POLL_IN;
	enum tf_err e = tls_handshake(c, &want);
	if (e == TF_BUSY) {
		watch(l, c, want);
	} else if (e) {
		broke(l, c);
	} else {
		l->t.resumed += (uint64_t)SSL_session_reused(c->ssl);
		c->phase = SENDING;
		push(l, c);
	}
}

/* A new connection is another client: in turn until all were introduced, then any. */
static void
become(struct load *l, struct conn *c)
{
	conn_close(c);
	if (!l->ids.count)
		return;
	c->who = &l->ids.list[l->introduced < l->ids.count ? l->introduced++ : load_random(&l->random) % l->ids.count];
	if (l->o.full && load_random(&l->random) % 100 < l->o.full) {
		SSL_SESSION_free(c->who->session);
		c->who->session = NULL;
	}
}

void
conn_begin(struct load *l, struct conn *c, tf_time due, bool fresh)
{
	bool open = fresh || c->fd < 0;
	c->due = due;
	c->sent = c->got = c->want = 0;
	if (open)
		become(l, c);
	if (strcmp(l->o.mode, "post") == 0 && l->from) /* introduced by a read */
		write_post(l, c);
	else
		write_get(l, c);
	l->t.sent++;
	if (!open) {
		c->phase = SENDING;
		push(l, c);
	} else if (!open_conn(l, c)) {
		broke(l, c);
	}
}

static void
count(struct load *l, struct conn *c)
{
	tf_dur now = tf_os_ticks(l->os);
	l->t.done++;
	if (now < l->from || c->due > l->until)
		return;
	l->t.measured++;
	l->t.classes[c->status / 100 < 6 ? c->status / 100 : 0]++;
	tally_latency(&l->t, now - c->due);
}

/* How long the whole answer is, once its head is there. */
static void
measure_answer(struct conn *c)
{
	c->in[c->got] = 0;
	char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "\r\ncontent-length:");
	if (!end || c->got < 12)
		return;
	c->status = atoi(c->in + 9); /* this is no product code: the status is three digits */
	c->want = (size_t)(end - c->in) + 4 + (length && length < end ? (size_t)strtoul(length + 17, NULL, 10) : 0);
}

static void
pull(struct load *l, struct conn *c)
{
	while (!c->want || c->got < c->want) {
		size_t n, room = sizeof c->in - 1 - c->got;
		unsigned want = TF_POLL_IN;
		enum tf_err e = !room    ? TF_TOO_LARGE
				: c->ssl ? tls_recv(c, c->in + c->got, room, &n, &want)
					 : tf_net_recv(c->fd, c->in + c->got, room, &n, NULL);
		if (e == TF_BUSY) {
			watch(l, c, want);
			return;
		}
		if (e) {
			broke(l, c);
			return;
		}
		c->got += n;
		if (!c->want)
			measure_answer(c);
	}
	count(l, c);
	rest(l, c);
}

/* Something came while it was idle: a ticket, or the end. A closed one is opened again when needed. */
static void
stir(struct conn *c)
{
	size_t n;
	unsigned want;
	char byte;
	enum tf_err e = c->ssl ? tls_recv(c, &byte, 1, &n, &want) : tf_net_recv(c->fd, &byte, 1, &n, NULL);
	if (e != TF_BUSY)
		conn_close(c);
}

static void
on_event(struct load *l, const struct tf_poll_event *e)
{
	struct conn *c = e->data;
	if (c->fd < 0)
		return;
	if (c->phase == CONNECTING && e->events & (TF_POLL_OUT | TF_POLL_CLOSED)) {
		if (tf_net_connected(c->fd, NULL) || (c->who && !tls_begin(&l->ids, c))) {
			broke(l, c);
			return;
		}
		c->phase = c->who ? SHAKING : SENDING;
	}
	if (c->phase == SHAKING)
		shake(l, c);
	else if (c->phase == SENDING)
		push(l, c);
	else if (c->phase == WAITING)
		pull(l, c);
	else if (c->phase == IDLE)
		stir(c);
}

enum tf_err
conn_turn(struct load *l, bool wait, int *out_events, struct tf_fault *f)
{
	struct tf_poll_event events[EVENTS];
	TF_TRY(tf_poll_wait(l->poll, events, EVENTS, wait ? TF_SEC / 1000 : 0, out_events, f));
	for (int i = 0; i < *out_events; i++)
		on_event(l, &events[i]);
	return TF_OK;
}
