/* One connection: bytes from the socket through the reader into the exchange, the answer back; see server.h. */
#include "base/mem.h"
#include "h2.h"
#include "server_impl.h"

#define LINGER_FOR  (2 * TF_SEC)
#define RESTS_AFTER TF_SEC
#define BODY_RATE   1024 /* bytes a second, after body_timeout */
#define TURN        16   /* receives of a connection with streams before others have theirs */

static tf_dur
ticks(const struct tf_conn *c)
{
	return tf_os_ticks(c->server->os);
}

static void
poll_to(struct tf_conn *c, unsigned want)
{
	if (c->fd < 0 || want == c->polled)
		return;
	c->polled = want;
	if (tf_poll_mod(c->server->poll, c->fd, want, c, NULL))
		tf_conn_closed(c);
}

/* While an answer is made nothing is read. The poller is told so when something comes, not before: most are answered
 * sooner, and cost no call. */
static void
poll_for(struct tf_conn *c)
{
	unsigned want = c->phase == TF_CONN_ANSWER ? c->polled & TF_POLL_IN : TF_POLL_IN;
	if (c->phase == TF_CONN_HANDSHAKE && c->tls_wants & TF_TLS_WANT_WRITE)
		want = 0; /* what came is read when that is sent */
	if (c->sent < c->sending.n || c->tls_wants & TF_TLS_WANT_WRITE)
		want |= TF_POLL_OUT;
	poll_to(c, want);
}

static void
exchange_init(struct tf_conn *c)
{
	struct tf_exchange *x = &c->x;
	*x = (struct tf_exchange){.conn = c};
	tf_arena_init(&x->arena, "request", TF_SERVE_ARENA_BYTES);
	tf_buf_init(&x->body, 0);
	tf_buf_init(&x->extra, 4096);
	tf_buf_init(&x->out, 0);
}

static void
exchange_release(struct tf_conn *c)
{
	struct tf_exchange *x = &c->x;
	c->server->bodies -= x->reserved;
	tf_metric_set(c->server->metrics, TF_SERVE_BODIES, 0, (int64_t)c->server->bodies);
	tf_arena_release(&x->arena);
	tf_buf_release(&x->body);
	tf_buf_release(&x->extra);
	tf_buf_release(&x->out);
}

static void
conn_init(struct tf_conn *c, struct tf_server *s, int fd, const struct tf_peer *peer)
{
	c->server = s;
	c->fd = fd;
	c->peer = *peer;
	c->since = c->moved = tf_os_ticks(s->os);
	tf_http_in_init(&c->in, 0);
	tf_buf_init(&c->early, 0);
	tf_buf_init(&c->sending, 0);
	exchange_init(c);
}

static void
put_first(struct tf_conn **first, struct tf_conn *c)
{
	c->next = *first;
	if (c->next)
		c->next->prev = c;
	*first = c;
}

struct tf_conn *
tf_conn_stream(struct tf_conn *under)
{
	struct tf_conn *c = tf_calloc(1, sizeof *c);
	if (!c)
		return NULL;
	conn_init(c, under->server, TF_H2_FD, &under->peer);
	c->under = under;
	c->tls = under->tls;
	c->phase = TF_CONN_HEAD;
	c->x.begun = c->since;
	put_first(&under->streams, c);
	tf_room_waits_no_more(under);
	return c;
}

void
tf_conn_new(struct tf_server *s, int fd, const struct tf_peer *peer)
{
	struct tf_conn *c = tf_calloc(1, sizeof *c);
	if (c) {
		c->server = s;
		c->peer = *peer;
		c->handshake = s->o.tls ? tf_calloc(1, sizeof *c->handshake) : NULL;
	}
	if (!c || tf_room_enter(c) || (s->o.tls && !c->handshake) || tf_poll_add(s->poll, fd, TF_POLL_IN, c, NULL)) {
		if (c) {
			tf_room_leave(c);
			tf_free(c->handshake);
		}
		tf_free(c);
		tf_net_close(&fd);
		return;
	}
	c->phase = c->handshake ? TF_CONN_HANDSHAKE : TF_CONN_IDLE;
	c->polled = TF_POLL_IN;
	conn_init(c, s, fd, peer);
	put_first(&s->conns, c);
	tf_room_waits(c);
	tf_metric_set(s->metrics, TF_SERVE_CONNECTIONS, 0, ++s->conn_count);
}

static void
bury(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	if (c->dead)
		return;
	c->dead = true;
	tf_room_leave(c);
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		*(c->under ? &c->under->streams : &s->conns) = c->next;
	c->queued = s->dead;
	s->dead = c;
	if (c->under) {
		tf_h2_buried(c);
		if (c->under->fd < 0 && !c->under->streams)
			bury(c->under);
		return;
	}
	tf_metric_set(s->metrics, TF_SERVE_CONNECTIONS, 0, --s->conn_count);
}

static void
conn_free(struct tf_conn *c)
{
	exchange_release(c);
	tf_http_in_release(&c->in);
	tf_buf_release(&c->early);
	tf_buf_release(&c->sending);
	tf_h2_free(&c->h2);
	if (!c->under)
		tf_tls_conn_free(&c->tls);
	tf_free(c->handshake);
	tf_free(c);
}

void
tf_conn_reap(struct tf_server *s)
{
	struct tf_conn **at = &s->dead, *c;
	while ((c = *at)) {
		pthread_mutex_lock(&s->lock);
		bool listed = c->is_touched;
		pthread_mutex_unlock(&s->lock);
		if (listed || c->in_handshaker) {
			at = &c->queued;
			continue;
		}
		*at = c->queued;
		conn_free(c);
	}
}

void
tf_conn_closed(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	if (c->under)
		tf_h2_reset(c);
	pthread_mutex_lock(&s->lock);
	if (c->under)
		c->fd = -1;
	if (c->in_handshaker) {
		c->handshake->gone = true;
		tf_poll_del(s->poll, c->fd);
	} else {
		tf_net_close(&c->fd);
	}
	bool held = c->phase == TF_CONN_ANSWER && c->x.state < TF_ANSWER_ENDED;
	pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
	if (c->h2)
		held = tf_h2_closed(c);
	if (held)
		return; /* until its handler ends it */
	if (c->phase == TF_CONN_ANSWER && !c->dead) {
		c->x.state = TF_ANSWER_ABORTED;
		tf_exchange_log(&c->x);
	}
	bury(c);
}

/* The trace and correlation id of the request, or new ones. */
static void
take_ids(struct tf_conn *c)
{
	struct tf_exchange *x = &c->x;
	const struct tf_http_request *q = &c->in.request;
	struct tf_trace from;
	if (!tf_http_repeated(q, "traceparent") && !tf_trace_parse(tf_http_header(q, "traceparent"), &from)) {
		tf_trace_child(c->server->os, &from, &x->trace);
		memcpy(x->parent, from.span, sizeof x->parent);
	} else {
		tf_trace_new(c->server->os, &x->trace);
		tf_spans_decide(c->server->o.spans, &x->trace);
	}
	enum tf_err ignored = TF_INVALID;
	if (!tf_http_repeated(q, "x-correlation-id"))
		ignored = tf_trace_correlate(&x->trace, tf_http_header(q, "x-correlation-id"));
	(void)ignored; /* a bad one is replaced by the trace id */
}

static void
refuse(struct tf_conn *c, int status, const char *why)
{
	c->close = true;
	c->phase = TF_CONN_ANSWER;
	tf_room_waits_no_more(c);
	c->x.bodyless = tf_str_eq(c->in.request.method, TF_STR("HEAD"));
	if (!c->x.route)
		take_ids(c);
	c->x.route = NULL;
	tf_reply_refusal(&c->x, status, why);
}

static void
overload(struct tf_conn *c)
{
	struct tf_fault f = {TF_OVERLOAD, "too many bodies are being received"};
	c->close = true;
	c->phase = TF_CONN_ANSWER;
	tf_reply_fault(&c->x, &f, NULL);
}

static bool
reserve(struct tf_conn *c, uint64_t bytes)
{
	struct tf_server *s = c->server;
	if (bytes > s->o.bodies_max || s->bodies > s->o.bodies_max - bytes) {
		overload(c);
		return false;
	}
	s->bodies += bytes;
	c->x.reserved += bytes;
	tf_metric_set(s->metrics, TF_SERVE_BODIES, 0, (int64_t)s->bodies);
	return true;
}

static void
on_head(struct tf_conn *c)
{
	const struct tf_http_request *q = &c->in.request;
	struct tf_exchange *x = &c->x;
	bool body = q->chunked || (q->length != TF_HTTP_BODY_NONE && q->length);
	x->bodyless = tf_str_eq(q->method, TF_STR("HEAD"));
	struct tf_fault why = {0};
	tf_room_waits_no_more(c);
	take_ids(c);
	if (!tf_conn_certificate_good(c, &why)) {
		tf_conn_tell_refused(c, x, 401, why.text);
		refuse(c, 401, why.text);
		return;
	}
	c->close = q->close || body; /* a body that nobody will read */
	if (!tf_route_find(x)) {
		c->phase = TF_CONN_ANSWER;
		return;
	}
	c->close = q->close;
	c->in.body_max = x->route->body_max;
	c->phase = TF_CONN_BODY;
	if (!q->chunked && body && q->length <= c->in.body_max && !reserve(c, q->length))
		return;
	if (!body || !q->expects_continue || (!q->chunked && q->length > c->in.body_max))
		return;
	if (c->under)
		tf_h2_continue(c);
	else
		tf_buf_cstr(&c->sending, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void
on_body(struct tf_conn *c)
{
	struct tf_exchange *x = &c->x;
	if (c->in.request.chunked && !reserve(c, c->in.piece.n))
		return;
	if (!x->body.n && !c->in.request.chunked)
		tf_buf_room(&x->body, (size_t)c->in.request.length);
	tf_buf_str(&x->body, c->in.piece);
	if (x->body.err)
		overload(c);
}

static void
dispatch(struct tf_conn *c)
{
	struct tf_exchange *x = &c->x;
	c->phase = TF_CONN_ANSWER;
	c->server->dispatched = true;
	void *ctx = c->server->o.ctx;
	if (!(x->route->flags & TF_ROUTE_WORKER))
		x->route->handle(ctx, x);
	else if (!x->route->gate || x->route->gate(ctx, x))
		tf_exchange_to_worker(x);
}

void
tf_conn_event(struct tf_conn *c, enum tf_http_event e)
{
	if (e == TF_HTTP_HEAD)
		on_head(c);
	else if (e == TF_HTTP_BODY)
		on_body(c);
	else if (e == TF_HTTP_DONE)
		dispatch(c);
	else
		refuse(c, c->in.status, c->in.why);
}

/* Reads requests until one is to be answered; returns what was not looked at. */
static struct tf_str
input(struct tf_conn *c, struct tf_str bytes)
{
	c->moved = ticks(c);
	if (c->phase == TF_CONN_IDLE && bytes.n) {
		c->phase = TF_CONN_HEAD;
		c->since = c->x.begun = c->moved;
		tf_room_waits(c);
	}
	while (c->phase == TF_CONN_HEAD || c->phase == TF_CONN_BODY) {
		enum tf_http_event e = tf_http_in_feed(&c->in, &bytes);
		if (e == TF_HTTP_MORE) {
			if (c->phase == TF_CONN_HEAD && !tf_http_in_begun(&c->in))
				c->phase = TF_CONN_IDLE; /* an empty line is no request yet */
			break;
		}
		tf_conn_event(c, e);
	}
	return bytes;
}

/* Keeps pipelined bytes: at most what one receive gave. Without memory for them the connection is closed; c->close is
 * not touched, a worker may be reading it. */
static void
keep_early(struct tf_conn *c, struct tf_str bytes)
{
	if (c->close)
		return;
	tf_buf_str(&c->early, bytes);
	if (c->early.err)
		tf_conn_closed(c);
}

/* Sends what it can of what was taken; false when the connection broke. */
static bool
send_some(struct tf_conn *c)
{
	while (c->sent < c->sending.n || (c->h2 && tf_h2_pull(c))) {
		size_t n;
		enum tf_err e = tf_conn_send(c, c->sending.p + c->sent, c->sending.n - c->sent, &n);
		if (e == TF_BUSY)
			return true;
		if (e)
			return false;
		c->sent += n;
		c->moved = ticks(c);
	}
	return true;
}

/* One receive; false when there was nothing, or the connection ended. */
static bool
receive(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	size_t n;
	enum tf_err e = tf_conn_recv(c, s->scratch, TF_SERVE_RECV_BYTES, &n);
	if (e == TF_BUSY)
		return false;
	if (e) {
		tf_conn_closed(c);
		return false;
	}
	if (c->phase == TF_CONN_HTTP2)
		tf_h2_feed(c, tf_str_n(s->scratch, n));
	else if (c->phase != TF_CONN_LINGER)
		keep_early(c, input(c, tf_str_n(s->scratch, n)));
	return true;
}

/* Nothing more is sent. */
static void
linger(struct tf_conn *c)
{
	c->phase = TF_CONN_LINGER;
	c->since = ticks(c);
	if (c->tls)
		tf_tls_shutdown(c->tls);
	tf_net_shutdown(c->fd);
}

void
tf_conn_push(struct tf_conn *c)
{
	if (c->dead || c->fd < 0)
		return;
	if (!send_some(c) || c->h2->failed)
		tf_conn_closed(c);
	else if (tf_h2_over(c))
		linger(c);
	if (tf_conn_pending(c))
		tf_exchange_touch(&c->x); /* it had its turn */
	poll_for(c);
}

/* Receives while TLS has more; from a connection with streams no more than its turn. */
static void
receive_all(struct tf_conn *c)
{
	for (int i = 0; receive(c) && tf_conn_pending(c) && (!c->h2 || i < TURN); i++)
		;
}

/* After what came. */
static void
go_on(struct tf_conn *c)
{
	if (c->h2) {
		tf_conn_push(c);
		return;
	}
	if (c->dead || c->fd < 0)
		return;
	if (!send_some(c)) /* `100 Continue`; an answer waits for its commit */
		tf_conn_closed(c);
	poll_for(c);
}

void
tf_conn_readable(struct tf_conn *c)
{
	if (c->dead || c->fd < 0 || c->in_handshaker)
		return;
	if (c->phase == TF_CONN_ANSWER) {
		poll_to(c, c->polled & ~(unsigned)TF_POLL_IN);
		return;
	}
	if (c->phase == TF_CONN_HANDSHAKE) {
		if (c->server->handshaker_count)
			poll_to(c, 0);
		if (!c->dead)
			tf_handshake_step(c);
		return;
	}
	receive_all(c);
	go_on(c);
}

void
tf_conn_shaken(struct tf_conn *c)
{
	if (tf_conn_shook_hands(c))
		receive_all(c);
	go_on(c);
}

void
tf_conn_writable(struct tf_conn *c)
{
	if (c->dead || c->fd < 0)
		return;
	if (c->phase == TF_CONN_HANDSHAKE || c->tls_wants & TF_TLS_WANT_WRITE) {
		tf_conn_readable(c);
		return;
	}
	if (c->h2) {
		tf_conn_push(c);
		return;
	}
	if (!send_some(c))
		tf_conn_closed(c);
	else if (c->sent == c->sending.n)
		tf_exchange_touch(&c->x);
	poll_for(c);
}

/* The answer was sent whole. */
static void
exchange_over(struct tf_conn *c)
{
	tf_exchange_log(&c->x);
	exchange_release(c);
	exchange_init(c);
	tf_buf_release(&c->sending);
	c->sent = 0;
	if (c->close || c->server->draining) {
		linger(c);
		return;
	}
	struct tf_str rest = tf_str_n((const char *)c->early.p + c->early_at, c->early.n - c->early_at);
	tf_http_in_next(&c->in, 0, rest.n > 0);
	c->phase = TF_CONN_IDLE;
	c->since = ticks(c);
	if (!rest.n)
		return;
	c->early_at = c->early.n - input(c, rest).n;
	if (c->early_at == c->early.n) {
		tf_buf_release(&c->early);
		c->early_at = 0;
	}
}

enum tf_answer
tf_conn_take(struct tf_conn *c, bool *out_more)
{
	struct tf_server *s = c->server;
	pthread_mutex_lock(&s->lock);
	if (c->sent == c->sending.n) {
		struct tf_buf empty = c->sending;
		tf_buf_reset(&empty);
		c->sending = c->x.out;
		c->x.out = empty;
		c->sent = 0;
		pthread_cond_broadcast(&s->room);
	}
	enum tf_answer state = c->x.state;
	*out_more = c->x.out.n > 0;
	pthread_mutex_unlock(&s->lock);
	return state;
}

void
tf_conn_flush(struct tf_conn *c)
{
	if (c->dead)
		return;
	if (c->under) {
		tf_h2_flush(c);
		return;
	}
	if (tf_conn_pending(c)) {
		tf_conn_readable(c);
		return;
	}
	bool more = true;
	enum tf_answer state = TF_ANSWER_NONE;
	while (more && c->fd >= 0) {
		state = tf_conn_take(c, &more);
		if (!send_some(c)) {
			tf_conn_closed(c);
			return;
		}
		if (c->sent < c->sending.n)
			break;
	}
	if (c->fd < 0) {
		if (c->phase == TF_CONN_ANSWER)
			tf_conn_closed(c);
		return;
	}
	if (c->sent == c->sending.n && state == TF_ANSWER_ABORTED) {
		tf_conn_closed(c);
		return;
	}
	if (c->sent == c->sending.n && state == TF_ANSWER_ENDED)
		exchange_over(c);
	if (tf_conn_pending(c))
		tf_exchange_touch(&c->x); /* TLS holds what the poller no longer tells of */
	poll_for(c);
}

static bool
too_slow(const struct tf_conn *c, tf_dur now)
{
	tf_dur limit = c->server->o.body_timeout, past = now - c->since - limit;
	return now - c->moved > limit || (past > 0 && c->in.body < (uint64_t)(past / TF_SEC) * BODY_RATE);
}

void
tf_conn_sweep(struct tf_conn *c, tf_dur now)
{
	const struct tf_server_options *o = &c->server->o;
	/* In this order: the TLS of one in its handshake is its handshaker's. */
	if (c->phase != TF_CONN_HANDSHAKE && c->tls && now - c->moved > RESTS_AFTER)
		tf_tls_rest(c->tls);
	switch (c->phase) {
	case TF_CONN_IDLE:
		if (now - c->since > o->idle_timeout)
			tf_conn_closed(c);
		break;
	case TF_CONN_HANDSHAKE:
		if (now - c->since > o->head_timeout)
			tf_conn_closed(c);
		break;
	case TF_CONN_HEAD:
		if (now - c->since > o->head_timeout)
			refuse(c, 408, "the request's head came too slowly");
		break;
	case TF_CONN_BODY:
		if (too_slow(c, now))
			refuse(c, 408, "the request's body came too slowly");
		break;
	case TF_CONN_HTTP2:
		tf_h2_sweep(c, now);
		break;
	case TF_CONN_ANSWER:
		if (c->fd >= 0 && c->sent < c->sending.n && now - c->moved > o->send_timeout)
			tf_conn_closed(c);
		break;
	case TF_CONN_LINGER:
		if (now - c->since > LINGER_FOR)
			tf_conn_closed(c);
		break;
	}
}

void
tf_conn_drain(struct tf_conn *c)
{
	if (c->phase <= TF_CONN_IDLE)
		tf_conn_closed(c);
	else if (c->phase == TF_CONN_HTTP2)
		tf_h2_drain(c);
}
