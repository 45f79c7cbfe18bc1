/* Results: rows stream out of DuckDB in chunks of columns. Their values are read in lake_value.c.
 *
 * Types this file does not know (lists, decimals, intervals, ...) are cast to VARCHAR by DuckDB itself: the SELECT is
 * wrapped in another one that does it, after a first look at its column types. */
#include <inttypes.h>

#include "base/mem.h"
#include "store/lake_impl.h"

static enum tf_lake_type
shown_type(duckdb_type t)
{
	switch (t) {
	case DUCKDB_TYPE_VARCHAR:
		return TF_LAKE_VARCHAR;
	case DUCKDB_TYPE_BIGINT:
	case DUCKDB_TYPE_UINTEGER:
		return TF_LAKE_BIGINT;
	case DUCKDB_TYPE_TINYINT:
	case DUCKDB_TYPE_SMALLINT:
	case DUCKDB_TYPE_INTEGER:
	case DUCKDB_TYPE_UTINYINT:
	case DUCKDB_TYPE_USMALLINT:
		return TF_LAKE_INTEGER;
	case DUCKDB_TYPE_TIMESTAMP_TZ:
		return TF_LAKE_TIMESTAMP_TZ;
	case DUCKDB_TYPE_TIMESTAMP:
		return TF_LAKE_TIMESTAMP;
	case DUCKDB_TYPE_DATE:
		return TF_LAKE_DATE;
	case DUCKDB_TYPE_DOUBLE:
		return TF_LAKE_DOUBLE;
	case DUCKDB_TYPE_BOOLEAN:
		return TF_LAKE_BOOLEAN;
	case DUCKDB_TYPE_HUGEINT:
		return TF_LAKE_HUGEINT;
	default:
		return TF_LAKE_OTHER;
	}
}

/* One statement, prepared; the text must be one and, if only_select, read only. */
static enum tf_err
prepare(struct tf_lake *lake, struct tf_str sql, bool only_select, duckdb_prepared_statement *out, struct tf_fault *f)
{
	const struct lake_duck *d = lake->duck;
	char *text = tf_strndup(sql.p, sql.n);
	if (!text)
		return tf_fault(f, TF_NO_MEMORY, "cannot run SQL: out of memory");
	duckdb_extracted_statements statements = NULL;
	idx_t count = d->duckdb_extract_statements(lake->connection, text, &statements);
	tf_free(text);
	enum tf_err err;
	const char *why = d->duckdb_extract_statements_error(statements);
	if (count == 0 && why)
		err = lake_fault(lake, "read SQL", why, f);
	else if (count != 1)
		err = tf_fault(f, TF_INVALID, "cannot run SQL: one statement is wanted, not %" PRIu64, count);
	else if (d->duckdb_prepare_extracted_statement(lake->connection, statements, 0, out) == DuckDBError)
		err = lake_fault(lake, "prepare SQL", d->duckdb_prepare_error(*out), f);
	else if (only_select && d->duckdb_prepared_statement_type(*out) != DUCKDB_STATEMENT_TYPE_SELECT)
		err = tf_fault(f, TF_DENIED, "cannot run SQL: only SELECT is allowed here");
	else
		err = TF_OK;
	d->duckdb_destroy_extracted(&statements);
	if (err != TF_OK)
		d->duckdb_destroy_prepare(out);
	return err;
}

static enum tf_err
look_at_columns(struct tf_rows *r, bool *out_cast, struct tf_fault *f)
{
	const struct lake_duck *d = r->lake->duck;
	*out_cast = false;
	for (size_t i = 0; i < r->column_count; i++) {
		struct lake_result_column *c = &r->columns[i];
		c->type = d->duckdb_prepared_statement_column_type(r->statement, i);
		c->shown = shown_type(c->type);
		const char *name = d->duckdb_prepared_statement_column_name(r->statement, i);
		c->name = tf_strndup(name ? name : "", name ? strlen(name) : 0);
		d->duckdb_free((void *)name);
		if (!c->name)
			return tf_fault(f, TF_NO_MEMORY, "cannot run SQL: out of memory");
		*out_cast = *out_cast || c->shown == TF_LAKE_OTHER;
	}
	return TF_OK;
}

/* SELECT c0, CAST(c1 AS VARCHAR) FROM (sql) AS q(c0, c1) */
static enum tf_err
prepare_cast(struct tf_rows *r, struct tf_str sql, struct tf_fault *f)
{
	sql = tf_str_trim(sql);
	while (sql.n && sql.p[sql.n - 1] == ';')
		sql = tf_str_trim((struct tf_str){sql.p, sql.n - 1});
	struct tf_buf b;
	tf_buf_init(&b, 0);
	for (size_t i = 0; i < r->column_count; i++) {
		bool cast = r->columns[i].shown == TF_LAKE_OTHER;
		tf_buf_printf(&b,
			      "%s %s"
			      "c%zu%s",
			      i ? "," : "SELECT", cast ? "CAST(" : "", i, cast ? " AS VARCHAR)" : "");
		if (cast)
			r->columns[i].type = DUCKDB_TYPE_VARCHAR;
	}
	tf_buf_cstr(&b, " FROM (");
	tf_buf_str(&b, sql);
	tf_buf_cstr(&b, "\n) AS q(");
	for (size_t i = 0; i < r->column_count; i++)
		tf_buf_printf(&b, "%sc%zu", i ? ", " : "", i);
	tf_buf_cstr(&b, ")");
	enum tf_err err = b.err;
	r->lake->duck->duckdb_destroy_prepare(&r->statement);
	if (err != TF_OK)
		tf_fault(f, err, "cannot run SQL: %s", tf_err_text(err));
	else
		err = prepare(r->lake, tf_buf_view(&b), true, &r->statement, f);
	tf_buf_release(&b);
	return err;
}

static enum tf_err
start(struct tf_rows *r, struct tf_str sql, struct tf_fault *f)
{
	const struct lake_duck *d = r->lake->duck;
	bool cast;
	TF_TRY(look_at_columns(r, &cast, f));
	if (cast && d->duckdb_prepared_statement_type(r->statement) == DUCKDB_STATEMENT_TYPE_SELECT)
		TF_TRY(prepare_cast(r, sql, f));
	if (d->duckdb_execute_prepared_streaming(r->statement, &r->result) == DuckDBError)
		return lake_fault(r->lake, "run SQL", d->duckdb_result_error(&r->result), f);
	return TF_OK;
}

static enum tf_err
query(struct tf_lake *lake, struct tf_str sql, bool only_select, struct tf_rows **out, struct tf_fault *f)
{
	TF_ASSERT(!lake->rows);
	duckdb_prepared_statement s = NULL;
	TF_TRY(prepare(lake, sql, only_select, &s, f));
	size_t count = lake->duck->duckdb_prepared_statement_column_count(s);
	struct tf_rows *r = tf_calloc(1, sizeof *r + count * sizeof *r->columns);
	if (!r) {
		lake->duck->duckdb_destroy_prepare(&s);
		return tf_fault(f, TF_NO_MEMORY, "cannot run SQL: out of memory");
	}
	lake->rows = r;
	r->lake = lake;
	r->statement = s;
	r->column_count = count;
	enum tf_err err = start(r, sql, f);
	if (err != TF_OK)
		tf_rows_close(&r);
	else
		*out = r;
	return err;
}

enum tf_err
tf_lake_query(struct tf_lake *lake, struct tf_str sql, struct tf_rows **out, struct tf_fault *f)
{
	return query(lake, sql, false, out, f);
}

enum tf_err
tf_lake_select(struct tf_lake *lake, struct tf_str sql, struct tf_rows **out, struct tf_fault *f)
{
	return query(lake, sql, true, out, f);
}

/* TF_END and no chunk at the end; DuckDB tells an error and the end apart only by the message. */
static enum tf_err
fetch(struct tf_lake *lake, duckdb_result *result, duckdb_data_chunk *out, struct tf_fault *f)
{
	const struct lake_duck *d = lake->duck;
	for (;;) {
		*out = d->duckdb_fetch_chunk(*result);
		if (*out && d->duckdb_data_chunk_get_size(*out))
			return TF_OK;
		if (!*out)
			break;
		d->duckdb_destroy_data_chunk(out);
	}
	const char *why = d->duckdb_result_error(result);
	return why && *why ? lake_fault(lake, "run SQL", why, f) : TF_END;
}

enum tf_err
lake_drain(struct tf_lake *lake, duckdb_result *result, struct tf_fault *f)
{
	duckdb_data_chunk chunk;
	enum tf_err err;
	while ((err = fetch(lake, result, &chunk, f)) == TF_OK)
		lake->duck->duckdb_destroy_data_chunk(&chunk);
	return err == TF_END ? TF_OK : err;
}

enum tf_err
tf_rows_next(struct tf_rows *r, struct tf_fault *f)
{
	const struct lake_duck *d = r->lake->duck;
	if (r->ended)
		return TF_END;
	if (r->chunk && ++r->row < r->row_count)
		return TF_OK;
	if (r->chunk)
		d->duckdb_destroy_data_chunk(&r->chunk);
	enum tf_err err = fetch(r->lake, &r->result, &r->chunk, f);
	r->ended = err != TF_OK;
	TF_TRY(err);
	r->row = 0;
	r->row_count = d->duckdb_data_chunk_get_size(r->chunk);
	for (size_t i = 0; i < r->column_count; i++) {
		duckdb_vector v = d->duckdb_data_chunk_get_vector(r->chunk, i);
		r->columns[i].data = d->duckdb_vector_get_data(v);
		r->columns[i].validity = d->duckdb_vector_get_validity(v);
	}
	return TF_OK;
}

void
tf_rows_close(struct tf_rows **rows)
{
	struct tf_rows *r = *rows;
	*rows = NULL;
	if (!r)
		return;
	const struct lake_duck *d = r->lake->duck;
	if (r->chunk)
		d->duckdb_destroy_data_chunk(&r->chunk);
	d->duckdb_destroy_result(&r->result);
	d->duckdb_destroy_prepare(&r->statement);
	for (size_t i = 0; i < r->column_count; i++)
		tf_free(r->columns[i].name);
	r->lake->rows = NULL;
	tf_free(r);
}
