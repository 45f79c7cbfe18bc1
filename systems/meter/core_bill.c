/* Intervals to determinants; see core_bill.h. The money is in core_bill_money.c. */
#include "core_bill.h"

#include "base/mem.h"

void
meter_use_add(struct meter_use *to, const struct meter_use *add)
{
	for (int i = 0; i < METER_REGISTERS_MAX; i++)
		to->registers[i] = meter_wrap_add(to->registers[i], add->registers[i]);
	to->export_wh = meter_wrap_add(to->export_wh, add->export_wh);
	to->demand_w = add->demand_w > to->demand_w ? add->demand_w : to->demand_w;
	to->readings += add->readings;
	to->estimated += add->estimated;
	to->expected += add->expected;
}

int64_t
meter_use_energy(const struct meter_use *u)
{
	int64_t wh = 0;
	for (int i = 0; i < METER_REGISTERS_MAX; i++)
		wh = meter_wrap_add(wh, u->registers[i]);
	return wh;
}

/* Appends to a list that grows by doubling. */
static enum tf_err
add_span(struct meter_bill_span **list, uint32_t *count, struct meter_bill_span s)
{
	if ((*count & (*count - 1)) == 0) {
		struct meter_bill_span *p = tf_realloc(*list, (*count ? *count * 2 : 1) * sizeof *p);
		if (!p)
			return TF_NO_MEMORY;
		*list = p;
	}
	(*list)[(*count)++] = s;
	return TF_OK;
}

static enum tf_err
make_spans(const struct tf_zone *zone, const struct meter_grid_shape *shape, meter_bill_register *reg, const void *ctx,
	   struct meter_bill_table *t)
{
	for (uint32_t i = 0; i < shape->slots; i++) {
		tf_time at = shape->first + (tf_dur)i * shape->interval_s * TF_SEC;
		int64_t local_s = at / TF_SEC + tf_zone_offset(zone, at, NULL);
		int64_t day = local_s / 86400 - (local_s % 86400 < 0);
		uint32_t r = reg(ctx, (int32_t)day, (uint32_t)(local_s - day * 86400) / 60);
		if (t->span_count && t->spans[t->span_count - 1].reg == r)
			t->spans[t->span_count - 1].to = i + 1;
		else
			TF_TRY(add_span(&t->spans, &t->span_count, (struct meter_bill_span){i, i + 1, r}));
	}
	return TF_OK;
}

/* Where demand intervals begin anew: at each local midnight, unless all days are whole demand intervals long. */
static enum tf_err
make_runs(const struct tf_zone *zone, const struct meter_grid_shape *shape, struct meter_bill_table *t)
{
	bool whole = true;
	for (uint32_t at = 0, to; at < shape->slots; at = to) {
		tf_time start = shape->first + (tf_dur)at * shape->interval_s * TF_SEC;
		int32_t date = tf_zone_date(zone, start);
		uint32_t from;
		do
			meter_shape_slots(shape, start, tf_zone_day_start(zone, ++date), &from, &to);
		while (to <= at);
		TF_TRY(add_span(&t->runs, &t->run_count, (struct meter_bill_span){at, to, 0}));
		whole &= (to - at) % t->window == 0;
	}
	if (whole && t->run_count) {
		t->runs[0].to = shape->slots;
		t->run_count = 1;
	}
	t->aligned = whole;
	for (uint32_t i = 0; i < t->span_count; i++)
		t->aligned &= t->spans[i].from % t->window == 0;
	return TF_OK;
}

enum tf_err
meter_bill_table_init(const struct tf_zone *zone, const struct meter_grid_shape *shape, uint32_t demand_s,
		      meter_bill_register *reg, const void *ctx, struct meter_bill_table *out)
{
	struct meter_bill_table t = {.window = (demand_s + shape->interval_s - 1) / shape->interval_s};
	t.window_s = t.window * shape->interval_s;
	enum tf_err e = make_spans(zone, shape, reg, ctx, &t);
	if (!e)
		e = make_runs(zone, shape, &t);
	if (e)
		meter_bill_table_release(&t);
	else
		*out = t;
	return e;
}

struct plan_register {
	const struct meter_tariff *tariff;
	const struct meter_tariff_plan *plan;
};

static uint32_t
plan_register(const void *ctx, int32_t date, uint32_t minute)
{
	const struct plan_register *p = ctx;
	return meter_tariff_register(p->tariff, p->plan, date, minute);
}

enum tf_err
meter_bill_table_plan(const struct tf_zone *zone, const struct meter_grid_shape *shape, const struct meter_tariff *t,
		      const struct meter_tariff_plan *p, struct meter_bill_table *out)
{
	struct plan_register ctx = {t, p};
	return meter_bill_table_init(zone, shape, p->demand_s, plan_register, &ctx, out);
}

void
meter_bill_table_release(struct meter_bill_table *t)
{
	tf_free(t->spans);
	tf_free(t->runs);
	*t = (struct meter_bill_table){0};
}

/* Sum of n values, and the largest sum of each window of them in a row; window is a constant at each call. */
static inline __attribute__((always_inline)) uint64_t
sum_windows(const int64_t *v, uint32_t n, uint32_t window, int64_t *max)
{
	uint64_t sum = 0;
	int64_t most = *max;
	uint32_t i = 0;
	for (; i + window <= n; i += window) {
		uint64_t w = 0;
		for (uint32_t k = 0; k < window; k++)
			w += (uint64_t)v[i + k];
		sum += w;
		most = (int64_t)w > most ? (int64_t)w : most;
	}
	uint64_t rest = 0;
	for (; i < n; i++)
		rest += (uint64_t)v[i];
	*max = (int64_t)rest > most ? (int64_t)rest : most;
	return sum + rest;
}

static uint64_t
sum_run(const int64_t *v, uint32_t n, uint32_t window, int64_t *max)
{
	switch (window) {
	case 1:
		return sum_windows(v, n, 1, max);
	case 2:
		return sum_windows(v, n, 2, max);
	case 3:
		return sum_windows(v, n, 3, max);
	case 4:
		return sum_windows(v, n, 4, max);
	case 6:
		return sum_windows(v, n, 6, max);
	default:
		return sum_windows(v, n, window, max);
	}
}

static uint64_t
sum_plain(const int64_t *v, uint32_t n)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < n; i++)
		sum += (uint64_t)v[i];
	return sum;
}

/* The part of a span within [from, to); false when there is none. */
static bool
clip(const struct meter_bill_span *s, uint32_t from, uint32_t to, uint32_t *out_from, uint32_t *out_to)
{
	*out_from = s->from > from ? s->from : from;
	*out_to = s->to < to ? s->to : to;
	return *out_from < *out_to;
}

void
meter_bill_row(const struct meter_bill_table *t, const int64_t *values, uint32_t from, uint32_t to, int64_t *registers,
	       int64_t *demand_w)
{
	int64_t most = 0;
	uint32_t a, b;
	for (uint32_t i = 0; i < t->span_count; i++) {
		if (!clip(&t->spans[i], from, to, &a, &b))
			continue;
		uint64_t wh = t->aligned ? sum_run(values + a, b - a, t->window, &most) : sum_plain(values + a, b - a);
		int64_t *reg = &registers[t->spans[i].reg];
		*reg = meter_wrap_add(*reg, (int64_t)wh);
	}
	for (uint32_t i = 0; !t->aligned && i < t->run_count; i++)
		if (clip(&t->runs[i], from, to, &a, &b))
			sum_run(values + a, b - a, t->window, &most);
	int64_t w;
	if (tf_mul_div(most, 3600, t->window_s, TF_ROUND_HALF_EVEN, &w))
		w = INT64_MAX;
	*demand_w = w > *demand_w ? w : *demand_w;
}
