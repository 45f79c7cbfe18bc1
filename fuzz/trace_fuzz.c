/* Trace ids from outside: a traceparent header, a correlation id, and a trace inside an event's bytes. What is taken is
 * written back the same. */
#include <stdint.h>

#include "watch/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct tf_str s = tf_str_n(p, n);
	struct tf_trace t, back;
	char text[TF_TRACEPARENT_BYTES];
	if (tf_trace_parse(s, &t) == TF_OK) {
		TF_ASSERT(tf_trace_parse(tf_str(tf_trace_format(&t, text)), &back) == TF_OK);
		TF_ASSERT(memcmp(&t, &back, sizeof t) == 0);
		if (tf_trace_correlate(&t, s) == TF_OK)
			TF_ASSERT(tf_str_eq(tf_trace_correlation(&t), s));
	}
	struct tf_cur c = tf_cur(s);
	tf_trace_get(&c, &t);
	if (!c.bad) {
		struct tf_buf b;
		tf_buf_init(&b, 0);
		tf_trace_put(&b, &t);
		struct tf_cur again = tf_cur(tf_buf_view(&b));
		if (!b.err) {
			tf_trace_get(&again, &back);
			TF_ASSERT(!again.bad && memcmp(&t, &back, sizeof t) == 0);
		}
		tf_buf_release(&b);
	}
	return 0;
}
