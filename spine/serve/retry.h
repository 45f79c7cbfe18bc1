/* When is a try tried again, and after how long? Pure. */
#pragma once
#include "base/time.h"

/* How a try ended. */
struct tf_retry_end {
	int status;    /* of a whole answer; 0: there was none */
	bool sent;     /* some of the request may have reached the other side */
	bool hopeless; /* no other try can end differently */
};

/* Is another try both safe and of use? repeatable: doing it twice does no harm. final_500: of 5xx only 502, 503 and 504
 * are worth another one. What is not repeatable is tried again only where certainly nothing of it was sent. */
bool tf_retry_again(const struct tf_retry_end *e, bool repeatable, bool final_500);
/* By RFC 9110 section 9.2.2, of the methods known here: GET, HEAD, OPTIONS, PUT, DELETE. */
bool tf_retry_idempotent(struct tf_str method);
/* Before the try behind `failed` failed ones (from 1): first doubled each time, within max, shortened by up to a half
 * by random. */
tf_dur tf_retry_wait(tf_dur first, tf_dur max, unsigned failed, uint32_t random);
