/* store/lake: SQL in and out, what a locked-down lake refuses, and Parquet written and read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/dir_testing.h"
#include "store/lake.h"

static char dir[256];

static struct tf_lake *
open_lake(void)
{
	struct tf_fault f = {0};
	struct tf_lake *lake = NULL;
	struct tf_lake_options o = {.threads = 2};
	if (tf_lake_open(&o, &lake, &f) != TF_OK)
		fail_msg("%s", f.text);
	return lake;
}

static struct tf_lake *
open_locked(void)
{
	struct tf_fault f = {0};
	struct tf_lake *lake = NULL;
	const char *dirs[] = {dir};
	struct tf_lake_options o = {.locked_down = true, .allowed_dirs = dirs, .allowed_count = 1};
	if (tf_lake_open(&o, &lake, &f) != TF_OK)
		fail_msg("%s", f.text);
	return lake;
}

static void
must(struct tf_lake *lake, const char *sql)
{
	struct tf_fault f = {0};
	if (tf_lake_exec(lake, tf_str(sql), &f) != TF_OK)
		fail_msg("%s", f.text);
}

/* All rows of a query: columns by ',', rows by '|', NULL as '-'. A failure is its code's name. */
static const char *
answer(struct tf_lake *lake, const char *sql)
{
	static char out[4096];
	struct tf_fault f = {0};
	struct tf_rows *r = NULL;
	size_t n = 0;
	enum tf_err err = tf_lake_select(lake, tf_str(sql), &r, &f);
	while (err == TF_OK && (err = tf_rows_next(r, &f)) == TF_OK) {
		n += (size_t)snprintf(out + n, sizeof out - n, "%s", n ? "|" : "");
		for (size_t i = 0; i < tf_rows_columns(r); i++) {
			struct tf_str s = tf_rows_is_null(r, i) ? TF_STR("-") : tf_rows_text(r, i);
			n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", i ? "," : "", TF_FMT(s));
			assert_true(n < sizeof out);
		}
	}
	tf_rows_close(&r);
	out[n] = '\0';
	if (err == TF_END)
		return out;
	assert_int_equal(f.code, err);
	assert_true(f.text[0] != '\0');
	return tf_err_name(err);
}

static enum tf_err
exec_code(struct tf_lake *lake, const char *sql)
{
	struct tf_fault f = {0};
	enum tf_err err = tf_lake_exec(lake, tf_str(sql), &f);
	assert_int_equal(f.code, err);
	return err;
}

static void
version_is_the_pinned_one(void **state)
{
	struct tf_lake *lake = open_lake();
	assert_string_equal(tf_lake_version(lake), "v1.4.4");
	tf_lake_close(&lake);
	assert_null(lake);
	tf_lake_close(&lake);
}

static void
values_read_as_text(void **state)
{
	struct tf_lake *lake = open_lake();
	assert_string_equal(answer(lake, "SELECT 1, 'it''s', NULL, true, -7::TINYINT, 4294967295::UINTEGER"),
			    "1,it's,-,true,-7,4294967295");
	assert_string_equal(answer(lake, "SELECT 'a string longer than twelve bytes', ''"),
			    "a string longer than twelve bytes,");
	assert_string_equal(answer(lake, "SELECT DATE '2009-03-01', TIMESTAMP '2009-03-01 00:30:00', "
					 "TIMESTAMPTZ '2009-03-01 01:30:00.25+01'"),
			    "2009-03-01,2009-03-01T00:30:00,2009-03-01T00:30:00.250000Z");
	assert_string_equal(answer(lake, "SELECT 0.1::DOUBLE, 1e300::DOUBLE, 1/3, 'infinity'::DATE"),
			    "0.1,1e+300,0.3333333333333333,infinity");
	tf_lake_close(&lake);
}

static void
sums_past_64_bits_are_exact(void **state)
{
	struct tf_lake *lake = open_lake();
	assert_string_equal(answer(lake, "SELECT sum(x), sum(-x), min(x) FROM (VALUES (9223372036854775807), "
					 "(9223372036854775807)) v(x)"),
			    "18446744073709551614,-18446744073709551614,9223372036854775807");
	assert_string_equal(answer(lake, "SELECT -170141183460469231731687303715884105727::HUGEINT"),
			    "-170141183460469231731687303715884105727");
	tf_lake_close(&lake);
}

static void
other_types_are_cast_by_duckdb(void **state)
{
	struct tf_lake *lake = open_lake();
	assert_string_equal(answer(lake, "SELECT 1.50::DECIMAL(10,2) AS a, [1,2] AS a, {'x': 1} -- no alias\n;"),
			    "1.50,[1, 2],{'x': 1}");
	assert_string_equal(answer(lake, "SELECT i, i::DECIMAL(5,1) FROM range(3) t(i) ORDER BY i DESC"),
			    "2,2.0|1,1.0|0,0.0");
	tf_lake_close(&lake);
}

static void
columns_have_names_and_types(void **state)
{
	struct tf_lake *lake = open_lake();
	struct tf_fault f = {0};
	struct tf_rows *r;
	assert_int_equal(tf_lake_query(lake, TF_STR("SELECT 1 AS one, sum(1) AS s, now() AS t, [1] AS l"), &r, &f),
			 TF_OK);
	assert_int_equal(tf_rows_columns(r), 4);
	assert_string_equal(tf_rows_name(r, 1), "s");
	assert_string_equal(tf_rows_name(r, 3), "l");
	assert_int_equal(tf_rows_type(r, 0), TF_LAKE_INTEGER);
	assert_int_equal(tf_rows_type(r, 1), TF_LAKE_HUGEINT);
	assert_int_equal(tf_rows_type(r, 2), TF_LAKE_TIMESTAMP_TZ);
	assert_int_equal(tf_rows_type(r, 3), TF_LAKE_OTHER);
	tf_rows_close(&r);
	tf_lake_close(&lake);
}

static void
integers_come_typed(void **state)
{
	struct tf_lake *lake = open_lake();
	struct tf_fault f = {0};
	struct tf_rows *r;
	assert_int_equal(tf_lake_query(lake,
				       TF_STR("SELECT sum(5), TIMESTAMPTZ '1970-01-01 00:00:01+00', DATE '1970-01-02', "
					      "NULL::BIGINT, 'x', 9223372036854775808::HUGEINT, -1::HUGEINT"),
				       &r, &f),
			 TF_OK);
	assert_int_equal(tf_rows_next(r, &f), TF_OK);
	int64_t v = -9;
	assert_int_equal(tf_rows_i64(r, 0, &v, &f), TF_OK);
	assert_int_equal(v, 5);
	assert_int_equal(tf_rows_i64(r, 1, &v, &f), TF_OK);
	assert_int_equal(v, 1000000);
	assert_int_equal(tf_rows_i64(r, 2, &v, &f), TF_OK);
	assert_int_equal(v, 1);
	assert_int_equal(tf_rows_i64(r, 3, &v, &f), TF_INVALID);
	assert_int_equal(tf_rows_i64(r, 4, &v, &f), TF_INVALID);
	assert_int_equal(tf_rows_i64(r, 5, &v, &f), TF_TOO_LARGE);
	assert_int_equal(v, 1);
	assert_int_equal(tf_rows_i64(r, 6, &v, &f), TF_OK);
	assert_int_equal(v, -1);
	assert_int_equal(tf_rows_next(r, &f), TF_END);
	assert_int_equal(tf_rows_next(r, &f), TF_END);
	tf_rows_close(&r);
	tf_lake_close(&lake);
}

static void
large_results_stream_in_order(void **state)
{
	struct tf_lake *lake = open_lake();
	struct tf_fault f = {0};
	struct tf_rows *r;
	assert_int_equal(tf_lake_query(lake, TF_STR("SELECT i FROM range(1000000) t(i) ORDER BY i"), &r, &f), TF_OK);
	enum tf_err err;
	int64_t want = 0;
	while ((err = tf_rows_next(r, &f)) == TF_OK) {
		int64_t v;
		assert_int_equal(tf_rows_i64(r, 0, &v, &f), TF_OK);
		assert_int_equal(v, want++);
	}
	assert_int_equal(err, TF_END);
	assert_int_equal(want, 1000000);
	tf_rows_close(&r);
	/* Leaving one in the middle lets the next one run. */
	assert_int_equal(tf_lake_query(lake, TF_STR("SELECT i FROM range(1000000) t(i)"), &r, &f), TF_OK);
	assert_int_equal(tf_rows_next(r, &f), TF_OK);
	tf_rows_close(&r);
	assert_string_equal(answer(lake, "SELECT 1"), "1");
	tf_lake_close(&lake);
}

static void
errors_carry_duckdbs_words(void **state)
{
	struct tf_lake *lake = open_lake();
	struct tf_fault f = {0};
	struct tf_rows *r = NULL;
	assert_int_equal(tf_lake_query(lake, TF_STR("SELECT nonsense FROM nowhere"), &r, &f), TF_INVALID);
	assert_non_null(strstr(f.text, "nowhere"));
	assert_null(r);
	assert_string_equal(answer(lake, "SELEC 1"), "INVALID");
	assert_string_equal(answer(lake, ""), "INVALID");
	assert_string_equal(answer(lake, "SELECT 1; SELECT 2"), "INVALID");
	assert_string_equal(answer(lake, "SELECT * FROM read_parquet('/nonexistent/*.parquet')"), "NOT_FOUND");
	/* A failure after rows have come is no end. */
	assert_string_equal(answer(lake, "SELECT CASE WHEN i < 500000 THEN i ELSE error('late') END FROM range(600000) "
					 "t(i) WHERE i > 499990"),
			    "INVALID");
	assert_int_equal(exec_code(lake, "CREATE TABLE t(i INT); INSERT INTO t VALUES (1); INSERT INTO t VALUES ('x')"),
			 TF_INVALID);
	assert_string_equal(answer(lake, "SELECT count(*) FROM t"), "1");
	tf_lake_close(&lake);
}

static void
memory_is_limited(void **state)
{
	struct tf_fault f = {0};
	struct tf_lake *lake;
	struct tf_lake_options o = {.threads = 1, .memory_bytes = 32 << 20};
	assert_int_equal(tf_lake_open(&o, &lake, &f), TF_OK);
	assert_int_equal(
		exec_code(lake, "CREATE TABLE big AS SELECT hash(i) AS h, hash(i+1) AS g FROM range(20000000) t(i)"),
		TF_NO_MEMORY);
	assert_string_equal(answer(lake, "SELECT 1"), "1");
	tf_lake_close(&lake);
}

static void
spilling_stays_in_the_temp_dir(void **state)
{
	struct tf_fault f = {0};
	struct tf_lake *lake;
	char temp[300];
	snprintf(temp, sizeof temp, "%s/spill", dir);
	const char *dirs[] = {dir};
	struct tf_lake_options o = {.threads = 1, .memory_bytes = 64 << 20, .temp_dir = temp, .locked_down = true};
	o.allowed_dirs = dirs;
	o.allowed_count = 1;
	if (tf_lake_open(&o, &lake, &f) != TF_OK)
		fail_msg("%s", f.text);
	must(lake, "CREATE TABLE big AS SELECT hash(i) AS h, hash(i+1) AS g FROM range(10000000) t(i)");
	struct stat st;
	assert_int_equal(stat(temp, &st), 0);
	assert_string_equal(answer(lake, "SELECT count(*) FROM big WHERE g <> h"), "10000000");
	tf_lake_close(&lake);
	assert_int_equal(stat(".tmp", &st), -1);
}

static void
interrupt_ends_a_statement(void **state)
{
	struct tf_lake *lake = open_lake();
	struct tf_fault f = {0};
	struct tf_rows *r;
	assert_int_equal(tf_lake_query(lake, TF_STR("SELECT i FROM range(100000000000) t(i)"), &r, &f), TF_OK);
	assert_int_equal(tf_rows_next(r, &f), TF_OK);
	tf_lake_interrupt(lake);
	enum tf_err err;
	while ((err = tf_rows_next(r, &f)) == TF_OK)
		;
	assert_int_equal(err, TF_TIMEOUT);
	tf_rows_close(&r);
	assert_string_equal(answer(lake, "SELECT 1"), "1");
	tf_lake_close(&lake);
}

static void
only_select_passes_select(void **state)
{
	struct tf_lake *lake = open_lake();
	must(lake, "CREATE TABLE t AS SELECT 1 AS a");
	assert_string_equal(answer(lake, "FROM t"), "1");
	assert_string_equal(answer(lake, "WITH x AS (SELECT 2) SELECT * FROM x"), "2");
	assert_string_equal(answer(lake, "SELECT column_name FROM (DESCRIBE t)"), "a");
	static const char *const denied[] = {
		"DROP TABLE t",
		"INSERT INTO t VALUES (2)",
		"COPY t TO 'x.csv'",
		"EXPLAIN ANALYZE INSERT INTO t VALUES (2)",
		"SET threads = 1",
		"ATTACH 'x.db'",
		"INSTALL httpfs",
		"PRAGMA memory_limit='9GB'",
		"CREATE VIEW v AS SELECT 1",
		"UPDATE t SET a = 2 RETURNING a",
	};
	for (size_t i = 0; i < sizeof denied / sizeof *denied; i++)
		assert_string_equal(answer(lake, denied[i]), "DENIED");
	assert_string_equal(answer(lake, "SELECT * FROM query('INSERT INTO t VALUES (2)')"), "INVALID");
	assert_int_equal(access("x.csv", F_OK), -1);
	assert_string_equal(answer(lake, "SELECT sum(a) FROM t"), "1");
	tf_lake_close(&lake);
}

static void
locked_down_lake_stays_in_its_directories(void **state)
{
	char sql[512];
	struct tf_lake *lake = open_locked();
	static const char *const denied[] = {
		"SELECT * FROM read_text('/etc/hostname')",
		"SELECT * FROM read_csv('/etc/passwd')",
		"SELECT * FROM glob('/etc/*')",
		"SELECT * FROM '/etc/passwd.csv'",
		"SELECT * FROM parquet_metadata('/etc/passwd')",
	};
	for (size_t i = 0; i < sizeof denied / sizeof *denied; i++)
		assert_string_equal(answer(lake, denied[i]), "DENIED");
	snprintf(sql, sizeof sql, "SELECT * FROM read_text('%s/../../etc/hostname')", dir);
	assert_string_equal(answer(lake, sql), "DENIED");
	assert_int_equal(exec_code(lake, "SET enable_external_access = true"), TF_INVALID);
	assert_int_equal(exec_code(lake, "SET allowed_directories = ['/']"), TF_INVALID);
	assert_int_equal(exec_code(lake, "SET memory_limit = '100GB'"), TF_INVALID);
	assert_int_equal(exec_code(lake, "COPY (SELECT 1) TO '/tmp/tenfold-must-not-be-there.csv'"), TF_DENIED);
	assert_int_equal(exec_code(lake, "ATTACH '/tmp/tenfold-must-not-be-there.db'"), TF_DENIED);
	snprintf(sql, sizeof sql, "COPY (SELECT 42 AS a) TO '%s/inside.parquet'", dir);
	assert_int_equal(exec_code(lake, sql), TF_OK);
	snprintf(sql, sizeof sql, "SELECT a FROM read_parquet('%s/inside.parquet')", dir);
	assert_string_equal(answer(lake, sql), "42");
	tf_lake_close(&lake);
}

static void
wrong_library_is_named(void **state)
{
	struct tf_lake *lake = NULL;
	struct tf_fault f = {0};
	char path[300];
	struct tf_lake_options o = {.library = path};
	snprintf(path, sizeof path, "%s/libduckdb.so", dir);
	assert_int_equal(tf_lake_open(&o, &lake, &f), TF_NOT_FOUND);
	assert_non_null(strstr(f.text, path));
	FILE *other = fopen(path, "w");
	assert_true(other && fputs("no library\n", other) >= 0 && fclose(other) == 0);
	assert_int_equal(tf_lake_open(&o, &lake, &f), TF_UNSUPPORTED);
	assert_null(lake);
}

static void
quote_doubles_quotes(void **state)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_lake_quote(&b, TF_STR("it's; DROP TABLE '"));
	assert_true(tf_str_eq(tf_buf_view(&b), TF_STR("'it''s; DROP TABLE '''")));
	tf_buf_release(&b);
}

static void
parquet_comes_back_as_written(void **state)
{
	struct tf_lake *lake = open_lake();
	struct tf_fault f = {0};
	char path[300], sql[600];
	uint64_t rows = 0;
	snprintf(path, sizeof path, "%s/it's.parquet", dir);
	const char *select =
		"SELECT 'm' || i // 10000 AS meter, i % 977 AS value, TIMESTAMPTZ '2009-03-01 00:00:00+00' + "
		"INTERVAL (i % 10000) MINUTE AS start FROM range(50000) t(i) ORDER BY meter, start";
	if (tf_lake_copy(lake, tf_str(select), path, NULL, &rows, &f) != TF_OK)
		fail_msg("%s", f.text);
	assert_int_equal(rows, 50000);
	snprintf(sql, sizeof sql, "SELECT count(*) FROM ((%s) EXCEPT ALL FROM read_parquet('%s/it''s.parquet'))",
		 select, dir);
	assert_string_equal(answer(lake, sql), "0");
	/* One row group, in the order given, values plain, the time marked UTC. */
	snprintf(sql, sizeof sql,
		 "SELECT count(DISTINCT row_group_id), any_value(encodings) FILTER (path_in_schema = 'start'), "
		 "any_value(encodings) FILTER (path_in_schema = 'meter'), any_value(compression) "
		 "FROM parquet_metadata('%s/it''s.parquet')",
		 dir);
	assert_string_equal(answer(lake, sql), "1,PLAIN,PLAIN_DICTIONARY,ZSTD");
	snprintf(
		sql, sizeof sql,
		"SELECT logical_type LIKE '%%isAdjustedToUTC=1%%' FROM parquet_schema('%s/it''s.parquet') WHERE name = "
		"'start'",
		dir);
	assert_string_equal(answer(lake, sql), "true");
	tf_lake_close(&lake);
}

static void
copy_that_fails_says_why(void **state)
{
	struct tf_lake *lake = open_lake();
	struct tf_fault f = {0};
	uint64_t rows = 77;
	assert_int_equal(tf_lake_copy(lake, TF_STR("SELECT 1"), "/nonexistent/x.parquet", NULL, &rows, &f), TF_IO);
	assert_non_null(strstr(f.text, "/nonexistent/x.parquet"));
	assert_int_equal(tf_lake_copy(lake, TF_STR("SELECT nonsense"), "x.parquet", NULL, &rows, &f), TF_INVALID);
	assert_int_equal(rows, 77);
	assert_string_equal(answer(lake, "SELECT 1"), "1");
	tf_lake_close(&lake);
}

static void
damaged_parquet_is_corrupt(void **state)
{
	struct tf_lake *lake = open_lake();
	char path[300], sql[600];
	snprintf(path, sizeof path, "%s/bad.parquet", dir);
	FILE *file = fopen(path, "w");
	fputs("PAR1 this is no footer, but long enough to be looked at", file);
	fclose(file);
	snprintf(sql, sizeof sql, "SELECT * FROM read_parquet('%s')", path);
	assert_string_equal(answer(lake, sql), "CORRUPT");
	tf_lake_close(&lake);
}

static void
files_of_both_widths_are_read_together(void **state)
{
	struct tf_lake *lake = open_lake();
	char sql[600];
	for (int i = 0; i < 2; i++) {
		snprintf(sql, sizeof sql, "COPY (SELECT %s AS value) TO '%s/w%d.parquet'",
			 i ? "9007199254740992::BIGINT" : "7::INTEGER", dir, i);
		must(lake, sql);
	}
	snprintf(sql, sizeof sql, "SELECT value FROM read_parquet('%s/w?.parquet', union_by_name = true) ORDER BY 1",
		 dir);
	assert_string_equal(answer(lake, sql), "7|9007199254740992");
	tf_lake_close(&lake);
}

static int
make_dir(void **state)
{
	return dir_make(dir, sizeof dir, "lake") ? 0 : -1;
}

static int
remove_dir(void **state)
{
	return dir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_library_is_named), /* first: later opens get the library already loaded */
		cmocka_unit_test(version_is_the_pinned_one),
		cmocka_unit_test(values_read_as_text),
		cmocka_unit_test(sums_past_64_bits_are_exact),
		cmocka_unit_test(other_types_are_cast_by_duckdb),
		cmocka_unit_test(columns_have_names_and_types),
		cmocka_unit_test(integers_come_typed),
		cmocka_unit_test(large_results_stream_in_order),
		cmocka_unit_test(errors_carry_duckdbs_words),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(spilling_stays_in_the_temp_dir),
		cmocka_unit_test(interrupt_ends_a_statement),
		cmocka_unit_test(only_select_passes_select),
		cmocka_unit_test(locked_down_lake_stays_in_its_directories),
		cmocka_unit_test(quote_doubles_quotes),
		cmocka_unit_test(parquet_comes_back_as_written),
		cmocka_unit_test(copy_that_fails_says_why),
		cmocka_unit_test(damaged_parquet_is_corrupt),
		cmocka_unit_test(files_of_both_widths_are_read_together),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
