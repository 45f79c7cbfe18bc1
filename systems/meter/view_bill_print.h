/* Bills as text: a table for people, CSV (a row per quantity and line), one JSON object.
 *
 * Amounts are exact: decimals of the currency in tables and CSV, minor units in JSON. Text gathers in out; whoever owns
 * the printer takes it away and empties it between bills, so memory stays bounded. */
#pragma once
#include "base/json.h"
#include "view_bill.h"

enum meter_bill_format { METER_BILL_TABLE, METER_BILL_CSV, METER_BILL_JSON };

struct meter_bill_printer {
	enum meter_bill_format format;
	bool one; /* account: the table shows every line */
	const struct meter_tariff *tariff;
	int32_t month;
	struct tf_buf out;
	/* inside */
	struct tf_buf prefix;
	struct tf_json_out json;
	uint64_t accounts;
	char period[16];
};

void meter_bill_print_init(struct meter_bill_printer *p, enum meter_bill_format format, bool one,
			   const struct meter_tariff *tariff, int32_t month);
void meter_bill_print_release(struct meter_bill_printer *p);
/* One bill, behind whatever must stand before the first. */
enum tf_err meter_bill_print(struct meter_bill_printer *p, const struct meter_bill *bill,
			     struct tf_fault *f) TF_MUST_USE;
/* Totals and, in JSON, how the run went. */
void meter_bill_print_end(struct meter_bill_printer *p, const struct meter_bill_report *r, tf_dur took);
