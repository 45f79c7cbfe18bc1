/* Moves between tiers, by the rule of core_tier.h. Each is one step (step.h): crash-safe and, run again, without
 * effect. */
#pragma once
#include "core_tier.h"
#include "step.h"

struct meter_tier_moved {
	enum meter_tier from, to;
	uint64_t blocks, readings, bytes_before, bytes_after;
};

struct meter_tier_report {
	struct meter_tier_moved moved[4];
	uint32_t moved_count;
	uint64_t log_bytes_trimmed;
};

/* Everything due at now. The log is trimmed of what the tiers hold. */
enum tf_err meter_tier_move(struct meter_store *s, const struct meter_tier_rule *rule, tf_time now,
			    struct meter_tier_report *out, struct tf_fault *f) TF_MUST_USE;
/* Copies what is in use of pack files that are mostly unused, and removes them. */
enum tf_err meter_compact(struct meter_store *s, struct tf_fault *f) TF_MUST_USE;
