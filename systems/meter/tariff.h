/* A tariff: what energy, demand and a connection cost, dated. File format: docs/formats/tariff.md.
 *
 * A tariff has versions by date; a version has plans, one of them the default, the others chosen by the category that
 * the network file gives an account. Rates are decimal text scaled to integers (METER_RATE_SCALE); nothing here is
 * floating point. Thread rule: immutable once parsed, may be shared. Ownership: a tariff owns everything it points to.
 */
#pragma once
#include "base/arena.h"
#include "base/decimal.h"
#include "base/time.h"

#define METER_RATE_SCALE    6             /* decimals of a rate or percentage */
#define METER_RATE_MAX      1000000000000 /* of a rate, scaled: one million currency units */
#define METER_REGISTERS_MAX 8
#define METER_SLABS_MAX     16
#define METER_TAXES_MAX     8
#define METER_WINDOWS_MAX   32 /* of one register */
#define METER_PLANS_MAX     64 /* of one version */
#define METER_VERSIONS_MAX  256
#define METER_HOLIDAYS_MAX  8192
#define METER_TARIFF_BYTES  (1u << 20)
#define METER_DAY_HOLIDAY   0x80 /* of a window's days; bits 0 (Monday) to 6 (Sunday) are the others */

/* When a register counts: local days of these kinds, within a season, from a time of day to another. */
struct meter_tariff_window {
	uint8_t days;
	uint16_t from_min, to_min;       /* minutes of the day; from >= to goes over midnight */
	uint16_t season_from, season_to; /* month * 100 + day, both included; from > to goes over the year's end */
};

struct meter_tariff_register {
	struct tf_str name;
	int64_t rate; /* per kWh; 0: counted, not charged */
	struct meter_tariff_window *windows;
	uint32_t window_count; /* 0: the last register, which takes what no other does */
};

struct meter_tariff_slab {
	struct tf_str name; /* "energy 100 to 300 kWh" */
	int64_t up_to_wh;   /* a month; INT64_MAX for the last */
	int64_t rate;       /* per kWh */
};

/* X(name, text): what a line of a bill is for; text is what a tax's "on" calls it. */
#define METER_LINES(X)                                                                                                 \
	X(ENERGY, "energy")                                                                                            \
	X(REGISTER, "registers")                                                                                       \
	X(DEMAND, "demand")                                                                                            \
	X(FIXED, "fixed")                                                                                              \
	X(EXPORT, "export")                                                                                            \
	X(TAX, "tax")                                                                                                  \
	X(ROUNDING, "rounding")

enum meter_line_kind {
#define X(name, text) METER_LINE_##name,
	METER_LINES(X)
#undef X
		METER_LINE_COUNT
};
extern const char *const meter_line_names[METER_LINE_COUNT];

struct meter_tariff_tax {
	struct tf_str name;
	int64_t percent; /* scaled */
	uint32_t on;     /* bits: 1 << enum meter_line_kind */
};

struct meter_tariff_plan {
	struct tf_str name;
	uint32_t id; /* of all plans of the tariff, from 0 */
	const struct tf_str *categories;
	uint32_t category_count;
	struct meter_tariff_slab *slabs;
	uint32_t slab_count;
	struct meter_tariff_register *registers;
	uint32_t register_count;
	uint32_t demand_s;     /* the demand interval; 1800 where the plan has none */
	int64_t demand_rate;   /* per kW and month */
	int64_t demand_least;  /* W that are charged at least */
	int64_t fixed;         /* per month */
	int64_t export_credit; /* per kWh */
	struct meter_tariff_tax *taxes;
	uint32_t tax_count;
	bool has_demand, has_fixed, has_export;
};

struct meter_tariff_version {
	int32_t from; /* the first local date */
	struct meter_tariff_plan *plans;
	uint32_t plan_count, default_plan;
};

struct meter_tariff {
	struct tf_arena arena;
	struct tf_str name, currency;
	int minor_digits;       /* decimals of the currency's smallest unit: 2 for INR, 0 for JPY */
	enum tf_round rounding; /* of each line */
	int64_t round_total;    /* the total is a multiple of so many minor units */
	int32_t *holidays;      /* ascending */
	uint32_t holiday_count;
	struct meter_tariff_version *versions; /* by from */
	uint32_t version_count, plan_count;    /* plan_count: of all versions */
};

/* Reads a tariff file; file is its name for messages. TF_INVALID names file, line and field. */
enum tf_err meter_tariff_parse(struct tf_str file, struct tf_str text, struct meter_tariff **out,
			       struct tf_fault *f) TF_MUST_USE;
void meter_tariff_free(struct meter_tariff **t);
/* The text of tariffs/default.json, as it was when this program was built. */
struct tf_str meter_tariff_default(void);

/* The version in force on a local date; NULL before the first. */
const struct meter_tariff_version *meter_tariff_at(const struct meter_tariff *t, int32_t date);
/* The plan of a category; the default where none names it. */
const struct meter_tariff_plan *meter_tariff_plan(const struct meter_tariff_version *v, struct tf_str category);
/* Which kind of day a date is: one bit of a window's days. */
uint8_t meter_tariff_day(const struct meter_tariff *t, int32_t date);
/* The number of the register that counts at a minute (0 .. 1439) of a local date: the first with a window that holds
 * it. 0 where the plan has no registers. */
uint32_t meter_tariff_register(const struct meter_tariff *t, const struct meter_tariff_plan *p, int32_t date,
			       uint32_t minute);
