/* A lake's life, its statements without rows, and Parquet out. Rows are lake_rows.c, C tables lake_table.c. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "store/lake_impl.h"

#define MEMORY_BYTES       (1ull << 30)
#define ZSTD_LEVEL         20
#define ROW_GROUP_ROWS     1048576
#define DICTIONARY_ENTRIES 1000

/* What DuckDB's message begins with or contains, and what that is. */
static const struct {
	const char *text;
	bool anywhere;
	enum tf_err code;
} messages[] = {
	{"No space left on device", true, TF_NO_SPACE},
	{"No magic bytes found", true, TF_CORRUPT},
	{"too small to be a Parquet file", true, TF_CORRUPT},
	{"IO Error: No files found", false, TF_NOT_FOUND},
	{"IO Error", false, TF_IO},
	{"Permission Error", false, TF_DENIED},
	{"Out of Memory Error", false, TF_NO_MEMORY},
	{"INTERRUPT Error", false, TF_TIMEOUT},
	{"Not implemented Error", false, TF_UNSUPPORTED},
	{"INTERNAL Error", false, TF_BUG},
	{"FATAL Error", false, TF_BUG},
};

static enum tf_err
code_of(const char *text)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		const char *at = strstr(text, messages[i].text);
		if (at && (messages[i].anywhere || at == text))
			return messages[i].code;
	}
	return TF_INVALID;
}

enum tf_err
lake_fault(struct tf_lake *lake, const char *doing, const char *text, struct tf_fault *f)
{
	pthread_mutex_lock(&lake->lock);
	struct tf_fault scan = lake->scan_fault;
	lake->scan_fault.code = TF_OK;
	pthread_mutex_unlock(&lake->lock);
	if (scan.code != TF_OK)
		return tf_fault(f, scan.code, "cannot %s: %s", doing, scan.text);
	if (!text)
		return tf_fault(f, TF_NO_MEMORY, "cannot %s: DuckDB gave no reason", doing);
	return tf_fault(f, code_of(text), "cannot %s: %s", doing, text);
}

void
tf_lake_quote(struct tf_buf *b, struct tf_str s)
{
	tf_buf_u8(b, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'')
			tf_buf_u8(b, '\'');
		tf_buf_u8(b, (uint8_t)s.p[i]);
	}
	tf_buf_u8(b, '\'');
}

enum tf_err
tf_lake_exec(struct tf_lake *lake, struct tf_str sql, struct tf_fault *f)
{
	const struct lake_duck *d = lake->duck;
	TF_ASSERT(!lake->rows);
	char *text = tf_strndup(sql.p, sql.n);
	if (!text)
		return tf_fault(f, TF_NO_MEMORY, "cannot run SQL: out of memory");
	duckdb_extracted_statements statements = NULL;
	idx_t count = d->duckdb_extract_statements(lake->connection, text, &statements);
	tf_free(text);
	enum tf_err err = TF_OK;
	if (count == 0) {
		const char *why = d->duckdb_extract_statements_error(statements);
		err = why ? lake_fault(lake, "read SQL", why, f) : TF_OK;
	}
	for (idx_t i = 0; i < count && err == TF_OK; i++) {
		duckdb_prepared_statement s = NULL;
		duckdb_result result = {0};
		if (d->duckdb_prepare_extracted_statement(lake->connection, statements, i, &s) == DuckDBError)
			err = lake_fault(lake, "prepare SQL", d->duckdb_prepare_error(s), f);
		else if (d->duckdb_execute_prepared_streaming(s, &result) == DuckDBError)
			err = lake_fault(lake, "run SQL", d->duckdb_result_error(&result), f);
		else
			err = lake_drain(lake, &result, f);
		d->duckdb_destroy_result(&result);
		d->duckdb_destroy_prepare(&s);
	}
	d->duckdb_destroy_extracted(&statements);
	return err;
}

static enum tf_err
exec_buf(struct tf_lake *lake, struct tf_buf *b, struct tf_fault *f)
{
	enum tf_err err = b->err;
	if (err != TF_OK)
		tf_fault(f, err, "cannot write SQL: %s", tf_err_text(err));
	else
		err = tf_lake_exec(lake, tf_buf_view(b), f);
	tf_buf_release(b);
	return err;
}

/* After this, settings can no longer be changed, and files outside the directories not be opened. */
static enum tf_err
lock_down(struct tf_lake *lake, const struct tf_lake_options *o, struct tf_fault *f)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, "SET allowed_directories = [");
	for (size_t i = 0; i < o->allowed_count; i++) {
		tf_buf_cstr(&b, i ? ", " : "");
		tf_lake_quote(&b, tf_str(o->allowed_dirs[i]));
	}
	tf_buf_cstr(&b, "]; SET enable_external_access = false; SET lock_configuration = true");
	return exec_buf(lake, &b, f);
}

/* Past memory_limit DuckDB would spill to .tmp in the working directory, and it fetches extensions by itself: not here.
 */
static enum tf_err
configure(const struct lake_duck *d, const struct tf_lake_options *o, duckdb_config config, struct tf_fault *f)
{
	char threads[16], memory[32];
	snprintf(threads, sizeof threads, "%" PRIu32, o->threads);
	snprintf(memory, sizeof memory, "%" PRIu64 "B", o->memory_bytes ? o->memory_bytes : (uint64_t)MEMORY_BYTES);
	const struct {
		const char *name, *value;
	} settings[] = {
		{"memory_limit", memory},
		{"temp_directory", o->temp_dir ? o->temp_dir : ""},
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		{"allow_community_extensions", "false"},
		{"allow_persistent_secrets", "false"},
		{"threads", threads},
	};
	size_t count = sizeof settings / sizeof *settings - (o->threads == 0);
	for (size_t i = 0; i < count; i++)
		if (d->duckdb_set_config(config, settings[i].name, settings[i].value) == DuckDBError)
			return tf_fault(f, TF_INVALID, "cannot set DuckDB's %s to '%s'", settings[i].name,
					settings[i].value);
	return TF_OK;
}

static enum tf_err
open_database(struct tf_lake *lake, const struct tf_lake_options *o, struct tf_fault *f)
{
	const struct lake_duck *d = lake->duck;
	duckdb_config config = NULL;
	if (d->duckdb_create_config(&config) == DuckDBError)
		return tf_fault(f, TF_NO_MEMORY, "cannot configure DuckDB: out of memory");
	enum tf_err err = configure(d, o, config, f);
	char *why = NULL;
	if (err == TF_OK && d->duckdb_open_ext(":memory:", &lake->db, config, &why) == DuckDBError)
		err = lake_fault(lake, "open a lake", why, f);
	d->duckdb_free(why);
	d->duckdb_destroy_config(&config);
	TF_TRY(err);
	if (d->duckdb_connect(lake->db, &lake->connection) == DuckDBError)
		return tf_fault(f, TF_NO_MEMORY, "cannot connect to a lake");
	TF_TRY(tf_lake_exec(lake, TF_STR("SET TimeZone = 'UTC'"), f));
	return o->locked_down ? lock_down(lake, o, f) : TF_OK;
}

enum tf_err
tf_lake_open(const struct tf_lake_options *o, struct tf_lake **out, struct tf_fault *f)
{
	static const struct tf_lake_options defaults;
	const struct lake_duck *d;
	o = o ? o : &defaults;
	TF_TRY(lake_duck_load(o->library, &d, f));
	struct tf_lake *lake = tf_calloc(1, sizeof *lake);
	if (!lake)
		return tf_fault(f, TF_NO_MEMORY, "cannot open a lake: out of memory");
	lake->duck = d;
	pthread_mutex_init(&lake->lock, NULL);
	enum tf_err err = open_database(lake, o, f);
	if (err != TF_OK)
		tf_lake_close(&lake);
	else
		*out = lake;
	return err;
}

void
tf_lake_close(struct tf_lake **lake)
{
	struct tf_lake *l = *lake;
	*lake = NULL;
	if (!l)
		return;
	TF_ASSERT(!l->rows);
	l->duck->duckdb_disconnect(&l->connection);
	l->duck->duckdb_close(&l->db);
	pthread_mutex_destroy(&l->lock);
	tf_free(l);
}

const char *
tf_lake_version(const struct tf_lake *lake)
{
	return lake->duck->duckdb_library_version();
}

void
tf_lake_interrupt(struct tf_lake *lake)
{
	lake->duck->duckdb_interrupt(lake->connection);
}

/* V1 pages on purpose: with V2, DuckDB packs deltas where it has no dictionary, and readings grow by a tenth. */
enum tf_err
tf_lake_copy(struct tf_lake *lake, struct tf_str select, const char *path, const struct tf_lake_parquet *o,
	     uint64_t *out_rows, struct tf_fault *f)
{
	static const struct tf_lake_parquet defaults;
	o = o ? o : &defaults;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, "COPY (");
	tf_buf_str(&b, select);
	tf_buf_cstr(&b, "\n) TO ");
	tf_lake_quote(&b, tf_str(path));
	tf_buf_printf(&b,
		      " (FORMAT parquet, PARQUET_VERSION v1, COMPRESSION zstd, COMPRESSION_LEVEL %d, "
		      "ROW_GROUP_SIZE %" PRIu32 ", DICTIONARY_SIZE_LIMIT %" PRIu32 ", USE_TMP_FILE false)",
		      o->zstd_level ? o->zstd_level : ZSTD_LEVEL,
		      o->row_group_rows ? o->row_group_rows : ROW_GROUP_ROWS,
		      o->dictionary_entries ? o->dictionary_entries : DICTIONARY_ENTRIES);
	struct tf_rows *rows = NULL;
	int64_t count = 0;
	enum tf_err err = b.err;
	if (err != TF_OK)
		tf_fault(f, err, "cannot write '%s': %s", path, tf_err_text(err));
	if (err == TF_OK)
		err = tf_lake_query(lake, tf_buf_view(&b), &rows, f);
	if (err == TF_OK)
		err = tf_rows_next(rows, f);
	if (err == TF_OK)
		err = tf_rows_i64(rows, 0, &count, f);
	tf_rows_close(&rows);
	tf_buf_release(&b);
	if (err != TF_OK)
		return tf_fault_wrap(f, err, "cannot write Parquet '%s'", path);
	*out_rows = (uint64_t)count;
	return TF_OK;
}
