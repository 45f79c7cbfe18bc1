/* A connection's HTTP/2 session: bytes in and out, its floods, its time, its end; see h2.h. */
#include "h2.h"

#include "base/mem.h"

#define DRAIN_WAIT TF_SEC /* for the client to have seen that no more streams are wanted */

static void *
mem_malloc(size_t n, void *ctx)
{
	(void)ctx;
	return tf_malloc(n);
}

static void
mem_free(void *p, void *ctx)
{
	(void)ctx;
	tf_free(p);
}

static void *
mem_calloc(size_t count, size_t size, void *ctx)
{
	(void)ctx;
	return tf_calloc(count, size);
}

static void *
mem_realloc(void *p, size_t n, void *ctx)
{
	(void)ctx;
	return tf_realloc(p, n);
}

static tf_dur
ticks(const struct tf_h2 *h2)
{
	return tf_os_ticks(h2->conn->server->os);
}

bool
tf_h2_spend(struct tf_h2 *h2, struct tf_h2_calm *calm, uint32_t burst, uint32_t rate)
{
	tf_dur now = ticks(h2);
	uint64_t more = (uint64_t)(now - calm->at) * rate / TF_SEC;
	if (more) {
		calm->left = calm->left + more < burst ? calm->left + more : burst;
		calm->at = now;
	}
	if (!calm->left)
		return false;
	calm->left--;
	return true;
}

int
tf_h2_calm_down(struct tf_h2 *h2, const char *why)
{
	struct tf_server *s = h2->conn->server;
	if (!h2->calmed) {
		tf_metric_add(s->metrics, TF_SERVE_CALMED, 0, 1);
		TF_LOG(s->o.watch, TF_LOG_WARN, "http2.calmed", NULL, TF_KV("peer", (const char *)h2->conn->peer.host),
		       TF_KV("reason", why));
	}
	h2->calmed = true;
	h2->failed |= nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM) != 0;
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A frame that costs its sender little and means nothing for a request. */
static int
control(struct tf_h2 *h2)
{
	if (tf_h2_spend(h2, &h2->controls, TF_H2_CONTROLS, TF_H2_CONTROLS_RATE))
		return 0;
	return tf_h2_calm_down(h2, "too many PING, SETTINGS, PRIORITY or empty frames");
}

static int
broken_stream(struct tf_h2 *h2)
{
	if (tf_h2_spend(h2, &h2->resets, TF_H2_RESETS, TF_H2_RESETS_RATE))
		return 0;
	return tf_h2_calm_down(h2, "too many streams were reset");
}

/* From here on no stream begins: what the client sends on a new one it may send elsewhere. */
static void
go_away(struct tf_h2 *h2)
{
	if (h2->goaway)
		return;
	h2->goaway = true;
	h2->failed |= nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
					    nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR,
					    NULL, 0) != 0;
	tf_h2_due(h2->conn);
}

/* RFC 9113, 5.1.1: a number that was left out is closed. nghttp2 throws such a HEADERS frame away, since it does not
 * tell it from one on a stream that it has forgotten. */
static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *ctx)
{
	struct tf_h2 *h2 = ctx;
	size_t room = sizeof h2->skipped / sizeof *h2->skipped;
	int32_t id = hd->stream_id;
	if (hd->type != NGHTTP2_HEADERS || id % 2 == 0)
		return 0;
	for (size_t i = 0; i < room; i++)
		if (id > h2->skipped[i].from && id < h2->skipped[i].to)
			h2->failed |= nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR) != 0;
	if (id <= h2->newest)
		return 0;
	if (id > h2->newest + 2) {
		h2->skipped[h2->skips % room].from = h2->newest;
		h2->skipped[h2->skips++ % room].to = id;
	}
	h2->newest = id;
	return 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct tf_h2 *h2 = ctx;
	(void)session;
	bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK, end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		tf_h2_headers(h2, frame);
		h2->waits_since = 0;
		if (end)
			tf_h2_ended(h2, frame->hd.stream_id);
		return 0;
	case NGHTTP2_DATA:
		if (end)
			tf_h2_ended(h2, frame->hd.stream_id);
		return end || frame->hd.length ? 0 : control(h2);
	case NGHTTP2_RST_STREAM:
		return tf_h2_lingers(h2, frame->hd.stream_id) ? 0 : broken_stream(h2);
	case NGHTTP2_SETTINGS:
		h2->waits_since = 0;
		return ack ? 0 : control(h2);
	case NGHTTP2_PING:
		if (ack && h2->drain_since)
			go_away(h2); /* it knew of the drain before all that comes now */
		return ack ? 0 : control(h2);
	case NGHTTP2_WINDOW_UPDATE:
		return 0;
	default:
		return control(h2);
	}
}

static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *ctx)
{
	struct tf_h2 *h2 = ctx;
	(void)session;
	(void)frame;
	(void)error;
	h2->waits_since = 0;
	tf_metric_add(h2->conn->server->metrics, TF_SERVE_REFUSED, 0, 1);
	return 0;
}

/* A stream that the session resets because of what the client sent counts as one that the client reset. */
static bool
clients_fault(uint32_t code)
{
	return code != NGHTTP2_NO_ERROR && code != NGHTTP2_REFUSED_STREAM && code != NGHTTP2_CANCEL &&
	       code != NGHTTP2_INTERNAL_ERROR;
}

static int
on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct tf_h2 *h2 = ctx;
	if (frame->hd.type == NGHTTP2_RST_STREAM && clients_fault(frame->rst_stream.error_code))
		(void)broken_stream(h2);
	if (frame->hd.type == NGHTTP2_GOAWAY && h2->drain_since && !h2->goaway) /* behind it: a PING goes first */
		h2->failed |= nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL) != 0;
	bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
	if (carries && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		tf_h2_answered(h2, frame->hd.stream_id);
	return 0;
}

static bool
set_up(struct tf_h2 *h2, nghttp2_session_callbacks *cb, nghttp2_option *option)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, TF_H2_STREAMS},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, TF_H2_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, TF_HTTP_HEAD_BYTES},
	};
	nghttp2_mem mem = {NULL, mem_malloc, mem_free, mem_calloc, mem_realloc};
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	tf_h2_stream_callbacks(cb);
	nghttp2_option_set_max_outbound_ack(option, TF_H2_ACKS);
	return nghttp2_session_server_new3(&h2->session, cb, h2, option, &mem) == 0 &&
	       nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) ==
		       0 &&
	       nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, TF_H2_WINDOW) == 0;
}

bool
tf_h2_open(struct tf_conn *c)
{
	struct tf_h2 *h2 = tf_calloc(1, sizeof *h2);
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_option *option = NULL;
	if (h2) {
		h2->conn = c;
		h2->newest = -1;
		tf_http_fields_init(&h2->fields);
		h2->resets.left = TF_H2_RESETS;
		h2->controls.left = TF_H2_CONTROLS;
		h2->waits_since = h2->resets.at = h2->controls.at = ticks(h2);
	}
	bool ok = h2 && !nghttp2_session_callbacks_new(&cb) && !nghttp2_option_new(&option) && set_up(h2, cb, option);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(option);
	if (!ok) {
		tf_h2_free(&h2);
		tf_conn_closed(c);
		return false;
	}
	c->h2 = h2;
	c->phase = TF_CONN_HTTP2;
	return true;
}

void
tf_h2_free(struct tf_h2 **at)
{
	struct tf_h2 *h2 = *at;
	if (!h2)
		return;
	nghttp2_session_del(h2->session);
	tf_http_fields_release(&h2->fields);
	tf_free(h2);
	*at = NULL;
}

void
tf_h2_feed(struct tf_conn *c, struct tf_str bytes)
{
	struct tf_h2 *h2 = c->h2;
	if (h2->calmed)
		return;
	ssize_t n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.p, bytes.n);
	if (n == NGHTTP2_ERR_FLOODED)
		(void)tf_h2_calm_down(h2, "PING or SETTINGS are not awaited");
	else if (n < 0 && !h2->calmed)
		tf_conn_closed(c);
}

bool
tf_h2_pull(struct tf_conn *c)
{
	struct tf_h2 *h2 = c->h2;
	const uint8_t *p;
	ssize_t n = 0;
	if (c->phase != TF_CONN_HTTP2 || c->sent < c->sending.n)
		return false;
	tf_buf_reset(&c->sending);
	c->sent = 0;
	while (c->sending.n < TF_H2_UNSENT && (n = nghttp2_session_mem_send(h2->session, &p)) > 0)
		tf_buf_put(&c->sending, p, (size_t)n);
	h2->failed |= n < 0 || c->sending.err;
	if (c->sending.n)
		c->moved = ticks(h2);
	else if (!c->streams)
		tf_buf_release(&c->sending);
	return c->sending.n > 0 && !h2->failed;
}

bool
tf_h2_over(struct tf_conn *c)
{
	struct tf_h2 *h2 = c->h2;
	if (c->phase != TF_CONN_HTTP2 || c->sent < c->sending.n || nghttp2_session_want_write(h2->session) ||
	    (nghttp2_session_want_read(h2->session) && !h2->calmed))
		return false;
	(void)tf_h2_closed(c);
	return true;
}

bool
tf_h2_closed(struct tf_conn *c)
{
	struct tf_conn *next;
	for (struct tf_conn *stream = c->streams; stream; stream = next) {
		next = stream->next;
		stream->stream.id = 0;
		if (c->phase == TF_CONN_IDLE) /* the server is freed: no handler is left */
			stream->phase = TF_CONN_IDLE;
		tf_conn_closed(stream);
	}
	return c->streams != NULL;
}

void
tf_h2_sweep(struct tf_conn *c, tf_dur now)
{
	struct tf_h2 *h2 = c->h2;
	const struct tf_server_options *o = &c->server->o;
	if (c->fd < 0)
		return;
	if ((c->sent < c->sending.n && now - c->moved > o->send_timeout) ||
	    (h2->waits_since && now - h2->waits_since > o->head_timeout)) {
		tf_conn_closed(c);
		return;
	}
	if (h2->drain_since && now - h2->drain_since > DRAIN_WAIT)
		go_away(h2);
	if (!c->streams && now - c->since > o->idle_timeout) {
		c->since = now;
		go_away(h2);
	}
	struct tf_conn *next;
	for (struct tf_conn *stream = c->streams; stream; stream = next) {
		next = stream->next;
		tf_conn_sweep(stream, now);
	}
}

void
tf_h2_drain(struct tf_conn *c)
{
	struct tf_h2 *h2 = c->h2;
	h2->drain_since = ticks(h2);
	h2->failed |= nghttp2_submit_shutdown_notice(h2->session) != 0;
	tf_h2_due(c);
}

void
tf_h2_due(struct tf_conn *c)
{
	struct tf_h2 *h2 = c->h2;
	if (h2->due)
		return;
	h2->due = true;
	h2->due_next = c->server->h2_due;
	c->server->h2_due = h2;
}

bool
tf_h2_send_all(struct tf_server *s)
{
	struct tf_h2 *h2;
	while ((h2 = s->h2_due)) {
		s->h2_due = h2->due_next;
		h2->due = false;
		tf_conn_push(h2->conn);
	}
	pthread_mutex_lock(&s->lock);
	bool more = s->touched != NULL;
	pthread_mutex_unlock(&s->lock);
	return more;
}
