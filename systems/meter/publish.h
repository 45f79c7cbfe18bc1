/* Publishing in bulk, in three parts: gather (events to slices, grouped by block), revise (blocks, in the workers of a
 * step), commit (one pack file, one transaction). */
#pragma once
#include "step.h"

/* A part of one batch run that lies in one local day of one bucket. */
struct meter_slice {
	uint32_t bucket, row;
	int32_t date;
	uint32_t order;  /* as it came */
	int64_t start_s; /* of the first reading */
	const struct meter_batch_run *run;
	uint32_t from, count;
	uint32_t delivery;    /* its number */
	uint32_t delivery_at; /* its place among the step's deliveries */
};

/* Slices of one block. */
struct meter_group {
	uint32_t bucket;
	enum meter_level level;
	int32_t span;
	const struct meter_slice *slices;
	size_t count;
	struct meter_block_ref ref; /* where the block lies now */
	bool exists;
};

/* Revises one group's block; thread-safe against other groups (reads the store's files and zones only). */
enum tf_err meter_revise_group(struct meter_store *s, const struct meter_group *g, struct meter_made *m,
			       struct tf_fault *f) TF_MUST_USE;
