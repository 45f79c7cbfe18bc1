/* Determinants to money: the lines of a bill. Every line is rounded once, from an exact product of integers. */
#include "core_bill.h"

static int64_t
minor_factor(const struct meter_tariff *t)
{
	int64_t ten = 1;
	for (int i = 0; i < t->minor_digits; i++)
		ten *= 10;
	return ten;
}

#define RATE_ONE 1000000 /* 10^METER_RATE_SCALE */

struct sheet {
	const struct meter_tariff *t;
	struct meter_bill_line *lines;
	uint32_t count;
	int64_t by_kind[METER_LINE_COUNT];
};

/* quantity * rate / (divisor * 10^METER_RATE_SCALE) currency units, as minor units. */
static enum tf_err
add_line(struct sheet *s, struct meter_bill_line l, int64_t times, int64_t divisor)
{
	int64_t quantity;
	if (__builtin_mul_overflow(l.quantity, times, &quantity))
		return TF_TOO_LARGE;
	TF_TRY(tf_mul_div(quantity, l.rate * minor_factor(s->t), divisor * RATE_ONE, s->t->rounding, &l.amount));
	if (l.kind == METER_LINE_EXPORT)
		l.amount = -l.amount;
	if (__builtin_add_overflow(s->by_kind[l.kind], l.amount, &s->by_kind[l.kind]))
		return TF_TOO_LARGE;
	s->lines[s->count++] = l;
	return TF_OK;
}

static enum tf_err
slab_lines(struct sheet *s, const struct meter_tariff_plan *p, int64_t energy_wh, uint32_t days, uint32_t month_days)
{
	int64_t left = energy_wh, from_wh = 0;
	for (uint32_t i = 0; i < p->slab_count && (left > 0 || i == 0); i++) {
		const struct meter_tariff_slab *slab = &p->slabs[i];
		int64_t to_wh = slab->up_to_wh, quantity = left;
		if (to_wh != INT64_MAX) {
			TF_TRY(tf_mul_div(to_wh, days, month_days, TF_ROUND_HALF_EVEN, &to_wh));
			quantity = left < to_wh - from_wh ? left : to_wh - from_wh;
		}
		TF_TRY(add_line(s,
				(struct meter_bill_line){.kind = METER_LINE_ENERGY,
							 .name = slab->name,
							 .unit = "Wh",
							 .per = "kWh",
							 .quantity = quantity,
							 .rate = slab->rate},
				1, 1000));
		left -= quantity;
		from_wh = to_wh;
	}
	return TF_OK;
}

static enum tf_err
register_lines(struct sheet *s, const struct meter_tariff_plan *p, const struct meter_use *u)
{
	for (uint32_t i = 0; i < p->register_count; i++)
		if (p->registers[i].rate && u->registers[i])
			TF_TRY(add_line(s,
					(struct meter_bill_line){.kind = METER_LINE_REGISTER,
								 .name = p->registers[i].name,
								 .unit = "Wh",
								 .per = "kWh",
								 .quantity = u->registers[i],
								 .rate = p->registers[i].rate},
					1, 1000));
	return TF_OK;
}

static enum tf_err
other_lines(struct sheet *s, const struct meter_tariff_plan *p, const struct meter_use *u, uint32_t days,
	    uint32_t month_days)
{
	int64_t demand_w = u->demand_w > p->demand_least ? u->demand_w : p->demand_least;
	if (p->has_demand)
		TF_TRY(add_line(s,
				(struct meter_bill_line){.kind = METER_LINE_DEMAND,
							 .name = tf_str("demand"),
							 .unit = "W",
							 .per = "kW month",
							 .quantity = demand_w,
							 .rate = p->demand_rate},
				days, (int64_t)1000 * month_days));
	if (p->has_fixed)
		TF_TRY(add_line(s,
				(struct meter_bill_line){.kind = METER_LINE_FIXED,
							 .name = tf_str("fixed charge"),
							 .unit = "days",
							 .per = "month",
							 .quantity = days,
							 .rate = p->fixed},
				1, month_days));
	if (p->has_export && u->export_wh)
		TF_TRY(add_line(s,
				(struct meter_bill_line){.kind = METER_LINE_EXPORT,
							 .name = tf_str("export credit"),
							 .unit = "Wh",
							 .per = "kWh",
							 .quantity = u->export_wh,
							 .rate = p->export_credit},
				1, 1000));
	return TF_OK;
}

/* In order: a tax may stand on those before it. */
static enum tf_err
tax_lines(struct sheet *s, const struct meter_tariff_plan *p)
{
	for (uint32_t i = 0; i < p->tax_count; i++) {
		const struct meter_tariff_tax *tax = &p->taxes[i];
		struct meter_bill_line l = {.kind = METER_LINE_TAX,
					    .name = tax->name,
					    .unit = "minor",
					    .per = "percent",
					    .rate = tax->percent};
		for (int k = 0; k < METER_LINE_COUNT; k++)
			if (tax->on >> k & 1 && __builtin_add_overflow(l.quantity, s->by_kind[k], &l.quantity))
				return TF_TOO_LARGE;
		/* Minor units of minor units: add_line's factor is taken out again. */
		TF_TRY(add_line(s, l, 1, 100 * minor_factor(s->t)));
	}
	return TF_OK;
}

enum tf_err
meter_bill_lines(const struct meter_tariff *t, const struct meter_tariff_plan *p, const struct meter_use *u,
		 uint32_t days, uint32_t month_days, struct meter_bill_line out[static METER_BILL_LINES_MAX],
		 uint32_t *out_count, int64_t *out_total)
{
	struct sheet s = {.t = t, .lines = out};
	TF_TRY(slab_lines(&s, p, meter_use_energy(u), days, month_days));
	TF_TRY(register_lines(&s, p, u));
	TF_TRY(other_lines(&s, p, u, days, month_days));
	TF_TRY(tax_lines(&s, p));
	int64_t total = 0;
	for (uint32_t i = 0; i < s.count; i++)
		if (__builtin_add_overflow(total, out[i].amount, &total))
			return TF_TOO_LARGE;
	*out_count = s.count;
	*out_total = total;
	return TF_OK;
}

int64_t
meter_bill_rounding(const struct meter_tariff *t, int64_t total)
{
	int64_t step = t->round_total, rest = ((total % step) + step) % step; /* above the multiple below */
	bool up = rest * 2 > step;
	if (rest * 2 == step)
		up = t->rounding == TF_ROUND_HALF_UP ? total > 0 : ((total / step) - (total % step < 0)) & 1;
	return up ? step - rest : -rest;
}
