/* What the codec's files share; not for callers. Byte format: docs/formats/codec.md.
 *
 * A block is: kind (one byte), the kind's own head, the row directory, the rows' bytes one behind the other. The
 * directory gives each row's byte count; a row of zeros takes none. */
#pragma once
#include "codec.h"

#define CODEC_ROWS_MAX  ((uint32_t)1 << 24)
#define CODEC_SLOTS_MAX ((uint32_t)1 << 24)

struct codec_model; /* decoding tables of METER_CODEC_MODEL: codec_model.h */

struct meter_decoder {
	uint32_t rows, slots;
	const uint8_t *bytes, *end; /* the whole block, borrowed */
	size_t *start;              /* rows + 1 offsets into bytes: row r is [start[r], start[r + 1]) */
	uint8_t kind;
	unsigned plain_log2; /* PLAIN: slots of a chunk */
	struct codec_model *model;
};

/* Unaligned little-endian access; the caller has made sure of 8 bytes. */
static inline uint64_t
codec_load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

static inline void
codec_store64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

/* Bits needed for v: 0 for 0, 64 at most. */
static inline unsigned
codec_bits(uint64_t v)
{
	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* A list of numbers: u8 width, varint the smallest, then each less the smallest, width bits each. */
void codec_list_put(struct tf_buf *out, const uint32_t *numbers, uint32_t n);
struct codec_list {
	struct tf_str packed;
	uint32_t low;
	unsigned width;
};
enum tf_err codec_list_take(struct tf_cur *c, uint32_t n, struct codec_list *out) TF_MUST_USE;
uint64_t codec_list_at(const struct codec_list *l, uint32_t i);

/* The row directory is the list of the rows' byte counts. Fills d->start; what follows the directory must be the rows'
 * bytes exactly, and pad more. */
enum tf_err codec_directory_take(struct tf_cur *c, struct meter_decoder *d, size_t pad) TF_MUST_USE;

/* Packs n values of width bits (0..56), low bits first, padded to a byte. */
void codec_pack(struct tf_buf *out, const uint64_t *values, size_t n, unsigned width);
/* Bytes that n values of width bits take. */
static inline size_t
codec_packed_size(size_t n, unsigned width)
{
	return (n * width + 7) / 8;
}

/* Greatest common divisor of a row's values, 1 for a row of zeros. */
uint64_t codec_quantum(const int64_t *v, uint32_t n);
/* A row as chunks of 16 << log2; v already divided by quantum. */
void codec_plain_row_put(struct tf_buf *out, const int64_t *v, uint32_t slots, unsigned log2, uint64_t quantum);
/* Bytes that a row takes this way, near enough. */
uint64_t codec_plain_row_size(const int64_t *v, uint32_t slots, unsigned log2);
bool codec_row_is_zero(const struct meter_grid *grid, uint32_t row);

enum tf_err codec_plain_encode(const struct meter_grid *grid, struct tf_buf *out) TF_MUST_USE;
/* Takes PLAIN's own head. */
enum tf_err codec_plain_open(struct tf_cur *c, struct meter_decoder *d) TF_MUST_USE;
enum tf_err codec_plain_row(const struct meter_decoder *d, uint32_t row, int64_t *out_values) TF_MUST_USE;
