/* How often a caller may: a token bucket for each. A full bucket is as good as none: when there is no room for another
 * caller those that are full are dropped. Bounds: TF_LIMITS_CALLERS buckets; where none is full another caller is
 * TF_OVERLOAD. Times are monotonic ticks. Thread rule: one thread. */
#pragma once
#include "base/map.h"
#include "base/time.h"

#define TF_LIMITS_CALLERS 65536u

#define TF_LIMITS_SWEEP (TF_SEC / 4)

struct tf_limits_bucket {
	int64_t millis; /* thousandths of a request that may still come */
	tf_dur at;
};

struct tf_limits {
	int64_t rate;  /* requests a second; 0: no limit */
	int64_t burst; /* that may come at once */
	struct tf_map numbers;
	struct tf_limits_bucket *buckets;
	size_t cap;
	tf_dur swept; /* when full ones were last looked for: at most once in TF_LIMITS_SWEEP */
};

struct tf_allowance {
	bool allowed;
	int64_t left;    /* requests */
	int64_t reset_s; /* until the bucket is full again */
	int64_t retry_s; /* until one request may come; 0 when allowed */
};

enum tf_err tf_limits_init(struct tf_limits *l, int64_t rate, int64_t burst) TF_MUST_USE;
void tf_limits_release(struct tf_limits *l);
/* Would one be allowed? Takes nothing. */
bool tf_limits_peek(const struct tf_limits *l, struct tf_str caller, tf_dur now);
/* Takes one request off the caller's bucket. */
enum tf_err tf_limits_take(struct tf_limits *l, struct tf_str caller, tf_dur now, struct tf_allowance *out,
			   struct tf_fault *f) TF_MUST_USE;
