/* Answering: what a handler or worker writes goes into the exchange's buffer, the loop sends it; see server.h. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "server_impl.h"

#define PROBLEM_TYPE "application/problem+json"
#define HEAD_ROOM    ((size_t)512) /* for a head without its own headers: it grows once, not by and by */
#define EXTRA_ROOM   ((size_t)384) /* for headers of the answer's own */
#define LINES_KEPT   ((size_t)64 << 10)

const struct tf_http_request *
tf_exchange_request(const struct tf_exchange *x)
{
	return &x->conn->in.request;
}

struct tf_str
tf_exchange_header(const struct tf_exchange *x, const char *name)
{
	return tf_http_header(&x->conn->in.request, name);
}

struct tf_str
tf_exchange_param(const struct tf_exchange *x, unsigned i)
{
	TF_ASSERT(i < TF_ROUTE_PARAMS_MAX);
	return x->params[i];
}

struct tf_str
tf_exchange_body(const struct tf_exchange *x)
{
	return tf_buf_view(&x->body);
}

const struct tf_trace *
tf_exchange_trace(const struct tf_exchange *x)
{
	return &x->trace;
}

unsigned
tf_exchange_worker(const struct tf_exchange *x)
{
	return x->worker;
}

const struct tf_peer *
tf_exchange_peer(const struct tf_exchange *x)
{
	return &x->conn->peer;
}

void
tf_exchange_again(struct tf_exchange *x)
{
	struct tf_server *s = x->conn->server;
	s->dispatched = true;
	x->route->handle(s->o.ctx, x);
}

void **
tf_exchange_user(struct tf_exchange *x)
{
	return &x->user;
}

/* With the lock held. */
static void
touch(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	if (c->is_touched)
		return;
	c->is_touched = true;
	c->touched = s->touched;
	s->touched = c;
	if (!s->runs || !pthread_equal(s->loop, pthread_self())) /* the loop looks before it sleeps */
		tf_waker_wake(s->waker);
}

void
tf_exchange_touch(struct tf_exchange *x)
{
	pthread_mutex_lock(&x->conn->server->lock);
	touch(x->conn);
	pthread_mutex_unlock(&x->conn->server->lock);
}

bool
tf_exchange_gone(struct tf_exchange *x)
{
	pthread_mutex_lock(&x->conn->server->lock);
	bool gone = x->conn->fd < 0;
	pthread_mutex_unlock(&x->conn->server->lock);
	return gone;
}

void
tf_reply_header(struct tf_exchange *x, const char *name, struct tf_str value)
{
	if (!x->extra.n)
		(void)tf_buf_room(&x->extra, EXTRA_ROOM);
	tf_http_put_header(&x->extra, name, value);
}

/* With the lock held. */
static void
put_head(struct tf_exchange *x, int status, const char *type, uint64_t length)
{
	struct tf_server *s = x->conn->server;
	TF_ASSERT(x->state == TF_ANSWER_NONE);
	x->status = status;
	x->bodyless |= status == 204 || status == 304;
	x->chunked = length == TF_HTTP_BODY_NONE;
	(void)tf_buf_room(&x->out, HEAD_ROOM + x->extra.n + (x->chunked || x->bodyless ? 0 : (size_t)length));
	tf_http_put_head(&x->out, tf_exchange_version(x), status, length, x->conn->close || s->draining,
			 tf_os_now(s->os));
	if (type)
		tf_http_put_header(&x->out, "Content-Type", tf_str(type));
	tf_http_put_header(&x->out, "X-Correlation-Id", tf_trace_correlation(&x->trace));
	tf_http_put_header(&x->out, "X-Content-Type-Options", TF_STR("nosniff"));
	tf_buf_str(&x->out, tf_buf_view(&x->extra));
	if (x->extra.err) /* its head is not ended either */
		x->out.err = x->extra.err;
	tf_http_put_end(&x->out);
	x->state = TF_ANSWER_BEGUN;
}

void
tf_reply(struct tf_exchange *x, int status, const char *type, struct tf_str body)
{
	struct tf_server *s = x->conn->server;
	pthread_mutex_lock(&s->lock);
	put_head(x, status, type, body.n);
	if (!x->bodyless)
		tf_buf_str(&x->out, body);
	x->body_out = x->bodyless ? 0 : body.n;
	x->state = x->out.err ? TF_ANSWER_ABORTED : TF_ANSWER_ENDED;
	touch(x->conn);
	pthread_mutex_unlock(&s->lock);
}

void
tf_reply_begin(struct tf_exchange *x, int status, const char *type)
{
	struct tf_server *s = x->conn->server;
	pthread_mutex_lock(&s->lock);
	put_head(x, status, type, TF_HTTP_BODY_NONE);
	touch(x->conn);
	pthread_mutex_unlock(&s->lock);
}

enum tf_err
tf_reply_write(struct tf_exchange *x, struct tf_str bytes)
{
	struct tf_server *s = x->conn->server;
	pthread_mutex_lock(&s->lock);
	TF_ASSERT(x->state == TF_ANSWER_BEGUN && x->chunked);
	while (x->in_worker && x->conn->fd >= 0 && !s->closing && x->out.n > s->o.out_bytes)
		pthread_cond_wait(&s->room, &s->lock);
	bool gone = x->conn->fd < 0 || s->closing || x->out.err;
	if (!gone && !x->bodyless)
		tf_http_put_chunk(&x->out, tf_exchange_version(x), bytes);
	x->body_out += x->bodyless ? 0 : bytes.n;
	touch(x->conn);
	pthread_mutex_unlock(&s->lock);
	return gone ? TF_END : TF_OK;
}

static void
finish(struct tf_exchange *x, enum tf_answer state)
{
	struct tf_server *s = x->conn->server;
	pthread_mutex_lock(&s->lock);
	TF_ASSERT(x->state == TF_ANSWER_BEGUN);
	if (state == TF_ANSWER_ENDED && x->chunked && !x->bodyless)
		tf_http_put_last(&x->out, tf_exchange_version(x));
	x->state = x->out.err ? TF_ANSWER_ABORTED : state;
	touch(x->conn);
	pthread_mutex_unlock(&s->lock);
}

void
tf_reply_end(struct tf_exchange *x)
{
	finish(x, TF_ANSWER_ENDED);
}

void
tf_reply_abort(struct tf_exchange *x)
{
	finish(x, TF_ANSWER_ABORTED);
}

void
tf_reply_problem(struct tf_exchange *x, const struct tf_problem *p)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "type", "about:blank");
	tf_json_set_cstr(&w, "title", tf_http_reason(p->status));
	tf_json_set_i64(&w, "status", p->status);
	tf_json_set_str(&w, "detail", p->text);
	tf_json_set_cstr(&w, "code", p->code);
	if (p->field)
		tf_json_set_cstr(&w, "field", p->field);
	tf_json_set_str(&w, "correlation_id", tf_trace_correlation(&x->trace));
	tf_json_end_object(&w);
	tf_json_finish(&w);
	if (b.err)
		tf_reply(x, p->status, NULL, (struct tf_str){0}); /* the status says it too */
	else
		tf_reply(x, p->status, PROBLEM_TYPE, tf_buf_view(&b));
	tf_buf_release(&b);
}

void
tf_reply_fault(struct tf_exchange *x, const struct tf_fault *f, const char *field)
{
	struct tf_server *s = x->conn->server;
	struct tf_problem p = {tf_err_http(f->code), tf_err_name(f->code), tf_str(f->text), field};
	if (p.status == 429 || p.status == 503)
		tf_metric_add(s->metrics, TF_SERVE_OVERLOAD, 0, 1);
	if (tf_err_retry(f->code))
		tf_reply_header(x, "Retry-After", TF_STR("1"));
	if (p.status >= 500)
		tf_watch_fault(s->o.watch, "http.failed", &x->trace, f);
	if (!p.text.n)
		p.text = tf_str(tf_err_text(f->code));
	tf_reply_problem(x, &p);
}

void
tf_reply_refusal(struct tf_exchange *x, int status, const char *why)
{
	struct tf_problem p = {status, status == 413 ? "TOO_LARGE" : "INVALID", tf_str(why), NULL};
	tf_metric_add(x->conn->server->metrics, TF_SERVE_REFUSED, 0, 1);
	tf_reply_problem(x, &p);
}

void
tf_exchange_log(struct tf_exchange *x)
{
	struct tf_server *s = x->conn->server;
	const struct tf_http_request *q = &x->conn->in.request;
	tf_dur took = tf_os_ticks(s->os) - x->begun;
	size_t class = x->status >= 100 && x->status < 600 ? (size_t)x->status / 100 - 1 : 4;
	tf_metric_add(s->metrics, TF_SERVE_REQUESTS, class, 1);
	tf_metric_add(s->metrics, TF_SERVE_BYTES_IN, 0, (int64_t)x->body.n);
	tf_metric_add(s->metrics, TF_SERVE_BYTES_OUT, 0, (int64_t)x->body_out);
	tf_metric_observe(s->metrics, TF_SERVE_SECONDS, 0, took);
	if (!s->o.quiet)
		TF_LOG_PUT(s->o.watch, &s->lines, TF_LOG_INFO, "http.request", &x->trace,
			   TF_KV("peer", (const char *)x->conn->peer.host), TF_KV("method", q->method),
			   TF_KV("path", q->path), TF_KV("status", x->status), TF_KV("bytes_in", x->body.n),
			   TF_KV("bytes_out", x->body_out), TF_KV("us", took),
			   TF_KV("aborted", (bool)(x->state == TF_ANSWER_ABORTED)));
	if (s->lines.n > LINES_KEPT)
		tf_watch_pass(s->o.watch, &s->lines);
	tf_exchange_span(x, took);
}
