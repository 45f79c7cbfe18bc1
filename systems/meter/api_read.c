/* GET /meter/v1/meters and /meter/v1/meters/{meter}/readings: whatever tier they lie in, CSV or JSON. */
#include <inttypes.h>

#include "api_out.h"
#include "base/mem.h"
#include "batch.h"
#include "scan.h"

struct reading {
	struct meter_store *s;
	struct meter_api_out *out;
	bool json;
	tf_time from, to, next; /* next: behind the last one written of this channel */
	struct tf_str only;
	char channel[METER_CHANNEL_MAX + 1];
	enum meter_unit unit;
};

static void
put_csv(struct reading *r, const char *from, const char *to, int64_t value, const char *quality, uint32_t version)
{
	tf_buf_printf(&r->out->b, "%s,%s,%s,%" PRId64 ",%s,%s,%" PRIu32 "\n", from, to, r->channel, value,
		      meter_unit_text(r->unit), quality, version);
}

static void
put_json(struct reading *r, const char *from, const char *to, int64_t value, const char *quality, uint32_t version)
{
	struct tf_json_out *w = &r->out->json;
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "start", from);
	tf_json_set_cstr(w, "end", to);
	tf_json_set_cstr(w, "channel", r->channel);
	tf_json_set_i64(w, "value", value);
	tf_json_set_cstr(w, "unit", meter_unit_text(r->unit));
	tf_json_set_cstr(w, "quality", quality);
	tf_json_set_u64(w, "version", version);
	tf_json_end_object(w);
}

static enum tf_err
on_row(void *ctx, const struct meter_scan_row *row, struct tf_fault *f)
{
	struct reading *r = ctx;
	const struct meter_grid_shape *shape = &row->head->shape;
	for (uint32_t i = row->from; i < row->to; i++) {
		if (!row->stamps[i])
			continue;
		char from[40], to[40], quality[16];
		tf_time start = shape->first + (tf_dur)i * shape->interval_s * TF_SEC;
		tf_time_format(start, from);
		tf_time_format(start + shape->interval_s * TF_SEC, to);
		meter_quality_text(meter_quality_from(row->head->stamps[row->stamps[i] - 1].quality), quality);
		(r->json ? put_json : put_csv)(r, from, to, row->values[i], quality,
					       meter_block_past(row->head, row->row, i) + 1);
		r->next = start + 1;
		TF_TRY(meter_api_flush(r->out, f));
	}
	return TF_OK;
}

struct channel {
	uint32_t sid;
	enum meter_unit unit;
	char name[METER_CHANNEL_MAX + 1];
};

/* Of one meter, in memory: a statement left open would hold the catalog's state while a slow client reads. */
struct channels {
	struct tf_str only;
	struct channel *list;
	size_t count, cap, all;
};

static enum tf_err
on_channel(void *ctx, uint32_t sid, struct tf_str meter, struct tf_str name, enum meter_unit unit, struct tf_fault *f)
{
	struct channels *c = ctx;
	(void)meter;
	c->all++;
	if (c->only.n && !tf_str_eq(c->only, name))
		return TF_OK;
	if (c->count == c->cap) {
		size_t cap = c->cap * 2 + 8;
		struct channel *list = tf_realloc(c->list, cap * sizeof *list);
		if (!list)
			return tf_fault(f, TF_NO_MEMORY, "no memory for channels");
		c->list = list;
		c->cap = cap;
	}
	struct channel *new = &c->list[c->count++];
	*new = (struct channel){.sid = sid, .unit = unit};
	memcpy(new->name, name.p, name.n);
	return TF_OK;
}

/* Where a file vanished below the reader, goes on in a newer state, behind the last reading that was written. */
static enum tf_err
read_channel(struct reading *r, const struct channel *c, struct tf_fault *f)
{
	uint8_t rows[METER_BUCKET_ROWS] = {0};
	rows[c->sid % METER_BUCKET_ROWS] = 1;
	memcpy(r->channel, c->name, sizeof r->channel);
	r->unit = c->unit;
	r->next = r->from;
	for (int attempt = 1;; attempt++) {
		struct meter_scan q = {
			.bucket = c->sid / METER_BUCKET_ROWS, .rows = rows, .from = r->next, .to = r->to};
		enum tf_err e = meter_scan(r->s, &q, on_row, r, f);
		if (!meter_api_vanished(e) || attempt == METER_API_ATTEMPTS)
			return e == TF_NOT_FOUND ? TF_CORRUPT : e;
		tf_sql_rollback(r->s->catalog.db);
		TF_TRY(tf_sql_exec(r->s->catalog.db, "BEGIN", f));
	}
}

static enum tf_err
read_channels(struct reading *r, struct tf_str meter, struct tf_fault *f)
{
	struct channels c = {.only = r->only};
	enum tf_err e = meter_channels(r->s, meter, on_channel, &c, f);
	for (size_t i = 0; !e && i < c.count && !r->out->gone; i++)
		e = read_channel(r, &c.list[i], f);
	tf_free(c.list);
	return e || c.all ? e : tf_fault(f, TF_NOT_FOUND, "no meter '%.*s'", TF_FMT(meter));
}

static enum tf_err
readings(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	struct reading r = {.s = s, .out = o, .only = tf_exchange_query(o->x, "channel")};
	struct tf_str meter = tf_exchange_param(o->x, 0);
	TF_TRY(meter_api_negotiate(o, &r.json, f));
	TF_TRY(meter_api_time(o, "from", TF_TIME_FIRST, &r.from, f));
	TF_TRY(meter_api_time(o, "to", TF_TIME_LAST, &r.to, f));
	o->field = "meter";
	if (r.json) {
		tf_json_begin_object(&o->json);
		tf_json_set_str(&o->json, "meter", meter);
		tf_json_key(&o->json, "readings");
		tf_json_begin_array(&o->json);
	} else {
		tf_buf_cstr(&o->b, "start,end,channel,value,unit,quality,version\n");
	}
	TF_TRY(read_channels(&r, meter, f));
	if (r.json && !o->gone) {
		tf_json_end_array(&o->json);
		tf_json_end_object(&o->json);
		tf_json_finish(&o->json);
	}
	return TF_OK;
}

void
meter_api_get_readings(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, readings);
}

static enum tf_err
meters(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	uint64_t limit;
	struct tf_str prefix = tf_exchange_query(o->x, "prefix");
	struct tf_stmt *q;
	TF_TRY(meter_api_number(o, "limit", 100, 10000, &limit, f));
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "SELECT DISTINCT meter FROM channel WHERE meter>=? AND substr(meter,1,length(?))=? "
			      "ORDER BY meter LIMIT ?",
			      &q, f));
	for (int i = 1; i <= 3; i++)
		tf_stmt_str(q, i, prefix.p ? prefix : TF_STR(""));
	tf_stmt_i64(q, 4, (int64_t)limit);
	tf_json_begin_object(&o->json);
	tf_json_key(&o->json, "meters");
	tf_json_begin_array(&o->json);
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)) && !(e = meter_api_flush(o, f)))
		tf_json_put_str(&o->json, tf_stmt_get_str(q, 0));
	tf_stmt_free(&q);
	if (e != TF_END || o->gone)
		return e;
	tf_json_end_array(&o->json);
	tf_json_end_object(&o->json);
	tf_json_finish(&o->json);
	return TF_OK;
}

void
meter_api_get_meters(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, meters);
}
