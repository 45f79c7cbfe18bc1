/* METER_CODEC_PLAIN: frame of reference. A row is cut into chunks of 16 << k slots (one k for the block, the one that
 * gives the fewest bytes); a chunk is its minimum and the packed offsets above it.
 *
 *   head   u8      k, 0..6
 *   chunk  u8      bits 0-5 width of an offset, 0..55; 0x40 quantum follows (a row's first chunk only); 0x80 the
 *                  minimum is the value of every slot from here to the end of the row
 *          varint  quantum, at least 2, where 0x40
 *          zigzag  minimum
 *          bytes   offsets, width bits each, low bits first, padded to a byte
 *   value = (minimum + offset) * quantum, modulo 2^64
 *
 * Speed over size: METER_CODEC_MODEL is the one that saves bytes. */
#include "base/mem.h"
#include "codec_internal.h"

#define PLAIN_BASE      16
#define PLAIN_LOG2_MAX  6
#define PLAIN_WIDTH_MAX 55
#define PLAIN_CHUNK_MAX (PLAIN_BASE << PLAIN_LOG2_MAX)
#define PLAIN_QUANTUM   0x40
#define PLAIN_REST      0x80

struct range {
	int64_t low, high;
};

struct plain_sizes {
	uint64_t bits[PLAIN_LOG2_MAX + 1];
};

uint64_t
codec_quantum(const int64_t *v, uint32_t n)
{
	uint64_t q = 0;
	for (uint32_t i = 0; i < n && q != 1; i++) {
		uint64_t a = v[i] < 0 ? -(uint64_t)v[i] : (uint64_t)v[i], b = q;
		while (b) {
			uint64_t rest = a % b;
			a = b;
			b = rest;
		}
		q = a;
	}
	return q ? q : 1;
}

static struct range
range_of(const int64_t *v, uint32_t n)
{
	struct range r = {v[0], v[0]};
	for (uint32_t i = 1; i < n; i++) {
		r.low = v[i] < r.low ? v[i] : r.low;
		r.high = v[i] > r.high ? v[i] : r.high;
	}
	return r;
}

/* How many bytes each chunk size would take, near enough: widths exactly, minimums as two bytes. */
static void
sizes_add(struct plain_sizes *s, const int64_t *v, uint32_t slots)
{
	struct range open[PLAIN_LOG2_MAX + 1];
	uint32_t filled[PLAIN_LOG2_MAX + 1] = {0};
	for (uint32_t at = 0; at < slots; at += PLAIN_BASE) {
		uint32_t n = slots - at < PLAIN_BASE ? slots - at : PLAIN_BASE;
		struct range r = range_of(v + at, n);
		for (unsigned k = 0; k <= PLAIN_LOG2_MAX; k++) {
			if (!filled[k])
				open[k] = r;
			open[k].low = r.low < open[k].low ? r.low : open[k].low;
			open[k].high = r.high > open[k].high ? r.high : open[k].high;
			filled[k] += n;
			if (filled[k] == (uint32_t)PLAIN_BASE << k || at + n == slots) {
				s->bits[k] +=
					24 + (uint64_t)filled[k] * codec_bits((uint64_t)(open[k].high - open[k].low));
				filled[k] = 0;
			}
		}
	}
}

uint64_t
codec_plain_row_size(const int64_t *v, uint32_t slots, unsigned log2)
{
	uint64_t bits = 0;
	uint32_t chunk = PLAIN_BASE << log2;
	for (uint32_t at = 0; at < slots; at += chunk) {
		uint32_t n = slots - at < chunk ? slots - at : chunk;
		struct range r = range_of(v + at, n);
		bits += 24 + (uint64_t)n * codec_bits((uint64_t)(r.high - r.low));
	}
	return (bits + 7) / 8;
}

bool
codec_row_is_zero(const struct meter_grid *grid, uint32_t row)
{
	const int64_t *v = grid->values + (size_t)row * grid->slots;
	if (grid->skip && grid->skip[row])
		return true;
	for (uint32_t i = 0; i < grid->slots; i++)
		if (v[i])
			return false;
	return true;
}

static unsigned
best_log2(const struct meter_grid *grid)
{
	struct plain_sizes s = {{0}};
	for (uint32_t r = 0; r < grid->rows; r++)
		if (!codec_row_is_zero(grid, r))
			sizes_add(&s, grid->values + (size_t)r * grid->slots, grid->slots);
	unsigned best = 0;
	for (unsigned k = 1; k <= PLAIN_LOG2_MAX; k++)
		best = s.bits[k] < s.bits[best] ? k : best;
	return best;
}

static void
chunk_put(struct tf_buf *out, const int64_t *v, uint32_t n, struct range r, uint64_t quantum)
{
	uint64_t offset[PLAIN_CHUNK_MAX];
	unsigned width = codec_bits((uint64_t)(r.high - r.low));
	tf_buf_u8(out, (uint8_t)(width | (quantum > 1 ? PLAIN_QUANTUM : 0)));
	if (quantum > 1)
		tf_buf_varint(out, quantum);
	tf_buf_zigzag(out, r.low);
	for (uint32_t i = 0; i < n; i++)
		offset[i] = (uint64_t)(v[i] - r.low);
	codec_pack(out, offset, n, width);
}

/* First slot of the run of equal values that ends the row. */
static uint32_t
rest_start(const int64_t *v, uint32_t slots)
{
	uint32_t i = slots - 1;
	while (i > 0 && v[i - 1] == v[slots - 1])
		i--;
	return i;
}

void
codec_plain_row_put(struct tf_buf *out, const int64_t *v, uint32_t slots, unsigned log2, uint64_t quantum)
{
	uint32_t chunk = PLAIN_BASE << log2, rest = rest_start(v, slots);
	for (uint32_t at = 0; at < slots; at += chunk) {
		uint32_t n = slots - at < chunk ? slots - at : chunk;
		uint64_t first_quantum = at ? 1 : quantum;
		if (at < rest) {
			chunk_put(out, v + at, n, range_of(v + at, n), first_quantum);
			continue;
		}
		tf_buf_u8(out, PLAIN_REST | (first_quantum > 1 ? PLAIN_QUANTUM : 0));
		if (first_quantum > 1)
			tf_buf_varint(out, first_quantum);
		tf_buf_zigzag(out, v[at]);
		return;
	}
}

static enum tf_err
rows_put(const struct meter_grid *grid, unsigned log2, struct tf_buf *body, uint32_t *lengths, int64_t *scaled)
{
	for (uint32_t r = 0; r < grid->rows; r++) {
		size_t before = body->n;
		const int64_t *v = grid->values + (size_t)r * grid->slots;
		if (!codec_row_is_zero(grid, r)) {
			uint64_t quantum = codec_quantum(v, grid->slots);
			for (uint32_t i = 0; quantum > 1 && i < grid->slots; i++)
				scaled[i] = v[i] / (int64_t)quantum;
			codec_plain_row_put(body, quantum > 1 ? scaled : v, grid->slots, log2, quantum);
		}
		if (body->n - before > UINT32_MAX)
			return TF_TOO_LARGE;
		lengths[r] = (uint32_t)(body->n - before);
	}
	return body->err;
}

enum tf_err
codec_plain_encode(const struct meter_grid *grid, struct tf_buf *out)
{
	struct tf_buf body;
	tf_buf_init(&body, 0);
	uint32_t *lengths = tf_malloc((size_t)grid->rows * sizeof *lengths + 1);
	int64_t *scaled = tf_malloc((size_t)grid->slots * sizeof *scaled + 1);
	unsigned log2 = best_log2(grid);
	enum tf_err e = lengths && scaled ? rows_put(grid, log2, &body, lengths, scaled) : TF_NO_MEMORY;
	if (!e) {
		tf_buf_u8(out, METER_CODEC_PLAIN);
		tf_buf_u8(out, (uint8_t)log2);
		codec_list_put(out, lengths, grid->rows);
		tf_buf_put(out, body.p, body.n);
		e = out->err;
	}
	tf_free(lengths);
	tf_free(scaled);
	tf_buf_release(&body);
	return e;
}

enum tf_err
codec_plain_open(struct tf_cur *c, struct meter_decoder *d)
{
	d->plain_log2 = tf_cur_u8(c);
	return c->bad || d->plain_log2 > PLAIN_LOG2_MAX ? TF_CORRUPT : TF_OK;
}

static void
unpack(const uint8_t *p, uint32_t n, unsigned width, uint64_t low, int64_t *out)
{
	uint64_t mask = ((uint64_t)1 << width) - 1, bit = 0;
	for (uint32_t i = 0; i < n; i++, bit += width)
		out[i] = (int64_t)(low + (codec_load64(p + (bit >> 3)) >> (bit & 7) & mask));
}

/* A chunk's offsets; the loads reach up to 7 bytes past them, so the last chunks of a block are copied first. */
static enum tf_err
chunk_unpack(const struct meter_decoder *d, struct tf_cur *c, uint32_t n, unsigned width, uint64_t low, int64_t *out)
{
	struct tf_str packed = tf_cur_bytes(c, codec_packed_size(n, width));
	if (c->bad)
		return TF_CORRUPT;
	const uint8_t *p = (const uint8_t *)packed.p;
	if ((size_t)(d->end - p) >= packed.n + 8) {
		unpack(p, n, width, low, out);
		return TF_OK;
	}
	uint8_t copy[PLAIN_CHUNK_MAX * 7 + 8];
	memcpy(copy, p, packed.n);
	memset(copy + packed.n, 0, 8);
	unpack(copy, n, width, low, out);
	return TF_OK;
}

static enum tf_err
chunk_take(const struct meter_decoder *d, struct tf_cur *c, uint32_t at, uint64_t *quantum, int64_t *out,
	   uint32_t *out_n)
{
	uint8_t flags = tf_cur_u8(c);
	unsigned width = flags & 0x3f;
	uint32_t chunk = PLAIN_BASE << d->plain_log2, n = d->slots - at;
	if (flags & PLAIN_QUANTUM) {
		*quantum = tf_cur_varint(c);
		if (at || *quantum < 2)
			return TF_CORRUPT;
	}
	uint64_t low = (uint64_t)tf_cur_zigzag(c);
	if (c->bad || width > PLAIN_WIDTH_MAX || (flags & PLAIN_REST && width))
		return TF_CORRUPT;
	if (!(flags & PLAIN_REST) && n > chunk)
		n = chunk;
	*out_n = n;
	if (width)
		return chunk_unpack(d, c, n, width, low, out + at);
	for (uint32_t i = 0; i < n; i++)
		out[at + i] = (int64_t)low;
	return TF_OK;
}

enum tf_err
codec_plain_row(const struct meter_decoder *d, uint32_t row, int64_t *out_values)
{
	struct tf_cur c = {d->bytes + d->start[row], d->bytes + d->start[row + 1], false};
	uint64_t quantum = 1;
	if (!tf_cur_left(&c)) {
		memset(out_values, 0, d->slots * sizeof *out_values);
		return TF_OK;
	}
	for (uint32_t at = 0, n = 0; at < d->slots; at += n)
		TF_TRY(chunk_take(d, &c, at, &quantum, out_values, &n));
	if (tf_cur_left(&c))
		return TF_CORRUPT;
	for (uint32_t i = 0; quantum > 1 && i < d->slots; i++)
		out_values[i] = (int64_t)((uint64_t)out_values[i] * quantum);
	return TF_OK;
}
