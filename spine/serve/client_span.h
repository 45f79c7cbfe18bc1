/* Inside the client: the span of one try. */
#pragma once
#include "os/os.h"
#include "watch/span.h"

struct tf_client_request;

struct client_span {
	struct tf_trace self; /* of the try; nothing without a trace */
	tf_time start;
	tf_dur begun;
};

void client_span_begin(struct tf_os *os, struct client_span *s, const struct tf_client_request *r);
/* number: of the try, from 0. status 0: no answer came. Records it when its trace is sampled. */
void client_span_end(struct tf_os *os, const struct client_span *s, const struct tf_client_request *r, unsigned number,
		     int status, bool timed_out);
