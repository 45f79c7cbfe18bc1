/* Rates at their edges, and a table of callers that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "serve/limits.h"

#define OK(expr) assert_int_equal(expr, TF_OK)
#define NOW      (1000 * TF_SEC)

static struct tf_str
caller(unsigned i)
{
	static char name[32];
	snprintf(name, sizeof name, "caller-%u", i);
	return tf_str(name);
}

static bool
take(struct tf_limits *l, unsigned i, tf_dur now)
{
	struct tf_allowance w;
	OK(tf_limits_take(l, caller(i), now, &w, NULL));
	return w.allowed;
}

static void
a_bucket_empties_and_fills_again(void **state)
{
	(void)state;
	struct tf_limits l;
	struct tf_allowance w;
	OK(tf_limits_init(&l, 10, 3));
	assert_true(tf_limits_peek(&l, caller(1), NOW)); /* who never came has a full one */
	for (int i = 0; i < 3; i++)
		assert_true(take(&l, 1, NOW));
	assert_false(tf_limits_peek(&l, caller(1), NOW));
	OK(tf_limits_take(&l, caller(1), NOW, &w, NULL));
	assert_false(w.allowed);
	assert_int_equal(w.left, 0);
	assert_int_equal(w.retry_s, 1);
	assert_true(take(&l, 2, NOW)); /* another's is another */
	assert_false(tf_limits_peek(&l, caller(1), NOW + TF_SEC / 10 - 1000));
	assert_true(tf_limits_peek(&l, caller(1), NOW + TF_SEC / 10));
	assert_true(take(&l, 1, NOW + TF_SEC / 10));
	assert_false(take(&l, 1, NOW + TF_SEC / 10));
	for (int i = 0; i < 3; i++)
		assert_true(take(&l, 1, NOW + TF_HOUR));
	assert_false(take(&l, 1, NOW + TF_HOUR));
	tf_limits_release(&l);
}

static void
no_rate_is_no_limit(void **state)
{
	(void)state;
	struct tf_limits l;
	OK(tf_limits_init(&l, 0, 1));
	for (int i = 0; i < 100; i++)
		assert_true(tf_limits_peek(&l, caller(1), NOW) && take(&l, 1, NOW));
	assert_int_equal(l.numbers.count, 0);
	tf_limits_release(&l);
}

/* 1 a second, 2 at once: a bucket that was used is full again after a second or two. */
static void
full_buckets_make_room_for_another_caller(void **state)
{
	(void)state;
	struct tf_limits l;
	struct tf_allowance w;
	tf_dur later = NOW + TF_SEC;
	OK(tf_limits_init(&l, 1, 2));
	for (unsigned i = 0; i < TF_LIMITS_CALLERS; i++)
		assert_true(take(&l, i, NOW));
	assert_int_equal(tf_limits_take(&l, caller(TF_LIMITS_CALLERS), NOW, &w, NULL), TF_OVERLOAD);
	assert_true(take(&l, 5, NOW)); /* two tokens gone: not full a second later */
	assert_true(take(&l, 7, NOW));
	assert_true(take(&l, TF_LIMITS_CALLERS, later));
	assert_int_equal(l.numbers.count, 3);
	assert_true(take(&l, 5, later)); /* and what was used stays used */
	assert_false(take(&l, 5, later));
	assert_true(take(&l, 7, later));
	assert_false(take(&l, 7, later));
	assert_true(take(&l, 6, later));
	assert_true(take(&l, 6, later));
	assert_false(take(&l, 6, later));
	tf_limits_release(&l);
}

static void
memory_that_is_out_is_told_and_loses_no_bucket(void **state)
{
	(void)state;
	bool failed = true;
	for (uint64_t n = 1; failed; n++) {
		struct tf_limits l;
		struct tf_allowance w;
		OK(tf_limits_init(&l, 1, 2));
		for (unsigned i = 0; i < TF_LIMITS_CALLERS; i++)
			assert_true(take(&l, i, NOW));
		assert_true(take(&l, 5, NOW));
		tf_mem_fail_at(n);
		enum tf_err e = tf_limits_take(&l, caller(TF_LIMITS_CALLERS), NOW + TF_SEC, &w, NULL);
		failed = tf_mem_fail_at(0) >= n;
		assert_int_equal(e, failed ? TF_NO_MEMORY : TF_OK);
		assert_true(take(&l, 5, NOW + TF_SEC));
		assert_false(take(&l, 5, NOW + TF_SEC));
		tf_limits_release(&l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_empties_and_fills_again),
		cmocka_unit_test(no_rate_is_no_limit),
		cmocka_unit_test(full_buckets_make_room_for_another_caller),
		cmocka_unit_test(memory_that_is_out_is_told_and_loses_no_bucket),
	};
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
