/* Wide CSV: the first column is the interval's start, every other column one meter.
 *
 * Rows gather in a block, row after row, of at most METER_RUN_MAX rows and BLOCK_BYTES; a full block is turned into
 * runs, column after column: one run where the rows follow each other without a gap, more where they do not. Until the
 * interval is known (header, options, else the rows' own step) the first rows' bytes are kept, so that they can be
 * given back where no interval shows. An empty cell is no reading; a bad cell is one bad record and an empty cell.
 *
 * The record of a bad cell is its row under the header. Past WHOLE_COLUMNS that would make of a row of bad cells the
 * square of its bytes, so there it is the row's time and the cell, under the header of these two. */
#include <stdio.h>

#include "base/mem.h"
#include "in_csv.h"

#define BLOCK_BYTES   ((size_t)32 << 20)
#define PROBE_ROWS    64u /* rows after which the interval is decided */
#define WHOLE_COLUMNS 64u
#define TILE          8u /* columns turned at once: one cache line of a row */

struct column {
	uint32_t meter_at, channel_at; /* in names */
	uint16_t meter_n, channel_n;
	enum meter_unit unit;
	int8_t exponent;
	bool skip;
	uint32_t head_at, head_n; /* as written, in the header; past WHOLE_COLUMNS */
	uint32_t alike;           /* columns from here on with the same exponent */
	struct in_scale scale;
};

struct in_csv_wide {
	uint32_t columns, row_cap, rows;
	uint32_t interval_s; /* 0: not known yet */
	tf_time last;
	struct column *column;
	struct tf_buf names;
	tf_time *starts; /* of row_cap */
	int64_t *values; /* row_cap x columns */
	int64_t *tile;   /* TILE x row_cap */
	size_t time_n;   /* of the header's first cell as written, which begins at time_at */
	size_t time_at;
	struct tf_buf two, two_head; /* the record of a bad cell and its header */
	/* The rows whose interval is not known yet. */
	struct tf_buf kept;
	struct {
		size_t n;
		uint64_t line;
	} kept_row[PROBE_ROWS];
};

/* "METER:CHANNEL": the channel is a letter and up to seven letters or digits behind the last colon. */
static size_t
find_channel(struct tf_str label)
{
	const char *at = label.p && label.n ? memrchr(label.p, ':', label.n) : NULL;
	size_t from = at ? (size_t)(at - label.p) + 1 : label.n, n = label.n - from;
	if (!at || at == label.p || n < 1 || n > 8)
		return label.n;
	for (size_t i = from; i < label.n; i++) {
		char ch = (char)(label.p[i] | 32);
		if (!(ch >= 'a' && ch <= 'z') && (i == from || !(label.p[i] >= '0' && label.p[i] <= '9')))
			return label.n;
	}
	return from;
}

static struct tf_str
name_of(const struct in_csv_wide *w, uint32_t at, uint16_t n)
{
	return tf_str_n(w->names.p + at, n);
}

static void
set_names(struct in_csv_wide *w, struct column *col, struct tf_str label, struct tf_str channel_default)
{
	size_t from = find_channel(label);
	struct tf_str meter = tf_str_n(label.p, from < label.n ? from - 1 : label.n);
	struct tf_str channel = from < label.n ? tf_str_n(label.p + from, label.n - from) : channel_default;
	col->skip = !in_name_ok(meter, METER_METER_MAX) || !in_name_ok(channel, METER_CHANNEL_MAX);
	if (col->skip)
		return;
	col->meter_at = (uint32_t)w->names.n;
	col->meter_n = (uint16_t)meter.n;
	tf_buf_str(&w->names, meter);
	col->channel_at = (uint32_t)w->names.n;
	col->channel_n = (uint16_t)channel.n;
	tf_buf_str(&w->names, channel);
}

/* Cuts a cell off as it is written, quotes and blanks included. */
static struct tf_str
cut_raw(struct tf_str *rest, char sep)
{
	size_t from = 0, n;
	while (from < rest->n && rest->p[from] == ' ')
		from++;
	bool quotes = from < rest->n && rest->p[from] == '"', inside = false;
	for (n = from; n < rest->n && (inside || rest->p[n] != sep); n++)
		inside ^= quotes && rest->p[n] == '"';
	struct tf_str cell = tf_str_n(rest->p, n);
	n += n < rest->n;
	rest->p += n;
	rest->n -= n;
	return cell;
}

/* Where each column's header lies. */
static void
find_heads(struct in_csv *csv, const struct in_line *header)
{
	struct in_csv_wide *w = csv->wide;
	struct tf_str rest = header->text, cell = cut_raw(&rest, csv->sep);
	w->time_at = (size_t)(cell.p - header->bytes.p);
	w->time_n = cell.n;
	for (uint32_t i = 0; i < w->columns && w->columns > WHOLE_COLUMNS; i++) {
		cell = cut_raw(&rest, csv->sep);
		w->column[i].head_at = (uint32_t)(cell.p - header->bytes.p);
		w->column[i].head_n = (uint32_t)cell.n;
	}
}

static struct tf_str
end_of(const struct in_line *line)
{
	size_t n = (size_t)(line->text.p + line->text.n - line->bytes.p);
	return tf_str_n(line->bytes.p + n, line->bytes.n - n);
}

static void
put_two(struct tf_buf *out, struct tf_str time, char sep, struct tf_str cell, struct tf_str end)
{
	tf_buf_reset(out);
	tf_buf_str(out, time);
	tf_buf_u8(out, (uint8_t)sep);
	tf_buf_str(out, cell);
	tf_buf_str(out, end);
}

/* Puts column i and the time's column together as a header of their own: false where it would be read otherwise. */
static bool
head_alone(struct in_csv *csv, uint32_t i)
{
	struct in_csv_wide *w = csv->wide;
	const char *head = (const char *)csv->header.p;
	size_t end = csv->header.n;
	if (w->columns <= WHOLE_COLUMNS)
		return false;
	while (end && (head[end - 1] == '\n' || head[end - 1] == '\r'))
		end--;
	put_two(&w->two_head, tf_str_n(head + w->time_at, w->time_n), csv->sep,
		tf_str_n(head + w->column[i].head_at, w->column[i].head_n), tf_str_n(head + end, csv->header.n - end));
	return !w->two_head.err && in_csv_separator(tf_buf_view(&w->two_head)) == csv->sep;
}

/* A column's header is wrong. */
static enum tf_err
bad_column(struct in_csv *csv, const struct in_line *header, uint32_t i, struct tf_fault *f, const char *text)
{
	struct in_place at = {.line = header->number, .field = i + 2, .unfinished = !header->whole};
	if (!head_alone(csv, i))
		return in_csv_bad(csv, header, i + 2, IN_CSV_COLUMN, f, "%s", text);
	at.bytes = tf_buf_view(&csv->wide->two_head);
	return in_bad(csv->c, &at, IN_CSV_COLUMN, f, "%s", text);
}

/* A cell is wrong; raw is as it is written. */
static enum tf_err
bad_cell(struct in_csv *csv, const struct in_line *line, uint32_t i, struct tf_str raw, enum in_rule rule,
	 struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	struct tf_str rest = line->text, cell = csv->cells[i + 1];
	if (!head_alone(csv, i))
		return in_csv_bad(csv, line, i + 2, rule, f, "the value is '%.*s'", TF_FMT(cell));
	put_two(&w->two, cut_raw(&rest, csv->sep), csv->sep, raw, end_of(line));
	if (w->two.err)
		return tf_fault(f, w->two.err, "cannot keep a cell");
	struct in_place at = {.line = line->number,
			      .field = i + 2,
			      .unfinished = !line->whole,
			      .bytes = tf_buf_view(&w->two),
			      .context = tf_buf_view(&w->two_head),
			      .interval_s = w->interval_s};
	return in_bad(csv->c, &at, rule, f, "the value is '%.*s'", TF_FMT(cell));
}

/* The unit of column i: its own, else the first column's, else the options'. */
static enum tf_err
read_column(struct in_csv *csv, const struct in_line *line, const struct in_csv_head *first, uint32_t i,
	    struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	struct column *col = &w->column[i];
	const struct meter_in_options *o = &csv->c->o;
	struct in_csv_head h;
	in_csv_head(csv->cells[i + 1], &h);
	const struct in_csv_head *unit = h.has_unit && h.label.n ? &h : first;
	col->unit = unit->has_unit ? unit->unit : o->unit;
	col->exponent = unit->has_unit ? unit->exponent : o->unit_exponent;
	in_scale_init(&col->scale, col->exponent);
	if (h.interval_s && !w->interval_s)
		w->interval_s = h.interval_s;
	set_names(w, col, h.label, o->channel);
	col->skip |= h.unknown.n > 0;
	if (!col->skip || (!csv->cells[i + 1].n && i + 1 == w->columns))
		return TF_OK;
	char text[TF_FAULT_TEXT_MAX];
	snprintf(text, sizeof text, "the column's header is '%.*s'", TF_FMT(csv->cells[i + 1]));
	return bad_column(csv, line, i, f, text);
}

static bool
same_channel(const struct in_csv_wide *w, const struct column *a, const struct column *b)
{
	return tf_str_eq(name_of(w, a->meter_at, a->meter_n), name_of(w, b->meter_at, b->meter_n)) &&
	       tf_str_eq(name_of(w, a->channel_at, a->channel_n), name_of(w, b->channel_at, b->channel_n));
}

static size_t
name_hash(const struct in_csv_wide *w, const struct column *col)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (uint32_t i = 0; i < (uint32_t)col->meter_n + col->channel_n; i++)
		h = (h ^ w->names.p[col->meter_at + i]) * 0x100000001b3u;
	return (size_t)(h ^ (h >> 32));
}

/* A column that repeats another's meter and channel is skipped and given to the sink as bad. */
static enum tf_err
skip_repeats(struct in_csv *csv, const struct in_line *line, struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	size_t slots = 1;
	while (slots < (size_t)w->columns * 2)
		slots *= 2;
	uint32_t *slot = tf_calloc(slots, sizeof(*slot)); /* column + 1 */
	if (!slot)
		return tf_fault(f, TF_NO_MEMORY, "cannot check %u columns", w->columns);
	enum tf_err e = TF_OK;
	for (uint32_t i = 0; i < w->columns && e == TF_OK; i++) {
		struct column *col = &w->column[i];
		if (col->skip)
			continue;
		size_t at = name_hash(w, col) & (slots - 1);
		while (slot[at] && !same_channel(w, &w->column[slot[at] - 1], col))
			at = (at + 1) & (slots - 1);
		if (slot[at]) {
			char text[64];
			col->skip = true;
			snprintf(text, sizeof text, "the column repeats column %u", slot[at] + 1);
			e = bad_column(csv, line, i, f, text);
		} else {
			slot[at] = i + 1;
		}
	}
	tf_free(slot);
	return e;
}

static enum tf_err
allocate(struct in_csv *csv, struct tf_fault *f)
{
	struct in_csv_wide *w = tf_calloc(1, sizeof(*w));
	uint32_t columns = csv->cell_count - 1;
	if (!w)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a wide CSV");
	csv->wide = w;
	w->columns = columns;
	size_t cap = BLOCK_BYTES / (sizeof(int64_t) * columns);
	w->row_cap = cap < PROBE_ROWS ? PROBE_ROWS : cap > METER_RUN_MAX ? METER_RUN_MAX : (uint32_t)cap;
	tf_buf_init(&w->kept, 2 * (size_t)METER_LINE_MAX);
	w->last = IN_NO_TIME;
	w->column = tf_calloc(columns, sizeof(*w->column));
	w->starts = tf_malloc(w->row_cap * sizeof(*w->starts));
	w->values = tf_malloc((size_t)w->row_cap * columns * sizeof(*w->values));
	w->tile = tf_malloc((size_t)w->row_cap * TILE * sizeof(*w->tile));
	if (!w->column || !w->starts || !w->values || !w->tile)
		return tf_fault(f, TF_NO_MEMORY, "cannot keep %u columns", columns);
	return TF_OK;
}

enum tf_err
in_csv_wide_open(struct in_csv *csv, const struct in_line *header, struct tf_fault *f)
{
	struct in_csv_head first;
	in_csv_head(csv->cells[0], &first);
	TF_TRY(allocate(csv, f));
	struct in_csv_wide *w = csv->wide;
	w->interval_s = first.interval_s;
	find_heads(csv, header);
	if (first.utc)
		csv->zone = NULL;
	for (uint32_t i = 0; i < w->columns; i++)
		TF_TRY(read_column(csv, header, &first, i, f));
	if (!w->interval_s)
		w->interval_s = csv->c->o.interval_s;
	if (w->names.err)
		return tf_fault(f, w->names.err, "cannot keep the names of %u columns", w->columns);
	for (uint32_t i = w->columns; i-- > 0;) {
		bool alike = i + 1 < w->columns && w->column[i].exponent == w->column[i + 1].exponent;
		w->column[i].alike = alike ? w->column[i + 1].alike + 1 : 1;
	}
	return skip_repeats(csv, header, f);
}

/* One column of rows [from, to), which follow each other: a run from its first to its last value. */
static enum tf_err
give_column(const struct in_csv *csv, const struct column *col, const int64_t *values, uint32_t from, uint32_t to,
	    struct tf_fault *f)
{
	const struct in_csv_wide *w = csv->wide;
	const struct meter_quality quality = {.kind = 'A'};
	while (from < to && values[from] == METER_ABSENT)
		from++;
	while (from < to && values[to - 1] == METER_ABSENT)
		to--;
	if (from == to)
		return TF_OK;
	struct meter_run run = {
		.meter = name_of(w, col->meter_at, col->meter_n),
		.channel = name_of(w, col->channel_at, col->channel_n),
		.unit = col->unit,
		.interval_s = w->interval_s,
		.start = w->starts[from],
		.count = to - from,
		.values = values + from,
		.quality = &quality,
		.quality_count = 1,
	};
	return csv->c->sink.run(csv->c->sink.ctx, &run, f);
}

/* Turns columns [first, first + n) of the block into the tile, column after column. */
static void
turn(struct in_csv_wide *w, uint32_t first, uint32_t n)
{
	for (uint32_t row = 0; row < w->rows; row++) {
		const int64_t *from = w->values + (size_t)row * w->columns + first;
		for (uint32_t i = 0; i < n; i++)
			w->tile[(size_t)i * w->row_cap + row] = from[i];
	}
}

static enum tf_err
flush(struct in_csv *csv, struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	for (uint32_t first = 0; first < w->columns; first += TILE) {
		uint32_t n = w->columns - first < TILE ? w->columns - first : TILE;
		turn(w, first, n);
		for (uint32_t i = 0; i < n; i++) {
			const struct column *col = &w->column[first + i];
			for (uint32_t from = 0, to; from < w->rows && !col->skip; from = to) {
				for (to = from + 1; to < w->rows; to++)
					if (w->starts[to] - w->starts[to - 1] != w->interval_s * TF_SEC)
						break;
				TF_TRY(give_column(csv, col, w->tile + (size_t)i * w->row_cap, from, to, f));
			}
		}
	}
	w->rows = 0;
	return TF_OK;
}

/* The kept rows show no interval: each is bad. */
static enum tf_err
give_back(struct in_csv *csv, struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	size_t at = 0;
	for (uint32_t i = 0; i < w->rows; i++) {
		struct tf_str bytes = tf_str_n(w->kept.p + at, w->kept_row[i].n);
		struct in_line line = {.bytes = bytes, .number = w->kept_row[i].line, .whole = true};
		at += bytes.n;
		TF_TRY(in_csv_bad(csv, &line, 1, IN_INTERVAL, f,
				  "no interval is given, and the rows' times do not show one"));
	}
	w->rows = 0;
	tf_buf_reset(&w->kept);
	return TF_OK;
}

/* Decides the interval from the rows at hand. */
static enum tf_err
decide_interval(struct in_csv *csv, struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	w->interval_s = in_csv_step(w->starts, w->rows);
	in_step(csv->c, w->interval_s);
	if (!w->interval_s)
		return give_back(csv, f);
	tf_buf_release(&w->kept);
	return TF_OK;
}

static enum tf_err
keep_row(struct in_csv *csv, const struct in_line *line, struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	w->kept_row[w->rows - 1].n = line->bytes.n;
	w->kept_row[w->rows - 1].line = line->number;
	tf_buf_str(&w->kept, line->bytes);
	if (w->kept.err)
		return tf_fault(f, w->kept.err, "cannot keep a row");
	return w->rows == PROBE_ROWS || w->kept.n >= METER_LINE_MAX ? decide_interval(csv, f) : TF_OK;
}

/* How many cells a row has, now in csv->cells. */
static enum tf_err
count_cells(struct in_csv *csv, const struct in_line *line, uint32_t *out, bool *out_bad, struct tf_fault *f)
{
	uint32_t bad_field;
	TF_TRY(in_csv_split(csv, line->text, &bad_field, f));
	*out = csv->cell_count;
	*out_bad = bad_field > 0;
	return bad_field ? in_csv_bad(csv, line, bad_field, IN_CSV_QUOTE, f, "the quotes of cell %u do not match",
				      bad_field)
			 : TF_OK;
}

/* The way for rows with quotes, a wrong count, or cells that are no number: checks the row as a whole first, so that a
 * row is either bad as one record, or taken but for its bad cells. */
static enum tf_err
read_cells_slowly(struct in_csv *csv, const struct in_line *line, int64_t *row, bool *out_bad, struct tf_fault *f)
{
	const struct in_csv_wide *w = csv->wide;
	struct tf_str rest = line->text, raw = {0};
	uint32_t n, cut = 0; /* cells cut off rest; raw is the last */
	TF_TRY(count_cells(csv, line, &n, out_bad, f));
	if (*out_bad)
		return TF_OK;
	if (n == w->columns + 2 && !csv->cells[n - 1].n)
		n--;
	if (n != w->columns + 1) {
		*out_bad = true;
		uint32_t field = n < w->columns + 1 ? n + 1 : w->columns + 2;
		return in_csv_bad(csv, line, field, IN_CSV_CELLS, f, "the row has %u cells, the header %u", n,
				  w->columns + 1);
	}
	for (uint32_t i = 0; i < w->columns; i++) {
		struct tf_str cell = csv->cells[i + 1];
		row[i] = METER_ABSENT;
		if (in_csv_absent(cell) || w->column[i].skip)
			continue;
		enum in_number number = in_cell(csv->c, cell, csv->dot, w->column[i].exponent, &row[i]);
		if (number == IN_NUMBER_OK)
			continue;
		for (; cut < i + 2; cut++)
			raw = cut_raw(&rest, csv->sep);
		TF_TRY(bad_cell(csv, line, i, raw, number == IN_NUMBER_RANGE ? IN_VALUE_RANGE : IN_VALUE, f));
	}
	return TF_OK;
}

/* Reads the cells behind the first from p; false when something needs the slow way. */
static bool
read_cells(const struct in_csv *csv, const char *p, const char *end, int64_t *row)
{
	const struct in_csv_wide *w = csv->wide;
	for (uint32_t i = 0; i < w->columns;) {
		const struct column *col = &w->column[i];
		i += (uint32_t)in_fast_values(&p, end, csv->sep, &col->scale, row + i, col->alike);
		if (i == w->columns)
			break;
		const char *sep = memchr(p, csv->sep, (size_t)(end - p));
		struct tf_str cell = tf_str_n(p, (size_t)((sep ? sep : end) - p));
		if (in_csv_absent(cell))
			row[i] = METER_ABSENT;
		else if (in_cell(csv->c, cell, csv->dot, w->column[i].exponent, &row[i]) != IN_NUMBER_OK)
			return false;
		i++;
		if (!sep)
			return i == w->columns;
		p = sep + 1;
	}
	return p == end;
}

enum tf_err
in_csv_wide_row(struct in_csv *csv, const struct in_line *line, struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	struct tf_str text = line->text;
	const char *sep = text.n ? memchr(text.p, csv->sep, text.n) : NULL;
	if (!sep && !tf_str_trim(text).n)
		return TF_OK;
	int64_t *row = w->values + (size_t)w->rows * w->columns;
	struct tf_str time = tf_str_n(text.p, sep ? (size_t)(sep - text.p) : text.n);
	bool bad = false, quoted = memchr(time.p, '"', time.n) != NULL;
	if (quoted) {
		uint32_t cells;
		TF_TRY(count_cells(csv, line, &cells, &bad, f));
		if (bad)
			return TF_OK;
		time = csv->cells[0];
	}
	tf_time start;
	TF_TRY(in_csv_time(csv, line, 1, time, w->last, &start, &bad, f));
	uint64_t rounded = csv->c->rounded;
	if (!bad && (quoted || !sep || !read_cells(csv, sep + 1, text.p + text.n, row))) {
		csv->c->rounded = rounded; /* the cells before are read again */
		TF_TRY(read_cells_slowly(csv, line, row, &bad, f));
	}
	if (bad)
		return TF_OK;
	w->last = start;
	w->starts[w->rows++] = start;
	if (!w->interval_s)
		TF_TRY(keep_row(csv, line, f));
	return w->rows == w->row_cap ? flush(csv, f) : TF_OK;
}

enum tf_err
in_csv_wide_finish(struct in_csv *csv, struct tf_fault *f)
{
	struct in_csv_wide *w = csv->wide;
	if (!w->rows)
		return TF_OK;
	if (!w->interval_s)
		TF_TRY(decide_interval(csv, f));
	return flush(csv, f);
}

void
in_csv_wide_free(struct in_csv *csv)
{
	struct in_csv_wide *w = csv->wide;
	if (!w)
		return;
	tf_buf_release(&w->names);
	tf_buf_release(&w->kept);
	tf_buf_release(&w->two);
	tf_buf_release(&w->two_head);
	tf_free(w->column);
	tf_free(w->starts);
	tf_free(w->values);
	tf_free(w->tile);
	tf_free(w);
	csv->wide = NULL;
}
