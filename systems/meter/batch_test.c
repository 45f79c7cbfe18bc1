/* Batches: what goes in comes out, and damage is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "batch.h"

static const struct meter_batch_head head = {
	.delivery = 7, .received = 1234567, .name = {"a.csv", 5}, .format = {"csv-wide", 8}, .zone = {"UTC", 3}};

static struct meter_run
make_run(const char *meter, const int64_t *values, uint32_t n, const struct meter_quality *q, uint32_t qn)
{
	return (struct meter_run){.meter = tf_str(meter),
				  .channel = TF_STR("E1"),
				  .unit = METER_WH,
				  .interval_s = 1800,
				  .start = 1700000000 / 1800 * 1800 * TF_SEC,
				  .count = n,
				  .values = values,
				  .quality = q,
				  .quality_count = qn,
				  .issued = 1700000000 * TF_SEC};
}

static void
runs_survive_packing(void **state)
{
	(void)state;
	struct meter_batch_builder b;
	struct tf_buf out;
	struct meter_quality actual = {'A', 0, 0}, mixed[4] = {{'A', 0, 0}, {'S', 14, 79}, {'S', 14, 79}, {'E', 52, 0}};
	int64_t same[3] = {5, 5, 5}, wide[4] = {-METER_VALUE_MAX, METER_ABSENT, 0, METER_VALUE_MAX},
		none[2] = {METER_ABSENT, METER_ABSENT};
	tf_buf_init(&out, 0);
	assert_int_equal(meter_batch_init(&b), TF_OK);
	struct meter_run r1 = make_run("m1", same, 3, &actual, 1), r2 = make_run("m2", wide, 4, mixed, 4),
			 r3 = make_run("m3", none, 2, &actual, 1);
	assert_int_equal(meter_batch_add(&b, &r1), TF_OK);
	assert_int_equal(meter_batch_add(&b, &r2), TF_OK);
	assert_int_equal(meter_batch_add(&b, &r3), TF_OK);
	assert_int_equal(b.readings, 6);
	assert_int_equal(meter_batch_seal(&b, &head, &out), TF_OK);
	struct meter_batch got;
	struct tf_fault f;
	assert_int_equal(meter_batch_parse(tf_buf_view(&out), &got, &f), TF_OK);
	assert_int_equal(got.run_count, 2); /* a run without values is no run */
	assert_int_equal(got.readings, 6);
	assert_int_equal(got.head.delivery, 7);
	int64_t v[4];
	meter_batch_values(&got.runs[0], 0, 3, v);
	assert_memory_equal(v, same, sizeof same);
	assert_int_equal(got.runs[0].width, 0);
	meter_batch_values(&got.runs[1], 0, 4, v);
	assert_memory_equal(v, wide, sizeof wide);
	meter_batch_values(&got.runs[1], 2, 2, v);
	assert_memory_equal(v, wide + 2, 2 * sizeof *v);
	uint32_t until;
	struct meter_quality q = meter_batch_quality(&got.runs[1], 2, &until);
	assert_int_equal(q.kind, 'S');
	assert_int_equal(q.reason, 79);
	assert_int_equal(until, 3);
	meter_batch_free(&got);
	meter_batch_release(&b);
	tf_buf_release(&out);
}

static void
damage_is_refused_or_harmless(void **state)
{
	(void)state;
	struct meter_batch_builder b;
	struct tf_buf out;
	struct meter_quality actual = {'A', 0, 0};
	int64_t v[96];
	for (int i = 0; i < 96; i++)
		v[i] = i % 7 ? i * 31 : METER_ABSENT;
	tf_buf_init(&out, 0);
	assert_int_equal(meter_batch_init(&b), TF_OK);
	struct meter_run r = make_run("m1", v, 96, &actual, 1);
	assert_int_equal(meter_batch_add(&b, &r), TF_OK);
	assert_int_equal(meter_batch_seal(&b, &head, &out), TF_OK);
	for (size_t n = 0; n < out.n; n++) {
		struct meter_batch got;
		assert_int_equal(meter_batch_parse(tf_str_n(out.p, n), &got, NULL), TF_CORRUPT);
	}
	for (size_t i = 0; i < out.n * 8; i++) {
		struct meter_batch got;
		out.p[i / 8] ^= (uint8_t)(1 << i % 8);
		if (!meter_batch_parse(tf_buf_view(&out), &got, NULL)) {
			for (uint32_t k = 0; k < got.run_count; k++) {
				int64_t to[METER_RUN_MAX];
				meter_batch_values(&got.runs[k], 0, got.runs[k].count, to);
			}
			meter_batch_free(&got);
		}
		out.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	meter_batch_release(&b);
	tf_buf_release(&out);
}

static void
quality_reads_as_people_write_it(void **state)
{
	(void)state;
	char t[16];
	assert_string_equal(meter_quality_text((struct meter_quality){'A', 0, 0}, t), "A");
	assert_string_equal(meter_quality_text((struct meter_quality){'S', 4, 0}, t), "S04");
	assert_string_equal(meter_quality_text((struct meter_quality){'F', 51, 79}, t), "F51/79");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_survive_packing),
		cmocka_unit_test(damage_is_refused_or_harmless),
		cmocka_unit_test(quality_reads_as_people_write_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
