/* The server span of a request; attributes by OpenTelemetry's conventions for HTTP servers. */
#include <stdio.h>

#include "server_impl.h"

void
tf_exchange_logged(struct tf_exchange *x, uint64_t offset)
{
	x->event = offset + 1;
}

/* The method when it is a known one: a name or an attribute must not be a client's invention. */
static const char *
method(struct tf_str m)
{
	static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
					    "CONNECT", "OPTIONS", "TRACE", "PATCH"};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (tf_str_eq(m, tf_str(known[i])))
			return known[i];
	return NULL;
}

/* "POST /meter/v1/readings": the route's template, so that names are few. */
static struct tf_str
name(const struct tf_exchange *x, const char *known, char out[static TF_SPAN_NAME_MAX])
{
	if (!known)
		return TF_STR("HTTP");
	if (!x->route)
		return tf_str(known);
	snprintf(out, TF_SPAN_NAME_MAX, "%s %s", known, x->route->path);
	return tf_str(out);
}

static void
outcome(const struct tf_exchange *x, struct tf_span *s)
{
	char text[16];
	if (x->status)
		tf_span_i64(s, "http.response.status_code", x->status);
	if (x->event)
		tf_span_i64(s, "tenfold.log.offset", (int64_t)(x->event - 1));
	if (x->state == TF_ANSWER_ABORTED) {
		tf_span_fail(s, TF_STR("aborted"));
	} else if (x->status >= 500) {
		snprintf(text, sizeof text, "%d", x->status);
		tf_span_fail(s, tf_str(text));
	}
}

void
tf_exchange_span(struct tf_exchange *x, tf_dur took)
{
	struct tf_server *server = x->conn->server;
	const struct tf_http_request *q = &x->conn->in.request;
	const char *known = method(q->method);
	char text[TF_SPAN_NAME_MAX];
	struct tf_span s;
	if (!tf_spans_want(server->o.spans, &x->trace))
		return;
	tf_span_init(&s, TF_SPAN_SERVER, name(x, known, text), &x->trace, x->parent, tf_os_now(server->os) - took,
		     took);
	tf_span_str(&s, "http.request.method", tf_str(known ? known : "_OTHER"));
	if (x->route)
		tf_span_str(&s, "http.route", tf_str(x->route->path));
	tf_span_str(&s, "url.scheme", server->o.tls ? TF_STR("https") : TF_STR("http"));
	if (x->conn->under)
		tf_span_str(&s, "network.protocol.version", TF_STR("2"));
	tf_span_str(&s, "client.address", tf_str(x->conn->peer.host));
	tf_span_str(&s, "tenfold.correlation_id", tf_trace_correlation(&x->trace));
	outcome(x, &s);
	tf_span_str(&s, "url.path", q->path);    /* last: it may be long */
	(void)tf_spans_put(server->o.spans, &s); /* a full ring counts it */
}
