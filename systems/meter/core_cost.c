/* Cost; see core_cost.h. */
#include "core_cost.h"

#define MICRO 6
#define GB    1000000000

const char *const meter_cost_tier_names[METER_COST_TIERS] = {"hot", "warm", "cold", "aggregate"};

static enum tf_err
price(const struct tf_json *v, const char *name, int64_t *out, struct tf_fault *f)
{
	struct tf_str text;
	TF_TRY(tf_json_need_str(v, name, &text, f));
	if (tf_decimal_parse(text, MICRO, TF_ROUND_NOT, out) || *out < 0)
		return tf_fault(f, TF_INVALID, "'%s': '%.*s' is no price with up to 6 decimals", name, TF_FMT(text));
	return TF_OK;
}

static enum tf_err
short_text(const struct tf_json *v, const char *name, char *out, size_t n, struct tf_fault *f)
{
	struct tf_str text;
	TF_TRY(tf_json_need_str(v, name, &text, f));
	if (!text.n || text.n >= n)
		return tf_fault(f, TF_INVALID, "'%s': '%.*s' has the wrong length", name, TF_FMT(text));
	memcpy(out, text.p, text.n);
	out[text.n] = 0;
	return TF_OK;
}

static enum tf_err
read_prices(const struct tf_json *root, struct meter_prices *p, struct tf_fault *f)
{
	const struct tf_json *tiers, *one;
	TF_TRY(short_text(root, "currency", p->currency, sizeof p->currency, f));
	TF_TRY(short_text(root, "date", p->date, sizeof p->date, f));
	TF_TRY(tf_json_need(root, "tiers", TF_JSON_OBJECT, &tiers, f));
	for (int i = 0; i < METER_COST_TIERS; i++) {
		TF_TRY(tf_json_need(tiers, meter_cost_tier_names[i], TF_JSON_OBJECT, &one, f));
		TF_TRY(price(one, "storage_gb_month", &p->storage_gb_month[i], f));
		TF_TRY(price(one, "read_gb", &p->read_gb[i], f));
	}
	TF_TRY(tf_json_need(root, "warehouse", TF_JSON_OBJECT, &one, f));
	TF_TRY(price(one, "storage_gb_month", &p->warehouse_storage_gb_month, f));
	TF_TRY(price(one, "read_gb", &p->warehouse_read_gb, f));
	TF_TRY(price(root, "compute_core_hour", &p->core_hour, f));
	TF_TRY(tf_json_need(root, "requests_million", TF_JSON_OBJECT, &one, f));
	TF_TRY(price(one, "put", &p->put_million, f));
	TF_TRY(price(one, "get", &p->get_million, f));
	TF_TRY(price(root, "egress_gb", &p->egress_gb, f));
	return tf_json_need_i64(root, "egress_percent", &p->egress_percent, f);
}

enum tf_err
meter_prices_parse(struct tf_str json, struct meter_prices *out, struct tf_fault *f)
{
	struct tf_arena arena;
	const struct tf_json *root;
	struct meter_prices p = {0};
	tf_arena_init(&arena, "prices", 1u << 20);
	enum tf_err e = tf_json_parse(json, &arena, 0, &root, f);
	if (!e)
		e = read_prices(root, &p, f);
	tf_arena_release(&arena);
	if (!e)
		*out = p;
	return e ? tf_fault_wrap(f, e, "price file") : TF_OK;
}

/* a * b / c, rounded half up; sticky: *bad is set when it does not fit. */
static int64_t
times(uint64_t a, int64_t b, uint64_t c, bool *bad)
{
	unsigned __int128 v = ((unsigned __int128)a * (uint64_t)b + c / 2) / c;
	*bad |= v > INT64_MAX;
	return (int64_t)v;
}

static uint64_t
bytes_of(uint64_t readings, uint64_t milli_bytes, bool *bad)
{
	return (uint64_t)times(readings, (int64_t)milli_bytes, 1000, bad);
}

static void
store_lines(const struct meter_cost_measured *m, const struct meter_prices *p, const struct meter_cost_plan *plan,
	    uint64_t month, struct meter_cost *c, bool *bad)
{
	uint64_t history = month * plan->history_months, hot = (uint64_t)times(month, plan->hot_days, 30, bad),
		 warm = month * plan->warm_months;
	hot = hot < history ? hot : history;
	warm = warm < history - hot ? warm : history - hot;
	const uint64_t readings[METER_COST_TIERS] = {hot, warm, history - hot - warm, history};
	for (int i = 0; i < METER_COST_TIERS; i++) {
		c->tier[i].readings = readings[i];
		c->tier[i].bytes = bytes_of(readings[i], m->milli_bytes[i], bad);
		c->tier[i].storage = times(c->tier[i].bytes, p->storage_gb_month[i], GB, bad);
	}
	/* A billing run opens its month, which is warm. */
	c->tier[METER_COST_WARM].read =
		times(bytes_of(month, m->milli_bytes[METER_COST_WARM], bad), p->read_gb[METER_COST_WARM], GB, bad);
	c->warehouse.readings = history;
	c->warehouse.bytes = bytes_of(history, m->warehouse_milli_bytes, bad);
	c->warehouse.storage = times(c->warehouse.bytes, p->warehouse_storage_gb_month, GB, bad);
	c->warehouse.read = times(c->warehouse.bytes, METER_COST_SCANS * p->warehouse_read_gb, GB, bad);
}

enum tf_err
meter_cost_of(const struct meter_cost_measured *m, const struct meter_prices *p, const struct meter_cost_plan *plan,
	      uint64_t meters, struct meter_cost *out)
{
	bool bad = false;
	struct meter_cost c = {.meters = meters};
	uint64_t month = (uint64_t)times(meters, (int64_t)m->readings_per_meter_month, 1, &bad);
	store_lines(m, p, plan, month, &c, &bad);
	/* core_hour * ns / (3600 * 10^9) */
	uint64_t core_ms = (uint64_t)times(month, (int64_t)m->core_ns_per_reading, 1000000, &bad);
	c.compute = times(core_ms, p->core_hour, 3600000, &bad);
	uint64_t moved = 2 * bytes_of(month, m->milli_bytes[METER_COST_HOT], &bad),
		 objects = moved / (m->bytes_per_object ? m->bytes_per_object : 1) + 1;
	c.requests = times(objects, p->put_million, 1000000, &bad) + times(2 * objects, p->get_million, 1000000, &bad);
	uint64_t out_bytes =
		bytes_of(month, m->milli_bytes[METER_COST_AGGREGATE], &bad) / 100 * (uint64_t)p->egress_percent;
	c.egress = times(out_bytes, p->egress_gb, GB, &bad);
	c.total = c.compute + c.requests + c.egress;
	for (int i = 0; i < METER_COST_TIERS; i++)
		c.total += c.tier[i].storage + c.tier[i].read;
	c.warehouse_total = c.warehouse.storage + c.warehouse.read + c.compute + c.egress;
	c.per_meter = meters ? (int64_t)((uint64_t)c.total / meters) : 0;
	c.warehouse_per_meter = meters ? (int64_t)((uint64_t)c.warehouse_total / meters) : 0;
	*out = c;
	return bad ? TF_TOO_LARGE : TF_OK;
}
