/* The client's life and its queue; see client.h. */
#include "client_impl.h"

#include "base/mem.h"

static void
defaults(struct tf_client_options *o)
{
#define DEFAULT(field, value) o->field = o->field ? o->field : (value)
	DEFAULT(connect_timeout, 10 * TF_SEC);
	DEFAULT(timeout, TF_MINUTE);
	DEFAULT(deadline, 5 * TF_MINUTE);
	DEFAULT(tries, 4);
	DEFAULT(wait_first, TF_SEC);
	DEFAULT(wait_max, 30 * TF_SEC);
	DEFAULT(calls_max, 1024);
	DEFAULT(bytes_max, (uint64_t)64 << 20);
	DEFAULT(connections_max, 64);
	DEFAULT(origin_max, 16);
	DEFAULT(connection_idle, TF_MINUTE);
	DEFAULT(connection_life, 10 * TF_MINUTE);
#undef DEFAULT
}

enum tf_err
tf_client_new(struct tf_os *os, const struct tf_client_options *o, struct tf_client **out, struct tf_fault *f)
{
	if (!o->cert != !o->key)
		return tf_fault(f, TF_INVALID, "a client certificate needs its key, and the key its certificate");
	struct tf_client *c = tf_calloc(1, sizeof *c);
	if (!c)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a client");
	c->os = os;
	c->o = *o;
	defaults(&c->o);
	c->inbox_end = &c->inbox;
	c->calls_end = &c->calls;
	TF_ASSERT(!pthread_mutex_init(&c->lock, NULL));
	*out = c;
	return TF_OK;
}

void
tf_client_free(struct tf_client **client)
{
	struct tf_client *c = *client;
	if (!c)
		return;
	tf_client_stop(c);
	tf_worker_join(&c->worker);
	if (c->multi)
		tf_curl()->multi_cleanup(c->multi);
	tf_breaker_free(&c->breaker);
	tf_free(c->running);
	for (unsigned i = 0; i < c->tokens_count; i++)
		client_tokens_free(&c->tokens[i]);
	pthread_mutex_destroy(&c->lock);
	tf_free(c);
	*client = NULL;
}

/* The worker, at the first call; the lock is held. What a failed start has made is used by the next one. */
static enum tf_err
start(struct tf_client *c, struct tf_fault *f)
{
	if (c->started)
		return TF_OK;
	if (!tf_curl())
		return tf_fault(f, TF_UNSUPPORTED, "there is no libcurl.so.4, or it is too old");
	if (!c->breaker)
		TF_TRY(tf_breaker_new(&c->o.breaker, &c->breaker, f));
	c->running = c->running ? c->running : tf_calloc(c->o.connections_max, sizeof *c->running);
	c->multi = c->multi ? c->multi : tf_curl()->multi_init();
	if (!c->running || !c->multi)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a client");
	tf_curl()->multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->o.connections_max);
	tf_curl()->multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)c->o.connections_max);
	tf_curl()->multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	TF_TRY(tf_os_start(c->os, client_work, c, &c->worker, f));
	c->started = true;
	return TF_OK;
}

static void
wake(struct tf_client *c, atomic_bool *why)
{
	pthread_mutex_lock(&c->lock);
	atomic_store(why, true);
	if (c->started)
		tf_curl()->multi_wakeup(c->multi);
	pthread_mutex_unlock(&c->lock);
}

void
tf_client_drain(struct tf_client *c)
{
	wake(c, &c->draining);
}

void
tf_client_stop(struct tf_client *c)
{
	wake(c, &c->stopping);
}

/* ---- calls ---- */

static bool
is_token(const char *s)
{
	size_t n = strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return n && n <= 64 && !s[n];
}

/* A header's value: nothing that ends a line. */
static bool
is_value(const char *s)
{
	size_t n = 0;
	for (; s[n]; n++)
		if ((unsigned char)s[n] < ' ' || s[n] == 127)
			return false;
	return n <= TF_CLIENT_TEXT_MAX;
}

static enum tf_err
check_headers(const struct tf_client_request *r, struct tf_fault *f)
{
	if ((r->type && !is_value(r->type)) || (r->key && (!*r->key || !is_value(r->key))))
		return tf_fault(f, TF_INVALID, "a Content-Type or Idempotency-Key that is no header's value");
	for (int i = 0; i < TF_CLIENT_HEADERS && r->headers[i].name; i++)
		if (!is_token(r->headers[i].name) || !r->headers[i].value || !is_value(r->headers[i].value))
			return tf_fault(f, TF_INVALID, "header %d is none", i);
	return TF_OK;
}

static enum tf_err
check(const struct tf_client *c, const struct tf_client_request *r, struct client_url *u, struct tf_fault *f)
{
	TF_TRY(client_url_read(tf_str(r->url), u, f));
	if (r->method && !is_token(r->method))
		return tf_fault(f, TF_INVALID, "'%.64s' is no method", r->method);
	if (r->method && r->body.p && (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0))
		return tf_fault(f, TF_INVALID, "%s has no body", r->method);
	if (!r->user != !r->password ||
	    (r->user && (strlen(r->user) > TF_CLIENT_TEXT_MAX || strlen(r->password) > TF_CLIENT_TEXT_MAX)))
		return tf_fault(f, TF_INVALID, "a user without a password, or one too long");
	if (r->tokens && r->user)
		return tf_fault(f, TF_INVALID, "a user and a token are not sent together");
	TF_ASSERT(!r->tokens || r->tokens->client == c);
	return check_headers(r, f);
}

const char *
client_keep(struct tf_buf *text, const char *s)
{
	const char *at = (const char *)text->p + text->n;
	if (!s)
		return NULL;
	tf_buf_put(text, s, strlen(s) + 1);
	return at;
}

static size_t
room(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

/* What r points to, into text; the body only when it is not borrowed. */
static bool
copy(struct client_call *call, const struct tf_client_request *r, bool borrow)
{
	struct tf_client_request *to = &call->r;
	size_t n = room(r->method ? r->method : "POST") + room(r->url) + room(r->type) + room(r->key) + room(r->user) +
		   room(r->password) + (borrow ? 0 : r->body.n) + 1;
	for (int i = 0; i < TF_CLIENT_HEADERS && r->headers[i].name; i++)
		n += room(r->headers[i].name) + room(r->headers[i].value);
	if (!tf_buf_room(&call->text, n))
		return false;
	*to = *r;
	to->method = client_keep(&call->text, r->method ? r->method : "POST");
	to->url = client_keep(&call->text, r->url);
	to->type = client_keep(&call->text, r->type);
	to->key = client_keep(&call->text, r->key);
	to->user = client_keep(&call->text, r->user);
	to->password = client_keep(&call->text, r->password);
	for (int i = 0; i < TF_CLIENT_HEADERS && r->headers[i].name; i++)
		to->headers[i] = (struct tf_client_header){client_keep(&call->text, r->headers[i].name),
							   client_keep(&call->text, r->headers[i].value)};
	if (!borrow && r->body.p) {
		to->body.p = (const char *)call->text.p + call->text.n;
		tf_buf_str(&call->text, r->body);
	}
	if (r->trace) {
		call->trace = *r->trace;
		to->trace = &call->trace;
	}
	return true;
}

static void
free_call(struct client_call *call)
{
	if (call->r.password)
		explicit_bzero((char *)call->r.password, strlen(call->r.password));
	tf_buf_release(&call->text);
	tf_buf_release(&call->body);
	tf_free(call);
}

enum tf_err
client_call_new(struct tf_client *c, const struct tf_client_request *r, bool borrow, tf_client_done *done, void *ctx,
		struct client_call **out, struct tf_fault *f)
{
	struct client_url u;
	TF_TRY(check(c, r, &u, f));
	struct client_call *call = tf_calloc(1, sizeof *call);
	if (!call)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a call");
	tf_buf_init(&call->text, 0);
	tf_buf_init(&call->body, r->answer_max);
	if (!copy(call, r, borrow)) {
		free_call(call);
		return tf_fault(f, TF_NO_MEMORY, "no memory for a call");
	}
	call->client = c;
	call->done = done;
	call->ctx = ctx;
	call->origin_n = client_origin(&u, call->origin);
	call->repeatable = r->repeatable || r->key || tf_retry_idempotent(tf_str(call->r.method));
	call->due = tf_os_ticks(c->os);
	call->deadline = call->due + (r->deadline ? r->deadline : c->o.deadline);
	*out = call;
	return TF_OK;
}

void
client_call_finish(struct client_call *call, enum tf_err e)
{
	struct tf_client *c = call->client;
	if (e)
		call->fault.code = e;
	else
		call->fault = (struct tf_fault){0};
	pthread_mutex_lock(&c->lock); /* before it is told, so that who hears of it finds room */
	c->count--;
	c->bytes -= call->r.body.n;
	pthread_mutex_unlock(&c->lock);
	call->done(call->ctx, e, &call->answer, &call->fault);
	free_call(call);
}

/* Into the queue, or a fault. */
static enum tf_err
put(struct tf_client *c, struct client_call *call, struct tf_fault *f)
{
	enum tf_err e = TF_OK;
	size_t n = call->r.body.n;
	pthread_mutex_lock(&c->lock);
	if (atomic_load(&c->stopping))
		e = tf_fault(f, TF_END, "given up: stopping");
	else if (c->count >= c->o.calls_max || (c->count && c->bytes + n > c->o.bytes_max))
		e = tf_fault(f, TF_OVERLOAD, "%u calls with %llu bytes are under way", c->count,
			     (unsigned long long)c->bytes);
	e = e ? e : start(c, f);
	if (!e) {
		*c->inbox_end = call;
		c->inbox_end = &call->next;
		c->count++;
		c->bytes += n;
		tf_curl()->multi_wakeup(c->multi);
	}
	pthread_mutex_unlock(&c->lock);
	return e;
}

static enum tf_err
submit(struct tf_client *c, const struct tf_client_request *r, bool borrow, tf_client_done *done, void *ctx,
       struct tf_fault *f)
{
	struct client_call *call;
	TF_TRY(client_call_new(c, r, borrow, done, ctx, &call, f));
	enum tf_err e = put(c, call, f);
	if (e)
		free_call(call);
	return e;
}

enum tf_err
tf_client_send(struct tf_client *c, const struct tf_client_request *r, tf_client_done *done, void *ctx,
	       struct tf_fault *f)
{
	return submit(c, r, false, done, ctx, f);
}

/* ---- waiting for one ---- */

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool over;
	enum tf_err e;
	struct tf_buf *body;
	struct tf_client_answer *answer;
	struct tf_fault *f;
};

static void
wake_waiter(void *ctx, enum tf_err e, const struct tf_client_answer *answer, const struct tf_fault *f)
{
	struct waiter *w = ctx;
	pthread_mutex_lock(&w->lock);
	*w->answer = *answer;
	w->answer->body = (struct tf_str){0};
	w->e = e;
	if (w->f && e)
		*w->f = *f;
	if (w->body) {
		size_t before = w->body->n;
		tf_buf_str(w->body, answer->body);
		if (w->body->err && !e)
			w->e = tf_fault(w->f, w->body->err, "no room for an answer of %zu bytes", answer->body.n);
		else if (!w->body->err)
			w->answer->body = tf_str_n(w->body->p + before, answer->body.n);
	}
	w->over = true;
	pthread_cond_signal(&w->moved);
	pthread_mutex_unlock(&w->lock);
}

enum tf_err
tf_client_call(struct tf_client *c, const struct tf_client_request *given, struct tf_buf *body,
	       struct tf_client_answer *out, struct tf_fault *f)
{
	struct waiter w = {.body = body, .answer = out, .f = f};
	struct tf_client_request r = *given;
	TF_ASSERT(client_working_for != c); /* it would wait for itself */
	*out = (struct tf_client_answer){0};
	r.answer_max = body ? r.answer_max : 0;
	TF_ASSERT(!pthread_mutex_init(&w.lock, NULL) && !pthread_cond_init(&w.moved, NULL));
	enum tf_err e = submit(c, &r, true, wake_waiter, &w, f);
	pthread_mutex_lock(&w.lock);
	while (!e && !w.over)
		pthread_cond_wait(&w.moved, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_mutex_destroy(&w.lock);
	pthread_cond_destroy(&w.moved);
	return e ? e : w.e;
}
