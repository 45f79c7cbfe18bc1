/* A stream of HTTP/2 and the exchange it carries: fields and data in, head and data out; see h2.h. */
#include "h2.h"

#define HEADERS_OUT 64u /* of an answer */

static struct tf_conn *
find(struct tf_h2 *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2->session, id);
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct tf_h2 *h2 = ctx;
	(void)session;
	h2->trailers = frame->headers.cat != NGHTTP2_HCAT_REQUEST;
	h2->waits_since = tf_os_ticks(h2->conn->server->os);
	tf_http_fields_release(&h2->fields);
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
	  const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
	struct tf_h2 *h2 = ctx;
	struct tf_http_fields *f = &h2->fields;
	(void)session;
	(void)frame;
	(void)flags;
	tf_http_fields_add(f, tf_str_n(name, name_n), tf_str_n(value, value_n));
	if (f->bytes > TF_H2_HEADERS || (h2->trailers && f->count > TF_HTTP_TRAILERS_MAX))
		return tf_h2_calm_down(h2, "a header list is too long");
	return 0;
}

/* NULL where a bound, or memory, does not allow one. */
static struct tf_conn *
begin(struct tf_h2 *h2, int32_t id)
{
	struct tf_server *s = h2->conn->server;
	if (h2->stream_count >= TF_H2_STREAMS || s->streams >= s->o.streams_max)
		return NULL;
	struct tf_conn *c = tf_conn_stream(h2->conn);
	if (!c)
		return NULL;
	c->stream.id = id;
	c->x.begun = h2->waits_since;                                   /* of its first field */
	(void)nghttp2_session_set_stream_user_data(h2->session, id, c); /* it is there: its HEADERS came */
	h2->stream_count++;
	tf_metric_set(s->metrics, TF_SERVE_STREAMS, 0, ++s->streams);
	return c;
}

void
tf_h2_headers(struct tf_h2 *h2, const nghttp2_frame *frame)
{
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return; /* trailers: nobody asks for them */
	int32_t id = frame->hd.stream_id;
	struct tf_conn *c = begin(h2, id);
	if (!c) {
		tf_metric_add(h2->conn->server->metrics, TF_SERVE_OVERLOAD, 0, 1);
		h2->failed |=
			nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM) != 0;
		return;
	}
	bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	tf_conn_event(c, tf_http_in_fields(&c->in, &h2->fields, ends));
	tf_http_fields_release(&h2->fields);
	if (c->phase == TF_CONN_BODY && tf_http_in_data(&c->in, (struct tf_str){0}) == TF_HTTP_REFUSED)
		tf_conn_event(c, TF_HTTP_REFUSED);
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
	struct tf_conn *c = find(ctx, id);
	(void)session;
	(void)flags;
	if (!c || c->phase != TF_CONN_BODY)
		return 0; /* refused or answered already: thrown away */
	c->moved = tf_os_ticks(c->server->os);
	tf_conn_event(c, tf_http_in_data(&c->in, tf_str_n(p, n)));
	return 0;
}

void
tf_h2_ended(struct tf_h2 *h2, int32_t id)
{
	struct tf_conn *c = find(h2, id);
	if (c && c->phase == TF_CONN_BODY)
		tf_conn_event(c, tf_http_in_end(&c->in));
}

void
tf_h2_continue(struct tf_conn *c)
{
	static char name[] = ":status", value[] = "100";
	struct tf_h2 *h2 = c->under->h2;
	nghttp2_nv status = {(uint8_t *)name, (uint8_t *)value, sizeof name - 1, sizeof value - 1,
			     NGHTTP2_NV_FLAG_NONE};
	h2->failed |= nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, c->stream.id, NULL, &status, 1, NULL) < 0;
}

/* Up to `room` bytes of the answer, as far as they were taken after a commit; there may be more after the next. */
static ssize_t
read_answer(nghttp2_session *session, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
	    nghttp2_data_source *source, void *ctx)
{
	struct tf_conn *c = find(ctx, id);
	(void)session;
	(void)source;
	if (!c)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	size_t n = c->sending.n - c->sent;
	n = n < room ? n : room;
	if (n)
		memcpy(out, c->sending.p + c->sent, n);
	c->sent += n;
	c->moved = tf_os_ticks(c->server->os);
	if (c->sent == c->sending.n && c->stream.last)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (!n)
		return NGHTTP2_ERR_DEFERRED;
	else if (c->sent == c->sending.n)
		tf_exchange_touch(&c->x);
	return (ssize_t)n;
}

/* One line of the head as a field; names are brought to lower case where they stand. */
static bool
to_field(struct tf_str line, nghttp2_nv *out)
{
	char *colon = line.n > 2 ? memmem(line.p + 1, line.n - 1, ": ", 2) : NULL;
	if (!colon)
		return false;
	uint8_t *name = (uint8_t *)colon - (colon - line.p), *value = (uint8_t *)colon + 2;
	size_t name_n = (size_t)(colon - line.p);
	for (size_t i = 0; i < name_n; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] |= 32;
	*out = (nghttp2_nv){name, value, name_n, line.n - name_n - 2, NGHTTP2_NV_FLAG_NONE};
	return true;
}

/* Gives the session the head that stands in front of what was taken, and tells it where the body will come from. */
static bool
submit(struct tf_conn *c)
{
	nghttp2_nv fields[HEADERS_OUT];
	nghttp2_data_provider body = {.read_callback = read_answer};
	size_t count = 0;
	struct tf_str rest = tf_buf_view(&c->sending), line;
	while (tf_str_cut(&rest, '\n', &line) && line.n > 1) {
		line.n--; /* the CR */
		if (count == HEADERS_OUT || !to_field(line, &fields[count++]))
			return false;
	}
	c->sent = c->sending.n - rest.n;
	c->stream.answered = true;
	bool empty = !rest.n && c->stream.last;
	return nghttp2_submit_response(c->under->h2->session, c->stream.id, fields, count, empty ? NULL : &body) == 0;
}

void
tf_h2_flush(struct tf_conn *c)
{
	bool more;
	if (c->phase != TF_CONN_ANSWER)
		return;
	enum tf_answer state = c->fd < 0 ? TF_ANSWER_ABORTED : tf_conn_take(c, &more);
	if (state == TF_ANSWER_ABORTED) {
		tf_conn_closed(c);
		return;
	}
	c->stream.last = state == TF_ANSWER_ENDED && !more;
	if (c->x.bodyless && !c->stream.last)
		return; /* the head waits for the end: its frame says that nothing follows */
	c->moved = tf_os_ticks(c->server->os);
	int rc = 0;
	if (!c->stream.answered)
		rc = state == TF_ANSWER_NONE || submit(c) ? 0 : NGHTTP2_ERR_NOMEM;
	else if (c->sent < c->sending.n || c->stream.last)
		rc = nghttp2_session_resume_data(c->under->h2->session, c->stream.id);
	if (rc && rc != NGHTTP2_ERR_INVALID_ARGUMENT) /* that one: nothing had to wait */
		tf_conn_closed(c);
	tf_h2_due(c->under);
}

/* The rest of a request that is answered already is thrown away for a while: some clients take a reset for the answer.
 */
void
tf_h2_answered(struct tf_h2 *h2, int32_t id)
{
	struct tf_conn *c = find(h2, id);
	if (!c)
		return;
	tf_exchange_log(&c->x);
	c->phase = TF_CONN_LINGER;
	c->since = tf_os_ticks(c->server->os);
}

bool
tf_h2_lingers(struct tf_h2 *h2, int32_t id)
{
	struct tf_conn *c = find(h2, id);
	return c && c->phase == TF_CONN_LINGER;
}

static int
on_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	struct tf_conn *c = find(ctx, id);
	(void)session;
	(void)code;
	if (!c)
		return 0;
	c->stream.id = 0;
	tf_conn_closed(c);
	return 0;
}

void
tf_h2_reset(struct tf_conn *c)
{
	struct tf_h2 *h2 = c->under->h2;
	int32_t id = c->stream.id;
	if (!id)
		return;
	c->stream.id = 0;
	(void)nghttp2_session_set_stream_user_data(h2->session, id, NULL);
	uint32_t code = c->phase == TF_CONN_LINGER        ? NGHTTP2_NO_ERROR
			: c->x.state == TF_ANSWER_ABORTED ? NGHTTP2_INTERNAL_ERROR
							  : NGHTTP2_CANCEL;
	h2->failed |= nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, code) != 0;
	tf_h2_due(c->under);
}

void
tf_h2_buried(struct tf_conn *c)
{
	struct tf_conn *under = c->under;
	under->since = tf_os_ticks(c->server->os);
	under->h2->stream_count--;
	tf_metric_set(c->server->metrics, TF_SERVE_STREAMS, 0, --c->server->streams);
}

void
tf_h2_stream_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
}
