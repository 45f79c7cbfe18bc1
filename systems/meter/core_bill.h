/* The pure core of billing: intervals to determinants, determinants to money.
 *
 * Determinants of one row over some local days of a month: energy per register, maximum demand, how many readings.
 * Where in a row which register counts depends on the tariff plan, the zone and the block's shape alone, so it is
 * worked out once (meter_bill_table) and the inner loop runs over spans of one register without a branch per reading.
 * Rules, for people: docs/formats/tariff.md. Values outside what 64 bits sum up wrap; readings are within
 * +-METER_VALUE_MAX, so that takes a thousand of the largest.
 * No I/O, clock or threads; integers only. Thread rule: a table is immutable once made and may be shared. */
#pragma once
#include "block.h"
#include "tariff.h"

/* What was used, of one account, plan and version (or of one channel). */
struct meter_use {
	int64_t registers[METER_REGISTERS_MAX]; /* imported Wh; [0] alone where the plan has no registers */
	int64_t export_wh;
	int64_t demand_w; /* the largest mean power of a demand interval; 0 at least */
	uint64_t readings, estimated, expected;
};
/* a + b, wrapping: sums of readings are never undefined. */
static inline int64_t
meter_wrap_add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}
/* Adds; the greater demand stands. */
void meter_use_add(struct meter_use *to, const struct meter_use *add);
int64_t meter_use_energy(const struct meter_use *u);

/* Slots [from, to) of a row count to one register. */
struct meter_bill_span {
	uint32_t from, to, reg;
};

struct meter_bill_table {
	struct meter_bill_span *spans; /* in order, without gaps */
	struct meter_bill_span *runs;  /* demand intervals begin at from and go on to to; reg is unused */
	uint32_t span_count, run_count;
	uint32_t window;   /* slots of a demand interval */
	uint32_t window_s; /* its length */
	bool aligned;      /* one run, and spans begin where demand intervals do */
};

/* Which register counts at a minute of a local date. */
typedef uint32_t meter_bill_register(const void *ctx, int32_t date, uint32_t minute);
/* A slot belongs to the local time at which it starts. Demand intervals are counted from each local midnight, are
 * demand_s long rounded up to whole slots, and end with their day. */
enum tf_err meter_bill_table_init(const struct tf_zone *zone, const struct meter_grid_shape *shape, uint32_t demand_s,
				  meter_bill_register *reg, const void *ctx, struct meter_bill_table *out) TF_MUST_USE;
/* The same by a plan's registers and demand interval. */
enum tf_err meter_bill_table_plan(const struct tf_zone *zone, const struct meter_grid_shape *shape,
				  const struct meter_tariff *t, const struct meter_tariff_plan *p,
				  struct meter_bill_table *out) TF_MUST_USE;
void meter_bill_table_release(struct meter_bill_table *t);

/* Adds slots [from, to) of a row, which begin and end with local days; absent readings are 0. registers: as many as
 * the table knows. *demand_w becomes the greater. */
void meter_bill_row(const struct meter_bill_table *t, const int64_t *values, uint32_t from, uint32_t to,
		    int64_t *registers, int64_t *demand_w);

/* One line of a bill. Quantity times rate, rounded once, is the amount. */
struct meter_bill_line {
	enum meter_line_kind kind;
	struct tf_str name; /* of the tariff */
	const char *unit;   /* of the quantity: "Wh", "W", "days", "minor" */
	const char *per;    /* of the rate: "kWh", "kW month", "month", "percent" */
	int64_t quantity;
	int64_t rate;   /* scaled by METER_RATE_SCALE */
	int64_t amount; /* minor units; credits are negative */
};
#define METER_BILL_LINES_MAX (METER_SLABS_MAX + METER_REGISTERS_MAX + METER_TAXES_MAX + 4)

/* The lines of one plan over days of a month that has month_days: slab limits, fixed and demand charge count pro rata.
 * *out_total is the sum of the amounts, not yet rounded to the tariff's multiple. TF_TOO_LARGE when an amount does not
 * fit. */
enum tf_err meter_bill_lines(const struct meter_tariff *t, const struct meter_tariff_plan *p, const struct meter_use *u,
			     uint32_t days, uint32_t month_days,
			     struct meter_bill_line out[static METER_BILL_LINES_MAX], uint32_t *out_count,
			     int64_t *out_total) TF_MUST_USE;
/* What is to be added to a bill's total so that it is a multiple of the tariff's round_total. */
int64_t meter_bill_rounding(const struct meter_tariff *t, int64_t total);
