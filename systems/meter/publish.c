/* publish: events of the log into blocks, aggregates and the catalog; see publish.h and flow/flow.h. */
#include "publish.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cold.h"
#include "quarantine.h"

struct gather {
	struct meter_store *s;
	struct meter_batch *batches;
	size_t batch_count;
	struct meter_slice *slices;
	size_t slice_count, slice_cap;
	struct meter_group *groups;
	size_t group_count, group_cap;
	uint32_t *deliveries; /* distinct numbers of this step */
	uint32_t delivery_count;
	/* The local day that the last slice fell into: the next is likely there too. */
	uint32_t day_zone;
	int32_t day_date;
	tf_time day_from, day_to;
};

static void
gather_release(struct gather *g)
{
	for (size_t i = 0; i < g->batch_count; i++)
		meter_batch_free(&g->batches[i]);
	tf_free(g->batches);
	tf_free(g->slices);
	tf_free(g->groups);
	tf_free(g->deliveries);
}

static enum tf_err
add_slice(struct gather *g, const struct meter_slice *sl)
{
	if (g->slice_count == g->slice_cap) {
		size_t cap = g->slice_cap ? g->slice_cap * 2 : 4096;
		struct meter_slice *p = tf_realloc(g->slices, cap * sizeof *p);
		if (!p)
			return TF_NO_MEMORY;
		g->slices = p;
		g->slice_cap = cap;
	}
	g->slices[g->slice_count] = *sl;
	g->slices[g->slice_count].order = (uint32_t)g->slice_count;
	g->slice_count++;
	return TF_OK;
}

static void
find_day(struct gather *g, uint32_t zone, tf_time t)
{
	if (zone == g->day_zone && t >= g->day_from && t < g->day_to)
		return;
	const struct tf_zone *z = g->s->catalog.zones[zone];
	g->day_zone = zone;
	g->day_date = tf_zone_date(z, t);
	g->day_from = tf_zone_day_start(z, g->day_date);
	g->day_to = tf_zone_day_start(z, g->day_date + 1);
}

/* Cuts a run at local midnights. */
static enum tf_err
slice_run(struct gather *g, const struct meter_batch *b, const struct meter_batch_run *run, uint32_t zone, uint32_t sid,
	  uint32_t delivery_at, struct tf_fault *f)
{
	int64_t step = b->channels[run->channel].interval_s;
	for (uint32_t from = 0, count; from < run->count; from += count) {
		int64_t start_s = run->start_s + step * from;
		find_day(g, zone, start_s * TF_SEC);
		int64_t left = (g->day_to / TF_SEC - start_s + step - 1) / step;
		count = left < run->count - from ? (uint32_t)left : run->count - from;
		struct meter_slice sl = {.bucket = sid / METER_BUCKET_ROWS,
					 .row = sid % METER_BUCKET_ROWS,
					 .date = g->day_date,
					 .start_s = start_s,
					 .run = run,
					 .from = from,
					 .count = count,
					 .delivery = b->head.delivery,
					 .delivery_at = delivery_at};
		if (add_slice(g, &sl))
			return tf_fault(f, TF_NO_MEMORY, "no memory for slices");
	}
	return TF_OK;
}

static uint32_t
phase_of(int64_t start_s, uint32_t interval_s)
{
	int64_t p = start_s % interval_s;
	return (uint32_t)(p < 0 ? p + interval_s : p);
}

/* The place of a number among the step's deliveries; there is room for one per event. */
static uint32_t
delivery_place(struct gather *g, uint32_t number)
{
	for (uint32_t i = g->delivery_count; i > 0; i--)
		if (g->deliveries[i - 1] == number)
			return i - 1;
	g->deliveries[g->delivery_count] = number;
	return g->delivery_count++;
}

static enum tf_err
slice_batch(struct gather *g, const struct meter_batch *b, struct tf_fault *f)
{
	struct meter_catalog *c = &g->s->catalog;
	uint32_t zone, delivery_at = delivery_place(g, b->head.delivery);
	TF_TRY(meter_catalog_zone(c, b->head.zone, &zone, f));
	uint32_t sid = 0, channel = UINT32_MAX, phase = 0;
	for (uint32_t i = 0; i < b->run_count; i++) {
		const struct meter_batch_run *run = &b->runs[i];
		const struct meter_batch_channel *ch = &b->channels[run->channel];
		uint32_t p = phase_of(run->start_s, ch->interval_s);
		if (run->channel != channel || p != phase)
			TF_TRY(meter_catalog_channel(c, ch, zone, p, &sid, f));
		channel = run->channel;
		phase = p;
		TF_TRY(slice_run(g, b, run, zone, sid, delivery_at, f));
	}
	return TF_OK;
}

static int
by_block(const void *x, const void *y)
{
	const struct meter_slice *a = x, *b = y;
	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	if (a->date != b->date)
		return a->date < b->date ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

/* Where the readings of a bucket's date belong: its hot block, or the month's block once that date has moved there. */
static enum tf_err
place(struct gather *g, struct meter_group *group, int32_t date, struct tf_fault *f)
{
	struct meter_catalog *c = &g->s->catalog;
	enum tf_err e = meter_catalog_find_block(c, group->bucket, METER_MONTH, tf_date_month(date), &group->ref, f);
	if (!e && date <= group->ref.through && group->ref.tier == METER_COLD) {
		TF_TRY(meter_cold_restore(g->s, group->ref.cold, NULL, f));
		e = meter_catalog_find_block(c, group->bucket, METER_MONTH, tf_date_month(date), &group->ref, f);
	}
	if (e && e != TF_NOT_FOUND)
		return e;
	if (!e && date <= group->ref.through) {
		group->level = METER_MONTH;
		group->span = tf_date_month(date);
		group->exists = true;
		return TF_OK;
	}
	group->level = METER_DAY;
	group->span = date;
	group->ref = (struct meter_block_ref){0};
	e = meter_catalog_find_block(c, group->bucket, METER_DAY, date, &group->ref, f);
	group->exists = !e;
	return e == TF_NOT_FOUND ? TF_OK : e;
}

static enum tf_err
add_group(struct gather *g, const struct meter_group *group)
{
	if (g->group_count == g->group_cap) {
		size_t cap = g->group_cap ? g->group_cap * 2 : 256;
		struct meter_group *p = tf_realloc(g->groups, cap * sizeof *p);
		if (!p)
			return TF_NO_MEMORY;
		g->groups = p;
		g->group_cap = cap;
	}
	TF_ASSERT(g->groups);
	g->groups[g->group_count++] = *group;
	return TF_OK;
}

static enum tf_err
group_slices(struct gather *g, struct tf_fault *f)
{
	if (g->slice_count)
		qsort(g->slices, g->slice_count, sizeof *g->slices, by_block);
	for (size_t i = 0, end; i < g->slice_count; i = end) {
		const struct meter_slice *sl = &g->slices[i];
		for (end = i + 1;
		     end < g->slice_count && g->slices[end].bucket == sl->bucket && g->slices[end].date == sl->date;)
			end++;
		struct meter_group *last = g->group_count ? &g->groups[g->group_count - 1] : NULL;
		if (last && last->level == METER_MONTH && last->bucket == sl->bucket && sl->date <= last->ref.through &&
		    last->span == tf_date_month(sl->date)) {
			last->count += end - i;
			continue;
		}
		struct meter_group n = {.bucket = sl->bucket, .slices = sl, .count = end - i};
		TF_TRY(place(g, &n, sl->date, f));
		if (add_group(g, &n))
			return tf_fault(f, TF_NO_MEMORY, "no memory for groups");
	}
	return TF_OK;
}

static enum tf_err
gather(struct gather *g, const struct tf_flow_event *events, size_t count, struct tf_fault *f)
{
	g->day_zone = UINT32_MAX;
	g->batches = tf_calloc(count, sizeof *g->batches);
	g->deliveries = tf_calloc(count, sizeof *g->deliveries);
	if (!g->batches || !g->deliveries)
		return tf_fault(f, TF_NO_MEMORY, "no memory for %zu batches", count);
	for (size_t i = 0; i < count; i++) {
		if (events[i].type != METER_EVENT_BATCH)
			continue;
		TF_TRY(meter_batch_parse(events[i].bytes, &g->batches[g->batch_count], f));
		g->batch_count++;
		TF_TRY(slice_batch(g, &g->batches[g->batch_count - 1], f));
	}
	return group_slices(g, f);
}

static enum tf_err
revise_job(void *ctx, size_t i, struct meter_made *m, struct tf_fault *f)
{
	struct gather *g = ctx;
	return meter_revise_group(g->s, &g->groups[i], m, f);
}

static enum tf_err
revise(struct gather *g, struct meter_step *st, struct tf_fault *f)
{
	for (int i = 0; i < METER_WORKERS; i++) {
		st->made[i].by_delivery = tf_calloc(g->delivery_count, sizeof(struct meter_counts));
		if (!st->made[i].by_delivery)
			return tf_fault(f, TF_NO_MEMORY, "no memory for %u deliveries", g->delivery_count);
	}
	return meter_step_run(g->s, st, g->group_count, revise_job, g, f);
}

static enum tf_err
put_deliveries(struct meter_store *s, struct gather *g, struct meter_step *st, const struct tf_flow_event *events,
	       size_t count, struct tf_fault *f)
{
	for (size_t i = 0; i < count; i++)
		TF_TRY(meter_delivery_event(s, &events[i], f));
	for (uint32_t d = 0; d < g->delivery_count; d++) {
		struct meter_counts sum = {0};
		for (int i = 0; i < METER_WORKERS; i++)
			meter_counts_add(&sum, &st->made[i].by_delivery[d]);
		if (sum.readings)
			TF_TRY(meter_delivery_counts(s, g->deliveries[d], &sum, f));
		meter_counts_add(&s->published, &sum);
	}
	return TF_OK;
}

static enum tf_err
put_all(struct meter_store *s, struct gather *g, struct meter_step *st, const struct tf_flow_event *events,
	size_t count, uint64_t next, struct tf_fault *f)
{
	struct meter_catalog *c = &s->catalog;
	TF_TRY(meter_catalog_store_new(c, f));
	TF_TRY(meter_step_put(s, st, f));
	for (int i = 0; i < METER_WORKERS; i++)
		TF_TRY(meter_catalog_days(c, st->made[i].days, st->made[i].day_count, f));
	TF_TRY(put_deliveries(s, g, st, events, count, f));
	return meter_catalog_set(c, "applied", (int64_t)next, f);
}

static enum tf_err
commit(struct meter_store *s, struct gather *g, struct meter_step *st, const struct tf_flow_event *events, size_t count,
       uint64_t next, struct tf_fault *f)
{
	TF_TRY(meter_step_pack(s, st, f));
	TF_TRY(tf_sql_begin(s->catalog.db, f));
	enum tf_err e = put_all(s, g, st, events, count, next, f);
	if (!e)
		e = tf_sql_commit(s->catalog.db, f);
	if (e)
		tf_sql_rollback(s->catalog.db);
	return e;
}

static enum tf_err
publish(struct meter_store *s, const struct tf_flow_event *events, size_t count, uint64_t next, struct tf_fault *f)
{
	struct gather g = {.s = s};
	struct meter_step st = {0};
	enum tf_err e = gather(&g, events, count, f);
	if (!e)
		e = revise(&g, &st, f);
	if (!e)
		e = commit(s, &g, &st, events, count, next, f);
	meter_step_release(&st);
	gather_release(&g);
	return e ? e : meter_store_sweep(s, f);
}

enum tf_err
meter_publish(void *ctx, const struct tf_flow_event *events, size_t count, uint64_t next, struct tf_fault *f)
{
	struct meter_store *s = ctx;
	if (s->lock)
		pthread_mutex_lock(s->lock);
	enum tf_err e = publish(s, events, count, next, f);
	if (s->lock)
		pthread_mutex_unlock(s->lock);
	return e;
}
