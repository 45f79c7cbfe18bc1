/* An adaptive binary arithmetic coder, for the model's tables: small, exact, slow. One function codes in either
 * direction, so that a format is written down once. Taking never reads past its bytes: zeros follow them. */
#pragma once
#include "base/buf.h"

struct coder {
	struct tf_buf *out; /* NULL when taking */
	struct tf_cur in;
	uint32_t low, high, at;
};

struct coder_bit {
	uint16_t one;  /* probability of a 1, in 1/65536 */
	uint16_t seen; /* how often, up to the limit of its memory */
};

/* A probability's step after so many bits, 2 / (2 seen + 3) in 1/65536, a half at most. */
static const uint16_t coder_pace[32] = {32767, 26214, 18724, 14563, 11915, 10082, 8738, 7710, 6898, 6241, 5698,
					5242,  4854,  4519,  4228,  3971,  3744,  3542, 3360, 3196, 3048, 2912,
					2788,  2674,  2570,  2473,  2383,  2299,  2221, 2148, 2080, 2016};

static inline void
coder_bits_init(struct coder_bit *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		b[i] = (struct coder_bit){32768, 0};
}

static inline void
coder_put_init(struct coder *c, struct tf_buf *out)
{
	*c = (struct coder){.out = out, .high = UINT32_MAX};
}

static inline uint8_t
coder_next_byte(struct coder *c)
{
	return tf_cur_left(&c->in) ? tf_cur_u8(&c->in) : 0;
}

static inline void
coder_take_init(struct coder *c, struct tf_str bytes)
{
	*c = (struct coder){.in = tf_cur(bytes), .high = UINT32_MAX};
	for (int i = 0; i < 4; i++)
		c->at = c->at << 8 | coder_next_byte(c);
}

/* Puts bit (and returns it), or takes one (and ignores bit). */
static inline bool
coder_bit(struct coder *c, struct coder_bit *b, bool bit)
{
	uint32_t span = c->high - c->low;
	uint32_t middle = c->low + (uint32_t)((uint64_t)span * b->one >> 16);
	bit = c->out ? bit : c->at <= middle;
	if (bit)
		c->high = middle;
	else
		c->low = middle + 1;
	while ((c->low ^ c->high) < (1u << 24)) {
		if (c->out)
			tf_buf_u8(c->out, (uint8_t)(c->high >> 24));
		else
			c->at = c->at << 8 | coder_next_byte(c);
		c->low <<= 8;
		c->high = c->high << 8 | 0xff;
	}
	int32_t aim = bit ? 65535 - 64 : 64; /* never certain */
	b->one = (uint16_t)(b->one + (aim - b->one) * coder_pace[b->seen] / 65536);
	b->seen += b->seen < 31;
	return bit;
}

/* Enough bytes to tell the last bit; zeros are understood after them. */
static inline void
coder_put_end(struct coder *c)
{
	tf_buf_u8(c->out, (uint8_t)((c->low >> 24) + 1));
}
