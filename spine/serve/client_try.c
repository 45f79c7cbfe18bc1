/* One try of a call: a request by libcurl, and what its end says. */
#include "client_impl.h"

#include <stdio.h>

/* Before a request goes out over a connection that is there. libcurl sends again by itself when a kept connection turns
 * out to be dead; whether the other side had read what was sent over it, nobody knows. */
static int
before_send(void *ctx, char *ip, char *own_ip, int port, int own_port)
{
	struct client_call *c = ctx;
	(void)ip;
	(void)own_ip;
	(void)port;
	(void)own_port;
	return c->sends++ && !c->repeatable ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t
take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct client_call *c = ctx;
	if (!c->r.answer_max)
		return size * n;
	tf_buf_put(&c->body, p, size * n);
	return c->body.err ? 0 : size * n;
}

static size_t
count_head(char *p, size_t size, size_t n, void *ctx)
{
	struct client_call *c = ctx;
	(void)p;
	c->head_bytes += size * n;
	return c->head_bytes > TF_CLIENT_HEAD_MAX ? 0 : size * n;
}

/* ---- the request ---- */

static bool
add(struct client_call *c, const char *name, const char *value)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_printf(&b, *value ? "%s: %s" : "%s;", name, value); /* libcurl's way to say an empty one */
	tf_buf_u8(&b, 0);
	struct curl_slist *longer = b.err ? NULL : tf_curl()->slist_append(c->headers, (const char *)b.p);
	tf_buf_release(&b);
	if (longer)
		c->headers = longer;
	return longer != NULL;
}

/* Without this libcurl adds the header by itself. */
static bool
leave_out(struct client_call *c, const char *line)
{
	struct curl_slist *longer = tf_curl()->slist_append(c->headers, line);
	if (longer)
		c->headers = longer;
	return longer != NULL;
}

/* What names the work to the other side. */
static bool
add_trace(struct client_call *c)
{
	char text[TF_TRACEPARENT_BYTES], id[TF_CORRELATION_MAX + 1];
	if (!c->r.trace)
		return true;
	struct tf_str correlation = tf_trace_correlation(&c->span.self);
	memcpy(id, correlation.p, correlation.n);
	id[correlation.n] = 0;
	return add(c, "traceparent", tf_trace_format(&c->span.self, text)) &&
	       (!id[0] || add(c, "X-Correlation-Id", id));
}

static bool
add_headers(struct client_call *c, const char *token)
{
	struct tf_buf b;
	bool ok = leave_out(c, "Expect:") &&
		  (c->r.type ? add(c, "Content-Type", c->r.type) : leave_out(c, "Content-Type:"));
	if (c->r.key)
		ok = ok && add(c, "Idempotency-Key", c->r.key);
	for (int i = 0; i < TF_CLIENT_HEADERS && c->r.headers[i].name; i++)
		ok = ok && add(c, c->r.headers[i].name, c->r.headers[i].value);
	if (token) {
		tf_buf_init(&b, 0);
		tf_buf_printf(&b, "Bearer %s", token);
		tf_buf_u8(&b, 0);
		ok = ok && !b.err && add(c, "Authorization", (const char *)b.p);
		if (b.p)
			explicit_bzero(b.p, b.n);
		tf_buf_release(&b);
	}
	return ok && add_trace(c);
}

/* Each option must be taken: a libcurl that knows one of them not at all is not used. */
#define SET(option, value) (ok = ok && tf_curl()->easy_setopt(c->h, CURLOPT_##option, value) == CURLE_OK)

static bool
set_user(struct client_call *c)
{
	struct tf_buf user, password;
	bool ok = true;
	tf_buf_init(&user, 0);
	tf_buf_init(&password, 0);
	client_form_put(&user, tf_str(c->r.user));
	client_form_put(&password, tf_str(c->r.password));
	tf_buf_u8(&user, 0);
	tf_buf_u8(&password, 0);
	ok = !user.err && !password.err;
	SET(USERNAME, (const char *)user.p);
	SET(PASSWORD, (const char *)password.p);
	SET(HTTPAUTH, (long)CURLAUTH_BASIC);
	if (password.p)
		explicit_bzero(password.p, password.n);
	tf_buf_release(&user);
	tf_buf_release(&password);
	return ok;
}

static bool
set_request(struct client_call *c)
{
	bool ok = true, head = strcmp(c->r.method, "HEAD") == 0;
	bool body = c->r.body.p || c->r.method[0] == 'P'; /* POST, PUT and PATCH say that theirs is empty */
	SET(URL, c->r.url);
	SET(HTTPHEADER, c->headers);
	if (head) {
		SET(NOBODY, 1L);
	} else if (body) {
		SET(POST, 1L);
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)c->r.body.n);
		SET(POSTFIELDS, c->r.body.p ? c->r.body.p : "");
	}
	if (!head)
		SET(CUSTOMREQUEST, c->r.method);
	return ok && (!c->r.user || set_user(c));
}

static bool
set_tls(struct client_call *c)
{
	const struct tf_client_options *o = &c->client->o;
	bool ok = true;
	SET(SSL_VERIFYPEER, 1L);
	SET(SSL_VERIFYHOST, 2L);
	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (o->ca) {
		SET(CAINFO, o->ca);
		SET(CAPATH, NULL); /* else the system's authorities would be trusted too */
		SET(CA_CACHE_TIMEOUT, 0L);
	}
	if (o->cert) {
		SET(SSLCERT, o->cert);
		SET(SSLKEY, o->key);
		SET(SSL_SESSIONID_CACHE, 0L); /* a session resumed from elsewhere would show the certificate of then */
	}
	return ok;
}

static long
milliseconds(tf_dur d)
{
	return d < 1000 ? 1 : d > TF_DAY * 20 ? TF_DAY * 20 / 1000 : (long)(d / 1000);
}

static bool
configure(struct client_call *c, tf_dur now)
{
	const struct tf_client_options *o = &c->client->o;
	tf_dur left = c->deadline - now;
	bool ok = true;
	SET(PROTOCOLS_STR, "http,https");
	SET(FOLLOWLOCATION, 0L);
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(NOSIGNAL, 1L);
	SET(QUICK_EXIT, 1L); /* stopping does not wait for a name server */
	SET(USERAGENT, "tenfold");
	SET(PROXY, o->proxy ? o->proxy : "");
	SET(NOPROXY, "");
	SET(TIMEOUT_MS, milliseconds(o->timeout < left ? o->timeout : left));
	SET(CONNECTTIMEOUT_MS, milliseconds(o->connect_timeout));
	SET(MAXAGE_CONN, (long)((o->connection_idle + TF_SEC - 1) / TF_SEC));
	SET(MAXLIFETIME_CONN, (long)((o->connection_life + TF_SEC - 1) / TF_SEC));
	SET(PREREQFUNCTION, before_send);
	SET(PREREQDATA, c);
	SET(WRITEFUNCTION, take_body);
	SET(WRITEDATA, c);
	SET(HEADERFUNCTION, count_head);
	SET(HEADERDATA, c);
	SET(ERRORBUFFER, c->why);
	SET(PRIVATE, c);
	return ok && set_tls(c) && set_request(c);
}
#undef SET

static void
drop(struct client_call *c)
{
	tf_curl()->easy_cleanup(c->h);
	tf_curl()->slist_free_all(c->headers);
	c->h = NULL;
	c->headers = NULL;
}

enum tf_err
client_try_begin(struct client_call *c, const char *token, tf_dur now)
{
	c->begun = now;
	c->sends = 0;
	c->head_bytes = 0;
	c->why[0] = 0;
	c->answer = (struct tf_client_answer){.tries = c->answer.tries + 1};
	tf_buf_reset(&c->body);
	client_span_begin(c->client->os, &c->span, &c->r);
	c->h = tf_curl()->easy_init();
	if (!c->h || !add_headers(c, token) || !configure(c, now) ||
	    tf_curl()->multi_add_handle(c->client->multi, c->h) != CURLM_OK) {
		if (c->h)
			drop(c);
		return tf_fault(&c->fault, TF_NO_MEMORY, "libcurl takes no request: no memory, or too old");
	}
	return TF_OK;
}

/* ---- its end ---- */

static enum tf_err
judge_answer(struct client_call *c, struct tf_retry_end *end)
{
	long status = 0;
	curl_off_t after = 0;
	const char *type = NULL;
	tf_curl()->easy_getinfo(c->h, CURLINFO_RESPONSE_CODE, &status);
	tf_curl()->easy_getinfo(c->h, CURLINFO_RETRY_AFTER, &after);
	tf_curl()->easy_getinfo(c->h, CURLINFO_CONTENT_TYPE, &type);
	end->status = c->answer.status = (int)status;
	c->answer.retry_after = after > 0 ? (after < TF_DAY / TF_SEC ? after * TF_SEC : TF_DAY) : 0;
	snprintf(c->answer.type, sizeof c->answer.type, "%s", type ? type : "");
	c->answer.body = tf_buf_view(&c->body);
	if (status >= 200 && status < 300)
		return TF_OK;
	return tf_fault(&c->fault, status >= 500 || status == 408 || status == 429 ? TF_IO : TF_DENIED,
			"the answer to try %u was %ld", c->answer.tries, status);
}

/* own: it failed on this side, which says nothing about the other. */
static enum tf_err
judge_failure(struct client_call *c, CURLcode result, struct tf_retry_end *end, bool *own)
{
	const char *why = c->why[0] ? c->why : tf_curl()->easy_strerror(result);
	unsigned try = c->answer.tries;
	*own = true;
	end->hopeless = true;
	if (result == CURLE_OUT_OF_MEMORY || c->body.err == TF_NO_MEMORY)
		return tf_fault(&c->fault, TF_NO_MEMORY, "no memory for an answer");
	if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL)
		return tf_fault(&c->fault, TF_INVALID, "libcurl does not take the URL: %s", why);
	*own = false;
	if (c->body.err || c->head_bytes > TF_CLIENT_HEAD_MAX)
		return tf_fault(&c->fault, TF_TOO_LARGE, "the answer to try %u is too large", try);
	end->hopeless = result == CURLE_PEER_FAILED_VERIFICATION;
	*own = result == CURLE_SSL_CERTPROBLEM || result == CURLE_SSL_CACERT_BADFILE;
	if (result == CURLE_ABORTED_BY_CALLBACK)
		why = "the connection ended, and what may have arrived is not sent again";
	if (result == CURLE_OPERATION_TIMEDOUT)
		return tf_fault(&c->fault, TF_TIMEOUT, "no answer to try %u in time", try);
	return tf_fault(&c->fault, TF_IO, "no answer to try %u: %s", try, why);
}

void
client_try_end(struct client_call *c, CURLcode result, struct tf_retry_end *out)
{
	struct tf_breaker *b = c->client->breaker;
	struct tf_str origin = tf_str_n(c->origin, c->origin_n);
	bool own = false;
	*out = (struct tf_retry_end){.sent = c->sends > 0};
	c->err = result == CURLE_OK ? judge_answer(c, out) : judge_failure(c, result, out, &own);
	if (own)
		tf_breaker_drop(b, origin, c->pass);
	else if (out->status && out->status < 500)
		tf_breaker_good(b, origin, c->pass);
	else
		tf_breaker_bad(b, origin, c->pass, tf_os_ticks(c->client->os));
	client_span_end(c->client->os, &c->span, &c->r, c->answer.tries - 1, out->status,
			result == CURLE_OPERATION_TIMEDOUT);
	tf_curl()->multi_remove_handle(c->client->multi, c->h);
	drop(c);
}

void
client_try_abandon(struct client_call *c)
{
	tf_breaker_drop(c->client->breaker, tf_str_n(c->origin, c->origin_n), c->pass);
	client_span_end(c->client->os, &c->span, &c->r, c->answer.tries - 1, 0, false);
	tf_curl()->multi_remove_handle(c->client->multi, c->h);
	drop(c);
}
