/* A step of bulk work: many blocks made side by side, written as one pack, published by one transaction.
 *
 * Used by publish (revised blocks) and by tier moves. A step is all or nothing: the pack is durable before the
 * transaction begins, and a pack that no transaction named is swept away. */
#pragma once
#include "store.h"

#define METER_WORKERS 2

/* What a worker made. */
struct meter_made {
	struct tf_buf bytes;          /* blocks, one behind the other */
	struct tf_buf sums;           /* of sealed months: u32 bucket, u32 month, lstr time-of-use sums, each */
	struct meter_block_ref *refs; /* offsets within bytes */
	size_t ref_count, ref_cap;
	struct meter_day_change *days;
	size_t day_count, day_cap;
	struct meter_counts *by_delivery; /* publish only: in the order of the step's deliveries */
	enum tf_err err;
	struct tf_fault fault;
};

struct meter_step {
	struct meter_made made[METER_WORKERS];
};

void meter_step_release(struct meter_step *st);
/* Runs job for 0 .. count - 1 in the workers; the first error stops it. A job may read the store's files and zones,
 * nothing else. */
typedef enum tf_err meter_step_job(void *ctx, size_t i, struct meter_made *m, struct tf_fault *f);
enum tf_err meter_step_run(struct meter_store *s, struct meter_step *st, size_t count, meter_step_job *job, void *ctx,
			   struct tf_fault *f) TF_MUST_USE;
/* Writes the durable pack and places the blocks in it. */
enum tf_err meter_step_pack(struct meter_store *s, struct meter_step *st, struct tf_fault *f) TF_MUST_USE;
/* Inside the transaction: manifest rows of the blocks. */
enum tf_err meter_step_put(struct meter_store *s, struct meter_step *st, struct tf_fault *f) TF_MUST_USE;

enum tf_err meter_made_day(struct meter_made *m, const struct meter_day_change *d) TF_MUST_USE;
/* Encodes a block into m->bytes and notes where; ref's place, hash and statistics are filled in. A warm month of which
 * every day has moved in gets its sealed time-of-use sums (core_bill_tou.h). */
enum tf_err meter_made_block(struct meter_store *s, struct meter_made *m, const struct meter_block *b,
			     struct meter_block_ref *ref, struct tf_fault *f) TF_MUST_USE;

/* A block as it is, from another pack. */
enum tf_err meter_made_copy(struct meter_made *m, const struct meter_block_ref *ref, const char *bytes) TF_MUST_USE;

/* The codec of a tier's blocks. */
enum meter_codec meter_tier_codec(enum meter_tier tier);
