/* Trace and correlation ids; see trace.h. */
#include "watch/trace.h"

#define TEXT_BYTES (TF_TRACEPARENT_BYTES - 1)

/* Lower case only, as the standard has it. */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
from_hex(const char *from, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = digit(from[2 * i]), low = digit(from[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return !any;
}

static void
correlate_by_trace(struct tf_trace *t)
{
	tf_hex(t->trace, sizeof t->trace, t->correlation);
	t->correlation_n = 2 * sizeof t->trace;
}

/* Zero means "none" in the standard. */
static void
draw(struct tf_os *os, uint8_t *p, size_t n)
{
	do
		tf_os_random(os, p, n);
	while (all_zero(p, n));
}

void
tf_trace_new(struct tf_os *os, struct tf_trace *out)
{
	*out = (struct tf_trace){.flags = 1};
	draw(os, out->trace, sizeof out->trace);
	draw(os, out->span, sizeof out->span);
	correlate_by_trace(out);
}

void
tf_trace_child(struct tf_os *os, const struct tf_trace *of, struct tf_trace *out)
{
	*out = *of;
	draw(os, out->span, sizeof out->span);
}

enum tf_err
tf_trace_parse(struct tf_str s, struct tf_trace *out)
{
	struct tf_trace t = {0};
	uint8_t version;
	if (s.n < TEXT_BYTES || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-')
		return TF_INVALID;
	if (!from_hex(s.p, &version, 1) || version == 0xff)
		return TF_INVALID;
	if (s.n > TEXT_BYTES && (version == 0 || s.p[TEXT_BYTES] != '-')) /* later versions may add fields */
		return TF_INVALID;
	if (!from_hex(s.p + 3, t.trace, sizeof t.trace) || !from_hex(s.p + 36, t.span, sizeof t.span) ||
	    !from_hex(s.p + 53, &t.flags, 1))
		return TF_INVALID;
	if (all_zero(t.trace, sizeof t.trace) || all_zero(t.span, sizeof t.span))
		return TF_INVALID;
	t.flags &= 1; /* the one flag version 00 knows */
	correlate_by_trace(&t);
	*out = t;
	return TF_OK;
}

char *
tf_trace_format(const struct tf_trace *t, char out[static TF_TRACEPARENT_BYTES])
{
	char *p = out;
	memcpy(p, "00-", 3);
	p = tf_hex(t->trace, sizeof t->trace, p + 3);
	*p++ = '-';
	p = tf_hex(t->span, sizeof t->span, p);
	*p++ = '-';
	tf_hex(&t->flags, 1, p);
	return out;
}

static bool
may_name(struct tf_str id)
{
	static const char marks[] = "._:-";
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i], lower = (char)(c | 0x20);
		bool plain = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
		if (!plain && (!c || !strchr(marks, c)))
			return false;
	}
	return id.n >= 1 && id.n <= TF_CORRELATION_MAX;
}

enum tf_err
tf_trace_correlate(struct tf_trace *t, struct tf_str id)
{
	if (!may_name(id))
		return TF_INVALID;
	memcpy(t->correlation, id.p, id.n);
	t->correlation_n = (uint8_t)id.n;
	return TF_OK;
}

struct tf_str
tf_trace_correlation(const struct tf_trace *t)
{
	return tf_str_n(t->correlation, t->correlation_n);
}

void
tf_trace_put(struct tf_buf *b, const struct tf_trace *t)
{
	tf_buf_put(b, t->trace, sizeof t->trace);
	tf_buf_put(b, t->span, sizeof t->span);
	tf_buf_u8(b, t->flags);
	tf_buf_lstr(b, tf_trace_correlation(t));
}

void
tf_trace_get(struct tf_cur *c, struct tf_trace *out)
{
	struct tf_trace t = {0};
	struct tf_str trace = tf_cur_bytes(c, sizeof t.trace), span = tf_cur_bytes(c, sizeof t.span);
	t.flags = tf_cur_u8(c);
	struct tf_str id = tf_cur_lstr(c);
	if (!c->bad && id.n && !may_name(id))
		c->bad = true;
	if (c->bad)
		return;
	memcpy(t.trace, trace.p, sizeof t.trace);
	memcpy(t.span, span.p, sizeof t.span);
	if (id.n)
		memcpy(t.correlation, id.p, id.n);
	t.correlation_n = (uint8_t)id.n;
	*out = t;
}
