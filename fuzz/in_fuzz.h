/* For the parsers' fuzz targets: any bytes, fed whole and in small chunks, must give the same runs and bad records, and
 * what is given must keep reading.h's promises. */
#pragma once
#include <stdlib.h>

#include "base/mem.h"
#include "in.h"

struct in_fuzz {
	uint64_t hash, calls;
};

static inline void
in_fuzz_mix(struct in_fuzz *z, const void *p, size_t n)
{
	const uint8_t *b = p;
	for (size_t i = 0; i < n; i++)
		z->hash = (z->hash ^ b[i]) * 0x100000001b3u;
}

static inline void
in_fuzz_check(bool ok)
{
	if (!ok)
		abort();
}

static inline enum tf_err
in_fuzz_run(void *ctx, const struct meter_run *r, struct tf_fault *f)
{
	struct in_fuzz *z = ctx;
	in_fuzz_check(r->meter.n >= 1 && r->meter.n <= METER_METER_MAX);
	in_fuzz_check(r->channel.n >= 1 && r->channel.n <= METER_CHANNEL_MAX);
	in_fuzz_check(r->unit < METER_UNIT_COUNT);
	in_fuzz_check(r->interval_s >= METER_INTERVAL_MIN_S && r->interval_s <= METER_INTERVAL_MAX_S);
	in_fuzz_check(r->count >= 1 && r->count <= METER_RUN_MAX && r->start % TF_SEC == 0);
	in_fuzz_check(r->quality_count == 1 || r->quality_count == r->count);
	for (uint32_t i = 0; i < r->count; i++)
		in_fuzz_check(r->values[i] == METER_ABSENT ||
			      (r->values[i] <= METER_VALUE_MAX && r->values[i] >= -METER_VALUE_MAX));
	for (uint32_t i = 0; i < r->quality_count; i++)
		in_fuzz_check(strchr("AESFNPRX", r->quality[i].kind) && r->quality[i].kind);
	in_fuzz_mix(z, r->meter.p, r->meter.n);
	in_fuzz_mix(z, r->channel.p, r->channel.n);
	in_fuzz_mix(z, &r->start, sizeof(r->start));
	in_fuzz_mix(z, &r->interval_s, sizeof(r->interval_s));
	in_fuzz_mix(z, r->values, r->count * sizeof(*r->values));
	in_fuzz_mix(z, r->quality, r->quality_count * sizeof(*r->quality));
	z->calls++;
	return TF_OK;
}

static inline enum tf_err
in_fuzz_bad(void *ctx, const struct meter_bad *b, struct tf_fault *f)
{
	struct in_fuzz *z = ctx;
	in_fuzz_check(b->rule.n > 0 && b->text.n > 0 && b->bytes.n <= METER_LINE_MAX + 64);
	in_fuzz_mix(z, &b->line, sizeof(b->line));
	in_fuzz_mix(z, &b->field, sizeof(b->field));
	in_fuzz_mix(z, b->rule.p, b->rule.n);
	in_fuzz_mix(z, b->bytes.p, b->bytes.n);
	z->calls++;
	return TF_OK;
}

static inline struct in_fuzz
in_fuzz_pass(const uint8_t *data, size_t size, size_t chunk, const char *format)
{
	struct in_fuzz z = {0};
	struct meter_sink sink = {.ctx = &z, .run = in_fuzz_run, .bad = in_fuzz_bad};
	struct meter_in_options o = {.name = TF_STR("fuzz"), .format = tf_str(format)};
	struct tf_fault f = {0};
	struct meter_in *in;
	in_fuzz_check(meter_in_new(&o, &sink, &in, &f) == TF_OK);
	enum tf_err e = TF_OK;
	for (size_t at = 0; at < size && e == TF_OK; at += chunk) {
		/* A copy of its own size, so that reading past a chunk is seen. */
		size_t n = size - at < chunk ? size - at : chunk;
		uint8_t *copy = tf_malloc(n);
		in_fuzz_check(copy != NULL);
		memcpy(copy, data + at, n);
		e = meter_in_feed(in, tf_str_n(copy, n), &f);
		tf_free(copy);
	}
	if (e == TF_OK)
		e = meter_in_finish(in, &f);
	meter_in_free(&in);
	in_fuzz_mix(&z, &e, sizeof(e));
	return z;
}

static inline int
in_fuzz(const uint8_t *data, size_t size, const char *format)
{
	struct in_fuzz whole = in_fuzz_pass(data, size, size ? size : 1, format);
	struct in_fuzz parts = in_fuzz_pass(data, size, 1 + size % 13, format);
	in_fuzz_check(whole.hash == parts.hash && whole.calls == parts.calls);
	return 0;
}
