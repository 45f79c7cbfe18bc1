/* Is what is derived what the log says? The state is made again from the log alone and compared with snapshot and tail;
 * every unexpired key is asked for. */
#pragma once
#include "store.h"

struct insure_verify_report {
	uint64_t records, policies, keys; /* looked at; keys: unexpired ones */
	uint64_t findings;
	uint64_t digest; /* of the state the log gives */
};

/* found is called for each finding. TF_CORRUPT, with file and byte, when the log itself is damaged. */
enum tf_err insure_verify(struct insure_store *s, void (*found)(void *ctx, const char *text), void *ctx,
			  struct insure_verify_report *out, struct tf_fault *f) TF_MUST_USE;
