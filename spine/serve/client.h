/* A small HTTP client: one POST, tried again a bounded number of times.
 *
 * TLS and HTTP are libcurl's, found at first use (libcurl.so.4), so that programs which post nothing neither load nor
 * need it. Only http and https; certificates are checked; redirects are not followed: a body goes where it was meant to
 * go or nowhere. Tried again after no connection, a timeout, 408, 429 and 5xx, which is safe for requests that carry
 * their Idempotency-Key; never after another answer. The wait doubles from wait_first to wait_max, is shortened at
 * random by up to a half, and is at least what Retry-After asks for within wait_max. Answers' bodies are dropped. With
 * a trace each try is a client span of it, told to the other side by traceparent, and X-Correlation-Id goes along.
 * Blocks: for a worker. Thread rule: any thread; each call has a handle of its own. */
#pragma once
#include <stdatomic.h>

#include "watch/span.h"

struct tf_client_options {
	/* 0 means the default behind it. */
	tf_dur connect_timeout;  /* 10 s */
	tf_dur timeout;          /* 60 s for one try, connecting included */
	unsigned tries;          /* 4 */
	tf_dur wait_first;       /* 1 s */
	tf_dur wait_max;         /* 30 s */
	const atomic_bool *stop; /* becomes true to give up at once; may be NULL */
};

struct tf_client_post {
	const char *url;
	const char *type; /* Content-Type */
	const char *key;  /* Idempotency-Key; NULL: none */
	struct tf_str body;
	const struct tf_trace *trace; /* on whose behalf; its span is the tries' parent; NULL: no trace is told */
	struct tf_spans *spans;       /* where the tries are recorded; NULL: nowhere */
};

struct tf_client_answer {
	int status; /* of the last answer; 0 when none came */
	unsigned tries;
	tf_dur retry_after; /* what the last answer asked for; 0: nothing */
};

/* Is it an http or https URL with a host, without user, password, blanks and control characters? TF_INVALID says what
 * is wrong. */
enum tf_err tf_client_check(struct tf_str url, struct tf_fault *f) TF_MUST_USE;
/* TF_OK after a 2xx answer. TF_DENIED for an answer that trying again would not change, TF_IO or TF_TIMEOUT when the
 * tries are used up, TF_END when stop was set, TF_UNSUPPORTED without libcurl. *out is set in every case. */
enum tf_err tf_client_post(struct tf_os *os, const struct tf_client_post *post, const struct tf_client_options *o,
			   struct tf_client_answer *out, struct tf_fault *f) TF_MUST_USE;
