/* Inside serve: the span of one try of the client. */
#pragma once
#include "serve/client.h"

struct tf_client_span {
	struct tf_os *os;
	const struct tf_client_post *post;
	struct tf_trace self; /* of the try; a copy of nothing without a trace */
	unsigned number;
	tf_time start;
	tf_dur begun;
};

/* number: of the try, from 0. post must outlive it. */
void tf_client_span_begin(struct tf_os *os, struct tf_client_span *s, const struct tf_client_post *post,
			  unsigned number);
/* status 0: no answer came. Records it when its trace is sampled. */
void tf_client_span_end(const struct tf_client_span *s, int status, bool timed_out);
