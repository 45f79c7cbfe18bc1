/* What the simulation promises beyond os.h: durability, faults, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "os/sim.h"

#define SEEDS        300
#define OK(expr)     assert_int_equal(expr, TF_OK)
#define IS(err, got) assert_int_equal(got, TF_##err)

static struct tf_fault fault;

static struct tf_os *
sim(uint64_t seed)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = seed});
	assert_non_null(os);
	return os;
}

static struct tf_file *
open_file(struct tf_os *os, const char *path)
{
	struct tf_file *file = NULL;
	OK(tf_os_open(os, path, TF_OPEN_CREATE, &file, &fault));
	return file;
}

static bool
exists(struct tf_os *os, const char *path)
{
	struct tf_stat st;
	return tf_os_stat(os, path, &st, NULL) == TF_OK;
}

/* A file of n bytes c, as durable as asked. */
static void
put(struct tf_os *os, const char *path, int c, size_t n, bool durable)
{
	char bytes[8192];
	assert_true(n <= sizeof(bytes));
	memset(bytes, c, n);
	struct tf_file *file = open_file(os, path);
	OK(tf_file_write(file, bytes, n, 0, &fault));
	if (durable) {
		OK(tf_file_sync(file, &fault));
		OK(tf_os_sync_parent(os, path, &fault));
	}
	tf_file_close(&file);
}

/* How many bytes of the file are c; *out_n its size. */
static size_t
count(struct tf_os *os, const char *path, int c, size_t *out_n)
{
	char *p;
	size_t found = 0;
	OK(tf_os_read_file(os, path, 1 << 20, &p, out_n, &fault));
	for (size_t i = 0; i < *out_n; i++)
		found += p[i] == c;
	tf_free(p);
	return found;
}

static void
synced_bytes_survive_power_loss(void **state)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 5000, true);
		assert_true(tf_sim_durable(os, "f"));
		uint64_t before = tf_sim_digest(os);
		tf_sim_power_loss(os);
		assert_int_equal(count(os, "f", 'a', &n), 5000);
		assert_int_equal(n, 5000);
		assert_true(tf_sim_digest(os) == before);
		tf_sim_free(&os);
	}
}

/* Over many seeds each outcome comes: everything, nothing, some sectors, part of a sector. */
static void
unsynced_sectors_are_kept_lost_or_torn(void **state)
{
	int all = 0, none = 0, sectors = 0, torn = 0;
	for (uint64_t seed = 0; seed < 3000; seed++) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 1024, true);
		put(os, "f", 'b', 1024, false);
		assert_false(tf_sim_durable(os, "f"));
		tf_sim_power_loss(os);
		size_t b = count(os, "f", 'b', &n);
		assert_int_equal(n, 1024);
		assert_int_equal(b + count(os, "f", 'a', &n), 1024);
		all += b == 1024;
		none += b == 0;
		sectors += b == 512;
		torn += b % 512 != 0;
		tf_sim_free(&os);
	}
	assert_true(all > 100 && none > 100 && sectors > 100 && torn > 100);
}

static void
an_unsynced_append_is_kept_lost_or_half_way_with_zeros(void **state)
{
	int all = 0, none = 0, half = 0, holes = 0;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 600, true);
		struct tf_file *file = open_file(os, "f");
		char more[2000];
		memset(more, 'b', sizeof(more));
		OK(tf_file_write(file, more, sizeof(more), 600, &fault));
		tf_file_close(&file);
		tf_sim_power_loss(os);
		size_t b = count(os, "f", 'b', &n), zeros = count(os, "f", 0, &n);
		assert_true(n >= 600 && n <= 2600);
		assert_int_equal(count(os, "f", 'a', &n) + b + zeros, n);
		assert_int_equal(count(os, "f", 'a', &n), 600);
		all += b == 2000;
		none += n == 600;
		half += n > 600 && n < 2600;
		holes += zeros > 0;
		tf_sim_free(&os);
	}
	assert_true(all > 10 && none > 100 && half > 100 && holes > 100);
}

static void
an_unsynced_truncation_is_kept_or_lost(void **state)
{
	int kept = 0, lost = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 3000, true);
		struct tf_file *file = open_file(os, "f");
		OK(tf_file_truncate(file, 1000, &fault));
		tf_file_close(&file);
		tf_sim_power_loss(os);
		size_t a = count(os, "f", 'a', &n);
		assert_true(n == 1000 || n == 3000);
		kept += n == 1000;
		lost += n == 3000;
		assert_true(a >= 1000 && (n == 1000 || a >= 1000 + 3000 - 1024));
		tf_sim_free(&os);
	}
	assert_true(kept > SEEDS / 4 && lost > SEEDS / 4);
}

static void
a_synced_truncation_stays(void **state)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 3000, true);
		struct tf_file *file = open_file(os, "f");
		OK(tf_file_truncate(file, 1000, &fault));
		OK(tf_file_truncate(file, 2000, &fault));
		OK(tf_file_sync(file, &fault));
		tf_file_close(&file);
		tf_sim_power_loss(os);
		assert_int_equal(count(os, "f", 'a', &n), 1000);
		assert_int_equal(n, 2000);
		tf_sim_free(&os);
	}
}

static void
a_new_name_may_vanish_until_its_directory_is_synced(void **state)
{
	int there = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		struct tf_file *file = open_file(os, "f");
		OK(tf_file_write(file, "x", 1, 0, &fault));
		OK(tf_file_sync(file, &fault));
		assert_false(tf_sim_durable(os, "f"));
		tf_sim_power_loss(os);
		tf_file_close(&file);
		there += exists(os, "f");
		tf_sim_free(&os);
	}
	assert_true(there > SEEDS / 4 && there < SEEDS * 3 / 4);
}

static void
a_rename_may_be_undone_until_its_directory_is_synced(void **state)
{
	int renamed = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 10, true);
		put(os, "f.tmp", 'b', 10, true);
		OK(tf_os_rename(os, "f.tmp", "f", &fault));
		assert_false(tf_sim_durable(os, "f"));
		tf_sim_power_loss(os);
		bool is_new = count(os, "f", 'b', &n) == 10;
		assert_true(is_new || count(os, "f", 'a', &n) == 10);
		assert_true(is_new != exists(os, "f.tmp")); /* one change: never both, never neither */
		renamed += is_new;
		tf_sim_free(&os);
	}
	assert_true(renamed > SEEDS / 4 && renamed < SEEDS * 3 / 4);
}

static void
a_removed_name_may_return_until_its_directory_is_synced(void **state)
{
	int there = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 10, true);
		OK(tf_os_unlink(os, "f", &fault));
		assert_false(tf_sim_durable(os, "."));
		tf_sim_power_loss(os);
		if (exists(os, "f")) {
			there++;
			assert_int_equal(count(os, "f", 'a', &n), 10);
			OK(tf_os_unlink(os, "f", &fault));
		}
		OK(tf_os_sync_dir(os, ".", &fault));
		tf_sim_power_loss(os);
		assert_false(exists(os, "f"));
		tf_sim_free(&os);
	}
	assert_true(there > SEEDS / 4 && there < SEEDS * 3 / 4);
}

/* The kept changes of one directory are the first ones. */
static void
a_directory_loses_its_last_changes_first(void **state)
{
	int some = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		char name[2] = "";
		for (name[0] = 'a'; name[0] <= 'j'; name[0]++)
			put(os, name, 'x', 1, false);
		tf_sim_power_loss(os);
		bool ended = false;
		for (name[0] = 'a'; name[0] <= 'j'; name[0]++) {
			assert_false(ended && exists(os, name));
			ended = !exists(os, name);
		}
		some += exists(os, "a") && !exists(os, "j");
		tf_sim_free(&os);
	}
	assert_true(some > SEEDS / 8);
}

static void
a_rename_between_directories_never_loses_the_file(void **state)
{
	int only_old = 0, only_new = 0, both = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		OK(tf_os_mkdirs_sync(os, "from", &fault));
		OK(tf_os_mkdirs_sync(os, "to", &fault));
		put(os, "from/f", 'a', 10, true);
		OK(tf_os_rename(os, "from/f", "to/f", &fault));
		tf_sim_power_loss(os);
		bool old = exists(os, "from/f"), new = exists(os, "to/f");
		assert_true(old || new);
		only_old += old && !new;
		only_new += new && !old;
		both += old && new;
		tf_sim_free(&os);
	}
	assert_true(only_old > 30 && only_new > 30 && both > 30);
}

static void
directories_made_with_sync_stay(void **state)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		OK(tf_os_mkdirs_sync(os, "a/b/c", &fault));
		assert_true(tf_sim_durable(os, "a/b/c"));
		OK(tf_os_mkdirs(os, "a/b/d", &fault));
		assert_false(tf_sim_durable(os, "a/b/d"));
		assert_true(tf_sim_durable(os, "a/b/c"));
		tf_sim_power_loss(os);
		assert_true(exists(os, "a/b/c"));
		tf_sim_free(&os);
	}
}

/* Power lost at every operation of a replace: the file is the old or the new one, whole. */
static void
write_file_is_atomic_at_every_cut(void **state)
{
	int olds = 0, news = 0;
	for (uint64_t cut = 1, seed = 0;; cut += ++seed % 20 == 0) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 3000, true);
		static char bytes[3000];
		memset(bytes, 'b', sizeof(bytes));
		tf_sim_down_at(os, cut);
		enum tf_err e = tf_os_write_file(os, "f", tf_str_n(bytes, sizeof(bytes)), &fault);
		bool was_down = tf_sim_is_down(os);
		tf_sim_down_at(os, 0);
		tf_sim_power_loss(os);
		size_t b = count(os, "f", 'b', &n);
		assert_int_equal(n, 3000);
		assert_true(b == 0 || b == 3000);
		assert_true(e != TF_OK || b == 3000);
		assert_int_equal(e, was_down ? TF_IO : TF_OK);
		olds += b == 0;
		news += b == 3000;
		tf_sim_free(&os);
		if (!was_down)
			break;
	}
	assert_true(olds > 50 && news > 10);
}

static void
write_file_survives_any_one_failure(void **state)
{
	for (uint64_t at = 1;; at++) {
		struct tf_os *os = sim(at);
		size_t n;
		put(os, "f", 'a', 3000, true);
		tf_sim_fail_at(os, TF_SIM_ANY, at, TF_IO);
		enum tf_err e = tf_os_write_file(os, "f", TF_STR("b"), &fault);
		bool failed = tf_sim_failed(os);
		tf_sim_fail_at(os, 0, 0, TF_OK);
		assert_int_equal(e, failed ? TF_IO : TF_OK);
		size_t b = count(os, "f", 'b', &n);
		assert_true(b == 1 || count(os, "f", 'a', &n) == 3000);
		assert_true(failed || b == 1);
		tf_sim_free(&os);
		if (!failed)
			break;
		assert_true(at < 20);
	}
}

/* Linux calls pages clean after a failed sync; who retries is told "durable" and loses bytes. */
static void
a_retried_sync_lies(void **state)
{
	int lost = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct tf_os *os = sim(seed);
		size_t n;
		put(os, "f", 'a', 4096, true);
		put(os, "f", 'b', 4096, false);
		struct tf_file *file = open_file(os, "f");
		tf_sim_fail_at(os, TF_SIM_SYNC, 1, TF_IO);
		IS(IO, tf_file_sync(file, &fault));
		assert_string_equal(fault.text, "cannot sync 'f': input/output error");
		assert_int_equal(count(os, "f", 'b', &n), 4096);
		OK(tf_file_sync(file, &fault));
		tf_file_close(&file);
		tf_sim_power_loss(os);
		lost += count(os, "f", 'b', &n) < 4096;
		tf_sim_free(&os);
	}
	assert_true(lost > SEEDS * 9 / 10);
}

static void
a_crash_keeps_what_was_written_and_frees_locks(void **state)
{
	struct tf_os *os = sim(1);
	size_t n;
	struct tf_file *dead = open_file(os, "lock"), *alive;
	OK(tf_file_lock(dead, true, &fault));
	put(os, "f", 'a', 3000, false);
	uint64_t before = tf_sim_digest(os);
	tf_sim_crash(os);
	assert_true(tf_sim_digest(os) == before);
	assert_int_equal(count(os, "f", 'a', &n), 3000);
	alive = open_file(os, "lock");
	OK(tf_file_lock(alive, true, &fault));
	char c = 0;
	IS(IO, tf_file_read(dead, &c, 1, 0, &n, &fault));
	IS(IO, tf_file_write(dead, "x", 1, 0, &fault));
	IS(IO, tf_file_sync(dead, &fault));
	IS(IO, tf_file_lock(dead, true, &fault));
	tf_file_unlock(dead);
	tf_file_close(&dead);
	IS(BUSY, tf_file_lock(dead = open_file(os, "lock"), true, &fault));
	tf_file_close(&dead);
	tf_file_close(&alive);
	tf_sim_free(&os);
}

static void
a_full_disk_takes_what_fits(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.capacity = 2048});
	struct tf_file *file = open_file(os, "f"), *other = NULL;
	char bytes[4096] = {0};
	uint64_t size;
	OK(tf_file_write(file, bytes, 1000, 0, &fault));
	IS(NO_SPACE, tf_file_write(file, bytes, 4096, 1000, &fault));
	assert_string_equal(fault.text, "cannot write 'f': no space");
	OK(tf_file_size(file, &size, &fault));
	assert_int_equal(size, 2048);
	OK(tf_file_write(file, bytes, 2048, 0, &fault));
	IS(NO_SPACE, tf_file_truncate(file, 2049, &fault));
	IS(NO_SPACE, tf_os_open(os, "g", TF_OPEN_CREATE, &other, &fault));
	OK(tf_file_truncate(file, 512, &fault));
	OK(tf_os_open(os, "g", TF_OPEN_CREATE, &other, &fault));
	OK(tf_file_write(other, bytes, 1536, 0, &fault));
	OK(tf_os_unlink(os, "f", &fault));
	IS(NO_SPACE, tf_file_write(other, bytes, 1, 1536, &fault)); /* f is open still */
	tf_file_close(&file);
	OK(tf_file_write(other, bytes, 512, 1536, &fault));
	tf_sim_set_capacity(os, 0);
	OK(tf_file_write(other, bytes, 4096, 4096, &fault));
	tf_file_close(&other);
	tf_sim_free(&os);
}

static void
the_nth_operation_of_a_kind_fails_once(void **state)
{
	struct tf_os *os = sim(1);
	struct tf_file *file = open_file(os, "f");
	tf_sim_fail_at(os, TF_SIM_WRITE | TF_SIM_RENAME, 2, TF_NO_SPACE);
	OK(tf_file_write(file, "1", 1, 0, &fault));
	OK(tf_file_sync(file, &fault));
	assert_false(tf_sim_failed(os));
	IS(NO_SPACE, tf_os_rename(os, "f", "g", &fault));
	assert_true(tf_sim_failed(os));
	assert_true(exists(os, "f"));
	OK(tf_os_rename(os, "f", "g", &fault));
	assert_int_equal(tf_sim_ops(os, TF_SIM_RENAME), 2);
	assert_int_equal(tf_sim_ops(os, TF_SIM_WRITE | TF_SIM_SYNC), 2);
	tf_file_close(&file);
	tf_sim_free(&os);
}

static void
time_is_virtual_and_moves(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.start = 5 * TF_DAY});
	tf_time t = tf_os_now(os);
	tf_dur ticks = tf_os_ticks(os);
	assert_true(t >= 5 * TF_DAY && t < 5 * TF_DAY + TF_SEC);
	assert_true(tf_os_now(os) > t);
	tf_sim_advance(os, TF_HOUR);
	assert_true(tf_os_ticks(os) > ticks + TF_HOUR);
	tf_sim_power_loss(os);
	assert_true(tf_os_now(os) > t + TF_HOUR + TF_SEC);
	tf_sim_free(&os);
}

struct trace {
	struct tf_buf text;
	tf_time last;
};

static void
note(void *ctx, const struct tf_sim_event *e)
{
	struct trace *t = ctx;
	assert_true(e->at >= t->last);
	t->last = e->at;
	tf_buf_printf(&t->text, "%u %s%s%s %s\n", e->op, e->path, e->to ? ">" : "", e->to ? e->to : "",
		      tf_err_name(e->result));
}

static void
the_trace_shows_syncs_before_the_rename(void **state)
{
	struct tf_os *os = sim(1);
	struct trace t = {0};
	tf_buf_init(&t.text, 0);
	tf_sim_trace(os, note, &t);
	OK(tf_os_write_file(os, "f", TF_STR("x"), &fault));
	IS(NOT_FOUND, tf_os_unlink(os, "g", &fault));
	tf_buf_u8(&t.text, 0);
	char want[256];
	snprintf(want, sizeof(want), "%u f.tmp OK\n%u f.tmp OK\n%u f.tmp OK\n%u f.tmp>f OK\n%u . OK\n%u g NOT_FOUND\n",
		 TF_SIM_OPEN, TF_SIM_WRITE, TF_SIM_SYNC, TF_SIM_RENAME, TF_SIM_SYNC_DIR, TF_SIM_UNLINK);
	assert_string_equal((char *)t.text.p, want);
	tf_buf_release(&t.text);
	tf_sim_free(&os);
}

static void
paths_stay_under_the_root(void **state)
{
	struct tf_os *os = sim(1);
	struct tf_stat st;
	put(os, "/a", 'x', 1, true);
	assert_true(exists(os, "a") && exists(os, ".//a"));
	IS(INVALID, tf_os_stat(os, "d/../a", &st, &fault));
	IS(NOT_FOUND, tf_os_stat(os, "", &st, &fault));
	tf_sim_free(&os);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(synced_bytes_survive_power_loss),
		cmocka_unit_test(unsynced_sectors_are_kept_lost_or_torn),
		cmocka_unit_test(an_unsynced_append_is_kept_lost_or_half_way_with_zeros),
		cmocka_unit_test(an_unsynced_truncation_is_kept_or_lost),
		cmocka_unit_test(a_synced_truncation_stays),
		cmocka_unit_test(a_new_name_may_vanish_until_its_directory_is_synced),
		cmocka_unit_test(a_rename_may_be_undone_until_its_directory_is_synced),
		cmocka_unit_test(a_removed_name_may_return_until_its_directory_is_synced),
		cmocka_unit_test(a_directory_loses_its_last_changes_first),
		cmocka_unit_test(a_rename_between_directories_never_loses_the_file),
		cmocka_unit_test(directories_made_with_sync_stay),
		cmocka_unit_test(write_file_is_atomic_at_every_cut),
		cmocka_unit_test(write_file_survives_any_one_failure),
		cmocka_unit_test(a_retried_sync_lies),
		cmocka_unit_test(a_crash_keeps_what_was_written_and_frees_locks),
		cmocka_unit_test(a_full_disk_takes_what_fits),
		cmocka_unit_test(the_nth_operation_of_a_kind_fails_once),
		cmocka_unit_test(time_is_virtual_and_moves),
		cmocka_unit_test(the_trace_shows_syncs_before_the_rename),
		cmocka_unit_test(paths_stay_under_the_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
