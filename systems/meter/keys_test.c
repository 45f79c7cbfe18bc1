/* Bodies posted under an Idempotency-Key: key, answer and readings come together or not at all, whatever fails; the log
 * is kept as long as they need it, and no longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "keys.h"
#include "load.h"
#include "os/sim.h"
#include "out_tier.h"
#include "scan.h"

#define DAY0     ((tf_time)1772323200 * TF_SEC) /* 2026-03-01T00:00:00Z */
#define READINGS 24

#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		struct tf_fault f = {0};                                                                               \
		if (call)                                                                                              \
			fail_msg("%s: %s", #call, f.text);                                                             \
	} while (0)

static struct tf_os *
new_os(uint64_t seed)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = seed, .start = DAY0});
	assert_non_null(os);
	return os;
}

/* Hourly values of a meter of the key's name. */
static struct tf_str
body_of(const char *key, char out[static 2048])
{
	size_t n = (size_t)snprintf(out, 2048, "start,%s\n", key);
	for (int i = 0; i < READINGS; i++) {
		char t[40];
		n += (size_t)snprintf(out + n, 2048 - n, "%s,%d\n", tf_time_format(DAY0 + i * TF_HOUR, t), i);
	}
	return tf_str_n(out, n);
}

struct post {
	struct tf_idem_name name;
	uint8_t hash[TF_IDEM_HASH_BYTES];
	uint64_t told, offset;
	enum tf_idem_state state;
	char reply[128];
};

static enum tf_err
answer(void *ctx, const struct meter_load_result *r, uint64_t offset, struct tf_decision *out, struct tf_fault *f)
{
	struct post *p = ctx;
	(void)f;
	snprintf(p->reply, sizeof p->reply, "%llu readings of %s at %llu", (unsigned long long)r->counts.readings,
		 r->format, (unsigned long long)offset);
	*out = (struct tf_decision){.keyed = p->name.key.p, .name = p->name};
	memcpy(out->hash, p->hash, sizeof out->hash);
	out->reply = (struct tf_stored_reply){.status = 202, .body = tf_str(p->reply)};
	return TF_OK;
}

static enum tf_err
open_store(struct tf_os *os, bool keys, struct meter_store **out, struct tf_fault *f)
{
	struct meter_store_options o = {0};
	TF_TRY(meter_store_open(os, "data", &o, out, f));
	enum tf_err e = keys ? meter_keys_open(*out, f) : TF_OK;
	if (e)
		meter_store_close(out);
	return e;
}

/* What serve does with a body: asks, and takes it when it is new. Key "": none is given. */
static enum tf_err
post_begin(struct meter_store *s, const char *key, struct post *p, struct tf_fault *f)
{
	char body[2048];
	struct meter_load_options o = {.around = answer, .around_ctx = p};
	struct meter_load_result r = {0};
	struct tf_idem_answer known;
	*p = (struct post){.told = UINT64_MAX};
	struct tf_str bytes = body_of(key[0] ? key : "none", body);
	if (key[0]) {
		p->name = (struct tf_idem_name){.method = TF_STR("POST"), .route = TF_STR("/r"), .key = tf_str(key)};
		tf_decision_hash(TF_STR(""), bytes, p->hash);
		TF_TRY(tf_idem_ask(s->keys, &p->name, p->hash, &known, f));
		p->state = known.state;
		if (known.state == TF_IDEM_DONE)
			snprintf(p->reply, sizeof p->reply, "%.*s", TF_FMT(known.decision.reply.body));
	}
	return p->state == TF_IDEM_NEW ? meter_load_bytes(s, TF_STR("http"), bytes, &o, &p->told, &r, &p->offset, f)
				       : TF_OK;
}

static enum tf_err
post(struct meter_store *s, const char *key, struct post *p, struct tf_fault *f)
{
	TF_TRY(post_begin(s, key, p, f));
	TF_TRY(tf_flow_commit(s->flow, f));
	return tf_idem_tick(s->keys, tf_os_now(s->os), f);
}

static enum tf_err
tier(struct meter_store *s, struct tf_fault *f)
{
	struct meter_tier_rule rule = {7, 13, 5};
	struct meter_tier_report moved;
	TF_TRY(tf_flow_drain(s->flow, f));
	if (s->keys)
		TF_TRY(meter_keys_keep(s, meter_keys_floor(s), f));
	return meter_tier_move(s, &rule, DAY0 + 2 * TF_DAY, &moved, f);
}

static enum tf_err
count_row(void *ctx, const struct meter_scan_row *row, struct tf_fault *f)
{
	(void)f;
	for (uint32_t i = row->from; i < row->to; i++)
		*(uint64_t *)ctx += row->stamps[i] != 0;
	return TF_OK;
}

static uint64_t
readings(struct meter_store *s)
{
	uint64_t n = 0;
	MUST(tf_flow_drain(s->flow, &f));
	MUST(meter_scan_all(s, TF_TIME_FIRST, TF_TIME_LAST, count_row, &n, &f));
	return n;
}

static void
pass(struct meter_store *s, tf_dur time)
{
	for (; time > 0; time -= 30 * TF_SEC) {
		tf_sim_advance(s->os, 30 * TF_SEC);
		MUST(tf_idem_tick(s->keys, tf_os_now(s->os), &f));
	}
}

static void
a_body_is_new_then_busy_then_answered_as_it_was(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct meter_store *s;
	struct post first, again;
	MUST(open_store(os, true, &s, &f));
	MUST(post_begin(s, "a", &first, &f));
	assert_int_equal(first.state, TF_IDEM_NEW);
	MUST(post_begin(s, "a", &again, &f));
	assert_int_equal(again.state, TF_IDEM_BUSY);
	assert_int_equal(first.told, UINT64_MAX);
	MUST(tf_flow_commit(s->flow, &f));
	assert_int_equal(first.told, first.offset);
	for (int opened = 0; opened < 2; opened++) {
		MUST(post(s, "a", &again, &f));
		assert_int_equal(again.state, TF_IDEM_DONE);
		assert_string_equal(again.reply, first.reply);
		assert_int_equal(readings(s), READINGS);
		meter_store_close(&s);
		MUST(open_store(os, true, &s, &f));
	}
	meter_store_close(&s);
	tf_sim_free(&os);
}

/* Three bodies, publishing and a move: how far it came is in posts. */
static enum tf_err
story(struct tf_os *os, struct post posts[3], struct tf_fault *f)
{
	static const char *const keys[] = {"a", "b", "c"};
	struct meter_store *s;
	TF_TRY(open_store(os, true, &s, f));
	enum tf_err e = TF_OK;
	for (int i = 0; !e && i < 3; i++) {
		e = post(s, keys[i], &posts[i], f);
		if (!e && i == 1)
			e = tier(s, f);
	}
	meter_store_close(&s);
	return e;
}

/* Who was told is told the same again, who was not has one effect: the key is known exactly when its readings are. */
static void
expect_together(struct tf_os *os, struct post posts[3])
{
	static const char *const keys[] = {"a", "b", "c"};
	struct meter_store *s;
	struct post again;
	MUST(open_store(os, true, &s, &f));
	uint64_t known = 0, there = readings(s);
	for (int i = 0; i < 3; i++) {
		MUST(post(s, keys[i], &again, &f));
		bool told = posts[i].offset && posts[i].told == posts[i].offset;
		assert_true(again.state == TF_IDEM_DONE || (again.state == TF_IDEM_NEW && !told));
		if (told)
			assert_string_equal(again.reply, posts[i].reply);
		known += again.state == TF_IDEM_DONE;
	}
	/* A batch whose delivery's end did not come is there too, and the same body again is no second effect. */
	assert_true(there >= known * READINGS);
	assert_int_equal(readings(s), 3 * READINGS);
	meter_store_close(&s);
}

static void
power_loss_at_any_operation_parts_no_key_from_its_readings(void **state)
{
	(void)state;
	bool done = false;
	uint64_t n = 1;
	for (; !done; n++) {
		struct tf_os *os = new_os(n);
		struct post posts[3] = {0};
		tf_sim_down_at(os, n);
		done = story(os, posts, NULL) == TF_OK && !tf_sim_is_down(os);
		tf_sim_power_loss(os);
		tf_sim_down_at(os, 0);
		expect_together(os, posts);
		tf_sim_free(&os);
	}
	assert_true(n > 50);
}

static void
a_failing_call_of_any_kind_parts_no_key_from_its_readings(void **state)
{
	(void)state;
	const unsigned kinds[] = {TF_SIM_WRITE, TF_SIM_SYNC | TF_SIM_SYNC_DIR,
				  TF_SIM_OPEN | TF_SIM_RENAME | TF_SIM_UNLINK | TF_SIM_MKDIR | TF_SIM_TRUNCATE};
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		bool failed = true;
		for (uint64_t n = 1; failed; n++) {
			struct tf_os *os = new_os(n);
			struct post posts[3] = {0};
			tf_sim_fail_at(os, kinds[k], n, TF_IO);
			bool ok = story(os, posts, NULL) == TF_OK;
			failed = tf_sim_failed(os);
			tf_sim_fail_at(os, kinds[k], 0, TF_OK);
			assert_true(ok || failed);
			tf_sim_crash(os);
			expect_together(os, posts);
			tf_sim_free(&os);
		}
	}
}

static void
any_failing_allocation_parts_no_key_from_its_readings(void **state)
{
	(void)state;
	bool failed = true;
	for (uint64_t n = 1; failed; n += 1 + n / 64) {
		struct tf_os *os = new_os(n);
		struct post posts[3] = {0};
		tf_mem_fail_at(n);
		bool ok = story(os, posts, NULL) == TF_OK;
		failed = tf_mem_fail_at(0) >= n;
		assert_true(ok || failed);
		tf_sim_crash(os);
		expect_together(os, posts);
		tf_sim_free(&os);
	}
}

static void
a_move_keeps_the_log_for_a_day_and_no_longer(void **state)
{
	(void)state;
	struct tf_os *os = new_os(2);
	struct meter_store *s;
	struct post first, again;
	MUST(open_store(os, true, &s, &f));
	MUST(post(s, "a", &first, &f));
	pass(s, 20 * TF_HOUR);
	MUST(tier(s, &f));
	MUST(post(s, "a", &again, &f));
	assert_int_equal(again.state, TF_IDEM_DONE);
	assert_string_equal(again.reply, first.reply);
	for (int i = 0; i < 10; i++)
		MUST(post(s, "", &again, &f));
	assert_true(meter_keys_floor(s) <= first.offset);
	pass(s, 5 * TF_HOUR);
	assert_int_equal(meter_keys_floor(s), tf_log_end(s->log, 0));
	MUST(tier(s, &f));
	assert_int_equal(tf_log_first(s->log, 0), tf_log_end(s->log, 0));
	MUST(post(s, "a", &again, &f));
	assert_int_equal(again.state, TF_IDEM_NEW);
	meter_store_close(&s);
	tf_sim_free(&os);
}

/* What a verb does: the index is not open. */
static uint64_t
load_and_tier(struct tf_os *os, uint64_t *out_end)
{
	struct meter_store *s;
	struct post p;
	uint64_t kept;
	MUST(open_store(os, false, &s, &f));
	MUST(post_begin(s, "", &p, &f));
	MUST(tier(s, &f));
	assert_null(s->keys);
	MUST(tf_log_consumer_get(s->log, TF_STR("keys"), 0, &kept, &f));
	*out_end = tf_log_end(s->log, 0);
	assert_true(kept == *out_end ? tf_log_first(s->log, 0) == kept : tf_log_first(s->log, 0) == 0);
	meter_store_close(&s);
	return kept;
}

static void
a_move_by_a_verb_keeps_the_log_for_a_day_too(void **state)
{
	(void)state;
	struct tf_os *os = new_os(2);
	struct meter_store *s;
	struct post first, again;
	uint64_t end;
	MUST(open_store(os, true, &s, &f));
	MUST(post(s, "a", &first, &f));
	pass(s, TF_HOUR); /* into a run */
	meter_store_close(&s);
	tf_sim_advance(os, 22 * TF_HOUR);
	assert_int_equal(load_and_tier(os, &end), first.offset);
	MUST(open_store(os, true, &s, &f));
	MUST(post(s, "a", &again, &f));
	assert_int_equal(again.state, TF_IDEM_DONE);
	assert_string_equal(again.reply, first.reply);
	meter_store_close(&s);
	tf_sim_advance(os, 30 * TF_HOUR);
	uint64_t kept = load_and_tier(os, &end);
	assert_true(kept > first.offset && kept < end);
	tf_sim_free(&os);
}

static void
a_server_that_saw_no_key_keeps_no_log(void **state)
{
	(void)state;
	struct tf_os *os = new_os(2);
	struct meter_store *s;
	struct post p;
	uint64_t end;
	MUST(open_store(os, true, &s, &f));
	MUST(post(s, "", &p, &f));
	meter_store_close(&s);
	uint64_t kept = load_and_tier(os, &end);
	assert_int_equal(kept, end);
	tf_sim_free(&os);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_new_then_busy_then_answered_as_it_was),
		cmocka_unit_test(a_move_keeps_the_log_for_a_day_and_no_longer),
		cmocka_unit_test(a_move_by_a_verb_keeps_the_log_for_a_day_too),
		cmocka_unit_test(a_server_that_saw_no_key_keeps_no_log),
		cmocka_unit_test(power_loss_at_any_operation_parts_no_key_from_its_readings),
		cmocka_unit_test(a_failing_call_of_any_kind_parts_no_key_from_its_readings),
		cmocka_unit_test(any_failing_allocation_parts_no_key_from_its_readings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
