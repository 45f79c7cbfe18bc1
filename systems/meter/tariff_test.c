/* Tariff files: what is read, what is refused and where, which plan and register holds when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "tariff.h"

#define HEAD "{\"name\":\"t\",\"currency\":\"INR\",\"minor_digits\":2,\n"
#define PLAN "{\"name\":\"p\",\n\"slabs\":[{\"rate\":\"1\"}]}"

static struct meter_tariff *
parse(const char *text)
{
	struct meter_tariff *t = NULL;
	struct tf_fault f = {0};
	if (meter_tariff_parse(tf_str("a.json"), tf_str(text), &t, &f))
		fail_msg("%s", f.text);
	return t;
}

static int32_t
day(const char *text)
{
	int32_t d = 0;
	assert_int_equal(tf_date_parse(tf_str(text), &d), TF_OK);
	return d;
}

static void
default_file_is_read(void **state)
{
	(void)state;
	struct meter_tariff *t = NULL;
	assert_int_equal(meter_tariff_parse(tf_str("default"), meter_tariff_default(), &t, NULL), TF_OK);
	assert_true(tf_str_eq(t->currency, tf_str("INR")));
	assert_int_equal(t->version_count, 1);
	const struct meter_tariff_version *v = meter_tariff_at(t, day("2026-01-01"));
	assert_true(tf_str_eq(meter_tariff_plan(v, tf_str("shop"))->name, tf_str("commercial")));
	assert_true(tf_str_eq(meter_tariff_plan(v, tf_str("never heard of"))->name, tf_str("household")));
	const struct meter_tariff_plan *p = meter_tariff_plan(v, tf_str(""));
	assert_int_equal(p->slab_count, 4);
	assert_int_equal(p->slabs[0].up_to_wh, 100000);
	assert_int_equal(p->slabs[0].rate, 3250000);
	assert_true(tf_str_eq(p->slabs[1].name, tf_str("energy 100 to 300 kWh")));
	assert_true(tf_str_eq(p->slabs[3].name, tf_str("energy over 500 kWh")));
	assert_int_equal(p->demand_s, 1800);
	assert_false(p->has_demand);
	meter_tariff_free(&t);
	assert_null(t);
}

static void
refuse(const char *text, const char *line, const char *field)
{
	struct meter_tariff *t = NULL;
	struct tf_fault f = {0};
	assert_int_equal(meter_tariff_parse(tf_str("a.json"), tf_str(text), &t, &f), TF_INVALID);
	if (!strstr(f.text, "a.json") || !strstr(f.text, line) || !strstr(f.text, field))
		fail_msg("'%s' says neither '%s' nor '%s'", f.text, line, field);
	assert_null(t);
}

static void
refuse_plan(const char *member, const char *field)
{
	char text[2000];
	snprintf(text, sizeof text,
		 HEAD "\"versions\":[{\"from\":\"2026-01-01\",\"default\":\"p\",\n\"plans\":[{\"name\":\"p\",\n%s}]}]}",
		 member);
	refuse(text, "line 4", field);
}

static void
errors_name_file_line_and_field(void **state)
{
	(void)state;
	refuse("{\n\"name\":}", "line 2", "");
	refuse("[]", "line 1", "object");
	refuse("{\n\"nam\":\"x\"}", "line 2", "'nam'");
	refuse("{\"name\":\"x\",\n\"currency\":7,\"minor_digits\":2}", "line 2", "'currency'");
	refuse("{\"name\":\"x\",\"currency\":\"INR\",\n\"minor_digits\":9}", "line 2", "'minor_digits'");
	refuse(HEAD "\"rounding\":{\"line\":\"up\"},\"versions\":[]}", "line 2", "'line'");
	refuse(HEAD "\"rounding\":{\"total\":\"0.001\"},\"versions\":[]}", "line 2", "'total'");
	refuse(HEAD "\"holidays\":[\"2026-01-02\",\"2026-01-02\"],\"versions\":[]}", "line 2", "'holidays'");
	refuse(HEAD "\"versions\":[]}", "line 2", "'versions'");
	refuse(HEAD "\"versions\":[{\"from\":\"2026-02-30\",\"default\":\"p\",\"plans\":[" PLAN "]}]}", "line 2",
	       "'from'");
	refuse(HEAD "\"versions\":[{\"from\":\"2026-02-01\",\n\"default\":\"q\",\"plans\":[" PLAN "]}]}", "line 3",
	       "'default'");
	refuse(HEAD "\"versions\":[{\"from\":\"2026-02-01\",\"default\":\"p\",\"plans\":[" PLAN "]},\n"
		    "{\"from\":\"2026-02-01\",\"default\":\"p\",\"plans\":[" PLAN "]}]}",
	       "line 4", "'from'");
	refuse(HEAD "\"versions\":[{\"from\":\"2026-02-01\",\"default\":\"p\",\"plans\":[" PLAN "," PLAN "]}]}",
	       "line 2", "'p'");
}

static void
errors_of_a_plan_name_line_and_field(void **state)
{
	(void)state;
	refuse_plan("\"slab\":[]", "'slab'");
	refuse_plan("\"fixed\":\"1.0000001\"", "'fixed'");
	refuse_plan("\"fixed\":\"-1\"", "'fixed'");
	refuse_plan("\"fixed\":\"1000000.01\"", "'fixed'");
	refuse_plan("\"slabs\":[{\"up_to_kwh\":10,\"rate\":\"1\"}]", "'up_to_kwh'");
	refuse_plan("\"slabs\":[{\"rate\":\"1\"},{\"rate\":\"1\"}]", "'up_to_kwh'");
	refuse_plan("\"slabs\":[{\"up_to_kwh\":10,\"rate\":1},{\"up_to_kwh\":10,\"rate\":1},{\"rate\":1}]",
		    "'up_to_kwh'");
	refuse_plan("\"slabs\":[{\"rate\":\"1,5\"}]", "'rate'");
	refuse_plan("\"slabs\":[{}]", "'rate'");
	refuse_plan("\"registers\":[{\"name\":\"a\",\"windows\":[{\"from\":\"00:00\",\"to\":\"06:00\"}]}]",
		    "'windows'");
	refuse_plan("\"registers\":[{\"name\":\"a\"},{\"name\":\"b\"}]", "'windows'");
	refuse_plan(
		"\"registers\":[{\"name\":\"a\",\"windows\":[{\"from\":\"6:00\",\"to\":\"07:00\"}]},{\"name\":\"b\"}]",
		"'from'");
	refuse_plan(
		"\"registers\":[{\"name\":\"a\",\"windows\":[{\"from\":\"06:00\",\"to\":\"24:01\"}]},{\"name\":\"b\"}]",
		"'to'");
	refuse_plan("\"registers\":[{\"name\":\"a\",\"windows\":[{\"days\":[\"may\"],\"from\":\"06:00\",\"to\":\"07:"
		    "00\"}]},"
		    "{\"name\":\"b\"}]",
		    "'days'");
	refuse_plan("\"registers\":[{\"name\":\"a\",\"windows\":[{\"season\":{\"from\":\"04-31\",\"to\":\"05-01\"},"
		    "\"from\":\"06:00\",\"to\":\"07:00\"}]},{\"name\":\"b\"}]",
		    "'from'");
	refuse_plan(
		"\"registers\":[{\"name\":\"a\",\"windows\":[{\"from\":\"06:00\",\"to\":\"07:00\"}]},{\"name\":\"a\"}]",
		"'a'");
	refuse_plan("\"demand\":{\"interval_minutes\":0,\"rate_per_kw\":1}", "'interval_minutes'");
	refuse_plan("\"demand\":{\"rate_per_kw\":1}", "'interval_minutes'");
	refuse_plan("\"demand\":{\"interval_minutes\":30,\"rate_per_kw\":1,\"minimum_kw\":\"0.0001\"}", "'minimum_kw'");
	refuse_plan("\"taxes\":[{\"name\":\"t\",\"percent\":5,\"on\":[\"everything\"]}]", "'on'");
	refuse_plan("\"taxes\":[{\"name\":\"t\",\"percent\":5,\"on\":[]}]", "'on'");
	refuse_plan("\"export\":{\"credit\":1}", "'credit'");
	refuse_plan("\"categories\":[\"a,b\"]", "'categories'");
}

static void
version_in_force_is_the_latest_not_after_the_date(void **state)
{
	(void)state;
	struct meter_tariff *t = parse(HEAD "\"versions\":[{\"from\":\"2025-04-01\",\"default\":\"p\",\"plans\":[" PLAN
					    "]},{\"from\":\"2026-04-01\",\"default\":\"p\",\"plans\":[" PLAN "]}]}");
	assert_null(meter_tariff_at(t, day("2025-03-31")));
	assert_ptr_equal(meter_tariff_at(t, day("2025-04-01")), &t->versions[0]);
	assert_ptr_equal(meter_tariff_at(t, day("2026-03-31")), &t->versions[0]);
	assert_ptr_equal(meter_tariff_at(t, day("2026-04-01")), &t->versions[1]);
	assert_int_equal(t->plan_count, 2);
	assert_int_equal(t->versions[1].plans[0].id, 1);
	meter_tariff_free(&t);
}

static uint32_t
at(const struct meter_tariff *t, const char *date, uint32_t hour, uint32_t minute)
{
	return meter_tariff_register(t, &t->versions[0].plans[0], day(date), hour * 60 + minute);
}

static void
register_follows_day_season_and_time(void **state)
{
	(void)state;
	struct meter_tariff *t = parse(
		HEAD
		"\"holidays\":[\"2026-01-26\"],\"versions\":[{\"from\":\"2000-01-01\",\"default\":\"p\",\"plans\":["
		"{\"name\":\"p\",\"registers\":["
		"{\"name\":\"peak\",\"windows\":[{\"days\":[\"weekday\"],\"from\":\"18:30\",\"to\":\"22:00\"},"
		"{\"days\":[\"holiday\"],\"from\":\"10:00\",\"to\":\"11:00\"}]},"
		"{\"name\":\"night\",\"windows\":[{\"from\":\"22:00\",\"to\":\"06:00\"}]},"
		"{\"name\":\"winter\",\"windows\":[{\"days\":[\"sat\",\"sun\"],\"from\":\"00:00\",\"to\":\"24:00\","
		"\"season\":{\"from\":\"11-01\",\"to\":\"02-28\"}}]},"
		"{\"name\":\"rest\"}]}]}]}");
	assert_int_equal(at(t, "2026-01-27", 18, 29), 3); /* Tuesday */
	assert_int_equal(at(t, "2026-01-27", 18, 30), 0);
	assert_int_equal(at(t, "2026-01-27", 21, 59), 0);
	assert_int_equal(at(t, "2026-01-27", 22, 0), 1);
	assert_int_equal(at(t, "2026-01-27", 5, 59), 1);
	assert_int_equal(at(t, "2026-01-27", 6, 0), 3);
	assert_int_equal(at(t, "2026-01-26", 18, 30), 3); /* a holiday is no weekday */
	assert_int_equal(at(t, "2026-01-26", 10, 30), 0);
	assert_int_equal(at(t, "2026-01-31", 12, 0), 2); /* Saturday */
	assert_int_equal(at(t, "2026-02-28", 12, 0), 2);
	assert_int_equal(at(t, "2026-03-01", 12, 0), 3); /* Sunday out of season */
	assert_int_equal(at(t, "2026-11-01", 12, 0), 2);
	assert_int_equal(meter_tariff_day(t, day("2026-01-26")), METER_DAY_HOLIDAY);
	meter_tariff_free(&t);
}

static void
numbers_are_exact_as_text_or_as_number(void **state)
{
	(void)state;
	struct meter_tariff *t =
		parse(HEAD "\"rounding\":{\"line\":\"half-up\",\"total\":1.00},\"versions\":[{\"from\":"
			   "\"2000-01-01\",\"default\":\"p\",\"plans\":[{\"name\":\"p\",\"slabs\":[{\"up_to_kwh\":"
			   "0.5,\"rate\":0.100001},{\"rate\":\"-7.125000\"}]}]}]}");
	const struct meter_tariff_plan *p = &t->versions[0].plans[0];
	assert_int_equal(p->slabs[0].up_to_wh, 500);
	assert_int_equal(p->slabs[0].rate, 100001);
	assert_int_equal(p->slabs[1].rate, -7125000);
	assert_int_equal(t->round_total, 100);
	assert_int_equal(t->rounding, TF_ROUND_HALF_UP);
	meter_tariff_free(&t);
}

static void
cut_or_failing_never_crashes(void **state)
{
	(void)state;
	struct tf_str text = meter_tariff_default();
	for (size_t n = 0; n + 1 < text.n; n++) {
		struct meter_tariff *t = NULL;
		assert_int_not_equal(meter_tariff_parse(tf_str("a"), tf_str_n(text.p, n), &t, NULL), TF_OK);
	}
	for (uint64_t n = 1;; n++) {
		struct meter_tariff *t = NULL;
		tf_mem_fail_at(n);
		enum tf_err e = meter_tariff_parse(tf_str("a"), text, &t, NULL);
		bool failed = tf_mem_fail_at(0) >= n;
		assert_int_equal(e, failed ? TF_NO_MEMORY : TF_OK);
		meter_tariff_free(&t);
		if (!failed)
			break;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_file_is_read),
		cmocka_unit_test(errors_name_file_line_and_field),
		cmocka_unit_test(errors_of_a_plan_name_line_and_field),
		cmocka_unit_test(version_in_force_is_the_latest_not_after_the_date),
		cmocka_unit_test(register_follows_day_season_and_time),
		cmocka_unit_test(numbers_are_exact_as_text_or_as_number),
		cmocka_unit_test(cut_or_failing_never_crashes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
