/* What the tiers cost a month, beside one flat warehouse: measured on a data directory, at five sizes. */
#pragma once
#include "core_cost.h"
#include "store.h"

#define METER_COST_SCALES 5 /* as many meters as there are, 10 and 100 times as many, 1 million and 250 million */

/* Bytes by tier and core time by reading, measured now: codes a sample of readings, and asks DuckDB. TF_NOT_FOUND
 * without readings. */
enum tf_err meter_cost_measure(struct meter_store *s, struct meter_cost_measured *out, struct tf_fault *f) TF_MUST_USE;
enum tf_err meter_cost_curve(const struct meter_cost_measured *m, const struct meter_prices *p, uint32_t history_months,
			     struct meter_cost out[static METER_COST_SCALES], struct tf_fault *f) TF_MUST_USE;
/* One JSON object, as `tenfold meter cost --json` prints it. */
void meter_cost_json(const struct meter_cost_measured *m, const struct meter_prices *p,
		     const struct meter_cost c[static METER_COST_SCALES], struct tf_buf *out);
