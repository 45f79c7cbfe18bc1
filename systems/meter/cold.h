/* Cold: Parquet on the object store, a row per reading, partitioned by year and region.
 *
 * Object key: year=YYYY/region=R/YYYY-MM-NNNNNNNNNN.parquet, R as Hive writes it (%XX); the last part without
 * ".parquet" is the stem, one for each step: up to METER_COLD_BUCKETS buckets of one month, or one bucket's months of a
 * year where these hold METER_COLD_READINGS at most; YYYY-MM is its first month. A block that went cold
 * leaves its stamps, presence and history in a pack; the values are in the stem's files. What changes a cold reading,
 * and what is read often, brings the whole stem back to warm. */
#pragma once
#include "core_tier.h"
#include "out_tier.h"

#define METER_COLD_BUCKETS  16
#define METER_COLD_READINGS (1u << 20) /* a row group */

/* Moves every month that is due, but for stems read in the last week. */
enum tf_err meter_cold_move(struct meter_store *s, const struct meter_tier_rule *rule, tf_time now,
			    struct meter_tier_moved *moved, struct tf_fault *f) TF_MUST_USE;
/* Stems that were read on enough days come back. */
enum tf_err meter_cold_return(struct meter_store *s, const struct meter_tier_rule *rule, tf_time now,
			      struct meter_tier_moved *moved, struct tf_fault *f) TF_MUST_USE;
/* One stem back to warm: blocks, then the objects are removed. moved may be NULL. */
enum tf_err meter_cold_restore(struct meter_store *s, const char *stem, struct meter_tier_moved *moved,
			       struct tf_fault *f) TF_MUST_USE;
/* A cold block whole: the rest from its pack, the values from Parquet (all rows, or those flagged). */
enum tf_err meter_cold_block(struct meter_store *s, const struct meter_block_ref *ref, const uint8_t *rows,
			     struct meter_block *out, struct tf_fault *f) TF_MUST_USE;
/* Every object against its etag; TF_CORRUPT names the first that differs. */
enum tf_err meter_cold_verify(struct meter_store *s, struct tf_fault *f) TF_MUST_USE;
/* Removes objects that the catalog does not know: what a crash left. */
enum tf_err meter_cold_sweep(struct meter_store *s, struct tf_fault *f) TF_MUST_USE;
/* Notes that a bucket's month was read today, or tells s->opened; quiet when the catalog cannot be written. */
void meter_cold_opened(struct meter_store *s, uint32_t bucket, int32_t month);
/* Notes that it was read on a day since 1970 (UTC). */
enum tf_err meter_cold_access(struct meter_store *s, uint32_t bucket, int32_t month, int32_t day,
			      struct tf_fault *f) TF_MUST_USE;
