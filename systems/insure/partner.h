/* Who calls, and how often they may: a token bucket a partner.
 *
 * insure_partner is the single place where identity comes from. Today it is the header X-Partner, believed only when
 * the program was started with --insecure-partner-header; a TLS certificate or token takes its place there. Bounds:
 * INSURE_PARTNERS_MAX buckets; another partner then is TF_OVERLOAD. Times are monotonic ticks. */
#pragma once
#include "base/map.h"
#include "serve/server.h"

#define INSURE_PARTNERS_MAX 65536u
#define INSURE_PARTNER_MAX  64 /* bytes of a name: letters, digits and "._-" */

struct insure_bucket {
	int64_t millis; /* thousandths of a request that may still come */
	tf_dur at;
};

struct insure_limits {
	int64_t rate;  /* requests a second; 0: no limit */
	int64_t burst; /* that may come at once */
	struct tf_map numbers;
	struct insure_bucket *buckets;
	size_t cap;
};

struct insure_allowance {
	bool allowed;
	int64_t left;    /* requests */
	int64_t reset_s; /* until the bucket is full again */
	int64_t retry_s; /* until one request may come; 0 when allowed */
};

/* TF_DENIED when nobody can be told; the name lives as long as the exchange. */
enum tf_err insure_partner(bool believe_header, const struct tf_exchange *x, struct tf_str *out,
			   struct tf_fault *f) TF_MUST_USE;
enum tf_err insure_limits_init(struct insure_limits *l, int64_t rate, int64_t burst) TF_MUST_USE;
void insure_limits_release(struct insure_limits *l);
/* Takes one request off the partner's bucket, where there is one. */
enum tf_err insure_limits_take(struct insure_limits *l, struct tf_str partner, tf_dur now, struct insure_allowance *out,
			       struct tf_fault *f) TF_MUST_USE;
