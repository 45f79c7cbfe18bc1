/* Decimals: exactness, rounding, overflow; and against 128-bit arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/decimal.h"

static void
exact_texts_are_scaled(void **state)
{
	static const struct {
		const char *text;
		int scale;
		int64_t want;
	} rows[] = {
		{"1.111", 3, 1111},
		{"0", 0, 0},
		{"-0", 3, 0},
		{"-0.001", 3, -1},
		{"+7", 2, 700},
		{".5", 1, 5},
		{"5.", 1, 50},
		{"1.5E+3", 0, 1500},
		{"1.5e3", 3, 1500000},
		{"15e-1", 1, 15},
		{"1500e-2", 0, 15},
		{"1.10", 1, 11},
		{"0.000000000000000000000000000000", 3, 0},
		{"0e999999999999", 18, 0},
		{"0e-999999999999", 18, 0},
		{"000000000000000000000000000000001.5", 1, 15},
		{"0.0000000000000000000000000000015e30", 1, 15},
		{"9223372036854775807", 0, INT64_MAX},
		{"-9223372036854775808", 0, INT64_MIN},
		{"-9.223372036854775808", 18, INT64_MIN},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t v = 42;
		if (tf_decimal_parse(tf_str(rows[i].text), rows[i].scale, TF_ROUND_NOT, &v) != TF_OK)
			fail_msg("refused: %s", rows[i].text);
		assert_int_equal(v, rows[i].want);
	}
}

static void
other_texts_are_refused(void **state)
{
	static const struct {
		const char *text;
		int scale;
		enum tf_err want;
	} rows[] = {
		{"", 0, TF_INVALID},
		{".", 0, TF_INVALID},
		{"-", 0, TF_INVALID},
		{"e5", 0, TF_INVALID},
		{"1e", 0, TF_INVALID},
		{"1e+", 0, TF_INVALID},
		{" 1", 0, TF_INVALID},
		{"1 ", 0, TF_INVALID},
		{"1,5", 1, TF_INVALID},
		{"1.5.5", 1, TF_INVALID},
		{"--1", 0, TF_INVALID},
		{"0x1", 0, TF_INVALID},
		{"nan", 0, TF_INVALID},
		{"1.1111", 3, TF_INVALID},
		{"1e-999999999999", 3, TF_INVALID},
		{"9223372036854775808", 0, TF_TOO_LARGE},
		{"-9223372036854775809", 0, TF_TOO_LARGE},
		{"18446744073709551616", 0, TF_TOO_LARGE},
		{"10", 18, TF_TOO_LARGE},
		{"1e999999999999", 0, TF_TOO_LARGE},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t v = 42;
		assert_int_equal(tf_decimal_parse(tf_str(rows[i].text), rows[i].scale, TF_ROUND_NOT, &v), rows[i].want);
		assert_int_equal(v, 42);
	}
}

static void
rounding_is_as_named(void **state)
{
	static const struct {
		const char *text;
		int64_t up, even, down;
	} rows[] = {
		{"0.5", 1, 0, 0},     {"1.5", 2, 2, 1},       {"2.5", 3, 2, 2},       {"-0.5", -1, 0, 0},
		{"-2.5", -3, -2, -2}, {"2.49", 2, 2, 2},      {"2.51", 3, 3, 2},      {"2.500000001", 3, 3, 2},
		{"0.05", 0, 0, 0},    {"0.4999999", 0, 0, 0}, {"5e-1", 1, 0, 0},      {"5e-2", 0, 0, 0},
		{"99e-2", 1, 1, 0},   {"1e-30", 0, 0, 0},     {"-7.5e0", -8, -8, -7},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t v;
		struct tf_str s = tf_str(rows[i].text);
		assert_int_equal(tf_decimal_parse(s, 0, TF_ROUND_HALF_UP, &v), TF_OK);
		assert_int_equal(v, rows[i].up);
		assert_int_equal(tf_decimal_parse(s, 0, TF_ROUND_HALF_EVEN, &v), TF_OK);
		assert_int_equal(v, rows[i].even);
		assert_int_equal(tf_decimal_parse(s, 0, TF_ROUND_DOWN, &v), TF_OK);
		assert_int_equal(v, rows[i].down);
	}
	int64_t v;
	assert_int_equal(tf_decimal_parse(TF_STR("9223372036854775807.5"), 0, TF_ROUND_HALF_UP, &v), TF_TOO_LARGE);
}

static uint64_t seed = 88172645463325252;

static uint64_t
draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void
format_and_parse_are_inverse(void **state)
{
	char text[32];
	for (int i = 0; i < 200000; i++) {
		int scale = (int)(draw() % (TF_SCALE_MAX + 1));
		int64_t v = (int64_t)draw() >> (draw() % 64), back;
		assert_int_equal(
			tf_decimal_parse(tf_str(tf_decimal_format(v, scale, text)), scale, TF_ROUND_NOT, &back), TF_OK);
		assert_int_equal(back, v);
		assert_int_equal(
			tf_decimal_parse(tf_str(tf_decimal_format_short(v, scale, text)), scale, TF_ROUND_NOT, &back),
			TF_OK);
		assert_int_equal(back, v);
	}
	assert_string_equal(tf_decimal_format(1111, 3, text), "1.111");
	assert_string_equal(tf_decimal_format(-5, 2, text), "-0.05");
	assert_string_equal(tf_decimal_format(1250, 2, text), "12.50");
	assert_string_equal(tf_decimal_format(0, 2, text), "0.00");
	assert_string_equal(tf_decimal_format(INT64_MIN, 18, text), "-9.223372036854775808");
	assert_string_equal(tf_decimal_format(INT64_MIN, 0, text), "-9223372036854775808");
	assert_string_equal(tf_decimal_format_short(1250, 2, text), "12.5");
	assert_string_equal(tf_decimal_format_short(1200, 2, text), "12");
	assert_string_equal(tf_decimal_format_short(100, 0, text), "100");
	assert_string_equal(tf_decimal_format_short(0, 5, text), "0");
}

/* Floor division and the distance to it, in 128 bits: written differently from the code under test. */
static bool
reference(int64_t a, int64_t b, int64_t c, enum tf_round round, int64_t *out)
{
	__int128 p = (__int128)a * b, d = c;
	if (d < 0) {
		p = -p;
		d = -d;
	}
	__int128 q = p / d, r = p % d;
	if (r < 0) {
		q--;
		r += d;
	}
	if (r && round == TF_ROUND_DOWN)
		q += p < 0;
	else if (r && (2 * r > d || (2 * r == d && (round == TF_ROUND_HALF_EVEN ? q & 1 : p > 0))))
		q++;
	*out = (int64_t)q;
	return q == (int64_t)q;
}

static void
mul_div_agrees_with_128_bits(void **state)
{
	static const enum tf_round rounds[] = {TF_ROUND_HALF_UP, TF_ROUND_HALF_EVEN, TF_ROUND_DOWN};
	for (int i = 0; i < 300000; i++) {
		int64_t a = (int64_t)draw() >> (draw() % 64), b = (int64_t)draw() >> (draw() % 64);
		int64_t c = i % 2 ? (int64_t)(draw() % 41) - 20 : (int64_t)draw() >> (draw() % 64), got = 0, want;
		if (c == 0)
			continue;
		enum tf_round round = rounds[i % 3];
		enum tf_err e = tf_mul_div(a, b, c, round, &got);
		if (!reference(a, b, c, round, &want)) {
			assert_int_equal(e, TF_TOO_LARGE);
			continue;
		}
		assert_int_equal(e, TF_OK);
		assert_int_equal(got, want);
		enum tf_err exact = tf_mul_div(a, b, c, TF_ROUND_NOT, &got);
		assert_int_equal(exact, (__int128)a * b % c ? TF_INVALID : TF_OK);
	}
	int64_t v;
	assert_int_equal(tf_mul_div(1, 1, 0, TF_ROUND_DOWN, &v), TF_INVALID);
	assert_int_equal(tf_mul_div(INT64_MIN, INT64_MIN, INT64_MIN, TF_ROUND_NOT, &v), TF_OK);
	assert_int_equal(v, INT64_MIN);
}

static void
rescale_moves_the_point(void **state)
{
	int64_t v;
	assert_int_equal(tf_decimal_rescale(1111, 3, 4, TF_ROUND_NOT, &v), TF_OK);
	assert_int_equal(v, 11110);
	assert_int_equal(tf_decimal_rescale(1115, 3, 2, TF_ROUND_HALF_EVEN, &v), TF_OK);
	assert_int_equal(v, 112);
	assert_int_equal(tf_decimal_rescale(1111, 3, 2, TF_ROUND_NOT, &v), TF_INVALID);
	assert_int_equal(tf_decimal_rescale(INT64_MAX, 0, 1, TF_ROUND_NOT, &v), TF_TOO_LARGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_texts_are_scaled),       cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(rounding_is_as_named),         cmocka_unit_test(format_and_parse_are_inverse),
		cmocka_unit_test(mul_div_agrees_with_128_bits), cmocka_unit_test(rescale_moves_the_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
