/* What sql.h promises, on the kernel's disk and on the simulated one. Power loss and failing disks: sql_fault_test.c.
 */
#include "store/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/dir_testing.h"
#include "os/sim.h"

struct world {
	struct tf_os *os, *sim;
	struct tf_sql *db;
	struct tf_fault f;
	char dir[40], path[60];
};

static const struct tf_sql_migration migrations[] = {
	{1, "CREATE TABLE day (account INTEGER, day INTEGER, wh INTEGER NOT NULL, PRIMARY KEY (account, day)) WITHOUT "
	    "ROWID; CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT, bytes BLOB)"},
	{2, "ALTER TABLE note ADD COLUMN account INTEGER; CREATE INDEX note_account ON note (account)"},
	{3, "CREATE TABLE feeder (name TEXT PRIMARY KEY, zone TEXT REFERENCES feeder (name)) WITHOUT ROWID"},
};

#define ok(w, call)                                                                                                    \
	do {                                                                                                           \
		if ((call) != TF_OK)                                                                                   \
			fail_msg("%s: %s", #call, (w)->f.text);                                                        \
	} while (0)

static void
open_db(struct world *w)
{
	ok(w, tf_sql_open(w->os, w->path, NULL, migrations, 3, &w->db, &w->f));
}

static int
setup_real(void **state)
{
	struct world *w = tf_calloc(1, sizeof *w);
	snprintf(w->dir, sizeof w->dir, "sql_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof w->path, "%s/t.db", w->dir);
	w->os = tf_os_real();
	open_db(w);
	*state = w;
	return 0;
}

static int
setup_sim(void **state)
{
	struct world *w = tf_calloc(1, sizeof *w);
	w->os = w->sim = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	snprintf(w->path, sizeof w->path, "t.db");
	open_db(w);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	tf_sql_close(&w->db);
	int rc = w->sim ? 0 : dir_remove(w->dir);
	tf_sim_free(&w->sim);
	tf_free(w);
	return rc;
}

static void
exec(struct world *w, const char *sql)
{
	ok(w, tf_sql_exec(w->db, sql, &w->f));
}

static int64_t
number(struct world *w, struct tf_sql *db, const char *sql)
{
	struct tf_stmt *s = NULL;
	ok(w, tf_sql_prepare(db, sql, &s, &w->f));
	ok(w, tf_stmt_step(s, &w->f));
	int64_t v = tf_stmt_get_i64(s, 0);
	tf_stmt_free(&s);
	return v;
}

static void
rows_are_kept_and_found(void **state)
{
	struct world *w = *state;
	struct tf_stmt *put = NULL, *get = NULL;
	ok(w, tf_sql_prepare(w->db, "INSERT INTO note VALUES (?1, ?2, ?3, ?4)", &put, &w->f));
	tf_stmt_i64(put, 1, -5);
	tf_stmt_str(put, 2, tf_str_n("caf\xc3\xa9\0x", 7));
	tf_stmt_blob(put, 3, tf_str_n("\x00\xff", 2));
	tf_stmt_null(put, 4);
	ok(w, tf_stmt_run(put, &w->f));
	tf_stmt_i64(put, 1, INT64_MAX);
	tf_stmt_str(put, 2, (struct tf_str){NULL, 0});
	tf_stmt_blob(put, 3, (struct tf_str){NULL, 0});
	ok(w, tf_stmt_run(put, &w->f));
	assert_int_equal(tf_sql_changes(w->db), 1);
	tf_stmt_free(&put);

	ok(w, tf_sql_prepare(w->db, "SELECT id, text, bytes, account FROM note ORDER BY id;\n", &get, &w->f));
	assert_int_equal(tf_stmt_columns(get), 4);
	assert_string_equal(tf_stmt_column_name(get, 1), "text");
	ok(w, tf_stmt_step(get, &w->f));
	assert_int_equal(tf_stmt_get_i64(get, 0), -5);
	assert_true(tf_str_eq(tf_stmt_get_str(get, 1), tf_str_n("caf\xc3\xa9\0x", 7)));
	assert_true(tf_str_eq(tf_stmt_get_blob(get, 2), tf_str_n("\x00\xff", 2)));
	assert_true(tf_stmt_is_null(get, 3));
	ok(w, tf_stmt_step(get, &w->f));
	assert_true(tf_stmt_get_i64(get, 0) == INT64_MAX);
	assert_false(tf_stmt_is_null(get, 1));
	assert_false(tf_stmt_is_null(get, 2));
	assert_int_equal(tf_stmt_get_str(get, 1).n, 0);
	assert_int_equal(tf_stmt_step(get, &w->f), TF_END);
	assert_int_equal(tf_stmt_step(get, &w->f), TF_END);
	tf_stmt_reset(get);
	ok(w, tf_stmt_step(get, &w->f));
	tf_stmt_free(&get);
}

static void
a_running_statement_takes_new_bindings(void **state)
{
	struct world *w = *state;
	struct tf_stmt *s = NULL;
	exec(w, "INSERT INTO day VALUES (1, 1, 10), (2, 1, 20)");
	ok(w, tf_sql_prepare(w->db, "SELECT wh FROM day WHERE account = ?1", &s, &w->f));
	for (int account = 1; account <= 2; account++) {
		tf_stmt_i64(s, 1, account);
		ok(w, tf_stmt_step(s, &w->f));
		assert_int_equal(tf_stmt_get_i64(s, 0), account * 10);
	}
	tf_stmt_free(&s);
}

static void
what_was_not_committed_is_rolled_back(void **state)
{
	struct world *w = *state;
	ok(w, tf_sql_begin(w->db, &w->f));
	exec(w, "INSERT INTO day VALUES (1, 1, 10)");
	ok(w, tf_sql_commit(w->db, &w->f));
	ok(w, tf_sql_begin(w->db, &w->f));
	exec(w, "INSERT INTO day VALUES (1, 2, 10)");
	tf_sql_rollback(w->db);
	tf_sql_rollback(w->db);
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM day"), 1);
	ok(w, tf_sql_begin(w->db, &w->f));
	exec(w, "INSERT INTO day VALUES (1, 3, 10)");
	tf_sql_close(&w->db);
	open_db(w);
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM day"), 1);
}

static void
errors_say_what_and_where(void **state)
{
	struct world *w = *state;
	struct tf_stmt *s = NULL;
	exec(w, "INSERT INTO day VALUES (1, 1, 10)");
	assert_int_equal(tf_sql_exec(w->db, "INSERT INTO day VALUES (1, 1, 11)", &w->f), TF_CONFLICT);
	assert_non_null(strstr(w->f.text, "UNIQUE"));
	assert_int_equal(tf_sql_exec(w->db, "INSERT INTO day VALUES (1, 2, NULL)", &w->f), TF_CONFLICT);
	assert_int_equal(tf_sql_exec(w->db, "INSERT INTO feeder VALUES ('f', 'no such zone')", &w->f), TF_CONFLICT);
	assert_int_equal(tf_sql_exec(w->db, "SELECT nonsense", &w->f), TF_INVALID);
	assert_non_null(strstr(w->f.text, "'SELECT nonsense'"));
	assert_int_equal(tf_sql_prepare(w->db, "SELECT 1; SELECT 2", &s, &w->f), TF_INVALID);
	assert_int_equal(tf_sql_prepare(w->db, " -- nothing", &s, &w->f), TF_INVALID);
	assert_null(s);
}

static void
migrations_run_once_and_in_order(void **state)
{
	struct world *w = *state;
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM tf_migration"), 3);
	int64_t applied = number(w, w->db, "SELECT min(applied_us) FROM tf_migration");
	assert_true(applied > TF_TIME_FIRST && applied <= tf_os_now(w->os));
	tf_sql_close(&w->db);
	open_db(w);
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM tf_migration"), 3);
	assert_true(applied == number(w, w->db, "SELECT min(applied_us) FROM tf_migration"));
}

static void
a_newer_file_is_refused(void **state)
{
	struct world *w = *state;
	tf_sql_close(&w->db);
	assert_int_equal(tf_sql_open(w->os, w->path, NULL, migrations, 2, &w->db, &w->f), TF_UNSUPPORTED);
	assert_non_null(strstr(w->f.text, "version 3"));
	assert_null(w->db);
}

static void
a_failing_migration_leaves_the_version_before(void **state)
{
	struct world *w = *state;
	struct tf_sql_migration with_bad[5];
	memcpy(with_bad, migrations, sizeof migrations);
	with_bad[3] = (struct tf_sql_migration){4, "CREATE TABLE four (a)"};
	with_bad[4] = (struct tf_sql_migration){5, "CREATE TABLE five (a); CREATE TABLE day (a)"};
	tf_sql_close(&w->db);
	assert_int_equal(tf_sql_open(w->os, w->path, NULL, with_bad, 5, &w->db, &w->f), TF_INVALID);
	assert_non_null(strstr(w->f.text, "from version 4"));
	ok(w, tf_sql_open(w->os, w->path, NULL, with_bad, 4, &w->db, &w->f));
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM sqlite_schema WHERE name = 'four'"), 1);
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM sqlite_schema WHERE name = 'five'"), 0);
}

static uint64_t
size_of(struct world *w, const char *suffix)
{
	char path[80];
	struct tf_stat st;
	snprintf(path, sizeof path, "%s%s", w->path, suffix);
	return tf_os_stat(w->os, path, &st, NULL) == TF_OK ? st.size : 0;
}

static bool
is_there(struct world *w, const char *suffix)
{
	char path[80];
	struct tf_stat st;
	snprintf(path, sizeof path, "%s%s", w->path, suffix);
	return tf_os_stat(w->os, path, &st, NULL) == TF_OK;
}

static void
a_reader_sees_commits_beside_the_writer_and_cannot_write(void **state)
{
	struct world *w = *state;
	struct tf_sql *reader = NULL;
	struct tf_stmt *s = NULL;
	exec(w, "INSERT INTO day VALUES (1, 1, 10)");
	ok(w, tf_sql_open(w->os, w->path, &(struct tf_sql_options){.read_only = true}, migrations, 3, &reader, &w->f));
	ok(w, tf_sql_prepare(reader, "SELECT wh FROM day ORDER BY day", &s, &w->f));
	ok(w, tf_stmt_step(s, &w->f));
	ok(w, tf_sql_begin(w->db, &w->f));
	exec(w, "INSERT INTO day VALUES (1, 2, 10)");
	assert_int_equal(number(w, reader, "SELECT count(*) FROM day"), 1);
	ok(w, tf_sql_commit(w->db, &w->f));
	assert_int_equal(number(w, reader, "SELECT count(*) FROM day"), 1); /* its open statement holds its snapshot */
	tf_stmt_free(&s);
	assert_int_equal(number(w, reader, "SELECT count(*) FROM day"), 2);
	assert_int_equal(tf_sql_exec(reader, "INSERT INTO day VALUES (9, 9, 9)", &w->f), TF_DENIED);
	tf_sql_close(&w->db);
	tf_sql_close(&reader);
	assert_false(is_there(w, "-wal"));
	assert_false(is_there(w, "-shm"));
}

/* A link to nowhere in the index's place stands for a directory that may not be written, and for a full disk: root may
 * write anywhere. */
static void
reading_needs_no_place_for_an_index(void **state)
{
	struct world *w = *state;
	const struct tf_sql_options o = {.read_only = true};
	struct tf_sql *reader = NULL;
	char index[80], wal[80];
	snprintf(index, sizeof index, "%s-shm", w->path);
	snprintf(wal, sizeof wal, "%s-wal", w->path);
	ok(w, tf_sql_exec(w->db, "INSERT INTO note (text) VALUES ('kept')", &w->f));
	tf_sql_close(&w->db);
	assert_int_equal(symlink("nowhere/index", index), 0);
	ok(w, tf_sql_open(w->os, w->path, &o, migrations, 3, &reader, &w->f));
	assert_int_equal(tf_sql_exec(reader, "DELETE FROM note", NULL), TF_DENIED);
	struct tf_stmt *s = NULL;
	ok(w, tf_sql_prepare(reader, "SELECT text FROM note", &s, &w->f));
	ok(w, tf_stmt_step(s, &w->f));
	assert_true(tf_str_eq(tf_stmt_get_str(s, 0), TF_STR("kept")));
	tf_stmt_free(&s);
	tf_sql_close(&reader);
	/* What a crash left in a WAL is not passed over. */
	ok(w, tf_os_write_file(w->os, wal, TF_STR("pages"), &w->f));
	assert_int_not_equal(tf_sql_open(w->os, w->path, &o, migrations, 3, &reader, NULL), TF_OK);
}

static void
reading_does_not_create_or_migrate(void **state)
{
	struct world *w = *state;
	struct tf_sql *reader = NULL;
	struct tf_stat st;
	struct tf_sql_options o = {.read_only = true};
	struct tf_sql_migration more[4];
	memcpy(more, migrations, sizeof migrations);
	more[3] = (struct tf_sql_migration){4, "CREATE TABLE four (a)"};
	assert_int_equal(tf_sql_open(w->os, w->path, &o, more, 4, &reader, &w->f), TF_UNSUPPORTED);
	assert_int_equal(tf_sql_open(w->os, "missing.db", &o, migrations, 3, &reader, &w->f), TF_NOT_FOUND);
	assert_non_null(strstr(w->f.text, "missing.db"));
	assert_int_equal(tf_os_stat(w->os, "missing.db", &st, NULL), TF_NOT_FOUND);
	assert_null(reader);
}

static void
a_second_writer_is_busy(void **state)
{
	struct world *w = *state;
	struct tf_sql *other = NULL;
	ok(w, tf_sql_open(w->os, w->path, NULL, migrations, 3, &other, &w->f));
	ok(w, tf_sql_begin(w->db, &w->f));
	assert_int_equal(tf_sql_begin(other, &w->f), TF_BUSY);
	exec(w, "INSERT INTO day VALUES (1, 1, 1)");
	ok(w, tf_sql_commit(w->db, &w->f));
	ok(w, tf_sql_begin(other, &w->f));
	ok(w, tf_sql_exec(other, "INSERT INTO day VALUES (2, 1, 1)", &w->f));
	ok(w, tf_sql_commit(other, &w->f));
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM day"), 2);
	tf_sql_close(&other);
}

static void
many_rows(struct world *w, int accounts)
{
	struct tf_stmt *s = NULL;
	ok(w, tf_sql_prepare(w->db, "INSERT INTO day VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET wh = excluded.wh",
			     &s, &w->f));
	ok(w, tf_sql_begin(w->db, &w->f));
	for (int a = 0; a < accounts; a++)
		for (int d = 0; d < 100; d++) {
			tf_stmt_i64(s, 1, a);
			tf_stmt_i64(s, 2, 20000 + d);
			tf_stmt_i64(s, 3, a * 1000 + d);
			ok(w, tf_stmt_run(s, &w->f));
		}
	ok(w, tf_sql_commit(w->db, &w->f));
	tf_stmt_free(&s);
}

static void
a_checkpoint_folds_the_wal_and_close_removes_it(void **state)
{
	struct world *w = *state;
	many_rows(w, 20);
	assert_true(size_of(w, "-wal") > 0);
	ok(w, tf_sql_checkpoint(w->db, &w->f));
	assert_int_equal(size_of(w, "-wal"), 0);
	exec(w, "INSERT INTO day VALUES (-1, 1, 1)");
	tf_sql_close(&w->db);
	assert_false(is_there(w, "-wal"));
	open_db(w);
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM day"), 2001);
}

static void
table_bytes_add_up_to_the_file(void **state)
{
	struct world *w = *state;
	uint64_t day = 0, note = 0, feeder = 0, rest = 0;
	many_rows(w, 100);
	exec(w, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
		"INSERT INTO note (id, text, account) SELECT i, 'some text', i FROM n");
	exec(w, "DELETE FROM note WHERE id > 2000");
	ok(w, tf_sql_checkpoint(w->db, &w->f));
	ok(w, tf_sql_table_bytes(w->db, "day", &day, &w->f));
	ok(w, tf_sql_table_bytes(w->db, "note", &note, &w->f));
	ok(w, tf_sql_table_bytes(w->db, "feeder", &feeder, &w->f));
	ok(w, tf_sql_table_bytes(w->db, NULL, &rest, &w->f));
	assert_true(day > 10000 * 4 && note > 2000 * 9);
	assert_int_equal(feeder, 4096);
	assert_int_equal(day + note + feeder + rest, size_of(w, ""));
	assert_int_equal(tf_sql_table_bytes(w->db, "nothing", &rest, &w->f), TF_NOT_FOUND);
}

static void
the_page_size_is_the_creators(void **state)
{
	struct world *w = *state;
	tf_sql_close(&w->db);
	snprintf(w->path + strlen(w->path), 4, "2");
	ok(w, tf_sql_open(w->os, w->path, &(struct tf_sql_options){.page_bytes = 16384}, migrations, 3, &w->db, &w->f));
	assert_int_equal(number(w, w->db, "PRAGMA page_size"), 16384);
	many_rows(w, 10);
	tf_sql_close(&w->db);
	open_db(w);
	assert_int_equal(number(w, w->db, "PRAGMA page_size"), 16384);
	ok(w, tf_sql_verify(w->db, &w->f));
}

static void
damage(struct world *w, uint64_t offset, size_t n)
{
	char junk[4096];
	struct tf_file *file = NULL;
	memset(junk, 0x5a, sizeof junk);
	ok(w, tf_os_open(w->os, w->path, TF_OPEN_WRITE, &file, &w->f));
	ok(w, tf_file_write(file, junk, n, offset, &w->f));
	tf_file_close(&file);
}

static void
damage_is_found(void **state)
{
	struct world *w = *state;
	many_rows(w, 100);
	ok(w, tf_sql_verify(w->db, &w->f));
	tf_sql_close(&w->db);
	damage(w, 20 * 4096, 4096);
	open_db(w);
	assert_int_equal(tf_sql_verify(w->db, &w->f), TF_CORRUPT);
	tf_sql_close(&w->db);
	damage(w, 0, 100);
	assert_int_equal(tf_sql_open(w->os, w->path, NULL, migrations, 3, &w->db, &w->f), TF_CORRUPT);
	assert_null(w->db);
}

static void
sorting_more_than_the_cache_works(void **state)
{
	struct world *w = *state;
	many_rows(w, 500);
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM (SELECT wh % 977 AS x, account FROM day ORDER BY x)"),
			 50000);
	exec(w, "CREATE INDEX day_wh ON day (wh)");
	ok(w, tf_sql_begin(w->db, &w->f));
	exec(w, "UPDATE day SET wh = wh + 1");
	assert_int_equal(tf_sql_changes(w->db), 50000);
	ok(w, tf_sql_commit(w->db, &w->f));
	ok(w, tf_sql_verify(w->db, &w->f));
}

/* ---- only with the kernel ---- */

/* The child writes until it is told to stop; what it says it committed is there for the reader. */
static void
write_in_child(const char *path, int say, int hear)
{
	struct tf_sql *db = NULL;
	char go;
	if (tf_sql_open(tf_os_real(), path, NULL, migrations, 3, &db, NULL))
		_exit(1);
	for (char n = 1; read(hear, &go, 1) == 1; n++) {
		char sql[80];
		snprintf(sql, sizeof sql, "INSERT INTO day VALUES (7, %d, 1)", n);
		if (tf_sql_exec(db, sql, NULL) || write(say, &n, 1) != 1)
			_exit(1);
	}
	_exit(0); /* killed, as it were: nothing is closed */
}

static void
another_process_reads_while_one_writes(void **state)
{
	struct world *w = *state;
	int up[2], down[2], status = 0;
	tf_sql_close(&w->db);
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid_t child = fork();
	if (child == 0) {
		close(down[1]);
		write_in_child(w->path, up[1], down[0]);
	}
	char n = 0;
	for (int i = 1; i <= 5; i++) {
		assert_int_equal(write(down[1], "g", 1), 1);
		assert_int_equal(read(up[0], &n, 1), 1);
		if (i == 1)
			ok(w, tf_sql_open(w->os, w->path, &(struct tf_sql_options){.read_only = true}, migrations, 3,
					  &w->db, &w->f));
		assert_int_equal(number(w, w->db, "SELECT count(*) FROM day WHERE account = 7"), n);
	}
	close(down[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(down[0]), close(up[0]), close(up[1]);
	tf_sql_close(&w->db);
	open_db(w);
	assert_int_equal(number(w, w->db, "SELECT count(*) FROM day WHERE account = 7"), 5);
}

#define CONTRACT(setup)                                                                                                \
	cmocka_unit_test_setup_teardown(rows_are_kept_and_found, setup, teardown),                                     \
		cmocka_unit_test_setup_teardown(a_running_statement_takes_new_bindings, setup, teardown),              \
		cmocka_unit_test_setup_teardown(what_was_not_committed_is_rolled_back, setup, teardown),               \
		cmocka_unit_test_setup_teardown(errors_say_what_and_where, setup, teardown),                           \
		cmocka_unit_test_setup_teardown(migrations_run_once_and_in_order, setup, teardown),                    \
		cmocka_unit_test_setup_teardown(a_newer_file_is_refused, setup, teardown),                             \
		cmocka_unit_test_setup_teardown(a_failing_migration_leaves_the_version_before, setup, teardown),       \
		cmocka_unit_test_setup_teardown(a_reader_sees_commits_beside_the_writer_and_cannot_write, setup,       \
						teardown),                                                             \
		cmocka_unit_test_setup_teardown(reading_does_not_create_or_migrate, setup, teardown),                  \
		cmocka_unit_test_setup_teardown(a_second_writer_is_busy, setup, teardown),                             \
		cmocka_unit_test_setup_teardown(a_checkpoint_folds_the_wal_and_close_removes_it, setup, teardown),     \
		cmocka_unit_test_setup_teardown(table_bytes_add_up_to_the_file, setup, teardown),                      \
		cmocka_unit_test_setup_teardown(the_page_size_is_the_creators, setup, teardown),                       \
		cmocka_unit_test_setup_teardown(damage_is_found, setup, teardown),                                     \
		cmocka_unit_test_setup_teardown(sorting_more_than_the_cache_works, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(setup_real),
		CONTRACT(setup_sim),
		cmocka_unit_test_setup_teardown(another_process_reads_while_one_writes, setup_real, teardown),
		cmocka_unit_test_setup_teardown(reading_needs_no_place_for_an_index, setup_real, teardown),
	};
	return cmocka_run_group_tests_name("sql", tests, NULL, NULL);
}
