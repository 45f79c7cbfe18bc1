/* Records read again; see retry.h. */
#include "retry.h"

#include <stdio.h>

#include "base/mem.h"

enum tf_err
meter_retry_init(struct meter_retry *r, uint32_t max, struct tf_fault *f)
{
	TF_ASSERT(max && max <= METER_RETRY_RECORDS);
	*r = (struct meter_retry){.max = max};
	r->list = tf_calloc(max, sizeof *r->list);
	return r->list ? TF_OK : tf_fault(f, TF_NO_MEMORY, "no memory for %u records", max);
}

static void
drop(struct meter_retry *r)
{
	for (uint32_t i = 0; i < r->count; i++)
		meter_held_release(&r->list[i].held);
	r->count = 0;
	r->bytes = 0;
}

void
meter_retry_release(struct meter_retry *r)
{
	drop(r);
	tf_zone_free(&r->zone);
	tf_free(r->list);
	r->list = NULL;
}

/* meter_held_each's: takes the record; TF_END where no more has room. */
static enum tf_err
keep(void *ctx, const struct meter_held *held)
{
	struct meter_retry *r = ctx;
	r->list[r->count++] = (struct meter_retried){.held = *held};
	r->bytes += held->text.n + held->name.n;
	return r->count == r->max || r->bytes >= METER_RETRY_BYTES ? TF_END : TF_OK;
}

enum tf_err
meter_retry_find(struct meter_retry *r, struct meter_store *s, int64_t after, struct tf_fault *f)
{
	drop(r);
	return meter_held_each(s, after, keep, r, f);
}

enum tf_err
meter_retry_find_one(struct meter_retry *r, struct meter_store *s, int64_t id, struct tf_fault *f)
{
	drop(r);
	TF_TRY(meter_held_find(s, id, &r->list[0].held, f));
	r->list[0].tried = r->list[0].taken = false;
	r->count = 1;
	return TF_OK;
}

/* Records of one file mostly have one zone. */
static enum tf_err
calendar(struct meter_retry *r, struct tf_os *os, struct tf_str name, struct tf_fault *f)
{
	if (r->zone && tf_str_eq(name, tf_str(r->zone_name)))
		return TF_OK;
	tf_zone_free(&r->zone);
	TF_TRY(tf_os_zone(os, name, &r->zone, f));
	snprintf(r->zone_name, sizeof r->zone_name, "%.*s", TF_FMT(name));
	return TF_OK;
}

/* The record's own fault, as against the store's or the caller's. */
static bool
unreadable(enum tf_err e)
{
	return e == TF_INVALID || e == TF_UNSUPPORTED || e == TF_TOO_LARGE;
}

enum tf_err
meter_retry_read(struct meter_retry *r, struct meter_store *s, struct tf_str zone, struct tf_fault *f)
{
	for (uint32_t i = 0; i < r->count; i++) {
		struct meter_retried *g = &r->list[i];
		struct meter_load_result result = {0};
		uint64_t offset;
		if (!g->held.held)
			continue;
		TF_TRY(calendar(r, s->os, zone.n ? zone : tf_str(g->held.zone), f));
		enum tf_err e = meter_load_held(s, &g->held, zone, r->zone, NULL, &result, &offset, f);
		if (e && tf_flow_fault(s->flow)->code)
			return e;
		if (e == TF_OVERLOAD && i)
			return TF_OK;
		if (e && !unreadable(e))
			return e;
		g->tried = true;
		g->taken = !e && !result.quarantined && result.counts.readings;
	}
	return TF_OK;
}

static enum tf_err
settle(const struct meter_retry *r, struct tf_stmt *q, struct tf_fault *f)
{
	for (uint32_t i = 0; i < r->count; i++) {
		if (!r->list[i].taken)
			continue;
		tf_stmt_i64(q, 1, r->list[i].held.id);
		TF_TRY(tf_stmt_run(q, f));
	}
	return TF_OK;
}

enum tf_err
meter_retry_settle(const struct meter_retry *r, struct meter_store *s, struct tf_fault *f)
{
	struct tf_sql *db = s->catalog.db;
	struct tf_stmt *q;
	uint32_t taken = 0;
	for (uint32_t i = 0; i < r->count; i++)
		taken += r->list[i].taken;
	if (!taken)
		return TF_OK;
	TF_TRY(tf_sql_prepare(db, "UPDATE quarantine SET state='taken' WHERE id=?", &q, f));
	enum tf_err e = tf_sql_begin(db, f);
	if (!e) {
		e = settle(r, q, f);
		if (!e)
			e = tf_sql_commit(db, f);
		if (e)
			tf_sql_rollback(db);
	}
	tf_stmt_free(&q);
	return e;
}
