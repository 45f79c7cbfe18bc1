/* The span of one try; attributes by OpenTelemetry's conventions for HTTP clients, one span a try. A query is not told:
 * it may hold secrets. */
#include "client_span.h"

#include <stdio.h>

void
tf_client_span_begin(struct tf_os *os, struct tf_client_span *s, const struct tf_client_post *post, unsigned number)
{
	*s = (struct tf_client_span){.os = os, .post = post, .number = number};
	if (!post->trace)
		return;
	tf_trace_child(os, post->trace, &s->self);
	s->start = tf_os_now(os);
	s->begun = tf_os_ticks(os);
}

/* "https://host:port/path?query": where the host begins and ends, what a port says or the scheme means. */
static void
put_url(struct tf_span *span, struct tf_str url)
{
	bool tls = tf_str_starts(url, TF_STR("https://"));
	size_t from = tls ? 8 : 7, to = from, end;
	while (to < url.n && !memchr("/?#", url.p[to], 3))
		to++;
	for (end = to; end < url.n && url.p[end] != '?' && url.p[end] != '#';)
		end++;
	size_t colon = to;
	while (colon > from && url.p[colon - 1] >= '0' && url.p[colon - 1] <= '9')
		colon--;
	bool port = colon > from && colon < to && url.p[colon - 1] == ':';
	uint64_t number = tls ? 443 : 80;
	if (port && !tf_str_u64(tf_str_n(url.p + colon, to - colon), &number))
		number = 0;
	tf_span_str(span, "server.address", tf_str_n(url.p + from, (port ? colon - 1 : to) - from));
	tf_span_i64(span, "server.port", (int64_t)number);
	tf_span_str(span, "url.full", tf_str_n(url.p, end));
}

void
tf_client_span_end(const struct tf_client_span *s, int status, bool timed_out)
{
	struct tf_span span;
	char text[16];
	const struct tf_client_post *post = s->post;
	if (!post->trace || !tf_spans_want(post->spans, &s->self))
		return;
	tf_span_init(&span, TF_SPAN_CLIENT, TF_STR("POST"), &s->self, post->trace->span, s->start,
		     tf_os_ticks(s->os) - s->begun);
	tf_span_str(&span, "http.request.method", TF_STR("POST"));
	put_url(&span, tf_str(post->url));
	tf_span_str(&span, "tenfold.correlation_id", tf_trace_correlation(&s->self));
	if (s->number)
		tf_span_i64(&span, "http.request.resend_count", s->number);
	if (status)
		tf_span_i64(&span, "http.response.status_code", status);
	if (!status) {
		tf_span_fail(&span, timed_out ? TF_STR("timeout") : TF_STR("no_answer"));
	} else if (status >= 400) {
		snprintf(text, sizeof text, "%d", status);
		tf_span_fail(&span, tf_str(text));
	}
	(void)tf_spans_put(post->spans, &span); /* a full ring counts it */
}
