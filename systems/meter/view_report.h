/* The regulator's month, month over month, peak days. From tier 4 alone: no reading is opened. */
#pragma once
#include "base/json.h"
#include "store.h"

#define METER_REPORT_SLABS "100,300,500"

struct meter_report {
	const char *name, *sql;
	const char *columns[7]; /* ends with NULL */
};

/* "monthly", "change" or "peak"; NULL for another name. */
const struct meter_report *meter_report_find(struct tf_str name);
/* Is a column of that name text, and no number? */
bool meter_report_is_text(const char *column);
/* q stands at a row whose columns are the report's. */
typedef enum tf_err meter_report_each(void *ctx, const struct meter_report *r, struct tf_stmt *q, struct tf_fault *f);
/* Calls each for every row. slabs: upper limits in kWh, rising, between commas; only monthly looks at them. TF_INVALID
 * for bad slabs, TF_NOT_FOUND when nothing is known of the month. */
enum tf_err meter_report_run(struct meter_store *s, const struct meter_report *r, int32_t month, struct tf_str slabs,
			     meter_report_each *each, void *ctx, struct tf_fault *f) TF_MUST_USE;
/* The row as an object. */
void meter_report_json(const struct meter_report *r, struct tf_stmt *q, struct tf_json_out *w);
