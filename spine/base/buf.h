/* A growing byte buffer with a limit and a sticky error.
 *
 * Writers append without checking each call; the first failure (memory out, or max passed) is kept in err, later
 * appends do nothing, and the owner asks once, at the end. All integers are little-endian. varint is LEB128
 * (7 bits a byte, low first), zigzag maps signed to unsigned: 0, -1, 1, -2, ...
 * Ownership: the buffer owns p; clear with tf_buf_release. Thread rule: one thread at a time. */
#pragma once
#include "base/str.h"

struct tf_buf {
	uint8_t *p;
	size_t n, cap;
	size_t max; /* 0 means no limit but memory */
	enum tf_err err;
};

void tf_buf_init(struct tf_buf *b, size_t max);
void tf_buf_release(struct tf_buf *b);
/* Empties, keeps the memory, clears err. */
void tf_buf_reset(struct tf_buf *b);
/* tf_buf_room where there is none yet. */
uint8_t *tf_buf_grow(struct tf_buf *b, size_t n);

/* Room for n more bytes, uninitialised, not yet counted in b->n; NULL and err set on failure. */
static inline uint8_t *
tf_buf_room(struct tf_buf *b, size_t n)
{
	return !b->err && b->p && n <= b->cap - b->n ? b->p + b->n : tf_buf_grow(b, n);
}

/* Room for n bytes, counted; NULL on failure. */
static inline uint8_t *
tf_buf_extend(struct tf_buf *b, size_t n)
{
	uint8_t *p = tf_buf_room(b, n);
	if (p)
		b->n += n;
	return p;
}

static inline void
tf_buf_u8(struct tf_buf *b, uint8_t v)
{
	uint8_t *to = tf_buf_extend(b, 1);
	if (to)
		*to = v;
}

void tf_buf_put(struct tf_buf *b, const void *p, size_t n);
void tf_buf_str(struct tf_buf *b, struct tf_str s);
void tf_buf_cstr(struct tf_buf *b, const char *s);
void tf_buf_u16(struct tf_buf *b, uint16_t v);
void tf_buf_u32(struct tf_buf *b, uint32_t v);
void tf_buf_u64(struct tf_buf *b, uint64_t v);
void tf_buf_varint(struct tf_buf *b, uint64_t v);
void tf_buf_zigzag(struct tf_buf *b, int64_t v);
/* Length as varint, then the bytes. */
void tf_buf_lstr(struct tf_buf *b, struct tf_str s);
/* In decimal. */
void tf_buf_digits(struct tf_buf *b, uint64_t v);
void tf_buf_printf(struct tf_buf *b, const char *fmt, ...) TF_PRINTF(2, 3);
struct tf_str tf_buf_view(const struct tf_buf *b);

/* Reading side: a cursor over bytes it does not own. A read past the end sets bad, returns 0 and stays there. */
struct tf_cur {
	const uint8_t *p, *end;
	bool bad;
};

struct tf_cur tf_cur(struct tf_str bytes);
size_t tf_cur_left(const struct tf_cur *c);
uint8_t tf_cur_u8(struct tf_cur *c);
uint16_t tf_cur_u16(struct tf_cur *c);
uint32_t tf_cur_u32(struct tf_cur *c);
uint64_t tf_cur_u64(struct tf_cur *c);
/* A varint over 10 bytes or 64 bits is bad. */
uint64_t tf_cur_varint(struct tf_cur *c);
int64_t tf_cur_zigzag(struct tf_cur *c);
/* n bytes, not copied; empty when bad. */
struct tf_str tf_cur_bytes(struct tf_cur *c, size_t n);
struct tf_str tf_cur_lstr(struct tf_cur *c);
