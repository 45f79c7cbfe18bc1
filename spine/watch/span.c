/* Spans and their ring; see span.h.
 *
 * The ring is D. Vyukov's bounded queue: each slot has a turn. A slot whose turn is p waits for the p-th span, one
 * whose turn is p + 1 holds it, and taking it sets the turn of the next round. Recorders draw positions by one compare
 * and swap; the slot's own turn publishes its bytes. */
#include "watch/span.h"

#include <stdatomic.h>

#include "base/mem.h"

#define COUNT_DEFAULT 2048
#define COUNT_MAX     (1u << 20)

struct slot {
	_Atomic uint64_t turn;
	struct tf_span span;
};

struct tf_spans {
	struct tf_spans_options o;
	struct tf_metrics *metrics;
	struct slot *slots;
	uint64_t mask, threshold;
	char apart[64]; /* recorders' position and the exporter's on cache lines of their own */
	_Atomic uint64_t tail;
	char apart_too[64];
	uint64_t head;
};

static const struct tf_metric table[] = {
#define X(id, k, n, h, l, v, d) TF_METRIC(k, n, h, l, v, d),
#include "watch/span_metrics.def"
#undef X
};

static bool
is_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return !any;
}

void
tf_span_init(struct tf_span *s, enum tf_span_kind kind, struct tf_str name, const struct tf_trace *self,
	     const uint8_t *parent, tf_time start, tf_dur took)
{
	memset(s, 0, offsetof(struct tf_span, name));
	memcpy(s->trace, self->trace, sizeof s->trace);
	memcpy(s->span, self->span, sizeof s->span);
	if (parent)
		memcpy(s->parent, parent, sizeof s->parent);
	s->kind = (uint8_t)kind;
	s->name_n = (uint8_t)(name.n < TF_SPAN_NAME_MAX ? name.n : TF_SPAN_NAME_MAX);
	if (s->name_n)
		memcpy(s->name, name.p, s->name_n);
	s->start = start;
	s->took = took > 0 ? took : 0;
}

void
tf_span_init_shared(struct tf_os *os, struct tf_span *s, struct tf_str name, tf_time start, tf_dur took)
{
	struct tf_trace none = {0}, self;
	tf_trace_child(os, &none, &self); /* only its span id is drawn */
	tf_span_init(s, TF_SPAN_INTERNAL, name, &self, NULL, start, took);
}

void
tf_span_cover(struct tf_span *s, const struct tf_trace *of)
{
	if (!(of->flags & 1))
		return;
	if (is_zero(s->trace, sizeof s->trace)) {
		memcpy(s->trace, of->trace, sizeof s->trace);
		memcpy(s->parent, of->span, sizeof s->parent);
		return;
	}
	if (s->link_count == TF_SPAN_LINKS_MAX) {
		s->links_left_out++;
		return;
	}
	struct tf_span_link *l = &s->links[s->link_count++];
	memcpy(l->trace, of->trace, sizeof l->trace);
	memcpy(l->span, of->span, sizeof l->span);
}

static struct tf_span_attribute *
attribute(struct tf_span *s, const char *key)
{
	if (s->attribute_count == TF_SPAN_ATTRIBUTES_MAX) {
		s->attributes_left_out++;
		return NULL;
	}
	struct tf_span_attribute *a = &s->attributes[s->attribute_count++];
	*a = (struct tf_span_attribute){.key = key};
	return a;
}

void
tf_span_str(struct tf_span *s, const char *key, struct tf_str value)
{
	size_t n = value.n < TF_SPAN_VALUE_MAX ? value.n : TF_SPAN_VALUE_MAX;
	if (n > (size_t)TF_SPAN_TEXT_MAX - s->text_n) {
		s->attributes_left_out++;
		return;
	}
	struct tf_span_attribute *a = attribute(s, key);
	if (!a)
		return;
	a->is_text = true;
	a->at = s->text_n;
	a->n = (uint16_t)n;
	if (n)
		memcpy(s->text + s->text_n, value.p, n);
	s->text_n = (uint16_t)(s->text_n + n);
}

void
tf_span_i64(struct tf_span *s, const char *key, int64_t value)
{
	struct tf_span_attribute *a = attribute(s, key);
	if (a)
		a->number = value;
}

void
tf_span_fail(struct tf_span *s, struct tf_str type)
{
	s->status = TF_SPAN_ERROR;
	tf_span_str(s, "error.type", type);
}

struct tf_str
tf_span_text(const struct tf_span *s, const struct tf_span_attribute *a)
{
	return tf_str_n(s->text + a->at, a->n);
}

enum tf_err
tf_spans_new(const struct tf_spans_options *o, struct tf_spans **out, struct tf_fault *f)
{
	uint64_t count = 1, want = o->count ? o->count : COUNT_DEFAULT;
	TF_ASSERT(want <= COUNT_MAX && o->skip_ppm <= 1000000);
	while (count < want)
		count *= 2;
	struct tf_spans *s = tf_calloc(1, sizeof *s);
	if (s)
		s->slots = tf_calloc(count, sizeof *s->slots);
	if (!s || !s->slots) {
		tf_spans_free(&s);
		return tf_fault(f, TF_NO_MEMORY, "no memory for spans");
	}
	enum tf_err e = tf_metrics_new(table, sizeof table / sizeof *table, &s->metrics, f);
	if (e) {
		tf_spans_free(&s);
		return e;
	}
	s->o = *o;
	s->mask = count - 1;
	s->threshold = ((uint64_t)o->skip_ppm << 44) / 1000000 << 12; /* of 2^56 */
	for (uint64_t i = 0; i < count; i++)
		atomic_init(&s->slots[i].turn, i);
	*out = s;
	return TF_OK;
}

void
tf_spans_free(struct tf_spans **spans)
{
	struct tf_spans *s = *spans;
	if (!s)
		return;
	tf_metrics_free(&s->metrics);
	tf_free(s->slots);
	tf_free(s);
	*spans = NULL;
}

/* By the last 56 bits, as W3C Trace Context Level 2 and OpenTelemetry's consistent sampling take for random. */
void
tf_spans_decide(const struct tf_spans *s, struct tf_trace *root)
{
	uint64_t random = 0;
	if (!s)
		return;
	for (size_t i = 9; i < 16; i++)
		random = random << 8 | root->trace[i];
	root->flags = random >= s->threshold;
}

bool
tf_spans_want(const struct tf_spans *s, const struct tf_trace *of)
{
	return s && of->flags & 1;
}

/* The position of a free slot; false when there is none. */
static bool
draw(struct tf_spans *s, uint64_t *out)
{
	uint64_t at = atomic_load_explicit(&s->tail, memory_order_relaxed);
	for (;;) {
		uint64_t turn = atomic_load_explicit(&s->slots[at & s->mask].turn, memory_order_acquire);
		if (turn < at)
			return false; /* it still holds the span of the round before */
		if (turn > at)
			at = atomic_load_explicit(&s->tail, memory_order_relaxed);
		else if (atomic_compare_exchange_weak_explicit(&s->tail, &at, at + 1, memory_order_relaxed,
							       memory_order_relaxed))
			break;
	}
	*out = at;
	return true;
}

bool
tf_spans_put(struct tf_spans *s, const struct tf_span *span)
{
	uint64_t at;
	if (!s || is_zero(span->trace, sizeof span->trace))
		return true;
	if (!draw(s, &at)) {
		tf_spans_count(s, TF_SPANS_DROPPED, 1);
		return false;
	}
	struct slot *slot = &s->slots[at & s->mask];
	slot->span = *span;
	atomic_store_explicit(&slot->turn, at + 1, memory_order_release);
	tf_spans_count(s, TF_SPANS_RECORDED, 1);
	if (s->o.wake && s->o.batch && (at + 1) % s->o.batch == 0)
		s->o.wake(s->o.ctx);
	return true;
}

size_t
tf_spans_take(struct tf_spans *s, struct tf_span *out, size_t max)
{
	size_t n = 0;
	for (; n < max; n++, s->head++) {
		struct slot *slot = &s->slots[s->head & s->mask];
		if (atomic_load_explicit(&slot->turn, memory_order_acquire) != s->head + 1)
			break;
		out[n] = slot->span;
		atomic_store_explicit(&slot->turn, s->head + s->mask + 1, memory_order_release);
	}
	return n;
}

void
tf_spans_count(struct tf_spans *s, enum tf_spans_fate fate, uint64_t by)
{
	tf_metric_add(s->metrics, 0, fate, (int64_t)by);
}

uint64_t
tf_spans_counted(const struct tf_spans *s, enum tf_spans_fate fate)
{
	return (uint64_t)tf_metric_get(s->metrics, 0, fate);
}

void
tf_spans_render(const struct tf_spans *s, struct tf_buf *b)
{
	tf_metrics_render(s->metrics, b);
}
