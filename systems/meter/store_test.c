/* The store on a simulated disk: nothing acknowledged is lost, nothing doubled, aggregates equal a recomputation;
 * whatever fails, wherever the power goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "load.h"
#include "os/sim.h"
#include "out_tier.h"
#include "scan.h"
#include "verify.h"

#define METERS 3
#define SLOTS  96 /* half hours, two days from DAY0 */
/* When only the first day is due: the move leaves a pack half used, which is compacted. */
#define DAY0_DUE (DAY0 + 8 * TF_DAY + TF_HOUR)
#define DAY0     ((tf_time)1772323200 * TF_SEC) /* 2026-03-01T00:00:00Z */

static struct tf_os *
new_os(uint64_t seed)
{
	struct tf_sim_options o = {.seed = seed, .start = DAY0};
	struct tf_os *os = tf_sim_new(&o);
	assert_non_null(os);
	return os;
}

static int64_t
value_of(int meter, int slot)
{
	return (meter + 1) * 100 + slot * 7 % 53;
}

/* A wide CSV of METERS meters, deterministic; returns the sum of all values. */
static int64_t
put_wide(struct tf_os *os, const char *path)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	int64_t sum = 0;
	tf_buf_cstr(&b, "start,m0,m1,m2\n");
	for (int s = 0; s < SLOTS; s++) {
		char t[40];
		tf_buf_cstr(&b, tf_time_format(DAY0 + s * 1800 * TF_SEC, t));
		for (int m = 0; m < METERS; m++) {
			tf_buf_printf(&b, ",%d", (int)value_of(m, s));
			sum += value_of(m, s);
		}
		tf_buf_cstr(&b, "\n");
	}
	assert_int_equal(tf_os_write_file(os, path, tf_buf_view(&b), NULL), TF_OK);
	tf_buf_release(&b);
	return sum;
}

static enum tf_err
load(struct tf_os *os, const char *path, struct meter_load_result *r, struct tf_fault *f)
{
	struct meter_store_options so = {.wait = true, .publish_bytes = 1};
	struct meter_load_options o = {0};
	struct meter_store *s;
	TF_TRY(meter_store_open(os, "data", &so, &s, f));
	enum tf_err e = meter_load_file(s, path, &o, r, f);
	meter_store_close(&s);
	return e;
}

static enum tf_err
tier(struct tf_os *os, tf_time now, struct tf_fault *f)
{
	struct meter_store_options so = {.wait = true};
	struct meter_tier_rule rule = {7, 13, 5};
	struct meter_tier_report moved;
	struct meter_store *s;
	TF_TRY(meter_store_open(os, "data", &so, &s, f));
	enum tf_err e = meter_tier_move(s, &rule, now, &moved, f);
	meter_store_close(&s);
	return e;
}

struct sum {
	uint64_t readings;
	int64_t total;
};

static enum tf_err
add_row(void *ctx, const struct meter_scan_row *row, struct tf_fault *f)
{
	struct sum *sum = ctx;
	(void)f;
	for (uint32_t i = row->from; i < row->to; i++)
		if (row->stamps[i]) {
			sum->readings++;
			sum->total += row->values[i];
		}
	return TF_OK;
}

static void
print_finding(void *ctx, const struct meter_finding *finding)
{
	(void)ctx;
	print_error("%s: %s\n", finding->what, finding->text);
}

/* Opens (and so recovers), verifies, sums. */
static struct sum
check(struct tf_os *os)
{
	struct meter_store_options so = {.wait = true};
	struct meter_store *s;
	struct tf_fault f = {0};
	struct sum sum = {0};
	struct meter_verify_report r;
	if (meter_store_open(os, "data", &so, &s, &f))
		fail_msg("%s", f.text);
	if (meter_verify(s, print_finding, NULL, &r, &f))
		fail_msg("%s", f.text);
	assert_int_equal(r.findings, 0);
	assert_int_equal(meter_scan_all(s, TF_TIME_FIRST, TF_TIME_LAST, add_row, &sum, &f), TF_OK);
	assert_int_equal(r.readings, sum.readings);
	meter_store_close(&s);
	return sum;
}

static void
file_three_times_has_one_effect(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	int64_t sum = put_wide(os, "in.csv");
	for (int i = 0; i < 3; i++) {
		struct meter_load_result r = {0};
		assert_int_equal(load(os, "in.csv", &r, NULL), TF_OK);
		assert_int_equal(r.counts.readings, METERS * SLOTS);
		assert_int_equal(r.counts.accepted, i ? 0 : METERS * SLOTS);
		assert_int_equal(r.counts.duplicate, i ? METERS * SLOTS : 0);
	}
	struct sum got = check(os);
	assert_int_equal(got.total, sum);
	assert_int_equal(got.readings, METERS * SLOTS);
	tf_sim_free(&os);
}

static void
same_seed_gives_the_same_bytes(void **state)
{
	(void)state;
	uint64_t digest[2];
	for (int i = 0; i < 2; i++) {
		struct tf_os *os = new_os(7);
		struct meter_load_result r = {0};
		put_wide(os, "in.csv");
		assert_int_equal(load(os, "in.csv", &r, NULL), TF_OK);
		assert_int_equal(tier(os, DAY0 + 30 * TF_DAY, NULL), TF_OK);
		digest[i] = tf_sim_digest(os);
		tf_sim_free(&os);
	}
	assert_int_equal(digest[0], digest[1]);
}

/* Cuts the story at its n-th operation, lets the power go (or the process be killed), and looks. An acknowledged load
 * is whole; any other is whole after it is repeated. */
static void
cut_at(uint64_t n, bool power, bool *out_done)
{
	struct tf_os *os = new_os(n);
	int64_t want = put_wide(os, "in.csv");
	assert_int_equal(tf_os_sync_dir(os, ".", NULL), TF_OK);
	struct meter_load_result r = {0};
	struct tf_fault f = {0};
	tf_sim_down_at(os, n);
	bool acknowledged = load(os, "in.csv", &r, &f) == TF_OK;
	bool moved = acknowledged && tier(os, DAY0_DUE, &f) == TF_OK;
	*out_done = moved && !tf_sim_is_down(os);
	(power ? tf_sim_power_loss : tf_sim_crash)(os);
	tf_sim_down_at(os, 0);
	if (acknowledged) {
		struct sum got = check(os);
		assert_int_equal(got.readings, METERS * SLOTS);
		assert_int_equal(got.total, want);
	}
	r = (struct meter_load_result){0};
	if (load(os, "in.csv", &r, &f))
		fail_msg("operation %u: %s", (unsigned)n, f.text);
	if (tier(os, DAY0_DUE, &f))
		fail_msg("operation %u: %s", (unsigned)n, f.text);
	struct sum got = check(os);
	assert_int_equal(got.readings, METERS * SLOTS);
	assert_int_equal(got.total, want);
	tf_sim_free(&os);
}

static void
power_loss_at_any_operation_loses_nothing_acknowledged(void **state)
{
	(void)state;
	bool done = false;
	uint64_t n = 1;
	for (; !done; n++)
		cut_at(n, true, &done);
	assert_true(n > 50);
}

static void
kill_at_any_operation_doubles_nothing(void **state)
{
	(void)state;
	bool done = false;
	for (uint64_t n = 1; !done; n++)
		cut_at(n, false, &done);
}

/* Every operation of a kind fails once: the process ends, as it must after a failed sync, and the next one is right. */
static void
fail_each(unsigned mask, enum tf_err err)
{
	bool failed = true;
	for (uint64_t n = 1; failed; n++) {
		struct tf_os *os = new_os(n);
		int64_t want = put_wide(os, "in.csv");
		struct meter_load_result r = {0};
		tf_sim_fail_at(os, mask, n, err);
		bool ok = load(os, "in.csv", &r, NULL) == TF_OK && tier(os, DAY0 + 30 * TF_DAY, NULL) == TF_OK;
		failed = tf_sim_failed(os);
		tf_sim_fail_at(os, mask, 0, TF_OK);
		assert_true(ok || failed);
		tf_sim_crash(os);
		r = (struct meter_load_result){0};
		struct tf_fault f = {0};
		if (load(os, "in.csv", &r, &f))
			fail_msg("%s", f.text);
		struct sum got = check(os);
		assert_int_equal(got.total, want);
		assert_int_equal(got.readings, METERS * SLOTS);
		tf_sim_free(&os);
	}
}

static void
any_failing_write_or_sync_is_survived(void **state)
{
	(void)state;
	fail_each(TF_SIM_WRITE, TF_NO_SPACE);
	fail_each(TF_SIM_SYNC | TF_SIM_SYNC_DIR, TF_IO);
	fail_each(TF_SIM_OPEN | TF_SIM_RENAME | TF_SIM_UNLINK | TF_SIM_MKDIR | TF_SIM_TRUNCATE, TF_IO);
}

static void
any_failing_allocation_is_survived(void **state)
{
	(void)state;
	bool failed = true;
	for (uint64_t n = 1; failed; n += 1 + n / 64) {
		struct tf_os *os = new_os(n);
		int64_t want = put_wide(os, "in.csv");
		struct meter_load_result r = {0};
		tf_mem_fail_at(n);
		bool ok = load(os, "in.csv", &r, NULL) == TF_OK && tier(os, DAY0 + 30 * TF_DAY, NULL) == TF_OK;
		failed = tf_mem_fail_at(0) >= n;
		assert_true(ok || failed);
		tf_sim_crash(os);
		r = (struct meter_load_result){0};
		assert_int_equal(load(os, "in.csv", &r, NULL), TF_OK);
		assert_int_equal(check(os).total, want);
		tf_sim_free(&os);
	}
}

static void
full_disk_says_so_and_keeps_what_was_there(void **state)
{
	(void)state;
	struct tf_os *os = new_os(3);
	int64_t want = put_wide(os, "in.csv");
	struct meter_load_result r = {0};
	struct tf_fault f = {0};
	assert_int_equal(load(os, "in.csv", &r, &f), TF_OK);
	struct tf_buf more;
	tf_buf_init(&more, 0);
	tf_buf_cstr(&more, "start,a,b\n");
	for (int i = 0; i < 20000; i++) {
		char t[40];
		tf_buf_printf(&more, "%s,%d,%d\n", tf_time_format(DAY0 + i * 1800 * TF_SEC, t), i * 7919 % 3001,
			      i * 104729 % 4001);
	}
	assert_int_equal(tf_os_write_file(os, "more.csv", tf_buf_view(&more), NULL), TF_OK);
	tf_buf_release(&more);
	tf_sim_set_capacity(os, 600000);
	assert_int_equal(load(os, "more.csv", &r, &f), TF_NO_SPACE);
	tf_sim_set_capacity(os, 0);
	r = (struct meter_load_result){0};
	assert_int_equal(load(os, "more.csv", &r, &f), TF_OK);
	struct sum got = check(os);
	assert_int_equal(got.readings, METERS * SLOTS + 40000);
	assert_true(got.total > want);
	tf_sim_free(&os);
}

static void
bad_record_is_kept_byte_for_byte_and_harms_no_neighbour(void **state)
{
	(void)state;
	const char bad[] = "300,20260302,1.0,2.0,A,,,\n";
	struct tf_os *os = new_os(5);
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, "100,NEM12,202603031200,MDP1,RET1\n200,NMI1,E1,E1,E1,,SER1,kWh,30,\n300,20260301");
	for (int i = 0; i < 48; i++)
		tf_buf_cstr(&b, ",0.5");
	tf_buf_printf(&b, ",A,,,20260302000000,\n%s300,20260303", bad);
	for (int i = 0; i < 48; i++)
		tf_buf_cstr(&b, ",0.25");
	tf_buf_cstr(&b, ",A,,,20260304000000,\n900\n");
	assert_int_equal(tf_os_write_file(os, "in.nem12", tf_buf_view(&b), NULL), TF_OK);
	tf_buf_release(&b);
	for (int i = 0; i < 3; i++) {
		struct meter_load_result r = {0};
		struct tf_fault f = {0};
		if (load(os, "in.nem12", &r, &f))
			fail_msg("%s", f.text);
		assert_int_equal(r.quarantined, 1);
		assert_int_equal(r.counts.readings, 96);
	}
	assert_int_equal(check(os).total, 48 * 750);
	struct meter_store_options so = {.wait = true};
	struct meter_store *s;
	struct tf_stmt *q;
	assert_int_equal(meter_store_open(os, "data", &so, &s, NULL), TF_OK);
	assert_int_equal(
		tf_sql_prepare(s->catalog.db, "SELECT line, field, rule, bytes, zone FROM quarantine", &q, NULL),
		TF_OK);
	assert_int_equal(tf_stmt_step(q, NULL), TF_OK);
	assert_int_equal(tf_stmt_get_i64(q, 0), 4);
	assert_true(tf_str_eq(tf_stmt_get_str(q, 2), TF_STR("nem12-interval-count")));
	assert_true(tf_str_eq(tf_stmt_get_blob(q, 3), tf_str(bad)));
	assert_true(tf_str_eq(tf_stmt_get_str(q, 4), TF_STR("Australia/Brisbane")));
	assert_int_equal(tf_stmt_step(q, NULL), TF_END);
	tf_stmt_free(&q);
	meter_store_close(&s);
	tf_sim_free(&os);
}

/* A story of late, doubled, corrected and disordered deliveries beside a model that knows only "the latest issued
 * stands". */
struct model {
	int64_t value[METERS][SLOTS];
	int issued[METERS][SLOTS]; /* 0: none */
};

static uint32_t
next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void
deliver(struct tf_os *os, struct model *m, uint32_t *seed, int number, int issued)
{
	struct tf_buf b;
	char path[32], t[40], at[40];
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, "meter,start,value,interval,issued\n");
	int count = (int)(next(seed) % 60) + 1, from = (int)(next(seed) % SLOTS), meter = (int)(next(seed) % METERS);
	for (int i = 0; i < count && from + i < SLOTS; i++) {
		int64_t v = next(seed) % 4 ? value_of(meter, from + i) : (int64_t)(next(seed) % 5000);
		tf_buf_printf(&b, "m%d,%s,%d,1800,%s\n", meter, tf_time_format(DAY0 + (from + i) * 1800 * TF_SEC, t),
			      (int)v, tf_time_format(DAY0 + issued * TF_MINUTE, at));
		if (issued >= m->issued[meter][from + i]) {
			m->issued[meter][from + i] = issued;
			m->value[meter][from + i] = v;
		}
	}
	snprintf(path, sizeof path, "in%d.csv", number);
	assert_int_equal(tf_os_write_file(os, path, tf_buf_view(&b), NULL), TF_OK);
	tf_buf_release(&b);
}

static struct sum
model_sum(const struct model *m)
{
	struct sum s = {0};
	for (int i = 0; i < METERS; i++)
		for (int k = 0; k < SLOTS; k++)
			if (m->issued[i][k]) {
				s.readings++;
				s.total += m->value[i][k];
			}
	return s;
}

static void
any_order_of_deliveries_ends_with_the_latest_issued(void **state)
{
	(void)state;
	for (uint32_t story = 1; story <= 12; story++) {
		struct tf_os *os = new_os(story);
		struct model m = {0};
		uint32_t seed = story;
		for (int i = 0; i < 14; i++) {
			/* Times issued are distinct and come in any order. */
			deliver(os, &m, &seed, i, (i * 5 + (int)story) % 14 + 1);
			struct meter_load_result r = {0};
			struct tf_fault f = {0};
			char path[32];
			snprintf(path, sizeof path, "in%d.csv",
				 next(&seed) % 3 ? i : (int)(next(&seed) % (uint32_t)(i + 1)));
			for (int twice = 0; twice < 2; twice++) {
				if (load(os, path, &r, &f))
					fail_msg("%s", f.text);
				assert_int_equal(r.quarantined, 0);
				snprintf(path, sizeof path, "in%d.csv", i);
			}
			if (next(&seed) % 3 == 0)
				assert_int_equal(tier(os, DAY0 + (tf_dur)(next(&seed) % 12) * TF_DAY, NULL), TF_OK);
			struct sum want = model_sum(&m), got = check(os);
			assert_int_equal(got.readings, want.readings);
			assert_int_equal(got.total, want.total);
		}
		tf_sim_free(&os);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_three_times_has_one_effect),
		cmocka_unit_test(same_seed_gives_the_same_bytes),
		cmocka_unit_test(bad_record_is_kept_byte_for_byte_and_harms_no_neighbour),
		cmocka_unit_test(any_order_of_deliveries_ends_with_the_latest_issued),
		cmocka_unit_test(power_loss_at_any_operation_loses_nothing_acknowledged),
		cmocka_unit_test(kill_at_any_operation_doubles_nothing),
		cmocka_unit_test(any_failing_write_or_sync_is_survived),
		cmocka_unit_test(any_failing_allocation_is_survived),
		cmocka_unit_test(full_disk_says_so_and_keeps_what_was_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
