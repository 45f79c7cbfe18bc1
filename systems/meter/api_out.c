/* Answers from a read-only store; see api_out.h. */
#include "api_out.h"

#define FLUSH_BYTES ((size_t)64 << 10)

/* This worker's store, opened at first use. */
static enum tf_err
reader(struct meter_api *a, unsigned worker, struct meter_store **out, struct tf_fault *f)
{
	TF_ASSERT(worker < METER_API_WORKERS);
	struct meter_store_options o = {.read_only = true};
	if (!a->readers[worker]) {
		TF_TRY(meter_store_open(a->os, a->dir, &o, &a->readers[worker], f));
		a->readers[worker]->opened = meter_api_opened;
		a->readers[worker]->opened_ctx = a;
	}
	*out = a->readers[worker];
	return TF_OK;
}

enum tf_err
meter_api_flush(struct meter_api_out *o, struct tf_fault *f)
{
	if (o->b.err)
		return tf_fault(f, o->b.err, "no memory for an answer");
	if (o->b.n < FLUSH_BYTES)
		return TF_OK;
	if (!o->begun)
		tf_reply_begin(o->x, 200, o->type);
	o->begun = true;
	o->gone = tf_reply_write(o->x, tf_buf_view(&o->b)) == TF_END;
	o->b.n = 0;
	return o->gone ? TF_END : TF_OK;
}

bool
meter_api_vanished(enum tf_err e)
{
	return e == TF_NOT_FOUND || e == TF_IO || e == TF_CORRUPT;
}

static void
finish(struct meter_api_out *o, enum tf_err e, const struct tf_fault *f)
{
	if (!e && o->b.err)
		e = o->b.err;
	if (!o->begun && e == TF_UNSUPPORTED && o->field && strcmp(o->field, "Accept") == 0) {
		struct tf_problem p = {406, "UNSUPPORTED", tf_str(f->text), o->field};
		tf_reply_problem(o->x, &p);
	} else if (!o->begun && e) {
		tf_reply_fault(o->x, f, o->field);
	} else if (!o->begun) {
		tf_reply(o->x, 200, o->type, tf_buf_view(&o->b));
	} else if (e || o->gone || tf_reply_write(o->x, tf_buf_view(&o->b))) {
		if (e && e != TF_END)
			tf_watch_fault(o->api->watch, "answer.broken", tf_exchange_trace(o->x), f);
		tf_reply_abort(o->x);
	} else {
		tf_reply_end(o->x);
	}
}

void
meter_api_run(struct meter_api *a, struct tf_exchange *x, meter_api_query *query)
{
	struct meter_api_out o = {.api = a, .x = x, .type = "application/json"};
	struct meter_store *s;
	struct tf_fault f = {0};
	enum tf_err e = reader(a, tf_exchange_worker(x), &s, &f);
	tf_buf_init(&o.b, 0);
	for (int attempt = 1; !e; attempt++) {
		tf_buf_reset(&o.b);
		o.json = tf_json_out(&o.b);
		o.field = NULL;
		e = tf_sql_exec(s->catalog.db, "BEGIN", &f);
		if (!e)
			e = query(s, &o, &f);
		tf_sql_rollback(s->catalog.db);
		if (!e || attempt == METER_API_ATTEMPTS || o.begun || !meter_api_vanished(e))
			break;
		e = TF_OK;
	}
	finish(&o, e, &f);
	tf_buf_release(&o.b);
}

enum tf_err
meter_api_time(struct meter_api_out *o, const char *name, tf_time fallback, tf_time *out, struct tf_fault *f)
{
	struct tf_str text = tf_exchange_query(o->x, name), zone = tf_exchange_query(o->x, "zone");
	*out = fallback;
	if (!text.p)
		return TF_OK;
	struct tf_zone *z = NULL;
	if (!zone.p)
		zone = o->api->zone;
	o->field = "zone";
	if (zone.n && tf_os_zone(o->api->os, zone, &z, f))
		return f->code == TF_NOT_FOUND ? (f->code = TF_INVALID) : f->code;
	o->field = name;
	enum tf_err e = tf_time_parse(text, z, out, f);
	tf_zone_free(&z);
	if (e)
		return f->code = TF_INVALID;
	o->field = NULL;
	return TF_OK;
}

enum tf_err
meter_api_number(struct meter_api_out *o, const char *name, uint64_t fallback, uint64_t max, uint64_t *out,
		 struct tf_fault *f)
{
	struct tf_str text = tf_exchange_query(o->x, name);
	*out = fallback;
	if (!text.p || (tf_str_u64(text, out) && *out <= max))
		return TF_OK;
	o->field = name;
	return tf_fault(f, TF_INVALID, "'%.*s' is no whole number up to %llu", TF_FMT(text), (unsigned long long)max);
}

enum tf_err
meter_api_negotiate(struct meter_api_out *o, bool *out_json, struct tf_fault *f)
{
	struct tf_str accept = tf_exchange_header(o->x, "accept"), part, type;
	bool csv = !accept.n, json = false;
	while (accept.n && tf_str_cut(&accept, ',', &part)) {
		if (!tf_str_cut(&part, ';', &type))
			continue;
		type = tf_str_trim(type);
		csv |= tf_str_eq_nocase(type, TF_STR("text/csv")) || tf_str_eq(type, TF_STR("*/*")) ||
		       tf_str_eq_nocase(type, TF_STR("text/*"));
		json |= tf_str_eq_nocase(type, TF_STR("application/json")) ||
			tf_str_eq_nocase(type, TF_STR("application/*"));
	}
	*out_json = json;
	o->type = json ? "application/json" : "text/csv; charset=utf-8";
	o->field = "Accept";
	if (csv || json)
		o->field = NULL;
	return csv || json ? TF_OK : tf_fault(f, TF_UNSUPPORTED, "there is text/csv and application/json");
}
