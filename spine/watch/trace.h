/* Trace and correlation ids: which request an event, an effect or a log line came from.
 *
 * The trace is W3C Trace Context (https://www.w3.org/TR/trace-context/): a header "traceparent" of version, trace id,
 * span id and flags. The correlation id is the caller's own name for the work, kept as given; without one it is the
 * trace id. A struct tf_trace is plain bytes: copy it, put it into events. */
#pragma once
#include "base/buf.h"
#include "os/os.h"

#define TF_TRACEPARENT_BYTES 56 /* with NUL */
#define TF_CORRELATION_MAX   64

struct tf_trace {
	uint8_t trace[16]; /* all zero: no trace */
	uint8_t span[8];
	uint8_t flags; /* bit 0: sampled */
	uint8_t correlation_n;
	char correlation[TF_CORRELATION_MAX]; /* not NUL-terminated */
};

/* A new trace, sampled, from the os's random numbers; its correlation id is its trace id. */
void tf_trace_new(struct tf_os *os, struct tf_trace *out);
/* A new span in the same trace, for what is done on behalf of `of`. */
void tf_trace_child(struct tf_os *os, const struct tf_trace *of, struct tf_trace *out);
/* A traceparent header's value; sets the correlation id to the trace id. TF_INVALID where the standard says to ignore
 * the header: then make a new trace. */
enum tf_err tf_trace_parse(struct tf_str traceparent, struct tf_trace *out) TF_MUST_USE;
/* "00-<32 hex>-<16 hex>-<2 hex>". Returns out. */
char *tf_trace_format(const struct tf_trace *t, char out[static TF_TRACEPARENT_BYTES]);
/* Takes the caller's id: 1 to 64 of letters, digits and "._:-". TF_INVALID for others, with *t unchanged. */
enum tf_err tf_trace_correlate(struct tf_trace *t, struct tf_str id) TF_MUST_USE;
struct tf_str tf_trace_correlation(const struct tf_trace *t);

/* In an event's bytes: 16 trace, 8 span, 1 flags, correlation as length (varint) and bytes. A bad one sets c->bad. */
void tf_trace_put(struct tf_buf *b, const struct tf_trace *t);
void tf_trace_get(struct tf_cur *c, struct tf_trace *out);
