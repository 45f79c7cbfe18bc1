/* Blocks and the three rules of revise, in every order of arrival. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "batch.h"
#include "core_revise.h"

static const struct meter_grid_shape shape = {.first = 0, .interval_s = 1800, .slots = 48};
#define ACTUAL    'A'
#define ESTIMATED 'E'

static void
put(struct meter_block *b, uint32_t row, uint32_t slot, int64_t value, uint32_t quality, uint32_t delivery,
    tf_time issued, struct meter_counts *c)
{
	struct meter_piece p = {row, slot, 1, &value, {quality, delivery, issued * TF_SEC}};
	assert_int_equal(meter_revise(b, &p, c), TF_OK);
}

static void
first_reading_is_accepted_again_is_duplicate(void **state)
{
	(void)state;
	struct meter_block b;
	struct meter_counts c = {0};
	assert_int_equal(meter_block_init(&b, 0, METER_DAY, 0, &shape, 2), TF_OK);
	put(&b, 1, 5, 42, ACTUAL, 1, 0, &c);
	put(&b, 1, 5, 42, ACTUAL, 1, 0, &c);
	put(&b, 1, 5, 42, ACTUAL, 9, 0, &c);
	assert_int_equal(c.accepted, 1);
	assert_int_equal(c.duplicate, 2);
	assert_int_equal(c.superseded, 0);
	assert_int_equal(b.past_count, 0);
	meter_block_release(&b);
}

static void
correction_supersedes_and_keeps_the_past(void **state)
{
	(void)state;
	struct meter_block b;
	struct meter_counts c = {0};
	assert_int_equal(meter_block_init(&b, 0, METER_DAY, 0, &shape, 1), TF_OK);
	put(&b, 0, 0, 10, ESTIMATED, 1, 0, &c);
	put(&b, 0, 0, 12, ACTUAL, 2, 0, &c);
	assert_int_equal(b.values[0], 12);
	assert_int_equal(meter_block_past(&b, 0, 0), 1);
	assert_int_equal(b.past[0].value, 10);
	put(&b, 0, 0, 10, ESTIMATED, 1, 0, &c); /* the first delivery once more */
	assert_int_equal(b.values[0], 12);
	assert_int_equal(c.duplicate, 1);
	assert_int_equal(c.superseded, 1);
	meter_block_release(&b);
}

static void
one_delivery_with_two_values_is_stable_when_repeated(void **state)
{
	(void)state;
	struct meter_block b;
	struct meter_counts c = {0};
	assert_int_equal(meter_block_init(&b, 0, METER_DAY, 0, &shape, 1), TF_OK);
	for (int again = 0; again < 3; again++) {
		put(&b, 0, 0, 10, ACTUAL, 1, 0, &c);
		put(&b, 0, 0, 11, ACTUAL, 1, 0, &c);
	}
	assert_int_equal(b.values[0], 11);
	assert_int_equal(b.past_count, 1);
	assert_int_equal(c.duplicate, 4);
	meter_block_release(&b);
}

/* Deliveries 1..4 with values and times issued; every order of arrival ends the same. */
static void
order_of_arrival_does_not_matter_where_times_are_issued(void **state)
{
	(void)state;
	static const struct {
		int64_t value;
		uint32_t delivery;
		tf_time issued;
	} r[4] = {{10, 1, 100}, {12, 2, 200}, {10, 3, 300}, {15, 4, 150}};
	int order[4];
	for (int n = 0; n < 256; n++) {
		bool used[4] = {false}, ok = true;
		for (int i = 0; i < 4; i++) {
			order[i] = n >> 2 * i & 3;
			ok &= !used[order[i]];
			used[order[i]] = true;
		}
		if (!ok)
			continue;
		struct meter_block b;
		struct meter_counts c = {0};
		assert_int_equal(meter_block_init(&b, 0, METER_DAY, 0, &shape, 1), TF_OK);
		for (int i = 0; i < 8; i++)
			put(&b, 0, 3, r[order[i % 4]].value, ACTUAL, r[order[i % 4]].delivery, r[order[i % 4]].issued,
			    &c);
		assert_int_equal(b.values[3], 10);
		assert_int_equal(b.stamps[b.stamp[3] - 1].issued, 300 * TF_SEC);
		meter_block_release(&b);
	}
}

static void
day_is_exact_and_its_peak_the_earliest(void **state)
{
	(void)state;
	struct meter_block b;
	struct meter_counts c = {0};
	struct meter_day d;
	assert_int_equal(meter_block_init(&b, 0, METER_DAY, 0, &shape, 1), TF_OK);
	meter_day_of(&b, 0, 0, 48, &d);
	assert_int_equal(d.count, 0);
	put(&b, 0, 1, -5, ACTUAL, 1, 0, &c);
	put(&b, 0, 7, 9, ESTIMATED, 1, 0, &c);
	put(&b, 0, 9, 9, ACTUAL, 1, 0, &c);
	meter_day_of(&b, 0, 0, 48, &d);
	assert_int_equal(d.count, 3);
	assert_int_equal(d.other, 1);
	assert_int_equal(d.sum, 13);
	assert_int_equal(d.max, 9);
	assert_int_equal(d.max_at, 7 * 1800 * TF_SEC);
	meter_block_release(&b);
}

static uint32_t
next(uint32_t *seed)
{
	return *seed = *seed * 1664525u + 1013904223u;
}

static void
fill(struct meter_block *b, uint32_t seed)
{
	struct meter_counts c = {0};
	for (int i = 0; i < 2000; i++) {
		uint32_t x = next(&seed) >> 8;
		put(b, x % b->rows, next(&seed) >> 8 & 31, (int64_t)(next(&seed) >> 20) - 100,
		    x & 1 ? ACTUAL : ESTIMATED, x % 5 + 1, x % 3, &c);
	}
}

static void
bytes_give_the_same_block_back(void **state)
{
	(void)state;
	for (uint32_t codec = 0; codec < 2; codec++)
		for (uint32_t rows = 1; rows < 40; rows += 13) {
			struct meter_block b, got;
			struct tf_buf out;
			tf_buf_init(&out, 0);
			assert_int_equal(meter_block_init(&b, 3, METER_DAY, 20000, &shape, rows), TF_OK);
			fill(&b, rows);
			assert_int_equal(meter_block_encode(&b, codec, &out, NULL), TF_OK);
			assert_int_equal(meter_block_decode(tf_buf_view(&out), &got, NULL), TF_OK);
			assert_int_equal(got.past_count, b.past_count);
			assert_memory_equal(got.past, b.past, b.past_count * sizeof *b.past);
			for (size_t i = 0; i < (size_t)rows * 48; i++) {
				assert_int_equal(got.stamp[i], b.stamp[i]);
				if (b.stamp[i])
					assert_int_equal(got.values[i], b.values[i]);
			}
			meter_block_release(&got);
			meter_block_release(&b);
			tf_buf_release(&out);
		}
}

static void
damaged_bytes_never_crash(void **state)
{
	(void)state;
	struct meter_block b, got;
	struct tf_buf out;
	tf_buf_init(&out, 0);
	assert_int_equal(meter_block_init(&b, 3, METER_DAY, 20000, &shape, 4), TF_OK);
	fill(&b, 1);
	assert_int_equal(meter_block_encode(&b, METER_CODEC_PLAIN, &out, NULL), TF_OK);
	for (size_t n = 0; n < out.n; n++)
		if (!meter_block_decode(tf_str_n(out.p, n), &got, NULL))
			meter_block_release(&got);
	for (size_t i = 0; i < out.n * 8; i++) {
		out.p[i / 8] ^= (uint8_t)(1 << i % 8);
		if (!meter_block_decode(tf_buf_view(&out), &got, NULL))
			meter_block_release(&got);
		out.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	meter_block_release(&b);
	tf_buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_reading_is_accepted_again_is_duplicate),
		cmocka_unit_test(correction_supersedes_and_keeps_the_past),
		cmocka_unit_test(one_delivery_with_two_values_is_stable_when_repeated),
		cmocka_unit_test(order_of_arrival_does_not_matter_where_times_are_issued),
		cmocka_unit_test(day_is_exact_and_its_peak_the_earliest),
		cmocka_unit_test(bytes_give_the_same_block_back),
		cmocka_unit_test(damaged_bytes_never_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
