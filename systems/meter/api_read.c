/* GET /meter/v1/meters and /meter/v1/meters/{meter}/readings: whatever tier they lie in, CSV or JSON. */
#include <inttypes.h>

#include "api_out.h"
#include "batch.h"
#include "scan.h"

struct reading {
	struct meter_store *s;
	struct meter_api_out *out;
	bool json, any;
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

/* Where a file vanished under the reader, goes on behind the last reading that was written. */
static enum tf_err
on_channel(void *ctx, uint32_t sid, struct tf_str meter, struct tf_str channel, enum meter_unit unit,
	   struct tf_fault *f)
{
	struct reading *r = ctx;
	(void)meter;
	r->any = true;
	if (r->out->gone || (r->only.n && !tf_str_eq(r->only, channel)))
		return TF_OK;
	memcpy(r->channel, channel.p, channel.n);
	r->channel[channel.n] = 0;
	r->unit = unit;
	r->next = r->from;
	uint8_t rows[METER_BUCKET_ROWS] = {0};
	rows[sid % METER_BUCKET_ROWS] = 1;
	enum tf_err e = TF_NOT_FOUND;
	for (int attempt = 0; attempt < 3 && e && e != TF_END; attempt++) {
		struct meter_scan q = {.bucket = sid / METER_BUCKET_ROWS, .rows = rows, .from = r->next, .to = r->to};
		e = meter_scan(r->s, &q, on_row, r, f);
	}
	return e == TF_NOT_FOUND ? TF_CORRUPT : e;
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
	TF_TRY(meter_channels(s, meter, on_channel, &r, f));
	if (!r.any)
		return tf_fault(f, TF_NOT_FOUND, "no meter '%.*s'", TF_FMT(meter));
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
