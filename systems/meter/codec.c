/* The codec's front: checks, the choice of kind by its first byte, and the row directory; see codec.h. */
#include "codec.h"

#include "base/mem.h"
#include "codec_model.h"
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
	size_t before = out->n;
	enum tf_err e = codec == METER_CODEC_MODEL ? codec_model_encode(grid, out) : codec_plain_encode(grid, out);
	if (e)
		out->n = before;
	return e;
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
codec_list_put(struct tf_buf *out, const uint32_t *numbers, uint32_t n)
{
	uint32_t low = n ? UINT32_MAX : 0, high = 0;
	for (uint32_t i = 0; i < n; i++) {
		low = numbers[i] < low ? numbers[i] : low;
		high = numbers[i] > high ? numbers[i] : high;
	}
	unsigned width = codec_bits(high - low);
	tf_buf_u8(out, (uint8_t)width);
	tf_buf_varint(out, low);
	uint64_t part[64];
	for (uint32_t at = 0; at < n; at += 64) {
		uint32_t count = n - at < 64 ? n - at : 64;
		for (uint32_t i = 0; i < count; i++)
			part[i] = numbers[at + i] - low;
		codec_pack(out, part, count, width); /* 64 numbers end on a byte, so the parts join */
	}
}

enum tf_err
codec_list_take(struct tf_cur *c, uint32_t n, struct codec_list *out)
{
	unsigned width = tf_cur_u8(c);
	uint64_t low = tf_cur_varint(c);
	if (c->bad || width > 32 || low > UINT32_MAX)
		return TF_CORRUPT;
	struct tf_str packed = tf_cur_bytes(c, codec_packed_size(n, width));
	*out = (struct codec_list){packed, (uint32_t)low, width};
	return c->bad ? TF_CORRUPT : TF_OK;
}

uint64_t
codec_list_at(const struct codec_list *l, uint32_t i)
{
	uint64_t bit = (uint64_t)i * l->width, v = 0;
	size_t from = bit >> 3, n = l->packed.n - from < 8 ? l->packed.n - from : 8;
	if (n)
		memcpy(&v, l->packed.p + from, n);
	return l->low + (v >> (bit & 7) & (((uint64_t)1 << l->width) - 1));
}

enum tf_err
codec_directory_take(struct tf_cur *c, struct meter_decoder *d, size_t pad)
{
	struct codec_list lengths;
	TF_TRY(codec_list_take(c, d->rows, &lengths));
	d->start = tf_malloc(((size_t)d->rows + 1) * sizeof *d->start);
	if (!d->start)
		return TF_NO_MEMORY;
	uint64_t at = (uint64_t)(c->p - d->bytes), size = (uint64_t)(d->end - d->bytes);
	d->start[0] = at;
	for (uint32_t r = 0; r < d->rows; r++) {
		at += codec_list_at(&lengths, r);
		if (at > size)
			return TF_CORRUPT;
		d->start[r + 1] = at;
	}
	return at + pad == size ? TF_OK : TF_CORRUPT;
}

static enum tf_err
decoder_take(struct meter_decoder *d, struct tf_str bytes)
{
	struct tf_cur c = tf_cur(bytes);
	d->kind = tf_cur_u8(&c);
	if (c.bad || d->kind > METER_CODEC_MODEL)
		return TF_CORRUPT;
	if (d->kind == METER_CODEC_MODEL)
		return codec_model_open(&c, d);
	TF_TRY(codec_plain_open(&c, d));
	return codec_directory_take(&c, d, 0);
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
	codec_model_free(&(*d)->model);
	tf_free((*d)->start);
	tf_free(*d);
	*d = NULL;
}

enum tf_err
meter_decoder_row(const struct meter_decoder *d, uint32_t row, int64_t *out_values)
{
	return meter_decoder_rows(d, row, 1, out_values);
}

enum tf_err
meter_decoder_rows(const struct meter_decoder *d, uint32_t first, uint32_t count, int64_t *out_values)
{
	if (first > d->rows || count > d->rows - first)
		return TF_INVALID;
	if (d->kind == METER_CODEC_MODEL)
		return codec_model_rows(d, first, count, out_values);
	for (uint32_t i = 0; i < count; i++)
		TF_TRY(codec_plain_row(d, first + i, out_values + (size_t)i * d->slots));
	return TF_OK;
}

void
meter_decoder_row_span(const struct meter_decoder *d, uint32_t row, size_t *out_head, size_t *out_offset, size_t *out_n)
{
	TF_ASSERT(row < d->rows);
	*out_head = d->start[0];
	*out_offset = d->start[row];
	*out_n = d->start[row + 1] - d->start[row];
}
