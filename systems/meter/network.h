/* The network: which account, transformer, feeder, zone and region a meter belongs to, by date; and sums per node.
 *
 * File: CSV with a header. Columns account, transformer, feeder, zone, region; optional meter (the account's name when
 * missing), from (YYYY-MM-DD, the first local date on which the row holds; always when missing) and category. A row
 * holds until the meter's next row. */
#pragma once
#include "catalog.h"

#define METER_NETWORK_BYTES_MAX (1u << 30)

struct meter_network_report {
	uint64_t rows;  /* in the file */
	uint64_t nodes; /* node aggregates recomputed */
};
/* Takes the file's rows (same meter and date: replaced) and recomputes the sums per node, all or nothing. TF_INVALID
 * names line and field. */
enum tf_err meter_network_load(struct meter_catalog *c, struct tf_str name, struct tf_str csv,
			       struct meter_network_report *out, struct tf_fault *f) TF_MUST_USE;
/* Inside a transaction: moves the sums per node by what the days changed. */
enum tf_err meter_network_days(struct meter_catalog *c, const struct meter_day_change *changes, size_t count,
			       struct tf_fault *f) TF_MUST_USE;

/* agg_node recomputed from a table of days (columns day, sid, n, other, total), as a SELECT in the column order of
 * agg_node. */
void meter_network_select(const char *days, struct tf_buf *out);
