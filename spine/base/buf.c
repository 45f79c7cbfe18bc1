/* Byte buffers and cursors; see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

void
tf_buf_init(struct tf_buf *b, size_t max)
{
	*b = (struct tf_buf){.max = max};
}

void
tf_buf_release(struct tf_buf *b)
{
	tf_free(b->p);
	*b = (struct tf_buf){.max = b->max};
}

void
tf_buf_reset(struct tf_buf *b)
{
	b->n = 0;
	b->err = TF_OK;
}

uint8_t *
tf_buf_grow(struct tf_buf *b, size_t n)
{
	size_t want;
	if (b->err)
		return NULL;
	if (__builtin_add_overflow(b->n, n, &want) || (b->max && want > b->max)) {
		b->err = TF_TOO_LARGE;
		return NULL;
	}
	size_t cap = b->cap * 2 > want ? b->cap * 2 : want;
	cap = cap < 64 ? 64 : cap;
	if (b->max && cap > b->max)
		cap = b->max;
	uint8_t *p = tf_realloc(b->p, cap);
	if (!p) {
		b->err = TF_NO_MEMORY;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return p + b->n;
}

void
tf_buf_put(struct tf_buf *b, const void *p, size_t n)
{
	uint8_t *to = tf_buf_extend(b, n);
	if (to && n)
		memcpy(to, p, n);
}

void
tf_buf_str(struct tf_buf *b, struct tf_str s)
{
	tf_buf_put(b, s.p, s.n);
}

void
tf_buf_cstr(struct tf_buf *b, const char *s)
{
	tf_buf_put(b, s, strlen(s));
}

void
tf_buf_u16(struct tf_buf *b, uint16_t v)
{
	tf_buf_put(b, &v, 2); /* x86-64 and arm64 are little-endian; buf_test checks it */
}

void
tf_buf_u32(struct tf_buf *b, uint32_t v)
{
	tf_buf_put(b, &v, 4);
}

void
tf_buf_u64(struct tf_buf *b, uint64_t v)
{
	tf_buf_put(b, &v, 8);
}

void
tf_buf_varint(struct tf_buf *b, uint64_t v)
{
	if (v < 0x80) { /* nearly all */
		tf_buf_u8(b, (uint8_t)v);
		return;
	}
	uint8_t *p = tf_buf_room(b, 10);
	if (!p)
		return;
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	b->n += n;
}

void
tf_buf_zigzag(struct tf_buf *b, int64_t v)
{
	tf_buf_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

void
tf_buf_lstr(struct tf_buf *b, struct tf_str s)
{
	tf_buf_varint(b, s.n);
	tf_buf_str(b, s);
}

void
tf_buf_digits(struct tf_buf *b, uint64_t v)
{
	char text[20];
	size_t at = sizeof text;
	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	tf_buf_put(b, text + at, sizeof text - at);
}

void
tf_buf_printf(struct tf_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n < 0 ? NULL : (char *)tf_buf_room(b, (size_t)n + 1);
	if (p) {
		vsnprintf(p, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

struct tf_str
tf_buf_view(const struct tf_buf *b)
{
	return tf_str_n(b->p, b->n);
}

struct tf_cur
tf_cur(struct tf_str bytes)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	return (struct tf_cur){p, p ? p + bytes.n : p, false};
}

size_t
tf_cur_left(const struct tf_cur *c)
{
	return (size_t)(c->end - c->p);
}

struct tf_str
tf_cur_bytes(struct tf_cur *c, size_t n)
{
	if (c->bad || n > tf_cur_left(c)) {
		c->bad = true;
		return (struct tf_str){NULL, 0};
	}
	struct tf_str s = tf_str_n(c->p, n);
	c->p += n;
	return s;
}

static uint64_t
fixed(struct tf_cur *c, size_t n)
{
	uint64_t v = 0;
	struct tf_str s = tf_cur_bytes(c, n);
	if (s.n)
		memcpy(&v, s.p, n);
	return v;
}

uint8_t
tf_cur_u8(struct tf_cur *c)
{
	return (uint8_t)fixed(c, 1);
}

uint16_t
tf_cur_u16(struct tf_cur *c)
{
	return (uint16_t)fixed(c, 2);
}

uint32_t
tf_cur_u32(struct tf_cur *c)
{
	return (uint32_t)fixed(c, 4);
}

uint64_t
tf_cur_u64(struct tf_cur *c)
{
	return fixed(c, 8);
}

uint64_t
tf_cur_varint(struct tf_cur *c)
{
	uint64_t v = 0;
	if (c->p < c->end && *c->p < 0x80 && !c->bad) /* nearly all */
		return *c->p++;
	for (unsigned shift = 0; shift < 70 && !c->bad; shift += 7) {
		if (c->p == c->end)
			break;
		uint8_t b = *c->p++;
		if (shift == 63 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	c->bad = true;
	return 0;
}

int64_t
tf_cur_zigzag(struct tf_cur *c)
{
	uint64_t v = tf_cur_varint(c);
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

struct tf_str
tf_cur_lstr(struct tf_cur *c)
{
	uint64_t n = tf_cur_varint(c);
	return n > tf_cur_left(c) ? (c->bad = true, (struct tf_str){NULL, 0}) : tf_cur_bytes(c, n);
}
