/* Sizes and durations as people write them: "64MiB", "10k", "15m", "1h30m". Pure. */
#pragma once
#include "base/time.h"

/* Bytes: digits, then optionally k, M, G, T (powers of 1000) or Ki, Mi, Gi, Ti (of 1024), then optionally B. Whole
 * string. TF_INVALID, or TF_TOO_LARGE past INT64_MAX. */
enum tf_err tf_size_parse(struct tf_str s, int64_t *out) TF_MUST_USE;
/* The shortest exact form: "64Mi", "10k", "1001". Returns out. */
char *tf_size_format(int64_t size, char out[static 32]);

/* One or more of digits with us, ms, s, m, h, d (24 hours) or w: "90s", "1h30m". "0" alone needs no unit. Whole string.
 * TF_INVALID, or TF_TOO_LARGE past INT64_MAX microseconds. */
enum tf_err tf_dur_parse(struct tf_str s, tf_dur *out) TF_MUST_USE;
/* The shortest exact form in one unit: "90s", "7d" is "1w". A negative one has a minus. Returns out. */
char *tf_dur_format(tf_dur d, char out[static 32]);
