/* What the tiers cost, pure: measured bytes and rates times a dated price file, beside one flat warehouse.
 *
 * Money is in millionths of the price file's currency a month, rounded half up at each product. A GB is 10^9 bytes.
 * Steady state: hot holds hot_days of readings, warm the months after it, cold the rest of history_months; aggregates
 * cover all. Each month everything new is taken in, moved twice and billed once. The warehouse keeps all history as
 * rows of one table, billed by logical bytes, and the month's billing run and three reports (monthly, month over month,
 * peak day) each scan it; here the run opens one month and the reports come from the aggregates. */
#pragma once
#include "base/json.h"

#define METER_COST_SCANS 4 /* full scans of the warehouse a month */

enum meter_cost_tier { METER_COST_HOT, METER_COST_WARM, METER_COST_COLD, METER_COST_AGGREGATE, METER_COST_TIERS };
extern const char *const meter_cost_tier_names[METER_COST_TIERS];

struct meter_prices {
	char currency[8], date[16];
	int64_t storage_gb_month[METER_COST_TIERS], read_gb[METER_COST_TIERS];
	int64_t warehouse_storage_gb_month, warehouse_read_gb;
	int64_t core_hour, put_million, get_million, egress_gb;
	int64_t egress_percent; /* of what is billed, in bytes of aggregates */
};
/* Strict; the fault names what is missing or wrong. */
enum tf_err meter_prices_parse(struct tf_str json, struct meter_prices *out, struct tf_fault *f) TF_MUST_USE;
/* The price file the program carries. */
struct tf_str meter_prices_default(void);

/* What was measured on a data directory. Bytes are thousandths of a byte per reading. */
struct meter_cost_measured {
	uint64_t meters;
	uint64_t readings_per_meter_month;
	uint64_t milli_bytes[METER_COST_TIERS]; /* of readings in the tier; of aggregates: per reading they sum up */
	uint64_t warehouse_milli_bytes;         /* logical bytes of the same readings as rows of a flat table */
	uint64_t core_ns_per_reading;           /* to take in, move and bill one reading */
	uint64_t bytes_per_object;              /* of a pack or Parquet file */
};

struct meter_cost_line {
	uint64_t readings, bytes;
	int64_t storage, read; /* a month */
};

struct meter_cost {
	uint64_t meters;
	struct meter_cost_line tier[METER_COST_TIERS], warehouse;
	int64_t compute, requests, egress;
	int64_t total, warehouse_total;
	int64_t per_meter, warehouse_per_meter;
};

struct meter_cost_plan {
	uint32_t hot_days, warm_months, history_months;
};
/* A month at so many meters. TF_TOO_LARGE when a sum does not fit. */
enum tf_err meter_cost_of(const struct meter_cost_measured *m, const struct meter_prices *p,
			  const struct meter_cost_plan *plan, uint64_t meters, struct meter_cost *out) TF_MUST_USE;
