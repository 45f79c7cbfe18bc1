/* What should have come and has not: gaps between readings of every channel. */
#pragma once
#include "store.h"

struct meter_gap {
	struct tf_str head_end; /* the steady part of the name of the file that brought the channel's last reading */
	struct tf_str meter, channel;
	tf_time from, to; /* starts in [from, to) are missing */
	uint64_t intervals;
};
typedef enum tf_err meter_gap_each(void *ctx, const struct meter_gap *gap, struct tf_fault *f);

/* Gaps of every channel between its first reading (or from, when later) and to: in blocks of every tier. A channel that
 * has no reading in [from, to) at all but had one before misses all of it. */
enum tf_err meter_missing(struct meter_store *s, tf_time from, tf_time to, meter_gap_each *each, void *ctx,
			  struct tf_fault *f) TF_MUST_USE;
/* Behind the start of the latest reading of all, 0 without readings: up to where everything should be there. */
enum tf_err meter_missing_until(struct meter_store *s, tf_time *out, struct tf_fault *f) TF_MUST_USE;
/* The first line of a re-request file, and the line of a gap. */
#define METER_MISSING_HEADER "head_end,meter,channel,from,to,intervals\n"
void meter_gap_csv(const struct meter_gap *gap, struct tf_buf *out);
