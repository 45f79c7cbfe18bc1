/* SQL tables on a disk that loses power, fails, fills up: a commit that returned TF_OK stays, whole; one that did not
 * is there whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/sim.h"
#include "store/sql.h"

#define COMMITS       8
#define ROWS          40 /* in each commit, over several pages */
#define CHECKPOINT_AT 3  /* commits */

static const struct tf_sql_migration migrations[] = {
	{1, "CREATE TABLE item (batch INTEGER, i INTEGER, text TEXT, PRIMARY KEY (batch, i)) WITHOUT ROWID"},
	{2, "CREATE TABLE total (id INTEGER PRIMARY KEY, batches INTEGER); INSERT INTO total VALUES (1, 0)"},
};

static enum tf_err
insert_batch(struct tf_sql *db, int batch, struct tf_fault *f)
{
	char text[200];
	struct tf_stmt *s = NULL;
	memset(text, 'a' + batch, sizeof text);
	TF_TRY(tf_sql_prepare(db, "INSERT INTO item VALUES (?1, ?2, ?3)", &s, f));
	enum tf_err e = TF_OK;
	for (int i = 0; e == TF_OK && i < ROWS; i++) {
		tf_stmt_i64(s, 1, batch % 2 ? batch : -batch); /* both ends of the tree */
		tf_stmt_i64(s, 2, i);
		tf_stmt_str(s, 3, tf_str_n(text, sizeof text));
		e = tf_stmt_run(s, f);
	}
	tf_stmt_free(&s);
	return e ? e : tf_sql_exec(db, "UPDATE total SET batches = batches + 1", f);
}

static enum tf_err
commit_batch(struct tf_sql *db, int batch, struct tf_fault *f)
{
	TF_TRY(tf_sql_begin(db, f));
	enum tf_err e = insert_batch(db, batch, f);
	if (e == TF_OK)
		e = tf_sql_commit(db, f);
	if (e)
		tf_sql_rollback(db);
	return e;
}

/* Opens, commits batches, checkpoints in between, closes. *done counts commits that returned TF_OK. */
static enum tf_err
story(struct tf_os *os, int *done, struct tf_fault *f)
{
	struct tf_sql *db = NULL;
	*done = 0;
	TF_TRY(tf_sql_open(os, "data.db", &(struct tf_sql_options){.cache_bytes = 16 << 10}, migrations, 2, &db, f));
	enum tf_err e = TF_OK;
	for (int batch = 1; e == TF_OK && batch <= COMMITS; batch++) {
		e = commit_batch(db, batch, f);
		*done += e == TF_OK;
		if (e == TF_OK && batch % CHECKPOINT_AT == 0)
			e = tf_sql_checkpoint(db, f);
	}
	tf_sql_close(&db);
	return e;
}

static int64_t
number(struct tf_sql *db, const char *sql)
{
	struct tf_stmt *s = NULL;
	assert_int_equal(tf_sql_prepare(db, sql, &s, NULL), TF_OK);
	assert_int_equal(tf_stmt_step(s, NULL), TF_OK);
	int64_t v = tf_stmt_get_i64(s, 0);
	tf_stmt_free(&s);
	return v;
}

/* All that was committed is there, at most one more, every batch whole. */
static void
check_story(struct tf_os *os, int done, uint64_t n)
{
	struct tf_sql *db = NULL;
	struct tf_fault f;
	if (tf_sql_open(os, "data.db", NULL, migrations, 2, &db, &f) || tf_sql_verify(db, &f))
		fail_msg("op %d, %d committed: %s", (int)n, done, f.text);
	int64_t batches = number(db, "SELECT batches FROM total");
	if (batches < done || batches > done + 1)
		fail_msg("op %d: %d committed, %d there", (int)n, done, (int)batches);
	assert_int_equal(number(db, "SELECT count(*) FROM item"), batches * ROWS);
	assert_int_equal(number(db, "SELECT count(DISTINCT batch) FROM item"), batches);
	assert_int_equal(number(db, "SELECT count(*) FROM item WHERE text <> replace(hex(zeroblob(100)), '0', "
				    "char(97 + abs(batch)))"),
			 0);
	assert_int_equal(commit_batch(db, 20, &f), TF_OK);
	tf_sql_close(&db);
}

static void
power_loss_at_every_operation_keeps_what_was_committed(void **state)
{
	enum tf_err e = TF_IO;
	uint64_t n = 0;
	for (n = 1; e; n++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
		int done = 0;
		tf_sim_down_at(os, n);
		e = story(os, &done, NULL);
		tf_sim_down_at(os, 0);
		tf_sim_power_loss(os);
		check_story(os, done, n);
		tf_sim_free(&os);
	}
	assert_true(n > 100);
}

static void
power_loss_with_many_seeds_never_tears_a_commit(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	int done = 0;
	assert_int_equal(story(os, &done, NULL), TF_OK);
	uint64_t ops = tf_sim_ops(os, TF_SIM_ANY);
	tf_sim_free(&os);
	for (uint64_t seed = 1; seed <= 400; seed++) {
		os = tf_sim_new(&(struct tf_sim_options){.seed = seed * 7919});
		tf_sim_down_at(os, 1 + seed * 104729 % ops);
		(void)!story(os, &done, NULL);
		tf_sim_down_at(os, 0);
		tf_sim_power_loss(os);
		check_story(os, done, seed);
		tf_sim_free(&os);
	}
}

/* Sweeps one kind of failure over the story; after each the machine loses power and all that was acknowledged is
 * there. */
static void
sweep(unsigned mask, enum tf_err with)
{
	bool failed = true;
	for (uint64_t n = 1; failed; n++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
		struct tf_fault f = {0};
		int done = 0;
		tf_sim_fail_at(os, mask, n, with);
		enum tf_err e = story(os, &done, &f);
		failed = tf_sim_failed(os);
		tf_sim_fail_at(os, 0, 0, TF_OK);
		if (!failed)
			assert_int_equal(e, TF_OK);
		assert_true(e == TF_OK || e == with || e == TF_IO || e == TF_NO_MEMORY);
		assert_true(e == TF_OK || strstr(f.text, "cannot"));
		tf_sim_power_loss(os);
		check_story(os, done, n);
		tf_sim_free(&os);
	}
}

static void
every_failing_sync_is_reported_and_nothing_acknowledged_is_lost(void **state)
{
	sweep(TF_SIM_SYNC, TF_IO);
	sweep(TF_SIM_SYNC_DIR, TF_IO);
}

static void
every_failing_write_is_reported_and_nothing_acknowledged_is_lost(void **state)
{
	sweep(TF_SIM_WRITE | TF_SIM_TRUNCATE, TF_NO_SPACE);
	sweep(TF_SIM_WRITE | TF_SIM_TRUNCATE, TF_IO);
}

static void
every_failing_read_open_or_removal_is_reported(void **state)
{
	sweep(TF_SIM_READ | TF_SIM_OPEN | TF_SIM_UNLINK | TF_SIM_STAT, TF_IO);
}

static void
every_failing_allocation_of_ours_is_reported(void **state)
{
	enum tf_err e = TF_NO_MEMORY;
	for (uint64_t n = 1; e; n++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
		struct tf_sql *db = NULL;
		tf_mem_fail_at(n);
		e = tf_sql_open(os, "data.db", NULL, migrations, 2, &db, NULL);
		if (e == TF_OK)
			e = commit_batch(db, 1, NULL);
		tf_mem_fail_at(0);
		assert_true(e == TF_OK || e == TF_NO_MEMORY || e == TF_NO_SPACE || e == TF_IO);
		tf_sql_close(&db);
		check_story(os, e == TF_OK, n);
		tf_sim_free(&os);
	}
}

static void
after_a_failed_sync_nothing_goes_on(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 3});
	struct tf_sql *db = NULL;
	struct tf_fault f;
	assert_int_equal(tf_sql_open(os, "data.db", NULL, migrations, 2, &db, &f), TF_OK);
	assert_int_equal(commit_batch(db, 1, &f), TF_OK);
	tf_sim_fail_at(os, TF_SIM_SYNC, 1, TF_IO);
	assert_int_equal(commit_batch(db, 2, &f), TF_IO);
	assert_true(tf_sim_failed(os));
	assert_int_equal(commit_batch(db, 3, &f), TF_IO);
	assert_non_null(strstr(f.text, "earlier sync failed"));
	tf_sql_close(&db);
	tf_sim_power_loss(os);
	check_story(os, 1, 0);
	tf_sim_free(&os);
}

/* Six commits of 4 MiB: the WAL passes what a commit folds back by itself. */
static int
big_story(struct tf_os *os)
{
	struct tf_sql *db = NULL;
	int done = 0;
	if (tf_sql_open(os, "data.db", NULL, migrations, 2, &db, NULL))
		return 0;
	while (done < 6 && tf_sql_exec(db,
				       "INSERT INTO item SELECT count(*), 0, zeroblob(4194304) FROM item; "
				       "UPDATE total SET batches = batches + 1",
				       NULL) == TF_OK)
		done++;
	tf_sql_close(&db);
	return done;
}

static void
a_failing_sync_while_a_commit_folds_the_wal_loses_nothing(void **state)
{
	bool failed = true;
	for (uint64_t n = 1; failed; n++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
		struct tf_sql *db = NULL;
		struct tf_stat st;
		tf_sim_fail_at(os, TF_SIM_SYNC, n, TF_IO);
		int done = big_story(os);
		failed = tf_sim_failed(os);
		tf_sim_fail_at(os, 0, 0, TF_OK);
		if (!failed) {
			assert_int_equal(done, 6);
			assert_int_equal(tf_os_stat(os, "data.db", &st, NULL), TF_OK);
			assert_true(st.size > 6 * (4 << 20));
		}
		tf_sim_power_loss(os);
		assert_int_equal(tf_sql_open(os, "data.db", NULL, migrations, 2, &db, NULL), TF_OK);
		assert_int_equal(tf_sql_verify(db, NULL), TF_OK);
		assert_true(number(db, "SELECT count(*) FROM item") >= done);
		assert_true(number(db, "SELECT batches FROM total") >= done);
		tf_sql_close(&db);
		tf_sim_free(&os);
	}
}

static void
a_commit_that_failed_unseen_stops_the_database(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 6});
	struct tf_sql *db = NULL;
	struct tf_stmt *s = NULL;
	assert_int_equal(tf_sql_open(os, "data.db", NULL, migrations, 2, &db, NULL), TF_OK);
	assert_int_equal(tf_sql_prepare(db, "UPDATE total SET batches = 5 RETURNING id", &s, NULL), TF_OK);
	assert_int_equal(tf_stmt_step(s, NULL), TF_OK);
	tf_sim_fail_at(os, TF_SIM_WRITE, 1, TF_IO);
	tf_stmt_reset(s); /* the commit is here */
	assert_true(tf_sim_failed(os));
	assert_int_equal(tf_stmt_step(s, NULL), TF_IO);
	assert_int_equal(tf_sql_begin(db, NULL), TF_IO);
	tf_stmt_free(&s);
	tf_sql_close(&db);
	check_story(os, 0, 0);
	tf_sim_free(&os);
}

static void
a_full_disk_is_told_and_passes(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 4});
	struct tf_sql *db = NULL;
	struct tf_fault f;
	assert_int_equal(tf_sql_open(os, "data.db", NULL, migrations, 2, &db, &f), TF_OK);
	assert_int_equal(commit_batch(db, 1, &f), TF_OK);
	tf_sim_set_capacity(os, 60 << 10);
	enum tf_err e = TF_OK;
	int done = 1;
	for (int batch = 2; e == TF_OK; batch++) {
		e = commit_batch(db, batch, &f);
		done += e == TF_OK;
	}
	assert_int_equal(e, TF_NO_SPACE);
	tf_sim_set_capacity(os, 0);
	assert_int_equal(commit_batch(db, done + 1, &f), TF_OK);
	tf_sql_close(&db);
	check_story(os, done + 1, 0);
	tf_sim_free(&os);
}

static void
a_commit_is_synced_before_it_returns(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 5});
	struct tf_sql *db = NULL;
	assert_int_equal(tf_sql_open(os, "data.db", NULL, migrations, 2, &db, NULL), TF_OK);
	for (int batch = 1; batch <= 3; batch++) {
		uint64_t before = tf_sim_ops(os, TF_SIM_SYNC);
		assert_int_equal(commit_batch(db, batch, NULL), TF_OK);
		assert_int_equal(tf_sim_ops(os, TF_SIM_SYNC), before + 1);
		assert_true(tf_sim_durable(os, "data.db-wal"));
	}
	tf_sql_close(&db);
	tf_sim_free(&os);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_is_synced_before_it_returns),
		cmocka_unit_test(power_loss_at_every_operation_keeps_what_was_committed),
		cmocka_unit_test(power_loss_with_many_seeds_never_tears_a_commit),
		cmocka_unit_test(every_failing_sync_is_reported_and_nothing_acknowledged_is_lost),
		cmocka_unit_test(every_failing_write_is_reported_and_nothing_acknowledged_is_lost),
		cmocka_unit_test(every_failing_read_open_or_removal_is_reported),
		cmocka_unit_test(every_failing_allocation_of_ours_is_reported),
		cmocka_unit_test(after_a_failed_sync_nothing_goes_on),
		cmocka_unit_test(a_failing_sync_while_a_commit_folds_the_wal_loses_nothing),
		cmocka_unit_test(a_commit_that_failed_unseen_stops_the_database),
		cmocka_unit_test(a_full_disk_is_told_and_passes),
	};
	return cmocka_run_group_tests_name("sql faults", tests, NULL, NULL);
}
