/* The span of each request: ids, name, attributes, and whose traces are recorded. */
#include "site_test.h"

#include <stdio.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"

static struct tf_spans *spans;

/* What the span says of key, as text; empty without it. */
static const char *
said(const struct tf_span *s, const char *key)
{
	static char text[TF_SPAN_VALUE_MAX + 32];
	text[0] = 0;
	for (unsigned i = 0; i < s->attribute_count; i++) {
		struct tf_str value = tf_span_text(s, &s->attributes[i]);
		if (strcmp(s->attributes[i].key, key) != 0)
			continue;
		if (s->attributes[i].is_text)
			snprintf(text, sizeof text, "%.*s", (int)value.n, value.p);
		else
			snprintf(text, sizeof text, "%lld", (long long)s->attributes[i].number);
	}
	return text;
}

#define SAYS(s, key, wanted) assert_string_equal(said(s, key), wanted)

static struct site *
start(uint32_t skip_ppm)
{
	OK(tf_spans_new(&(struct tf_spans_options){.count = 64, .skip_ppm = skip_ppm}, &spans, NULL));
	return site_start((struct tf_server_options){.spans = spans});
}

static void
end(struct site *s)
{
	site_end(&s);
	tf_spans_free(&spans);
}

/* One request on a connection of its own, whose exchange is over when this returns; its only span. */
static struct tf_span
span_of(struct site *s, const char *request)
{
	struct tf_span span[2];
	struct client c = site_dial(s);
	client_say(&c, request);
	client_hear(&c, false);
	client_ended(&c);
	client_close(&c);
	assert_int_equal(tf_spans_take(spans, span, 2), 1);
	return span[0];
}

#define REQUEST(line, more) line " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" more "\r\n"

static void
a_request_is_a_child_of_its_caller(void **state)
{
	(void)state;
	struct site *s = start(0);
	char text[TF_TRACEPARENT_BYTES];
	struct tf_span span =
		span_of(s, REQUEST("GET /echo/x/y?q=secret", "traceparent: 00-" TRACE "-00f067aa0ba902b7-01\r\n"
							     "X-Correlation-Id: order-7\r\n"));
	struct tf_trace self = {.flags = 1};
	memcpy(self.trace, span.trace, sizeof self.trace);
	memcpy(self.span, span.parent, sizeof self.span);
	assert_string_equal(tf_trace_format(&self, text), "00-" TRACE "-00f067aa0ba902b7-01");
	assert_memory_not_equal(span.span, span.parent, 8);
	assert_int_equal(span.kind, TF_SPAN_SERVER);
	assert_int_equal(span.status, TF_SPAN_UNSET);
	assert_true(tf_str_eq(tf_str_n(span.name, span.name_n), TF_STR("GET /echo/{a}/{b}")));
	SAYS(&span, "http.request.method", "GET");
	SAYS(&span, "http.route", "/echo/{a}/{b}");
	SAYS(&span, "http.response.status_code", "200");
	SAYS(&span, "url.path", "/echo/x/y");
	SAYS(&span, "url.scheme", "http");
	SAYS(&span, "client.address", "127.0.0.1");
	SAYS(&span, "tenfold.correlation_id", "order-7");
	tf_dur age = tf_os_now(tf_os_real()) - span.start;
	assert_true(age >= span.took && age < 60 * TF_SEC);
	end(s);
}

static void
a_request_without_a_caller_is_a_root(void **state)
{
	(void)state;
	struct site *s = start(0);
	static const uint8_t none[8];
	struct tf_span span = span_of(s, REQUEST("GET /work", ""));
	assert_memory_equal(span.parent, none, 8);
	SAYS(&span, "http.route", "/work");
	end(s);
}

static void
failures_are_told_and_names_stay_few(void **state)
{
	(void)state;
	struct site *s = start(0);
	char target[128];
	snprintf(target, sizeof target, REQUEST("GET /fault?code=%d", ""), TF_IO);
	struct tf_span span = span_of(s, target);
	SAYS(&span, "http.response.status_code", "500");
	SAYS(&span, "error.type", "500");
	assert_int_equal(span.status, TF_SPAN_ERROR);
	span = span_of(s, REQUEST("GET /nowhere", ""));
	assert_true(tf_str_eq(tf_str_n(span.name, span.name_n), TF_STR("GET")));
	SAYS(&span, "http.response.status_code", "404");
	SAYS(&span, "http.route", "");
	assert_int_equal(span.status, TF_SPAN_UNSET);
	span = span_of(s, REQUEST("INVENTED /now", ""));
	assert_true(tf_str_eq(tf_str_n(span.name, span.name_n), TF_STR("HTTP")));
	SAYS(&span, "http.request.method", "_OTHER");
	end(s);
}

static void
the_sampled_flag_of_the_caller_decides(void **state)
{
	(void)state;
	struct site *s = start(1000000); /* no trace that begins here */
	struct client c = site_dial(s);
	assert_int_equal(client_get(&c, "/now"), 200);
	client_say(&c, "GET /now HTTP/1.1\r\nHost: a\r\ntraceparent: 00-" TRACE "-00f067aa0ba902b7-00\r\n\r\n");
	client_hear(&c, false);
	client_close(&c);
	struct tf_span span = span_of(s, REQUEST("GET /now", "traceparent: 00-" TRACE "-00f067aa0ba902b7-01\r\n"));
	assert_int_equal(span.trace[0], 0x4b);
	assert_int_equal(tf_spans_counted(spans, TF_SPANS_RECORDED), 1);
	end(s);
}

static void
a_full_ring_is_shown_in_the_metrics(void **state)
{
	(void)state;
	struct site *s = start(0);
	struct client c = site_dial(s);
	for (int i = 0; i < 70; i++)
		assert_int_equal(client_get(&c, "/now"), 200);
	assert_int_equal(client_get(&c, "/metrics"), 200);
	assert_non_null(strstr(client_text(&c), "tenfold_spans_total{fate=\"recorded\"} 64\n"));
	assert_non_null(strstr(client_text(&c), "tenfold_spans_total{fate=\"dropped\"} 6\n"));
	client_close(&c);
	end(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_a_child_of_its_caller),
		cmocka_unit_test(a_request_without_a_caller_is_a_root),
		cmocka_unit_test(failures_are_told_and_names_stay_few),
		cmocka_unit_test(the_sampled_flag_of_the_caller_decides),
		cmocka_unit_test(a_full_ring_is_shown_in_the_metrics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
