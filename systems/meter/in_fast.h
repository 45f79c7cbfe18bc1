/* The inner loop of NEM12 and wide CSV: short decimals straight to integers, eight bytes at a time without a branch on
 * the digits. A value is up to seven bytes of digits with at most one dot; anything else stops the loop and is left to
 * in_decimal. Needs a little-endian machine (x86-64, arm64). */
#pragma once
#include "in_parts.h"

/* What a value with f decimals is multiplied by, so that it comes out in steps; entry 7 stands for "no dot" (seven
 * bytes have no room for seven decimals and a dot). 0: more decimals than the step has. */
struct in_scale {
	int64_t by[8];
};

static inline void
in_scale_init(struct in_scale *s, int exponent)
{
	for (int f = 0; f < 8; f++) {
		int up = exponent - (f == 7 ? 0 : f);
		s->by[f] = up >= 0 && up <= 8 ? 1 : 0;
		for (int i = 0; s->by[f] && i < up; i++)
			s->by[f] *= 10;
	}
}

/* The eight ASCII digits of t - '0' each, first digit in the lowest byte. */
static inline uint64_t
in_eight_digits(uint64_t t)
{
	t = t * 10 + (t >> 8);
	return (((t & 0x000000ff000000ff) * 0x000f424000000064) +
		(((t >> 16) & 0x000000ff000000ff) * 0x0000271000000001)) >>
	       32;
}

/* Reads up to n values, each followed by sep, from *p (which moves past them); returns how many. Stops at the first
 * that is empty, long, not plain, or within eight bytes of end. */
static inline size_t
in_fast_values(const char **at, const char *end, char sep, const struct in_scale *scale, int64_t *out, size_t n)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7, seps = ones * (uint8_t)sep, dots = ones * '.';
	const char *p = *at;
	size_t i = 0;
	for (; i < n && end - p >= 8; i++) {
		uint64_t w, x;
		memcpy(&w, p, 8);
		x = w ^ seps;
		x = (x - ones) & ~x & tops;
		if (!x)
			break;
		unsigned bits = (unsigned)__builtin_ctzll(x) & 0x38; /* 8 x length */
		if (!bits)
			break;
		const char *next = p + (bits >> 3) + 1;
		w <<= 64 - bits;
		x = w ^ dots;
		x = (x - ones) & ~x & tops;
		x &= 0 - x; /* top bit of the dot's byte, or 0 */
		uint64_t before = w & ((x >> 7) - 1), after = w & ~((x << 1) - 1);
		unsigned dot_bits = (x != 0) * 8u;
		w = before << dot_bits | after;
		bits -= dot_bits;
		w |= 0x3030303030303030 >> bits;
		w ^= 0x3030303030303030;
		int64_t by = scale->by[__builtin_clzll(x | 1) >> 3];
		if ((((w | (w + 0x0606060606060606)) & 0xf0f0f0f0f0f0f0f0) != 0) | !bits | !by)
			break;
		out[i] = (int64_t)in_eight_digits(w) * by;
		p = next;
	}
	*at = p;
	return i;
}
