/* NEM12 interval data: a 300 record is a day of values; quality V leaves their qualities to the 400 records behind it.
 *
 * The values go from the text to integers in one pass (in_fast.h), straight from the caller's chunk. Only a V day is
 * kept, with its 400 records, until the next record shows that it is complete. */
#include <stdarg.h>
#include <stdio.h>

#include "in_nem.h"

enum { FIRST_VALUE_FIELD = 3 };

/* The cell at *p, up to the comma or the end; moves past the comma. *p is NULL once the last cell was taken. */
static struct tf_str
take_cell(const char **p, const char *end)
{
	const char *comma = memchr(*p, ',', (size_t)(end - *p));
	struct tf_str cell = tf_str_n(*p, (size_t)((comma ? comma : end) - *p));
	*p = comma ? comma + 1 : NULL;
	return tf_str_trim(cell);
}

static bool
like_number(struct tf_str s)
{
	return s.n && ((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '.' || s.p[0] == '-');
}

/* How many values stand in the record: cells before the quality, or up to the last that is not empty. */
static uint32_t
count_values(struct tf_str text)
{
	struct tf_str cell;
	uint32_t number = 0, last = 0;
	tf_str_cut(&text, ',', &cell);
	tf_str_cut(&text, ',', &cell);
	while (tf_str_cut(&text, ',', &cell)) {
		struct meter_quality q;
		cell = tf_str_trim(cell);
		number++;
		if (in_nem_quality(cell, &q))
			return number - 1;
		if (cell.n)
			last = number;
	}
	return last;
}

static enum tf_err
bad_count(struct in_nem *n, const struct in_line *line, uint32_t have, struct tf_fault *f)
{
	uint32_t field = FIRST_VALUE_FIELD + (have < n->day_count ? have : n->day_count);
	return in_nem_bad(n, line, field, IN_NEM12_COUNT, f, "%u values, a day of %u-minute intervals has %u", have,
			  n->interval_s / 60, n->day_count);
}

/* Names what is wrong with value i, whose cell could not be read. */
static enum tf_err
bad_value(struct in_nem *n, const struct in_line *line, uint32_t i, struct tf_str cell, enum in_number why,
	  struct tf_fault *f)
{
	uint32_t have = count_values(line->text);
	if (have != n->day_count)
		return bad_count(n, line, have, f);
	enum in_rule rule = why == IN_NUMBER_RANGE ? IN_VALUE_RANGE : IN_VALUE;
	return in_nem_bad(n, line, FIRST_VALUE_FIELD + i, rule, f, "value %u is '%.*s'", i + 1, TF_FMT(cell));
}

/* Reads the values; *p moves behind them (NULL at the end of the line). Empty cells become METER_ABSENT. Sets
 * *out_bad where the record was given to the sink as bad. */
static enum tf_err
read_values(struct in_nem *n, const struct in_line *line, const char **p, bool *out_empty, bool *out_bad,
	    struct tf_fault *f)
{
	const char *end = line->text.p + line->text.n;
	uint32_t i = 0;
	while (i < n->day_count) {
		if (!*p) {
			*out_bad = true;
			return bad_count(n, line, count_values(line->text), f);
		}
		i += (uint32_t)in_fast_values(p, end, ',', &n->scale, n->values + i, n->day_count - i);
		if (i == n->day_count)
			break;
		struct tf_str cell = take_cell(p, end);
		enum in_number number = in_decimal(cell, '.', n->exponent, &n->values[i]);
		if (number == IN_NUMBER_EMPTY) {
			n->values[i] = METER_ABSENT;
			*out_empty = true;
		} else if (number != IN_NUMBER_OK || n->values[i] < 0) {
			*out_bad = true;
			return bad_value(n, line, i, cell, number, f);
		}
		i++;
	}
	return TF_OK;
}

/* What stands behind the values. */
struct tail {
	struct meter_quality quality;
	tf_time issued;
};

static enum tf_err
read_tail(struct in_nem *n, const struct in_line *line, const char *p, struct tail *out, bool *out_bad,
	  struct tf_fault *f)
{
	const char *end = line->text.p + line->text.n;
	uint32_t field = FIRST_VALUE_FIELD + n->day_count;
	struct tf_str cells[5] = {0};
	for (uint32_t i = 0; i < 5 && p; i++)
		cells[i] = take_cell(&p, end);
	*out_bad = true;
	if (like_number(cells[0]))
		return bad_count(n, line, count_values(line->text), f);
	if (!in_nem_quality(cells[0], &out->quality))
		return in_nem_bad(n, line, field, IN_QUALITY, f, "the quality is '%.*s'", TF_FMT(cells[0]));
	if (!in_nem_reason(cells[1], &out->quality.reason))
		return in_nem_bad(n, line, field + 1, IN_REASON, f, "the reason code is '%.*s'", TF_FMT(cells[1]));
	if (!in_nem_issued(n, cells[3], &out->issued))
		return in_nem_bad(n, line, field + 3, IN_ISSUED, f, "the update time is '%.*s'", TF_FMT(cells[3]));
	for (uint32_t i = 5; p; i++)
		if (take_cell(&p, end).n)
			return in_nem_bad(n, line, field + i, IN_NEM12_FIELDS, f, "field %u stands behind the last",
					  field + i);
	*out_bad = false;
	return TF_OK;
}

/* A null interval has no value, whatever stands in its cell; any other must have one. Returns the first that has none,
 * or the count. */
static uint32_t
apply_nulls(struct in_nem *n, uint32_t from, uint32_t to, struct meter_quality q)
{
	for (uint32_t i = from; i < to; i++) {
		if (q.kind == 'N')
			n->values[i] = METER_ABSENT;
		else if (n->values[i] == METER_ABSENT)
			return i;
	}
	return to;
}

static enum tf_err
bad_empty(struct in_nem *n, const struct in_line *line, uint32_t i, struct tf_fault *f)
{
	return in_nem_bad(n, line, FIRST_VALUE_FIELD + i, IN_VALUE, f, "value %u is empty and not of quality N", i + 1);
}

static enum tf_err
open_day(struct in_nem *n, const struct in_line *line, const struct meter_run *run, struct tf_fault *f)
{
	n->day = *run;
	n->day_open = true;
	n->day_bad = false;
	n->day_line = line->number;
	n->day_unfinished = !line->whole;
	n->covered = 0;
	tf_buf_reset(&n->kept);
	tf_buf_str(&n->kept, line->bytes);
	return n->kept.err ? tf_fault(f, n->kept.err, "cannot keep a 300 record") : TF_OK;
}

enum tf_err
in_nem12_day(struct in_nem *n, const struct in_line *line, struct tf_fault *f)
{
	if (!n->has_register)
		return in_nem_bad(n, line, 0, IN_NEM12_NO_REGISTER, f,
				  "a 300 record without a valid 200 record before it");
	struct meter_run run = {
		.meter = tf_str_n(n->names.p, n->meter_n),
		.channel = tf_str_n(n->names.p + n->meter_n, n->names.n - n->meter_n),
		.unit = n->unit,
		.interval_s = n->interval_s,
		.count = n->day_count,
		.values = n->values,
		.quality = n->qualities,
		.quality_count = 1,
	};
	const char *p = line->text.p, *end = p + line->text.n;
	struct tf_str date = {0};
	struct tail tail;
	bool bad = false, empty = false;
	take_cell(&p, end);
	if (p)
		date = take_cell(&p, end);
	if (!in_nem_day(n, date, &run.start))
		return in_nem_bad(n, line, 2, IN_NEM12_DATE, f, "the interval date is '%.*s'", TF_FMT(date));
	TF_TRY(read_values(n, line, &p, &empty, &bad, f));
	if (bad)
		return TF_OK;
	TF_TRY(read_tail(n, line, p, &tail, &bad, f));
	if (bad)
		return TF_OK;
	run.issued = tail.issued;
	if (tail.quality.kind == 'V')
		return open_day(n, line, &run, f);
	if (empty || tail.quality.kind == 'N') {
		uint32_t i = apply_nulls(n, 0, n->day_count, tail.quality);
		if (i < n->day_count)
			return bad_empty(n, line, i, f);
	}
	n->qualities[0] = tail.quality;
	return n->c->sink.run(n->c->sink.ctx, &run, f);
}

/* Remembers the first thing wrong with the open day; it is given to the sink when the day closes. */
TF_PRINTF(5, 6)
static void
spoil_day(struct in_nem *n, uint64_t line, uint32_t field, enum in_rule rule, const char *fmt, ...)
{
	if (n->day_bad)
		return;
	n->day_bad = true;
	n->bad_line = line;
	n->bad_field = field;
	n->bad_rule = rule;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(n->bad_text.text, sizeof(n->bad_text.text), fmt, ap);
	va_end(ap);
}

static void
apply_range(struct in_nem *n, const struct in_line *line)
{
	struct in_fields r;
	uint64_t from = 0, to = 0;
	struct meter_quality q;
	in_nem_split(line->text, 6, &r);
	if (!tf_str_u64(r.field[1], &from) || from != n->covered + 1) {
		spoil_day(n, line->number, 2, IN_NEM12_RANGES, "the range starts at '%.*s', not at %u",
			  TF_FMT(r.field[1]), n->covered + 1);
	} else if (!tf_str_u64(r.field[2], &to) || to < from || to > n->day_count) {
		spoil_day(n, line->number, 3, IN_NEM12_RANGES, "the range ends at '%.*s', the day has %u intervals",
			  TF_FMT(r.field[2]), n->day_count);
	} else if (!in_nem_quality(r.field[3], &q) || q.kind == 'V') {
		spoil_day(n, line->number, 4, IN_QUALITY, "the quality is '%.*s'", TF_FMT(r.field[3]));
	} else if (!in_nem_reason(r.field[4], &q.reason)) {
		spoil_day(n, line->number, 5, IN_REASON, "the reason code is '%.*s'", TF_FMT(r.field[4]));
	} else {
		uint32_t empty = apply_nulls(n, (uint32_t)from - 1, (uint32_t)to, q);
		if (empty < to)
			spoil_day(n, n->day_line, FIRST_VALUE_FIELD + empty, IN_VALUE,
				  "value %u is empty and not of quality N", empty + 1);
		for (uint64_t i = from - 1; i < to; i++)
			n->qualities[i] = q;
		n->covered = (uint32_t)to;
	}
}

enum tf_err
in_nem12_range(struct in_nem *n, const struct in_line *line, struct tf_fault *f)
{
	if (!n->day_open)
		return in_nem_bad(n, line, 0, IN_NEM12_ALONE, f,
				  "a 400 record without a 300 record of quality V before it");
	/* More 400 records than a day can have are counted as broken and their bytes kept up to the line bound. */
	if (n->kept.n + line->bytes.n <= n->kept.max)
		tf_buf_str(&n->kept, line->bytes);
	n->day_unfinished = !line->whole;
	apply_range(n, line);
	return n->kept.err ? tf_fault(f, n->kept.err, "cannot keep a 400 record") : TF_OK;
}

enum tf_err
in_nem12_close_day(struct in_nem *n, struct tf_fault *f)
{
	n->day_open = false;
	if (n->covered < n->day_count)
		spoil_day(n, n->day_line, 0, IN_NEM12_RANGES, "the 400 records give %u of %u intervals a quality",
			  n->covered, n->day_count);
	if (n->day_bad) {
		struct in_place at = {
			.line = n->bad_line,
			.field = n->bad_field,
			.unfinished = n->day_unfinished,
			.bytes = tf_buf_view(&n->kept),
			.context = tf_buf_view(&n->context),
		};
		return in_bad(n->c, &at, n->bad_rule, f, "%s", n->bad_text.text);
	}
	n->day.quality_count = n->day_count;
	return n->c->sink.run(n->c->sink.ctx, &n->day, f);
}
