/* Bills from a store on a simulated disk: every tier and the sealed sums give the same bill; accounts, tariffs and
 * meters that change within the month; gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "core_bill_tou.h"
#include "load.h"
#include "network.h"
#include "os/sim.h"
#include "out_tier.h"
#include "view_bill.h"

#define ZONE   "Europe/London"
#define METERS 5

static int32_t march; /* 2026-03: 31 days, the 29th of 23 hours */

static struct tf_os *
new_os(void)
{
	struct tf_sim_options o = {.seed = 1, .start = (tf_time)1777593600 * TF_SEC};
	struct tf_os *os = tf_sim_new(&o);
	assert_non_null(os);
	assert_int_equal(tf_month_parse(tf_str("2026-03"), &march), TF_OK);
	return os;
}

static int64_t
value_of(int meter, int64_t slot)
{
	return (meter + 1) * 100 + (slot * 7919 + meter * 13) % 977;
}

/* Half hours of March's local month and a day on either side, for meters m0 to m4; m4 has channel B1, its export. Slots
 * for which gap says so are left out. */
static void
put_csv(struct tf_os *os, const char *path, bool (*gap)(int meter, tf_time at))
{
	struct tf_buf b;
	struct tf_zone *z = NULL;
	char t[40];
	assert_int_equal(tf_os_zone(os, tf_str(ZONE), &z, NULL), TF_OK);
	tf_time from = tf_zone_month_start(z, march) - TF_DAY, to = tf_zone_month_start(z, march + 1) + TF_DAY;
	tf_zone_free(&z);
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, "meter,channel,start,value,interval\n");
	for (int m = 0; m < METERS; m++)
		for (tf_time at = from; at < to; at += 30 * TF_MINUTE)
			if (!gap || !gap(m, at))
				tf_buf_printf(&b, "m%d,%s,%s,%d,1800\n", m == 4 ? 3 : m, m == 4 ? "B1" : "E1",
					      tf_time_format(at, t), (int)value_of(m, at / TF_MINUTE / 30));
	assert_int_equal(tf_os_write_file(os, path, tf_buf_view(&b), NULL), TF_OK);
	tf_buf_release(&b);
}

static struct meter_store *
open_store(struct tf_os *os)
{
	struct meter_store_options so = {.wait = true};
	struct meter_store *s = NULL;
	struct tf_fault f = {0};
	if (meter_store_open(os, "data", &so, &s, &f))
		fail_msg("%s", f.text);
	return s;
}

static struct meter_store *
loaded(struct tf_os *os, bool (*gap)(int meter, tf_time at))
{
	struct meter_store *s = open_store(os);
	struct meter_load_options o = {.zone = tf_str(ZONE)};
	struct meter_load_result r = {0};
	struct tf_fault f = {0};
	put_csv(os, "in.csv", gap);
	if (meter_load_file(s, "in.csv", &o, &r, &f))
		fail_msg("%s", f.text);
	assert_int_equal(r.quarantined, 0);
	return s;
}

static void
move(struct meter_store *s, int32_t days_after)
{
	struct meter_tier_rule rule = {7, 13, 5};
	struct meter_tier_report moved;
	struct tf_fault f = {0};
	if (meter_tier_move(s, &rule, (tf_time)(tf_month_first_date(march + 1) + days_after) * TF_DAY, &moved, &f))
		fail_msg("%s", f.text);
}

static void
network(struct meter_store *s, const char *csv)
{
	struct meter_network_report r;
	struct tf_fault f = {0};
	if (meter_network_load(&s->catalog, tf_str("n.csv"), tf_str(csv), &r, &f))
		fail_msg("%s", f.text);
}

static const char tariff_text[] =
	"{\"name\":\"t\",\"currency\":\"GBP\",\"minor_digits\":2,\"versions\":[{\"from\":\"2020-01-01\",\"default\":"
	"\"home\",\"plans\":[{\"name\":\"home\",\"slabs\":[{\"up_to_kwh\":100,\"rate\":\"0.1111\"},{\"rate\":\"0."
	"2345\"}],"
	"\"fixed\":\"12.34\",\"export\":{\"rate\":\"0.05\"}},{\"name\":\"shop\",\"categories\":[\"shop\"],"
	"\"registers\":[{"
	"\"name\":\"peak\",\"rate\":\"0.31\",\"windows\":[{\"days\":[\"weekday\"],\"from\":\"16:00\",\"to\":\"19:00\"}]"
	"},{"
	"\"name\":\"night\",\"rate\":\"0.07\",\"windows\":[{\"from\":\"00:00\",\"to\":\"05:00\"}]},{\"name\":\"rest\","
	"\"rate\":"
	"\"0.19\"}],\"demand\":{\"interval_minutes\":30,\"rate_per_kw\":\"4.5\"},\"export\":{\"rate\":\"0.05\"}}]}";

static struct meter_tariff *
parse(const char *more)
{
	struct meter_tariff *t = NULL;
	struct tf_fault f = {0};
	struct tf_buf text;
	tf_buf_init(&text, 0);
	tf_buf_cstr(&text, tariff_text);
	tf_buf_cstr(&text, more);
	tf_buf_cstr(&text, "]}");
	if (meter_tariff_parse(tf_str("t"), tf_buf_view(&text), &t, &f))
		fail_msg("%s", f.text);
	tf_buf_release(&text);
	return t;
}

/* Bills as text, to compare. */
static enum tf_err
print_bill(void *ctx, const struct meter_bill *b, struct tf_fault *f)
{
	struct tf_buf *out = ctx;
	char from[16], to[16];
	(void)f;
	tf_buf_printf(out, "%.*s: %d Wh, out %d, %d W, %d of %d, %d est., %d\n", TF_FMT(b->account),
		      (int)meter_use_energy(&b->use), (int)b->use.export_wh, (int)b->use.demand_w, (int)b->use.readings,
		      (int)b->use.expected, (int)b->use.estimated, (int)b->total);
	for (uint32_t i = 0; i < b->section_count; i++) {
		const struct meter_bill_section *s = &b->sections[i];
		tf_buf_printf(out, "  %.*s %s %s\n", TF_FMT(s->plan->name), tf_date_format(s->from, from),
			      tf_date_format(s->to, to));
		for (uint32_t k = 0; k < s->line_count; k++)
			tf_buf_printf(out, "    %.*s %d %d\n", TF_FMT(s->lines[k].name), (int)s->lines[k].quantity,
				      (int)s->lines[k].amount);
	}
	return TF_OK;
}

/* The bills as text in out, which the caller releases. */
static enum tf_err
bills_of(struct meter_store *s, const char *more, const char *account, enum meter_bill_sums sums, struct tf_buf *out,
	 struct meter_bill_report *r, struct tf_fault *f)
{
	struct meter_tariff *t = parse(more);
	struct meter_bill_options o = {.tariff = t, .month = march, .account = tf_str(account), .from_sums = sums};
	tf_buf_init(out, 0);
	enum tf_err e = meter_bill_run(s, &o, print_bill, out, r, f);
	tf_buf_u8(out, 0);
	meter_tariff_free(&t);
	return e;
}

static char *
bills(struct meter_store *s, const char *more, const char *account, enum meter_bill_sums sums,
      struct meter_bill_report *r)
{
	static char text[65536];
	struct tf_fault f = {0};
	struct tf_buf out;
	if (bills_of(s, more, account, sums, &out, r, &f))
		fail_msg("%s", f.text);
	assert_true(out.n <= sizeof text);
	memcpy(text, out.p, out.n);
	tf_buf_release(&out);
	return text;
}

static int64_t
sum_of(struct tf_os *os, int meter, int32_t from, int32_t to)
{
	struct tf_zone *z = NULL;
	int64_t sum = 0;
	assert_int_equal(tf_os_zone(os, tf_str(ZONE), &z, NULL), TF_OK);
	for (tf_time at = tf_zone_day_start(z, from); at < tf_zone_day_start(z, to); at += 30 * TF_MINUTE)
		sum += value_of(meter, at / TF_MINUTE / 30);
	tf_zone_free(&z);
	return sum;
}

/* Makes the sums of every sealed month block, as the tier move does. */
static void
seal(struct meter_store *s)
{
	struct meter_block_ref ref;
	struct meter_block b;
	struct tf_buf sums;
	char *bytes;
	for (uint32_t bucket = 0; bucket < s->catalog.bucket_count; bucket++) {
		assert_int_equal(meter_catalog_find_block(&s->catalog, bucket, METER_MONTH, march, &ref, NULL), TF_OK);
		assert_int_equal(meter_store_read_block(s, &ref, &bytes, NULL), TF_OK);
		assert_int_equal(meter_block_decode(tf_str_n(bytes, ref.bytes), &b, NULL), TF_OK);
		tf_buf_init(&sums, 0);
		assert_int_equal(meter_tou_of(&b, s->catalog.zones[s->catalog.buckets[bucket].zone], &sums), TF_OK);
		assert_int_equal(meter_sums_put(&s->catalog, march, bucket, tf_buf_view(&sums), NULL), TF_OK);
		tf_buf_release(&sums);
		meter_block_release(&b);
		tf_free(bytes);
	}
}

static void
a_meter_is_its_own_account_where_no_network_names_it(void **state)
{
	(void)state;
	struct tf_os *os = new_os();
	struct meter_store *s = loaded(os, NULL);
	struct meter_bill_report r;
	char want[200];
	char *got = bills(s, "", "m2", METER_SUMS_AUTO, &r);
	int64_t wh = sum_of(os, 2, tf_month_first_date(march), tf_month_first_date(march + 1));
	snprintf(want, sizeof want, "m2: %d Wh, out 0, ", (int)wh);
	assert_memory_equal(got, want, strlen(want));
	assert_non_null(strstr(got, "1486 of 1486, 0 est."));
	assert_int_equal(r.accounts, 1);
	got = bills(s, "", "", METER_SUMS_AUTO, &r);
	assert_int_equal(r.accounts, 4);
	assert_int_equal(r.use.export_wh, sum_of(os, 4, tf_month_first_date(march), tf_month_first_date(march + 1)));
	assert_int_equal(r.use.readings, 5 * 1486);
	assert_int_equal(r.incomplete, 0);
	assert_int_equal(r.blocks, 31);
	meter_store_close(&s);
	tf_sim_free(&os);
}

static void
every_tier_and_the_sums_give_the_same_bills(void **state)
{
	(void)state;
	struct tf_os *os = new_os();
	struct meter_store *s = loaded(os, NULL);
	struct meter_bill_report r;
	network(s, "account,transformer,feeder,zone,region,meter,category\n"
		   "A,t,f,z,r,m0,shop\nB,t,f,z,r,m1,\nA,t,f,z,r,m2,shop\nD,t,f,z,r,m3,shop\n");
	char *hot = tf_strndup(bills(s, "", "", METER_SUMS_AUTO, &r), 65000);
	assert_int_equal(r.blocks, 31);
	assert_non_null(strstr(hot, "shop 2026-03-01 2026-04-01"));
	move(s, -10); /* some days moved */
	assert_string_equal(bills(s, "", "", METER_SUMS_AUTO, &r), hot);
	assert_true(r.blocks > 1 && r.blocks < 31);
	move(s, 20);
	assert_string_equal(bills(s, "", "", METER_SUMS_NEVER, &r), hot);
	assert_int_equal(r.blocks, 1);
	assert_int_equal(r.sums, 0);
	seal(s);
	assert_string_equal(bills(s, "", "", METER_SUMS_ONLY, &r), hot);
	assert_int_equal(r.blocks, 0);
	assert_int_equal(r.sums, 1);
	assert_non_null(strstr(hot, bills(s, "", "B", METER_SUMS_ONLY, &r)));
	assert_non_null(strstr(hot, bills(s, "", "A", METER_SUMS_NEVER, &r)));
	tf_free(hot);
	meter_store_close(&s);
	tf_sim_free(&os);
}

static void
sums_alone_say_why_not(void **state)
{
	(void)state;
	struct tf_os *os = new_os();
	struct meter_store *s = loaded(os, NULL);
	struct meter_bill_report r;
	struct tf_fault f = {0};
	struct tf_buf out;
	assert_int_equal(bills_of(s, "", "", METER_SUMS_ONLY, &out, &r, &f), TF_CONFLICT);
	tf_buf_release(&out);
	assert_non_null(strstr(f.text, "not sealed"));
	move(s, 20);
	seal(s);
	static const char later[] = ",{\"from\":\"2026-03-10\",\"default\":\"x\",\"plans\":[{\"name\":\"x\"}]}";
	assert_int_equal(bills_of(s, later, "", METER_SUMS_ONLY, &out, &r, &f), TF_CONFLICT);
	tf_buf_release(&out);
	assert_non_null(strstr(f.text, "tariff changes"));
	bills(s, later, "", METER_SUMS_AUTO, &r);
	assert_int_equal(r.sums, 0);
	assert_int_equal(meter_sums_drop(&s->catalog, march, 0, NULL), TF_OK);
	assert_int_equal(bills_of(s, "", "", METER_SUMS_ONLY, &out, &r, &f), TF_CONFLICT);
	tf_buf_release(&out);
	assert_non_null(strstr(f.text, "has none"));
	meter_store_close(&s);
	tf_sim_free(&os);
}

static void
tenants_of_a_month_pay_their_days(void **state)
{
	(void)state;
	struct tf_os *os = new_os();
	struct meter_store *s = loaded(os, NULL);
	struct meter_bill_report r;
	int32_t first = tf_month_first_date(march), end = tf_month_first_date(march + 1);
	network(s, "account,transformer,feeder,zone,region,meter,from,category\n"
		   "A,t,f,z,r,m0,2026-01-01,\nB,t,f,z,r,m0,2026-03-11,\nC,t,f,z,r,m1,2026-03-31,\n");
	char want[200];
	char *got = bills(s, "", "A", METER_SUMS_AUTO, &r);
	snprintf(want, sizeof want, "A: %d Wh", (int)sum_of(os, 0, first, first + 10));
	assert_memory_equal(got, want, strlen(want));
	assert_non_null(strstr(got, "home 2026-03-01 2026-03-11"));
	assert_non_null(strstr(got, "fixed charge 10 398")); /* 12.34 * 10 / 31 */
	got = bills(s, "", "B", METER_SUMS_AUTO, &r);
	snprintf(want, sizeof want, "B: %d Wh", (int)sum_of(os, 0, first + 10, end));
	assert_memory_equal(got, want, strlen(want));
	assert_non_null(strstr(got, "fixed charge 21 836"));
	got = bills(s, "", "C", METER_SUMS_AUTO, &r);
	assert_non_null(strstr(got, "48 of 48"));
	bills(s, "", "", METER_SUMS_AUTO, &r);
	assert_int_equal(r.unassigned, 1); /* m1 before the 31st */
	assert_int_equal(r.accounts, 5);   /* A, B, C, m2, m3 */
	meter_store_close(&s);
	tf_sim_free(&os);
}

static void
tariff_change_splits_the_month_by_local_day(void **state)
{
	(void)state;
	struct tf_os *os = new_os();
	struct meter_store *s = loaded(os, NULL);
	struct meter_bill_report r;
	int32_t first = tf_month_first_date(march), end = tf_month_first_date(march + 1);
	char want[200];
	char *got =
		bills(s,
		      ",{\"from\":\"2026-03-29\",\"default\":\"new\",\"plans\":[{\"name\":\"new\",\"slabs\":[{\"rate\":"
		      "\"1.00\"}]}]}",
		      "m0", METER_SUMS_AUTO, &r);
	assert_non_null(strstr(got, "home 2026-03-01 2026-03-29"));
	assert_non_null(strstr(got, "fixed charge 28 1115"));
	assert_non_null(strstr(got, "new 2026-03-29 2026-04-01"));
	int64_t late = sum_of(os, 0, first + 28, end);
	snprintf(want, sizeof want, "energy %d %d\n", (int)late, (int)((late + 5) / 10));
	assert_non_null(strstr(got, want));
	assert_non_null(strstr(got, "1486 of 1486"));
	meter_store_close(&s);
	tf_sim_free(&os);
}

/* m0 lacks a day and some; m1 has nothing in March. */
static bool
some(int meter, tf_time at)
{
	tf_time t = (tf_time)1773100800 * TF_SEC; /* 2026-03-10 */
	if (meter == 0)
		return at >= t && at < t + TF_DAY + 90 * TF_MINUTE;
	return meter == 1 && at >= (tf_time)1772323200 * TF_SEC;
}

static void
gaps_are_flagged_and_silent_meters_left_out(void **state)
{
	(void)state;
	struct tf_os *os = new_os();
	struct meter_store *s = loaded(os, some);
	struct meter_bill_report r;
	struct tf_fault f = {0};
	struct tf_buf out;
	for (int moved = 0; moved < 2; moved++) {
		char *got = bills(s, "", "m0", METER_SUMS_AUTO, &r);
		assert_non_null(strstr(got, "1435 of 1486"));
		assert_int_equal(r.incomplete, 1);
		bills(s, "", "", METER_SUMS_AUTO, &r);
		assert_int_equal(r.accounts, 3);
		assert_int_equal(r.without_data, 1);
		assert_int_equal(bills_of(s, "", "m1", METER_SUMS_AUTO, &out, &r, &f), TF_NOT_FOUND);
		assert_non_null(strstr(f.text, "2026-03"));
		tf_buf_release(&out);
		move(s, 20);
	}
	assert_int_equal(bills_of(s, "", "nobody", METER_SUMS_AUTO, &out, &r, &f), TF_NOT_FOUND);
	assert_non_null(strstr(f.text, "'nobody'"));
	tf_buf_release(&out);
	march += 12;
	assert_int_equal(bills_of(s, "", "", METER_SUMS_AUTO, &out, &r, &f), TF_NOT_FOUND);
	assert_non_null(strstr(f.text, "2027-03"));
	tf_buf_release(&out);
	meter_store_close(&s);
	tf_sim_free(&os);
}

static void
any_failing_allocation_is_said(void **state)
{
	(void)state;
	struct tf_os *os = new_os();
	struct meter_store *s = loaded(os, NULL);
	move(s, -10);
	struct meter_tariff *t = parse("");
	struct meter_bill_options o = {.tariff = t, .month = march};
	bool failed = true;
	for (uint64_t n = 1; failed; n++) {
		struct meter_bill_report r;
		struct tf_buf out;
		tf_buf_init(&out, 1 << 16);
		assert_non_null(tf_buf_room(&out, 1 << 15));
		tf_mem_fail_at(n);
		enum tf_err e = meter_bill_run(s, &o, print_bill, &out, &r, NULL);
		failed = tf_mem_fail_at(0) >= n;
		assert_true(failed || !e);
		assert_true(!failed || e == TF_NO_MEMORY || !e);
		tf_buf_release(&out);
	}
	meter_tariff_free(&t);
	meter_store_close(&s);
	tf_sim_free(&os);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_meter_is_its_own_account_where_no_network_names_it),
		cmocka_unit_test(every_tier_and_the_sums_give_the_same_bills),
		cmocka_unit_test(sums_alone_say_why_not),
		cmocka_unit_test(tenants_of_a_month_pay_their_days),
		cmocka_unit_test(tariff_change_splits_the_month_by_local_day),
		cmocka_unit_test(gaps_are_flagged_and_silent_meters_left_out),
		cmocka_unit_test(any_failing_allocation_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
