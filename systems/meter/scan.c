/* Reading blocks back; see scan.h. */
#include "scan.h"

#include "base/mem.h"
#include "cold.h"

const char *
meter_unit_text(enum meter_unit u)
{
	static const char *const text[METER_UNIT_COUNT] = {
#define X(name, text) text,
		METER_UNITS(X)
#undef X
	};
	return (unsigned)u < METER_UNIT_COUNT ? text[u] : "?";
}

static enum tf_err
scan_rows(const struct meter_scan *q, const struct meter_block_view *v, struct meter_scan_row *row,
	  meter_scan_each *each, void *ctx, struct tf_fault *f)
{
	uint32_t slots = v->head.shape.slots;
	int64_t *values = tf_calloc(slots, sizeof *values);
	uint32_t *stamps = tf_calloc(slots, sizeof *stamps);
	enum tf_err e = values && stamps ? TF_OK : tf_fault(f, TF_NO_MEMORY, "no memory for %u slots", slots);
	row->values = values;
	row->stamps = stamps;
	for (uint32_t r = 0; !e && r < v->head.rows; r++) {
		if ((q->rows && !q->rows[r]) || !v->row_runs[r])
			continue;
		if ((e = meter_block_row(v, r, values, stamps))) {
			tf_fault(f, e, "cannot decode row %u of bucket %u: %s", r, q->bucket, tf_err_text(e));
			break;
		}
		row->row = r;
		row->sid = q->bucket * METER_BUCKET_ROWS + r;
		e = each(ctx, row, f);
	}
	tf_free(values);
	tf_free(stamps);
	return e;
}

/* A cold block is put together in memory first. */
static enum tf_err
scan_cold(struct meter_store *s, const struct meter_scan *q, const struct meter_block_ref *ref,
	  const struct meter_bucket *bucket, meter_scan_each *each, void *ctx, struct tf_fault *f)
{
	struct meter_block b;
	TF_TRY(meter_cold_block(s, ref, q->rows, &b, f));
	struct meter_scan_row row = {.tier = ref->tier, .bucket = bucket, .head = &b};
	meter_shape_slots(&b.shape, q->from, q->to, &row.from, &row.to);
	enum tf_err e = TF_OK;
	for (uint32_t r = 0; !e && r < b.rows; r++) {
		if (q->rows && !q->rows[r])
			continue;
		row.row = r;
		row.sid = q->bucket * METER_BUCKET_ROWS + r;
		row.values = b.values + (size_t)r * b.shape.slots;
		row.stamps = b.stamp + (size_t)r * b.shape.slots;
		e = each(ctx, &row, f);
	}
	meter_block_release(&b);
	meter_cold_opened(s, ref->bucket, ref->span);
	return e;
}

static enum tf_err
scan_block(struct meter_store *s, const struct meter_scan *q, const struct meter_block_ref *ref,
	   const struct meter_bucket *bucket, meter_scan_each *each, void *ctx, struct tf_fault *f)
{
	char *bytes;
	s->opened_blocks[ref->tier]++;
	s->opened_bytes[ref->tier] += ref->bytes;
	if (ref->tier == METER_COLD)
		return scan_cold(s, q, ref, bucket, each, ctx, f);
	TF_TRY(meter_store_read_block(s, ref, &bytes, f));
	struct meter_block_view v;
	enum tf_err e = meter_block_open(tf_str_n(bytes, ref->bytes), &v, f);
	if (!e) {
		struct meter_scan_row row = {.tier = ref->tier, .bucket = bucket, .head = &v.head};
		meter_shape_slots(&v.head.shape, q->from, q->to, &row.from, &row.to);
		e = scan_rows(q, &v, &row, each, ctx, f);
		meter_block_close(&v);
	}
	tf_free(bytes);
	return e;
}

enum tf_err
meter_scan(struct meter_store *s, const struct meter_scan *q, meter_scan_each *each, void *ctx, struct tf_fault *f)
{
	struct meter_bucket bucket;
	TF_TRY(meter_catalog_bucket(&s->catalog, q->bucket, &bucket, f));
	struct tf_stmt *st;
	TF_TRY(tf_sql_prepare(
		s->catalog.db,
		"SELECT level, span FROM block WHERE bucket=? AND newest>=? AND oldest<? ORDER BY oldest, level, span",
		&st, f));
	tf_stmt_i64(st, 1, q->bucket);
	tf_stmt_i64(st, 2, q->from);
	tf_stmt_i64(st, 3, q->to);
	enum tf_err e;
	while (!(e = tf_stmt_step(st, f))) {
		struct meter_block_ref ref;
		e = meter_catalog_find_block(&s->catalog, q->bucket, (enum meter_level)tf_stmt_get_i64(st, 0),
					     (int32_t)tf_stmt_get_i64(st, 1), &ref, f);
		if (!e)
			e = scan_block(s, q, &ref, &bucket, each, ctx, f);
		if (e)
			break;
	}
	tf_stmt_free(&st);
	return e == TF_END ? TF_OK : e;
}

enum tf_err
meter_scan_all(struct meter_store *s, tf_time from, tf_time to, meter_scan_each *each, void *ctx, struct tf_fault *f)
{
	struct tf_stmt *st;
	TF_TRY(tf_sql_prepare(s->catalog.db, "SELECT id FROM bucket ORDER BY id", &st, f));
	enum tf_err e;
	while (!(e = tf_stmt_step(st, f))) {
		struct meter_scan q = {.bucket = (uint32_t)tf_stmt_get_i64(st, 0), .from = from, .to = to};
		if ((e = meter_scan(s, &q, each, ctx, f)))
			break;
	}
	tf_stmt_free(&st);
	return e == TF_END ? TF_OK : e;
}

enum tf_err
meter_channels(struct meter_store *s, struct tf_str meter, meter_channel_each *each, void *ctx, struct tf_fault *f)
{
	struct tf_stmt *st;
	TF_TRY(tf_sql_prepare(
		s->catalog.db,
		meter.n ? "SELECT sid, meter, channel, unit FROM channel WHERE meter=? ORDER BY channel, sid"
			: "SELECT sid, meter, channel, unit FROM channel ORDER BY meter, channel, sid",
		&st, f));
	if (meter.n)
		tf_stmt_str(st, 1, meter);
	enum tf_err e;
	while (!(e = tf_stmt_step(st, f)))
		if ((e = each(ctx, (uint32_t)tf_stmt_get_i64(st, 0), tf_stmt_get_str(st, 1), tf_stmt_get_str(st, 2),
			      (enum meter_unit)tf_stmt_get_i64(st, 3), f)))
			break;
	tf_stmt_free(&st);
	return e == TF_END ? TF_OK : e;
}
