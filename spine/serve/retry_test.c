/* When a try is tried again, and after how long. */
#include "serve/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool
again(int status, bool sent, bool repeatable)
{
	return tf_retry_again(&(struct tf_retry_end){.status = status, .sent = sent}, repeatable, false);
}

static void
only_what_was_not_sent_is_sent_again_unless_it_may_be_repeated(void **state)
{
	(void)state;
	assert_true(again(0, false, false));
	assert_false(again(0, true, false));
	assert_true(again(0, true, true));
	static const int statuses[] = {408, 429, 500, 501, 502, 503, 504, 599};
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		assert_true(again(statuses[i], true, true));
		assert_false(again(statuses[i], true, false));
	}
}

static void
an_answer_that_stands_is_not_asked_for_again(void **state)
{
	(void)state;
	static const int statuses[] = {301, 307, 400, 401, 403, 404, 409, 410, 413, 422, 425, 428};
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		assert_false(again(statuses[i], true, true));
	assert_false(tf_retry_again(&(struct tf_retry_end){.hopeless = true}, true, false));
}

static void
of_500_some_want_no_second_one(void **state)
{
	(void)state;
	for (int status = 500; status < 510; status++)
		assert_int_equal(tf_retry_again(&(struct tf_retry_end){.status = status, .sent = true}, true, true),
				 status >= 502 && status <= 504);
	assert_true(tf_retry_again(&(struct tf_retry_end){.status = 429, .sent = true}, true, true));
}

static void
methods_are_known_by_their_exact_names(void **state)
{
	(void)state;
	static const char *const yes[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}, *const no[] = {"POST", "PATCH",
												     "get",  "PUTT",
												     "",     "CONNECT"};
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		assert_true(tf_retry_idempotent(tf_str(yes[i])));
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(tf_retry_idempotent(tf_str(no[i])));
}

static void
waits_double_within_their_bound_and_differ(void **state)
{
	(void)state;
	static const tf_dur full[] = {TF_SEC, 2 * TF_SEC, 4 * TF_SEC, 8 * TF_SEC, 10 * TF_SEC, 10 * TF_SEC};
	for (unsigned i = 0; i < sizeof full / sizeof *full; i++) {
		assert_int_equal(tf_retry_wait(TF_SEC, 10 * TF_SEC, i + 1, 0), full[i]);
		tf_dur least = tf_retry_wait(TF_SEC, 10 * TF_SEC, i + 1, 511);
		assert_in_range(least, full[i] / 2, full[i] * 51 / 100);
	}
	assert_int_equal(tf_retry_wait(TF_SEC, INT64_MAX, 200, 0), INT64_MAX);
	assert_int_equal(tf_retry_wait(TF_DAY, TF_SEC, 1, 0), TF_SEC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_was_not_sent_is_sent_again_unless_it_may_be_repeated),
		cmocka_unit_test(an_answer_that_stands_is_not_asked_for_again),
		cmocka_unit_test(of_500_some_want_no_second_one),
		cmocka_unit_test(methods_are_known_by_their_exact_names),
		cmocka_unit_test(waits_double_within_their_bound_and_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
