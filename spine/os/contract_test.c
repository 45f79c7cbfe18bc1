/* os.h's contract, run on every implementation: the kernel in a fresh directory, the simulation in memory. Paths are
 * relative, so that both see the same ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/dir_testing.h"
#include "os/sim.h"

static struct tf_fault fault;

#define OK(expr)     assert_int_equal(expr, TF_OK)
#define IS(err, got) assert_int_equal(got, TF_##err)

static struct tf_file *
open_file(struct tf_os *os, const char *path, unsigned flags)
{
	struct tf_file *file = NULL;
	OK(tf_os_open(os, path, flags, &file, &fault));
	return file;
}

static void
put(struct tf_os *os, const char *path, const char *text)
{
	struct tf_file *file = open_file(os, path, TF_OPEN_CREATE | TF_OPEN_TRUNCATE);
	OK(tf_file_write(file, text, strlen(text), 0, &fault));
	tf_file_close(&file);
	assert_null(file);
}

static void
assert_content(struct tf_os *os, const char *path, const char *text)
{
	char *p;
	size_t n;
	OK(tf_os_read_file(os, path, 1 << 20, &p, &n, &fault));
	assert_int_equal(n, strlen(text));
	assert_string_equal(p, text);
	tf_free(p);
}

static void
assert_missing(struct tf_os *os, const char *path)
{
	struct tf_stat st;
	IS(NOT_FOUND, tf_os_stat(os, path, &st, NULL));
}

static void
reads_what_was_written(void **state)
{
	struct tf_os *os = *state;
	struct tf_file *file = open_file(os, "f", TF_OPEN_CREATE);
	char got[16] = "";
	size_t n;
	OK(tf_file_write(file, "hello world", 11, 0, &fault));
	OK(tf_file_write(file, "W", 1, 6, &fault));
	OK(tf_file_write(file, NULL, 0, 99, &fault));
	OK(tf_file_read(file, got, 5, 6, &n, &fault));
	assert_int_equal(n, 5);
	assert_memory_equal(got, "World", 5);
	OK(tf_file_sync(file, &fault));
	uint64_t size;
	OK(tf_file_size(file, &size, &fault));
	assert_int_equal(size, 11);
	tf_file_prefetch(file, 0, 11);
	tf_file_close(&file);
	tf_file_close(&file);
}

static void
read_is_short_only_at_the_end(void **state)
{
	struct tf_file *file = open_file(*state, "f", TF_OPEN_CREATE);
	char got[16];
	size_t n;
	OK(tf_file_write(file, "12345", 5, 0, &fault));
	OK(tf_file_read(file, got, 16, 3, &n, &fault));
	assert_int_equal(n, 2);
	OK(tf_file_read(file, got, 16, 100, &n, &fault));
	assert_int_equal(n, 0);
	OK(tf_file_read_exact(file, got, 5, 0, &fault));
	IS(CORRUPT, tf_file_read_exact(file, got, 6, 0, &fault));
	tf_file_close(&file);
}

static void
a_gap_reads_as_zeros(void **state)
{
	struct tf_file *file = open_file(*state, "f", TF_OPEN_CREATE);
	char got[1001], zeros[999] = {0};
	OK(tf_file_write(file, "a", 1, 0, &fault));
	OK(tf_file_write(file, "b", 1, 1000, &fault));
	OK(tf_file_read_exact(file, got, 1001, 0, &fault));
	assert_int_equal(got[0], 'a');
	assert_memory_equal(got + 1, zeros, 999);
	assert_int_equal(got[1000], 'b');
	tf_file_close(&file);
}

static void
truncate_cuts_and_extends_with_zeros(void **state)
{
	struct tf_file *file = open_file(*state, "f", TF_OPEN_CREATE);
	char got[6];
	OK(tf_file_write(file, "123456", 6, 0, &fault));
	OK(tf_file_truncate(file, 2, &fault));
	OK(tf_file_truncate(file, 6, &fault));
	OK(tf_file_read_exact(file, got, 6, 0, &fault));
	assert_memory_equal(got, "12\0\0\0\0", 6);
	tf_file_close(&file);
}

static void
open_refuses_what_it_should(void **state)
{
	struct tf_os *os = *state;
	struct tf_file *file = NULL;
	IS(NOT_FOUND, tf_os_open(os, "missing", TF_OPEN_READ, &file, &fault));
	assert_string_equal(fault.text, "cannot open 'missing': not found");
	IS(NOT_FOUND, tf_os_open(os, "missing", TF_OPEN_WRITE, &file, &fault));
	IS(NOT_FOUND, tf_os_open(os, "no/such/dir", TF_OPEN_CREATE, &file, &fault));
	put(os, "f", "x");
	IS(EXISTS, tf_os_open(os, "f", TF_OPEN_CREATE | TF_OPEN_EXCLUSIVE, &file, &fault));
	IS(NOT_FOUND, tf_os_open(os, "f/below", TF_OPEN_CREATE, &file, &fault));
	OK(tf_os_mkdirs(os, "d", &fault));
	IS(INVALID, tf_os_open(os, "d", TF_OPEN_WRITE, &file, &fault));
	assert_null(file);
}

static void
open_flags_create_keep_and_truncate(void **state)
{
	struct tf_os *os = *state;
	struct tf_file *file = open_file(os, "f", TF_OPEN_CREATE | TF_OPEN_EXCLUSIVE);
	OK(tf_file_write(file, "x", 1, 0, &fault));
	tf_file_close(&file);
	file = open_file(os, "f", TF_OPEN_CREATE);
	tf_file_close(&file);
	assert_content(os, "f", "x");
	file = open_file(os, "f", TF_OPEN_WRITE | TF_OPEN_TRUNCATE);
	tf_file_close(&file);
	assert_content(os, "f", "");
}

static void
a_read_only_handle_cannot_write(void **state)
{
	put(*state, "f", "x");
	struct tf_file *file = open_file(*state, "f", TF_OPEN_READ);
	IS(DENIED, tf_file_write(file, "y", 1, 0, &fault));
	IS(INVALID, tf_file_truncate(file, 0, &fault));
	tf_file_close(&file);
	assert_content(*state, "f", "x");
}

static void
rename_replaces_a_file(void **state)
{
	struct tf_os *os = *state;
	put(os, "old", "1");
	put(os, "new", "2");
	struct tf_file *replaced = open_file(os, "new", TF_OPEN_READ);
	OK(tf_os_rename(os, "old", "new", &fault));
	assert_content(os, "new", "1");
	assert_missing(os, "old");
	char c;
	OK(tf_file_read_exact(replaced, &c, 1, 0, &fault));
	assert_int_equal(c, '2');
	tf_file_close(&replaced);
	OK(tf_os_rename(os, "new", "new", &fault));
	IS(NOT_FOUND, tf_os_rename(os, "old", "x", &fault));
	assert_string_equal(fault.text, "cannot rename 'old' to 'x': not found");
}

static void
rename_moves_directories(void **state)
{
	struct tf_os *os = *state;
	OK(tf_os_mkdirs(os, "a/b", &fault));
	OK(tf_os_mkdirs(os, "empty", &fault));
	OK(tf_os_mkdirs(os, "full", &fault));
	put(os, "a/b/f", "x");
	put(os, "full/g", "y");
	put(os, "file", "z");
	IS(INVALID, tf_os_rename(os, "a", "a/b/c", &fault));
	IS(CONFLICT, tf_os_rename(os, "a", "full", &fault));
	IS(INVALID, tf_os_rename(os, "file", "empty", &fault));
	IS(NOT_FOUND, tf_os_rename(os, "a", "file", &fault));
	OK(tf_os_rename(os, "a/b", "empty", &fault));
	assert_content(os, "empty/f", "x");
	assert_missing(os, "a/b");
}

static void
an_unlinked_file_stays_readable_while_open(void **state)
{
	struct tf_os *os = *state;
	char c;
	put(os, "f", "x");
	struct tf_file *file = open_file(os, "f", TF_OPEN_READ);
	OK(tf_os_unlink(os, "f", &fault));
	assert_missing(os, "f");
	put(os, "f", "y");
	OK(tf_file_read_exact(file, &c, 1, 0, &fault));
	assert_int_equal(c, 'x');
	tf_file_close(&file);
	IS(NOT_FOUND, tf_os_unlink(os, "missing", &fault));
	OK(tf_os_mkdirs(os, "d", &fault));
	IS(INVALID, tf_os_unlink(os, "d", &fault));
}

static void
mkdirs_makes_parents_and_may_be_repeated(void **state)
{
	struct tf_os *os = *state;
	struct tf_stat st;
	OK(tf_os_mkdirs(os, "a/b//c/", &fault));
	OK(tf_os_mkdirs(os, "a/b/c", &fault));
	OK(tf_os_mkdirs(os, "./a", &fault));
	OK(tf_os_stat(os, "a/b/c", &st, &fault));
	assert_true(st.is_dir);
	put(os, "file", "x");
	IS(EXISTS, tf_os_mkdirs(os, "file", &fault));
	IS(EXISTS, tf_os_mkdirs(os, "file/below", &fault));
	IS(INVALID, tf_os_mkdirs(os, "", &fault));
	OK(tf_os_mkdirs_sync(os, "x/y/z", &fault));
	OK(tf_os_stat(os, "x/y/z", &st, &fault));
	OK(tf_os_sync_parent(os, "x", &fault));
	OK(tf_os_sync_parent(os, "x//y/", &fault));
	IS(NOT_FOUND, tf_os_sync_parent(os, "nowhere/y", &fault));
}

static void
rmdir_takes_only_empty_directories(void **state)
{
	struct tf_os *os = *state;
	OK(tf_os_mkdirs(os, "d", &fault));
	put(os, "d/f", "x");
	IS(CONFLICT, tf_os_rmdir(os, "d", &fault));
	OK(tf_os_unlink(os, "d/f", &fault));
	IS(NOT_FOUND, tf_os_rmdir(os, "d/f", &fault));
	OK(tf_os_rmdir(os, "d", &fault));
	assert_missing(os, "d");
}

struct listing {
	struct tf_os *os;
	struct tf_buf text;
	int left; /* entries until it refuses; negative: never */
};

static enum tf_err
add_entry(void *ctx, const char *name, bool is_dir)
{
	struct listing *l = ctx;
	if (l->left == 0)
		return TF_CONFLICT;
	l->left--;
	tf_buf_printf(&l->text, "%s%s ", name, is_dir ? "/" : "");
	return TF_OK;
}

static enum tf_err
unlink_entry(void *ctx, const char *name, bool is_dir)
{
	return tf_os_unlink(ctx, name, &fault);
}

static void
list_is_in_byte_order_and_stops_at_an_error(void **state)
{
	struct tf_os *os = *state;
	struct listing l = {.os = os, .left = -1};
	tf_buf_init(&l.text, 0);
	put(os, "b", "");
	put(os, "a2", "");
	put(os, "B", "");
	OK(tf_os_mkdirs(os, "a", &fault));
	OK(tf_os_list(os, ".", add_entry, &l, &fault));
	assert_true(tf_str_eq(tf_buf_view(&l.text), TF_STR("B a/ a2 b ")));
	tf_buf_reset(&l.text);
	l.left = 2;
	IS(CONFLICT, tf_os_list(os, ".", add_entry, &l, &fault));
	assert_true(tf_str_eq(tf_buf_view(&l.text), TF_STR("B a/ ")));
	tf_buf_release(&l.text);
	IS(NOT_FOUND, tf_os_list(os, "missing", add_entry, &l, &fault));
	IS(NOT_FOUND, tf_os_list(os, "b", add_entry, &l, &fault));
}

static void
a_listing_may_remove_what_it_lists(void **state)
{
	struct tf_os *os = *state;
	char name[16];
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put(os, name, "x");
	}
	OK(tf_os_list(os, ".", unlink_entry, os, &fault));
	struct listing l = {.os = os, .left = 0};
	OK(tf_os_list(os, ".", add_entry, &l, &fault));
}

static void
an_exclusive_lock_has_one_holder(void **state)
{
	struct tf_os *os = *state;
	struct tf_file *a = open_file(os, "lock", TF_OPEN_CREATE);
	struct tf_file *b = open_file(os, "lock", TF_OPEN_CREATE);
	OK(tf_file_lock(a, true, &fault));
	OK(tf_file_lock(a, true, &fault));
	IS(BUSY, tf_file_lock(b, true, &fault));
	assert_string_equal(fault.text, "cannot lock 'lock': busy");
	IS(BUSY, tf_file_lock(b, false, &fault));
	tf_file_unlock(b);
	IS(BUSY, tf_file_lock(b, true, &fault));
	tf_file_close(&a);
	OK(tf_file_lock(b, true, &fault));
	tf_file_close(&b);
}

static void
a_shared_lock_has_many_holders(void **state)
{
	struct tf_os *os = *state;
	struct tf_file *a = open_file(os, "lock", TF_OPEN_CREATE);
	struct tf_file *b = open_file(os, "lock", TF_OPEN_READ);
	OK(tf_file_lock(a, false, &fault));
	OK(tf_file_lock(b, false, &fault));
	IS(BUSY, tf_file_lock(a, true, &fault)); /* and it has no lock now */
	OK(tf_file_lock(b, true, &fault));
	IS(BUSY, tf_file_lock(a, false, &fault));
	tf_file_unlock(b);
	OK(tf_file_lock(a, true, &fault));
	OK(tf_file_lock(a, false, &fault));
	OK(tf_file_lock(b, false, &fault));
	tf_file_close(&a);
	tf_file_close(&b);
}

static void
stat_tells_size_and_kind(void **state)
{
	struct tf_os *os = *state;
	struct tf_stat st;
	put(os, "f", "12345");
	OK(tf_os_stat(os, "f", &st, &fault));
	assert_int_equal(st.size, 5);
	assert_false(st.is_dir);
	assert_true(st.modified > TF_TIME_FIRST && st.modified <= tf_os_now(os));
	assert_true(st.disk % 512 == 0);
	OK(tf_os_stat(os, ".", &st, &fault));
	assert_true(st.is_dir);
}

static void
read_file_has_a_limit(void **state)
{
	struct tf_os *os = *state;
	char *p = NULL;
	size_t n;
	put(os, "f", "12345");
	IS(TOO_LARGE, tf_os_read_file(os, "f", 4, &p, &n, &fault));
	OK(tf_os_read_file(os, "f", 5, &p, &n, &fault));
	assert_int_equal(n, 5);
	assert_int_equal(p[5], 0);
	tf_free(p);
	IS(NOT_FOUND, tf_os_read_file(os, "missing", 4, &p, &n, &fault));
	OK(tf_os_mkdirs(os, "d", &fault));
	IS(INVALID, tf_os_read_file(os, "d", 1 << 20, &p, &n, &fault));
}

static void
write_file_replaces_and_leaves_nothing_else(void **state)
{
	struct tf_os *os = *state;
	struct listing l = {.os = os, .left = -1};
	OK(tf_os_mkdirs(os, "d", &fault));
	OK(tf_os_write_file(os, "d/f", TF_STR("one"), &fault));
	OK(tf_os_write_file(os, "d/f", TF_STR("two"), &fault));
	OK(tf_os_write_file(os, "top", TF_STR(""), &fault));
	assert_content(os, "d/f", "two");
	assert_content(os, "top", "");
	tf_buf_init(&l.text, 0);
	OK(tf_os_list(os, "d", add_entry, &l, &fault));
	assert_true(tf_str_eq(tf_buf_view(&l.text), TF_STR("f ")));
	tf_buf_release(&l.text);
	IS(NOT_FOUND, tf_os_write_file(os, "no/f", TF_STR("x"), &fault));
}

static void
clocks_do_not_go_back(void **state)
{
	struct tf_os *os = *state;
	tf_dur before = tf_os_ticks(os);
	assert_true(tf_os_now(os) > 1735689600 * TF_SEC);
	assert_true(tf_os_ticks(os) >= before);
}

static void
random_bytes_differ(void **state)
{
	uint8_t a[32], b[32];
	tf_os_random(*state, a, sizeof(a));
	tf_os_random(*state, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
add_one(void *arg)
{
	++*(int *)arg;
}

static void
a_joined_worker_has_run(void **state)
{
	struct tf_worker *w = NULL;
	int ran = 0;
	OK(tf_os_start(*state, add_one, &ran, &w, &fault));
	tf_worker_join(&w);
	assert_null(w);
	assert_int_equal(ran, 1);
	tf_worker_join(&w);
}

/* Every verb that allocates, once. */
static enum tf_err
allocating_story(struct tf_os *os)
{
	struct listing l = {.os = os, .left = -1};
	char *p;
	size_t n;
	TF_TRY(tf_os_mkdirs_sync(os, "d/e", NULL));
	TF_TRY(tf_os_write_file(os, "d/e/f", TF_STR("bytes"), NULL));
	TF_TRY(tf_os_read_file(os, "d/e/f", 100, &p, &n, NULL));
	tf_free(p);
	TF_TRY(tf_os_rename(os, "d/e/f", "d/g", NULL));
	tf_buf_init(&l.text, 0);
	enum tf_err e = tf_os_list(os, "d", add_entry, &l, NULL);
	e = e == TF_OK ? l.text.err : e;
	tf_buf_release(&l.text);
	return e;
}

static void
any_allocation_may_fail(void **state)
{
	struct tf_os *os = *state;
	for (uint64_t n = 1;; n++) {
		tf_mem_fail_at(n);
		enum tf_err e = allocating_story(os);
		tf_mem_fail_at(0);
		if (e == TF_OK)
			break;
		IS(NO_MEMORY, e);
		assert_true(n < 100);
	}
	assert_content(os, "d/g", "bytes");
}

static char root[256];

static int
real_setup(void **state)
{
	*state = tf_os_real();
	return dir_make(root, sizeof(root), "os") && chdir(root) == 0 ? 0 : -1;
}

static int
real_teardown(void **state)
{
	return chdir("/") == 0 ? dir_remove(root) : -1;
}

static int
sim_setup(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	*state = os;
	return os ? 0 : -1;
}

static int
sim_teardown(void **state)
{
	struct tf_os *os = *state;
	tf_sim_free(&os);
	return 0;
}

#define PROMISES(X)                                                                                                    \
	X(reads_what_was_written)                                                                                      \
	X(read_is_short_only_at_the_end)                                                                               \
	X(a_gap_reads_as_zeros)                                                                                        \
	X(truncate_cuts_and_extends_with_zeros)                                                                        \
	X(open_refuses_what_it_should)                                                                                 \
	X(open_flags_create_keep_and_truncate)                                                                         \
	X(a_read_only_handle_cannot_write)                                                                             \
	X(rename_replaces_a_file)                                                                                      \
	X(rename_moves_directories)                                                                                    \
	X(an_unlinked_file_stays_readable_while_open)                                                                  \
	X(mkdirs_makes_parents_and_may_be_repeated)                                                                    \
	X(rmdir_takes_only_empty_directories)                                                                          \
	X(list_is_in_byte_order_and_stops_at_an_error)                                                                 \
	X(a_listing_may_remove_what_it_lists)                                                                          \
	X(an_exclusive_lock_has_one_holder)                                                                            \
	X(a_shared_lock_has_many_holders)                                                                              \
	X(stat_tells_size_and_kind)                                                                                    \
	X(read_file_has_a_limit)                                                                                       \
	X(write_file_replaces_and_leaves_nothing_else)                                                                 \
	X(clocks_do_not_go_back)                                                                                       \
	X(random_bytes_differ)                                                                                         \
	X(a_joined_worker_has_run)                                                                                     \
	X(any_allocation_may_fail)

int
main(void)
{
#define X(test) {"real_" #test, test, real_setup, real_teardown, NULL},
	const struct CMUnitTest real[] = {PROMISES(X)};
#undef X
#define X(test) {"sim_" #test, test, sim_setup, sim_teardown, NULL},
	const struct CMUnitTest sim[] = {PROMISES(X)};
#undef X
	int failed = cmocka_run_group_tests(real, NULL, NULL);
	return failed + cmocka_run_group_tests(sim, NULL, NULL);
}
