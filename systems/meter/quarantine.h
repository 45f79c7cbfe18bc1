/* Deliveries and what of them was put aside: the events beside batches, and their tables. */
#pragma once
#include "store.h"

/* Event bytes of a quarantined record (METER_EVENT_BAD). Everything is kept byte for byte. */
void meter_bad_put(const struct meter_batch_head *head, const struct meter_bad *bad, struct tf_buf *out);
/* Strings point into bytes. */
enum tf_err meter_bad_get(struct tf_str bytes, struct meter_batch_head *out_head, struct meter_bad *out,
			  struct tf_fault *f) TF_MUST_USE;

/* Inside a transaction: what an event means for the tables: its delivery's row, a quarantined record, completeness. */
enum tf_err meter_delivery_event(struct meter_store *s, const struct tf_flow_event *event,
				 struct tf_fault *f) TF_MUST_USE;
enum tf_err meter_delivery_counts(struct meter_store *s, uint32_t number, const struct meter_counts *add,
				  struct tf_fault *f) TF_MUST_USE;

struct meter_delivery {
	uint32_t number;
	bool complete;
	struct meter_counts counts;
	uint64_t quarantined;
};
/* TF_NOT_FOUND when it was never delivered. */
enum tf_err meter_delivery_find(struct meter_store *s, const struct meter_delivery_key *key, struct meter_delivery *out,
				struct tf_fault *f) TF_MUST_USE;

/* A record put aside, to be read again. */
struct meter_held {
	int64_t id;
	bool held; /* not taken yet */
	char format[16], zone[72], channel[METER_CHANNEL_MAX + 1], meter[METER_METER_MAX + 1];
	enum meter_unit unit; /* with exponent and interval_s (0: not known): the options it came under */
	int8_t exponent;
	uint32_t interval_s;
	struct tf_buf name; /* of its delivery */
	struct tf_buf text; /* what it needs to be understood (a header, a 200 record), then the record */
};
/* TF_NOT_FOUND when there is no such record. Release *out after success only. */
enum tf_err meter_held_find(struct meter_store *s, int64_t id, struct meter_held *out, struct tf_fault *f) TF_MUST_USE;
void meter_held_release(struct meter_held *h);
/* Gives every record still held behind id `after`, in order of ids, to each, which takes it over. TF_END from each ends
 * it without an error. */
enum tf_err meter_held_each(struct meter_store *s, int64_t after,
			    enum tf_err (*each)(void *ctx, const struct meter_held *held), void *ctx,
			    struct tf_fault *f) TF_MUST_USE;
