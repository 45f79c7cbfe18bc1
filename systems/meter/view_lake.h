/* The readings as tables of the lake (DuckDB): blocks of every tier but cold, and cold Parquet beside them.
 *
 * Table functions: blocks(tier, level, month, bucket_from, bucket_to, meter, region) gives a row per reading in
 * parallel; blocks_ordered() the same in order of bucket, channel, start. Columns: meter, channel, start, end,
 * interval_s, value, unit, quality, version, tier. Thread rule: the scan runs on DuckDB's threads and only reads files;
 * the catalog is read when the scan begins. */
#pragma once
#include "store.h"
#include "store/lake.h"

/* The store's lake, opened and given the table functions at first use; owned by the store. */
enum tf_err meter_lake(struct meter_store *s, struct tf_lake **out, struct tf_fault *f) TF_MUST_USE;
/* The same locked down, for SQL that is not ours, with the views readings, usage_day, usage_month and usage_node. The
 * caller closes it. */
enum tf_err meter_lake_for_user(struct meter_store *s, struct tf_lake **out, struct tf_fault *f) TF_MUST_USE;
/* Registers blocks and blocks_ordered with a lake. */
enum tf_err meter_lake_tables(struct meter_store *s, struct tf_lake *lake, struct tf_fault *f) TF_MUST_USE;
