/* Analytical SQL and Parquet: DuckDB inside the process.
 *
 * A lake is one DuckDB database in memory with one connection: what it queries are Parquet files (read_parquet) and C
 * sources registered as table functions; nothing of its own lasts. DuckDB's library is loaded by the first tf_lake_open
 * of the process and never unloaded; no other module loads it. Extensions are never installed or loaded: Parquet, JSON
 * and ICU are inside. The session's time zone is UTC.
 * DuckDB touches the disk by itself and does not sync: give tf_lake_copy a path from tf_blob_temp and publish the file
 * with tf_blob_take_file.
 * SQL from a user: open with locked_down, run with tf_lake_select. Nothing else keeps it from writing files.
 * Errors: what is wrong with the SQL is TF_INVALID, a forbidden file or statement TF_DENIED, past memory_bytes
 * TF_NO_MEMORY, an unreadable file TF_IO; the fault has DuckDB's words. A fill's own error comes back as it was.
 * Limits: 64 columns and 16 parameters in a C table; SQL and results are bounded by memory_bytes and the caller.
 * Thread rule: one thread at a time, except tf_lake_interrupt. DuckDB runs workers of its own, which call the table
 * functions' callbacks. Ownership: a lake outlives its rows and is outlived by the tables registered with it. */
#pragma once
#include "base/buf.h"
#include "base/time.h"

struct tf_lake;
struct tf_rows;

struct tf_lake_options {
	/* libduckdb.so; NULL: beside the executable, in ../lib/tenfold from there, where the build found it. */
	const char *library;
	uint32_t threads;      /* 0: one per core */
	uint64_t memory_bytes; /* 0: 1 GiB */
	const char *temp_dir;  /* where it may spill what does not fit memory_bytes; NULL: nowhere */
	/* Read and write only below these directories, and let SQL change no setting. */
	bool locked_down;
	const char *const *allowed_dirs;
	size_t allowed_count;
};

/* Column types of C tables, and those of results. A result column of any other type is TF_LAKE_OTHER: text only. */
enum tf_lake_type {
	TF_LAKE_VARCHAR,
	TF_LAKE_BIGINT,
	TF_LAKE_INTEGER,
	TF_LAKE_TIMESTAMP_TZ, /* tf_time */
	TF_LAKE_DATE,         /* days since 1970-01-01 */
	TF_LAKE_DOUBLE,
	TF_LAKE_BOOLEAN,
	TF_LAKE_TABLE_TYPES,                     /* C tables have the types above */
	TF_LAKE_TIMESTAMP = TF_LAKE_TABLE_TYPES, /* without a zone */
	TF_LAKE_HUGEINT,                         /* what sum() of a BIGINT is */
	TF_LAKE_OTHER,
};

/* TF_NOT_FOUND when there is no library, TF_UNSUPPORTED when it is not one of DuckDB or too old. o may be NULL. */
enum tf_err tf_lake_open(const struct tf_lake_options *o, struct tf_lake **out, struct tf_fault *f) TF_MUST_USE;
void tf_lake_close(struct tf_lake **lake);
/* DuckDB's version, "v1.4.4". */
const char *tf_lake_version(const struct tf_lake *lake);
/* Makes the statement that runs, or the next call of tf_rows_next, fail with TF_TIMEOUT. From any thread or signal-free
 * timer while the lake is open. */
void tf_lake_interrupt(struct tf_lake *lake);

/* Appends s to b as an SQL string literal, quotes doubled: for paths and values in SQL. */
void tf_lake_quote(struct tf_buf *b, struct tf_str s);
/* Runs statements, separated by ';', and drops what they return. */
enum tf_err tf_lake_exec(struct tf_lake *lake, struct tf_str sql, struct tf_fault *f) TF_MUST_USE;
/* Runs one statement and streams its rows. Closed with tf_rows_close, before the next statement on this lake. */
enum tf_err tf_lake_query(struct tf_lake *lake, struct tf_str sql, struct tf_rows **out,
			  struct tf_fault *f) TF_MUST_USE;
/* The same for SQL that is not ours: TF_DENIED unless it is one SELECT (FROM, VALUES, DESCRIBE, SUMMARIZE). */
enum tf_err tf_lake_select(struct tf_lake *lake, struct tf_str sql, struct tf_rows **out,
			   struct tf_fault *f) TF_MUST_USE;

/* TF_OK: a row is there; TF_END: no (more) rows. */
enum tf_err tf_rows_next(struct tf_rows *r, struct tf_fault *f) TF_MUST_USE;
void tf_rows_close(struct tf_rows **r);
/* Columns count from 0. */
size_t tf_rows_columns(const struct tf_rows *r);
const char *tf_rows_name(const struct tf_rows *r, size_t column);
enum tf_lake_type tf_rows_type(const struct tf_rows *r, size_t column);
bool tf_rows_is_null(const struct tf_rows *r, size_t column);
/* As text: integers in decimal, doubles as the shortest digits that give them back, booleans true and false, dates
 * YYYY-MM-DD, timestamps YYYY-MM-DDTHH:MM:SS[.ffffff] with Z where they have a zone, others as DuckDB casts them; NULL
 * is empty. Valid until the next tf_rows call. */
struct tf_str tf_rows_text(struct tf_rows *r, size_t column);
/* Integers of any width, booleans, dates (days) and timestamps (microseconds). TF_INVALID for NULL and other types,
 * TF_TOO_LARGE past 64 bits. */
enum tf_err tf_rows_i64(struct tf_rows *r, size_t column, int64_t *out, struct tf_fault *f) TF_MUST_USE;

/* How Parquet is written; the defaults are those measured for readings (docs/decisions/duckdb.md). */
struct tf_lake_parquet {
	int zstd_level;          /* 1 .. 22; 0: 20 */
	uint32_t row_group_rows; /* 0: 1,048,576 */
	uint32_t
		dictionary_entries; /* a column with more distinct values in a row group is written plainly; 0: 1,000 */
};
/* Writes the rows of a SELECT, in its order, to a Parquet file at path; not synced. On failure a part of the file may
 * be there. o may be NULL. */
enum tf_err tf_lake_copy(struct tf_lake *lake, struct tf_str select, const char *path, const struct tf_lake_parquet *o,
			 uint64_t *out_rows, struct tf_fault *f) TF_MUST_USE;

/* A C source as a table function: SELECT ... FROM name(parameter = value, ...).
 *
 * For each scan: begin once, then for each of up to `workers` threads begin_worker, fill until it gives no rows, and
 * end_worker; end once. Only the columns a query uses need filling; filters are not pushed down, so what must narrow a
 * scan is a parameter. Rows come in order when workers is 1 or 0. */
#define TF_LAKE_COLUMN_MAX    64
#define TF_LAKE_PARAMETER_MAX 16

struct tf_lake_column {
	const char *name;
	enum tf_lake_type type;
};

/* A parameter's value: given is false where the call did not name it (or gave NULL). */
struct tf_lake_value {
	bool given;
	int64_t i64; /* BIGINT, INTEGER, TIMESTAMP_TZ, DATE, BOOLEAN */
	double f64;
	struct tf_str str; /* valid as long as the scan */
};

struct tf_lake_chunk; /* up to 2048 rows to be filled */

struct tf_lake_table {
	const char *name;
	void *ctx;
	const struct tf_lake_column *columns;
	size_t column_count;
	const struct tf_lake_column *parameters; /* all optional, by name */
	size_t parameter_count;
	/* wanted: bit i is set when column i is used. */
	enum tf_err (*begin)(void *ctx, const struct tf_lake_value *values, uint64_t wanted, void **out_scan,
			     struct tf_fault *f);
	void (*end)(void *scan);
	uint32_t workers; /* threads that may scan at once; 0 means 1 */
	/* May be NULL: no state per worker. end_worker runs before end. */
	enum tf_err (*begin_worker)(void *scan, void **out_worker, struct tf_fault *f);
	void (*end_worker)(void *worker);
	/* Writes some rows and says so with tf_lake_rows; none means this worker's end. From a thread of DuckDB. */
	enum tf_err (*fill)(void *scan, void *worker, struct tf_lake_chunk *c, struct tf_fault *f);
};

/* The table and what it points at must outlive the lake. TF_EXISTS when the name is taken. */
enum tf_err tf_lake_register(struct tf_lake *lake, const struct tf_lake_table *t, struct tf_fault *f) TF_MUST_USE;

/* Inside fill. Rows a chunk has room for: 2048. */
size_t tf_lake_room(const struct tf_lake_chunk *c);
void tf_lake_rows(struct tf_lake_chunk *c, size_t rows);
bool tf_lake_wants(const struct tf_lake_chunk *c, size_t column);
/* A column's array of tf_lake_room values, to be written directly; NULL when the column isn't wanted. The type must be
 * the column's: i64 BIGINT and TIMESTAMP_TZ, i32 INTEGER and DATE. */
int64_t *tf_lake_i64(struct tf_lake_chunk *c, size_t column);
int32_t *tf_lake_i32(struct tf_lake_chunk *c, size_t column);
double *tf_lake_f64(struct tf_lake_chunk *c, size_t column);
bool *tf_lake_bool(struct tf_lake_chunk *c, size_t column);
/* The same string (UTF-8, or the query fails) in n rows from row on: stored once. Nothing when the column isn't wanted.
 */
void tf_lake_str(struct tf_lake_chunk *c, size_t column, size_t row, size_t n, struct tf_str s);
/* NULL in n rows from row on. */
void tf_lake_null(struct tf_lake_chunk *c, size_t column, size_t row, size_t n);
