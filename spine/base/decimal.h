/* Exact decimal numbers as scaled 64-bit integers: 1.111 at scale 3 is 1111. For money, energy and tariffs.
 *
 * Nothing here is floating point. Where a result does not fit the scale, the caller says how it is rounded. Thread
 * rule: pure functions. */
#pragma once
#include "base/str.h"

#define TF_SCALE_MAX 18

enum tf_round {
	TF_ROUND_NOT = 0,   /* an inexact result is TF_INVALID */
	TF_ROUND_HALF_UP,   /* to nearest, ties away from zero: 0.5 -> 1, -0.5 -> -1 (invoices) */
	TF_ROUND_HALF_EVEN, /* to nearest, ties to the even neighbour: 0.5 -> 0, 1.5 -> 2 (long sums without drift) */
	TF_ROUND_DOWN,      /* towards zero */
};

/* [+-]digits[.digits][(e|E)[+-]digits], whole string; ".5" and "5." are taken, blanks are not. *out is the value times
 * 10^scale, scale 0 to TF_SCALE_MAX. TF_INVALID: no such number, or inexact under TF_ROUND_NOT. TF_TOO_LARGE: does not
 * fit. "0.0000", "1.50E+3" and 400 zeros are all exact. */
enum tf_err tf_decimal_parse(struct tf_str s, int scale, enum tf_round round, int64_t *out) TF_MUST_USE;
/* "1.111": always scale decimals (12.50 stays 12.50). Returns out. */
char *tf_decimal_format(int64_t value, int scale, char out[static 32]);
/* "12.5": no trailing zeros, no bare point. Returns out. */
char *tf_decimal_format_short(int64_t value, int scale, char out[static 32]);

/* a * b / c, exact in between (128 bits), rounded once. TF_INVALID: c is 0, or inexact under TF_ROUND_NOT.
 * TF_TOO_LARGE: does not fit. Energy in Wh times a rate in micro-units per kWh is money: tf_mul_div(wh, rate, 1000,
 * ...). */
enum tf_err tf_mul_div(int64_t a, int64_t b, int64_t c, enum tf_round round, int64_t *out) TF_MUST_USE;
/* From one scale to another: 1111 at 3 is 111 (rounded) at 2 and 11110 at 4. Errors as tf_decimal_parse. */
enum tf_err tf_decimal_rescale(int64_t value, int from, int to, enum tf_round round, int64_t *out) TF_MUST_USE;
