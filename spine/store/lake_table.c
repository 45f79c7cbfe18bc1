/* C tables: DuckDB's table function callbacks, turned into the ones of struct tf_lake_table.
 *
 * Who lives how long: a bound call (its parameters) with DuckDB's plan, a scan with one execution of it, a worker with
 * one thread of that. DuckDB destroys the three in an order of its own, so each holds a reference to the one above. */
#include <stdatomic.h>

#include "base/mem.h"
#include "store/lake_impl.h"

struct call {
	atomic_int refs;
	struct tf_lake *lake;
	const struct tf_lake_table *table;
	struct tf_lake_value values[]; /* their strings are DuckDB's copies, freed with the call */
};

struct scan {
	atomic_int refs;
	struct call *call;
	void *state;
	uint64_t wanted;
	int8_t place[TF_LAKE_COLUMN_MAX]; /* a column's vector in the chunk; -1: not wanted */
};

struct worker {
	struct scan *scan; /* NULL until its first chunk: DuckDB makes a worker without saying of which scan */
	void *state;
	bool ended;
};

/* A table as registered: what DuckDB hands back to bind. */
struct registered {
	struct tf_lake *lake;
	const struct tf_lake_table *table;
};

struct tf_lake_chunk {
	const struct lake_duck *duck;
	const struct scan *scan;
	duckdb_data_chunk chunk;
	size_t rows;
	struct tf_fault fault; /* a string that isn't UTF-8 */
};

static const duckdb_type duckdb_types[TF_LAKE_TABLE_TYPES] = {
	[TF_LAKE_VARCHAR] = DUCKDB_TYPE_VARCHAR, [TF_LAKE_BIGINT] = DUCKDB_TYPE_BIGINT,
	[TF_LAKE_INTEGER] = DUCKDB_TYPE_INTEGER, [TF_LAKE_TIMESTAMP_TZ] = DUCKDB_TYPE_TIMESTAMP_TZ,
	[TF_LAKE_DATE] = DUCKDB_TYPE_DATE,       [TF_LAKE_DOUBLE] = DUCKDB_TYPE_DOUBLE,
	[TF_LAKE_BOOLEAN] = DUCKDB_TYPE_BOOLEAN,
};

static void
call_drop(void *p)
{
	struct call *c = p;
	if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	for (size_t i = 0; i < c->table->parameter_count; i++)
		c->lake->duck->duckdb_free((void *)c->values[i].str.p);
	tf_free(c);
}

static void
scan_drop(void *p)
{
	struct scan *s = p;
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	if (s->state && s->call->table->end)
		s->call->table->end(s->state);
	call_drop(s->call);
	tf_free(s);
}

static void
worker_drop(void *p)
{
	struct worker *w = p;
	if (!w)
		return;
	if (w->state && w->scan->call->table->end_worker)
		w->scan->call->table->end_worker(w->state);
	scan_drop(w->scan);
	tf_free(w);
}

/* Keeps the statement's first failure, whose code DuckDB would lose. Returns the text for DuckDB. */
static const char *
keep(struct tf_lake *lake, const struct tf_fault *fault)
{
	pthread_mutex_lock(&lake->lock);
	if (lake->scan_fault.code == TF_OK)
		lake->scan_fault = *fault;
	pthread_mutex_unlock(&lake->lock);
	return fault->text;
}

static void
read_value(const struct lake_duck *d, duckdb_value v, enum tf_lake_type type, struct tf_lake_value *out)
{
	out->given = true;
	switch (type) {
	case TF_LAKE_VARCHAR:
		out->str = tf_str(d->duckdb_get_varchar(v));
		break;
	case TF_LAKE_BIGINT:
		out->i64 = d->duckdb_get_int64(v);
		break;
	case TF_LAKE_INTEGER:
		out->i64 = d->duckdb_get_int32(v);
		break;
	case TF_LAKE_TIMESTAMP_TZ:
		out->i64 = d->duckdb_get_timestamp_tz(v).micros;
		break;
	case TF_LAKE_DATE:
		out->i64 = d->duckdb_get_date(v).days;
		break;
	case TF_LAKE_DOUBLE:
		out->f64 = d->duckdb_get_double(v);
		break;
	default:
		out->i64 = d->duckdb_get_bool(v);
	}
}

static void
on_bind(duckdb_bind_info info)
{
	const struct lake_duck *d = lake_duck_loaded();
	const struct registered *reg = d->duckdb_bind_get_extra_info(info);
	const struct tf_lake_table *t = reg->table;
	struct call *c = tf_calloc(1, sizeof *c + t->parameter_count * sizeof *c->values);
	if (!c) {
		d->duckdb_bind_set_error(info, "out of memory");
		return;
	}
	c->refs = 1;
	c->lake = reg->lake;
	c->table = t;
	for (size_t i = 0; i < t->parameter_count; i++) {
		duckdb_value v = d->duckdb_bind_get_named_parameter(info, t->parameters[i].name);
		if (v && !d->duckdb_is_null_value(v))
			read_value(d, v, t->parameters[i].type, &c->values[i]);
		d->duckdb_destroy_value(&v);
	}
	for (size_t i = 0; i < t->column_count; i++) {
		duckdb_logical_type type = d->duckdb_create_logical_type(duckdb_types[t->columns[i].type]);
		d->duckdb_bind_add_result_column(info, t->columns[i].name, type);
		d->duckdb_destroy_logical_type(&type);
	}
	d->duckdb_bind_set_bind_data(info, c, call_drop);
}

/* Which columns are wanted, and where. A count(*) asks for none: DuckDB then names a column that is not there. */
static void
place_columns(const struct lake_duck *d, duckdb_init_info info, struct scan *s)
{
	memset(s->place, -1, sizeof s->place);
	idx_t count = d->duckdb_init_get_column_count(info);
	for (idx_t i = 0; i < count; i++) {
		idx_t column = d->duckdb_init_get_column_index(info, i);
		if (column >= s->call->table->column_count)
			continue;
		s->place[column] = (int8_t)i;
		s->wanted |= 1ull << column;
	}
}

static void
on_init(duckdb_init_info info)
{
	const struct lake_duck *d = lake_duck_loaded();
	struct call *c = d->duckdb_init_get_bind_data(info);
	struct scan *s = tf_calloc(1, sizeof *s);
	if (!s) {
		d->duckdb_init_set_error(info, "out of memory");
		return;
	}
	s->refs = 1;
	s->call = c;
	atomic_fetch_add(&c->refs, 1);
	place_columns(d, info, s);
	struct tf_fault fault = {0};
	enum tf_err err = TF_OK;
	if (c->table->begin)
		err = c->table->begin(c->table->ctx, c->values, s->wanted, &s->state, &fault);
	if (err != TF_OK) {
		fault.code = err;
		d->duckdb_init_set_error(info, keep(c->lake, &fault));
		scan_drop(s);
		return;
	}
	d->duckdb_init_set_init_data(info, s, scan_drop);
	d->duckdb_init_set_max_threads(info, c->table->workers ? c->table->workers : 1);
}

static void
on_local_init(duckdb_init_info info)
{
	const struct lake_duck *d = lake_duck_loaded();
	struct worker *w = tf_calloc(1, sizeof *w);
	if (w)
		d->duckdb_init_set_init_data(info, w, worker_drop);
	else
		d->duckdb_init_set_error(info, "out of memory");
}

static enum tf_err
fill(struct worker *w, struct scan *s, struct tf_lake_chunk *c, struct tf_fault *f)
{
	const struct tf_lake_table *t = s->call->table;
	if (!w->scan) {
		w->scan = s;
		atomic_fetch_add(&s->refs, 1);
		if (t->begin_worker)
			TF_TRY(t->begin_worker(s->state, &w->state, f));
	}
	TF_TRY(t->fill(s->state, w->state, c, f));
	if (c->fault.code != TF_OK)
		*f = c->fault;
	return c->fault.code;
}

static void
on_function(duckdb_function_info info, duckdb_data_chunk output)
{
	const struct lake_duck *d = lake_duck_loaded();
	struct scan *s = d->duckdb_function_get_init_data(info);
	struct worker *w = d->duckdb_function_get_local_init_data(info);
	struct tf_lake_chunk c = {.duck = d, .scan = s, .chunk = output};
	struct tf_fault fault = {0};
	enum tf_err err = w->ended ? TF_OK : fill(w, s, &c, &fault);
	if (err != TF_OK) {
		fault.code = err;
		d->duckdb_function_set_error(info, keep(s->call->lake, &fault));
		c.rows = 0;
	}
	w->ended = c.rows == 0;
	d->duckdb_data_chunk_set_size(output, c.rows);
}

static bool
sound(const struct tf_lake_table *t)
{
	bool ok = t->name && t->fill && t->column_count && t->column_count <= TF_LAKE_COLUMN_MAX &&
		  t->parameter_count <= TF_LAKE_PARAMETER_MAX;
	for (size_t i = 0; ok && i < t->column_count; i++)
		ok = t->columns[i].type < TF_LAKE_TABLE_TYPES;
	for (size_t i = 0; ok && i < t->parameter_count; i++)
		ok = t->parameters[i].type < TF_LAKE_TABLE_TYPES;
	return ok;
}

enum tf_err
tf_lake_register(struct tf_lake *lake, const struct tf_lake_table *t, struct tf_fault *f)
{
	const struct lake_duck *d = lake->duck;
	TF_ASSERT(sound(t));
	struct registered *reg = tf_malloc(sizeof *reg);
	if (!reg)
		return tf_fault(f, TF_NO_MEMORY, "cannot register table '%s': out of memory", t->name);
	*reg = (struct registered){lake, t};
	duckdb_table_function fn = d->duckdb_create_table_function();
	d->duckdb_table_function_set_name(fn, t->name);
	for (size_t i = 0; i < t->parameter_count; i++) {
		duckdb_logical_type type = d->duckdb_create_logical_type(duckdb_types[t->parameters[i].type]);
		d->duckdb_table_function_add_named_parameter(fn, t->parameters[i].name, type);
		d->duckdb_destroy_logical_type(&type);
	}
	d->duckdb_table_function_set_extra_info(fn, reg, tf_free);
	d->duckdb_table_function_set_bind(fn, on_bind);
	d->duckdb_table_function_set_init(fn, on_init);
	d->duckdb_table_function_set_local_init(fn, on_local_init);
	d->duckdb_table_function_set_function(fn, on_function);
	d->duckdb_table_function_supports_projection_pushdown(fn, true);
	duckdb_state state = d->duckdb_register_table_function(lake->connection, fn);
	d->duckdb_destroy_table_function(&fn);
	if (state == DuckDBError)
		return tf_fault(f, TF_EXISTS, "cannot register table '%s': the name is taken", t->name);
	return TF_OK;
}

size_t
tf_lake_room(const struct tf_lake_chunk *c)
{
	return c->duck->duckdb_vector_size();
}

void
tf_lake_rows(struct tf_lake_chunk *c, size_t rows)
{
	TF_ASSERT(rows <= tf_lake_room(c));
	c->rows = rows;
}

/* NULL when the column isn't wanted. */
static duckdb_vector
vector_of(struct tf_lake_chunk *c, size_t column)
{
	TF_ASSERT(column < c->scan->call->table->column_count);
	int place = c->scan->place[column];
	return place < 0 ? NULL : c->duck->duckdb_data_chunk_get_vector(c->chunk, (idx_t)place);
}

static void *
data_of(struct tf_lake_chunk *c, size_t column, enum tf_lake_type a, enum tf_lake_type b)
{
	duckdb_vector v = vector_of(c, column);
	enum tf_lake_type type = c->scan->call->table->columns[column].type;
	TF_ASSERT(type == a || type == b);
	return v ? c->duck->duckdb_vector_get_data(v) : NULL;
}

bool
tf_lake_wants(const struct tf_lake_chunk *c, size_t column)
{
	return column < TF_LAKE_COLUMN_MAX && c->scan->place[column] >= 0;
}

int64_t *
tf_lake_i64(struct tf_lake_chunk *c, size_t column)
{
	return data_of(c, column, TF_LAKE_BIGINT, TF_LAKE_TIMESTAMP_TZ);
}

int32_t *
tf_lake_i32(struct tf_lake_chunk *c, size_t column)
{
	return data_of(c, column, TF_LAKE_INTEGER, TF_LAKE_DATE);
}

double *
tf_lake_f64(struct tf_lake_chunk *c, size_t column)
{
	return data_of(c, column, TF_LAKE_DOUBLE, TF_LAKE_DOUBLE);
}

bool *
tf_lake_bool(struct tf_lake_chunk *c, size_t column)
{
	return data_of(c, column, TF_LAKE_BOOLEAN, TF_LAKE_BOOLEAN);
}

/* Bytes of the UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates), 0 when there is none. */
static size_t
utf8_sequence(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	if (size < 2 || size > n)
		return size == 1;
	uint32_t c = *p & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	return c >= least[size] && c <= 0x10ffff && c >> 11 != 0x1b ? size : 0;
}

/* DuckDB trusts its sources to give UTF-8. */
static bool
is_utf8(struct tf_str s)
{
	for (size_t i = 0, size; i < s.n; i += size)
		if (!(size = utf8_sequence((const uint8_t *)s.p + i, s.n - i)))
			return false;
	return true;
}

void
tf_lake_str(struct tf_lake_chunk *c, size_t column, size_t row, size_t n, struct tf_str s)
{
	const struct lake_duck *d = c->duck;
	duckdb_string_t *data = data_of(c, column, TF_LAKE_VARCHAR, TF_LAKE_VARCHAR);
	TF_ASSERT(row + n <= tf_lake_room(c));
	if (!data || !n)
		return;
	if (!is_utf8(s)) {
		tf_fault(&c->fault, TF_INVALID, "a string in column '%s' is not UTF-8",
			 c->scan->call->table->columns[column].name);
		return;
	}
	d->duckdb_vector_assign_string_element_len(vector_of(c, column), row, s.p ? s.p : "", s.n);
	for (size_t i = 1; i < n; i++)
		data[row + i] = data[row];
}

void
tf_lake_null(struct tf_lake_chunk *c, size_t column, size_t row, size_t n)
{
	const struct lake_duck *d = c->duck;
	duckdb_vector v = vector_of(c, column);
	TF_ASSERT(row + n <= tf_lake_room(c));
	if (!v || !n)
		return;
	d->duckdb_vector_ensure_validity_writable(v);
	uint64_t *valid = d->duckdb_vector_get_validity(v);
	for (size_t i = row; i < row + n; i++)
		valid[i / 64] &= ~(1ull << (i % 64));
}
