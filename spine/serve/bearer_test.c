/* The life of a token, in virtual time. */
#include "serve/bearer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"

static struct tf_bearer b;
static const struct tf_fault gone = {TF_IO, "the issuer is gone"};

static int
setup(void **state)
{
	(void)state;
	tf_bearer_init(&b, 100, 400);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tf_bearer_release(&b);
	return 0;
}

/* Asks at a time: what to do, and who fetches. */
static void
asks(tf_dur now, enum tf_bearer_step wanted, bool wanted_fetch)
{
	bool fetch = !wanted_fetch;
	assert_int_equal(tf_bearer_ask(&b, now, &fetch), wanted);
	assert_int_equal(fetch, wanted_fetch);
}

static void
got(const char *text, tf_dur asked, tf_dur life)
{
	assert_int_equal(tf_bearer_got(&b, tf_str(text), asked, life, 200, NULL), TF_OK);
}

static void
one_of_all_who_ask_fetches(void **state)
{
	(void)state;
	asks(10, TF_BEARER_WAIT, true);
	for (int i = 0; i < 64; i++)
		asks(10, TF_BEARER_WAIT, false);
	got("one", 10, 1000);
	for (int i = 0; i < 64; i++)
		asks(10, TF_BEARER_USE, false);
	assert_string_equal(b.text, "one");
	assert_int_equal(b.number, 1);
}

static void
it_is_renewed_ahead_of_its_end_while_it_is_used(void **state)
{
	(void)state;
	asks(0, TF_BEARER_WAIT, true);
	got("one", 0, 1000);
	asks(799, TF_BEARER_USE, false);
	asks(800, TF_BEARER_USE, true);
	asks(801, TF_BEARER_USE, false);
	asks(999, TF_BEARER_USE, false);
	asks(1000, TF_BEARER_WAIT, false); /* over; the fetch is under way */
	assert_null(b.text);
	got("two", 800, 1000);
	asks(1000, TF_BEARER_USE, false);
	assert_string_equal(b.text, "two");
	assert_int_equal(b.number, 2);
}

static void
a_short_life_is_renewed_at_its_half(void **state)
{
	(void)state;
	asks(0, TF_BEARER_WAIT, true);
	got("one", 0, 100);
	asks(49, TF_BEARER_USE, false);
	asks(50, TF_BEARER_USE, true);
}

static void
a_failed_fetch_fails_who_asks_until_its_wait_is_over(void **state)
{
	(void)state;
	static const tf_dur waits[] = {100, 200, 400, 400};
	tf_dur now = 0;
	for (int i = 0; i < 4; i++) {
		asks(now, TF_BEARER_WAIT, true);
		tf_bearer_failed(&b, now, 0, &gone);
		asks(now, TF_BEARER_FAILED, false);
		assert_string_equal(b.fault.text, gone.text);
		assert_int_equal(b.not_before, now + waits[i]);
		asks(now + waits[i] - 1, TF_BEARER_FAILED, false);
		now += waits[i];
	}
	asks(now, TF_BEARER_WAIT, true);
	got("one", now, 1000);
	asks(now + 900, TF_BEARER_USE, true);
	tf_bearer_failed(&b, now + 900, 0, &gone);
	assert_int_equal(b.not_before, now + 1000); /* from the beginning again */
}

static void
a_renewal_that_fails_leaves_the_token_to_its_end(void **state)
{
	(void)state;
	asks(0, TF_BEARER_WAIT, true);
	got("one", 0, 1000);
	asks(850, TF_BEARER_USE, true);
	tf_bearer_failed(&b, 850, 0, &gone);
	asks(860, TF_BEARER_USE, false);
	asks(950, TF_BEARER_USE, true);
	tf_bearer_failed(&b, 950, 0, &gone);
	asks(999, TF_BEARER_USE, false);
	asks(1000, TF_BEARER_FAILED, false);
	asks(1150, TF_BEARER_WAIT, true);
}

static void
only_the_token_that_was_refused_is_forgotten(void **state)
{
	(void)state;
	asks(0, TF_BEARER_WAIT, true);
	got("one", 0, 1000);
	asks(10, TF_BEARER_USE, false);
	tf_bearer_refused(&b, 1, 10, 0);
	tf_bearer_refused(&b, 1, 10, 0);
	asks(10, TF_BEARER_WAIT, true);
	got("two", 10, 1000);
	tf_bearer_refused(&b, 1, 11, 0); /* late */
	asks(11, TF_BEARER_USE, false);
	assert_string_equal(b.text, "two");
}

static void
a_service_that_takes_no_token_costs_its_issuer_little(void **state)
{
	(void)state;
	static const tf_dur waits[] = {0, 100, 200, 400, 400};
	tf_dur now = 0;
	for (uint64_t i = 0; i < 5; i++) {
		asks(now, TF_BEARER_WAIT, true);
		got("x", now, 1000);
		tf_bearer_refused(&b, i + 1, now, 0);
		if (waits[i])
			asks(now + waits[i] - 1, TF_BEARER_FAILED, false);
		now += waits[i];
	}
	assert_int_equal(b.fault.code, TF_DENIED);
	asks(now, TF_BEARER_WAIT, true);
	got("good", now, 1000);
	tf_bearer_taken(&b, 6);
	tf_bearer_refused(&b, 6, now, 0);
	asks(now, TF_BEARER_WAIT, true); /* the count began anew */
}

static void
what_is_no_token_is_not_taken(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "a b", "a\r\nX: y", "a\"", "=", "a=b", "\xc3\xa4"};
	struct tf_fault f;
	char *long_one = calloc(1, TF_BEARER_BYTES + 2);
	memset(long_one, 'a', TF_BEARER_BYTES + 1);
	asks(0, TF_BEARER_WAIT, true);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tf_bearer_got(&b, tf_str(bad[i]), 0, 100, 0, &f), TF_INVALID);
	assert_int_equal(tf_bearer_got(&b, tf_str_n("a\0b", 3), 0, 100, 0, &f), TF_INVALID);
	assert_int_equal(tf_bearer_got(&b, TF_STR("a"), 0, 0, 0, &f), TF_INVALID);
	assert_int_equal(tf_bearer_got(&b, tf_str(long_one), 0, 100, 0, &f), TF_TOO_LARGE);
	tf_mem_fail_at(1);
	assert_int_equal(tf_bearer_got(&b, TF_STR("a"), 0, 100, 0, &f), TF_NO_MEMORY);
	tf_mem_fail_at(0);
	asks(0, TF_BEARER_WAIT, false);
	long_one[TF_BEARER_BYTES] = 0;
	got(long_one, 0, 100);
	got("a-._~+/9Z==", 0, 100);
	free(long_one);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_of_all_who_ask_fetches),
		TEST(it_is_renewed_ahead_of_its_end_while_it_is_used),
		TEST(a_short_life_is_renewed_at_its_half),
		TEST(a_failed_fetch_fails_who_asks_until_its_wait_is_over),
		TEST(a_renewal_that_fails_leaves_the_token_to_its_end),
		TEST(only_the_token_that_was_refused_is_forgotten),
		TEST(a_service_that_takes_no_token_costs_its_issuer_little),
		TEST(what_is_no_token_is_not_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
