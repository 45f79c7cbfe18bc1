/* Determinants and money, by hand and beside a plain loop: local days of 23, 24.5 and 25 hours, demand intervals,
 * slabs, rounding, sealed sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "core_bill_tou.h"
#include "core_revise.h"
#include "os/os.h"

#define PLAN_TEXT(members)                                                                                             \
	"{\"name\":\"t\",\"currency\":\"INR\",\"minor_digits\":2,\"holidays\":[\"2026-03-04\"],\"versions\":[{"        \
	"\"from\":\"2000-01-01\",\"default\":\"p\",\"plans\":[{\"name\":\"p\"" members "}]}]}"
#define NIGHT                                                                                                          \
	",\"registers\":[{\"name\":\"night\",\"windows\":[{\"from\":\"00:00\",\"to\":\"06:00\"}]},{\"name\":\"day\"}]"

static struct meter_tariff *
parse(const char *text)
{
	struct meter_tariff *t = NULL;
	struct tf_fault f = {0};
	if (meter_tariff_parse(tf_str("test"), tf_str(text), &t, &f))
		fail_msg("%s", f.text);
	return t;
}

static struct tf_zone *
zone_of(const char *name)
{
	struct tf_zone *z = NULL;
	assert_int_equal(tf_os_zone(tf_os_real(), tf_str(name), &z, NULL), TF_OK);
	return z;
}

static struct meter_grid_shape
span_shape(const struct tf_zone *z, uint32_t interval_s, int32_t first, int32_t end)
{
	struct meter_grid_shape s = {.first = tf_zone_day_start(z, first), .interval_s = interval_s};
	s.slots = (uint32_t)((tf_zone_day_start(z, end) - s.first) / TF_SEC / interval_s);
	return s;
}

static int32_t
month_of(const char *text)
{
	int32_t m = 0;
	assert_int_equal(tf_month_parse(tf_str(text), &m), TF_OK);
	return m;
}

/* How many slots of a month each register gets. */
static void
count_slots(const struct meter_tariff *t, const char *zone, uint32_t interval_s, const char *month, int64_t out[2])
{
	struct tf_zone *z = zone_of(zone);
	int32_t m = month_of(month);
	struct meter_grid_shape shape = span_shape(z, interval_s, tf_month_first_date(m), tf_month_first_date(m + 1));
	struct meter_bill_table table;
	assert_int_equal(meter_bill_table_plan(z, &shape, t, &t->versions[0].plans[0], &table), TF_OK);
	int64_t *ones = tf_calloc(shape.slots, sizeof *ones), w = 0;
	for (uint32_t i = 0; i < shape.slots; i++)
		ones[i] = 1;
	out[0] = out[1] = 0;
	meter_bill_row(&table, ones, 0, shape.slots, out, &w);
	tf_free(ones);
	meter_bill_table_release(&table);
	tf_zone_free(&z);
}

static void
night_register_follows_the_wall_clock(void **state)
{
	(void)state;
	struct meter_tariff *t = parse(PLAN_TEXT(NIGHT));
	static const struct {
		const char *zone, *month;
		int64_t night, all;
	} cases[] = {
		{"UTC", "2026-03", 31 * 12, 31 * 48},
		{"Asia/Kolkata", "2026-03", 31 * 12, 31 * 48},
		{"Europe/London", "2026-03", 31 * 12 - 2, 31 * 48 - 2},       /* 23 hours on the 29th */
		{"Europe/London", "2026-10", 31 * 12 + 2, 31 * 48 + 2},       /* 25 hours on the 25th */
		{"Australia/Lord_Howe", "2026-04", 30 * 12 + 1, 30 * 48 + 1}, /* 24.5 hours on the 5th */
		{"Australia/Lord_Howe", "2026-10", 31 * 12 - 1, 31 * 48 - 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t slots[2];
		count_slots(t, cases[i].zone, 1800, cases[i].month, slots);
		assert_int_equal(slots[0], cases[i].night);
		assert_int_equal(slots[0] + slots[1], cases[i].all);
		count_slots(t, cases[i].zone, 300, cases[i].month, slots);
		assert_int_equal(slots[0], cases[i].night * 6);
		assert_int_equal(slots[0] + slots[1], cases[i].all * 6);
	}
	meter_tariff_free(&t);
}

static uint32_t
no_register(const void *ctx, int32_t date, uint32_t minute)
{
	(void)ctx, (void)date, (void)minute;
	return 0;
}

static int64_t
demand_of(const char *zone, uint32_t interval_s, uint32_t demand_s, const int64_t *values, uint32_t slots)
{
	struct tf_zone *z = zone_of(zone);
	struct meter_grid_shape shape = span_shape(z, interval_s, 20000, 20001);
	assert_int_equal(shape.slots, slots);
	struct meter_bill_table table;
	assert_int_equal(meter_bill_table_init(z, &shape, demand_s, no_register, NULL, &table), TF_OK);
	int64_t wh = 0, w = 0;
	meter_bill_row(&table, values, 0, slots, &wh, &w);
	meter_bill_table_release(&table);
	tf_zone_free(&z);
	return w;
}

static void
demand_is_the_mean_power_of_its_interval(void **state)
{
	(void)state;
	int64_t v[288] = {0};
	v[10] = 100, v[11] = 300, v[12] = 500, v[13] = 20; /* slots 10 and 11, 12 and 13 share two slots' windows */
	assert_int_equal(demand_of("UTC", 900, 900, v, 96), 2000);
	assert_int_equal(demand_of("UTC", 900, 1800, v, 96), 1040);
	assert_int_equal(demand_of("UTC", 900, 2700, v, 96), 693); /* slots 12 to 14: 520 Wh in 45 minutes */
	assert_int_equal(demand_of("UTC", 900, 3600, v, 96), 520);
	assert_int_equal(demand_of("UTC", 900, 300, v, 96), 2000); /* no finer than the readings */
	assert_int_equal(demand_of("UTC", 300, 1800, v, 288), 1040);
	assert_int_equal(demand_of("Asia/Kolkata", 900, 3600, v, 96), 520); /* windows from local midnight */
	int64_t none[96] = {0}, out[96];
	assert_int_equal(demand_of("UTC", 900, 1800, none, 96), 0);
	for (int i = 0; i < 96; i++)
		out[i] = -5;
	assert_int_equal(demand_of("UTC", 900, 1800, out, 96), 0);
}

static uint32_t
next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static uint32_t
some_register(const void *ctx, int32_t date, uint32_t minute)
{
	uint32_t grain = *(const uint32_t *)ctx, x = (uint32_t)date * 2654435761u + minute / grain * 40503u;
	return x >> 13 & 7;
}

/* The same by asking of every slot which register and which demand interval it is in. */
static void
plainly(const struct tf_zone *z, const struct meter_grid_shape *shape, uint32_t demand_s, uint32_t grain,
	const int64_t *values, uint32_t from, uint32_t to, int64_t *registers, int64_t *w)
{
	uint32_t window = (demand_s + shape->interval_s - 1) / shape->interval_s, at = 0;
	int64_t sum = 0, most = 0;
	int32_t today = INT32_MIN;
	for (uint32_t i = from; i < to; i++) {
		tf_time t = shape->first + (tf_dur)i * shape->interval_s * TF_SEC;
		int64_t local = t / TF_SEC + tf_zone_offset(z, t, NULL);
		int32_t date = (int32_t)(local / 86400);
		if (date != today || at == window) {
			sum = 0;
			at = 0;
		}
		today = date;
		at++;
		sum += values[i];
		most = sum > most ? sum : most;
		registers[some_register(&grain, date, (uint32_t)(local % 86400 / 60))] += values[i];
	}
	assert_int_equal(tf_mul_div(most, 3600, (int64_t)window * shape->interval_s, TF_ROUND_HALF_EVEN, w), TF_OK);
}

static void
spans_equal_a_plain_loop(void **state)
{
	(void)state;
	static const char *const zones[] = {"UTC", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata"};
	static const uint32_t intervals[] = {300, 900, 1800, 3600}, widths[] = {300, 900, 1800, 3600, 7200};
	uint32_t seed = 7;
	for (int n = 0; n < 300; n++) {
		struct tf_zone *z = zone_of(zones[next(&seed) % 4]);
		uint32_t interval = intervals[next(&seed) % 3], demand = widths[next(&seed) % 5];
		uint32_t grain = next(&seed) % 2 ? 60 : 30;
		int32_t month = month_of("2026-01") + (int32_t)(next(&seed) % 12), first = tf_month_first_date(month);
		int32_t end = tf_month_first_date(month + 1);
		struct meter_grid_shape shape = span_shape(z, interval, first, end);
		int64_t *v = tf_calloc(shape.slots, sizeof *v), a[8] = {0}, b[8] = {0}, wa = 0, wb = 0;
		for (uint32_t i = 0; i < shape.slots; i++)
			v[i] = next(&seed) % 3000;
		struct meter_bill_table table;
		assert_int_equal(meter_bill_table_init(z, &shape, demand, some_register, &grain, &table), TF_OK);
		int32_t d1 = first + (int32_t)(next(&seed) % 28),
			d2 = d1 + 1 + (int32_t)(next(&seed) % (uint32_t)(end - d1));
		uint32_t from, to;
		meter_shape_slots(&shape, tf_zone_day_start(z, d1), tf_zone_day_start(z, d2), &from, &to);
		meter_bill_row(&table, v, from, to, a, &wa);
		plainly(z, &shape, demand, grain, v, from, to, b, &wb);
		for (int r = 0; r < 8; r++)
			assert_int_equal(a[r], b[r]);
		assert_int_equal(wa, wb);
		meter_bill_table_release(&table);
		tf_free(v);
		tf_zone_free(&z);
	}
}

struct sheet {
	struct meter_bill_line lines[METER_BILL_LINES_MAX];
	uint32_t count;
	int64_t total;
};

static struct sheet
bill(const char *text, const struct meter_use *use, uint32_t days, uint32_t month_days)
{
	struct meter_tariff *t = parse(text);
	struct sheet s = {0};
	assert_int_equal(
		meter_bill_lines(t, &t->versions[0].plans[0], use, days, month_days, s.lines, &s.count, &s.total),
		TF_OK);
	/* Names point into the tariff. */
	for (uint32_t i = 0; i < s.count; i++)
		s.lines[i].name = tf_str("");
	meter_tariff_free(&t);
	return s;
}

#define SLABS                                                                                                          \
	",\"slabs\":[{\"up_to_kwh\":100,\"rate\":\"3.25\"},{\"up_to_kwh\":300,\"rate\":\"5.10\"},{\"rate\":\"7.90\"}]"

static void
slabs_end_at_their_limits(void **state)
{
	(void)state;
	static const struct {
		int64_t wh, total;
		uint32_t lines;
	} cases[] = {
		{0, 0, 1},
		{1, 0, 1}, /* 0.325 of a paisa */
		{100000, 32500, 1},
		{100001, 32501, 2}, /* 0.51 */
		{300000, 32500 + 102000, 2},
		{300100, 32500 + 102000 + 79, 3},
		{1000000, 32500 + 102000 + 553000, 3},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct meter_use use = {.registers = {cases[i].wh}};
		struct sheet s = bill(PLAN_TEXT(SLABS), &use, 30, 30);
		assert_int_equal(s.total, cases[i].total);
		assert_int_equal(s.count, cases[i].lines);
	}
}

static void
part_of_a_month_has_part_of_slab_fixed_and_demand(void **state)
{
	(void)state;
	struct meter_use use = {.registers = {100000}, .demand_w = 2000};
	struct sheet s = bill(
		PLAN_TEXT(SLABS ",\"fixed\":\"90.00\",\"demand\":{\"interval_minutes\":30,\"rate_per_kw\":\"62.00\"}"),
		&use, 10, 31);
	assert_int_equal(s.count, 5);
	assert_int_equal(s.lines[0].quantity, 32258); /* 100 kWh * 10 / 31 */
	assert_int_equal(s.lines[0].amount, 10484);   /* 104.8385 */
	assert_int_equal(s.lines[1].quantity, 64516); /* to 96774 Wh */
	assert_int_equal(s.lines[1].amount, 32903);
	assert_int_equal(s.lines[2].quantity, 3226);
	assert_int_equal(s.lines[2].amount, 2549);
	assert_int_equal(s.lines[3].kind, METER_LINE_DEMAND);
	assert_int_equal(s.lines[3].amount, 4000); /* 2 kW * 62 * 10 / 31 */
	assert_int_equal(s.lines[4].amount, 2903);
}

static void
line_is_rounded_once_and_ties_as_told(void **state)
{
	(void)state;
	static const struct {
		int64_t wh, even, up;
	} cases[] = {{500, 0, 1}, {1500, 2, 2}, {2500, 2, 3}, {2501, 3, 3}, {-500, 0, -1}, {-1500, -2, -2}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct meter_use use = {.registers = {cases[i].wh}};
		assert_int_equal(bill(PLAN_TEXT(",\"slabs\":[{\"rate\":\"0.01\"}]"), &use, 30, 30).total,
				 cases[i].even);
		static const char up[] =
			"{\"name\":\"t\",\"currency\":\"INR\",\"minor_digits\":2,\"rounding\":{\"line\":\"half-up\"},"
			"\"versions\":[{\"from\":\"2000-01-01\",\"default\":\"p\",\"plans\":[{\"name\":\"p\",\"slabs\":"
			"[{"
			"\"rate\":0.01}]}]}]}";
		assert_int_equal(bill(up, &use, 30, 30).total, cases[i].up);
	}
}

static void
registers_demand_export_and_taxes_add_up(void **state)
{
	(void)state;
	struct meter_use use = {.registers = {40000, 60000, 0}, .export_wh = 12345, .demand_w = 800};
	struct sheet s = bill(PLAN_TEXT(",\"registers\":[{\"name\":\"peak\",\"rate\":\"9.80\",\"windows\":[{\"from\":"
					"\"18:00\",\"to\":\"22:00\"}]},"
					"{\"name\":\"night\",\"rate\":\"-1.205\",\"windows\":[{\"from\":\"22:00\","
					"\"to\":\"06:00\"}]},{\"name\":\"day\","
					"\"rate\":8}],\"demand\":{\"interval_minutes\":15,\"rate_per_kw\":\"210\","
					"\"minimum_kw\":\"1.5\"},"
					"\"fixed\":100,\"export\":{\"rate\":\"2.75\"},\"taxes\":[{\"name\":\"duty\","
					"\"percent\":\"15\",\"on\":["
					"\"registers\",\"demand\",\"fixed\"]},{\"name\":\"cess\",\"percent\":\"2.5\","
					"\"on\":[\"tax\"]}]"),
			      &use, 30, 30);
	static const int64_t amounts[] = {39200, -7230, 31500, 10000, -3395, 11020, 276};
	/* 9.80 * 40, -1.205 * 60, 1.5 kW * 210, 100, 2.75 * 12.345 = 33.94875, 15 % of 734.70 = 110.205 (to even), 2.5
	 * % of 110.20 = 2.755 (to even) */
	assert_int_equal(s.count, 7);
	int64_t total = 0;
	for (uint32_t i = 0; i < s.count; i++) {
		assert_int_equal(s.lines[i].amount, amounts[i]);
		total += amounts[i];
	}
	assert_int_equal(s.total, total);
}

static void
total_is_a_multiple_where_asked(void **state)
{
	(void)state;
	struct meter_tariff t = {.round_total = 100, .rounding = TF_ROUND_HALF_EVEN};
	static const int64_t even[][2] = {{149, -49},  {150, 50},  {250, -50}, {251, 49},
					  {-150, -50}, {-250, 50}, {300, 0}};
	for (size_t i = 0; i < sizeof even / sizeof *even; i++)
		assert_int_equal(meter_bill_rounding(&t, even[i][0]), even[i][1]);
	t.rounding = TF_ROUND_HALF_UP;
	assert_int_equal(meter_bill_rounding(&t, 250), 50);
	assert_int_equal(meter_bill_rounding(&t, -250), -50);
	t.round_total = 1;
	assert_int_equal(meter_bill_rounding(&t, 251), 0);
}

static void
amount_too_large_is_said(void **state)
{
	(void)state;
	struct meter_tariff *t = parse(PLAN_TEXT(",\"slabs\":[{\"rate\":1000000}]"));
	struct meter_use use = {.registers = {INT64_MAX}};
	struct sheet s;
	assert_int_equal(meter_bill_lines(t, &t->versions[0].plans[0], &use, 30, 30, s.lines, &s.count, &s.total),
			 TF_TOO_LARGE);
	meter_tariff_free(&t);
}

/* A month of random readings with gaps and estimates, in one block. */
static void
random_month(const struct tf_zone *z, int32_t month, uint32_t interval_s, uint32_t rows, uint32_t seed,
	     struct meter_block *out)
{
	struct meter_grid_shape shape =
		span_shape(z, interval_s, tf_month_first_date(month), tf_month_first_date(month + 1));
	struct meter_counts c = {0};
	assert_int_equal(meter_block_init(out, 1, METER_MONTH, month, &shape, rows), TF_OK);
	for (uint32_t r = 0; r + 1 < rows; r++) /* the last row stays empty */
		for (uint32_t i = 0; i < shape.slots; i++) {
			int64_t v = (int64_t)(next(&seed) % 2000) - 100;
			struct meter_piece p = {r, i, 1, &v, {next(&seed) % 5 ? 'A' : 'E', 1, 0}};
			if (next(&seed) % 20)
				assert_int_equal(meter_revise(out, &p, &c), TF_OK);
		}
}

static struct meter_use
use_of_row(const struct meter_block *b, const struct tf_zone *z, const struct meter_tariff *t, uint32_t row,
	   bool export)
{
	struct meter_use use = {0};
	struct meter_bill_table table;
	assert_int_equal(meter_bill_table_plan(z, &b->shape, t, &t->versions[0].plans[0], &table), TF_OK);
	int64_t *v = tf_calloc(b->shape.slots, sizeof *v), ignored = 0;
	for (uint32_t i = 0; i < b->shape.slots; i++) {
		size_t at = (size_t)row * b->shape.slots + i;
		v[i] = b->stamp[at] ? b->values[at] : 0;
		use.readings += b->stamp[at] > 0;
		use.estimated += b->stamp[at] && b->stamps[b->stamp[at] - 1].quality != 'A';
	}
	meter_bill_row(&table, v, 0, b->shape.slots, use.registers, export ? &ignored : &use.demand_w);
	if (export) {
		use.export_wh = meter_use_energy(&use);
		memset(use.registers, 0, sizeof use.registers);
	}
	tf_free(v);
	meter_bill_table_release(&table);
	return use;
}

#define WEEKDAYS                                                                                                       \
	",\"registers\":[{\"name\":\"peak\",\"windows\":[{\"days\":[\"weekday\",\"holiday\"],\"from\":\"18:00\","      \
	"\"to\":"                                                                                                      \
	"\"22:00\"}]},{\"name\":\"night\",\"windows\":[{\"from\":\"22:00\",\"to\":\"05:00\"}]},{\"name\":\"day\"}]"

static void
sums_equal_readings(void **state)
{
	(void)state;
	static const char *const zones[] = {"Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/New_York"};
	static const char *const months[] = {"2026-02", "2026-03", "2026-04", "2026-10", "2026-11"};
	struct meter_tariff *t = parse(PLAN_TEXT(WEEKDAYS));
	for (int k = 0; k < 40; k++) {
		struct tf_zone *z = zone_of(zones[k % 4]);
		int32_t month = month_of(months[k % 5]);
		struct meter_block b;
		random_month(z, month, k % 3 ? 1800 : 900, 4, (uint32_t)k, &b);
		struct tf_buf sums;
		tf_buf_init(&sums, 0);
		assert_int_equal(meter_tou_of(&b, z, &sums), TF_OK);
		struct tf_cur c;
		uint32_t rows;
		uint8_t map[METER_TOU_HOURS];
		assert_int_equal(meter_tou_open(tf_buf_view(&sums), &c, &rows), TF_OK);
		assert_int_equal(rows, 4);
		assert_true(meter_tou_fits(t, &t->versions[0].plans[0], month, map));
		for (uint32_t r = 0; r < rows; r++) {
			struct meter_tou_row row;
			struct meter_use got = {0}, want = use_of_row(&b, z, t, r, r == 1);
			assert_int_equal(meter_tou_next(&c, &row), TF_OK);
			meter_tou_add(&row, map, r == 1, &got);
			assert_memory_equal(&got, &want, sizeof got);
		}
		assert_int_equal(tf_cur_left(&c), 0);
		tf_buf_release(&sums);
		meter_block_release(&b);
		tf_zone_free(&z);
	}
	meter_tariff_free(&t);
}

static bool
fits(const char *text, const char *month)
{
	struct meter_tariff *t = parse(text);
	uint8_t map[METER_TOU_HOURS];
	bool ok = meter_tou_fits(t, &t->versions[0].plans[0], month_of(month), map);
	meter_tariff_free(&t);
	return ok;
}

#define WINDOW(members) PLAN_TEXT(",\"registers\":[{\"name\":\"a\",\"windows\":[{" members "}]},{\"name\":\"b\"}]")

static void
sums_are_refused_where_they_cannot_tell(void **state)
{
	(void)state;
	assert_true(fits(PLAN_TEXT(""), "2026-03"));
	assert_true(fits(WINDOW("\"from\":\"18:00\",\"to\":\"22:00\""), "2026-03"));
	assert_false(fits(WINDOW("\"from\":\"18:30\",\"to\":\"22:00\""), "2026-03"));
	assert_false(fits(WINDOW("\"days\":[\"mon\"],\"from\":\"18:00\",\"to\":\"22:00\""), "2026-03"));
	assert_false(
		fits(WINDOW("\"days\":[\"weekday\"],\"from\":\"18:00\",\"to\":\"22:00\""), "2026-03")); /* holiday */
	assert_true(fits(WINDOW("\"days\":[\"weekday\"],\"from\":\"18:00\",\"to\":\"22:00\""), "2026-04"));
	assert_false(
		fits(WINDOW("\"from\":\"18:00\",\"to\":\"22:00\",\"season\":{\"from\":\"03-15\",\"to\":\"06-30\"}"),
		     "2026-03"));
	assert_true(fits(WINDOW("\"from\":\"18:00\",\"to\":\"22:00\",\"season\":{\"from\":\"03-15\",\"to\":\"06-30\"}"),
			 "2026-04"));
	assert_false(fits(PLAN_TEXT(",\"demand\":{\"interval_minutes\":15,\"rate_per_kw\":1}"), "2026-03"));
	assert_true(fits(PLAN_TEXT(",\"demand\":{\"interval_minutes\":30,\"rate_per_kw\":1}"), "2026-03"));
}

static void
damaged_sums_never_crash(void **state)
{
	(void)state;
	struct tf_zone *z = zone_of("UTC");
	struct meter_block b;
	struct tf_buf sums;
	random_month(z, month_of("2026-02"), 3600, 3, 5, &b);
	tf_buf_init(&sums, 0);
	assert_int_equal(meter_tou_of(&b, z, &sums), TF_OK);
	for (size_t n = 0; n < sums.n; n++) {
		struct tf_cur c;
		struct meter_tou_row row;
		uint32_t rows = 0;
		enum tf_err e = meter_tou_open(tf_str_n(sums.p, n), &c, &rows);
		for (uint32_t r = 0; !e && r < rows; r++)
			e = meter_tou_next(&c, &row);
		assert_int_equal(e, TF_CORRUPT);
	}
	tf_buf_release(&sums);
	meter_block_release(&b);
	tf_zone_free(&z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(night_register_follows_the_wall_clock),
		cmocka_unit_test(demand_is_the_mean_power_of_its_interval),
		cmocka_unit_test(spans_equal_a_plain_loop),
		cmocka_unit_test(slabs_end_at_their_limits),
		cmocka_unit_test(part_of_a_month_has_part_of_slab_fixed_and_demand),
		cmocka_unit_test(line_is_rounded_once_and_ties_as_told),
		cmocka_unit_test(registers_demand_export_and_taxes_add_up),
		cmocka_unit_test(total_is_a_multiple_where_asked),
		cmocka_unit_test(amount_too_large_is_said),
		cmocka_unit_test(sums_equal_readings),
		cmocka_unit_test(sums_are_refused_where_they_cannot_tell),
		cmocka_unit_test(damaged_sums_never_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
