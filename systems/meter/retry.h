/* Records of the quarantine read again, many at a time.
 *
 *   find (the catalog) -> read (parser, log) -> commit -> settle (the catalog, one transaction)
 *
 * A record is settled only after its readings are durable. A crash between the two leaves it held with its readings
 * there: read again it is the same delivery, so they are duplicates and it is settled then. A record that gives nothing
 * leaves nothing in the log. Memory: METER_RETRY_BYTES and one record. Thread rule: find and settle belong to the
 * catalog's thread, read to the flow's. */
#pragma once
#include "load.h"

#define METER_RETRY_RECORDS 8192u
#define METER_RETRY_BYTES   ((uint64_t)4 << 20)

struct meter_retried {
	struct meter_held held;
	bool tried, taken;
};

struct meter_retry {
	struct meter_retried *list;
	uint32_t count, max;
	uint64_t bytes;
	struct tf_zone *zone; /* the calendar used last */
	char zone_name[72];
};

/* max: records at a time, 1 to METER_RETRY_RECORDS. */
enum tf_err meter_retry_init(struct meter_retry *r, uint32_t max, struct tf_fault *f) TF_MUST_USE;
void meter_retry_release(struct meter_retry *r);
/* Instead of those it has: the held records behind id `after`, in order; count 0 when there is none. */
enum tf_err meter_retry_find(struct meter_retry *r, struct meter_store *s, int64_t after,
			     struct tf_fault *f) TF_MUST_USE;
/* Instead: this one, held or not. TF_NOT_FOUND. */
enum tf_err meter_retry_find_one(struct meter_retry *r, struct meter_store *s, int64_t id,
				 struct tf_fault *f) TF_MUST_USE;
/* Reads each that is held, its times in zone or ("") the one it had; their readings are durable after the next
 * tf_flow_commit. A record that can be read no better is tried and not taken, which is no error. When too much waits
 * the rest stays untried; TF_OVERLOAD where that is all of them. TF_NOT_FOUND: no such zone. */
enum tf_err meter_retry_read(struct meter_retry *r, struct meter_store *s, struct tf_str zone,
			     struct tf_fault *f) TF_MUST_USE;
/* Marks those that were taken. */
enum tf_err meter_retry_settle(const struct meter_retry *r, struct meter_store *s, struct tf_fault *f) TF_MUST_USE;
