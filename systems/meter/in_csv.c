/* CSV, wide or long: the header decides. Cells are separated by ',' ';' or tab (the most frequent in the header);
 * where it is ';', a comma is a decimal point too. Quotes as RFC 4180, but a quoted cell holds no line end.
 *
 * Long: the header names a time column (start or end) and a value column. Wide: its first cell looks like a time's. */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "in_csv.h"

enum tf_err
in_csv_bad(const struct in_csv *csv, const struct in_line *line, uint32_t field, enum in_rule rule, struct tf_fault *f,
	   const char *fmt, ...)
{
	struct in_place at = {
		.line = line->number,
		.field = field,
		.unfinished = !line->whole,
		.bytes = line->bytes,
		.context = tf_buf_view(&csv->header),
	};
	if (at.context.n > IN_CSV_CONTEXT && at.context.n / IN_CSV_CONTEXT_RATIO > at.bytes.n)
		at.context = (struct tf_str){0};
	char text[TF_FAULT_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return in_bad(csv->c, &at, rule, f, "%s", text);
}

enum tf_err
in_csv_time(const struct in_csv *csv, const struct in_line *line, uint32_t field, struct tf_str cell, tf_time last,
	    tf_time *out, bool *out_bad, struct tf_fault *f)
{
	enum tf_err e = in_when(cell, csv->zone, last, out);
	*out_bad = e != TF_OK;
	if (e == TF_NOT_FOUND)
		return in_csv_bad(csv, line, field, IN_LOCAL_MISSING, f, "the local time '%.*s' does not exist in %s",
				  TF_FMT(cell), tf_zone_name(csv->zone));
	if (e != TF_OK)
		return in_csv_bad(csv, line, field, IN_TIME, f, "the time is '%.*s'", TF_FMT(cell));
	return TF_OK;
}

bool
in_csv_absent(struct tf_str cell)
{
	return !cell.n || tf_str_eq_nocase(cell, TF_STR("nan")) || tf_str_eq_nocase(cell, TF_STR("null")) ||
	       tf_str_eq_nocase(cell, TF_STR("na"));
}

static enum tf_err
add_cell(struct in_csv *csv, struct tf_str cell, struct tf_fault *f)
{
	if (csv->cell_count > METER_COLUMNS_MAX)
		return tf_fault(f, TF_TOO_LARGE, "more than %u columns", METER_COLUMNS_MAX);
	if (csv->cell_count == csv->cell_cap) {
		uint32_t cap = csv->cell_cap ? csv->cell_cap * 2 : 64;
		struct tf_str *cells = tf_realloc(csv->cells, cap * sizeof(*cells));
		if (!cells)
			return tf_fault(f, TF_NO_MEMORY, "cannot keep %u cells", cap);
		csv->cells = cells;
		csv->cell_cap = cap;
	}
	csv->cells[csv->cell_count++] = tf_str_trim(cell);
	return TF_OK;
}

/* A quoted cell at s: its text to *out, its length with both quotes returned; 0 when it does not end. */
static size_t
unquote(struct in_csv *csv, struct tf_str s, struct tf_str *out)
{
	size_t at = csv->unquoted.n, i = 1;
	for (; i < s.n; i++) {
		if (s.p[i] == '"' && !(i + 1 < s.n && s.p[i + 1] == '"'))
			break;
		i += s.p[i] == '"';
		tf_buf_u8(&csv->unquoted, (uint8_t)s.p[i]);
	}
	*out = tf_str_n(csv->unquoted.p + at, csv->unquoted.n - at);
	return i < s.n ? i + 1 : 0;
}

/* Room up front, so that the cells' pointers into it stay valid. */
static enum tf_err
ready_unquoted(struct in_csv *csv, size_t n, struct tf_fault *f)
{
	tf_buf_reset(&csv->unquoted);
	return tf_buf_room(&csv->unquoted, n) ? TF_OK : tf_fault(f, csv->unquoted.err, "cannot keep a row");
}

enum tf_err
in_csv_split(struct in_csv *csv, struct tf_str text, uint32_t *out_bad_field, struct tf_fault *f)
{
	struct tf_str cell;
	csv->cell_count = 0;
	*out_bad_field = 0;
	if (!text.n || !memchr(text.p, '"', text.n)) {
		while (tf_str_cut(&text, csv->sep, &cell))
			TF_TRY(add_cell(csv, cell, f));
		return TF_OK;
	}
	TF_TRY(ready_unquoted(csv, text.n, f));
	while (text.p) {
		while (text.n && text.p[0] == ' ')
			text.p++, text.n--;
		if (!text.n || text.p[0] != '"') {
			tf_str_cut(&text, csv->sep, &cell);
			TF_TRY(add_cell(csv, cell, f));
			continue;
		}
		size_t n = unquote(csv, text, &cell);
		struct tf_str rest;
		text.p += n, text.n -= n;
		TF_TRY(add_cell(csv, cell, f));
		if (!n || !tf_str_cut(&text, csv->sep, &rest) || tf_str_trim(rest).n) {
			*out_bad_field = csv->cell_count;
			return TF_OK;
		}
	}
	return TF_OK;
}

char
in_csv_separator(struct tf_str text)
{
	static const char seps[] = {',', ';', '\t'};
	size_t counts[3] = {0}, best = 0;
	bool quoted = false;
	for (size_t i = 0; i < text.n; i++) {
		quoted ^= text.p[i] == '"';
		for (size_t k = 0; k < 3 && !quoted; k++)
			counts[k] += text.p[i] == seps[k];
	}
	for (size_t k = 1; k < 3; k++)
		best = counts[k] > counts[best] ? k : best;
	return counts[best] ? seps[best] : 0;
}

static bool
like_time(const struct in_csv_head *h)
{
	static const char *const words[] = {"time", "date", "start", "ts", "dt", "hour", "stamp", "interval"};
	if (in_csv_role(h) == IN_CSV_START)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *at = strstr(h->name, words[i]);
		size_t n = strlen(words[i]);
		if (at && (n > 2 || ((at == h->name || at[-1] == '_') && (!at[n] || at[n] == '_'))))
			return true;
	}
	return false;
}

static enum tf_err
read_header(struct in_csv *csv, const struct in_line *line, struct tf_fault *f)
{
	struct in_csv_head first;
	uint32_t bad_field = 0;
	csv->sep = in_csv_separator(line->text);
	csv->dot = csv->sep == ';' ? ',' : '.';
	if (!csv->sep)
		return tf_fault(f, TF_UNSUPPORTED, "unknown format: the first line is '%.*s'", TF_FMT(line->text));
	tf_buf_str(&csv->header, line->bytes);
	if (csv->header.err)
		return tf_fault(f, csv->header.err, "cannot keep the header");
	TF_TRY(in_csv_split(csv, line->text, &bad_field, f));
	if (bad_field)
		return tf_fault(f, TF_UNSUPPORTED, "the header's cell %u has unbalanced quotes", bad_field);
	enum tf_err e = in_csv_long_open(csv, f);
	if (e != TF_NOT_FOUND)
		return e;
	in_csv_head(csv->cells[0], &first);
	if (!like_time(&first))
		return tf_fault(f, TF_UNSUPPORTED,
				"unknown format: a CSV header needs a time and a value column, or a time first; "
				"it starts '%.*s'",
				TF_FMT(line->text));
	return in_csv_wide_open(csv, line, f);
}

static enum tf_err
csv_line(void *parser, const struct in_line *line, struct tf_fault *f)
{
	struct in_csv *csv = parser;
	if (csv->wide)
		return in_csv_wide_row(csv, line, f);
	if (csv->rows)
		return in_csv_long_row(csv, line, f);
	return tf_str_trim(line->text).n ? read_header(csv, line, f) : TF_OK;
}

static enum tf_err
csv_open(struct in_ctx *c, void **out, struct tf_fault *f)
{
	struct in_csv *csv = tf_calloc(1, sizeof(*csv));
	if (!csv)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a CSV parser");
	csv->c = c;
	csv->zone = c->o.zone;
	*out = csv;
	return TF_OK;
}

static enum tf_err
csv_finish(void *parser, bool cut, struct tf_fault *f)
{
	struct in_csv *csv = parser;
	if (csv->wide)
		return in_csv_wide_finish(csv, f);
	return csv->rows ? in_csv_long_finish(csv, f) : TF_OK;
}

static void
csv_free(void *parser)
{
	struct in_csv *csv = parser;
	in_csv_wide_free(csv);
	in_csv_long_free(csv);
	tf_buf_release(&csv->header);
	tf_buf_release(&csv->unquoted);
	tf_free(csv->cells);
	tf_free(csv);
}

static const char *
csv_detail(const void *parser)
{
	const struct in_csv *csv = parser;
	return csv->wide ? "csv-wide" : csv->rows ? "csv-long" : "csv";
}

const struct in_format in_csv = {
	.name = "csv",
	.open = csv_open,
	.line = csv_line,
	.finish = csv_finish,
	.free = csv_free,
	.detail = csv_detail,
};
