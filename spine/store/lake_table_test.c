/* C tables of store/lake: what a scan gives, which columns it is asked for, and how its failures come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/lake.h"

/* The callbacks assert with TF_ASSERT: cmocka's would jump out through DuckDB, from one of its threads.
 * numbers(count := 10000, name := 'n', from := TIMESTAMPTZ ...): rows 0 .. count-1, split among the workers. */
struct source {
	uint64_t wanted;
	enum tf_err fail_begin, fail_fill, fail_worker;
	bool bad_utf8;
	atomic_int scans, workers, scans_ended, workers_ended;
};

struct scan {
	struct source *source;
	int64_t count;
	struct tf_str name;
	tf_time from;
	atomic_int_fast64_t next;
	atomic_int workers; /* not yet ended */
};

enum { N, NAME, START, DAY, HALF, EVEN, SMALL, COLUMNS };

static const struct tf_lake_column columns[COLUMNS] = {
	{"n", TF_LAKE_BIGINT},    {"name", TF_LAKE_VARCHAR}, {"start", TF_LAKE_TIMESTAMP_TZ}, {"day", TF_LAKE_DATE},
	{"half", TF_LAKE_DOUBLE}, {"even", TF_LAKE_BOOLEAN}, {"small", TF_LAKE_INTEGER},
};

static const struct tf_lake_column parameters[] = {
	{"count", TF_LAKE_BIGINT},
	{"name", TF_LAKE_VARCHAR},
	{"from", TF_LAKE_TIMESTAMP_TZ},
};

static enum tf_err
begin(void *ctx, const struct tf_lake_value *values, uint64_t wanted, void **out_scan, struct tf_fault *f)
{
	struct source *source = ctx;
	source->wanted = wanted;
	if (source->fail_begin)
		return tf_fault(f, source->fail_begin, "no source today");
	struct scan *s = tf_calloc(1, sizeof *s);
	s->source = source;
	s->count = values[0].given ? values[0].i64 : 5000;
	s->name = values[1].given ? values[1].str : TF_STR("a name longer than twelve bytes");
	s->from = values[2].given ? values[2].i64 : 0;
	source->scans++;
	*out_scan = s;
	return TF_OK;
}

static void
end(void *scan)
{
	struct scan *s = scan;
	TF_ASSERT(s->workers == 0);
	s->source->scans_ended++;
	tf_free(s);
}

static enum tf_err
begin_worker(void *scan, void **out_worker, struct tf_fault *f)
{
	struct scan *s = scan;
	if (s->source->fail_worker)
		return tf_fault(f, s->source->fail_worker, "no hands");
	s->source->workers++;
	s->workers++;
	*out_worker = s;
	return TF_OK;
}

static void
end_worker(void *worker)
{
	struct scan *s = worker;
	s->workers--;
	s->source->workers_ended++;
}

static void
fill_row(struct tf_lake_chunk *c, const struct scan *s, size_t row, int64_t n)
{
	if (tf_lake_wants(c, N))
		tf_lake_i64(c, N)[row] = n;
	if (tf_lake_wants(c, START))
		tf_lake_i64(c, START)[row] = s->from + n * TF_SEC;
	if (tf_lake_wants(c, DAY))
		tf_lake_i32(c, DAY)[row] = (int32_t)n;
	if (tf_lake_wants(c, HALF))
		tf_lake_f64(c, HALF)[row] = (double)n / 2;
	if (tf_lake_wants(c, EVEN))
		tf_lake_bool(c, EVEN)[row] = n % 2 == 0;
	if (tf_lake_wants(c, SMALL))
		tf_lake_i32(c, SMALL)[row] = (int32_t)-n;
}

static enum tf_err
fill(void *scan, void *worker, struct tf_lake_chunk *c, struct tf_fault *f)
{
	struct scan *s = scan;
	TF_ASSERT(worker == scan);
	int64_t room = (int64_t)tf_lake_room(c);
	TF_ASSERT(room == 2048);
	int64_t from = atomic_fetch_add(&s->next, room);
	if (from >= 4 * room && s->source->fail_fill)
		return tf_fault(f, s->source->fail_fill, "block %d is torn", 7);
	int64_t n = s->count - from < room ? s->count - from : room;
	if (n <= 0)
		return TF_OK;
	for (int64_t i = 0; i < n; i++)
		fill_row(c, s, (size_t)i, from + i);
	tf_lake_str(c, NAME, 0, (size_t)n, s->source->bad_utf8 ? TF_STR("caf\xe9") : s->name);
	/* Every thousandth small is missing. */
	for (int64_t i = 0; i < n; i++)
		if ((from + i) % 1000 == 0)
			tf_lake_null(c, SMALL, (size_t)i, 1);
	tf_lake_rows(c, (size_t)n);
	return TF_OK;
}

struct world {
	struct tf_lake *lake;
	struct source source;
	struct tf_lake_table one, many;
};

static int
setup(void **state)
{
	struct world *w = tf_calloc(1, sizeof *w);
	struct tf_fault f = {0};
	struct tf_lake_options o = {.threads = 4};
	if (tf_lake_open(&o, &w->lake, &f) != TF_OK)
		fail_msg("%s", f.text);
	w->one = (struct tf_lake_table){
		.name = "numbers",
		.ctx = &w->source,
		.columns = columns,
		.column_count = COLUMNS,
		.parameters = parameters,
		.parameter_count = 3,
		.begin = begin,
		.end = end,
		.begin_worker = begin_worker,
		.end_worker = end_worker,
		.fill = fill,
	};
	w->many = w->one;
	w->many.name = "numbers_parallel";
	w->many.workers = 4;
	assert_int_equal(tf_lake_register(w->lake, &w->one, &f), TF_OK);
	assert_int_equal(tf_lake_register(w->lake, &w->many, &f), TF_OK);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	tf_lake_close(&w->lake);
	/* Whatever happened, what began has ended. */
	assert_int_equal(w->source.scans, w->source.scans_ended);
	assert_int_equal(w->source.workers, w->source.workers_ended);
	tf_free(w);
	return 0;
}

static struct tf_fault fault;

/* The first row's columns by ','; a failure is its code's name. */
static const char *
answer(struct world *w, const char *sql)
{
	static char out[1024];
	struct tf_rows *r = NULL;
	size_t n = 0;
	fault = (struct tf_fault){0};
	enum tf_err err = tf_lake_query(w->lake, tf_str(sql), &r, &fault);
	if (err == TF_OK)
		err = tf_rows_next(r, &fault);
	for (size_t i = 0; err == TF_OK && i < tf_rows_columns(r); i++) {
		struct tf_str s = tf_rows_is_null(r, i) ? TF_STR("-") : tf_rows_text(r, i);
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", i ? "," : "", TF_FMT(s));
	}
	tf_rows_close(&r);
	return err == TF_OK ? out : tf_err_name(err);
}

static void
scan_gives_every_row_once(void **state)
{
	struct world *w = *state;
	assert_string_equal(answer(w, "SELECT count(*), count(DISTINCT n), min(n), max(n), sum(n) FROM numbers()"),
			    "5000,5000,0,4999,12497500");
	assert_string_equal(
		answer(w, "SELECT count(*), count(DISTINCT n), sum(n) FROM numbers_parallel(count = 1000000)"),
		"1000000,1000000,499999500000");
	assert_string_equal(answer(w, "SELECT count(*) FROM numbers(count = 0)"), "0");
	assert_string_equal(answer(w, "SELECT count(*) FROM numbers(count = 2048)"), "2048");
}

static void
every_type_arrives(void **state)
{
	struct world *w = *state;
	assert_string_equal(
		answer(w, "SELECT * FROM numbers(\"from\" = TIMESTAMPTZ '2009-03-01 00:00:00+00') WHERE n = 3"),
		"3,a name longer than twelve bytes,2009-03-01T00:00:03Z,1970-01-04,1.5,false,-3");
	assert_string_equal(answer(w, "SELECT * FROM numbers(name = 'x') WHERE n = 2000"),
			    "2000,x,1970-01-01T00:33:20Z,1975-06-24,1000,true,-");
	assert_string_equal(answer(w, "SELECT count(small), count(*), sum(half) FROM numbers()"), "4995,5000,6248750");
}

static void
repeated_strings_survive_the_chunk(void **state)
{
	struct world *w = *state;
	assert_string_equal(answer(w, "SELECT name, count(*), min(length(name)) FROM numbers(count = 10000, "
				      "name = 'twelve bytes and some more') GROUP BY name"),
			    "twelve bytes and some more,10000,26");
	assert_string_equal(answer(w, "SELECT count(DISTINCT name || n) FROM numbers(count = 10000)"), "10000");
	/* Kept past the scan, in a table of the lake. */
	assert_int_equal(
		tf_lake_exec(w->lake, TF_STR("CREATE TABLE kept AS SELECT * FROM numbers(count = 10000)"), NULL),
		TF_OK);
	assert_string_equal(answer(w, "SELECT min(name), max(name) FROM kept"),
			    "a name longer than twelve bytes,a name longer than twelve bytes");
}

static void
only_used_columns_are_asked_for(void **state)
{
	struct world *w = *state;
	answer(w, "SELECT sum(n) FROM numbers() WHERE even");
	assert_int_equal(w->source.wanted, 1 << N | 1 << EVEN);
	answer(w, "SELECT max(small) FROM numbers()");
	assert_int_equal(w->source.wanted, 1 << SMALL);
	assert_string_equal(answer(w, "SELECT count(*) FROM numbers_parallel(count = 3)"), "3");
	assert_true(w->source.wanted == 0 || w->source.wanted == 1 << N);
}

static void
views_pass_parameters_and_scan_twice(void **state)
{
	struct world *w = *state;
	assert_int_equal(
		tf_lake_exec(w->lake,
			     TF_STR("CREATE VIEW readings AS SELECT n, name FROM numbers(count = 10) UNION ALL "
				    "SELECT n, name FROM numbers_parallel(count = 20, name = 'b')"),
			     NULL),
		TF_OK);
	assert_string_equal(answer(w, "SELECT count(*), count(DISTINCT name) FROM readings"), "30,2");
	assert_string_equal(answer(w, "SELECT count(*) FROM readings a JOIN readings b USING (n)"), "50");
	assert_string_equal(answer(w, "SELECT n FROM numbers(count = 3000) LIMIT 1 OFFSET 2500"), "2500");
}

static void
rows_come_in_order_from_one_worker(void **state)
{
	struct world *w = *state;
	struct tf_rows *r;
	struct tf_fault f;
	assert_int_equal(tf_lake_query(w->lake, TF_STR("SELECT n FROM numbers(count = 50000)"), &r, &f), TF_OK);
	enum tf_err err;
	int64_t want = 0, v;
	while ((err = tf_rows_next(r, &f)) == TF_OK) {
		assert_int_equal(tf_rows_i64(r, 0, &v, &f), TF_OK);
		assert_int_equal(v, want++);
	}
	assert_int_equal(err, TF_END);
	assert_int_equal(want, 50000);
	tf_rows_close(&r);
}

static void
copy_keeps_a_workers_order(void **state)
{
	struct world *w = *state;
	struct tf_fault f = {0};
	char path[300], sql[600];
	const char *tmp = getenv("TMPDIR");
	uint64_t rows;
	snprintf(path, sizeof path, "%s/tf-lake-order-XXXXXX", tmp ? tmp : "/tmp");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	struct tf_lake_parquet o = {.row_group_rows = 20480};
	if (tf_lake_copy(w->lake, TF_STR("SELECT n, name FROM numbers(count = 200000)"), path, &o, &rows, &f) != TF_OK)
		fail_msg("%s", f.text);
	assert_int_equal(rows, 200000);
	snprintf(sql, sizeof sql,
		 "SELECT count(*), bool_and(n = file_row_number) FROM read_parquet('%s', file_row_number = true)",
		 path);
	assert_string_equal(answer(w, sql), "200000,true");
	snprintf(sql, sizeof sql,
		 "SELECT max(row_group_num_rows), count(*) FROM parquet_metadata('%s') WHERE column_id = 0", path);
	assert_string_equal(answer(w, sql), "20480,10");
	unlink(path);
}

static void
source_errors_keep_their_code(void **state)
{
	struct world *w = *state;
	w->source.fail_fill = TF_CORRUPT;
	assert_string_equal(answer(w, "SELECT sum(n) FROM numbers_parallel(count = 1000000)"), "CORRUPT");
	assert_non_null(strstr(fault.text, "block 7 is torn"));
	assert_string_equal(answer(w, "SELECT n FROM numbers(count = 1000000) ORDER BY n"), "CORRUPT");
	assert_int_equal(tf_lake_exec(w->lake, TF_STR("CREATE TABLE k AS FROM numbers(count = 1000000)"), &fault),
			 TF_CORRUPT);
	w->source.fail_fill = TF_OK;
	w->source.fail_worker = TF_BUSY;
	assert_string_equal(answer(w, "SELECT sum(n) FROM numbers()"), "BUSY");
	w->source.fail_worker = TF_OK;
	w->source.fail_begin = TF_NOT_FOUND;
	assert_string_equal(answer(w, "SELECT sum(n) FROM numbers()"), "NOT_FOUND");
	assert_non_null(strstr(fault.text, "no source today"));
	w->source.fail_begin = TF_OK;
	/* And leave nothing behind for the next statement. */
	assert_string_equal(answer(w, "SELECT nonsense FROM numbers()"), "INVALID");
	assert_string_equal(answer(w, "SELECT sum(n) FROM numbers()"), "12497500");
}

static void
text_must_be_utf8(void **state)
{
	struct world *w = *state;
	w->source.bad_utf8 = true;
	assert_string_equal(answer(w, "SELECT max(name) FROM numbers()"), "INVALID");
	assert_non_null(strstr(fault.text, "'name' is not UTF-8"));
	assert_string_equal(answer(w, "SELECT sum(n) FROM numbers()"), "12497500");
	w->source.bad_utf8 = false;
	assert_string_equal(answer(w, "SELECT max(name) FROM numbers(name = 'caf\u00e9 \u20ac \U0001F50C')"),
			    "caf\u00e9 \u20ac \U0001F50C");
}

static void
names_are_taken_once_and_parameters_known(void **state)
{
	struct world *w = *state;
	struct tf_fault f;
	assert_int_equal(tf_lake_register(w->lake, &w->one, &f), TF_EXISTS);
	assert_string_equal(answer(w, "SELECT * FROM numbers(colour = 'red')"), "INVALID");
	assert_string_equal(answer(w, "SELECT count(*) FROM numbers(count = NULL)"), "5000");
	assert_string_equal(answer(w, "SELECT count(*) FROM numbers(count = 'many')"), "INVALID");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(scan_gives_every_row_once, setup, teardown),
		cmocka_unit_test_setup_teardown(every_type_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(repeated_strings_survive_the_chunk, setup, teardown),
		cmocka_unit_test_setup_teardown(only_used_columns_are_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(views_pass_parameters_and_scan_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_come_in_order_from_one_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(copy_keeps_a_workers_order, setup, teardown),
		cmocka_unit_test_setup_teardown(source_errors_keep_their_code, setup, teardown),
		cmocka_unit_test_setup_teardown(text_must_be_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_taken_once_and_parameters_known, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
