/* verify: every checksum, every aggregate recomputed and compared. */
#pragma once
#include "store.h"

struct meter_finding {
	const char *what; /* "block", "aggregate", "log", "catalog" */
	const char *text;
};

struct meter_verify_report {
	uint64_t blocks, block_bytes, readings, days, months, log_records, findings;
};
/* Calls each for every difference and goes on; the result is TF_OK even then. Reads everything once. A read-only store
 * is verified as of one state of its tables; TF_BUSY where there are differences and a writer worked meanwhile. */
enum tf_err meter_verify(struct meter_store *s, void (*each)(void *ctx, const struct meter_finding *finding), void *ctx,
			 struct meter_verify_report *out, struct tf_fault *f) TF_MUST_USE;
