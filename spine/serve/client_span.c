/* The span of one try; attributes by OpenTelemetry's conventions for HTTP clients, one span a try. A query is not told:
 * it may hold secrets. */
#include "client_span.h"

#include <stdio.h>

#include "client_impl.h"

void
client_span_begin(struct tf_os *os, struct client_span *s, const struct tf_client_request *r)
{
	*s = (struct client_span){0};
	if (!r->trace)
		return;
	tf_trace_child(os, r->trace, &s->self);
	s->start = tf_os_now(os);
	s->begun = tf_os_ticks(os);
}

static void
put_url(struct tf_span *span, struct tf_str url)
{
	struct client_url u;
	if (client_url_read(url, &u, NULL))
		return;
	tf_span_str(span, "server.address", u.host);
	tf_span_i64(span, "server.port", u.port);
	tf_span_str(span, "url.full", tf_str_n(url.p, u.query));
}

void
client_span_end(struct tf_os *os, const struct client_span *s, const struct tf_client_request *r, unsigned number,
		int status, bool timed_out)
{
	struct tf_span span;
	char text[16];
	if (!r->trace || !tf_spans_want(r->spans, &s->self))
		return;
	tf_span_init(&span, TF_SPAN_CLIENT, tf_str(r->method), &s->self, r->trace->span, s->start,
		     tf_os_ticks(os) - s->begun);
	tf_span_str(&span, "http.request.method", tf_str(r->method));
	put_url(&span, tf_str(r->url));
	tf_span_str(&span, "tenfold.correlation_id", tf_trace_correlation(&s->self));
	if (number)
		tf_span_i64(&span, "http.request.resend_count", number);
	if (status)
		tf_span_i64(&span, "http.response.status_code", status);
	if (!status) {
		tf_span_fail(&span, timed_out ? TF_STR("timeout") : TF_STR("no_answer"));
	} else if (status >= 400) {
		snprintf(text, sizeof text, "%d", status);
		tf_span_fail(&span, tf_str(text));
	}
	(void)tf_spans_put(r->spans, &span); /* a full ring counts it */
}
