/* The store in virtual time: a year in the life of a policy; snapshot and tail against the log alone; power loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/sim.h"
#include "verify.h"
#include "view_policy.h"

#define SALES 30

static tf_time
start_time(void)
{
	int32_t day;
	assert_int_equal(tf_date_parse(TF_STR("2026-11-26"), &day), TF_OK);
	return day * TF_DAY + 6 * TF_HOUR;
}

static struct tf_os *
new_os(uint64_t seed)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = seed, .start = start_time()});
	assert_non_null(os);
	return os;
}

static void
on_told(void *token, uint64_t offset)
{
	*(uint64_t *)token = offset + 1;
}

static enum tf_err
open_store(struct tf_os *os, struct insure_store **out, struct tf_fault *f)
{
	struct insure_store_options o = {.keys = {.run_keys = 8}, .publish_bytes = 3000, .tell = on_told};
	return insure_store_open(os, "data", &o, out, f);
}

static void
purchase(struct insure_store *s, uint32_t n, char key[static 16], struct insure_command *c)
{
	snprintf(key, 16, "key-%u", n);
	*c = (struct insure_command){.type = INSURE_DO_PURCHASE, .keyed = true};
	c->name = (struct tf_idem_name){TF_STR("exchange"), TF_STR("POST"), TF_STR("/insure/v1/policies"), tf_str(key)};
	tf_decision_hash(TF_STR(""), tf_str(key), c->hash);
	c->purchase = (struct insure_purchase){.product = TF_STR("HEALTH"), .quoted = -1, .term = 1, .partner = 1};
	c->purchase.sum_insured = INT64_C(50000000) + n * INT64_C(5000000);
	c->purchase.start = insure_today(s) + (int32_t)n % 5;
	c->purchase.birth = insure_today(s) - 12000;
	c->purchase.name = TF_STR("Asha Rao");
	c->purchase.phone = TF_STR("+919812345678");
}

/* What the server does: asks for the key, then decides. */
static enum tf_err
take(struct insure_store *s, struct insure_command *c, uint64_t *told, struct tf_fault *f)
{
	struct tf_idem_answer a;
	uint64_t offset;
	TF_TRY(tf_idem_ask(s->keys, &c->name, c->hash, &a, f));
	if (a.state == TF_IDEM_DONE)
		*told = a.offset + 1;
	return a.state == TF_IDEM_NEW ? insure_store_submit(s, c, told, &offset, f) : TF_OK;
}

static enum tf_err
cancel(struct insure_store *s, uint64_t policy, int32_t date, uint64_t *told, struct tf_fault *f)
{
	char key[24];
	snprintf(key, sizeof key, "cancel-%u", (unsigned)policy);
	struct insure_command c = {.type = INSURE_DO_CANCEL, .keyed = true, .cancel = {policy, date}};
	c.name = (struct tf_idem_name){TF_STR("exchange"), TF_STR("POST"), TF_STR("/cancellation"), tf_str(key)};
	tf_decision_hash(TF_STR(""), tf_str(key), c.hash);
	return take(s, &c, told, f);
}

static const char *
status_of(struct insure_store *s, uint64_t policy)
{
	return insure_status_name(insure_status(tf_pages_at(s->state.pages, policy), insure_today(s)));
}

static void
must(enum tf_err e, const struct tf_fault *f)
{
	if (e)
		fail_msg("%s: %s", tf_err_name(e), f->text);
}

/* A policy is bought in the morning, its cover begins in four days, it is cancelled in spring; another one runs out. */
static void
a_year_in_the_life_of_a_policy(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct tf_fault f = {0};
	struct insure_store *s;
	struct insure_command c;
	char key[16];
	uint64_t told[3] = {0}, again = 0;
	must(open_store(os, &s, &f), &f);
	purchase(s, 4, key, &c);
	must(take(s, &c, &told[0], &f), &f);
	assert_int_equal(told[0], 0); /* nobody is told before the sync */
	must(insure_store_commit(s, &f), &f);
	assert_int_equal(told[0], 1);
	assert_string_equal(status_of(s, 0), "pending");
	/* The exchange asks again after a time-out: the same policy. */
	must(take(s, &c, &again, &f), &f);
	assert_int_equal(again, told[0]);
	assert_int_equal(tf_pages_count(s->state.pages), 1);
	purchase(s, 5, key, &c);
	must(take(s, &c, &told[1], &f), &f);
	must(insure_store_commit(s, &f), &f);
	assert_string_equal(status_of(s, 1), "active");
	tf_sim_advance(os, 4 * TF_DAY);
	assert_string_equal(status_of(s, 0), "active");
	/* A restart in winter changes nothing. */
	insure_store_close(&s);
	tf_sim_advance(os, 60 * TF_DAY);
	must(open_store(os, &s, &f), &f);
	assert_string_equal(status_of(s, 0), "active");
	int32_t spring = insure_today(s) + 40;
	must(cancel(s, 0, spring, &told[2], &f), &f);
	must(insure_store_commit(s, &f), &f);
	assert_string_equal(status_of(s, 0), "active");
	tf_sim_advance(os, 40 * TF_DAY);
	assert_string_equal(status_of(s, 0), "cancelled");
	assert_string_equal(status_of(s, 1), "active");
	tf_sim_advance(os, 265 * TF_DAY);
	assert_string_equal(status_of(s, 1), "lapsed");
	insure_store_close(&s);
	tf_sim_free(&os);
}

static enum tf_err
story(struct tf_os *os, uint64_t *told, struct tf_fault *f)
{
	struct insure_store *s = NULL;
	enum tf_err e = open_store(os, &s, f);
	for (uint32_t n = 0; !e && n < SALES; n++) {
		char key[16];
		struct insure_command c;
		purchase(s, n, key, &c);
		e = take(s, &c, &told[n], f);
		if (!e && n == 20)
			e = cancel(s, 3, insure_today(s) + 30, &told[SALES], f);
		if (!e && n % 4 == 3)
			e = insure_store_commit(s, f);
		if (n == 12)
			tf_sim_advance(os, TF_HOUR);
	}
	if (!e)
		e = insure_store_commit(s, f);
	insure_store_close(&s);
	return e;
}

static void
on_finding(void *ctx, const char *text)
{
	(void)ctx;
	fail_msg("%s", text);
}

static uint64_t
verified(struct tf_os *os, uint64_t policies)
{
	struct tf_fault f = {0};
	struct insure_store *s;
	struct insure_verify_report r;
	must(open_store(os, &s, &f), &f);
	must(insure_verify(s, on_finding, NULL, &r, &f), &f);
	assert_int_equal(r.findings, 0);
	assert_int_equal(r.policies, policies);
	assert_int_equal(insure_state_digest(&s->state), r.digest);
	insure_store_close(&s);
	return r.digest;
}

/* The snapshot with its tail, the log alone, and a second time: the same state, bit for bit. */
static void
snapshot_and_tail_equal_the_log_alone(void **state)
{
	(void)state;
	struct tf_os *os = new_os(2);
	struct tf_fault f = {0};
	uint64_t told[SALES + 1] = {0};
	must(story(os, told, &f), &f);
	struct tf_stat st;
	must(tf_os_stat(os, "data/state/manifest", &st, &f), &f);
	uint64_t with = verified(os, SALES);
	must(tf_os_rename(os, "data/state", "data/lost", &f), &f);
	assert_true(verified(os, SALES) == with);
	tf_sim_free(&os);
}

static void
check_after(struct tf_os *os, const uint64_t *told)
{
	struct tf_fault f = {0};
	uint64_t again[SALES + 1] = {0};
	must(story(os, again, &f), &f);
	for (uint32_t n = 0; n <= SALES; n++)
		if (told[n])
			assert_int_equal(again[n], told[n]); /* the same decision, not a new one */
	verified(os, SALES);
}

/* Cut anywhere and repeated whole: every sale once, every answer that was given is given again. */
static void
cut_at_every_operation(void (*cut)(struct tf_os *))
{
	bool down = true;
	uint64_t n = 1;
	for (; down; n++) {
		struct tf_os *os = new_os(n);
		uint64_t told[SALES + 1] = {0};
		tf_sim_down_at(os, n);
		(void)!story(os, told, NULL);
		down = tf_sim_is_down(os);
		cut(os);
		tf_sim_down_at(os, 0);
		check_after(os, told);
		tf_sim_free(&os);
	}
	assert_true(n > 120);
}

static void
power_loss_anywhere_sells_each_policy_once(void **state)
{
	(void)state;
	cut_at_every_operation(tf_sim_power_loss);
}

static void
a_kill_anywhere_sells_each_policy_once(void **state)
{
	(void)state;
	cut_at_every_operation(tf_sim_crash);
}

static void
out_of_memory_anywhere_sells_each_policy_once(void **state)
{
	(void)state;
	enum tf_err e = TF_NO_MEMORY;
	for (uint64_t n = 1; e; n++) {
		struct tf_os *os = new_os(n);
		uint64_t told[SALES + 1] = {0};
		tf_mem_fail_at(n);
		e = story(os, told, NULL);
		tf_mem_fail_at(0);
		check_after(os, told);
		tf_sim_free(&os);
	}
}

static void
a_rejected_command_leaves_no_trace(void **state)
{
	(void)state;
	struct tf_os *os = new_os(5);
	struct tf_fault f = {0};
	struct insure_store *s;
	struct insure_command c;
	char key[16];
	uint64_t told = 0;
	must(open_store(os, &s, &f), &f);
	purchase(s, 1, key, &c);
	c.purchase.term = 9;
	assert_int_equal(take(s, &c, &told, &f), TF_CONFLICT);
	assert_int_equal(c.reject, INSURE_TERM_OUT_OF_RANGE);
	must(insure_store_commit(s, &f), &f);
	assert_int_equal(tf_log_end(s->log, 0), 0);
	c.purchase.term = 1;
	must(take(s, &c, &told, &f), &f); /* the key stayed free */
	must(insure_store_commit(s, &f), &f);
	assert_int_equal(told, 1);
	insure_store_close(&s);
	tf_sim_free(&os);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_year_in_the_life_of_a_policy),
		cmocka_unit_test(snapshot_and_tail_equal_the_log_alone),
		cmocka_unit_test(a_rejected_command_leaves_no_trace),
		cmocka_unit_test(power_loss_anywhere_sells_each_policy_once),
		cmocka_unit_test(a_kill_anywhere_sells_each_policy_once),
		cmocka_unit_test(out_of_memory_anywhere_sells_each_policy_once),
	};
	return cmocka_run_group_tests_name("insure store", tests, NULL, NULL);
}
