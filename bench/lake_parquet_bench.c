/* Which way of writing Parquet makes readings smallest? Prints the table of docs/decisions/duckdb.md.
 *
 *   lake_parquet_bench edrp200_halfhourly_wh.csv.gz
 *
 * The file is a wide CSV (start, then one column of Wh per home), taken as UTC. Each choice writes all its readings,
 * split as it says, one thread; what counts is the size of the files, over the readings. Speed includes the sort. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/lake.h"

#define ROWS    "meter, channel, start, value::%s AS value, quality, version"
#define ZSTD(l) "COMPRESSION zstd, COMPRESSION_LEVEL " #l
#define PLAIN   ", DICTIONARY_SIZE_LIMIT 1000"
#define BY_SIZE "(SELECT avg(value) FROM r AS m WHERE m.meter = r.meter), meter, start"

enum split { MONTH, QUARTER };

static const struct {
	const char *what, *type;
	enum split split;
	const char *order, *options;
} choices[] = {
	{"DuckDB's defaults: dictionary, zstd 3", "BIGINT", MONTH, "meter, start", "COMPRESSION zstd"},
	{"dictionary, zstd 22", "BIGINT", MONTH, "meter, start", ZSTD(22)},
	{"dictionary, zstd 22", "INTEGER", MONTH, "meter, start", ZSTD(22)},
	{"plain, zstd 3", "INTEGER", MONTH, "meter, start", ZSTD(3) PLAIN},
	{"plain, zstd 15", "INTEGER", MONTH, "meter, start", ZSTD(15) PLAIN},
	{"plain, zstd 17", "INTEGER", MONTH, "meter, start", ZSTD(17) PLAIN},
	{"plain, zstd 18", "INTEGER", MONTH, "meter, start", ZSTD(18) PLAIN},
	{"**plain, zstd 20**", "INTEGER", MONTH, "meter, start", ZSTD(20) PLAIN},
	{"plain, zstd 22", "INTEGER", MONTH, "meter, start", ZSTD(22) PLAIN},
	{"plain, zstd 17", "BIGINT", MONTH, "meter, start", ZSTD(17) PLAIN},
	{"plain, zstd 20", "BIGINT", MONTH, "meter, start", ZSTD(20) PLAIN},
	{"plain, zstd 20, row groups of 122,880", "INTEGER", MONTH, "meter, start",
	 ZSTD(20) PLAIN ", ROW_GROUP_SIZE 122880"},
	{"V2: delta binary packed, zstd 22", "INTEGER", MONTH, "meter, start", ZSTD(22) PLAIN ", PARQUET_VERSION v2"},
	{"V2: byte stream split, zstd 22", "DOUBLE", MONTH, "meter, start", ZSTD(22) PLAIN ", PARQUET_VERSION v2"},
	{"V2: byte stream split, zstd 22", "FLOAT", MONTH, "meter, start", ZSTD(22) PLAIN ", PARQUET_VERSION v2"},
	{"plain, brotli", "INTEGER", MONTH, "meter, start", "COMPRESSION brotli" PLAIN},
	{"plain, gzip", "INTEGER", MONTH, "meter, start", "COMPRESSION gzip" PLAIN},
	{"plain, zstd 20, by start, meter", "INTEGER", MONTH, "start, meter", ZSTD(20) PLAIN},
	{"plain, zstd 20, by meter, time of day, day", "INTEGER", MONTH, "meter, epoch_us(start) % 86400000000, start",
	 ZSTD(20) PLAIN},
	{"plain, zstd 20, by the meter's mean, start", "INTEGER", MONTH, BY_SIZE, ZSTD(20) PLAIN},
	{"**plain, zstd 20**", "INTEGER", QUARTER, "meter, start", ZSTD(20) PLAIN},
	{"plain, zstd 20", "BIGINT", QUARTER, "meter, start", ZSTD(20) PLAIN},
	{"V2: byte stream split, zstd 22", "DOUBLE", QUARTER, "meter, start", ZSTD(22) PLAIN ", PARQUET_VERSION v2"},
};

static void
run(struct tf_lake *lake, const char *sql)
{
	struct tf_fault f = {0};
	if (tf_lake_exec(lake, tf_str(sql), &f) == TF_OK)
		return;
	fprintf(stderr, "%s\n%s\n", f.text, sql);
	exit(1);
}

static int64_t
number(struct tf_lake *lake, const char *sql)
{
	struct tf_rows *r;
	struct tf_fault f = {0};
	int64_t v = 0;
	enum tf_err err = tf_lake_query(lake, tf_str(sql), &r, &f);
	if (err == TF_OK)
		err = tf_rows_next(r, &f);
	if (err == TF_OK)
		err = tf_rows_i64(r, 0, &v, &f);
	if (err != TF_OK) {
		fprintf(stderr, "%s\n", f.text);
		exit(1);
	}
	tf_rows_close(&r);
	return v;
}

static double
cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bytes of the files a choice makes. */
static int64_t
write_files(struct tf_lake *lake, size_t choice, const char *dir)
{
	int64_t bytes = 0;
	for (int month = 3; month <= 5; month++) {
		char path[300], rows[200], sql[2000];
		struct stat st;
		snprintf(path, sizeof path, "%s/%zu-%d.parquet", dir, choice, month);
		snprintf(rows, sizeof rows, ROWS, choices[choice].type);
		snprintf(sql, sizeof sql,
			 "COPY (SELECT %s FROM r WHERE %s OR month(start) = %d ORDER BY %s) TO '%s' (FORMAT parquet, "
			 "%s%s)",
			 rows, choices[choice].split == QUARTER ? "true" : "false", month, choices[choice].order, path,
			 strstr(choices[choice].options, "ROW_GROUP_SIZE") ? "" : "ROW_GROUP_SIZE 1048576, ",
			 choices[choice].options);
		run(lake, sql);
		if (stat(path, &st) != 0)
			exit(1);
		bytes += st.st_size;
		if (choices[choice].split == QUARTER)
			break;
	}
	return bytes;
}

static void
load(struct tf_lake *lake, const char *csv)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, "CREATE TABLE w AS SELECT * FROM read_csv(");
	tf_lake_quote(&b, tf_str(csv));
	tf_buf_cstr(&b, ", header = true); CREATE TABLE r AS SELECT meter, 'E1' AS channel, "
			"ts_local_start::TIMESTAMPTZ AS start, value, 'A' AS quality, 1 AS version FROM (UNPIVOT w ON "
			"COLUMNS(* EXCLUDE ts_local_start) INTO NAME meter VALUE value) ORDER BY meter, start");
	tf_buf_u8(&b, 0);
	if (b.err != TF_OK)
		exit(1);
	run(lake, (const char *)b.p);
	tf_buf_release(&b);
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: lake_parquet_bench WIDE.csv [DIR]: DIR keeps the files\n");
		return 2;
	}
	struct tf_lake *lake;
	struct tf_fault f = {0};
	struct tf_lake_options o = {.threads = 1, .memory_bytes = 4ull << 30};
	if (tf_lake_open(&o, &lake, &f) != TF_OK) {
		fprintf(stderr, "%s\n", f.text);
		return 1;
	}
	char temporary[] = "/tmp/lake-parquet-XXXXXX";
	const char *dir = argc > 2 ? argv[2] : mkdtemp(temporary);
	load(lake, argv[1]);
	double readings = (double)number(lake, "SELECT count(*) FROM r");
	printf("%.0f readings, DuckDB %s, 1 thread\n\n", readings, tf_lake_version(lake));
	printf("| values written | value's type | files | bytes a reading | M readings per CPU second |\n| --- | --- | "
	       "--- | --- | "
	       "--- |\n");
	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
		double start = cpu_s();
		int64_t bytes = write_files(lake, i, dir);
		printf("| %s | %s | %s | %.4f | %.2f |\n", choices[i].what, choices[i].type,
		       choices[i].split == MONTH ? "month" : "quarter", (double)bytes / readings,
		       readings / (cpu_s() - start) / 1e6);
		fflush(stdout);
	}
	tf_lake_close(&lake);
	if (argc > 2)
		return 0;
	char command[64];
	snprintf(command, sizeof command, "rm -r '%s'", dir);
	return system(command) != 0;
}
