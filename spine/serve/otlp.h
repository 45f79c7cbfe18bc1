/* The exporter: spans of a ring (watch/span.h) to an OpenTelemetry collector.
 *
 * OTLP/HTTP 1.x with JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp): POST URL/v1/traces. A worker of its own
 * takes a batch when so many spans wait or so much time went by, and posts it; a failed connection, 429, 502, 503 and
 * 504 are tried again by the client (client.h), the wait doubling, shortened at random by up to a half, at least what
 * Retry-After asks for; where that is above the bound the batch is lost and the next one waits for so long, 5 min at
 * most. Any other answer but 2xx is final. While a batch waits, spans gather in the ring, which drops
 * what has no room: a dead collector costs the ring, one batch, and nobody's time. What became of spans is counted in
 * the ring's metric; the log says when exporting begins to fail and when it works again. Freeing sends what waits,
 * within drain_timeout, each batch once. Thread rule: new and free from one thread; wake from any. */
#pragma once
#include "watch/log.h"
#include "watch/span.h"

struct tf_otlp;

struct tf_otlp_options {
	const char *url; /* "http://collector:4318"; "/v1/traces" is added */
	const char *service, *version;
	uint32_t skip_ppm; /* of a million new traces, how many are not sampled */
	struct tf_watch *watch;
	/* 0 means the default behind it. */
	uint32_t ring;        /* 2048 spans in memory */
	uint32_t batch;       /* 512 spans in a post */
	tf_dur every;         /* 1 s: a smaller batch is sent after that */
	unsigned tries;       /* 5 of a batch; then it is lost */
	tf_dur timeout;       /* 10 s for one try */
	tf_dur wait_first;    /* 500 ms before the second try */
	tf_dur wait_max;      /* 15 s */
	tf_dur drain_timeout; /* 5 s at the end */
};

#define TF_OTLP_BATCH_BYTES ((size_t)4 << 20) /* of JSON; a batch past it is lost; 512 spans are at most 3 MiB */

/* Checks the URL (TF_INVALID) and starts the worker. What o points to must outlive it. */
enum tf_err tf_otlp_new(struct tf_os *os, const struct tf_otlp_options *o, struct tf_otlp **out,
			struct tf_fault *f) TF_MUST_USE;
/* Where to record. NULL when o is. */
struct tf_spans *tf_otlp_spans(const struct tf_otlp *o);
/* Drains; blocks up to drain_timeout and a little. No one may record any more. */
void tf_otlp_free(struct tf_otlp **o);

/* An ExportTraceServiceRequest, as JSON, appended. Pure. */
void tf_otlp_put(struct tf_buf *b, const char *service, const char *version, const struct tf_span *spans, size_t count);
