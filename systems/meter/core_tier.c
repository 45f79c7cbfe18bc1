/* Tier rule; see core_tier.h. */
#include "core_tier.h"

int32_t
meter_tier_hot_from(const struct meter_tier_rule *r, const struct tf_zone *zone, tf_time now)
{
	return tf_zone_date(zone, now) - r->warm_days;
}

int32_t
meter_tier_warm_from(const struct meter_tier_rule *r, const struct tf_zone *zone, tf_time now)
{
	return tf_date_month(tf_zone_date(zone, now)) - r->cold_months;
}
