/* Spans as OTLP's JSON: opentelemetry/proto/trace/v1/trace.proto in proto3's JSON mapping, but for ids, which OTLP has
 * in hex. 64-bit integers are strings there, enums numbers. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "serve/otlp.h"

static void
put_hex(struct tf_json_out *w, const char *name, const uint8_t *p, size_t n)
{
	char text[33];
	tf_hex(p, n, text);
	tf_json_set_str(w, name, tf_str_n(text, 2 * n));
}

static void
put_nanoseconds(struct tf_json_out *w, const char *name, tf_time t)
{
	char text[32];
	snprintf(text, sizeof text, "%" PRIu64, (uint64_t)(t > 0 ? t : 0) * 1000);
	tf_json_set_cstr(w, name, text);
}

static void
put_text(struct tf_json_out *w, const char *key, struct tf_str value)
{
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "key", key);
	tf_json_key(w, "value");
	tf_json_begin_object(w);
	tf_json_set_str(w, "stringValue", value);
	tf_json_end_object(w);
	tf_json_end_object(w);
}

static void
put_number(struct tf_json_out *w, const char *key, int64_t value)
{
	char text[32];
	snprintf(text, sizeof text, "%" PRId64, value);
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "key", key);
	tf_json_key(w, "value");
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "intValue", text);
	tf_json_end_object(w);
	tf_json_end_object(w);
}

static void
put_attributes(struct tf_json_out *w, const struct tf_span *s)
{
	tf_json_key(w, "attributes");
	tf_json_begin_array(w);
	for (unsigned i = 0; i < s->attribute_count; i++) {
		const struct tf_span_attribute *a = &s->attributes[i];
		if (a->is_text)
			put_text(w, a->key, tf_span_text(s, a));
		else
			put_number(w, a->key, a->number);
	}
	tf_json_end_array(w);
	if (s->attributes_left_out)
		tf_json_set_u64(w, "droppedAttributesCount", s->attributes_left_out);
}

static void
put_links(struct tf_json_out *w, const struct tf_span *s)
{
	if (!s->link_count)
		return;
	tf_json_key(w, "links");
	tf_json_begin_array(w);
	for (unsigned i = 0; i < s->link_count; i++) {
		tf_json_begin_object(w);
		put_hex(w, "traceId", s->links[i].trace, sizeof s->links[i].trace);
		put_hex(w, "spanId", s->links[i].span, sizeof s->links[i].span);
		tf_json_end_object(w);
	}
	tf_json_end_array(w);
	if (s->links_left_out)
		tf_json_set_u64(w, "droppedLinksCount", s->links_left_out);
}

static void
put_span(struct tf_json_out *w, const struct tf_span *s)
{
	static const uint8_t none[8];
	tf_json_begin_object(w);
	put_hex(w, "traceId", s->trace, sizeof s->trace);
	put_hex(w, "spanId", s->span, sizeof s->span);
	if (memcmp(s->parent, none, sizeof none) != 0)
		put_hex(w, "parentSpanId", s->parent, sizeof s->parent);
	tf_json_set_str(w, "name", tf_str_n(s->name, s->name_n));
	tf_json_set_i64(w, "kind", s->kind);
	put_nanoseconds(w, "startTimeUnixNano", s->start);
	put_nanoseconds(w, "endTimeUnixNano", s->start + s->took);
	put_attributes(w, s);
	put_links(w, s);
	tf_json_key(w, "status");
	tf_json_begin_object(w);
	if (s->status)
		tf_json_set_i64(w, "code", s->status);
	tf_json_end_object(w);
	tf_json_end_object(w);
}

void
tf_otlp_put(struct tf_buf *b, const char *service, const char *version, const struct tf_span *spans, size_t count)
{
	struct tf_json_out w = tf_json_out(b);
	tf_json_begin_object(&w);
	tf_json_key(&w, "resourceSpans");
	tf_json_begin_array(&w);
	tf_json_begin_object(&w);
	tf_json_key(&w, "resource");
	tf_json_begin_object(&w);
	tf_json_key(&w, "attributes");
	tf_json_begin_array(&w);
	put_text(&w, "service.name", tf_str(service));
	put_text(&w, "service.version", tf_str(version));
	tf_json_end_array(&w);
	tf_json_end_object(&w);
	tf_json_key(&w, "scopeSpans");
	tf_json_begin_array(&w);
	tf_json_begin_object(&w);
	tf_json_key(&w, "scope");
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "name", "tenfold");
	tf_json_end_object(&w);
	tf_json_key(&w, "spans");
	tf_json_begin_array(&w);
	for (size_t i = 0; i < count; i++)
		put_span(&w, &spans[i]);
	tf_json_end_array(&w);
	tf_json_end_object(&w);
	tf_json_end_array(&w);
	tf_json_end_object(&w);
	tf_json_end_array(&w);
	tf_json_end_object(&w);
	tf_json_finish(&w);
}
