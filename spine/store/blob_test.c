/* The contract of object stores, run on a directory of the kernel and on one of the simulation; then what only the
 * simulation can show: power loss and failing disks. */
#include "store/blob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/dir_testing.h"
#include "os/sim.h"

static struct tf_os *sim;
static char real_dir[64];

struct world {
	struct tf_os *os;
	struct tf_blob *b;
	struct tf_fault f;
	char dir[80];
};

#define ok(w, call)                                                                                                    \
	do {                                                                                                           \
		if ((call) != TF_OK)                                                                                   \
			fail_msg("%s: %s", #call, (w)->f.text);                                                        \
	} while (0)

static int
setup_real(void **state)
{
	struct world *w = tf_calloc(1, sizeof *w);
	snprintf(real_dir, sizeof real_dir, "blob_test.XXXXXX");
	assert_non_null(mkdtemp(real_dir));
	snprintf(w->dir, sizeof w->dir, "%s/store", real_dir);
	w->os = tf_os_real();
	ok(w, tf_blob_open(w->os, tf_str(w->dir), &w->b, &w->f));
	*state = w;
	return 0;
}

static int
teardown_real(void **state)
{
	struct world *w = *state;
	tf_blob_close(&w->b);
	tf_free(w);
	return dir_remove(real_dir);
}

static int
setup_sim(void **state)
{
	struct world *w = tf_calloc(1, sizeof *w);
	sim = tf_sim_new(&(struct tf_sim_options){.seed = 7});
	assert_non_null(sim);
	w->os = sim;
	snprintf(w->dir, sizeof w->dir, "store");
	ok(w, tf_blob_open(w->os, TF_STR("file:store"), &w->b, &w->f));
	*state = w;
	return 0;
}

static int
teardown_sim(void **state)
{
	struct world *w = *state;
	tf_blob_close(&w->b);
	tf_free(w);
	tf_sim_free(&sim);
	return 0;
}

static enum tf_err
read_key(struct tf_blob *b, const char *key, char *out, size_t max, struct tf_fault *f)
{
	struct tf_buf got;
	tf_buf_init(&got, max - 1);
	enum tf_err e = tf_blob_get(b, tf_str(key), &got, NULL, f);
	if (e == TF_OK) {
		memcpy(out, got.n ? (char *)got.p : "", got.n);
		out[got.n] = 0;
	}
	tf_buf_release(&got);
	return e;
}

static void
assert_holds(struct world *w, const char *key, const char *text)
{
	char got[200];
	ok(w, read_key(w->b, key, got, sizeof got, &w->f));
	assert_string_equal(got, text);
}

static void
an_object_is_read_back_whole_and_by_range(void **state)
{
	struct world *w = *state;
	struct tf_buf got;
	struct tf_blob_info info;
	struct tf_etag tag, again;
	ok(w, tf_blob_put(w->b, TF_STR("year=2026/region=north/a.parquet"), TF_STR("0123456789"), &w->f));
	tf_buf_init(&got, 100);
	ok(w, tf_blob_get(w->b, TF_STR("year=2026/region=north/a.parquet"), &got, &tag, &w->f));
	assert_true(tf_str_eq(tf_buf_view(&got), TF_STR("0123456789")));
	assert_string_equal(tag.hex, tf_etag_of(TF_STR("0123456789")).hex);
	ok(w, tf_blob_etag(w->b, TF_STR("year=2026/region=north/a.parquet"), &again, &w->f));
	assert_string_equal(tag.hex, again.hex);
	ok(w, tf_blob_get_range(w->b, TF_STR("year=2026/region=north/a.parquet"), 3, 4, &got, &w->f));
	assert_true(tf_str_eq(tf_buf_view(&got), TF_STR("01234567893456")));
	ok(w, tf_blob_get_range(w->b, TF_STR("year=2026/region=north/a.parquet"), 8, 100, &got, &w->f));
	assert_int_equal(got.n, 16);
	assert_int_equal(tf_blob_get_range(w->b, TF_STR("year=2026/region=north/a.parquet"), 11, 1, &got, &w->f),
			 TF_INVALID);
	ok(w, tf_blob_stat(w->b, TF_STR("year=2026/region=north/a.parquet"), &info, &w->f));
	assert_int_equal(info.size, 10);
	tf_buf_release(&got);
}

static void
a_put_replaces_and_a_bound_holds(void **state)
{
	struct world *w = *state;
	char got[4];
	ok(w, tf_blob_put(w->b, TF_STR("k"), TF_STR("one"), &w->f));
	ok(w, tf_blob_put(w->b, TF_STR("k"), TF_STR("four"), &w->f));
	assert_holds(w, "k", "four");
	assert_int_equal(read_key(w->b, "k", got, sizeof got, &w->f), TF_TOO_LARGE);
	ok(w, tf_blob_put(w->b, TF_STR("k"), TF_STR(""), &w->f));
	assert_holds(w, "k", "");
}

static void
put_if_absent_keeps_the_first(void **state)
{
	struct world *w = *state;
	ok(w, tf_blob_put_if_absent(w->b, TF_STR("a/k"), TF_STR("first"), &w->f));
	assert_int_equal(tf_blob_put_if_absent(w->b, TF_STR("a/k"), TF_STR("second"), &w->f), TF_EXISTS);
	assert_non_null(strstr(w->f.text, "'a/k'"));
	assert_holds(w, "a/k", "first");
}

static void
put_if_match_refuses_what_changed(void **state)
{
	struct world *w = *state;
	struct tf_etag one = tf_etag_of(TF_STR("one")), two = tf_etag_of(TF_STR("two"));
	assert_int_equal(tf_blob_put_if_match(w->b, TF_STR("k"), TF_STR("two"), &one, &w->f), TF_CONFLICT);
	ok(w, tf_blob_put(w->b, TF_STR("k"), TF_STR("one"), &w->f));
	ok(w, tf_blob_put_if_match(w->b, TF_STR("k"), TF_STR("two"), &one, &w->f));
	assert_int_equal(tf_blob_put_if_match(w->b, TF_STR("k"), TF_STR("three"), &one, &w->f), TF_CONFLICT);
	ok(w, tf_blob_put_if_match(w->b, TF_STR("k"), TF_STR("three"), &two, &w->f));
	assert_holds(w, "k", "three");
}

static void
a_conditional_put_beside_another_is_busy(void **state)
{
	struct world *w = *state;
	char path[100];
	struct tf_file *lock = NULL;
	ok(w, tf_blob_put(w->b, TF_STR("x"), TF_STR("x"), &w->f));
	snprintf(path, sizeof path, "%s/.lock", w->dir);
	ok(w, tf_os_open(w->os, path, TF_OPEN_CREATE, &lock, &w->f));
	ok(w, tf_file_lock(lock, true, &w->f));
	assert_int_equal(tf_blob_put_if_absent(w->b, TF_STR("k"), TF_STR("v"), &w->f), TF_BUSY);
	tf_file_close(&lock);
	ok(w, tf_blob_put_if_absent(w->b, TF_STR("k"), TF_STR("v"), &w->f));
}

static void
write_file(struct world *w, const char *path, const char *text)
{
	struct tf_file *file = NULL;
	ok(w, tf_os_open(w->os, path, TF_OPEN_CREATE, &file, &w->f));
	ok(w, tf_file_write(file, text, strlen(text), 0, &w->f));
	tf_file_close(&file);
}

static void
a_library_file_is_published_by_taking_it(void **state)
{
	struct world *w = *state;
	char temp[TF_BLOB_PATH_MAX], path[TF_BLOB_PATH_MAX];
	struct tf_stat st;
	ok(w, tf_blob_temp(w->b, temp, &w->f));
	write_file(w, temp, "PAR1");
	assert_int_equal(tf_blob_take_file(w->b, "elsewhere/x", TF_STR("cold/a"), &w->f), TF_INVALID);
	ok(w, tf_blob_take_file(w->b, temp, TF_STR("cold/a"), &w->f));
	assert_holds(w, "cold/a", "PAR1");
	assert_int_equal(tf_os_stat(w->os, temp, &st, NULL), TF_NOT_FOUND);
	ok(w, tf_blob_path(w->b, TF_STR("cold/a"), path, &w->f));
	ok(w, tf_os_stat(w->os, path, &st, &w->f));
	assert_int_equal(st.size, 4);
	assert_int_equal(tf_blob_take_file(w->b, temp, TF_STR("cold/b"), &w->f), TF_NOT_FOUND);
}

static void
deleting_removes_once(void **state)
{
	struct world *w = *state;
	char got[8];
	ok(w, tf_blob_put(w->b, TF_STR("d/k"), TF_STR("v"), &w->f));
	ok(w, tf_blob_delete(w->b, TF_STR("d/k"), &w->f));
	assert_int_equal(tf_blob_delete(w->b, TF_STR("d/k"), &w->f), TF_NOT_FOUND);
	assert_int_equal(read_key(w->b, "d/k", got, sizeof got, &w->f), TF_NOT_FOUND);
	assert_int_equal(tf_blob_delete(w->b, TF_STR("d"), &w->f), TF_NOT_FOUND);
}

static enum tf_err
collect(void *ctx, struct tf_str key, const struct tf_blob_info *info)
{
	assert_int_equal(info->size, 1);
	tf_buf_str(ctx, key);
	tf_buf_u8(ctx, ' ');
	return TF_OK;
}

static void
assert_lists(struct world *w, const char *prefix, const char *keys)
{
	struct tf_buf got;
	tf_buf_init(&got, 0);
	ok(w, tf_blob_list(w->b, tf_str(prefix), collect, &got, &w->f));
	tf_buf_u8(&got, 0);
	assert_string_equal((char *)got.p, keys);
	tf_buf_release(&got);
}

static void
listing_is_in_key_order_and_by_prefix(void **state)
{
	struct world *w = *state;
	static const char *const keys[] = {"b", "a/c", "a-b", "a0", "a/b/z", "a/b0", "y=2026/m=01/x", "y=2025/m=12/x"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		ok(w, tf_blob_put(w->b, tf_str(keys[i]), TF_STR("1"), &w->f));
	assert_lists(w, "", "a-b a/b/z a/b0 a/c a0 b y=2025/m=12/x y=2026/m=01/x ");
	assert_lists(w, "a/", "a/b/z a/b0 a/c ");
	assert_lists(w, "a/b", "a/b/z a/b0 ");
	assert_lists(w, "y=2026", "y=2026/m=01/x ");
	assert_lists(w, "y=2026/m=01/x", "y=2026/m=01/x ");
	assert_lists(w, "nothing/here", "");
	assert_lists(w, "../", "");
	assert_lists(w, "/", "");
	assert_lists(w, ".", "");
}

static enum tf_err
stop_at_first(void *ctx, struct tf_str key, const struct tf_blob_info *info)
{
	++*(int *)ctx;
	return TF_TIMEOUT;
}

static void
listing_stops_at_the_callers_error(void **state)
{
	struct world *w = *state;
	int calls = 0;
	ok(w, tf_blob_put(w->b, TF_STR("d/1"), TF_STR("1"), &w->f));
	ok(w, tf_blob_put(w->b, TF_STR("d/2"), TF_STR("1"), &w->f));
	assert_int_equal(tf_blob_list(w->b, TF_STR(""), stop_at_first, &calls, &w->f), TF_TIMEOUT);
	assert_int_equal(calls, 1);
}

static void
keys_that_could_leave_the_store_are_refused(void **state)
{
	struct world *w = *state;
	static const char *const bad[] = {
		"",     "/a",   "a/",   "a//b",    "..",
		"../a", "a/..", ".tmp", "a/.lock", "a\\b",
		"a\nb", "\x7f", "./a",  ".lock",   "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
	char long_key[TF_BLOB_KEY_MAX + 2];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tf_blob_put(w->b, tf_str(bad[i]), TF_STR("v"), &w->f), TF_INVALID);
	assert_int_equal(tf_blob_put(w->b, tf_str_n("a\0b", 3), TF_STR("v"), &w->f), TF_INVALID);
	memset(long_key, 'a', sizeof long_key);
	assert_int_equal(tf_blob_put(w->b, tf_str_n(long_key, 201), TF_STR("v"), &w->f), TF_INVALID);
	for (size_t i = 100; i < sizeof long_key; i += 100)
		long_key[i] = '/';
	assert_int_equal(tf_blob_put(w->b, tf_str_n(long_key, TF_BLOB_KEY_MAX + 1), TF_STR("v"), &w->f), TF_INVALID);
	ok(w, tf_blob_put(w->b, tf_str_n(long_key, TF_BLOB_KEY_MAX), TF_STR("v"), &w->f));
	assert_int_equal(tf_blob_list(w->b, tf_str_n(long_key, TF_BLOB_KEY_MAX + 1), collect, NULL, &w->f), TF_INVALID);
}

static void
a_key_cannot_be_a_directory_too(void **state)
{
	struct world *w = *state;
	char got[8];
	ok(w, tf_blob_put(w->b, TF_STR("a/b"), TF_STR("v"), &w->f));
	assert_int_equal(tf_blob_put(w->b, TF_STR("a"), TF_STR("v"), &w->f), TF_CONFLICT);
	assert_int_equal(tf_blob_put(w->b, TF_STR("a/b/c"), TF_STR("v"), &w->f), TF_CONFLICT);
	assert_int_equal(read_key(w->b, "a", got, sizeof got, &w->f), TF_NOT_FOUND);
	assert_holds(w, "a/b", "v");
}

static void
a_missing_store_is_empty(void **state)
{
	struct world *w = *state;
	char got[8];
	struct tf_stat st;
	assert_lists(w, "", "");
	assert_int_equal(read_key(w->b, "k", got, sizeof got, &w->f), TF_NOT_FOUND);
	assert_int_equal(tf_os_stat(w->os, w->dir, &st, NULL), TF_NOT_FOUND);
}

static void
urls_of_other_stores_are_named(void **state)
{
	struct world *w = *state;
	struct tf_blob *b = NULL;
	assert_int_equal(tf_blob_open(w->os, TF_STR("s3://bucket/x"), &b, &w->f), TF_UNSUPPORTED);
	assert_non_null(strstr(w->f.text, "'s3'"));
	assert_int_equal(tf_blob_open(w->os, TF_STR(""), &b, &w->f), TF_INVALID);
	assert_int_equal(tf_blob_open(w->os, TF_STR("file:"), &b, &w->f), TF_INVALID);
	assert_null(b);
}

/* ---- only in the simulation ---- */

static void
what_was_put_survives_power_loss(void **state)
{
	struct world *w = *state;
	ok(w, tf_blob_put(w->b, TF_STR("a/b/c"), TF_STR("v"), &w->f));
	ok(w, tf_blob_put_if_absent(w->b, TF_STR("d"), TF_STR("v"), &w->f));
	assert_true(tf_sim_durable(sim, "store/a/b/c"));
	assert_true(tf_sim_durable(sim, "store/d"));
	tf_sim_power_loss(sim);
	assert_holds(w, "a/b/c", "v");
	assert_holds(w, "d", "v");
	ok(w, tf_blob_delete(w->b, TF_STR("d"), &w->f));
	tf_sim_power_loss(sim);
	assert_int_equal(read_key(w->b, "d", (char[8]){0}, 8, &w->f), TF_NOT_FOUND);
}

static void
a_directory_left_by_a_killed_writer_is_made_durable(void **state)
{
	struct world *w = *state;
	ok(w, tf_blob_put(w->b, TF_STR("x"), TF_STR("x"), &w->f));
	ok(w, tf_os_mkdirs(w->os, "store/a/b", &w->f)); /* killed here, its directories never synced */
	tf_sim_crash(sim);
	tf_blob_close(&w->b);
	ok(w, tf_blob_open(w->os, tf_str(w->dir), &w->b, &w->f));
	ok(w, tf_blob_put(w->b, TF_STR("a/b/c"), TF_STR("v"), &w->f));
	tf_sim_power_loss(sim);
	assert_holds(w, "a/b/c", "v");
}

static void
old_temporary_files_are_swept(void **state)
{
	struct world *w = *state;
	char old[TF_BLOB_PATH_MAX], young[TF_BLOB_PATH_MAX];
	struct tf_stat st;
	ok(w, tf_blob_temp(w->b, old, &w->f));
	write_file(w, old, "x");
	tf_sim_advance(sim, TF_DAY + TF_HOUR);
	ok(w, tf_blob_temp(w->b, young, &w->f));
	write_file(w, young, "x");
	tf_blob_close(&w->b);
	ok(w, tf_blob_open(w->os, tf_str(w->dir), &w->b, &w->f));
	ok(w, tf_blob_put(w->b, TF_STR("k"), TF_STR("v"), &w->f));
	assert_int_equal(tf_os_stat(w->os, old, &st, NULL), TF_NOT_FOUND);
	ok(w, tf_os_stat(w->os, young, &st, &w->f));
}

/* Puts, replaces and conditionally replaces; says how many of them returned TF_OK. */
static int
story(struct tf_blob *b)
{
	struct tf_etag one = tf_etag_of(TF_STR("one"));
	if (tf_blob_put(b, TF_STR("d/e/k"), TF_STR("one"), NULL))
		return 0;
	if (tf_blob_put_if_match(b, TF_STR("d/e/k"), TF_STR("two"), &one, NULL))
		return 1;
	return tf_blob_put(b, TF_STR("d/e/k"), TF_STR("three"), NULL) ? 2 : 3;
}

/* After `done` puts the key has that object, whole, or the next one, whole. */
static void
check_story(struct tf_blob *b, int done, uint64_t n)
{
	static const char *const texts[] = {"", "one", "two", "three"};
	char got[20] = "";
	enum tf_err e = read_key(b, "d/e/k", got, sizeof got, NULL);
	if (e != TF_OK && !(e == TF_NOT_FOUND && done == 0))
		fail_msg("op %d: after %d puts: %s", (int)n, done, tf_err_text(e));
	if (strcmp(got, texts[done]) != 0 && (done == 3 || strcmp(got, texts[done + 1]) != 0))
		fail_msg("op %d: after %d puts the key holds '%s'", (int)n, done, got);
}

static void
power_loss_at_every_operation_leaves_whole_objects(void **state)
{
	int done = 0;
	for (uint64_t n = 1; done < 3; n++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
		struct tf_blob *b = NULL;
		assert_int_equal(tf_blob_open(os, TF_STR("store"), &b, NULL), TF_OK);
		tf_sim_down_at(os, n);
		done = story(b);
		tf_sim_down_at(os, 0);
		tf_sim_power_loss(os);
		tf_blob_close(&b);
		assert_int_equal(tf_blob_open(os, TF_STR("store"), &b, NULL), TF_OK);
		check_story(b, done, n);
		assert_int_equal(tf_blob_put(b, TF_STR("d/e/k"), TF_STR("again"), NULL), TF_OK);
		tf_blob_close(&b);
		tf_sim_free(&os);
	}
}

static void
every_failing_operation_is_reported_and_harms_nothing(void **state)
{
	bool failed = true;
	for (uint64_t n = 1; failed; n++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
		struct tf_blob *b = NULL;
		assert_int_equal(tf_blob_open(os, TF_STR("store"), &b, NULL), TF_OK);
		tf_sim_fail_at(os, TF_SIM_ANY & ~(unsigned)(TF_SIM_STAT | TF_SIM_LIST), n, TF_NO_SPACE);
		int done = story(b);
		failed = tf_sim_failed(os);
		tf_sim_fail_at(os, 0, 0, TF_OK);
		if (!failed)
			assert_int_equal(done, 3);
		check_story(b, done, n);
		tf_blob_close(&b);
		tf_sim_free(&os);
	}
}

static void
every_failing_allocation_is_reported(void **state)
{
	enum tf_err e = TF_NO_MEMORY;
	struct tf_etag v = tf_etag_of(TF_STR("v"));
	for (uint64_t n = 1; e; n++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
		struct tf_blob *b = NULL;
		struct tf_buf got;
		tf_buf_init(&got, 100);
		tf_mem_fail_at(n);
		e = tf_blob_open(os, TF_STR("store"), &b, NULL);
		if (e == TF_OK)
			e = tf_blob_put(b, TF_STR("a/b"), TF_STR("v"), NULL);
		if (e == TF_OK)
			e = tf_blob_put_if_match(b, TF_STR("a/b"), TF_STR("w"), &v, NULL);
		if (e == TF_OK)
			e = tf_blob_get(b, TF_STR("a/b"), &got, NULL, NULL);
		tf_mem_fail_at(0);
		assert_true(e == TF_OK || e == TF_NO_MEMORY);
		tf_buf_release(&got);
		tf_blob_close(&b);
		tf_sim_free(&os);
	}
}

#define CONTRACT(setup, teardown)                                                                                      \
	cmocka_unit_test_setup_teardown(an_object_is_read_back_whole_and_by_range, setup, teardown),                   \
		cmocka_unit_test_setup_teardown(a_put_replaces_and_a_bound_holds, setup, teardown),                    \
		cmocka_unit_test_setup_teardown(put_if_absent_keeps_the_first, setup, teardown),                       \
		cmocka_unit_test_setup_teardown(put_if_match_refuses_what_changed, setup, teardown),                   \
		cmocka_unit_test_setup_teardown(a_conditional_put_beside_another_is_busy, setup, teardown),            \
		cmocka_unit_test_setup_teardown(a_library_file_is_published_by_taking_it, setup, teardown),            \
		cmocka_unit_test_setup_teardown(deleting_removes_once, setup, teardown),                               \
		cmocka_unit_test_setup_teardown(listing_is_in_key_order_and_by_prefix, setup, teardown),               \
		cmocka_unit_test_setup_teardown(listing_stops_at_the_callers_error, setup, teardown),                  \
		cmocka_unit_test_setup_teardown(keys_that_could_leave_the_store_are_refused, setup, teardown),         \
		cmocka_unit_test_setup_teardown(a_key_cannot_be_a_directory_too, setup, teardown),                     \
		cmocka_unit_test_setup_teardown(a_missing_store_is_empty, setup, teardown),                            \
		cmocka_unit_test_setup_teardown(urls_of_other_stores_are_named, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(setup_real, teardown_real),
		CONTRACT(setup_sim, teardown_sim),
		cmocka_unit_test_setup_teardown(what_was_put_survives_power_loss, setup_sim, teardown_sim),
		cmocka_unit_test_setup_teardown(a_directory_left_by_a_killed_writer_is_made_durable, setup_sim,
						teardown_sim),
		cmocka_unit_test_setup_teardown(old_temporary_files_are_swept, setup_sim, teardown_sim),
		cmocka_unit_test(power_loss_at_every_operation_leaves_whole_objects),
		cmocka_unit_test(every_failing_operation_is_reported_and_harms_nothing),
		cmocka_unit_test(every_failing_allocation_is_reported),
	};
	return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
