/* The rule of the tiers, pure: when does a block move?
 *
 *   hot -> warm   a local date older than warm_days
 *   warm -> cold  a local month that ended more than cold_months ago
 *   cold -> warm  a month whose bucket was read on at least return_days of the last 7 days; it stays until it has
 *                 not been read for 7 days */
#pragma once
#include "base/time.h"

struct meter_tier_rule {
	int32_t warm_days;   /* 7 */
	int32_t cold_months; /* 13 */
	int32_t return_days; /* 5 */
};

/* The first local date that stays hot. */
int32_t meter_tier_hot_from(const struct meter_tier_rule *r, const struct tf_zone *zone, tf_time now);
/* The first local month (since 1970-01) that stays warm. */
int32_t meter_tier_warm_from(const struct meter_tier_rule *r, const struct tf_zone *zone, tf_time now);
