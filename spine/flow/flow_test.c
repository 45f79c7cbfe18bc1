/* The runner, with a service that adds numbers: told after synced, published once, bounded, broken for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/flow.h"
#include "os/sim.h"

#define COMMANDS 12

/* What publish stores: the sum and the offset, in one file. The state in memory is the same sum by apply. */
struct adder {
	struct tf_os *os;
	struct tf_log *log;
	struct tf_flow *flow;
	uint64_t state;     /* sum of all applied numbers */
	uint64_t prepared;  /* the sum that a snapshot is to hold */
	uint64_t published; /* events given to publish since open */
	uint8_t event[8];
	enum tf_err publish_fails;
	enum tf_err before_fails;
	struct token *during; /* submitted while a sync runs */
	unsigned syncs;       /* that are over */
};

struct token {
	struct adder *a;
	uint64_t offset;
	bool told;
};

static enum tf_err
decide(void *state, void *command, tf_time now, uint32_t *out_type, struct tf_str *out_bytes, struct tf_fault *f)
{
	struct adder *a = state;
	uint64_t n = *(uint64_t *)command;
	(void)now;
	if (n == 0)
		return tf_fault(f, TF_INVALID, "nothing to add");
	memcpy(a->event, &n, sizeof n);
	*out_type = 1;
	*out_bytes = tf_str_n(a->event, sizeof a->event);
	return TF_OK;
}

static uint64_t
number_of(const struct tf_flow_event *e)
{
	uint64_t n;
	assert_int_equal(e->bytes.n, sizeof n);
	memcpy(&n, e->bytes.p, sizeof n);
	return n;
}

static enum tf_err
apply(void *state, const struct tf_flow_event *e, struct tf_fault *f)
{
	struct adder *a = state;
	(void)f;
	a->state += number_of(e);
	return TF_OK;
}

static enum tf_err
read_store(struct adder *a, uint64_t out[2], struct tf_fault *f)
{
	char *p;
	size_t n;
	out[0] = out[1] = 0;
	enum tf_err e = tf_os_read_file(a->os, "store", 64, &p, &n, f);
	if (e == TF_NOT_FOUND)
		return TF_OK;
	if (e)
		return e;
	assert_int_equal(n, 16);
	memcpy(out, p, 16);
	tf_free(p);
	return TF_OK;
}

static enum tf_err
publish(void *ctx, const struct tf_flow_event *events, size_t count, uint64_t next, struct tf_fault *f)
{
	struct adder *a = ctx;
	uint64_t v[2];
	if (a->publish_fails)
		return tf_fault(f, a->publish_fails, "no room to publish");
	TF_TRY(read_store(a, v, f));
	assert_int_equal(events[0].offset, v[1]);
	for (size_t i = 0; i < count; i++)
		v[0] += number_of(&events[i]);
	v[1] = next;
	a->published += count;
	return tf_os_write_file(a->os, "store", tf_str_n(v, sizeof v), f);
}

static enum tf_err
published(void *ctx, uint64_t *out_next, struct tf_fault *f)
{
	uint64_t v[2];
	TF_TRY(read_store(ctx, v, f));
	*out_next = v[1];
	return TF_OK;
}

static void
tell(void *token, uint64_t offset)
{
	struct token *t = token;
	assert_true(tf_sim_durable(t->a->os, "log/0"));
	t->told = true;
	t->offset = offset;
}

/* In the worker: a real one runs beside the caller, who may do all this meanwhile. */
static enum tf_err
before(void *ctx, struct tf_fault *f)
{
	struct adder *a = ctx;
	uint64_t n = 10, offset;
	if (a->before_fails)
		return tf_fault(f, a->before_fails, "nothing goes before");
	if (!a->during)
		return TF_OK;
	struct token *t = a->during;
	a->during = NULL;
	assert_int_equal(tf_flow_submit(a->flow, &n, t, &offset, NULL), TF_OK);
	assert_int_equal(tf_flow_begin(a->flow, false, NULL), TF_OK);
	return tf_flow_end(a->flow, f);
}

static void
synced(void *ctx)
{
	((struct adder *)ctx)->syncs++;
}

/* The state as it is when a snapshot is taken of it. */
static enum tf_err
prepare(void *ctx, uint64_t next, struct tf_fault *f)
{
	struct adder *a = ctx;
	(void)f;
	assert_int_equal(next, tf_log_end(a->log, 0));
	a->prepared = a->state;
	return TF_OK;
}

static enum tf_err
publish_state(void *ctx, const struct tf_flow_event *events, size_t count, uint64_t next, struct tf_fault *f)
{
	struct adder *a = ctx;
	uint64_t v[2] = {a->prepared, next};
	(void)events;
	assert_true(next <= tf_log_synced(a->log, 0));
	a->published += count;
	return tf_os_write_file(a->os, "store", tf_str_n(v, sizeof v), f);
}

static const struct tf_flow_ops ops = {decide, apply, publish, published, tell, NULL, before, synced};
static const struct tf_flow_ops snapshot_ops = {decide, apply, publish_state, published, tell, prepare, before, synced};

static enum tf_err
open_adder(struct adder *a, struct tf_os *os, const struct tf_flow_options *o, struct tf_fault *f)
{
	struct tf_log_options lo = {0};
	*a = (struct adder){.os = os};
	TF_TRY(tf_log_open(os, "log", &lo, &a->log, f));
	return tf_flow_open(os, a->log, &ops, a, a, o, &a->flow, f);
}

static void
close_adder(struct adder *a)
{
	tf_flow_close(&a->flow);
	tf_log_close(&a->log);
}

static struct tf_os *
new_os(uint64_t seed)
{
	struct tf_sim_options o = {.seed = seed};
	struct tf_os *os = tf_sim_new(&o);
	assert_non_null(os);
	return os;
}

static void
is_told_after_the_sync_and_not_before(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct adder a;
	struct tf_flow_options o = {0};
	assert_int_equal(open_adder(&a, os, &o, NULL), TF_OK);
	struct token t[3] = {{&a, 0, false}, {&a, 0, false}, {&a, 0, false}};
	uint64_t offset;
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t n = i + 1;
		assert_int_equal(tf_flow_submit(a.flow, &n, &t[i], &offset, NULL), TF_OK);
		assert_int_equal(offset, i);
		assert_false(t[i].told);
	}
	assert_int_equal(a.state, 6); /* decide and apply run ahead */
	uint64_t syncs = tf_sim_ops(os, TF_SIM_SYNC);
	assert_int_equal(tf_flow_commit(a.flow, NULL), TF_OK);
	assert_true(tf_sim_ops(os, TF_SIM_SYNC) > syncs);
	for (int i = 0; i < 3; i++) {
		assert_true(t[i].told);
		assert_int_equal(t[i].offset, i);
	}
	close_adder(&a);
	tf_sim_free(&os);
}

static void
two_steps_tell_what_was_there_when_the_sync_began(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct adder a;
	struct tf_flow_options o = {0};
	assert_int_equal(open_adder(&a, os, &o, NULL), TF_OK);
	struct token first = {&a, 0, false}, second = {&a, 0, false};
	uint64_t n = 1, offset;
	assert_int_equal(tf_flow_submit(a.flow, &n, &first, &offset, NULL), TF_OK);
	assert_int_equal(tf_flow_end(a.flow, NULL), TF_OK); /* nothing has begun */
	assert_false(first.told);
	a.during = &second;
	assert_int_equal(tf_flow_begin(a.flow, false, NULL), TF_OK);
	assert_int_equal(a.syncs, 1);
	assert_false(first.told);
	assert_int_equal(tf_flow_end(a.flow, NULL), TF_OK);
	assert_true(first.told);
	assert_false(second.told);
	assert_int_equal(tf_flow_begin(a.flow, false, NULL), TF_OK);
	assert_int_equal(tf_flow_end(a.flow, NULL), TF_OK);
	assert_true(second.told);
	assert_int_equal(second.offset, 1);
	assert_int_equal(tf_flow_begin(a.flow, false, NULL), TF_OK); /* nothing waits */
	assert_int_equal(a.syncs, 2);
	assert_int_equal(tf_flow_begin(a.flow, true, NULL), TF_OK);
	assert_int_equal(a.syncs, 3);
	close_adder(&a);
	tf_sim_free(&os);
}

static void
what_goes_before_the_sync_fails_it(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct adder a;
	struct tf_flow_options o = {0};
	struct tf_fault f = {0};
	assert_int_equal(open_adder(&a, os, &o, NULL), TF_OK);
	struct token t = {&a, 0, false};
	uint64_t n = 1, offset;
	assert_int_equal(tf_flow_submit(a.flow, &n, &t, &offset, NULL), TF_OK);
	a.before_fails = TF_NO_SPACE;
	assert_int_equal(tf_flow_begin(a.flow, false, NULL), TF_OK);
	assert_int_equal(tf_flow_end(a.flow, &f), TF_NO_SPACE);
	assert_string_equal(f.text, "nothing goes before");
	assert_false(t.told);
	assert_int_equal(tf_flow_submit(a.flow, &n, &t, &offset, NULL), TF_NO_SPACE);
	close_adder(&a);
	tf_sim_free(&os);
}

static void
snapshot_is_of_what_is_durable_though_more_comes_all_the_time(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct adder a = {.os = os};
	struct tf_log_options lo = {0};
	struct tf_flow_options o = {0};
	uint64_t n = 1, offset, v[2];
	assert_int_equal(tf_log_open(os, "log", &lo, &a.log, NULL), TF_OK);
	assert_int_equal(tf_flow_open(os, a.log, &snapshot_ops, &a, &a, &o, &a.flow, NULL), TF_OK);
	struct token t[4] = {{&a, 0, false}, {&a, 0, false}, {&a, 0, false}, {&a, 0, false}};
	assert_int_equal(tf_flow_submit(a.flow, &n, &t[0], &offset, NULL), TF_OK);
	a.during = &t[1];
	assert_int_equal(tf_flow_begin(a.flow, false, NULL), TF_OK);
	assert_int_equal(tf_flow_submit(a.flow, &n, &t[2], &offset, NULL), TF_OK);
	assert_int_equal(tf_flow_tick(a.flow, NULL), TF_OK); /* one syncs, two wait, and nobody for them */
	assert_false(t[0].told);
	assert_int_equal(tf_flow_end(a.flow, NULL), TF_OK);
	assert_true(t[0].told);
	a.during = &t[3];
	assert_int_equal(tf_flow_begin(a.flow, false, NULL), TF_OK);
	assert_int_equal(tf_flow_tick(a.flow, NULL), TF_OK);
	assert_int_equal(read_store(&a, v, NULL), TF_OK);
	assert_int_equal(v[1], 0);
	assert_int_equal(tf_flow_end(a.flow, NULL), TF_OK);
	assert_true(t[1].told && t[2].told && !t[3].told);
	assert_int_equal(read_store(&a, v, NULL), TF_OK);
	assert_int_equal(v[0], 12);
	assert_int_equal(v[1], 3);
	assert_int_equal(tf_flow_drain(a.flow, NULL), TF_OK);
	assert_int_equal(read_store(&a, v, NULL), TF_OK);
	assert_int_equal(v[0], 22);
	assert_int_equal(v[1], 4);
	assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, NULL), TF_OK);
	assert_int_equal(tf_flow_tick(a.flow, NULL), TF_OK);
	assert_int_equal(tf_flow_commit(a.flow, NULL), TF_OK); /* remembers what was asked for */
	assert_int_equal(read_store(&a, v, NULL), TF_OK);
	assert_int_equal(v[1], 5);
	close_adder(&a);
	tf_sim_free(&os);
}

/* Else a queue that is full while a publish runs stays full: nothing comes that could end it. */
static void
a_publish_that_is_over_makes_room(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct adder a;
	struct tf_flow_options o = {.publish_bytes = 16, .queue_bytes = 24};
	uint64_t n = 1, offset;
	assert_int_equal(open_adder(&a, os, &o, NULL), TF_OK);
	assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, NULL), TF_OK);
	assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, NULL), TF_OK);
	assert_int_equal(tf_flow_begin(a.flow, false, NULL), TF_OK);
	assert_int_equal(tf_flow_end(a.flow, NULL), TF_OK); /* two are published */
	assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, NULL), TF_OK);
	assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, NULL), TF_OVERLOAD);
	assert_int_equal(tf_flow_end(a.flow, NULL), TF_OK);
	assert_int_equal(tf_flow_published(a.flow), 2);
	assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, NULL), TF_OK);
	close_adder(&a);
	tf_sim_free(&os);
}

static void
refused_command_leaves_no_trace(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct adder a;
	struct tf_flow_options o = {0};
	assert_int_equal(open_adder(&a, os, &o, NULL), TF_OK);
	uint64_t none = 0, offset = 99;
	assert_int_equal(tf_flow_submit(a.flow, &none, NULL, &offset, NULL), TF_INVALID);
	assert_int_equal(tf_log_end(a.log, 0), 0);
	assert_int_equal(offset, 99);
	close_adder(&a);
	tf_sim_free(&os);
}

static void
full_queue_answers_overload_or_publishes_first(void **state)
{
	(void)state;
	for (int wait = 0; wait < 2; wait++) {
		struct tf_os *os = new_os(1);
		struct adder a;
		struct tf_flow_options o = {.publish_bytes = 1000, .queue_bytes = 24, .wait = wait};
		assert_int_equal(open_adder(&a, os, &o, NULL), TF_OK);
		uint64_t n = 1, offset;
		enum tf_err e = TF_OK;
		int taken = 0;
		for (; taken < COMMANDS && !(e = tf_flow_submit(a.flow, &n, NULL, &offset, NULL)); taken++)
			assert_true(tf_flow_waiting_bytes(a.flow) <= 24 + 24);
		assert_int_equal(e, wait ? TF_OK : TF_OVERLOAD);
		assert_int_equal(taken, wait ? COMMANDS : 3);
		assert_int_equal(tf_flow_drain(a.flow, NULL), TF_OK);
		assert_int_equal(tf_flow_published(a.flow), taken);
		assert_int_equal(a.published, taken);
		assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, NULL), TF_OK); /* it recovers by itself */
		close_adder(&a);
		tf_sim_free(&os);
	}
}

static void
failed_publish_ends_it_and_the_next_open_repeats_it(void **state)
{
	(void)state;
	struct tf_os *os = new_os(1);
	struct adder a;
	struct tf_flow_options o = {0};
	struct tf_fault f = {0};
	uint64_t n = 5, offset, v[2];
	assert_int_equal(open_adder(&a, os, &o, NULL), TF_OK);
	assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, NULL), TF_OK);
	a.publish_fails = TF_NO_SPACE;
	assert_int_equal(tf_flow_drain(a.flow, &f), TF_NO_SPACE);
	assert_int_equal(tf_flow_submit(a.flow, &n, NULL, &offset, &f), TF_NO_SPACE);
	assert_string_equal(f.text, "no room to publish");
	close_adder(&a);
	assert_int_equal(open_adder(&a, os, &o, NULL), TF_OK);
	assert_int_equal(a.published, 1);
	assert_int_equal(read_store(&a, v, NULL), TF_OK);
	assert_int_equal(v[0], 5);
	close_adder(&a);
	tf_sim_free(&os);
}

/* Submits 1 .. COMMANDS, committing after each third; returns the sum of what was told. */
static uint64_t
run_story(struct adder *a, struct token *t)
{
	uint64_t offset, told = 0;
	for (uint64_t i = 0; i < COMMANDS; i++) {
		uint64_t n = i + 1;
		t[i] = (struct token){a, 0, false};
		if (tf_flow_submit(a->flow, &n, &t[i], &offset, NULL))
			break;
		/* In two steps, the second of them after more has come; or in one. */
		if (i % 5 == 1 && tf_flow_begin(a->flow, false, NULL))
			break;
		if (i % 5 == 3 && tf_flow_end(a->flow, NULL))
			break;
		if (i % 6 == 5 && tf_flow_commit(a->flow, NULL))
			break;
		if (i == 7 && tf_flow_drain(a->flow, NULL))
			break;
	}
	for (uint64_t i = 0; i < COMMANDS; i++)
		told += t[i].told ? i + 1 : 0;
	return told;
}

static void
power_loss_at_any_operation_keeps_what_was_told_once(void **state)
{
	(void)state;
	bool down = true;
	for (uint64_t n = 1; down; n++) {
		struct tf_os *os = new_os(n);
		struct adder a = {0};
		struct token t[COMMANDS] = {0};
		struct tf_flow_options o = {.publish_bytes = 40};
		uint64_t told = 0;
		tf_sim_down_at(os, n);
		if (!open_adder(&a, os, &o, NULL))
			told = run_story(&a, t);
		close_adder(&a);
		down = tf_sim_is_down(os);
		tf_sim_power_loss(os);
		tf_sim_down_at(os, 0);
		struct tf_fault f = {0};
		if (open_adder(&a, os, &o, &f))
			fail_msg("operation %u: %s", (unsigned)n, f.text);
		uint64_t v[2], whole = 0;
		assert_int_equal(read_store(&a, v, NULL), TF_OK);
		/* What is there is 1 .. v[1], each once, and all that was told is among it. */
		for (uint64_t i = 1; i <= v[1]; i++)
			whole += i;
		assert_int_equal(v[0], whole);
		assert_true(v[0] >= told);
		assert_int_equal(v[1], tf_log_end(a.log, 0));
		close_adder(&a);
		tf_sim_free(&os);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_told_after_the_sync_and_not_before),
		cmocka_unit_test(two_steps_tell_what_was_there_when_the_sync_began),
		cmocka_unit_test(what_goes_before_the_sync_fails_it),
		cmocka_unit_test(snapshot_is_of_what_is_durable_though_more_comes_all_the_time),
		cmocka_unit_test(a_publish_that_is_over_makes_room),
		cmocka_unit_test(refused_command_leaves_no_trace),
		cmocka_unit_test(full_queue_answers_overload_or_publishes_first),
		cmocka_unit_test(failed_publish_ends_it_and_the_next_open_repeats_it),
		cmocka_unit_test(power_loss_at_any_operation_keeps_what_was_told_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
