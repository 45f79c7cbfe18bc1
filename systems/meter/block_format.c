/* A block as bytes. Format 1, little-endian:
 *
 *   0  u8    1
 *   1  u8    level (0 day, 1 month)
 *   2  u16   rows
 *   4  u32   bucket
 *   8  i32   span (date or month since 1970-01)
 *  12  u32   slots
 *  16  i64   start of slot 0, seconds UTC
 *  24  u32   interval, seconds
 *  28  u32   bytes of the next part
 *  32        varint stamps, each: u32 quality, varint delivery, zigzag issued seconds less the one's before
 *            per row: 0 as the row before (row 0: all absent); else varint runs, each: varint stamp + 1 (0 absent),
 *            varint slots
 *            varint past readings, each: varint row less the one's before, varint slot (less the one's before in the
 * same row), zigzag value, varint stamp quality u32, varint delivery, zigzag issued seconds
 *   -        the values: docs/formats/codec.md. A gap repeats the value before it (the first value after it at the
 * row's start).
 *
 * The checksum stands in the manifest, beside the block's place. */
#include "base/mem.h"
#include "block.h"

#define BLOCK_VERSION 1
#define HEAD_BYTES    32

static void
put_stamps(const struct meter_block *b, struct tf_buf *out)
{
	int64_t issued_s = 0;
	tf_buf_varint(out, b->stamp_count);
	for (uint32_t i = 0; i < b->stamp_count; i++) {
		const struct meter_stamp *s = &b->stamps[i];
		tf_buf_u32(out, s->quality);
		tf_buf_varint(out, s->delivery);
		tf_buf_zigzag(out, s->issued / TF_SEC - issued_s);
		issued_s = s->issued / TF_SEC;
	}
}

static void
put_runs(const uint32_t *stamp, uint32_t slots, struct tf_buf *out)
{
	uint32_t runs = slots > 0;
	for (uint32_t i = 1; i < slots; i++)
		runs += stamp[i] != stamp[i - 1];
	tf_buf_varint(out, runs);
	for (uint32_t i = 1, from = 0; i <= slots; i++) {
		if (i < slots && stamp[i] == stamp[from])
			continue;
		tf_buf_varint(out, stamp[from]);
		tf_buf_varint(out, i - from);
		from = i;
	}
}

static void
put_presence(const struct meter_block *b, uint32_t *zeros, struct tf_buf *out)
{
	uint32_t slots = b->shape.slots;
	const uint32_t *before = zeros;
	for (uint32_t r = 0; r < b->rows; r++) {
		const uint32_t *row = b->stamp + (size_t)r * slots;
		if (memcmp(row, before, slots * sizeof *row) == 0)
			tf_buf_u8(out, 0);
		else
			put_runs(row, slots, out);
		before = row;
	}
}

static void
put_past(const struct meter_block *b, struct tf_buf *out)
{
	uint32_t row = 0, slot = 0;
	tf_buf_varint(out, b->past_count);
	for (uint32_t i = 0; i < b->past_count; i++) {
		const struct meter_past *p = &b->past[i];
		tf_buf_varint(out, p->row - row);
		tf_buf_varint(out, p->row == row ? p->slot - slot : p->slot);
		tf_buf_zigzag(out, p->value);
		tf_buf_varint(out, p->stamp.quality);
		tf_buf_varint(out, p->stamp.delivery);
		tf_buf_zigzag(out, p->stamp.issued / TF_SEC);
		row = p->row;
		slot = p->slot;
	}
}

/* Copies a row with its gaps filled; false when nothing is there. */
static bool
fill_gaps(const int64_t *values, const uint32_t *stamp, uint32_t slots, int64_t *out)
{
	uint32_t first = 0;
	while (first < slots && !stamp[first])
		first++;
	if (first == slots)
		return false;
	int64_t last = values[first];
	for (uint32_t i = 0; i < slots; i++)
		out[i] = last = i >= first && stamp[i] ? values[i] : last;
	return true;
}

static enum tf_err
put_values(const struct meter_block *b, enum meter_codec codec, int64_t *filled, uint8_t *skip, struct tf_buf *out)
{
	uint32_t slots = b->shape.slots;
	for (uint32_t r = 0; r < b->rows; r++) {
		size_t at = (size_t)r * slots;
		skip[r] = !fill_gaps(b->values + at, b->stamp + at, slots, filled + at);
	}
	uint32_t per_day = 86400 / b->shape.interval_s;
	struct meter_grid g = {
		.rows = b->rows, .slots = slots, .slots_per_day = per_day, .values = filled, .skip = skip};
	return meter_codec_encode(codec, &g, out);
}

static void
put_head(const struct meter_block *b, struct tf_buf *out)
{
	tf_buf_u8(out, BLOCK_VERSION);
	tf_buf_u8(out, (uint8_t)b->level);
	tf_buf_u16(out, (uint16_t)b->rows);
	tf_buf_u32(out, b->bucket);
	tf_buf_u32(out, (uint32_t)b->span);
	tf_buf_u32(out, b->shape.slots);
	tf_buf_u64(out, (uint64_t)(b->shape.first / TF_SEC));
	tf_buf_u32(out, b->shape.interval_s);
	tf_buf_u32(out, 0);
}

enum tf_err
meter_block_encode(const struct meter_block *b, enum meter_codec codec, struct tf_buf *out, struct tf_fault *f)
{
	size_t at = out->n, cells = (size_t)b->rows * b->shape.slots;
	int64_t *filled = tf_calloc(cells, sizeof *filled);
	uint8_t *skip = tf_calloc(b->rows, 1);
	uint32_t *zeros = tf_calloc(b->shape.slots, sizeof *zeros);
	enum tf_err e = TF_NO_MEMORY;
	if (filled && skip && zeros) {
		put_head(b, out);
		put_stamps(b, out);
		put_presence(b, zeros, out);
		put_past(b, out);
		e = out->err;
	}
	if (!e) {
		uint32_t part = (uint32_t)(out->n - at - HEAD_BYTES);
		memcpy(out->p + at + 28, &part, 4);
		e = put_values(b, codec, filled, skip, out);
	}
	tf_free(filled);
	tf_free(skip);
	tf_free(zeros);
	return e ? tf_fault(f, e, "cannot encode block of bucket %u: %s", b->bucket, tf_err_text(e)) : TF_OK;
}

static enum tf_err
damaged(struct tf_fault *f, const char *what)
{
	return tf_fault(f, TF_CORRUPT, "damaged block: %s", what);
}

static enum tf_err
get_head(struct tf_cur *c, struct meter_block *b, uint32_t *out_part, struct tf_fault *f)
{
	uint8_t version = tf_cur_u8(c), level = tf_cur_u8(c);
	b->level = level;
	b->rows = tf_cur_u16(c);
	b->bucket = tf_cur_u32(c);
	b->span = (int32_t)tf_cur_u32(c);
	b->shape.slots = tf_cur_u32(c);
	int64_t first_s = (int64_t)tf_cur_u64(c);
	b->shape.interval_s = tf_cur_u32(c);
	*out_part = tf_cur_u32(c);
	if (c->bad || version != BLOCK_VERSION || level > METER_MONTH || b->rows > METER_BUCKET_ROWS ||
	    (uint64_t)b->rows * b->shape.slots > METER_BLOCK_CELLS_MAX || b->shape.interval_s < METER_INTERVAL_MIN_S ||
	    b->shape.interval_s > METER_INTERVAL_MAX_S || first_s < -((int64_t)1 << 40) || first_s > (int64_t)1 << 40)
		return damaged(f, "head");
	b->shape.first = first_s * TF_SEC;
	return *out_part > tf_cur_left(c) ? damaged(f, "length") : TF_OK;
}

static enum tf_err
get_stamps(struct tf_cur *c, struct meter_block *b, struct tf_fault *f)
{
	uint64_t n = tf_cur_varint(c);
	if (c->bad || n > tf_cur_left(c) || n > METER_STAMPS_MAX)
		return damaged(f, "stamps");
	b->stamps = tf_calloc(n, sizeof *b->stamps);
	if (!b->stamps)
		return tf_fault(f, TF_NO_MEMORY, "no memory for stamps");
	b->stamp_count = b->stamp_cap = (uint32_t)n;
	int64_t issued_s = 0;
	for (uint64_t i = 0; i < n; i++) {
		b->stamps[i].quality = tf_cur_u32(c);
		b->stamps[i].delivery = (uint32_t)tf_cur_varint(c);
		issued_s = (int64_t)((uint64_t)issued_s + (uint64_t)tf_cur_zigzag(c));
		if (issued_s < -((int64_t)1 << 40) || issued_s > (int64_t)1 << 40)
			return damaged(f, "stamp");
		b->stamps[i].issued = issued_s * TF_SEC;
	}
	return c->bad ? damaged(f, "stamps") : TF_OK;
}

/* Notes where each row's runs lie and checks them once. */
static enum tf_err
get_presence(struct tf_cur *c, struct meter_block_view *v, struct tf_fault *f)
{
	static const uint8_t none[1] = {0};
	const uint8_t *before = none;
	uint8_t before_full = 0;
	for (uint32_t r = 0; r < v->head.rows; r++) {
		const uint8_t *at = c->p;
		uint64_t runs = tf_cur_varint(c), total = 0, stamp = 0;
		for (uint64_t i = 0; i < runs && !c->bad; i++) {
			stamp = tf_cur_varint(c);
			uint64_t n = tf_cur_varint(c);
			total += n;
			if (stamp > v->head.stamp_count || n > v->head.shape.slots || total > v->head.shape.slots)
				return damaged(f, "presence");
		}
		if (c->bad || (runs && total != v->head.shape.slots))
			return damaged(f, "presence");
		if (runs) {
			before = at;
			before_full = runs == 1 && stamp;
		}
		v->row_runs[r] = before == none ? NULL : before;
		v->row_full[r] = before_full;
	}
	return TF_OK;
}

static enum tf_err
get_past(struct tf_cur *c, struct meter_block *b, struct tf_fault *f)
{
	uint64_t n = tf_cur_varint(c);
	if (c->bad || n > tf_cur_left(c))
		return damaged(f, "history");
	b->past = tf_calloc(n, sizeof *b->past);
	if (!b->past)
		return tf_fault(f, TF_NO_MEMORY, "no memory for history");
	b->past_count = b->past_cap = (uint32_t)n;
	uint64_t row = 0, slot = 0;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t step = tf_cur_varint(c), along = tf_cur_varint(c);
		slot = step || !i ? along : slot + along;
		row += step;
		struct meter_past *p = &b->past[i];
		p->value = tf_cur_zigzag(c);
		p->stamp.quality = (uint32_t)tf_cur_varint(c);
		p->stamp.delivery = (uint32_t)tf_cur_varint(c);
		int64_t issued_s = tf_cur_zigzag(c);
		if (c->bad || row >= b->rows || slot >= b->shape.slots || issued_s < -((int64_t)1 << 40) ||
		    issued_s > (int64_t)1 << 40)
			return damaged(f, "history");
		p->row = (uint32_t)row;
		p->slot = (uint32_t)slot;
		p->stamp.issued = issued_s * TF_SEC;
	}
	return TF_OK;
}

static enum tf_err
open_view(struct tf_str bytes, struct meter_block_view *v, struct tf_fault *f)
{
	struct tf_cur c = tf_cur(bytes);
	uint32_t part;
	TF_TRY(get_head(&c, &v->head, &part, f));
	struct tf_cur p = tf_cur(tf_cur_bytes(&c, part));
	v->row_runs = tf_calloc(v->head.rows, sizeof *v->row_runs);
	v->row_full = tf_calloc(v->head.rows, 1);
	if (!v->row_runs || !v->row_full)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a block");
	TF_TRY(get_stamps(&p, &v->head, f));
	TF_TRY(get_presence(&p, v, f));
	TF_TRY(get_past(&p, &v->head, f));
	if (tf_cur_left(&p))
		return damaged(f, "bytes behind the history");
	return meter_decoder_open(tf_str_n(c.p, tf_cur_left(&c)), v->head.rows, v->head.shape.slots, &v->decoder, f);
}

enum tf_err
meter_block_open(struct tf_str bytes, struct meter_block_view *out, struct tf_fault *f)
{
	struct meter_block_view v = {.bytes = bytes};
	enum tf_err e = open_view(bytes, &v, f);
	if (e)
		meter_block_close(&v);
	else
		*out = v;
	return e;
}

void
meter_block_close(struct meter_block_view *v)
{
	meter_decoder_free(&v->decoder);
	tf_free(v->row_runs);
	tf_free(v->row_full);
	meter_block_release(&v->head);
	*v = (struct meter_block_view){0};
}

enum tf_err
meter_block_row(const struct meter_block_view *v, uint32_t row, int64_t *out_values, uint32_t *out_stamps)
{
	if (row >= v->head.rows || !v->row_runs[row]) {
		memset(out_stamps, 0, v->head.shape.slots * sizeof *out_stamps);
		return TF_OK;
	}
	struct tf_cur c = {v->row_runs[row], (const uint8_t *)v->bytes.p + v->bytes.n, false};
	uint64_t runs = tf_cur_varint(&c);
	uint32_t at = 0, any = 0;
	for (uint64_t i = 0; i < runs; i++) {
		uint32_t stamp = (uint32_t)tf_cur_varint(&c), n = (uint32_t)tf_cur_varint(&c);
		any |= stamp;
		for (uint32_t k = 0; k < n; k++)
			out_stamps[at + k] = stamp;
		at += n;
	}
	return any ? meter_decoder_row(v->decoder, row, out_values) : TF_OK;
}

static enum tf_err
decode_rows(const struct meter_block_view *v, struct meter_block *b)
{
	uint32_t slots = v->head.shape.slots;
	TF_TRY(meter_block_init(b, v->head.bucket, v->head.level, v->head.span, &v->head.shape, v->head.rows));
	for (uint32_t r = 0; r < v->head.rows; r++)
		TF_TRY(meter_block_row(v, r, b->values + (size_t)r * slots, b->stamp + (size_t)r * slots));
	return TF_OK;
}

enum tf_err
meter_block_decode(struct tf_str bytes, struct meter_block *out, struct tf_fault *f)
{
	struct meter_block_view v;
	TF_TRY(meter_block_open(bytes, &v, f));
	struct meter_block b = {0};
	enum tf_err e = decode_rows(&v, &b);
	if (e) {
		e = tf_fault(f, e, "cannot decode block of bucket %u: %s", v.head.bucket, tf_err_text(e));
		meter_block_release(&b);
	} else {
		b.stamps = v.head.stamps, b.stamp_count = v.head.stamp_count, b.stamp_cap = v.head.stamp_cap;
		b.past = v.head.past, b.past_count = v.head.past_count, b.past_cap = v.head.past_cap;
		v.head.stamps = NULL, v.head.past = NULL;
		*out = b;
	}
	meter_block_close(&v);
	return e;
}
