/* Spans: what was done on behalf of a trace, from when to when, kept in memory until an exporter takes them.
 *
 *   struct tf_span s;
 *   tf_span_init(&s, TF_SPAN_SERVER, name, &trace, parent, start, took);
 *   tf_span_i64(&s, "http.response.status_code", 200);
 *   tf_spans_put(spans, &s);
 *
 * A span is plain bytes of a fixed size, made where the work ends; keys are literals, the attributes' conventions are
 * OpenTelemetry's. tf_spans is a ring of finished ones: a full ring drops the new span and counts it, so that whoever
 * records never waits and memory never grows. Sampling is the parent's: a trace that came with the sampled flag is
 * recorded, one that came without is not, and a new one is drawn by its own trace id (tf_spans_decide), so that every
 * service asked for the same share draws alike. Nothing here does I/O. Thread rule: tf_spans_put from any thread,
 * without locks; tf_spans_take from one; a tf_span is its owner's. */
#pragma once
#include "watch/metric.h"
#include "watch/trace.h"

#define TF_SPAN_NAME_MAX       80 /* bytes; longer ones are cut */
#define TF_SPAN_ATTRIBUTES_MAX 12
#define TF_SPAN_VALUE_MAX      256 /* bytes of one text; longer ones are cut */
#define TF_SPAN_TEXT_MAX       448 /* bytes of all of them; past it an attribute is left out, and counted */
#define TF_SPAN_LINKS_MAX      8

/* The numbers of OTLP. */
enum tf_span_kind {
	TF_SPAN_INTERNAL = 1,
	TF_SPAN_SERVER = 2,
	TF_SPAN_CLIENT = 3,
	TF_SPAN_PRODUCER = 4,
	TF_SPAN_CONSUMER = 5
};
enum tf_span_status { TF_SPAN_UNSET = 0, TF_SPAN_OK = 1, TF_SPAN_ERROR = 2 };

struct tf_span_attribute {
	const char *key;
	int64_t number;
	uint16_t at, n; /* a text: where in the span's */
	bool is_text;
};

struct tf_span_link {
	uint8_t trace[16], span[8];
};

struct tf_span {
	uint8_t trace[16], span[8];
	uint8_t parent[8]; /* all zero: none */
	uint8_t kind, status;
	uint8_t name_n, attribute_count, link_count;
	uint16_t text_n;
	uint32_t attributes_left_out, links_left_out;
	tf_time start;
	tf_dur took;
	char name[TF_SPAN_NAME_MAX];
	struct tf_span_attribute attributes[TF_SPAN_ATTRIBUTES_MAX];
	struct tf_span_link links[TF_SPAN_LINKS_MAX];
	char text[TF_SPAN_TEXT_MAX];
};

/* The span that `self` names (its trace and span id). parent: the id of the span it was done for; NULL: none. */
void tf_span_init(struct tf_span *s, enum tf_span_kind kind, struct tf_str name, const struct tf_trace *self,
		  const uint8_t *parent, tf_time start, tf_dur took);
/* An internal span of work done for many at once: the first sampled trace it covers becomes its parent, those after it
 * links. One that covers none is not recorded. */
void tf_span_init_shared(struct tf_os *os, struct tf_span *s, struct tf_str name, tf_time start, tf_dur took);
void tf_span_cover(struct tf_span *s, const struct tf_trace *of);
/* key outlives the program's spans: a literal. */
void tf_span_str(struct tf_span *s, const char *key, struct tf_str value);
void tf_span_i64(struct tf_span *s, const char *key, int64_t value);
/* It failed: status error, attribute error.type. */
void tf_span_fail(struct tf_span *s, struct tf_str type);
struct tf_str tf_span_text(const struct tf_span *s, const struct tf_span_attribute *a);

struct tf_spans;

struct tf_spans_options {
	uint32_t count;          /* 2048 (0): finished spans kept; rounded up to a power of two */
	uint32_t skip_ppm;       /* of a million new traces, how many are not sampled */
	uint32_t batch;          /* each time so many more were recorded, wake is called, from the recording thread */
	void (*wake)(void *ctx); /* may be NULL; must not wait */
	void *ctx;
};

enum tf_err tf_spans_new(const struct tf_spans_options *o, struct tf_spans **out, struct tf_fault *f) TF_MUST_USE;
void tf_spans_free(struct tf_spans **s);
/* Sets a new trace's sampled flag by its id. s NULL: leaves it. */
void tf_spans_decide(const struct tf_spans *s, struct tf_trace *root);
/* Is a span of this trace to be recorded? s NULL: no. */
bool tf_spans_want(const struct tf_spans *s, const struct tf_trace *of);
/* Copies it; false when the ring was full. s NULL: does nothing. */
bool tf_spans_put(struct tf_spans *s, const struct tf_span *span);
/* The oldest ones, at most max; returns how many. */
size_t tf_spans_take(struct tf_spans *s, struct tf_span *out, size_t max);

/* What became of spans: the rows of span_metrics.def. recorded = sent + refused + lost + what waits. */
enum tf_spans_fate { TF_SPANS_RECORDED, TF_SPANS_DROPPED, TF_SPANS_SENT, TF_SPANS_REFUSED, TF_SPANS_LOST };
/* For the exporter: what it did with `by` of those it took. */
void tf_spans_count(struct tf_spans *s, enum tf_spans_fate fate, uint64_t by);
uint64_t tf_spans_counted(const struct tf_spans *s, enum tf_spans_fate fate);
/* As tf_metrics_render. */
void tf_spans_render(const struct tf_spans *s, struct tf_buf *b);
