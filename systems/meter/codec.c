/* The codec's front: checks, the choice of kind by its first byte, and the row directory; see codec.h. */
#include "codec.h"

#include "base/mem.h"
#include "codec_internal.h"
#include "reading.h"

static enum tf_err
grid_check(const struct meter_grid *grid)
{
	if (grid->rows > CODEC_ROWS_MAX || grid->slots > CODEC_SLOTS_MAX)
		return TF_TOO_LARGE;
	for (uint32_t r = 0; r < grid->rows; r++) {
		const int64_t *v = grid->values + (size_t)r * grid->slots;
		if (grid->skip && grid->skip[r])
			continue;
		bool bad = false;
		for (uint32_t i = 0; i < grid->slots; i++)
			bad |= (uint64_t)v[i] + METER_VALUE_MAX > 2 * (uint64_t)METER_VALUE_MAX;
		if (bad)
			return TF_INVALID;
	}
	return TF_OK;
}

enum tf_err
meter_codec_encode(enum meter_codec codec, const struct meter_grid *grid, struct tf_buf *out)
{
	TF_TRY(grid_check(grid));
	return codec_plain_encode(grid, out);
}

void
codec_pack(struct tf_buf *out, const uint64_t *values, size_t n, unsigned width)
{
	size_t size = codec_packed_size(n, width);
	uint8_t *p = tf_buf_room(out, size + 8);
	if (!p)
		return;
	uint64_t acc = 0;
	unsigned held = 0; /* bits in acc, below 8 before each value */
	for (size_t i = 0; i < n; i++) {
		acc |= values[i] << held;
		held += width;
		codec_store64(p, acc);
		p += held >> 3;
		acc >>= held & ~7u; /* at most 56 */
		held &= 7;
	}
	out->n += size;
}

void
codec_directory_put(struct tf_buf *out, const uint32_t *lengths, uint32_t rows)
{
	uint32_t low = rows ? UINT32_MAX : 0, high = 0;
	for (uint32_t r = 0; r < rows; r++) {
		low = lengths[r] < low ? lengths[r] : low;
		high = lengths[r] > high ? lengths[r] : high;
	}
	unsigned width = codec_bits(high - low);
	tf_buf_u8(out, (uint8_t)width);
	tf_buf_varint(out, low);
	uint64_t part[64];
	for (uint32_t r = 0; r < rows; r += 64) {
		uint32_t n = rows - r < 64 ? rows - r : 64;
		for (uint32_t i = 0; i < n; i++)
			part[i] = lengths[r + i] - low;
		codec_pack(out, part, n, width); /* 64 values end on a byte, so the parts join */
	}
}

enum tf_err
codec_directory_take(struct tf_cur *c, struct meter_decoder *d)
{
	unsigned width = tf_cur_u8(c);
	uint64_t low = tf_cur_varint(c);
	if (c->bad || width > 32 || low > UINT32_MAX)
		return TF_CORRUPT;
	struct tf_str packed = tf_cur_bytes(c, codec_packed_size(d->rows, width));
	if (c->bad)
		return TF_CORRUPT;
	d->start = tf_malloc(((size_t)d->rows + 1) * sizeof *d->start);
	if (!d->start)
		return TF_NO_MEMORY;
	uint64_t at = (uint64_t)(c->p - d->bytes), size = (uint64_t)(d->end - d->bytes);
	d->start[0] = at;
	for (uint32_t r = 0; r < d->rows; r++) {
		uint64_t bit = (uint64_t)r * width, v = 0;
		size_t from = bit >> 3, n = packed.n - from < 8 ? packed.n - from : 8;
		memcpy(&v, packed.p + from, n);
		at += low + (v >> (bit & 7) & (((uint64_t)1 << width) - 1));
		if (at > size)
			return TF_CORRUPT;
		d->start[r + 1] = at;
	}
	return at == size ? TF_OK : TF_CORRUPT;
}

static enum tf_err
decoder_take(struct meter_decoder *d, struct tf_str bytes)
{
	struct tf_cur c = tf_cur(bytes);
	d->kind = tf_cur_u8(&c);
	if (c.bad || d->kind != METER_CODEC_PLAIN)
		return TF_CORRUPT;
	TF_TRY(codec_plain_open(&c, d));
	return codec_directory_take(&c, d);
}

enum tf_err
meter_decoder_open(struct tf_str bytes, uint32_t rows, uint32_t slots, struct meter_decoder **out, struct tf_fault *f)
{
	if (rows > CODEC_ROWS_MAX || slots > CODEC_SLOTS_MAX)
		return tf_fault(f, TF_TOO_LARGE, "block too large: %u rows of %u slots", rows, slots);
	struct meter_decoder *d = tf_calloc(1, sizeof *d);
	if (!d)
		return tf_fault(f, TF_NO_MEMORY, "out of memory for a decoder");
	d->rows = rows;
	d->slots = slots;
	d->bytes = (const uint8_t *)bytes.p;
	d->end = bytes.n ? d->bytes + bytes.n : d->bytes;
	enum tf_err e = decoder_take(d, bytes);
	if (e) {
		meter_decoder_free(&d);
		return tf_fault(f, e, "cannot read the head of a block of %zu bytes, %u rows, %u slots: %s", bytes.n,
				rows, slots, tf_err_text(e));
	}
	*out = d;
	return TF_OK;
}

void
meter_decoder_free(struct meter_decoder **d)
{
	if (!*d)
		return;
	tf_free((*d)->start);
	tf_free(*d);
	*d = NULL;
}

enum tf_err
meter_decoder_row(const struct meter_decoder *d, uint32_t row, int64_t *out_values)
{
	if (row >= d->rows)
		return TF_INVALID;
	if (d->start[row] == d->start[row + 1]) {
		memset(out_values, 0, d->slots * sizeof *out_values);
		return TF_OK;
	}
	return codec_plain_row(d, row, out_values);
}

void
meter_decoder_row_span(const struct meter_decoder *d, uint32_t row, size_t *out_head, size_t *out_offset, size_t *out_n)
{
	TF_ASSERT(row < d->rows);
	*out_head = d->start[0];
	*out_offset = d->start[row];
	*out_n = d->start[row + 1] - d->start[row];
}
