/* A calendar's inside, shared by calendar.c (asking) and tzif.c, tzrule.c (building). Not for users.
 *
 * A zone is a sorted row of spans; in each one offset holds. spans[0] starts at INT64_MIN and spans[count] is a
 * sentinel at INT64_MAX. A footer's rule is written out as spans when the zone is parsed: the Gregorian calendar
 * repeats every 400 years to the weekday, so 400 years of spans (the cycle) answer for every later year, and asking
 * never evaluates a rule. Inside [TF_ZONE_INDEX_FROM, + buckets) a coarse index leads to the span in one or two steps.
 */
#pragma once
#include "base/time.h"

#define TF_ZONE_CYCLE_S       ((int64_t)146097 * 86400)
#define TF_ZONE_INDEX_FROM    (TF_TIME_FIRST / TF_SEC)
#define TF_ZONE_INDEX_SHIFT   24 /* 194 days: at most a few changes in each */
#define TF_ZONE_INDEX_BUCKETS ((int)((TF_TIME_LAST / TF_SEC - TF_ZONE_INDEX_FROM) >> TF_ZONE_INDEX_SHIFT) + 1)
/* A file with more changes than this is refused; the largest of tzdata have under 300. */
#define TF_ZONE_SPANS_MAX 8192
/* RFC 8536, 3.2: an offset should be more than -25 hours and less than 26. */
#define TF_ZONE_OFFSET_MIN (-25 * 3600 + 1)
#define TF_ZONE_OFFSET_MAX (26 * 3600 - 1)

struct tf_zone_span {
	int64_t from_s;
	int32_t offset_s;
	int32_t standard_s; /* the offset without daylight saving */
	bool dst;
};

struct tf_zone {
	struct tf_zone_span *spans;
	int count, cap;
	int64_t rule_from_s; /* the table's last change: the rule holds after it */
	/* Times at or after cycle_to_s, and those from cycle_early_s to cycle_from_s, are asked 400n years off. */
	int64_t cycle_early_s, cycle_from_s, cycle_to_s;
	uint16_t index[TF_ZONE_INDEX_BUCKETS];
	char *name;
};

/* A zone without spans. */
enum tf_err tf_zone_new(struct tf_str name, struct tf_zone **out) TF_MUST_USE;
/* Adds a change at from_s, which is after all others, and drops it where it changes nothing. A change at the same
 * instant as the last one replaces it. */
enum tf_err tf_zone_add(struct tf_zone *z, int64_t from_s, int32_t offset_s, bool dst) TF_MUST_USE;
/* Writes sentinel, standard offsets and index; the zone is immutable from here on. */
enum tf_err tf_zone_seal(struct tf_zone *z) TF_MUST_USE;
/* Appends the spans of a POSIX TZ rule (the footer of a TZif file) after the table. TF_INVALID when it is malformed. */
enum tf_err tf_zone_add_rule(struct tf_zone *z, struct tf_str rule) TF_MUST_USE;
