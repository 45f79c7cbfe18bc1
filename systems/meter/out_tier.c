/* hot -> warm: the days of a bucket's month into one immutable month block; see out_tier.h. */
#include "out_tier.h"

#include "base/mem.h"
#include "cold.h"
#include "keys.h"

#define MONTHS_PER_STEP 64 /* bounds the memory of a step: so many month blocks are made before they are published */

/* The hot days of one bucket and month that are due. */
struct month_move {
	uint32_t bucket;
	int32_t month, through; /* through: the last date that moves */
	struct meter_block_ref days[31];
	uint32_t day_count;
	struct meter_block_ref month_ref;
	bool month_exists;
};

struct mover {
	struct meter_store *s;
	const struct meter_tier_rule *rule;
	tf_time now;
	struct month_move *moves;
	size_t count;
	struct meter_tier_moved *moved;
};

/* Stamps of one block as numbers of another. */
static enum tf_err
map_stamps(const struct meter_block *from, struct meter_block *to, uint32_t **out)
{
	uint32_t *map = tf_calloc(from->stamp_count + 1, sizeof *map);
	if (!map)
		return TF_NO_MEMORY;
	for (uint32_t i = 0; i < from->stamp_count; i++)
		if (!(map[i + 1] = meter_block_stamp(to, &from->stamps[i]))) {
			tf_free(map);
			return TF_NO_MEMORY;
		}
	*out = map;
	return TF_OK;
}

static void
copy_rows(const struct meter_block *day, struct meter_block *month, uint32_t shift, const uint32_t *map)
{
	for (uint32_t r = 0; r < day->rows; r++) {
		size_t from = (size_t)r * day->shape.slots, to = (size_t)r * month->shape.slots + shift;
		for (uint32_t i = 0; i < day->shape.slots; i++) {
			if (!day->stamp[from + i])
				continue;
			month->values[to + i] = day->values[from + i];
			month->stamp[to + i] = map[day->stamp[from + i]];
		}
	}
}

static enum tf_err
copy_past(const struct meter_block *day, struct meter_block *month, uint32_t shift)
{
	for (uint32_t i = 0; i < day->past_count; i++) {
		struct meter_past p = day->past[i];
		p.slot += shift;
		TF_TRY(meter_block_keep(month, &p));
	}
	return TF_OK;
}

static enum tf_err
merge_day(const struct meter_block *day, struct meter_block *month)
{
	uint32_t shift = (uint32_t)((day->shape.first - month->shape.first) / (day->shape.interval_s * TF_SEC));
	TF_ASSERT(shift + day->shape.slots <= month->shape.slots);
	TF_TRY(meter_block_grow(month, day->rows));
	uint32_t *map;
	TF_TRY(map_stamps(day, month, &map));
	copy_rows(day, month, shift, map);
	tf_free(map);
	return copy_past(day, month, shift);
}

static enum tf_err
read_decoded(struct meter_store *s, const struct meter_block_ref *ref, struct meter_block *out, struct tf_fault *f)
{
	char *bytes;
	TF_TRY(meter_store_read_block(s, ref, &bytes, f));
	enum tf_err e = meter_block_decode(tf_str_n(bytes, ref->bytes), out, f);
	tf_free(bytes);
	return e;
}

static enum tf_err
month_block(struct meter_store *s, const struct month_move *m, struct meter_block *out, struct tf_fault *f)
{
	if (m->month_exists)
		return read_decoded(s, &m->month_ref, out, f);
	const struct meter_bucket *b = &s->catalog.buckets[m->bucket];
	struct meter_grid_shape shape;
	meter_bucket_shape(s->catalog.zones[b->zone], b, METER_MONTH, m->month, &shape);
	enum tf_err e = meter_block_init(out, m->bucket, METER_MONTH, m->month, &shape, 0);
	return e ? tf_fault(f, e, "cannot make month block of bucket %u: %s", m->bucket, tf_err_text(e)) : TF_OK;
}

static enum tf_err
merge_days(struct meter_store *s, const struct month_move *m, struct meter_block *month, struct tf_fault *f)
{
	for (uint32_t i = 0; i < m->day_count; i++) {
		struct meter_block day = {0};
		TF_TRY(read_decoded(s, &m->days[i], &day, f));
		enum tf_err e = merge_day(&day, month);
		meter_block_release(&day);
		if (e)
			return tf_fault(f, e, "cannot merge days of bucket %u: %s", m->bucket, tf_err_text(e));
	}
	return TF_OK;
}

static enum tf_err
move_job(void *ctx, size_t i, struct meter_made *made, struct tf_fault *f)
{
	struct mover *v = ctx;
	const struct month_move *m = &v->moves[i];
	struct meter_block month = {0};
	TF_TRY(month_block(v->s, m, &month, f));
	enum tf_err e = merge_days(v->s, m, &month, f);
	struct meter_block_ref ref = {.tier = METER_WARM, .through = m->through};
	if (!e)
		e = meter_made_block(v->s, made, &month, &ref, f);
	meter_block_release(&month);
	return e;
}

static enum tf_err
put_moves(struct mover *v, struct meter_step *st, struct tf_fault *f)
{
	TF_TRY(meter_step_put(v->s, st, f));
	for (size_t i = 0; i < v->count; i++)
		for (uint32_t d = 0; d < v->moves[i].day_count; d++)
			TF_TRY(meter_catalog_drop_block(&v->s->catalog, v->moves[i].bucket, METER_DAY,
							v->moves[i].days[d].span, f));
	return TF_OK;
}

static void
count_moves(struct mover *v, const struct meter_step *st)
{
	for (size_t i = 0; i < v->count; i++)
		for (uint32_t d = 0; d < v->moves[i].day_count; d++) {
			v->moved->blocks++;
			v->moved->readings += v->moves[i].days[d].stats.readings;
			v->moved->bytes_before += v->moves[i].days[d].bytes;
		}
	for (int i = 0; i < METER_WORKERS; i++)
		v->moved->bytes_after += st->made[i].bytes.n;
}

/* Publishes the moves gathered so far. */
static enum tf_err
move_step(struct mover *v, struct tf_fault *f)
{
	if (!v->count)
		return TF_OK;
	struct meter_step st = {0};
	enum tf_err e = meter_step_run(v->s, &st, v->count, move_job, v, f);
	if (!e) {
		count_moves(v, &st);
		e = meter_step_pack(v->s, &st, f);
	}
	if (!e)
		e = tf_sql_begin(v->s->catalog.db, f);
	if (!e) {
		e = put_moves(v, &st, f);
		if (!e)
			e = tf_sql_commit(v->s->catalog.db, f);
		if (e)
			tf_sql_rollback(v->s->catalog.db);
	}
	meter_step_release(&st);
	v->count = 0;
	return e ? e : meter_store_sweep(v->s, f);
}

static enum tf_err
start_month(struct mover *v, uint32_t bucket, int32_t month, int32_t last, struct tf_fault *f)
{
	if (v->count == MONTHS_PER_STEP)
		TF_TRY(move_step(v, f));
	struct month_move *m = &v->moves[v->count++];
	int32_t end = tf_month_first_date(month + 1) - 1;
	*m = (struct month_move){.bucket = bucket, .month = month, .through = last < end ? last : end};
	enum tf_err e = meter_catalog_find_block(&v->s->catalog, bucket, METER_MONTH, month, &m->month_ref, f);
	m->month_exists = !e;
	return e == TF_NOT_FOUND ? TF_OK : e;
}

static enum tf_err
move_bucket(struct mover *v, uint32_t bucket, struct tf_stmt *days, struct tf_fault *f)
{
	const struct meter_bucket *b = &v->s->catalog.buckets[bucket];
	int32_t hot_from = meter_tier_hot_from(v->rule, v->s->catalog.zones[b->zone], v->now), month = INT32_MIN;
	tf_stmt_i64(days, 1, bucket);
	tf_stmt_i64(days, 2, hot_from);
	enum tf_err e;
	while (!(e = tf_stmt_step(days, f))) {
		int32_t date = (int32_t)tf_stmt_get_i64(days, 0);
		if (tf_date_month(date) != month) {
			month = tf_date_month(date);
			if ((e = start_month(v, bucket, month, hot_from - 1, f)))
				break;
		}
		struct month_move *m = &v->moves[v->count - 1];
		if ((e = meter_catalog_find_block(&v->s->catalog, bucket, METER_DAY, date, &m->days[m->day_count], f)))
			break;
		m->day_count++;
	}
	tf_stmt_reset(days);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
hot_to_warm(struct mover *v, struct tf_fault *f)
{
	struct tf_stmt *days;
	TF_TRY(tf_sql_prepare(v->s->catalog.db,
			      "SELECT span FROM block WHERE bucket=? AND level=0 AND span<? ORDER BY span", &days, f));
	enum tf_err e = TF_OK;
	for (uint32_t b = 0; !e && b < v->s->catalog.bucket_count; b++)
		e = move_bucket(v, b, days, f);
	tf_stmt_free(&days);
	return e ? e : move_step(v, f);
}

static enum tf_err
trim_log(struct meter_store *s, struct meter_tier_report *out, struct tf_fault *f)
{
	uint64_t before = tf_log_bytes(s->log, 0);
	if (!s->keys)
		TF_TRY(meter_keys_let_go(s, f));
	TF_TRY(tf_log_trim(s->log, 0, tf_flow_published(s->flow), f));
	uint64_t after = tf_log_bytes(s->log, 0);
	out->log_bytes_trimmed = before > after ? before - after : 0;
	return TF_OK;
}

enum tf_err
meter_tier_move(struct meter_store *s, const struct meter_tier_rule *rule, tf_time now, struct meter_tier_report *out,
		struct tf_fault *f)
{
	*out = (struct meter_tier_report){.moved_count = 3,
					  .moved = {{.from = METER_HOT, .to = METER_WARM},
						    {.from = METER_WARM, .to = METER_COLD},
						    {.from = METER_COLD, .to = METER_WARM}}};
	struct mover v = {.s = s, .rule = rule, .now = now, .moved = &out->moved[0]};
	v.moves = tf_calloc(MONTHS_PER_STEP, sizeof *v.moves);
	if (!v.moves)
		return tf_fault(f, TF_NO_MEMORY, "no memory for moves");
	enum tf_err e = hot_to_warm(&v, f);
	tf_free(v.moves);
	if (!e)
		e = meter_cold_return(s, rule, now, &out->moved[2], f);
	if (!e)
		e = meter_cold_move(s, rule, now, &out->moved[1], f);
	if (!e)
		e = meter_compact(s, f);
	return e ? e : trim_log(s, out, f);
}
