/* GET usage, tiers, missing, quarantine: what the aggregates, the catalog and the gaps say. */
#include <inttypes.h>
#include <stdio.h>

#include "api_out.h"
#include "missing.h"
#include "report.h"
#include "scan.h"
#include "view_usage.h"

static void
begin_list(struct meter_api_out *o, const char *name)
{
	tf_json_begin_object(&o->json);
	tf_json_key(&o->json, name);
	tf_json_begin_array(&o->json);
}

static void
end_list(struct meter_api_out *o)
{
	if (o->gone)
		return;
	tf_json_end_array(&o->json);
	tf_json_end_object(&o->json);
	tf_json_finish(&o->json);
}

struct usage {
	struct meter_api_out *o;
	enum meter_by by;
};

static enum tf_err
on_usage(void *ctx, const struct meter_usage *u, struct tf_fault *f)
{
	struct usage *v = ctx;
	struct tf_json_out *w = &v->o->json;
	char period[16], peak_at[40];
	if (v->by == METER_BY_DAY)
		tf_date_format(u->period, period);
	else if (v->by == METER_BY_MONTH)
		tf_month_format(u->period, period);
	else
		snprintf(period, sizeof period, "%04d", (int)u->period);
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "period", period);
	tf_json_set_str(w, "channel", u->channel);
	tf_json_set_i64(w, "value", u->total);
	tf_json_set_cstr(w, "unit", meter_unit_text(u->unit));
	tf_json_set_u64(w, "readings", u->readings);
	tf_json_set_u64(w, "not_actual", u->other);
	tf_json_set_i64(w, "peak", u->peak);
	tf_json_set_cstr(w, "peak_at", tf_time_format(u->peak_at, peak_at));
	tf_json_end_object(w);
	return meter_api_flush(v->o, f);
}

static enum tf_err
usage(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	static const char *const periods[] = {"day", "month", "year"};
	struct usage v = {o, METER_BY_MONTH};
	enum meter_node node = METER_NODE_COUNT;
	int given = 0;
	for (int n = 0; n < METER_NODE_COUNT; n++)
		if (tf_exchange_query(o->x, meter_node_names[n]).p) {
			node = (enum meter_node)n;
			given++;
		}
	o->field = "account";
	if (given != 1)
		return tf_fault(f, TF_INVALID, "give one of account, transformer, feeder, zone, region");
	struct tf_str by = tf_exchange_query(o->x, "by");
	int period = 1;
	for (int i = 0; by.p && i < 3; i++)
		period = tf_str_eq(by, tf_str(periods[i])) ? i : period;
	o->field = "by";
	if (by.p && !tf_str_eq(by, tf_str(periods[period])))
		return tf_fault(f, TF_INVALID, "'%.*s' is not day, month or year", TF_FMT(by));
	v.by = (enum meter_by)period;
	o->field = meter_node_names[node];
	begin_list(o, "usage");
	TF_TRY(meter_usage(s, node, tf_exchange_query(o->x, meter_node_names[node]), v.by, on_usage, &v, f));
	end_list(o);
	return TF_OK;
}

void
meter_api_get_usage(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, usage);
}

static void
put_time(struct tf_json_out *w, const char *name, tf_time t, bool there)
{
	char text[40];
	if (there) {
		tf_json_set_cstr(w, name, tf_time_format(t, text));
		return;
	}
	tf_json_key(w, name);
	tf_json_put_null(w);
}

static void
put_tier(struct tf_json_out *w, const char *name, const struct meter_tier_size *t)
{
	/* Four decimals, rounded. */
	uint64_t each = t->readings ? (t->bytes * 10000 + t->readings / 2) / t->readings : 0;
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "tier", name);
	tf_json_set_u64(w, "readings", t->readings);
	tf_json_set_u64(w, "bytes", t->bytes);
	tf_json_set_decimal(w, "bytes_per_reading", (int64_t)each, 4);
	put_time(w, "oldest", t->oldest, t->readings > 0);
	put_time(w, "newest", t->newest, t->readings > 0);
	tf_json_set_u64(w, "blocks", t->blocks);
	tf_json_end_object(w);
}

static enum tf_err
tiers(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	struct meter_sizes z;
	struct tf_json_out *w = &o->json;
	TF_TRY(meter_sizes(s, &z, f));
	tf_json_begin_object(w);
	tf_json_key(w, "tiers");
	tf_json_begin_array(w);
	for (int i = 0; i < METER_TIER_COUNT; i++)
		put_tier(w, meter_tier_names[i], &z.tier[i]);
	put_tier(w, "aggregate", &z.aggregate);
	tf_json_end_array(w);
	tf_json_set_u64(w, "log_bytes", z.log_bytes);
	tf_json_set_u64(w, "disk_bytes", z.disk_bytes);
	tf_json_end_object(w);
	tf_json_finish(w);
	return TF_OK;
}

void
meter_api_get_tiers(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, tiers);
}

struct gaps {
	struct meter_api_out *o;
	struct tf_str only;
	bool json;
	uint64_t count, intervals;
};

static enum tf_err
on_gap(void *ctx, const struct meter_gap *g, struct tf_fault *f)
{
	struct gaps *v = ctx;
	struct tf_json_out *w = &v->o->json;
	char from[40], to[40];
	if (v->only.p && !tf_str_eq(v->only, g->head_end))
		return TF_OK;
	v->count++;
	v->intervals += g->intervals;
	if (!v->json) {
		meter_gap_csv(g, &v->o->b);
		return meter_api_flush(v->o, f);
	}
	tf_json_begin_object(w);
	tf_json_set_str(w, "head_end", g->head_end);
	tf_json_set_str(w, "meter", g->meter);
	tf_json_set_str(w, "channel", g->channel);
	tf_json_set_cstr(w, "from", tf_time_format(g->from, from));
	tf_json_set_cstr(w, "to", tf_time_format(g->to, to));
	tf_json_set_u64(w, "intervals", g->intervals);
	tf_json_end_object(w);
	return meter_api_flush(v->o, f);
}

static enum tf_err
missing(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	tf_time from, to, last = 0;
	struct gaps v = {.o = o, .only = tf_exchange_query(o->x, "head_end")};
	TF_TRY(meter_api_negotiate(o, &v.json, f));
	TF_TRY(meter_missing_until(s, &last, f));
	TF_TRY(meter_api_time(o, "from", TF_TIME_FIRST, &from, f));
	TF_TRY(meter_api_time(o, "to", last, &to, f));
	if (v.json)
		begin_list(o, "missing");
	else
		tf_buf_cstr(&o->b, METER_MISSING_HEADER);
	TF_TRY(meter_missing(s, from, to, on_gap, &v, f));
	if (v.json && !o->gone) {
		tf_json_end_array(&o->json);
		tf_json_set_u64(&o->json, "gaps", v.count);
		tf_json_set_u64(&o->json, "intervals", v.intervals);
		tf_json_end_object(&o->json);
		tf_json_finish(&o->json);
	}
	return TF_OK;
}

void
meter_api_get_missing(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, missing);
}

static void
put_record(struct tf_json_out *w, struct tf_stmt *q)
{
	static const char *const names[] = {"id", "file", "member", "line", "field", "rule", "text", "state"};
	char at[40];
	tf_json_begin_object(w);
	for (int i = 0; i < 8; i++)
		if (i == 0 || i == 3 || i == 4)
			tf_json_set_i64(w, names[i], tf_stmt_get_i64(q, i));
		else
			tf_json_set_str(w, names[i], tf_stmt_get_str(q, i));
	tf_json_set_cstr(w, "at", tf_time_format(tf_stmt_get_i64(q, 8), at));
	tf_json_set_i64(w, "bytes", tf_stmt_get_i64(q, 9));
	tf_json_set_str(w, "field_name", tf_stmt_get_str(q, 10));
	tf_json_set_i64(w, "column", tf_stmt_get_i64(q, 11));
	tf_json_end_object(w);
}

static enum tf_err
quarantine(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	uint64_t after, limit;
	struct tf_str all = tf_exchange_query(o->x, "all");
	struct tf_stmt *q;
	TF_TRY(meter_api_number(o, "after", 0, INT64_MAX, &after, f));
	TF_TRY(meter_api_number(o, "limit", 100, 10000, &limit, f));
	o->field = "all";
	if (all.p && !tf_str_eq(all, TF_STR("true")) && !tf_str_eq(all, TF_STR("false")))
		return tf_fault(f, TF_INVALID, "'%.*s' is not true or false", TF_FMT(all));
	TF_TRY(tf_sql_prepare(
		s->catalog.db,
		"SELECT q.id, d.name, q.member, q.line, q.field, q.rule, q.text, q.state, q.at, "
		"length(q.bytes), q.field_name, q.col FROM quarantine q JOIN delivery d ON d.number=q.delivery "
		"WHERE q.id>? AND (? OR q.state='held') ORDER BY q.id LIMIT ?",
		&q, f));
	tf_stmt_i64(q, 1, (int64_t)after);
	tf_stmt_i64(q, 2, all.p && tf_str_eq(all, TF_STR("true")));
	tf_stmt_i64(q, 3, (int64_t)limit);
	begin_list(o, "quarantine");
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)) && !(e = meter_api_flush(o, f)))
		put_record(&o->json, q);
	tf_stmt_free(&q);
	if (e != TF_END)
		return e;
	end_list(o);
	return TF_OK;
}

void
meter_api_get_quarantine(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, quarantine);
}

/* The record as it came, byte for byte. */
static enum tf_err
record(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	struct tf_str text = tf_exchange_param(o->x, 0);
	int64_t id;
	struct tf_stmt *q;
	o->field = "id";
	if (!tf_str_i64(text, &id))
		return tf_fault(f, TF_INVALID, "'%.*s' is no record's id", TF_FMT(text));
	TF_TRY(tf_sql_prepare(s->catalog.db, "SELECT bytes FROM quarantine WHERE id=?", &q, f));
	tf_stmt_i64(q, 1, id);
	enum tf_err e = tf_stmt_step(q, f);
	if (!e)
		tf_buf_str(&o->b, tf_stmt_get_blob(q, 0));
	tf_stmt_free(&q);
	o->type = "application/octet-stream";
	return e == TF_END ? tf_fault(f, TF_NOT_FOUND, "no record %" PRId64 " in quarantine", id) : e;
}

void
meter_api_get_record(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, record);
}
