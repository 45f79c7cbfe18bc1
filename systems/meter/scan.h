/* Reading blocks back: every tier, one row of one block at a time. */
#pragma once
#include "store.h"

/* One row of one block. Arrays are valid during the call. */
struct meter_scan_row {
	uint32_t sid;
	enum meter_tier tier;
	const struct meter_bucket *bucket;
	const struct meter_block *head; /* shape, stamps, history */
	uint32_t row;
	uint32_t from, to;      /* slots that start in the time asked for */
	const int64_t *values;  /* by slot */
	const uint32_t *stamps; /* by slot; 0: no reading */
};
typedef enum tf_err meter_scan_each(void *ctx, const struct meter_scan_row *row, struct tf_fault *f);

struct meter_scan {
	uint32_t bucket;
	const uint8_t *rows; /* NULL: all; else METER_BUCKET_ROWS flags */
	tf_time from, to;    /* readings that start in [from, to) */
};
/* Rows of a bucket's blocks, block after block in time order; absent rows are left out. */
enum tf_err meter_scan(struct meter_store *s, const struct meter_scan *q, meter_scan_each *each, void *ctx,
		       struct tf_fault *f) TF_MUST_USE;
/* All buckets, in order. */
enum tf_err meter_scan_all(struct meter_store *s, tf_time from, tf_time to, meter_scan_each *each, void *ctx,
			   struct tf_fault *f) TF_MUST_USE;

/* Calls each with every channel of a meter (or, with an empty meter, of all), by name. */
typedef enum tf_err meter_channel_each(void *ctx, uint32_t sid, struct tf_str meter, struct tf_str channel,
				       enum meter_unit unit, struct tf_fault *f);
enum tf_err meter_channels(struct meter_store *s, struct tf_str meter, meter_channel_each *each, void *ctx,
			   struct tf_fault *f) TF_MUST_USE;
const char *meter_unit_text(enum meter_unit u);
