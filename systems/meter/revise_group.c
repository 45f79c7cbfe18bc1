/* One block revised by its slices: load, revise day by day, encode. */
#include "base/mem.h"
#include "publish.h"

static uint32_t
rows_needed(const struct meter_group *g)
{
	uint32_t rows = 0;
	for (size_t i = 0; i < g->count; i++)
		rows = g->slices[i].row + 1 > rows ? g->slices[i].row + 1 : rows;
	return rows;
}

static enum tf_err
load(struct meter_store *s, const struct meter_group *g, struct meter_block *out, struct tf_fault *f)
{
	uint32_t rows = rows_needed(g);
	if (!g->exists) {
		const struct meter_bucket *b = &s->catalog.buckets[g->bucket];
		struct meter_grid_shape shape;
		meter_bucket_shape(s->catalog.zones[b->zone], b, g->level, g->span, &shape);
		enum tf_err e = meter_block_init(out, g->bucket, g->level, g->span, &shape, rows);
		return e ? tf_fault(f, e, "cannot make block of bucket %u: %s", g->bucket, tf_err_text(e)) : TF_OK;
	}
	char *bytes;
	TF_TRY(meter_store_read_block(s, &g->ref, &bytes, f));
	struct meter_block b = {0};
	enum tf_err e = meter_block_decode(tf_str_n(bytes, g->ref.bytes), &b, f);
	tf_free(bytes);
	if (!e && (e = meter_block_grow(&b, rows)))
		tf_fault(f, e, "no memory for a block of %u rows", rows);
	if (e)
		meter_block_release(&b);
	else
		*out = b;
	return e;
}

static enum tf_err
revise_slice(struct meter_block *b, const struct meter_slice *sl, struct meter_made *m)
{
	int64_t values[METER_RUN_MAX];
	meter_batch_values(sl->run, sl->from, sl->count, values);
	uint32_t slot = (uint32_t)((sl->start_s - b->shape.first / TF_SEC) / b->shape.interval_s);
	struct meter_counts *counts = &m->by_delivery[sl->delivery_at];
	for (uint32_t i = 0; i < sl->count;) {
		uint32_t until;
		struct meter_quality q = meter_batch_quality(sl->run, sl->from + i, &until);
		uint32_t end = until - sl->from < sl->count ? until - sl->from : sl->count;
		struct meter_piece p = {
			sl->row, slot + i, end - i, values + i, {meter_quality_code(q), sl->delivery, sl->run->issued}};
		TF_TRY(meter_revise(b, &p, counts));
		i = end;
	}
	return TF_OK;
}

/* The slices of one local date: what each touched row's day was, the revision, what it is. */
static enum tf_err
revise_date(struct meter_block *b, const struct tf_zone *zone, const struct meter_slice *sl, size_t n, bool existed,
	    struct meter_made *m)
{
	uint32_t from, to;
	meter_shape_slots(&b->shape, tf_zone_day_start(zone, sl->date), tf_zone_day_start(zone, sl->date + 1), &from,
			  &to);
	bool touched[METER_BUCKET_ROWS] = {false};
	size_t first = m->day_count;
	for (size_t i = 0; i < n; i++) {
		if (touched[sl[i].row])
			continue;
		touched[sl[i].row] = true;
		struct meter_day_change d = {.sid = b->bucket * METER_BUCKET_ROWS + sl[i].row, .date = sl->date};
		if (existed)
			meter_day_of(b, sl[i].row, from, to, &d.was);
		TF_TRY(meter_made_day(m, &d));
	}
	for (size_t i = 0; i < n; i++)
		TF_TRY(revise_slice(b, &sl[i], m));
	for (size_t i = first; i < m->day_count; i++)
		meter_day_of(b, m->days[i].sid % METER_BUCKET_ROWS, from, to, &m->days[i].now);
	return TF_OK;
}

static enum tf_err
revise_all(struct meter_store *s, const struct meter_group *g, struct meter_block *b, struct meter_made *m)
{
	const struct tf_zone *zone = s->catalog.zones[s->catalog.buckets[g->bucket].zone];
	for (size_t i = 0, end; i < g->count; i = end) {
		for (end = i + 1; end < g->count && g->slices[end].date == g->slices[i].date;)
			end++;
		TF_TRY(revise_date(b, zone, g->slices + i, end - i, g->exists, m));
	}
	return TF_OK;
}

enum tf_err
meter_revise_group(struct meter_store *s, const struct meter_group *g, struct meter_made *m, struct tf_fault *f)
{
	struct meter_block b;
	TF_TRY(load(s, g, &b, f));
	enum tf_err e = revise_all(s, g, &b, m);
	if (e)
		tf_fault(f, e, "cannot revise block of bucket %u: %s", g->bucket, tf_err_text(e));
	struct meter_block_ref ref = g->ref;
	ref.tier = g->level == METER_DAY ? METER_HOT : METER_WARM;
	if (!e)
		e = meter_made_block(s, m, &b, &ref, f);
	meter_block_release(&b);
	return e;
}
