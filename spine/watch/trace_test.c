/* Trace ids against the examples and rules of W3C Trace Context. */
#include "watch/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "os/sim.h"

#define EXAMPLE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void
a_traceparent_is_read_and_written_back(void **state)
{
	struct tf_trace t;
	char text[TF_TRACEPARENT_BYTES];
	assert_int_equal(tf_trace_parse(TF_STR(EXAMPLE), &t), TF_OK);
	assert_int_equal(t.trace[0], 0x4b);
	assert_int_equal(t.span[7], 0xb7);
	assert_int_equal(t.flags, 1);
	assert_string_equal(tf_trace_format(&t, text), EXAMPLE);
	assert_true(tf_str_eq(tf_trace_correlation(&t), TF_STR("4bf92f3577b34da6a3ce929d0e0e4736")));
}

static void
what_the_standard_ignores_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"00",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01extra",
	};
	struct tf_trace t = {.flags = 77};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tf_trace_parse(tf_str(bad[i]), &t), TF_INVALID);
	assert_int_equal(t.flags, 77);
}

static void
a_later_version_is_read_as_far_as_known(void **state)
{
	struct tf_trace t;
	char text[TF_TRACEPARENT_BYTES];
	assert_int_equal(
		tf_trace_parse(TF_STR("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what.comes"), &t),
		TF_OK);
	assert_string_equal(tf_trace_format(&t, text), EXAMPLE);
}

static void
children_share_the_trace_and_the_correlation(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	struct tf_trace t, child, other;
	tf_trace_new(os, &t);
	tf_trace_new(os, &other);
	assert_memory_not_equal(t.trace, other.trace, sizeof t.trace);
	assert_int_equal(tf_trace_correlate(&t, TF_STR("head-end:file_7.csv")), TF_OK);
	tf_trace_child(os, &t, &child);
	assert_memory_equal(t.trace, child.trace, sizeof t.trace);
	assert_memory_not_equal(t.span, child.span, sizeof t.span);
	assert_true(tf_str_eq(tf_trace_correlation(&child), TF_STR("head-end:file_7.csv")));
	tf_sim_free(&os);
}

static void
a_correlation_id_is_plain_and_bounded(void **state)
{
	struct tf_trace t;
	char id[TF_CORRELATION_MAX + 1];
	assert_int_equal(tf_trace_parse(TF_STR(EXAMPLE), &t), TF_OK);
	memset(id, 'x', sizeof id);
	assert_int_equal(tf_trace_correlate(&t, tf_str_n(id, TF_CORRELATION_MAX + 1)), TF_INVALID);
	assert_int_equal(tf_trace_correlate(&t, TF_STR("")), TF_INVALID);
	assert_int_equal(tf_trace_correlate(&t, TF_STR("a b")), TF_INVALID);
	assert_int_equal(tf_trace_correlate(&t, TF_STR("a\r\nb")), TF_INVALID);
	assert_int_equal(tf_trace_correlate(&t, tf_str_n("a\0b", 3)), TF_INVALID);
	assert_int_equal(tf_trace_correlation(&t).n, 32);
	assert_int_equal(tf_trace_correlate(&t, tf_str_n(id, TF_CORRELATION_MAX)), TF_OK);
}

static void
a_trace_travels_in_an_event(void **state)
{
	struct tf_trace t, back;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	assert_int_equal(tf_trace_parse(TF_STR(EXAMPLE), &t), TF_OK);
	assert_int_equal(tf_trace_correlate(&t, TF_STR("order-7")), TF_OK);
	tf_trace_put(&b, &t);
	assert_int_equal(b.n, 16 + 8 + 1 + 1 + 7);
	struct tf_cur c = tf_cur(tf_buf_view(&b));
	tf_trace_get(&c, &back);
	assert_false(c.bad);
	assert_int_equal(tf_cur_left(&c), 0);
	assert_memory_equal(&t, &back, offsetof(struct tf_trace, correlation));
	assert_true(tf_str_eq(tf_trace_correlation(&back), TF_STR("order-7")));
	for (size_t n = 0; n < b.n; n++) {
		c = tf_cur(tf_str_n(b.p, n));
		tf_trace_get(&c, &back);
		assert_true(c.bad);
	}
	b.p[26] = '\n';
	c = tf_cur(tf_buf_view(&b));
	tf_trace_get(&c, &back);
	assert_true(c.bad);
	tf_buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_traceparent_is_read_and_written_back),
		cmocka_unit_test(what_the_standard_ignores_is_refused),
		cmocka_unit_test(a_later_version_is_read_as_far_as_known),
		cmocka_unit_test(children_share_the_trace_and_the_correlation),
		cmocka_unit_test(a_correlation_id_is_plain_and_bounded),
		cmocka_unit_test(a_trace_travels_in_an_event),
	};
	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
