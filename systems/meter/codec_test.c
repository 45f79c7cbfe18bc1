/* The interval codec: what goes in comes out, whatever the grid, and no bytes can hurt the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "codec.h"
#include "reading.h"

static const enum meter_codec codecs[] = {METER_CODEC_PLAIN, METER_CODEC_MODEL};
#define CODEC_COUNT (sizeof codecs / sizeof *codecs)

/* splitmix64: the tests' own numbers, the same everywhere. */
static uint64_t
draw(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static struct meter_grid
grid_new(uint32_t rows, uint32_t slots, uint32_t slots_per_day)
{
	int64_t *v = tf_calloc((size_t)rows * slots + 1, sizeof *v);
	assert_non_null(v);
	return (struct meter_grid){.rows = rows, .slots = slots, .slots_per_day = slots_per_day, .values = v};
}

static int64_t *
cells(const struct meter_grid *g)
{
	return (int64_t *)g->values;
}

static void
grid_free(struct meter_grid *g)
{
	tf_free(cells(g));
	g->values = NULL;
}

/* Homes: a standby load, a daily shape, appliances that come and go. */
static void
fill_homes(struct meter_grid *g, uint64_t seed)
{
	for (uint32_t r = 0; r < g->rows; r++) {
		int64_t base = 20 + (int64_t)(draw(&seed) % 120), load = 0;
		for (uint32_t i = 0; i < g->slots; i++) {
			uint32_t hour = i % g->slots_per_day * 24 / g->slots_per_day;
			int64_t shape = hour >= 17 && hour <= 22 ? 200 : hour >= 7 ? 80 : 10;
			load = draw(&seed) % 4 ? load * 3 / 4 : (int64_t)(draw(&seed) % 1500);
			int64_t noise = (int64_t)(draw(&seed) % (uint64_t)(base / 4 + shape / 3 + 1));
			cells(g)[(size_t)r * g->slots + i] = base + noise + (hour >= 7 ? load : load / 16);
		}
	}
}

static void
assert_decodes(const struct meter_grid *g, struct tf_str bytes)
{
	struct meter_decoder *d = NULL;
	struct tf_fault f = {0};
	assert_int_equal(meter_decoder_open(bytes, g->rows, g->slots, &d, &f), TF_OK);
	int64_t *row = tf_malloc(((size_t)g->slots + 1) * sizeof *row);
	for (uint32_t k = 0; k < g->rows; k++) {
		uint32_t r = g->rows - 1 - k; /* any order will do */
		row[g->slots] = 0x5a5a;
		assert_int_equal(meter_decoder_row(d, r, row), TF_OK);
		assert_int_equal(row[g->slots], 0x5a5a);
		for (uint32_t i = 0; i < g->slots; i++)
			assert_int_equal(row[i], g->skip && g->skip[r] ? 0 : g->values[(size_t)r * g->slots + i]);
	}
	tf_free(row);
	int64_t *all = tf_malloc(((size_t)g->rows * g->slots + 1) * sizeof *all);
	uint32_t half = g->rows / 2;
	assert_int_equal(meter_decoder_rows(d, half, g->rows - half, all + (size_t)half * g->slots), TF_OK);
	assert_int_equal(meter_decoder_rows(d, 0, half, all), TF_OK);
	for (size_t i = 0; i < (size_t)g->rows * g->slots; i++)
		assert_int_equal(all[i], g->skip && g->skip[i / g->slots] ? 0 : g->values[i]);
	assert_int_equal(meter_decoder_rows(d, half, g->rows - half + 1, all), TF_INVALID);
	tf_free(all);
	meter_decoder_free(&d);
	assert_null(d);
}

/* Encodes, decodes, compares; returns the size. */
static size_t
round_trip(enum meter_codec codec, const struct meter_grid *g)
{
	struct tf_buf out;
	tf_buf_init(&out, 0);
	assert_int_equal(meter_codec_encode(codec, g, &out), TF_OK);
	assert_decodes(g, tf_buf_view(&out));
	size_t n = out.n;
	tf_buf_release(&out);
	return n;
}

static void
every_shape_comes_back(void **state)
{
	static const uint32_t shapes[][3] = {{0, 0, 0},     {0, 48, 48},   {1, 0, 48},    {1, 1, 0},    {1, 7, 0},
					     {3, 16, 48},   {5, 17, 24},   {200, 48, 48}, {64, 96, 96}, {65, 288, 288},
					     {7, 1440, 48}, {2, 2976, 96}, {1, 10000, 0}, {300, 1, 1}};
	uint64_t seed = 1;
	for (size_t c = 0; c < CODEC_COUNT; c++)
		for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
			struct meter_grid g = grid_new(shapes[s][0], shapes[s][1], shapes[s][2]);
			for (size_t i = 0; i < (size_t)g.rows * g.slots; i++)
				cells(&g)[i] = (int64_t)(draw(&seed) % 1000) - (s & 1 ? 500 : 0);
			round_trip(codecs[c], &g);
			grid_free(&g);
		}
}

static void
every_width_comes_back(void **state)
{
	uint64_t seed = 2;
	for (size_t c = 0; c < CODEC_COUNT; c++)
		for (unsigned bits = 0; bits <= 54; bits++) {
			struct meter_grid g = grid_new(9, 100, 48);
			for (size_t i = 0; i < 900; i++)
				cells(&g)[i] = (int64_t)(draw(&seed) & (((uint64_t)1 << bits) - 1)) - METER_VALUE_MAX;
			round_trip(codecs[c], &g);
			grid_free(&g);
		}
}

static void
extremes_come_back(void **state)
{
	static const int64_t odd[] = {METER_VALUE_MAX, -METER_VALUE_MAX, 0, 1, -1, METER_VALUE_MAX - 1, 65535, -65536};
	uint64_t seed = 3;
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(12, 200, 48);
		for (size_t i = 0; i < 2400; i++)
			cells(&g)[i] = odd[draw(&seed) % (1 + i / 200 % 8)];
		round_trip(codecs[c], &g);
		fill_homes(&g, 4);
		cells(&g)[5] = METER_VALUE_MAX;
		cells(&g)[6] = -METER_VALUE_MAX;
		round_trip(codecs[c], &g);
		grid_free(&g);
	}
}

static void
a_value_out_of_range_is_refused(void **state)
{
	static const int64_t wrong[] = {METER_VALUE_MAX + 1, -METER_VALUE_MAX - 1, INT64_MIN, INT64_MAX};
	struct tf_buf out;
	tf_buf_init(&out, 0);
	for (size_t c = 0; c < CODEC_COUNT; c++)
		for (size_t w = 0; w < 4; w++) {
			struct meter_grid g = grid_new(2, 48, 48);
			cells(&g)[77] = wrong[w];
			assert_int_equal(meter_codec_encode(codecs[c], &g, &out), TF_INVALID);
			assert_int_equal(out.n, 0);
			uint8_t skip[2] = {0, 1}; /* what is skipped is not looked at */
			g.skip = skip;
			round_trip(codecs[c], &g);
			grid_free(&g);
		}
	tf_buf_release(&out);
}

static void
skipped_and_zero_rows_take_no_bytes(void **state)
{
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(100, 1440, 48);
		assert_true(round_trip(codecs[c], &g) <= 8);
		fill_homes(&g, 5);
		uint8_t skip[100];
		memset(skip, 1, sizeof skip);
		g.skip = skip;
		assert_true(round_trip(codecs[c], &g) <= 8);
		skip[3] = skip[98] = 0;
		round_trip(codecs[c], &g);
		grid_free(&g);
	}
}

static void
constant_rows_take_a_few_bytes(void **state)
{
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(100, 1440, 48);
		for (uint32_t i = 0; i < 100 * 1440; i++)
			cells(&g)[i] = 40 + i / 1440 % 17;
		assert_true(round_trip(codecs[c], &g) <= 100 * 4 + 16);
		grid_free(&g);
	}
}

static void
rows_decode_by_themselves(void **state)
{
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(20, 480, 48);
		fill_homes(&g, 6);
		struct tf_buf out;
		tf_buf_init(&out, 0);
		assert_int_equal(meter_codec_encode(codecs[c], &g, &out), TF_OK);
		struct meter_decoder *d = NULL;
		assert_int_equal(meter_decoder_open(tf_buf_view(&out), 20, 480, &d, NULL), TF_OK);
		size_t head, at, n, sum = 0;
		int64_t row[480];
		for (uint32_t r = 0; r < 20; r++) {
			meter_decoder_row_span(d, r, &head, &at, &n);
			assert_int_equal(at, head + sum);
			sum += n;
			uint8_t keep[4096];
			assert_true(n <= sizeof keep);
			memcpy(keep, out.p + at, n);
			memset(out.p + head, 0xa5, out.n - head); /* every other row is rubbish */
			memcpy(out.p + at, keep, n);
			assert_int_equal(meter_decoder_row(d, r, row), TF_OK);
			assert_memory_equal(row, g.values + (size_t)r * 480, sizeof row);
			out.n = 0;
			assert_int_equal(meter_codec_encode(codecs[c], &g, &out), TF_OK);
		}
		assert_in_range(out.n - head - sum, 0, 8); /* room for loads */
		assert_int_equal(meter_decoder_row(d, 20, row), TF_INVALID);
		meter_decoder_free(&d);
		tf_buf_release(&out);
		grid_free(&g);
	}
}

static void
the_same_grid_gives_the_same_bytes(void **state)
{
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(50, 336, 48);
		fill_homes(&g, 7);
		struct tf_buf a, b;
		tf_buf_init(&a, 0);
		tf_buf_init(&b, 0);
		assert_int_equal(meter_codec_encode(codecs[c], &g, &a), TF_OK);
		tf_buf_cstr(&b, "what is there stays");
		size_t before = b.n;
		assert_int_equal(meter_codec_encode(codecs[c], &g, &b), TF_OK);
		assert_int_equal(b.n - before, a.n);
		assert_memory_equal(b.p + before, a.p, a.n);
		assert_memory_equal(b.p, "what is there stays", before);
		tf_buf_release(&a);
		tf_buf_release(&b);
		grid_free(&g);
	}
}

/* Opens and decodes hostile bytes in a block of exactly their size, so that a sanitizer sees any step outside. */
static void
decode_hostile(const uint8_t *p, size_t n, uint32_t rows, uint32_t slots)
{
	uint8_t *copy = malloc(n ? n : 1);
	int64_t *row = malloc(slots * sizeof *row), *all = malloc((size_t)rows * slots * sizeof *all);
	struct meter_decoder *d = NULL;
	memcpy(copy, p, n);
	enum tf_err e = meter_decoder_open(tf_str_n(copy, n), rows, slots, &d, NULL);
	assert_true(e == TF_OK || e == TF_CORRUPT);
	for (uint32_t r = 0; !e && r < rows; r++) {
		enum tf_err re = meter_decoder_row(d, r, row);
		assert_true(re == TF_OK || re == TF_CORRUPT);
	}
	if (!e) {
		enum tf_err re = meter_decoder_rows(d, 0, rows, all);
		assert_true(re == TF_OK || re == TF_CORRUPT);
	}
	if (!e)
		meter_decoder_free(&d);
	free(row);
	free(all);
	free(copy);
}

static void
truncated_blocks_are_refused(void **state)
{
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(12, 200, 48);
		fill_homes(&g, 8);
		struct tf_buf out;
		tf_buf_init(&out, 0);
		assert_int_equal(meter_codec_encode(codecs[c], &g, &out), TF_OK);
		for (size_t n = 0; n < out.n; n++) {
			struct meter_decoder *d = NULL;
			struct tf_fault f = {0};
			assert_int_equal(meter_decoder_open(tf_str_n(out.p, n), 12, 200, &d, &f), TF_CORRUPT);
			assert_null(d);
			assert_int_equal(f.code, TF_CORRUPT);
		}
		assert_int_equal(out.p[0], codecs[c]);
		tf_buf_u8(&out, 0);
		struct meter_decoder *d = NULL;
		assert_int_equal(meter_decoder_open(tf_buf_view(&out), 12, 200, &d, NULL), TF_CORRUPT);
		tf_buf_release(&out);
		grid_free(&g);
	}
}

static void
flipped_bits_never_hurt(void **state)
{
	uint64_t seed = 9;
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(12, 200, 48);
		fill_homes(&g, 10);
		struct tf_buf out;
		tf_buf_init(&out, 0);
		assert_int_equal(meter_codec_encode(codecs[c], &g, &out), TF_OK);
		assert_int_equal(out.p[0], codecs[c]);
		for (size_t bit = 0; bit < out.n * 8; bit++) {
			out.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			decode_hostile(out.p, out.n, 12, 200);
			out.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (int i = 0; i < 2000; i++) {
			uint8_t junk[160];
			size_t n = draw(&seed) % sizeof junk;
			for (size_t k = 0; k < n; k++)
				junk[k] = (uint8_t)draw(&seed);
			if (n)
				junk[0] = (uint8_t)codecs[c];
			decode_hostile(junk, n, 1 + (uint32_t)(draw(&seed) % 9), 1 + (uint32_t)(draw(&seed) % 300));
		}
		tf_buf_release(&out);
		grid_free(&g);
	}
}

static void
memory_running_out_is_reported(void **state)
{
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(6, 96, 48);
		fill_homes(&g, 11);
		enum tf_err e = TF_NO_MEMORY;
		for (uint64_t n = 1; e; n++) {
			assert_true(n < 200);
			struct tf_buf out;
			tf_buf_init(&out, 0);
			struct meter_decoder *d = NULL;
			tf_mem_fail_at(n);
			e = meter_codec_encode(codecs[c], &g, &out);
			e = e ? e : meter_decoder_open(tf_buf_view(&out), 6, 96, &d, NULL);
			tf_mem_fail_at(0);
			assert_true(e == TF_OK || e == TF_NO_MEMORY);
			meter_decoder_free(&d);
			tf_buf_release(&out);
		}
		grid_free(&g);
	}
}

/* What meters count, besides homes. Sizes are bytes a value of a month of 60 rows, plain and model. */
static int64_t
solar(uint32_t i, int64_t home, uint64_t *seed)
{
	uint32_t hour = i % 48 / 2;
	int64_t sun = hour < 6 || hour > 18 ? 0 : (int64_t)(hour - 6) * (18 - hour) * 40;
	return sun ? sun * (40 + (int64_t)(draw(seed) % 60)) / 100 : 0;
}

static int64_t
net_metered(uint32_t i, int64_t home, uint64_t *seed)
{
	return home - solar(i, home, seed);
}

static int64_t
whole_kwh(uint32_t i, int64_t home, uint64_t *seed)
{
	return draw(seed) % 1000 < (uint64_t)home % 1000 ? 1000 : 0;
}

static int64_t
volts(uint32_t i, int64_t home, uint64_t *seed)
{
	return 230000 + (int64_t)(draw(seed) % 512);
}

static int64_t
rare_events(uint32_t i, int64_t home, uint64_t *seed)
{
	return draw(seed) % 500 ? 0 : 5;
}

static int64_t
noise(uint32_t i, int64_t home, uint64_t *seed)
{
	return (int64_t)(draw(seed) >> 11) - ((int64_t)1 << 52);
}

static int64_t
coarse_steps(uint32_t i, int64_t home, uint64_t *seed)
{
	return 1000 * (int64_t)(draw(seed) % 4);
}

static void
each_kind_of_meter_costs_what_it_says(void **state)
{
	static const struct {
		int64_t (*value)(uint32_t i, int64_t home, uint64_t *seed);
		double most[CODEC_COUNT];
	} kinds[] = {
		{solar, {1.5, 0.7}},          {net_metered, {1.6, 1.4}},  {whole_kwh, {0.2, 0.13}},
		{volts, {1.25, 1.17}},        {rare_events, {0.1, 0.01}}, {noise, {6.7, 6.7}},
		{coarse_steps, {0.28, 0.27}},
	};
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		uint64_t seed = 12;
		struct meter_grid g = grid_new(60, 1440, 48);
		fill_homes(&g, 14);
		for (uint32_t i = 0; i < 60 * 1440; i++)
			cells(&g)[i] = kinds[k].value(i % 1440, cells(&g)[i], &seed);
		for (size_t c = 0; c < CODEC_COUNT; c++)
			assert_true((double)round_trip(codecs[c], &g) <= kinds[k].most[c] * 60 * 1440);
		grid_free(&g);
	}
}

static void
a_register_is_coded_by_its_steps(void **state)
{
	struct meter_grid g = grid_new(60, 1440, 48);
	fill_homes(&g, 15);
	size_t homes = round_trip(METER_CODEC_MODEL, &g);
	for (uint32_t i = 0; i < 60 * 1440; i++)
		cells(&g)[i] += i % 1440 ? cells(&g)[i - 1] : (int64_t)1 << 40;
	assert_true(round_trip(METER_CODEC_MODEL, &g) <= homes * 105 / 100);
	grid_free(&g);
}

static void
a_wild_value_harms_its_own_row_only(void **state)
{
	struct meter_grid g = grid_new(60, 1440, 48);
	fill_homes(&g, 16);
	size_t before = round_trip(METER_CODEC_MODEL, &g);
	cells(&g)[777] = METER_VALUE_MAX;
	assert_true(round_trip(METER_CODEC_MODEL, &g) <= before + 1440);
	grid_free(&g);
}

/* Rows of every kind in one block, and intervals of every length. */
static void
mixed_blocks_come_back(void **state)
{
	static const uint32_t days[] = {24, 48, 96, 288, 1440, 1441, 0};
	uint64_t seed = 17;
	for (size_t c = 0; c < CODEC_COUNT; c++)
		for (size_t k = 0; k < sizeof days / sizeof *days; k++) {
			uint32_t slots = days[k] ? days[k] * 3 + 5 : 333;
			struct meter_grid g = grid_new(23, slots, 48);
			fill_homes(&g, 18 + k);
			g.slots_per_day = days[k];
			for (size_t i = 0; i < (size_t)23 * slots; i++) {
				uint32_t r = (uint32_t)(i / slots), at = (uint32_t)(i % slots);
				int64_t v = cells(&g)[i];
				int64_t of_kind[] = {v,
						     -v,
						     0,
						     7,
						     v * 10,
						     solar(at, v, &seed),
						     net_metered(at, v, &seed),
						     volts(at, v, &seed),
						     noise(at, v, &seed),
						     -volts(at, v, &seed)};
				cells(&g)[i] = of_kind[r % 10];
			}
			round_trip(codecs[c], &g);
			grid_free(&g);
		}
}

static void
homes_take_no_more_than_promised(void **state)
{
	static const double month[CODEC_COUNT] = {1.4, 1.17}, day[CODEC_COUNT] = {1.45, 1.3};
	for (size_t c = 0; c < CODEC_COUNT; c++) {
		struct meter_grid g = grid_new(200, 1440, 48);
		fill_homes(&g, 13);
		size_t n = round_trip(codecs[c], &g);
		assert_true((double)n <= month[c] * 200 * 1440);
		g.slots = 48;
		fill_homes(&g, 13);
		n = round_trip(codecs[c], &g);
		assert_true((double)n <= day[c] * 200 * 48);
		grid_free(&g);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_comes_back),
		cmocka_unit_test(every_width_comes_back),
		cmocka_unit_test(extremes_come_back),
		cmocka_unit_test(a_value_out_of_range_is_refused),
		cmocka_unit_test(skipped_and_zero_rows_take_no_bytes),
		cmocka_unit_test(constant_rows_take_a_few_bytes),
		cmocka_unit_test(rows_decode_by_themselves),
		cmocka_unit_test(the_same_grid_gives_the_same_bytes),
		cmocka_unit_test(truncated_blocks_are_refused),
		cmocka_unit_test(flipped_bits_never_hurt),
		cmocka_unit_test(memory_running_out_is_reported),
		cmocka_unit_test(each_kind_of_meter_costs_what_it_says),
		cmocka_unit_test(a_register_is_coded_by_its_steps),
		cmocka_unit_test(a_wild_value_harms_its_own_row_only),
		cmocka_unit_test(mixed_blocks_come_back),
		cmocka_unit_test(homes_take_no_more_than_promised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
