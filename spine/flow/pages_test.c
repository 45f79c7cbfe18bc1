/* Slots in pages: a snapshot holds the state as it was when it was staged, whatever is touched while it is saved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/pages.h"
#include "os/dir_testing.h"
#include "os/sim.h"

#define SLOT     1024
#define PER_PAGE (TF_PAGE_BYTES / SLOT)
#define SLOTS    (40 * PER_PAGE) /* saved in three pieces */

static const struct tf_pages_options options = {SLOT, SLOTS};

static struct tf_pages *
open_pages(struct tf_os *os)
{
	struct tf_pages *p;
	assert_int_equal(tf_pages_open(os, "state", &options, &p, NULL), TF_OK);
	return p;
}

static void
put(struct tf_pages *p, uint64_t i, uint64_t value)
{
	memcpy(tf_pages_touch(p, i), &value, sizeof value);
}

static void
add(struct tf_pages *p, uint64_t value)
{
	assert_int_equal(tf_pages_reserve(p, NULL), TF_OK);
	memcpy(tf_pages_add(p), &value, sizeof value);
}

static uint64_t
at(const struct tf_pages *p, uint64_t i)
{
	uint64_t value;
	memcpy(&value, tf_pages_at(p, i), sizeof value);
	return value;
}

static void
fill(struct tf_pages *p, uint64_t slots)
{
	for (uint64_t i = 0; i < slots; i++)
		add(p, i);
}

/* What a start finds: slot i holds i, but for the first, and no more than these. */
static void
check_saved(struct tf_os *os, uint64_t slots, uint64_t first, uint64_t next)
{
	struct tf_pages *p = open_pages(os);
	assert_int_equal(tf_pages_count(p), slots);
	assert_int_equal(tf_pages_next(p), next);
	if (slots)
		assert_int_equal(at(p, 0), first);
	for (uint64_t i = 1; i < slots; i++)
		assert_int_equal(at(p, i), i);
	tf_pages_close(&p);
}

static void
saves_what_was_staged(void **unused)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){0});
	struct tf_pages *p = open_pages(os);
	fill(p, 3 * PER_PAGE + 1);
	assert_int_equal(tf_pages_stage(p, 7, NULL), TF_OK);
	assert_int_equal(tf_pages_marked(p), 0);
	put(p, 0, 1000);
	put(p, 0, 1001);
	put(p, 2 * PER_PAGE, 1002);
	add(p, 1003); /* of a page that is staged with one slot */
	assert_int_equal(tf_pages_marked(p), 3);
	assert_int_equal(tf_pages_save(p, NULL), TF_OK);
	check_saved(os, 3 * PER_PAGE + 1, 0, 7);

	put(p, 2 * PER_PAGE, 2 * PER_PAGE);
	put(p, 3 * PER_PAGE + 1, 3 * PER_PAGE + 1);
	assert_int_equal(tf_pages_stage(p, 9, NULL), TF_OK);
	assert_int_equal(tf_pages_save(p, NULL), TF_OK);
	check_saved(os, 3 * PER_PAGE + 2, 1001, 9);
	tf_pages_close(&p);
	tf_sim_free(&os);
}

/* A state that goes on without a copy must not be saved as if it were the one that was staged. */
static void
fails_without_a_copy(void **unused)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){0});
	struct tf_pages *p = open_pages(os);
	fill(p, 2 * PER_PAGE);
	assert_int_equal(tf_pages_stage(p, 1, NULL), TF_OK);
	tf_mem_fail_at(1);
	put(p, 0, 1000);
	tf_mem_fail_at(0);
	assert_int_equal(at(p, 0), 1000);
	assert_int_equal(tf_pages_save(p, NULL), TF_NO_MEMORY);
	tf_pages_close(&p);
	check_saved(os, 0, 0, 0);
	tf_sim_free(&os);
}

static void
left_unsaved(void **unused)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){0});
	struct tf_pages *p = open_pages(os);
	fill(p, 2 * PER_PAGE);
	assert_int_equal(tf_pages_stage(p, 1, NULL), TF_OK);
	put(p, 0, 1000);
	tf_pages_close(&p);
	check_saved(os, 0, 0, 0);
	tf_sim_free(&os);
}

static void
put_all(struct tf_pages *p, uint64_t value)
{
	for (uint64_t i = tf_pages_count(p); i-- > 0;)
		put(p, i, value);
}

static void
expect_all(const struct tf_pages *p, uint64_t value)
{
	assert_int_equal(tf_pages_next(p), value);
	assert_int_equal(tf_pages_count(p), SLOTS);
	for (uint64_t i = 0; i < SLOTS; i++)
		assert_int_equal(at(p, i), value);
}

static enum tf_err
stage_and_save(struct tf_pages *p, uint64_t value)
{
	put_all(p, value);
	assert_int_equal(tf_pages_stage(p, value, NULL), TF_OK);
	for (uint64_t i = 0; i < SLOTS; i += 3 * PER_PAGE)
		put(p, i, 1000);
	return tf_pages_save(p, NULL);
}

/* The second snapshot is cut at its n-th operation: what stands is it or the first, whole. False: it was not cut. */
static bool
cut_at(uint64_t n, void (*cut)(struct tf_os *))
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
	struct tf_pages *p = open_pages(os);
	fill(p, SLOTS);
	assert_int_equal(stage_and_save(p, 1), TF_OK);
	tf_sim_down_at(os, n);
	enum tf_err e = stage_and_save(p, 2);
	bool down = tf_sim_is_down(os);
	cut(os);
	tf_sim_down_at(os, 0);
	tf_pages_close(&p);
	p = open_pages(os);
	assert_true(down || !e);
	expect_all(p, e && tf_pages_next(p) == 1 ? 1 : 2);
	tf_pages_close(&p);
	tf_sim_free(&os);
	return down;
}

static void
is_whole_wherever_it_is_cut(void **unused)
{
	uint64_t n = 1;
	while (cut_at(n, tf_sim_power_loss))
		n++;
	assert_true(n > 40 + 3);
	for (n = 1; cut_at(n, tf_sim_crash);)
		n++;
}

static void
save(void *arg)
{
	assert_int_equal(tf_pages_save(arg, NULL), TF_OK);
}

/* In threads. */
static void
saves_beside_the_caller(void **unused)
{
	char dir[256];
	struct tf_os *os = tf_os_real();
	assert_true(dir_make(dir, sizeof dir, "pages"));
	struct tf_pages *p;
	assert_int_equal(tf_pages_open(os, dir, &options, &p, NULL), TF_OK);
	uint64_t number = 0;
	fill(p, SLOTS);
	for (int round = 0; round < 20; round++) {
		struct tf_worker *worker;
		uint64_t staged = ++number;
		put_all(p, staged);
		assert_int_equal(tf_pages_stage(p, staged, NULL), TF_OK);
		assert_int_equal(tf_os_start(os, save, p, &worker, NULL), TF_OK);
		put_all(p, ++number);
		put_all(p, ++number);
		tf_worker_join(&worker);
		struct tf_pages *saved;
		assert_int_equal(tf_pages_open(os, dir, &options, &saved, NULL), TF_OK);
		expect_all(saved, staged);
		tf_pages_close(&saved);
	}
	tf_pages_close(&p);
	assert_int_equal(dir_remove(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(saves_what_was_staged),
		cmocka_unit_test(fails_without_a_copy),
		cmocka_unit_test(left_unsaved),
		cmocka_unit_test(is_whole_wherever_it_is_cut),
		cmocka_unit_test(saves_beside_the_caller),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
