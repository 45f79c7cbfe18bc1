/* Spans: what one holds, the ring's bound, who is sampled, and many threads recording at once. */
#include "watch/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "os/sim.h"

#define OK(expr) assert_int_equal(expr, TF_OK)

static const struct tf_trace sampled = {.trace = {1, [15] = 2}, .span = {3}, .flags = 1};

static struct tf_span
span_of(const struct tf_trace *self, int64_t number)
{
	struct tf_span s;
	tf_span_init(&s, TF_SPAN_INTERNAL, TF_STR("work"), self, NULL, 1000, 5);
	tf_span_i64(&s, "number", number);
	return s;
}

static void
a_span_keeps_what_it_was_told(void **state)
{
	(void)state;
	struct tf_span s;
	static const uint8_t parent[8] = {9};
	tf_span_init(&s, TF_SPAN_SERVER, TF_STR("GET /a"), &sampled, parent, 1000, 5);
	tf_span_str(&s, "url.path", TF_STR("/a/b"));
	tf_span_i64(&s, "http.response.status_code", 503);
	tf_span_fail(&s, TF_STR("503"));
	assert_memory_equal(s.trace, sampled.trace, 16);
	assert_memory_equal(s.span, sampled.span, 8);
	assert_memory_equal(s.parent, parent, 8);
	assert_true(tf_str_eq(tf_str_n(s.name, s.name_n), TF_STR("GET /a")));
	assert_int_equal(s.attribute_count, 3);
	assert_true(tf_str_eq(tf_span_text(&s, &s.attributes[0]), TF_STR("/a/b")));
	assert_int_equal(s.attributes[1].number, 503);
	assert_true(tf_str_eq(tf_span_text(&s, &s.attributes[2]), TF_STR("503")));
	assert_int_equal(s.status, TF_SPAN_ERROR);
	tf_span_init(&s, TF_SPAN_SERVER, TF_STR("GET"), &sampled, NULL, 1000, -5);
	assert_int_equal(s.took, 0);
}

static void
a_span_does_not_grow(void **state)
{
	(void)state;
	struct tf_span s;
	char text[1000];
	memset(text, 'a', sizeof text);
	tf_span_init(&s, TF_SPAN_SERVER, tf_str_n(text, sizeof text), &sampled, NULL, 0, 0);
	assert_int_equal(s.name_n, TF_SPAN_NAME_MAX);
	tf_span_str(&s, "long", tf_str_n(text, sizeof text));
	assert_int_equal(tf_span_text(&s, &s.attributes[0]).n, TF_SPAN_VALUE_MAX);
	tf_span_str(&s, "no room", tf_str_n(text, sizeof text));
	assert_int_equal(s.attribute_count, 1);
	assert_int_equal(s.attributes_left_out, 1);
	tf_span_str(&s, "exact", tf_str_n(text, TF_SPAN_TEXT_MAX - TF_SPAN_VALUE_MAX));
	tf_span_str(&s, "empty", TF_STR(""));
	assert_int_equal(s.attribute_count, 3);
	for (int i = 0; i < TF_SPAN_ATTRIBUTES_MAX; i++)
		tf_span_i64(&s, "number", i);
	assert_int_equal(s.attribute_count, TF_SPAN_ATTRIBUTES_MAX);
	assert_int_equal(s.attributes_left_out, 4);
}

static void
shared_work_is_the_first_ones_child_and_links_the_others(void **state)
{
	(void)state;
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	struct tf_span s;
	struct tf_trace unsampled = sampled, other = sampled;
	unsampled.flags = 0;
	other.trace[0] = 77;
	tf_span_init_shared(os, &s, TF_STR("commit"), 0, 0);
	tf_span_cover(&s, &unsampled);
	tf_span_cover(&s, &sampled);
	for (int i = 0; i < TF_SPAN_LINKS_MAX + 3; i++)
		tf_span_cover(&s, &other);
	assert_memory_equal(s.trace, sampled.trace, 16);
	assert_memory_equal(s.parent, sampled.span, 8);
	assert_memory_not_equal(s.span, sampled.span, 8);
	assert_int_equal(s.link_count, TF_SPAN_LINKS_MAX);
	assert_int_equal(s.links_left_out, 3);
	assert_int_equal(s.links[7].trace[0], 77);
	tf_sim_free(&os);
}

static void
shared_work_that_covers_nothing_is_not_recorded(void **state)
{
	(void)state;
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	struct tf_spans *spans;
	struct tf_span s;
	OK(tf_spans_new(&(struct tf_spans_options){.count = 4}, &spans, NULL));
	tf_span_init_shared(os, &s, TF_STR("commit"), 0, 0);
	assert_true(tf_spans_put(spans, &s));
	assert_int_equal(tf_spans_take(spans, &s, 1), 0);
	tf_spans_free(&spans);
	tf_sim_free(&os);
}

static void
a_full_ring_keeps_the_old_and_counts_the_new(void **state)
{
	(void)state;
	struct tf_spans *spans;
	struct tf_span out[8];
	OK(tf_spans_new(&(struct tf_spans_options){.count = 3}, &spans, NULL)); /* rounded up to 4 */
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 7; i++) {
			struct tf_span s = span_of(&sampled, 10 * round + i);
			assert_int_equal(tf_spans_put(spans, &s), i < 4);
		}
		assert_int_equal(tf_spans_take(spans, out, 3), 3);
		assert_int_equal(tf_spans_take(spans, out + 3, 5), 1);
		for (int i = 0; i < 4; i++)
			assert_int_equal(out[i].attributes[0].number, 10 * round + i);
		assert_int_equal(tf_spans_take(spans, out, 8), 0);
	}
	assert_int_equal(tf_spans_counted(spans, TF_SPANS_RECORDED), 20);
	assert_int_equal(tf_spans_counted(spans, TF_SPANS_DROPPED), 15);
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_spans_render(spans, &b);
	tf_buf_u8(&b, 0);
	assert_non_null(strstr((const char *)b.p, "tenfold_spans_total{fate=\"dropped\"} 15\n"));
	tf_buf_release(&b);
	tf_spans_free(&spans);
}

static void
count_wakes(void *ctx)
{
	++*(int *)ctx;
}

static void
each_full_batch_wakes(void **state)
{
	(void)state;
	int woken = 0;
	struct tf_spans *spans;
	OK(tf_spans_new(&(struct tf_spans_options){.count = 16, .batch = 4, .wake = count_wakes, .ctx = &woken}, &spans,
			NULL));
	for (int i = 0; i < 16; i++) {
		struct tf_span s = span_of(&sampled, i);
		assert_true(tf_spans_put(spans, &s));
		assert_int_equal(woken, (i + 1) / 4);
	}
	tf_spans_free(&spans);
}

/* How many of 10,000 new traces are sampled. */
static int
sampled_of(uint32_t skip_ppm)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 7});
	struct tf_spans *spans;
	int n = 0;
	OK(tf_spans_new(&(struct tf_spans_options){.count = 1, .skip_ppm = skip_ppm}, &spans, NULL));
	for (int i = 0; i < 10000; i++) {
		struct tf_trace t, again;
		tf_trace_new(os, &t);
		again = t;
		tf_spans_decide(spans, &t);
		tf_spans_decide(spans, &again);
		assert_int_equal(t.flags, again.flags);
		n += tf_spans_want(spans, &t);
	}
	tf_spans_free(&spans);
	tf_sim_free(&os);
	return n;
}

static void
new_traces_are_sampled_by_their_share(void **state)
{
	(void)state;
	assert_int_equal(sampled_of(0), 10000);
	assert_int_equal(sampled_of(1000000), 0);
	assert_in_range(sampled_of(900000), 900, 1100);
	assert_in_range(sampled_of(100000), 8900, 9100);
}

static void
without_a_ring_nothing_is_wanted_or_changed(void **state)
{
	(void)state;
	struct tf_trace t = sampled;
	struct tf_span s = span_of(&t, 1);
	tf_spans_decide(NULL, &t);
	assert_int_equal(t.flags, 1);
	assert_false(tf_spans_want(NULL, &t));
	assert_true(tf_spans_put(NULL, &s));
}

#define THREADS 4
#define EACH    20000

struct recorder {
	struct tf_spans *spans;
	unsigned number;
	uint64_t kept;
};

static void *
record(void *arg)
{
	struct recorder *r = arg;
	struct tf_trace self = sampled;
	self.trace[1] = (uint8_t)r->number;
	for (int i = 0; i < EACH; i++) {
		struct tf_span s = span_of(&self, i);
		r->kept += tf_spans_put(r->spans, &s);
	}
	return NULL;
}

/* Each thread's spans come out whole and in its order; what is missing was counted. */
static void
many_record_while_one_takes(void **state)
{
	(void)state;
	struct tf_spans *spans;
	struct recorder r[THREADS];
	pthread_t threads[THREADS];
	int64_t last[THREADS];
	uint64_t taken = 0, kept = 0;
	static struct tf_span out[16];
	OK(tf_spans_new(&(struct tf_spans_options){.count = 64}, &spans, NULL));
	for (unsigned i = 0; i < THREADS; i++) {
		r[i] = (struct recorder){.spans = spans, .number = i};
		last[i] = -1;
		assert_int_equal(pthread_create(&threads[i], NULL, record, &r[i]), 0);
	}
	for (;;) {
		uint64_t ended = tf_spans_counted(spans, TF_SPANS_RECORDED) + tf_spans_counted(spans, TF_SPANS_DROPPED);
		size_t n = tf_spans_take(spans, out, 16);
		for (size_t i = 0; i < n; i++) {
			unsigned who = out[i].trace[1];
			assert_true(who < THREADS && out[i].attributes[0].number > last[who]);
			last[who] = out[i].attributes[0].number;
		}
		taken += n;
		if (!n && ended == (uint64_t)THREADS * EACH)
			break;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		kept += r[i].kept;
	}
	assert_int_equal(taken, kept);
	assert_int_equal(tf_spans_counted(spans, TF_SPANS_RECORDED), kept);
	tf_spans_free(&spans);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_keeps_what_it_was_told),
		cmocka_unit_test(a_span_does_not_grow),
		cmocka_unit_test(shared_work_is_the_first_ones_child_and_links_the_others),
		cmocka_unit_test(shared_work_that_covers_nothing_is_not_recorded),
		cmocka_unit_test(a_full_ring_keeps_the_old_and_counts_the_new),
		cmocka_unit_test(each_full_batch_wakes),
		cmocka_unit_test(new_traces_are_sampled_by_their_share),
		cmocka_unit_test(without_a_ring_nothing_is_wanted_or_changed),
		cmocka_unit_test(many_record_while_one_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
