/* Sealed time-of-use sums: what a bill needs of a whole local month, an account's 100 bytes instead of its readings.
 *
 * Made once when a month block is sealed (table agg_tou), dropped or made again when it is revised. Good for tariffs
 * whose registers change at whole hours and tell weekdays (Monday to Friday) from weekends at most, and whose demand
 * interval is 30 minutes; others are billed from the readings. Pure.
 *
 * Bytes, format 1:
 *   u8      1
 *   varint  rows, each:
 *     varint  readings; where 0, nothing follows
 *     varint  of these with a quality other than actual
 *     zigzag  maximum demand, W, over 30 minutes (core_bill.h's rule)
 *     zigzag  x 24: Wh of weekdays by the local hour at which a reading starts
 *     zigzag  x 24: Wh of weekends
 * An hour that comes twice (clocks go back) is one hour here. */
#pragma once
#include "core_bill.h"

#define METER_TOU_DEMAND_S 1800
#define METER_TOU_HOURS    48 /* weekday 0 .. 23, weekend 24 .. 47 */

struct meter_tou_row {
	uint64_t readings, estimated;
	int64_t demand_w;
	int64_t hours[METER_TOU_HOURS];
};

/* Appends the sums of a month block. */
enum tf_err meter_tou_of(const struct meter_block *month, const struct tf_zone *zone, struct tf_buf *out) TF_MUST_USE;

/* Reads the head: how many rows follow. */
enum tf_err meter_tou_open(struct tf_str bytes, struct tf_cur *out, uint32_t *out_rows) TF_MUST_USE;
enum tf_err meter_tou_next(struct tf_cur *c, struct meter_tou_row *out) TF_MUST_USE;

/* Can this plan's bill of a month be made from the sums? When it can, map says which register each hour goes to. */
bool meter_tou_fits(const struct meter_tariff *t, const struct meter_tariff_plan *p, int32_t month,
		    uint8_t map[static METER_TOU_HOURS]);
/* Adds a row to a use, as meter_bill_row would. */
void meter_tou_add(const struct meter_tou_row *row, const uint8_t map[static METER_TOU_HOURS], bool export,
		   struct meter_use *use);
