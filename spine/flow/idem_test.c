/* Idempotency keys: one effect and one answer a key, whatever is repeated, restarted, torn or full. */
#include "flow/idem_testing.h"

#define ASK(g, w, want)                                                                                                \
	do {                                                                                                           \
		struct tf_fault f_ = {0};                                                                              \
		struct tf_idem_answer a_;                                                                              \
		if (giver_take(g, w, &a_, &f_))                                                                        \
			fail_msg("k%u: %s", (w)->n, f_.text);                                                          \
		assert_int_equal(a_.state, want);                                                                      \
	} while (0)
#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		struct tf_fault f = {0};                                                                               \
		if (call)                                                                                              \
			fail_msg("%s: %s", #call, f.text);                                                             \
	} while (0)

static struct tf_os *
new_os(uint64_t seed)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = seed});
	assert_non_null(os);
	return os;
}

/* The stored answer, byte for byte. */
static void
expect_stored(struct giver *g, struct wish *w, uint64_t number)
{
	struct tf_idem_answer a;
	char text[64];
	MUST(giver_take(g, w, &a, &f));
	assert_int_equal(a.state, TF_IDEM_DONE);
	assert_int_equal(a.decision.reply.status, 201);
	assert_true(tf_str_eq(a.decision.reply.body, reply_text(w->n, number, text)));
	assert_true(tf_str_eq(a.decision.reply.type, TF_STR("application/json")));
	assert_int_equal(a.decision.reply.header_count, 1);
	assert_true(tf_str_eq(a.decision.reply.headers[0].name, TF_STR("Location")));
	assert_int_equal(a.decision.effect_count, 1);
}

static void
a_key_is_new_then_busy_then_done(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct giver g;
	struct tf_idem_options o = {0};
	struct wish w = {1, "p", "a", false, 0, {0}}, other = {1, "p", "b", false, 0, {0}};
	MUST(giver_open(&g, os, &o, 0, &f));
	ASK(&g, &w, TF_IDEM_NEW);
	ASK(&g, &w, TF_IDEM_BUSY);
	ASK(&g, &other, TF_IDEM_OTHER);
	assert_false(w.told);
	MUST(giver_commit(&g, &f));
	assert_true(w.told);
	expect_stored(&g, &w, 0);
	ASK(&g, &other, TF_IDEM_OTHER);
	assert_int_equal(tf_pages_count(g.pages), 1);
	giver_close(&g);
	MUST(giver_open(&g, os, &o, 0, &f));
	expect_stored(&g, &w, 0);
	ASK(&g, &other, TF_IDEM_OTHER);
	giver_close(&g);
	tf_sim_free(&os);
}

static void
the_same_key_of_another_partner_is_another_one(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct giver g;
	struct tf_idem_options o = {0};
	struct wish a = {1, "a", "x", false, 0, {0}}, b = {1, "b", "y", false, 0, {0}};
	MUST(giver_open(&g, os, &o, 0, &f));
	ASK(&g, &a, TF_IDEM_NEW);
	ASK(&g, &b, TF_IDEM_NEW);
	MUST(giver_commit(&g, &f));
	expect_stored(&g, &a, 0);
	expect_stored(&g, &b, 1);
	struct tf_idem_name name = {TF_STR("a"), TF_STR("POST"), TF_STR("/other"), TF_STR("k1")};
	struct tf_idem_answer answer;
	MUST(tf_idem_ask(g.idem, &name, a.hash, &answer, &f));
	assert_int_equal(answer.state, TF_IDEM_NEW);
	name.route = TF_STR("/numbers");
	name.method = TF_STR("PUT");
	MUST(tf_idem_ask(g.idem, &name, a.hash, &answer, &f));
	assert_int_equal(answer.state, TF_IDEM_NEW);
	name.key = TF_STR("");
	assert_int_equal(tf_idem_ask(g.idem, &name, a.hash, &answer, NULL), TF_INVALID);
	char long_key[TF_IDEM_KEY_MAX + 1];
	memset(long_key, 'k', sizeof long_key);
	name.key = tf_str_n(long_key, sizeof long_key);
	assert_int_equal(tf_idem_ask(g.idem, &name, a.hash, &answer, NULL), TF_INVALID);
	giver_close(&g);
	tf_sim_free(&os);
}

/* Many keys over many buckets and runs: each is there, none that is not. */
static void
keys_of_all_runs_are_found_also_after_a_restart(void **state)
{
	(void)state;
	enum { KEYS = 3000 };
	struct tf_os *os = new_os(3);
	struct giver g;
	struct tf_idem_options o = {.run_keys = 200, .bucket = TF_HOUR};
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 0; i < KEYS; i++) {
		struct wish w = {i, i % 3 ? "p" : "q", "x", false, 0, {0}, true};
		ASK(&g, &w, TF_IDEM_NEW);
		if (i % 20 == 19)
			MUST(giver_commit(&g, &f));
		if (i % 500 == 499)
			MUST(giver_pass(&g, TF_HOUR, &f));
	}
	MUST(giver_commit(&g, &f));
	for (int opened = 0; opened < 2; opened++) {
		struct tf_idem_stats s;
		tf_idem_stats(g.idem, &s);
		assert_int_equal(s.keys, KEYS);
		assert_true(s.runs >= 12);
		for (uint32_t i = 0; i < KEYS; i++) {
			struct wish w = {i, i % 3 ? "p" : "q", "x", false, 0, {0}, true};
			expect_stored(&g, &w, i);
		}
		giver_close(&g);
		MUST(giver_open(&g, os, &o, 0, &f));
	}
	assert_int_equal(tf_pages_count(g.pages), KEYS);
	giver_close(&g);
	tf_sim_free(&os);
}

static void
a_large_run_takes_at_most_forty_bytes_a_key(void **state)
{
	(void)state;
	enum { KEYS = 20000 };
	struct tf_os *os = new_os(3);
	struct giver g;
	struct tf_idem_options o = {.run_keys = KEYS};
	struct tf_idem_stats s;
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 0; i < KEYS; i++) {
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		ASK(&g, &w, TF_IDEM_NEW);
	}
	MUST(giver_commit(&g, &f));
	MUST(giver_commit(&g, &f));
	tf_idem_stats(g.idem, &s);
	assert_int_equal(s.runs, 1);
	assert_true(s.run_bytes <= 40 * KEYS);
	/* The filter keeps nearly all strangers from a read. */
	uint64_t reads = tf_sim_ops(os, TF_SIM_READ);
	for (uint32_t i = KEYS; i < 2 * KEYS; i++) {
		char key[16];
		struct tf_idem_answer a;
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		struct tf_idem_name name = wish_name(&w, key);
		MUST(tf_idem_ask(g.idem, &name, w.hash, &a, &f));
		assert_int_equal(a.state, TF_IDEM_NEW);
	}
	assert_true(tf_sim_ops(os, TF_SIM_READ) - reads < KEYS / 40);
	giver_close(&g);
	tf_sim_free(&os);
}

static uint64_t
keys_of(const struct giver *g)
{
	struct tf_idem_stats s;
	tf_idem_stats(g->idem, &s);
	return s.keys;
}

static void
a_key_is_kept_for_the_retention_and_two_buckets_at_most(void **state)
{
	(void)state;
	struct tf_os *os = new_os(4);
	struct giver g;
	struct tf_idem_options o = {0};
	struct wish w = {1, "p", "x", false, 0, {0}}, late = {2, "p", "x", false, 0, {0}};
	MUST(giver_open(&g, os, &o, 0, &f));
	ASK(&g, &w, TF_IDEM_NEW);
	MUST(giver_commit(&g, &f));
	MUST(giver_pass(&g, 24 * TF_HOUR - TF_MINUTE, &f));
	ASK(&g, &late, TF_IDEM_NEW);
	MUST(giver_commit(&g, &f));
	expect_stored(&g, &w, 0);
	MUST(giver_pass(&g, 2 * TF_HOUR, &f));
	assert_int_equal(keys_of(&g), 1);
	ASK(&g, &w, TF_IDEM_NEW);
	expect_stored(&g, &late, 1);
	giver_close(&g);
	tf_sim_free(&os);
}

/* Keys that come all the time carry the index's time over a restart; without any, what passed since the last one counts
 * as a minute: few are kept longer. */
static void
a_restart_ends_no_retention_early(void **state)
{
	(void)state;
	for (int busy = 0; busy < 2; busy++) {
		struct tf_os *os = new_os(4);
		struct giver g;
		struct tf_idem_options o = {0};
		struct wish w = {0, "p", "x", false, 0, {0}};
		MUST(giver_open(&g, os, &o, 0, &f));
		ASK(&g, &w, TF_IDEM_NEW);
		MUST(giver_commit(&g, &f));
		for (uint32_t i = 1; i <= 24 * 60; i++) { /* a restart each hour */
			struct wish other = {i, "q", "x", false, 0, {0}, true};
			MUST(giver_pass(&g, TF_MINUTE - TF_SEC, &f));
			if (busy)
				ASK(&g, &other, TF_IDEM_NEW);
			MUST(giver_commit(&g, &f));
			if (i % 60 == 30) {
				giver_close(&g);
				MUST(giver_open(&g, os, &o, 0, &f));
			}
		}
		expect_stored(&g, &w, 0);
		MUST(giver_pass(&g, (busy ? 3 : 26) * TF_HOUR, &f));
		ASK(&g, &w, TF_IDEM_NEW);
		giver_close(&g);
		tf_sim_free(&os);
	}
}

#define YEAR (365 * TF_DAY)

/* One boot with a clock that is a year ahead or back, with keys in runs and in the log's tail: they are known in that
 * boot and in the next, also when the index must be made again, and go when their time has come. */
static void
a_clock_that_is_wrong_at_one_boot_costs_no_key(void **state)
{
	(void)state;
	static const tf_dur wrong[] = {YEAR, -YEAR};
	for (int i = 0; i < 4; i++) {
		struct tf_os *os = new_os(9);
		struct giver g;
		struct tf_idem_options o = {0};
		struct wish old = {1, "p", "x", false, 0, {0}}, tail = {2, "p", "x", false, 0, {0}},
			    then = {3, "p", "x", false, 0, {0}};
		MUST(giver_open(&g, os, &o, 0, &f));
		ASK(&g, &old, TF_IDEM_NEW);
		MUST(giver_commit(&g, &f));
		MUST(giver_pass(&g, TF_HOUR, &f));
		ASK(&g, &tail, TF_IDEM_NEW);
		MUST(giver_commit(&g, &f));
		giver_close(&g);
		tf_sim_step_clock(os, wrong[i % 2]);
		if (i > 1)
			MUST(tf_os_rename(os, "idem", "lost", &f));
		MUST(giver_open(&g, os, &o, 0, &f));
		expect_stored(&g, &old, 0);
		expect_stored(&g, &tail, 1);
		ASK(&g, &then, TF_IDEM_NEW);
		MUST(giver_commit(&g, &f));
		MUST(giver_pass(&g, 2 * TF_HOUR, &f));
		giver_close(&g);
		tf_sim_step_clock(os, -wrong[i % 2]);
		MUST(giver_open(&g, os, &o, 0, &f));
		expect_stored(&g, &old, 0);
		expect_stored(&g, &tail, 1);
		expect_stored(&g, &then, 2);
		MUST(giver_pass(&g, 27 * TF_HOUR, &f));
		assert_int_equal(keys_of(&g), 0);
		giver_close(&g);
		tf_sim_free(&os);
	}
}

/* Set while it runs: by a year ahead, and the year back. */
static void
a_clock_that_is_set_costs_a_minute(void **state)
{
	(void)state;
	struct tf_os *os = new_os(10);
	struct giver g;
	struct tf_idem_options o = {0};
	struct wish w = {1, "p", "x", false, 0, {0}};
	MUST(giver_open(&g, os, &o, 0, &f));
	ASK(&g, &w, TF_IDEM_NEW);
	MUST(giver_commit(&g, &f));
	MUST(giver_pass(&g, 2 * TF_HOUR, &f));
	for (int i = 0; i < 10; i++) {
		tf_sim_step_clock(os, YEAR);
		MUST(giver_pass(&g, TF_SEC, &f));
		tf_sim_step_clock(os, -YEAR);
		MUST(giver_pass(&g, TF_SEC, &f));
	}
	MUST(giver_pass(&g, 22 * TF_HOUR - 11 * TF_MINUTE, &f));
	expect_stored(&g, &w, 0);
	MUST(giver_pass(&g, 12 * TF_MINUTE, &f));
	ASK(&g, &w, TF_IDEM_NEW);
	giver_close(&g);
	tf_sim_free(&os);
}

static void
quotas_bound_unexpired_keys(void **state)
{
	(void)state;
	struct tf_os *os = new_os(5);
	struct giver g;
	struct tf_idem_options o = {.partner_keys = 2, .keys_max = 3, .run_keys = 1};
	struct wish w[5] = {{1, "p", "x", false, 0, {0}},
			    {2, "p", "x", false, 0, {0}},
			    {3, "p", "x", false, 0, {0}},
			    {4, "q", "x", false, 0, {0}},
			    {5, "r", "x", false, 0, {0}}};
	struct tf_idem_answer a;
	struct tf_fault fault = {0};
	MUST(giver_open(&g, os, &o, 0, &f));
	ASK(&g, &w[0], TF_IDEM_NEW);
	ASK(&g, &w[1], TF_IDEM_NEW);
	MUST(giver_commit(&g, &f));
	assert_int_equal(giver_take(&g, &w[2], &a, &fault), TF_OVERLOAD);
	assert_non_null(strstr(fault.text, "'p'"));
	ASK(&g, &w[0], TF_IDEM_DONE); /* what is known stays answered */
	ASK(&g, &w[3], TF_IDEM_NEW);
	assert_int_equal(giver_take(&g, &w[4], &a, &fault), TF_OVERLOAD);
	MUST(giver_commit(&g, &f));
	giver_close(&g);
	MUST(giver_open(&g, os, &o, 0, &f));
	assert_int_equal(giver_take(&g, &w[2], &a, &fault), TF_OVERLOAD);
	MUST(giver_pass(&g, 27 * TF_HOUR, &f));
	ASK(&g, &w[2], TF_IDEM_NEW); /* it recovers by itself */
	giver_close(&g);
	tf_sim_free(&os);
}

/* A run with a key whose decision power loss takes back would name a stranger's offset afterwards. */
static void
a_run_waits_for_the_sync(void **state)
{
	(void)state;
	struct tf_os *os = new_os(5);
	struct giver g;
	struct tf_idem_options o = {.run_keys = 4};
	struct tf_idem_stats s;
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 0; i < 6; i++) {
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		ASK(&g, &w, TF_IDEM_NEW);
		MUST(tf_idem_tick(g.idem, tf_os_now(os), &f));
		tf_idem_stats(g.idem, &s);
		assert_int_equal(s.runs, 0);
	}
	tf_sim_power_loss(os);
	giver_close(&g);
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 0; i < 6; i++) {
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		ASK(&g, &w, TF_IDEM_NEW);
	}
	MUST(giver_commit(&g, &f));
	MUST(giver_commit(&g, &f));
	tf_idem_stats(g.idem, &s);
	assert_int_equal(s.runs, 1);
	giver_close(&g);
	tf_sim_free(&os);
}

static void
the_log_is_kept_for_unexpired_keys(void **state)
{
	(void)state;
	struct tf_os *os = new_os(6);
	struct giver g;
	struct tf_idem_options o = {.run_keys = 50};
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 0; i < 400; i++) {
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		ASK(&g, &w, TF_IDEM_NEW);
		MUST(giver_commit(&g, &f));
		if (i == 199)
			MUST(giver_pass(&g, 20 * TF_HOUR, &f));
	}
	MUST(tf_flow_drain(g.flow, &f));
	assert_int_equal(tf_idem_floor(g.idem), 0);
	MUST(giver_pass(&g, 6 * TF_HOUR, &f));
	uint64_t floor = tf_idem_floor(g.idem);
	assert_true(floor >= 150 && floor <= 200);
	MUST(tf_log_trim(g.log, 0, floor, &f));
	assert_true(tf_log_first(g.log, 0) > 0);
	giver_close(&g);
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 200; i < 400; i++) {
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		expect_stored(&g, &w, i);
	}
	giver_close(&g);
	tf_sim_free(&os);
}

/* A log in which decisions are few among other events, as a service of bulk data has. */
struct mixed {
	struct tf_os *os;
	struct tf_log *log;
	struct tf_idem *idem;
};

enum { OTHER = 1, DECISION = 4 };

static void
mixed_open(struct mixed *m, struct tf_os *os)
{
	struct tf_log_options lo = {.segment_bytes = 2048};
	struct tf_idem_options o = {.type = DECISION};
	*m = (struct mixed){.os = os};
	MUST(tf_log_open(os, "log", &lo, &m->log, &f));
	MUST(tf_idem_open(os, "idem", m->log, &o, &m->idem, &f));
}

static void
mixed_close(struct mixed *m)
{
	tf_idem_close(&m->idem);
	tf_log_close(&m->log);
}

static struct tf_decision
mixed_decision(void)
{
	struct tf_decision d = {.keyed = true, .name = {.route = TF_STR("/r"), .key = TF_STR("k")}};
	d.reply = (struct tf_stored_reply){.status = 202, .body = TF_STR("taken")};
	return d;
}

static void
mixed_put(struct mixed *m, int type)
{
	struct tf_buf b;
	struct tf_decision d = mixed_decision();
	uint64_t offset;
	tf_buf_init(&b, 0);
	if (type == DECISION)
		tf_decision_put(&b, &d);
	else
		tf_buf_cstr(&b, "no decision, whoever reads it as one fails");
	MUST(tf_log_append(m->log, 0, (uint32_t)type, tf_buf_view(&b), &offset, &f));
	MUST(tf_log_sync(m->log, &f));
	MUST(tf_idem_apply(m->idem, offset, type == DECISION ? &d : NULL, &f));
	MUST(tf_idem_tick(m->idem, tf_os_now(m->os), &f));
	tf_buf_release(&b);
}

static enum tf_idem_state
mixed_ask(struct mixed *m)
{
	struct tf_decision d = mixed_decision();
	struct tf_idem_answer a = {0};
	MUST(tf_idem_ask(m->idem, &d.name, d.hash, &a, &f));
	if (a.state == TF_IDEM_DONE)
		assert_true(tf_str_eq(a.decision.reply.body, TF_STR("taken")));
	return a.state;
}

/* An event each minute; no key but the first. */
static void
mixed_pass(struct mixed *m, int minutes)
{
	for (int i = 0; i < minutes; i++) {
		tf_sim_advance(m->os, TF_MINUTE);
		mixed_put(m, OTHER);
	}
}

/* The log is read from the last run on, so buckets without a key have one too. */
static void
other_events_are_passed_over_and_leave_runs_behind(void **state)
{
	(void)state;
	struct tf_os *os = new_os(9);
	struct mixed m;
	struct tf_idem_stats s;
	mixed_open(&m, os);
	mixed_put(&m, OTHER);
	mixed_put(&m, DECISION);
	mixed_pass(&m, 10 * 60);
	for (int opened = 0; opened < 2; opened++) {
		tf_idem_stats(m.idem, &s);
		assert_int_equal(s.keys, 1);
		assert_true(s.runs >= 9 && s.runs <= 11);
		assert_int_equal(mixed_ask(&m), TF_IDEM_DONE);
		assert_int_equal(tf_idem_floor(m.idem), 1);
		mixed_close(&m);
		mixed_open(&m, os);
	}
	mixed_pass(&m, 16 * 60);
	assert_int_equal(mixed_ask(&m), TF_IDEM_NEW);
	assert_int_equal(tf_idem_floor(m.idem), tf_log_end(m.log, 0));
	mixed_close(&m);
	tf_sim_free(&os);
}

/* By a service that has no index open, say: what was young stays, what is trimmed is no error. */
static void
a_key_whose_record_was_trimmed_is_new(void **state)
{
	(void)state;
	struct tf_os *os = new_os(9);
	struct mixed m;
	uint64_t young;
	mixed_open(&m, os);
	mixed_put(&m, DECISION);
	mixed_pass(&m, 90);
	MUST(tf_idem_young(os, m.log, 0, TF_DAY, &young, &f));
	assert_int_equal(young, 0);
	MUST(tf_idem_young(os, m.log, 0, TF_HOUR, &young, &f));
	assert_int_equal(young, 31);
	tf_sim_advance(os, YEAR);
	MUST(tf_idem_young(os, m.log, 0, TF_HOUR, &young, &f));
	assert_int_equal(young, 31);
	MUST(tf_log_trim(m.log, 0, tf_log_end(m.log, 0), &f));
	for (int opened = 0; opened < 2; opened++) {
		assert_int_equal(mixed_ask(&m), TF_IDEM_NEW);
		mixed_close(&m);
		mixed_open(&m, os);
	}
	mixed_put(&m, DECISION);
	assert_int_equal(mixed_ask(&m), TF_IDEM_DONE);
	mixed_close(&m);
	tf_sim_free(&os);
}

static void
a_removed_index_is_made_again_from_the_log(void **state)
{
	(void)state;
	struct tf_os *os = new_os(7);
	struct giver g;
	struct tf_idem_options o = {.run_keys = 64};
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 0; i < 300; i++) {
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		ASK(&g, &w, TF_IDEM_NEW);
		MUST(giver_commit(&g, &f));
	}
	giver_close(&g);
	o = (struct tf_idem_options){.run_keys = 100};
	MUST(tf_os_rename(os, "idem", "lost", &f));
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 0; i < 300; i++) {
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		expect_stored(&g, &w, i);
	}
	giver_close(&g);
	tf_sim_free(&os);
}

struct first_run {
	char path[128];
};

static enum tf_err
on_entry(void *ctx, const char *name, bool is_dir)
{
	struct first_run *r = ctx;
	(void)is_dir;
	if (!r->path[0] && strstr(name, ".run"))
		snprintf(r->path, sizeof r->path, "idem/%s", name);
	return TF_OK;
}

/* A flipped bit anywhere in a run is told, at open or when its page is read. */
static void
damage_in_a_run_is_never_taken_for_a_missing_key(void **state)
{
	(void)state;
	struct tf_os *os = new_os(8);
	struct giver g;
	struct tf_idem_options o = {.run_keys = 150};
	struct first_run r = {0};
	MUST(giver_open(&g, os, &o, 0, &f));
	for (uint32_t i = 0; i < 150; i++) {
		struct wish w = {i, "p", "x", false, 0, {0}, true};
		ASK(&g, &w, TF_IDEM_NEW);
	}
	MUST(giver_commit(&g, &f));
	MUST(giver_commit(&g, &f));
	giver_close(&g);
	MUST(tf_os_list(os, "idem", on_entry, &r, &f));
	char *bytes;
	size_t n;
	MUST(tf_os_read_file(os, r.path, 1 << 20, &bytes, &n, &f));
	for (size_t at = 0; at < n; at += at < 96 || at > 12288 ? 1 : 61) {
		if (at >= 96 && at < 4096)
			continue; /* the rest of the header's page means nothing */
		bytes[at] ^= 16;
		MUST(tf_os_write_file(os, r.path, tf_str_n(bytes, n), &f));
		bytes[at] ^= 16;
		struct tf_fault fault = {0};
		enum tf_err e = giver_open(&g, os, &o, 0, &fault);
		for (uint32_t i = 0; !e && i < 150; i++) {
			struct tf_idem_answer a;
			struct wish w = {i, "p", "x", false, 0, {0}, true};
			if (!(e = giver_take(&g, &w, &a, &fault)))
				assert_int_equal(a.state, TF_IDEM_DONE);
		}
		if (e != TF_CORRUPT && e != TF_UNSUPPORTED)
			fail_msg("byte %zu: %s %s", at, tf_err_name(e), fault.text);
		giver_close(&g);
	}
	tf_free(bytes);
	tf_sim_free(&os);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_new_then_busy_then_done),
		cmocka_unit_test(the_same_key_of_another_partner_is_another_one),
		cmocka_unit_test(keys_of_all_runs_are_found_also_after_a_restart),
		cmocka_unit_test(a_large_run_takes_at_most_forty_bytes_a_key),
		cmocka_unit_test(a_key_is_kept_for_the_retention_and_two_buckets_at_most),
		cmocka_unit_test(a_restart_ends_no_retention_early),
		cmocka_unit_test(a_clock_that_is_wrong_at_one_boot_costs_no_key),
		cmocka_unit_test(a_clock_that_is_set_costs_a_minute),
		cmocka_unit_test(quotas_bound_unexpired_keys),
		cmocka_unit_test(a_run_waits_for_the_sync),
		cmocka_unit_test(the_log_is_kept_for_unexpired_keys),
		cmocka_unit_test(other_events_are_passed_over_and_leave_runs_behind),
		cmocka_unit_test(a_key_whose_record_was_trimmed_is_new),
		cmocka_unit_test(a_removed_index_is_made_again_from_the_log),
		cmocka_unit_test(damage_in_a_run_is_never_taken_for_a_missing_key),
	};
	return cmocka_run_group_tests_name("idem", tests, NULL, NULL);
}
