/* The packed columnar batch: one METER_BATCH event of the log. Byte format: docs/formats/batch.md.
 *
 * A batch holds many runs of one delivery (one file, one HTTP body): a dictionary of channels, then runs with values
 * as minimum plus 0, 1, 2, 4 or 8 bytes each. Wide enough to be read back at memory speed, narrow enough for the log.
 * Thread rule: a builder belongs to one thread; a parsed batch is read-only and may be shared. */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "reading.h"

/* Event types in the log. */
enum meter_event {
	METER_EVENT_BATCH = 1,     /* readings */
	METER_EVENT_BAD = 2,       /* one quarantined record */
	METER_EVENT_DELIVERED = 3, /* a delivery is complete */
	METER_EVENT_POSTED = 4,    /* the same of one that came over HTTP: a decision (flow/decision.h) around it */
};

/* What a delivery is known by: the same bytes read with the same options have the same key. */
struct meter_delivery_key {
	uint8_t bytes[16];
};

struct meter_batch_head {
	struct meter_delivery_key key;
	uint32_t delivery; /* sequence number the ingest core gave it; order of first sight */
	tf_time received;
	struct tf_str name;   /* file name or HTTP correlation id */
	struct tf_str format; /* "nem12" ... */
	struct tf_str zone;   /* IANA zone whose local days count */
};

/* Every event begins with its delivery's head: version, number, key, received, name, format, zone. */
void meter_head_put(const struct meter_batch_head *head, struct tf_buf *out);
enum tf_err meter_head_get(struct tf_cur *c, struct meter_batch_head *out, struct tf_fault *f) TF_MUST_USE;

/* One channel of the dictionary. */
struct meter_batch_channel {
	struct tf_str meter, channel;
	enum meter_unit unit;
	uint32_t interval_s;
};

#define METER_BATCH_BYTES (1u << 20) /* a builder is full at this size */

struct meter_batch_builder {
	struct tf_buf dictionary, runs;
	struct tf_map index; /* dictionary entry text -> its number */
	struct tf_buf key;   /* scratch */
	uint32_t channel_count, run_count;
	uint64_t readings; /* values that are not METER_ABSENT */
	int64_t last_start_s, last_issued_s;
	uint32_t last_channel;
};

enum tf_err meter_batch_init(struct meter_batch_builder *b) TF_MUST_USE;
void meter_batch_release(struct meter_batch_builder *b);
/* Adds a run whose limits (reading.h) the caller has checked. */
enum tf_err meter_batch_add(struct meter_batch_builder *b, const struct meter_run *run) TF_MUST_USE;
bool meter_batch_full(const struct meter_batch_builder *b);
/* Appends the event's bytes to out and empties the builder. */
enum tf_err meter_batch_seal(struct meter_batch_builder *b, const struct meter_batch_head *head,
			     struct tf_buf *out) TF_MUST_USE;
/* Writes the delivery number into sealed bytes: it is decided after the batch was packed. */
void meter_batch_number(uint8_t *bytes, uint32_t delivery);

/* A run inside a parsed batch; pointers into the batch's bytes. */
struct meter_batch_run {
	uint32_t channel; /* of the dictionary */
	uint32_t count;
	int64_t start_s;
	tf_time issued;
	int64_t min;
	uint8_t width;         /* bytes per value: 0, 1, 2, 4, 8 */
	const uint8_t *absent; /* bitmap, or NULL when all are there */
	const uint8_t *values;
	struct meter_quality quality; /* when spans is NULL */
	const uint8_t *spans;         /* quality spans: u32 quality, u16 count each */
	uint32_t span_count;
};

struct meter_batch {
	struct meter_batch_head head;
	struct meter_batch_channel *channels;
	struct meter_batch_run *runs;
	uint32_t channel_count, run_count;
	uint64_t readings;
};

/* Checks everything and indexes it; strings point into bytes, which must outlive it. TF_CORRUPT when it is not a batch.
 */
enum tf_err meter_batch_parse(struct tf_str bytes, struct meter_batch *out, struct tf_fault *f) TF_MUST_USE;
void meter_batch_free(struct meter_batch *b);
/* Values [from, from + count) of a run; absent ones as METER_ABSENT. */
void meter_batch_values(const struct meter_batch_run *run, uint32_t from, uint32_t count, int64_t *out);
/* The quality of value i, and in *out_until where the next one of another quality begins. */
struct meter_quality meter_batch_quality(const struct meter_batch_run *run, uint32_t i, uint32_t *out_until);

/* A quality as one number and back; as text ("S14/79") for people. */
uint32_t meter_quality_code(struct meter_quality q);
struct meter_quality meter_quality_from(uint32_t code);
char *meter_quality_text(struct meter_quality q, char out[static 16]);
