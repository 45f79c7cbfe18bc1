/* The event loop; see server.h. */
#include "base/mem.h"
#include "h2.h"
#include "server_impl.h"

#define EVENTS_MAX  256
#define ACCEPT_MAX  64 /* in one round: the others get their turn */
#define SWEEP_EVERY (TF_SEC / 4)
#define BACKLOG     1024

static const struct tf_metric table[] = {
#define X(id, k, n, h, l, v, d) TF_METRIC(k, n, h, l, v, d),
#include "serve/metrics.def"
#undef X
};

static void
defaults(struct tf_server_options *o)
{
#define DEFAULT(field, value) o->field = o->field ? o->field : (value)
	DEFAULT(connections_max, 1024);
	DEFAULT(bodies_max, 256u << 20);
	DEFAULT(streams_max, 4096);
	DEFAULT(workers, 2);
	DEFAULT(queue_max, 64);
	DEFAULT(out_bytes, 256u << 10);
	DEFAULT(idle_timeout, 60 * TF_SEC);
	DEFAULT(head_timeout, 10 * TF_SEC);
	DEFAULT(body_timeout, 20 * TF_SEC);
	DEFAULT(send_timeout, 30 * TF_SEC);
	DEFAULT(drain_timeout, 30 * TF_SEC);
#undef DEFAULT
}

static enum tf_err
start(struct tf_server *s, struct tf_fault *f)
{
	s->scratch = tf_malloc(TF_SERVE_RECV_BYTES);
	if (!s->scratch)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a server");
	TF_TRY(tf_map_init(&s->peers, TF_MAP_OWN_KEYS));
	TF_TRY(tf_metrics_new(table, sizeof table / sizeof *table, &s->metrics, f));
	TF_TRY(tf_poll_new(&s->poll, f));
	TF_TRY(tf_waker_new(&s->waker, f));
	TF_TRY(tf_net_listen(s->o.host, s->o.port, BACKLOG, &s->listener, f));
	TF_TRY(tf_poll_add(s->poll, tf_waker_fd(s->waker), TF_POLL_IN, s->waker, f));
	TF_TRY(tf_poll_add(s->poll, s->listener, TF_POLL_IN, &s->listener, f));
	s->listening = true;
	TF_TRY(tf_handshakers(s, f));
	return tf_serve_workers(s, f);
}

enum tf_err
tf_server_new(struct tf_os *os, const struct tf_server_options *o, struct tf_server **out, struct tf_fault *f)
{
	struct tf_server *s = tf_calloc(1, sizeof *s);
	if (!s)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a server");
	s->os = os;
	s->o = *o;
	s->listener = -1;
	tf_buf_init(&s->lines, 0);
	defaults(&s->o);
	TF_ASSERT(!pthread_mutex_init(&s->lock, NULL) && !pthread_cond_init(&s->room, NULL) &&
		  !pthread_cond_init(&s->work, NULL) && !pthread_cond_init(&s->hands, NULL));
	enum tf_err e = start(s, f);
	if (e) {
		tf_server_free(&s);
		return e;
	}
	*out = s;
	return TF_OK;
}

/* Flushes those touched up to now. One that is touched from here on waits for the next round: it may be a pipelined
 * request's, handled after this round's commit. True: there is one. */
static bool
flush_touched(struct tf_server *s)
{
	pthread_mutex_lock(&s->lock);
	struct tf_conn *next = s->touched;
	s->touched = NULL;
	while (next) {
		struct tf_conn *c = next;
		next = c->touched;
		c->is_touched = false;
		pthread_mutex_unlock(&s->lock);
		tf_conn_flush(c);
		pthread_mutex_lock(&s->lock);
	}
	bool more = s->touched != NULL;
	pthread_mutex_unlock(&s->lock);
	return more;
}

void
tf_server_free(struct tf_server **server)
{
	struct tf_server *s = *server;
	if (!s)
		return;
	tf_serve_workers_end(s);
	tf_handshakers_end(s);
	while (s->conns) {
		s->conns->phase = TF_CONN_IDLE;
		tf_conn_closed(s->conns);
	}
	(void)flush_touched(s); /* they are dead; reaped are those on no list */
	tf_watch_pass(s->o.watch, &s->lines);
	tf_buf_release(&s->lines);
	tf_conn_reap(s);
	tf_net_close(&s->listener);
	tf_waker_free(&s->waker);
	tf_poll_free(&s->poll);
	tf_metrics_free(&s->metrics);
	tf_map_release(&s->peers);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->room);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->hands);
	tf_free(s->scratch);
	tf_free(s);
	*server = NULL;
}

uint16_t
tf_server_port(const struct tf_server *s)
{
	return tf_net_port(s->listener);
}

void
tf_server_stop(struct tf_server *s)
{
	s->stop = true;
	tf_waker_wake(s->waker);
}

void
tf_server_wake(struct tf_server *s)
{
	tf_waker_wake(s->waker);
}

void
tf_server_reload(struct tf_server *s)
{
	s->reload = true;
	tf_waker_wake(s->waker);
}

static void
reload(struct tf_server *s)
{
	struct tf_fault f = {0};
	if (!atomic_exchange(&s->reload, false) || !s->o.tls)
		return;
	if (tf_tls_reload(s->o.tls, &f))
		tf_watch_fault(s->o.watch, "tls.reload_failed", NULL, &f);
	else
		TF_LOG(s->o.watch, TF_LOG_INFO, "tls.reloaded", NULL, TF_KV("generation", tf_tls_generation(s->o.tls)));
}

/* Polls the listener only while a connection would be taken. */
static void
listen_while_room(struct tf_server *s)
{
	bool want = tf_room_any(s) && tf_os_ticks(s->os) >= s->accept_at;
	if (want == s->listening)
		return;
	if (!tf_poll_mod(s->poll, s->listener, want ? TF_POLL_IN : 0, &s->listener, NULL))
		s->listening = want;
}

static void
accept_some(struct tf_server *s)
{
	for (int i = 0; i < ACCEPT_MAX && tf_room_any(s); i++) {
		int fd;
		struct tf_peer peer;
		struct tf_fault f = {0};
		enum tf_err e = tf_net_accept(s->listener, &fd, &peer, &f);
		if (e == TF_BUSY)
			return;
		if (e) {
			tf_watch_fault(s->o.watch, "http.accept_failed", NULL, &f);
			s->accept_at = tf_os_ticks(s->os) + SWEEP_EVERY;
			return;
		}
		if (tf_room_for(s, &peer))
			tf_conn_new(s, fd, &peer);
		else
			tf_net_close(&fd);
	}
}

static void
on_event(struct tf_server *s, const struct tf_poll_event *e)
{
	if (e->data == s->waker) {
		tf_waker_clear(s->waker);
		return;
	}
	if (e->data == &s->listener) {
		if (s->listening)
			accept_some(s);
		return;
	}
	struct tf_conn *c = e->data;
	if (c->dead || c->fd < 0)
		return;
	if (e->events & TF_POLL_CLOSED && !(e->events & TF_POLL_IN && c->polled & TF_POLL_IN)) {
		tf_conn_closed(c);
		return;
	}
	if (e->events & TF_POLL_OUT)
		tf_conn_writable(c);
	if (e->events & TF_POLL_IN)
		tf_conn_readable(c);
}

static void
sweep(struct tf_server *s)
{
	tf_dur now = tf_os_ticks(s->os);
	if (now - s->swept < SWEEP_EVERY)
		return;
	s->swept = now;
	struct tf_conn *next;
	for (struct tf_conn *c = s->conns; c; c = next) {
		next = c->next;
		tf_conn_sweep(c, now);
	}
}

static void
begin_drain(struct tf_server *s)
{
	if (!s->stop || s->draining)
		return;
	s->draining = true;
	s->drain_until = tf_os_ticks(s->os) + s->o.drain_timeout;
	tf_poll_del(s->poll, s->listener);
	tf_net_close(&s->listener);
	s->listening = false;
	struct tf_conn *next;
	for (struct tf_conn *c = s->conns; c; c = next) {
		next = c->next;
		tf_conn_drain(c);
	}
}

/* One round: what came in, the group commit, what goes out. */
static enum tf_err
run_round(struct tf_server *s, tf_dur wait, tf_dur *out_wait, struct tf_fault *f)
{
	struct tf_poll_event events[EVENTS_MAX];
	int n;
	TF_TRY(tf_poll_wait(s->poll, events, EVENTS_MAX, wait, &n, f));
	reload(s);
	for (int i = 0; i < n; i++)
		on_event(s, &events[i]);
	tf_handshakes_back(s);
	sweep(s);
	begin_drain(s);
	*out_wait = s->o.after ? s->o.after(s->o.ctx) : -1;
	s->dispatched = false;
	bool more = flush_touched(s);
	if (tf_h2_send_all(s) || more || s->dispatched)
		*out_wait = 0; /* to its commit */
	tf_watch_pass(s->o.watch, &s->lines);
	tf_conn_reap(s);
	if (!s->draining)
		listen_while_room(s);
	return TF_OK;
}

enum tf_err
tf_server_run(struct tf_server *s, struct tf_fault *f)
{
	tf_dur wait = 0;
	pthread_mutex_lock(&s->lock);
	s->loop = pthread_self();
	s->runs = true;
	pthread_mutex_unlock(&s->lock);
	for (;;) {
		if (wait < 0 || wait > SWEEP_EVERY)
			wait = s->conns || !s->listening ? SWEEP_EVERY : TF_SEC;
		TF_TRY(run_round(s, wait, &wait, f));
		if (s->draining && (!s->conns || tf_os_ticks(s->os) > s->drain_until))
			return TF_OK;
	}
}
