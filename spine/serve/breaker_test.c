/* Every transition of a breaker, in virtual time. */
#include "serve/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"

#define A TF_STR("https://a:443")

static struct tf_breaker *b;
static tf_dur until;

static int
setup(void **state)
{
	(void)state;
	struct tf_breaker_options o = {.failures = 3, .open_first = 10, .open_max = 35, .names = 3};
	return tf_breaker_new(&o, &b, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	tf_breaker_free(&b);
	return 0;
}

static uint64_t
let_in(struct tf_str name, tf_dur now)
{
	uint64_t pass;
	assert_int_equal(tf_breaker_ask(b, name, now, &pass, &until), TF_OK);
	return pass;
}

static void
refused(struct tf_str name, tf_dur now, tf_dur wanted_until)
{
	uint64_t pass;
	assert_int_equal(tf_breaker_ask(b, name, now, &pass, &until), TF_BUSY);
	assert_int_equal(until, wanted_until);
}

static void
fails(struct tf_str name, unsigned times, tf_dur now)
{
	while (times--)
		tf_breaker_bad(b, name, let_in(name, now), now);
}

static void
is(struct tf_str name, enum tf_breaker_state wanted, uint32_t wanted_failures)
{
	uint32_t failures;
	assert_int_equal(tf_breaker_state(b, name, &failures), wanted);
	assert_int_equal(failures, wanted_failures);
}

static void
it_opens_after_so_many_failures_in_a_row(void **state)
{
	(void)state;
	is(A, TF_BREAKER_CLOSED, 0);
	fails(A, 2, 100);
	is(A, TF_BREAKER_CLOSED, 2);
	fails(A, 1, 100);
	is(A, TF_BREAKER_OPEN, 3);
	refused(A, 100, 110);
	refused(A, 109, 110);
}

static void
a_success_between_starts_the_count_anew(void **state)
{
	(void)state;
	fails(A, 2, 100);
	tf_breaker_good(b, A, let_in(A, 100));
	is(A, TF_BREAKER_CLOSED, 0);
	fails(A, 2, 100);
	is(A, TF_BREAKER_CLOSED, 2);
}

static void
when_its_time_is_over_one_try_is_let_in(void **state)
{
	(void)state;
	fails(A, 3, 100);
	uint64_t probe = let_in(A, 110);
	is(A, TF_BREAKER_HALF_OPEN, 3);
	refused(A, 110, 110);
	refused(A, 5000, 5000);
	tf_breaker_good(b, A, probe);
	is(A, TF_BREAKER_CLOSED, 0);
	let_in(A, 110);
	let_in(A, 110);
}

static void
a_failed_try_opens_it_for_twice_as_long_within_a_bound(void **state)
{
	(void)state;
	static const tf_dur open_for[] = {10, 20, 35, 35};
	tf_dur now = 100;
	fails(A, 3, now);
	for (int i = 0; i < 4; i++) {
		refused(A, now, now + open_for[i]);
		now += open_for[i];
		fails(A, 1, now);
		is(A, TF_BREAKER_OPEN, 4 + (uint32_t)i);
	}
	tf_breaker_good(b, A, let_in(A, now + 35));
	now += 35;
	fails(A, 3, now);
	refused(A, now, now + 10); /* from the beginning again */
}

static void
a_try_that_told_nothing_lets_in_the_next(void **state)
{
	(void)state;
	tf_breaker_drop(b, A, let_in(A, 90));
	is(A, TF_BREAKER_CLOSED, 0);
	fails(A, 3, 100);
	tf_breaker_drop(b, A, let_in(A, 110));
	is(A, TF_BREAKER_OPEN, 3);
	uint64_t probe = let_in(A, 110);
	tf_breaker_good(b, A, probe);
	is(A, TF_BREAKER_CLOSED, 0);
}

/* Tries that were let in together end in any order. */
static void
what_comes_late_counts_no_more(void **state)
{
	(void)state;
	uint64_t one = let_in(A, 100), two = let_in(A, 100);
	fails(A, 3, 100);
	tf_breaker_bad(b, A, one, 109);
	refused(A, 109, 110);
	tf_breaker_good(b, A, two);
	is(A, TF_BREAKER_OPEN, 3);
	uint64_t probe = let_in(A, 110);
	tf_breaker_good(b, A, one);
	is(A, TF_BREAKER_HALF_OPEN, 3);
	tf_breaker_bad(b, A, one, 110);
	is(A, TF_BREAKER_HALF_OPEN, 3);
	tf_breaker_drop(b, A, one);
	is(A, TF_BREAKER_HALF_OPEN, 3);
	tf_breaker_good(b, A, probe);
	tf_breaker_bad(b, A, probe, 110);
	is(A, TF_BREAKER_CLOSED, 0);
}

static void
each_name_has_its_own(void **state)
{
	(void)state;
	fails(A, 3, 100);
	let_in(TF_STR("https://a:444"), 100);
	let_in(TF_STR("http://a:443"), 100);
	refused(A, 100, 110);
}

static void
a_new_name_takes_the_row_of_a_closed_one(void **state)
{
	(void)state;
	fails(A, 3, 100);
	fails(TF_STR("b"), 1, 100);
	fails(TF_STR("c"), 1, 100);
	let_in(TF_STR("b"), 100);
	uint64_t late = let_in(TF_STR("d"), 100); /* c was not asked for longest, of the closed ones */
	is(TF_STR("c"), TF_BREAKER_CLOSED, 0);
	is(TF_STR("b"), TF_BREAKER_CLOSED, 1);
	refused(A, 100, 110);
	fails(TF_STR("b"), 2, 100);
	fails(TF_STR("d"), 3, 100);
	refused(TF_STR("d"), 100, 110);
	refused(A, 100, 110);
	let_in(TF_STR("e"), 100); /* all are open: b was not asked for longest */
	is(TF_STR("b"), TF_BREAKER_CLOSED, 0);
	refused(A, 100, 110);
	tf_breaker_bad(b, TF_STR("zz"), late, 100);
	is(TF_STR("zz"), TF_BREAKER_CLOSED, 0);
}

static void
it_may_be_told_never_to_open(void **state)
{
	(void)state;
	tf_breaker_free(&b);
	struct tf_breaker_options o = {.failures = TF_BREAKER_NEVER, .names = 1};
	assert_int_equal(tf_breaker_new(&o, &b, NULL), TF_OK);
	fails(A, 1000, 100);
	is(A, TF_BREAKER_CLOSED, 1000);
}

static void
names_are_bounded_and_memory_may_be_out(void **state)
{
	(void)state;
	char name[TF_BREAKER_NAME_MAX + 1] = {1};
	struct tf_breaker *none;
	uint64_t pass;
	assert_int_equal(tf_breaker_ask(b, tf_str_n(name, sizeof name), 1, &pass, &until), TF_TOO_LARGE);
	assert_int_equal(tf_breaker_ask(b, tf_str_n(name, 0), 1, &pass, &until), TF_TOO_LARGE);
	let_in(tf_str_n(name, sizeof name - 1), 1);
	tf_mem_fail_at(1);
	assert_int_equal(tf_breaker_new(&(struct tf_breaker_options){0}, &none, NULL), TF_NO_MEMORY);
	tf_mem_fail_at(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_opens_after_so_many_failures_in_a_row),
		TEST(a_success_between_starts_the_count_anew),
		TEST(when_its_time_is_over_one_try_is_let_in),
		TEST(a_failed_try_opens_it_for_twice_as_long_within_a_bound),
		TEST(a_try_that_told_nothing_lets_in_the_next),
		TEST(what_comes_late_counts_no_more),
		TEST(each_name_has_its_own),
		TEST(a_new_name_takes_the_row_of_a_closed_one),
		TEST(it_may_be_told_never_to_open),
		TEST(names_are_bounded_and_memory_may_be_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
