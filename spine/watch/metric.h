/* Metrics: counters, gauges and histograms from a table, in Prometheus' text format.
 *
 * A program lists its metrics once, in a .def file, and reads it twice:
 *
 *   X(READINGS, COUNTER, "tenfold_meter_readings_total", "readings taken", NULL, NULL, 0)
 *   X(TIER_BYTES, GAUGE, "tenfold_meter_tier_bytes", "bytes on disk", "tier", "hot,warm,cold", 0)
 *   X(SYNC, HISTOGRAM, "tenfold_log_sync_seconds", "time of a group sync", NULL, NULL, 6)
 *
 *   enum { #define X(id, ...) M_##id, ... };
 *   static const struct tf_metric metrics[] = { #define X(id, k, n, h, l, v, d) TF_METRIC(k, n, h, l, v, d), ... };
 *
 * Values are integers; `digits` of them are behind the decimal point when shown: a histogram in microseconds with 6
 * digits shows seconds. A histogram's bounds are 1, 2 and 5 times each power of ten from 10 to 10^8, so one table fits
 * times from 10 µs to 100 s and sizes to 100 MB. A label has a fixed list of values: nothing a client sends can make
 * metrics grow.
 * Thread rule: updates and rendering from any thread, without locks; new and free from one. */
#pragma once
#include "base/buf.h"

#define TF_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TF_METRIC(k, n, h, l, v, d)                                                                                    \
	{                                                                                                              \
		.kind = TF_METRIC_##k, .name = n, .help = h, .label = l, .values = v, .digits = d                      \
	}

enum tf_metric_kind { TF_METRIC_COUNTER, TF_METRIC_GAUGE, TF_METRIC_HISTOGRAM };

struct tf_metric {
	const char *name, *help;
	const char *label, *values; /* NULL, or one label's name and its values between commas */
	enum tf_metric_kind kind;
	unsigned digits; /* at most 9 */
};

struct tf_metrics;

/* Keeps the table, which must outlive it. A malformed table is a bug: asserted. */
enum tf_err tf_metrics_new(const struct tf_metric *table, size_t count, struct tf_metrics **out,
			   struct tf_fault *f) TF_MUST_USE;
void tf_metrics_free(struct tf_metrics **m);

/* id is the row in the table, value the index of the label's value (0 without a label). */
/* A counter goes up by 0 or more; a gauge may go down. */
void tf_metric_add(struct tf_metrics *m, size_t id, size_t value, int64_t by);
void tf_metric_set(struct tf_metrics *m, size_t id, size_t value, int64_t to);    /* gauges */
void tf_metric_observe(struct tf_metrics *m, size_t id, size_t value, int64_t v); /* histograms */
/* What a counter or gauge shows; how often a histogram was observed. */
int64_t tf_metric_get(const struct tf_metrics *m, size_t id, size_t value);

/* Everything, as TF_METRICS_TYPE says, appended to b. Each histogram agrees with itself. */
void tf_metrics_render(const struct tf_metrics *m, struct tf_buf *b);
