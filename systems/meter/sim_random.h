/* Random numbers of the simulator: integers alone, so that a seed gives the same bytes on every machine.
 *
 * A stream is a 64-bit state stepped by a constant and mixed by one 128-bit product (wyrand's way). Streams are keyed
 * by (seed, meter, what for, date), so that any day can be made without those before it. Fixed point: "q8" is 1/256,
 * "q16" is 1/65536, an octave is a doubling. */
#pragma once
#include <stdint.h>

struct sim_random {
	uint64_t state;
};

static inline uint64_t
sim_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)(a ^ 0xa0761d6478bd642fu) * (b ^ 0xe7037ed1a0b428dbu);
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t
sim_u64(struct sim_random *r)
{
	r->state += 0x9e3779b97f4a7c15u;
	return sim_mix(r->state, r->state ^ 0x8ebc6af09c88c6e3u);
}

/* 0 .. n - 1. */
static inline int32_t
sim_below(struct sim_random *r, int32_t n)
{
	return (int32_t)(((sim_u64(r) >> 32) * (uint64_t)(uint32_t)n) >> 32);
}

/* True with a chance of q8 / 256. */
static inline bool
sim_chance(struct sim_random *r, int32_t q8)
{
	return (int32_t)(sim_u64(r) >> 56) < q8;
}

/* A bell curve of standard deviation 256 (q8): the sum of four uniform numbers; within +-887. */
static inline int32_t
sim_bell(struct sim_random *r)
{
	uint64_t u = sim_u64(r);
	int32_t sum =
		(int32_t)(u & 0xffff) + (int32_t)(u >> 16 & 0xffff) + (int32_t)(u >> 32 & 0xffff) + (int32_t)(u >> 48);
	return (sum - 2 * 0xffff) * 443 / 65536;
}

/* 2^(q8 / 256) as q16, by a quadratic within the octave (0.3 % off at most). Octaves -15 to 14. */
static inline int32_t
sim_exp2(int32_t q8)
{
	int32_t octave = q8 >> 8, x = q8 & 255;
	int32_t mantissa = 65536 + x * 168 + ((x * x * 88) >> 8);
	return octave >= 0 ? mantissa << octave : mantissa >> -octave;
}

/* median x 2^(spread x bell): log-normal; spread in q8 octaves. */
static inline int32_t
sim_around(struct sim_random *r, int32_t median, int32_t spread)
{
	return (int32_t)(((int64_t)median * sim_exp2(spread * sim_bell(r) >> 8)) >> 16);
}

/* Exponential of that mean: -ln(u), through log2 by leading zeros and a quadratic within the octave. */
static inline int32_t
sim_wait(struct sim_random *r, int32_t mean)
{
	uint64_t u = sim_u64(r) | 1;
	int32_t zeros = __builtin_clzll(u);
	int32_t x = (int32_t)((u << zeros) >> 55) & 255;
	int32_t log2_q8 = x + ((x * (256 - x) * 88) >> 16);
	int32_t octaves_q8 = ((zeros + 1) << 8) - log2_q8;
	return (int32_t)(((int64_t)mean * octaves_q8 * 177) >> 16);
}
