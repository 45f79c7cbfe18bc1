/* What the tiers cost, from bytes and times measured now; see view_cost.h. */
#include "view_cost.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "report.h"
#include "scan.h"
#include "view_lake.h"

#define SAMPLE_ROWS 2000000

static enum tf_err
count_meters(struct meter_store *s, struct meter_cost_measured *m, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "SELECT (SELECT count(DISTINCT meter) FROM channel), coalesce(sum(n), 0), (SELECT "
			      "count(DISTINCT day) FROM agg_day)"
			      " FROM agg_month",
			      &q, f));
	enum tf_err e = tf_stmt_step(q, f);
	if (!e) {
		uint64_t days = (uint64_t)tf_stmt_get_i64(q, 2);
		m->meters = (uint64_t)tf_stmt_get_i64(q, 0);
		m->readings_per_meter_month =
			m->meters && days ? (uint64_t)tf_stmt_get_i64(q, 1) * 30 / days / m->meters : 0;
	}
	tf_stmt_free(&q);
	if (!e && !m->readings_per_meter_month)
		return tf_fault(f, TF_NOT_FOUND, "no readings to measure in '%s'", s->dir);
	return e;
}

/* A tier that holds nothing yet is taken to need what its nearest neighbour does. */
static void
fill_tiers(const struct meter_sizes *z, struct meter_cost_measured *m)
{
	for (int i = 0; i < METER_TIER_COUNT; i++)
		m->milli_bytes[i] = z->tier[i].readings ? z->tier[i].bytes * 1000 / z->tier[i].readings : 0;
	m->milli_bytes[METER_COST_AGGREGATE] =
		z->aggregate.readings ? z->aggregate.bytes * 1000 / z->aggregate.readings : 0;
	for (int i = 0; i < METER_TIER_COUNT; i++)
		for (int d = 1; d < METER_TIER_COUNT && !m->milli_bytes[i]; d++)
			m->milli_bytes[i] = i - d >= 0 && z->tier[i - d].readings ? m->milli_bytes[i - d]
					    : i + d < METER_TIER_COUNT            ? m->milli_bytes[i + d]
										  : 0;
}

struct timing {
	uint64_t readings, bytes;
};

static enum tf_err
code_row(void *ctx, const struct meter_scan_row *row, struct tf_fault *f)
{
	struct timing *t = ctx;
	struct tf_buf out;
	struct meter_grid g = {.rows = 1,
			       .slots = row->head->shape.slots,
			       .slots_per_day = 86400 / row->head->shape.interval_s,
			       .values = row->values};
	tf_buf_init(&out, 0);
	enum tf_err e = meter_codec_encode(METER_CODEC_MODEL, &g, &out);
	t->readings += g.slots;
	t->bytes += out.n;
	tf_buf_release(&out);
	if (e)
		return tf_fault(f, e, "cannot encode: %s", tf_err_text(e));
	return t->readings > SAMPLE_ROWS ? TF_END : TF_OK;
}

/* Core time to decode and encode a reading: what moving it twice and billing it once is made of. */
static enum tf_err
measure_time(struct meter_store *s, struct meter_cost_measured *m, struct tf_fault *f)
{
	struct timing t = {0};
	tf_dur begun = tf_os_ticks(s->os);
	enum tf_err e = meter_scan_all(s, TF_TIME_FIRST, TF_TIME_LAST, code_row, &t, f);
	tf_dur took = tf_os_ticks(s->os) - begun;
	if (e && e != TF_END)
		return e;
	m->core_ns_per_reading = t.readings ? 3 * (uint64_t)took * 1000 / t.readings + 1 : 1;
	return TF_OK;
}

/* Logical bytes of a sample of the same readings as rows: 8 for a number or time, 2 and its length for a text. */
static enum tf_err
measure_warehouse(struct meter_store *s, struct meter_cost_measured *m, struct tf_fault *f)
{
	struct tf_lake *lake;
	struct tf_rows *r = NULL;
	char sql[320];
	TF_TRY(meter_lake_for_user(s, &lake, f));
	int n = snprintf(
		sql, sizeof sql,
		"SELECT CAST(1000 * avg(2 + length(meter) + 2 + length(channel) + 8 + 8 + 8 + 2 + length(unit) + 2 +"
		" length(quality) + 8) AS BIGINT) FROM (SELECT * FROM readings LIMIT %d)",
		SAMPLE_ROWS);
	int64_t milli = 0;
	enum tf_err e = tf_lake_query(lake, tf_str_n(sql, (size_t)n), &r, f);
	if (!e && !(e = tf_rows_next(r, f)))
		e = tf_rows_i64(r, 0, &milli, f);
	tf_rows_close(&r);
	tf_lake_close(&lake);
	m->warehouse_milli_bytes = (uint64_t)milli;
	return e;
}

enum tf_err
meter_cost_measure(struct meter_store *s, struct meter_cost_measured *m, struct tf_fault *f)
{
	struct meter_sizes z;
	TF_TRY(meter_sizes(s, &z, f));
	TF_TRY(count_meters(s, m, f));
	fill_tiers(&z, m);
	m->bytes_per_object = 16u << 20;
	TF_TRY(measure_time(s, m, f));
	return measure_warehouse(s, m, f);
}

enum tf_err
meter_cost_curve(const struct meter_cost_measured *m, const struct meter_prices *p, uint32_t history_months,
		 struct meter_cost out[static METER_COST_SCALES], struct tf_fault *f)
{
	const struct meter_cost_plan plan = {7, 13, history_months};
	const uint64_t scale[METER_COST_SCALES] = {m->meters, 10 * m->meters, 100 * m->meters, 1000000, 250000000};
	for (int i = 0; i < METER_COST_SCALES; i++) {
		enum tf_err e = meter_cost_of(m, p, &plan, scale[i], &out[i]);
		if (e)
			return tf_fault(f, e, "the cost of %" PRIu64 " meters does not fit", scale[i]);
	}
	return TF_OK;
}

static void
money(struct tf_json_out *w, const char *name, int64_t micro)
{
	tf_json_set_decimal(w, name, micro, 6);
}

static void
json_cost(struct tf_json_out *w, const struct meter_cost *c)
{
	tf_json_begin_object(w);
	tf_json_set_u64(w, "meters", c->meters);
	for (int i = 0; i <= METER_COST_TIERS; i++) {
		const struct meter_cost_line *l = i < METER_COST_TIERS ? &c->tier[i] : &c->warehouse;
		tf_json_key(w, i < METER_COST_TIERS ? meter_cost_tier_names[i] : "warehouse");
		tf_json_begin_object(w);
		tf_json_set_u64(w, "readings", l->readings);
		tf_json_set_u64(w, "bytes", l->bytes);
		money(w, "storage", l->storage);
		money(w, "read", l->read);
		tf_json_end_object(w);
	}
	money(w, "compute", c->compute);
	money(w, "requests", c->requests);
	money(w, "egress", c->egress);
	money(w, "total", c->total);
	money(w, "warehouse_total", c->warehouse_total);
	money(w, "per_meter_month", c->per_meter);
	money(w, "warehouse_per_meter_month", c->warehouse_per_meter);
	tf_json_end_object(w);
}

void
meter_cost_json(const struct meter_cost_measured *m, const struct meter_prices *p,
		const struct meter_cost c[static METER_COST_SCALES], struct tf_buf *out)
{
	struct tf_json_out w = tf_json_out(out);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "currency", p->currency);
	tf_json_set_cstr(&w, "prices_of", p->date);
	tf_json_key(&w, "measured");
	tf_json_begin_object(&w);
	tf_json_set_u64(&w, "meters", m->meters);
	tf_json_set_u64(&w, "readings_per_meter_month", m->readings_per_meter_month);
	for (int i = 0; i < METER_COST_TIERS; i++)
		tf_json_set_decimal(&w, meter_cost_tier_names[i], (int64_t)m->milli_bytes[i], 3);
	tf_json_set_decimal(&w, "warehouse", (int64_t)m->warehouse_milli_bytes, 3);
	tf_json_set_u64(&w, "core_ns_per_reading", m->core_ns_per_reading);
	tf_json_end_object(&w);
	tf_json_key(&w, "curve");
	tf_json_begin_array(&w);
	for (int i = 0; i < METER_COST_SCALES; i++)
		json_cost(&w, &c[i]);
	tf_json_end_array(&w);
	tf_json_end_object(&w);
	tf_json_finish(&w);
}
