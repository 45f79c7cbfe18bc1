/* METER_CODEC_MODEL's inside: what its encoder and decoder share. Byte format: docs/formats/codec.md.
 *
 * A value becomes a token (sign, exponent, two bits below the leading one) and raw bits. A token is coded by tANS
 * (Duda, "Asymmetric numeral systems", 2013) with one of the block's tables; which one is told by the row's class and
 * the context: the level expected from the token before, a running mean, and a mean of the same slot of the days
 * before. Tokens are logarithmic, so all three are averages of token numbers. */
#pragma once
#include "codec_internal.h"

#define MODEL_CLASSES_MAX   4
#define MODEL_CONTEXTS      256
#define MODEL_TABLES_MAX    255
#define MODEL_TOKENS_MAX    248 /* 124 magnitudes below 2^32, either sign */
#define MODEL_LOG2_MIN      8   /* states of a table */
#define MODEL_LOG2_MAX      12
#define MODEL_SHIFT_MIN     6
#define MODEL_LEVELS        26
#define MODEL_DAY_MAX       1440 /* slots of a day that the model remembers */
#define MODEL_MAGNITUDE_MAX (((uint64_t)1 << 32) - 1)
#define MODEL_PAD           8 /* bytes after the last row, so that a load may reach past it */
#define MODEL_PLAIN_LOG2    1 /* chunks of 32 slots in the rows kept plain */

/* The expected level: half the token before, a quarter each the mean of the same slot of days before and the running
 * mean; times 4, in 1/256 tokens. */
static inline uint32_t
model_expect(uint32_t last, uint32_t slot, uint32_t mean)
{
	return 2 * last + slot + mean;
}

/* Both means move a quarter of the way to each new token. */
#define MODEL_RATE 2

/* How a row is kept; above MODEL_ROW_CLASS + class comes MODEL_CLASSES_MAX + it: the same behind a row header. */
enum { MODEL_ROW_PLAIN = 0, MODEL_ROW_CLASS = 1, MODEL_ROW_SHAPED = MODEL_ROW_CLASS + MODEL_CLASSES_MAX };
/* The row header's flags: a quantum and an offset follow in this order where flagged. Values are undone in the order
 * running sum, offset, quantum. */
enum { MODEL_SHAPE_QUANTUM = 1, MODEL_SHAPE_OFFSET = 2, MODEL_SHAPE_DELTA = 4 };

/* What both sides know of a block before any table. */
struct model_head {
	unsigned log2; /* states of a table, as a power of two */
	unsigned classes;
	unsigned shift; /* expected level to context */
	unsigned zero;  /* the token of value 0 */
	unsigned tokens;
	uint32_t day;   /* slots; 0: no day */
	unsigned start; /* the token that stands before a row's first */
};

/* Which table each context of each class uses, and the tables as levels: half-octaves of frequency, 0 for never. */
struct model_tables {
	unsigned count;
	uint8_t map[MODEL_CLASSES_MAX][MODEL_CONTEXTS];
	uint8_t level[MODEL_TABLES_MAX][MODEL_TOKENS_MAX];
};

/* Magnitude to token distance from zero, 0..123, and back: the least magnitude and the raw bits above it. */
static inline unsigned
model_magnitude_token(uint32_t m)
{
	if (m < 4)
		return m;
	unsigned e = 31 - (unsigned)__builtin_clz(m);
	return (e - 1) * 4 + (m >> (e - 2) & 3);
}

static inline unsigned
model_token_bits(unsigned distance)
{
	return distance < 8 ? 0 : distance / 4 - 1;
}

static inline uint32_t
model_token_least(unsigned distance)
{
	return distance < 8 ? distance : (4 + distance % 4) << (distance / 4 - 1);
}

/* Least value of a token: raw bits count up from it, for negative values too. */
int64_t model_token_base(unsigned token, unsigned zero);
/* The level that stands for count of total (0 < count <= total). */
uint8_t model_level(uint64_t count, uint64_t total);
/* Frequencies, 2^log2 in all, from levels; false when every level is 0. */
bool model_frequencies(const uint8_t *levels, unsigned tokens, unsigned log2, uint16_t *out_frequency);
/* The token at each of 2^log2 states. */
void model_spread(const uint16_t *frequency, unsigned tokens, unsigned log2, uint8_t *out_tokens);

/* Map and levels through an adaptive binary coder; t comes back as it was. */
void model_tables_put(struct tf_buf *out, struct model_tables *t, const struct model_head *h);
/* TF_CORRUPT unless every context's table exists and levels are known ones. */
enum tf_err model_tables_take(struct tf_str bytes, const struct model_head *h, struct model_tables *out) TF_MUST_USE;

enum tf_err codec_model_encode(const struct meter_grid *grid, struct tf_buf *out) TF_MUST_USE;
enum tf_err codec_model_open(struct tf_cur *c, struct meter_decoder *d) TF_MUST_USE;
void codec_model_free(struct codec_model **m);
enum tf_err codec_model_rows(const struct meter_decoder *d, uint32_t first, uint32_t count,
			     int64_t *out_values) TF_MUST_USE;
