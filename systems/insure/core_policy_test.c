/* The core as a domain expert would test it: who may buy what, for how much, and what a policy is on which day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core_policy.h"
#include "in_purchase.h"
#include "view_policy.h"

static struct insure_state state;
static struct tf_zone *zone;

static int
setup(void **unused)
{
	(void)unused;
	struct tf_pages_options o = {sizeof(struct insure_policy), INSURE_POLICIES_MAX};
	assert_int_equal(tf_zone_fixed(TF_STR("IST"), 19800, &zone, NULL), TF_OK);
	assert_int_equal(tf_pages_open(NULL, NULL, &o, &state.pages, NULL), TF_OK);
	state.zone = zone;
	return 0;
}

static int
teardown(void **unused)
{
	(void)unused;
	tf_pages_close(&state.pages);
	tf_zone_free(&zone);
	return 0;
}

static int32_t
date(const char *text)
{
	int32_t d;
	assert_int_equal(tf_date_parse(tf_str(text), &d), TF_OK);
	return d;
}

/* Noon of that day in India. */
static tf_time
noon(const char *day)
{
	return date(day) * TF_DAY + 12 * TF_HOUR - 19800 * TF_SEC;
}

/* What everybody may buy on 26 November 2026, aged 36. */
static struct insure_purchase
fine(void)
{
	return (struct insure_purchase){.product = TF_STR("TERM_LIFE"),
					.sum_insured = INT64_C(500000000),
					.quoted = -1,
					.start = date("2026-12-01"),
					.term = 20,
					.birth = date("1990-04-01"),
					.name = TF_STR("Asha Rao"),
					.phone = TF_STR("+919812345678"),
					.partner = 7};
}

static enum insure_reject
decide(const struct insure_purchase *c, struct insure_event *out)
{
	struct insure_event ignored;
	return insure_decide_purchase(&state, c, noon("2026-11-26"), out ? out : &ignored);
}

static void
a_purchase_is_priced_and_numbered(void **unused)
{
	(void)unused;
	struct insure_event e;
	struct insure_purchase c = fine();
	assert_int_equal(decide(&c, &e), INSURE_ACCEPTED);
	/* 50 lakh at 1,690 a million: 8,450 rupees, no tax. */
	assert_int_equal(e.slot.premium, 845000);
	assert_int_equal(e.slot.rate_version, 2);
	assert_int_equal(e.slot.age, 36);
	assert_int_equal(e.slot.end, date("2046-12-01"));
	assert_string_equal(e.slot.initials, "AR");
	assert_int_equal(e.policy, tf_pages_count(state.pages));
	assert_int_equal(insure_apply(&state, &e, 9, NULL), TF_OK);
	const struct insure_policy *p = tf_pages_at(state.pages, e.policy);
	assert_int_equal(p->offset, 9);
	assert_int_equal(p->sum_insured, c.sum_insured);
}

#define REJECTED(change, why)                                                                                          \
	do {                                                                                                           \
		struct insure_purchase c = fine();                                                                     \
		change;                                                                                                \
		assert_string_equal(insure_reject_code(decide(&c, NULL)), #why);                                       \
	} while (0)

static void
each_rule_rejects_at_its_edge(void **unused)
{
	(void)unused;
	REJECTED((void)0, ACCEPTED);
	REJECTED(c.product = TF_STR("MARINE"), PRODUCT_UNKNOWN);
	REJECTED(c.sum_insured = 50000000, ACCEPTED);
	REJECTED(c.sum_insured = 45000000, SUM_OUT_OF_RANGE);
	REJECTED(c.sum_insured = INT64_C(10000000000), ACCEPTED);
	REJECTED(c.sum_insured = INT64_C(10005000000), SUM_OUT_OF_RANGE);
	REJECTED(c.sum_insured += 1, SUM_NOT_IN_STEPS);
	REJECTED(c.term = 4, TERM_OUT_OF_RANGE);
	REJECTED(c.term = 41, TERM_OUT_OF_RANGE);
	REJECTED(c.start = date("2026-11-25"), START_IN_THE_PAST);
	REJECTED(c.start = date("2026-11-26"), ACCEPTED);
	REJECTED(c.start = date("2027-02-24"), ACCEPTED);
	REJECTED(c.start = date("2027-02-25"), START_TOO_FAR);
	REJECTED(c.birth = date("2008-12-01"), ACCEPTED); /* 18 on the first day */
	REJECTED(c.birth = date("2008-12-02"), AGE_OUT_OF_RANGE);
	REJECTED(c.birth = date("2027-01-01"), AGE_OUT_OF_RANGE);
	REJECTED(c.birth = date("1961-12-01"); c.term = 20, ACCEPTED); /* 65, to 85 */
	REJECTED(c.birth = date("1961-12-01"); c.term = 21, AGE_AT_END);
	REJECTED(c.birth = date("1960-12-01"); c.term = 5, AGE_OUT_OF_RANGE);
	REJECTED(c.quoted = 845000, ACCEPTED);
	REJECTED(c.quoted = 844999, PREMIUM_CHANGED);
}

static int64_t
premium(enum insure_product product, int age, int64_t sum, const char *day)
{
	int64_t out = 0;
	uint16_t version;
	return insure_premium(product, age, sum, date(day), &out, &version) ? out : -1;
}

static void
the_tariff_of_the_day_and_its_tax_count(void **unused)
{
	(void)unused;
	const int64_t lakh = INT64_C(10000000);
	assert_int_equal(premium(INSURE_HEALTH, 30, 5 * lakh, "2025-03-31"), -1);
	assert_int_equal(premium(INSURE_HEALTH, 30, 5 * lakh, "2025-09-21"), 710000 + 127800); /* 18 % */
	assert_int_equal(premium(INSURE_HEALTH, 30, 5 * lakh, "2025-09-22"), 710000);
	assert_int_equal(premium(INSURE_HEALTH, 30, 5 * lakh, "2026-03-31"), 710000);
	assert_int_equal(premium(INSURE_HEALTH, 30, 5 * lakh, "2026-04-01"), 765000);
	assert_int_equal(premium(INSURE_HEALTH, 36, 5 * lakh, "2026-04-01"), 1020000);
	assert_int_equal(premium(INSURE_ACCIDENT, 30, lakh, "2026-04-01"), 10500 + 1890);
	assert_int_equal(premium(INSURE_HEALTH, 76, 5 * lakh, "2026-04-01"), -1);
	/* Half a paisa goes up: 1,100 a million of 500 paise is 0.55. */
	assert_int_equal(premium(INSURE_TERM_LIFE, 20, 500, "2026-04-01"), 1);
	assert_int_equal(premium(INSURE_TERM_LIFE, 20, 400, "2026-04-01"), 0);
}

static void
status_follows_the_days_in_india(void **unused)
{
	(void)unused;
	struct insure_policy p = {.start = date("2026-12-01"), .end = date("2027-12-01")};
	assert_int_equal(insure_status(&p, date("2026-11-30")), INSURE_PENDING);
	assert_int_equal(insure_status(&p, date("2026-12-01")), INSURE_ACTIVE);
	assert_int_equal(insure_status(&p, date("2027-11-30")), INSURE_ACTIVE);
	assert_int_equal(insure_status(&p, date("2027-12-01")), INSURE_LAPSED);
	p.cancelled = date("2027-03-01");
	assert_int_equal(insure_status(&p, date("2027-02-28")), INSURE_ACTIVE);
	assert_int_equal(insure_status(&p, date("2027-03-01")), INSURE_CANCELLED);
	/* 20:00 UTC is the next day there. */
	struct insure_purchase c = fine();
	struct insure_event e;
	c.start = date("2026-11-26");
	tf_time late = date("2026-11-26") * TF_DAY + 20 * TF_HOUR;
	assert_int_equal(insure_decide_purchase(&state, &c, late, &e), INSURE_START_IN_THE_PAST);
}

static void
a_leap_day_has_an_anniversary(void **unused)
{
	(void)unused;
	struct insure_purchase c = fine();
	struct insure_event e;
	c.start = date("2028-02-29");
	c.term = 5;
	assert_int_equal(insure_decide_purchase(&state, &c, noon("2028-02-29"), &e), INSURE_ACCEPTED);
	assert_int_equal(e.slot.end, date("2033-02-28"));
	assert_int_equal(insure_age(date("2008-02-29"), date("2026-02-28")), 17);
	assert_int_equal(insure_age(date("2008-02-29"), date("2026-03-01")), 18);
}

static void
a_policy_is_cancelled_once_and_not_backwards(void **unused)
{
	(void)unused;
	struct insure_purchase c = fine();
	struct insure_event e;
	assert_int_equal(decide(&c, &e), INSURE_ACCEPTED);
	assert_int_equal(insure_apply(&state, &e, 1, NULL), TF_OK);
	struct insure_cancel k = {e.policy, date("2026-11-25"), c.partner};
	tf_time now = noon("2026-11-26");
	assert_int_equal(insure_decide_cancel(&state, &k, now, &e), INSURE_CANCEL_IN_THE_PAST);
	k.date = date("2046-12-01");
	assert_int_equal(insure_decide_cancel(&state, &k, now, &e), INSURE_NOT_IN_FORCE);
	k.date = date("2027-01-01");
	assert_true(insure_sold_by(&state, e.policy, c.partner));
	assert_false(insure_sold_by(&state, e.policy, c.partner + 1));
	assert_false(insure_sold_by(&state, e.policy + 1, c.partner));
	assert_false(insure_sold_by(&state, UINT64_MAX, c.partner));
	k.partner = c.partner + 1; /* not who sold it */
	assert_int_equal(insure_decide_cancel(&state, &k, now, &e), INSURE_POLICY_UNKNOWN);
	k.partner = c.partner;
	assert_int_equal(insure_decide_cancel(&state, &k, now, &e), INSURE_ACCEPTED);
	assert_int_equal(insure_apply(&state, &e, 2, NULL), TF_OK);
	assert_int_equal(insure_decide_cancel(&state, &k, now, &e), INSURE_CANCELLED_ALREADY);
	k.policy = tf_pages_count(state.pages);
	assert_int_equal(insure_decide_cancel(&state, &k, now, &e), INSURE_POLICY_UNKNOWN);
	e = (struct insure_event){.type = INSURE_PURCHASED, .policy = k.policy + 1};
	assert_int_equal(insure_apply(&state, &e, 3, NULL), TF_CORRUPT);
}

static void
events_survive_their_bytes(void **unused)
{
	(void)unused;
	struct insure_purchase c = fine();
	struct insure_event e, back;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	c.name = TF_STR("\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe \xe0\xa4\xb0\xe0\xa4\xbe\xe0\xa4\xb5"); /* Asha Rao, in
													 Devanagari */
	assert_int_equal(decide(&c, &e), INSURE_ACCEPTED);
	assert_int_equal(strlen(e.slot.initials), 6);
	insure_event_put(&b, &e);
	struct tf_str bytes = tf_buf_view(&b);
	assert_int_equal(insure_event_get(INSURE_PURCHASED, bytes, &back, NULL), TF_OK);
	assert_memory_equal(&back.slot, &e.slot, sizeof e.slot);
	assert_true(tf_str_eq(back.name, c.name) && tf_str_eq(back.phone, c.phone) && back.birth == c.birth);
	for (size_t n = 0; n < bytes.n; n++)
		assert_int_not_equal(insure_event_get(INSURE_PURCHASED, tf_str_n(bytes.p, n), &back, NULL), TF_OK);
	assert_int_equal(insure_event_get(9, bytes, &back, NULL), TF_UNSUPPORTED);
	tf_buf_release(&b);
}

static void
a_wrong_digit_names_no_policy(void **unused)
{
	(void)unused;
	char text[INSURE_NUMBER_BYTES + 1];
	for (uint64_t n = 0; n < 3000; n += 37) {
		uint64_t back;
		insure_number(n, text);
		assert_true(insure_number_parse(tf_str(text), &back));
		assert_int_equal(back, n);
		for (int i = 1; i < INSURE_NUMBER_BYTES; i++) {
			char was = text[i];
			text[i] = was == '9' ? '0' : (char)(was + 1);
			assert_false(insure_number_parse(tf_str(text), &back));
			text[i] = was;
		}
	}
	uint64_t back;
	assert_false(insure_number_parse(TF_STR("P00000000000"), &back));
	assert_false(insure_number_parse(TF_STR("Q000000000001"), &back));
	assert_false(insure_number_parse(TF_STR("P-00000000001"), &back));
}

#define HOLDER  "\"holder\":{\"name\":\"Asha Rao\",\"date_of_birth\":\"1990-04-01\",\"phone\":\"+919812345678\"}"
#define REST    "\"sum_insured\":500000000,\"currency\":\"INR\",\"term_years\":20,\"start_date\":\"2026-12-01\""
#define PRODUCT "\"product\":\"TERM_LIFE\""

static void
what_no_schema_can_say_names_its_field(void **unused)
{
	(void)unused;
	static const struct {
		const char *body, *field;
	} rows[] = {
		{"{" PRODUCT "," REST "," HOLDER "}", NULL},
		{"7", "/product"},
		{"[]", "/product"},
		{"{" REST "," HOLDER "}", "/product"},
		{"{\"product\":7," REST "," HOLDER "}", "/product"},
		{"{" PRODUCT ",\"sum_insured\":5.5,\"currency\":\"INR\"," HOLDER "}", "/sum_insured"},
		{"{" PRODUCT ",\"sum_insured\":\"5\",\"currency\":\"INR\"," HOLDER "}", "/sum_insured"},
		{"{" PRODUCT ",\"sum_insured\":99999999999999999999,\"currency\":\"INR\"," HOLDER "}", "/sum_insured"},
		{"{" PRODUCT
		 ",\"sum_insured\":5,\"currency\":\"INR\",\"term_years\":1,\"start_date\":\"2026-02-30\"," HOLDER "}",
		 "/start_date"},
		{"{" PRODUCT "," REST "}", "/holder"},
		{"{" PRODUCT "," REST ",\"holder\":[]}", "/holder"},
		{"{" PRODUCT "," REST ",\"holder\":{}}", "/holder/name"},
		{"{" PRODUCT "," REST ",\"holder\":{\"name\":\" A\"}}", "/holder/name"},
		{"{" PRODUCT "," REST ",\"holder\":{\"name\":\"A\\n\"}}", "/holder/name"},
		{"{" PRODUCT "," REST ",\"holder\":{\"name\":\"A\"}}", "/holder/date_of_birth"},
		{"{" PRODUCT "," REST ",\"holder\":{\"name\":\"A\",\"date_of_birth\":\"1990-4-1\"}}",
		 "/holder/date_of_birth"},
		{"{" PRODUCT "," REST ",\"holder\":{\"name\":\"A\",\"date_of_birth\":\"1990-04-01\"}}",
		 "/holder/phone"},
		{"{" PRODUCT "," REST
		 ",\"holder\":{\"name\":\"A\",\"date_of_birth\":\"1990-04-01\",\"phone\":\"+91981234567890123\"}}",
		 "/holder/phone"},
	};
	struct tf_arena arena;
	tf_arena_init(&arena, "test", 1 << 20);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct insure_purchase c;
		char field[INSURE_FIELD_MAX];
		struct tf_fault f = {0};
		const struct tf_json *body;
		assert_int_equal(tf_json_parse(tf_str(rows[i].body), &arena, 0, &body, &f), TF_OK);
		enum tf_err e = insure_in_purchase(body, &c, field, &f);
		if (e != (rows[i].field ? TF_INVALID : TF_OK))
			fail_msg("%s: %s %s", rows[i].body, tf_err_name(e), f.text);
		if (rows[i].field && strcmp(field, rows[i].field) != 0)
			fail_msg("%s: field '%s'", rows[i].body, field);
	}
	tf_arena_release(&arena);
}

/* A partner sees initials, and no name, birth or phone. */
static void
what_is_shown_has_no_name(void **unused)
{
	(void)unused;
	struct insure_purchase c = fine();
	struct insure_event e;
	struct tf_buf b;
	char etag[INSURE_ETAG_BYTES], other[INSURE_ETAG_BYTES];
	tf_buf_init(&b, 0);
	assert_int_equal(decide(&c, &e), INSURE_ACCEPTED);
	insure_view_policy(&b, 0, &e.slot, date("2026-12-01"));
	tf_buf_u8(&b, 0);
	const char *text = (const char *)b.p;
	assert_non_null(strstr(text, "\"holder_initials\":\"AR\""));
	assert_non_null(strstr(text, "\"status\":\"active\""));
	assert_non_null(strstr(text, "\"premium\":845000"));
	assert_null(strstr(text, "Asha"));
	assert_null(strstr(text, "98123"));
	assert_null(strstr(text, "1990"));
	insure_view_etag(0, &e.slot, date("2026-11-30"), other);
	assert_string_not_equal(insure_view_etag(0, &e.slot, date("2026-12-01"), etag), other);
	tf_buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_purchase_is_priced_and_numbered),
		cmocka_unit_test(each_rule_rejects_at_its_edge),
		cmocka_unit_test(the_tariff_of_the_day_and_its_tax_count),
		cmocka_unit_test(status_follows_the_days_in_india),
		cmocka_unit_test(a_leap_day_has_an_anniversary),
		cmocka_unit_test(a_policy_is_cancelled_once_and_not_backwards),
		cmocka_unit_test(events_survive_their_bytes),
		cmocka_unit_test(a_wrong_digit_names_no_policy),
		cmocka_unit_test(what_no_schema_can_say_names_its_field),
		cmocka_unit_test(what_is_shown_has_no_name),
	};
	return cmocka_run_group_tests_name("insure core", tests, setup, teardown);
}
