/* Tier 4: usage by local day, month and year, from the aggregates alone. */
#pragma once
#include "store.h"

enum meter_by { METER_BY_DAY, METER_BY_MONTH, METER_BY_YEAR };
/* Of what: an account (its meters as the network file dates them; without one a meter is its own account), or a node of
 * the network. */
enum meter_node { METER_ACCOUNT, METER_TRANSFORMER, METER_FEEDER, METER_ZONE, METER_REGION, METER_NODE_COUNT };
extern const char *const meter_node_names[METER_NODE_COUNT];

struct meter_usage {
	int32_t period; /* date, month since 1970-01, or year */
	struct tf_str channel;
	enum meter_unit unit;
	uint64_t readings, other; /* other: of these not actual */
	int64_t total;
	int64_t peak; /* largest reading; of a node: largest day total */
	tf_time peak_at;
};
typedef enum tf_err meter_usage_each(void *ctx, const struct meter_usage *u, struct tf_fault *f);

/* Calls each by channel, then period. TF_NOT_FOUND when nothing is known of it. */
enum tf_err meter_usage(struct meter_store *s, enum meter_node node, struct tf_str name, enum meter_by by,
			meter_usage_each *each, void *ctx, struct tf_fault *f) TF_MUST_USE;
