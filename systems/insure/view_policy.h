/* What a partner sees of a policy: its JSON and entity tag. Pure. */
#pragma once
#include "core_policy.h"

#define INSURE_ETAG_BYTES 20 /* with quotes and NUL */

/* Appended to b: number, status on that day, product, amounts in paise, dates, initials; never name, birth or phone. */
void insure_view_policy(struct tf_buf *b, uint64_t policy, const struct insure_policy *p, int32_t today);
/* Strong: differs when the JSON does. */
char *insure_view_etag(uint64_t policy, const struct insure_policy *p, int32_t today,
		       char out[static INSURE_ETAG_BYTES]);
