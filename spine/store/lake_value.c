/* The values of a result's current row, as text and as integers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/lake_impl.h"

size_t
tf_rows_columns(const struct tf_rows *r)
{
	return r->column_count;
}

static const struct lake_result_column *
column_of(const struct tf_rows *r, size_t column)
{
	TF_ASSERT(column < r->column_count);
	return &r->columns[column];
}

const char *
tf_rows_name(const struct tf_rows *r, size_t column)
{
	return column_of(r, column)->name;
}

enum tf_lake_type
tf_rows_type(const struct tf_rows *r, size_t column)
{
	return column_of(r, column)->shown;
}

bool
tf_rows_is_null(const struct tf_rows *r, size_t column)
{
	const struct lake_result_column *c = column_of(r, column);
	TF_ASSERT(r->chunk && !r->ended);
	return c->validity && !(c->validity[r->row / 64] >> (r->row % 64) & 1);
}

/* Integers of up to 64 bits, and what is one inside; false for other types. */
static bool
integer(const struct lake_result_column *c, size_t row, int64_t *out)
{
	switch (c->type) {
	case DUCKDB_TYPE_BOOLEAN:
		return *out = ((const bool *)c->data)[row], true;
	case DUCKDB_TYPE_TINYINT:
		return *out = ((const int8_t *)c->data)[row], true;
	case DUCKDB_TYPE_SMALLINT:
		return *out = ((const int16_t *)c->data)[row], true;
	case DUCKDB_TYPE_INTEGER:
	case DUCKDB_TYPE_DATE:
		return *out = ((const int32_t *)c->data)[row], true;
	case DUCKDB_TYPE_UTINYINT:
		return *out = ((const uint8_t *)c->data)[row], true;
	case DUCKDB_TYPE_USMALLINT:
		return *out = ((const uint16_t *)c->data)[row], true;
	case DUCKDB_TYPE_UINTEGER:
		return *out = ((const uint32_t *)c->data)[row], true;
	case DUCKDB_TYPE_BIGINT:
	case DUCKDB_TYPE_TIMESTAMP:
	case DUCKDB_TYPE_TIMESTAMP_TZ:
		return *out = ((const int64_t *)c->data)[row], true;
	default:
		return false;
	}
}

enum tf_err
tf_rows_i64(struct tf_rows *r, size_t column, int64_t *out, struct tf_fault *f)
{
	const struct lake_result_column *c = column_of(r, column);
	if (tf_rows_is_null(r, column))
		return tf_fault(f, TF_INVALID, "cannot read column '%s': it is NULL", c->name);
	if (integer(c, r->row, out))
		return TF_OK;
	if (c->type != DUCKDB_TYPE_HUGEINT)
		return tf_fault(f, TF_INVALID, "cannot read column '%s': it is no integer", c->name);
	duckdb_hugeint h = ((const duckdb_hugeint *)c->data)[r->row];
	if (h.upper != (int64_t)h.lower >> 63)
		return tf_fault(f, TF_TOO_LARGE, "cannot read column '%s': past 64 bits", c->name);
	*out = (int64_t)h.lower;
	return TF_OK;
}

static struct tf_str
hugeint_text(duckdb_hugeint h, char scratch[static LAKE_SCRATCH])
{
	unsigned __int128 v = (unsigned __int128)(uint64_t)h.upper << 64 | h.lower;
	bool minus = h.upper < 0;
	v = minus ? -v : v;
	char *p = scratch + LAKE_SCRATCH;
	do
		*--p = (char)('0' + (int)(v % 10));
	while (v /= 10);
	if (minus)
		*--p = '-';
	return tf_str_n(p, (size_t)(scratch + LAKE_SCRATCH - p));
}

static struct tf_str
double_text(double v, char scratch[static LAKE_SCRATCH])
{
	int n = 0;
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(scratch, LAKE_SCRATCH, "%.*g", digits, v);
		if (strtod(scratch, NULL) == v)
			break;
	}
	return tf_str_n(scratch, (size_t)n);
}

static struct tf_str
date_text(const struct lake_duck *d, int32_t days, char scratch[static LAKE_SCRATCH])
{
	if (days == INT32_MAX || days == -INT32_MAX)
		return tf_str(days > 0 ? "infinity" : "-infinity");
	duckdb_date_struct s = d->duckdb_from_date((duckdb_date){days});
	int n = snprintf(scratch, LAKE_SCRATCH, "%04d-%02d-%02d", s.year, s.month, s.day);
	return tf_str_n(scratch, (size_t)n);
}

static struct tf_str
timestamp_text(const struct lake_duck *d, int64_t us, bool zoned, char scratch[static LAKE_SCRATCH])
{
	if (us == INT64_MAX || us == -INT64_MAX)
		return tf_str(us > 0 ? "infinity" : "-infinity");
	duckdb_timestamp_struct s = d->duckdb_from_timestamp((duckdb_timestamp){us});
	int n = snprintf(scratch, LAKE_SCRATCH, "%04d-%02d-%02dT%02d:%02d:%02d", s.date.year, s.date.month, s.date.day,
			 s.time.hour, s.time.min, s.time.sec);
	if (s.time.micros)
		n += snprintf(scratch + n, LAKE_SCRATCH - (size_t)n, ".%06d", s.time.micros);
	n += snprintf(scratch + n, LAKE_SCRATCH - (size_t)n, "%s", zoned ? "Z" : "");
	return tf_str_n(scratch, (size_t)n);
}

static struct tf_str
varchar_text(const duckdb_string_t *s)
{
	uint32_t n = s->value.inlined.length;
	return tf_str_n(n <= sizeof s->value.inlined.inlined ? s->value.inlined.inlined : s->value.pointer.ptr, n);
}

struct tf_str
tf_rows_text(struct tf_rows *r, size_t column)
{
	const struct lake_duck *d = r->lake->duck;
	if (tf_rows_is_null(r, column))
		return TF_STR("");
	struct lake_result_column *c = &r->columns[column];
	int64_t v = 0;
	bool is_integer = integer(c, r->row, &v);
	switch (c->type) {
	case DUCKDB_TYPE_VARCHAR:
		return varchar_text((const duckdb_string_t *)c->data + r->row);
	case DUCKDB_TYPE_DOUBLE:
		return double_text(((const double *)c->data)[r->row], c->scratch);
	case DUCKDB_TYPE_HUGEINT:
		return hugeint_text(((const duckdb_hugeint *)c->data)[r->row], c->scratch);
	case DUCKDB_TYPE_BOOLEAN:
		return tf_str(v ? "true" : "false");
	case DUCKDB_TYPE_DATE:
		return date_text(d, (int32_t)v, c->scratch);
	case DUCKDB_TYPE_TIMESTAMP:
	case DUCKDB_TYPE_TIMESTAMP_TZ:
		return timestamp_text(d, v, c->type == DUCKDB_TYPE_TIMESTAMP_TZ, c->scratch);
	default:
		/* A statement that is no SELECT could not be cast: its other columns have no text. */
		if (!is_integer)
			return TF_STR("");
		return tf_str_n(c->scratch, (size_t)snprintf(c->scratch, LAKE_SCRATCH, "%" PRId64, v));
	}
}
