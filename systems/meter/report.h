/* What lies where: readings and bytes per tier, adding up to what the directory takes on disk. */
#pragma once
#include "store.h"

struct meter_tier_size {
	uint64_t readings,
		bytes; /* bytes on disk: blocks, their share of pack files' unused parts and of the catalog */
	uint64_t blocks;
	tf_time oldest, newest; /* TF_TIME_MAX and 0 when empty */
};

struct meter_sizes {
	struct meter_tier_size tier[METER_TIER_COUNT];
	struct meter_tier_size aggregate; /* readings: how many the aggregates sum up */
	uint64_t log_bytes;
	uint64_t disk_bytes; /* the whole directory, as du counts */
};

/* The sum of the tiers, the aggregates and the log is disk_bytes. */
enum tf_err meter_sizes(struct meter_store *s, struct meter_sizes *out, struct tf_fault *f) TF_MUST_USE;
