/* For tests: what a parser gives its sink, as text.
 *
 *   M1 E1 Wh 1800 2024-02-01T00:00:00Z A @2024-02-02T00:00:00Z: 1 2*3 _     a run: 2*3 is 3 times 2, _ is absent
 *   !7.3 value: the value is 'x' <bytes, CR and LF escaped>                 a bad record of line 7, field 3
 *   !7.values[1] value: ...                                                 its field by name
 *   #INVALID cannot read ...                                                an error that stopped it */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "in.h"

static inline void
transcribe_quality(struct tf_buf *out, const struct meter_quality *q)
{
	tf_buf_printf(out, "%c", q->kind);
	if (q->method)
		tf_buf_printf(out, "%02u", q->method);
	if (q->reason)
		tf_buf_printf(out, "/%u", q->reason);
}

static inline void
transcribe_time(struct tf_buf *out, tf_time t)
{
	char text[40];
	tf_buf_cstr(out, tf_time_format(t, text));
}

static inline enum tf_err
transcribe_run(void *ctx, const struct meter_run *r, struct tf_fault *f)
{
	static const char *const units[] = {
#define X(name, text) text,
		METER_UNITS(X)
#undef X
	};
	struct tf_buf *out = ctx;
	assert_true(r->count >= 1 && r->count <= METER_RUN_MAX);
	assert_true(r->quality_count == 1 || r->quality_count == r->count);
	tf_buf_printf(out, "%.*s %.*s %s %u ", TF_FMT(r->meter), TF_FMT(r->channel), units[r->unit], r->interval_s);
	transcribe_time(out, r->start);
	tf_buf_cstr(out, " ");
	for (uint32_t i = 0, same; i < r->quality_count; i += same) {
		for (same = 1; i + same < r->quality_count; same++)
			if (memcmp(&r->quality[i], &r->quality[i + same], sizeof(r->quality[i])) != 0)
				break;
		tf_buf_cstr(out, i ? "," : "");
		transcribe_quality(out, &r->quality[i]);
		if (same > 1)
			tf_buf_printf(out, "*%u", same);
	}
	if (r->issued) {
		tf_buf_cstr(out, " @");
		transcribe_time(out, r->issued);
	}
	tf_buf_cstr(out, ":");
	for (uint32_t i = 0, same; i < r->count; i += same) {
		for (same = 1; i + same < r->count && r->values[i] == r->values[i + same];)
			same++;
		if (r->values[i] == METER_ABSENT)
			tf_buf_cstr(out, " _");
		else
			tf_buf_printf(out, " %lld", (long long)r->values[i]);
		if (same > 1)
			tf_buf_printf(out, "*%u", same);
	}
	tf_buf_cstr(out, "\n");
	return TF_OK;
}

static inline enum tf_err
transcribe_bad(void *ctx, const struct meter_bad *b, struct tf_fault *f)
{
	struct tf_buf *out = ctx;
	tf_buf_cstr(out, "!");
	if (b->member.n)
		tf_buf_printf(out, "%.*s:", TF_FMT(b->member));
	tf_buf_printf(out, "%llu.", (unsigned long long)b->line);
	if (b->name.n)
		tf_buf_str(out, b->name);
	else
		tf_buf_printf(out, "%u", b->field);
	tf_buf_printf(out, " %.*s: %.*s <", TF_FMT(b->rule), TF_FMT(b->text));
	for (size_t i = 0; i < b->bytes.n && i < 4096; i++) {
		char ch = b->bytes.p[i];
		tf_buf_printf(out, ch == '\n' ? "\\n" : ch == '\r' ? "\\r" : "%c", ch);
	}
	tf_buf_cstr(out, ">\n");
	return TF_OK;
}

/* The caller releases *out. */
static inline enum tf_err
transcribe(const struct meter_in_options *o, struct tf_str input, size_t chunk, struct tf_buf *out)
{
	struct meter_sink sink = {.ctx = out, .run = transcribe_run, .bad = transcribe_bad};
	struct tf_fault f = {0};
	struct meter_in *in = NULL;
	enum tf_err e = meter_in_new(o, &sink, &in, &f);
	for (size_t at = 0; e == TF_OK && at < input.n; at += chunk)
		e = meter_in_feed(in, tf_str_n(input.p + at, input.n - at < chunk ? input.n - at : chunk), &f);
	if (e == TF_OK)
		e = meter_in_finish(in, &f);
	if (e != TF_OK)
		tf_buf_printf(out, "#%s %s\n", tf_err_name(e), f.text);
	if (in)
		meter_in_free(&in);
	return e;
}

/* The input gives that transcript, whatever the size of the chunks. */
static inline void
check_options(const struct meter_in_options *o, struct tf_str input, const char *want)
{
	static const size_t chunks[] = {SIZE_MAX / 2, 1, 7, 4093};
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		struct tf_buf got = {0};
		(void)transcribe(o, input, chunks[i], &got);
		tf_buf_u8(&got, 0);
		assert_int_equal(got.err, TF_OK);
		assert_string_equal((const char *)got.p, want);
		tf_buf_release(&got);
	}
}

static inline void
check(const char *input, const char *want)
{
	struct meter_in_options o = {.name = TF_STR("dir/home-7.csv")};
	check_options(&o, tf_str(input), want);
}

/* Reads the input with the n-th allocation failing, n = 1, 2, 3…: an error and no more, until none is refused. */
static inline void
check_no_memory(const char *input)
{
	struct meter_in_options o = {.name = TF_STR("x")};
	for (uint64_t n = 1;; n++) {
		uint8_t room[16384];
		struct tf_buf out = {.p = room, .cap = sizeof(room), .max = sizeof(room)};
		tf_mem_fail_at(n);
		enum tf_err e = transcribe(&o, tf_str(input), 64, &out);
		if (tf_mem_fail_at(0) < n) {
			assert_int_equal(e, TF_OK);
			return;
		}
		assert_int_equal(e, TF_NO_MEMORY);
	}
}
