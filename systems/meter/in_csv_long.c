/* Long CSV: one reading a row; columns in any order, found by their names (in_csv_head.c).
 *
 * Rows gather with the channel they belong to, in the order they came; a full block (ROWS_MAX rows, CHANNELS_MAX
 * channels or KEPT_MAX bytes) is sorted by channel and turned into runs. The interval is the row's own (end, interval
 * column), else the header's or the options', else the step the channel's rows show, else that of the channel before;
 * bytes of rows are kept only while their channel's interval is not known, to be given back where none shows. */
#include "base/mem.h"
#include "in_csv.h"

#define ROWS_MAX     (1u << 18)
#define CHANNELS_MAX (1u << 16)
#define SLOTS        (CHANNELS_MAX * 2)
#define KEPT_MAX     ((size_t)2 * METER_LINE_MAX)
#define NO_CHANNEL   UINT32_MAX

struct row {
	tf_time start; /* or end, where only ends are given and the interval is not known yet */
	tf_time issued;
	int64_t value;
	uint64_t line;
	size_t kept_at;
	uint32_t kept_n; /* 0: not kept */
	uint32_t channel;
	uint32_t interval_s; /* 0: the channel's */
	struct meter_quality quality;
};

struct channel {
	uint32_t name_at; /* meter, channel behind it */
	uint8_t meter_n, channel_n;
	enum meter_unit unit;
	uint32_t interval_s;
	uint32_t first, count; /* of its rows in order */
	tf_time last;
};

struct in_csv_long {
	uint32_t at[IN_CSV_ROLES]; /* column + 1 of each role; 0: not there */
	uint32_t columns;
	enum meter_unit unit;
	int8_t exponent;
	uint32_t interval_s; /* header's or options' */
	uint32_t file_step;  /* the last step a channel showed */
	struct tf_str meter;
	struct row *row;
	uint32_t rows, *order;
	struct channel *channel;
	uint32_t channels, *slot; /* channel + 1 */
	uint32_t last_channel;
	struct tf_buf names, kept;
	/* A run being put together. */
	int64_t *values;
	struct meter_quality *qualities;
	tf_time *starts;
};

static struct tf_str
cell_of(const struct in_csv *csv, enum in_csv_role role)
{
	uint32_t at = csv->rows->at[role];
	return at ? csv->cells[at - 1] : tf_str_n("", 0);
}

static enum tf_err
allocate(struct in_csv *csv, struct tf_fault *f)
{
	struct in_csv_long *l = csv->rows;
	l->row = tf_malloc(ROWS_MAX * sizeof(*l->row));
	l->order = tf_malloc(ROWS_MAX * sizeof(*l->order));
	l->channel = tf_malloc(CHANNELS_MAX * sizeof(*l->channel));
	l->slot = tf_calloc(SLOTS, sizeof(*l->slot));
	l->values = tf_malloc(METER_RUN_MAX * sizeof(*l->values));
	l->qualities = tf_malloc(METER_RUN_MAX * sizeof(*l->qualities));
	l->starts = tf_malloc(METER_RUN_MAX * sizeof(*l->starts));
	if (!l->row || !l->order || !l->channel || !l->slot || !l->values || !l->qualities || !l->starts)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a long CSV");
	return TF_OK;
}

/* Finds the columns; TF_NOT_FOUND where time or value is missing. */
static enum tf_err
read_columns(struct in_csv *csv, struct in_csv_long *l, struct tf_fault *f)
{
	bool utc = false;
	for (uint32_t i = 0; i < csv->cell_count; i++) {
		struct in_csv_head h;
		in_csv_head(csv->cells[i], &h);
		enum in_csv_role role = in_csv_role(&h);
		if (role == IN_CSV_VALUE && l->at[role])
			return tf_fault(f, TF_UNSUPPORTED, "columns %u and %u both hold values", l->at[role], i + 1);
		if (role == IN_CSV_OTHER || l->at[role])
			continue;
		l->at[role] = i + 1;
		utc |= h.utc;
		l->interval_s = h.interval_s ? h.interval_s : l->interval_s;
		if (role == IN_CSV_VALUE && h.has_unit) {
			l->unit = h.unit;
			l->exponent = h.exponent;
		}
	}
	if (!l->at[IN_CSV_VALUE] || (!l->at[IN_CSV_START] && !l->at[IN_CSV_END]))
		return TF_NOT_FOUND;
	if (utc)
		csv->zone = NULL;
	return TF_OK;
}

enum tf_err
in_csv_long_open(struct in_csv *csv, struct tf_fault *f)
{
	const struct meter_in_options *o = &csv->c->o;
	struct in_csv_long head = {.columns = csv->cell_count, .unit = o->unit, .exponent = o->unit_exponent};
	TF_TRY(read_columns(csv, &head, f));
	struct in_csv_long *l = tf_malloc(sizeof(*l));
	if (!l)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a long CSV");
	*l = head;
	csv->rows = l;
	tf_buf_init(&l->kept, KEPT_MAX);
	l->last_channel = NO_CHANNEL;
	l->meter = o->meter.n ? o->meter : csv->c->base;
	if (!l->interval_s)
		l->interval_s = o->interval_s;
	return allocate(csv, f);
}

/* Takes the channel's interval from its rows [first, first + count) of order, where it is not known. */
static void
learn_step(struct in_csv *csv, struct channel *ch)
{
	struct in_csv_long *l = csv->rows;
	uint32_t n = ch->count < 64 ? ch->count : 64;
	if (ch->interval_s)
		return;
	for (uint32_t i = 0; i < n; i++)
		l->starts[i] = l->row[l->order[ch->first + i]].start;
	ch->interval_s = in_csv_step(l->starts, n);
	in_step(csv->c, ch->interval_s);
	if (ch->interval_s)
		l->file_step = ch->interval_s;
}

/* Every row its interval; where only ends are given, the start is taken from it. */
static void
settle_intervals(struct in_csv_long *l)
{
	bool ends = !l->at[IN_CSV_START];
	for (uint32_t i = 0; i < l->rows; i++) {
		struct row *r = &l->row[i];
		if (r->interval_s)
			continue;
		uint32_t own = l->channel[r->channel].interval_s;
		r->interval_s = own ? own : l->file_step;
		if (ends)
			r->start -= r->interval_s * TF_SEC;
	}
}

static void
sort_rows(struct in_csv_long *l)
{
	uint32_t at = 0;
	for (uint32_t i = 0; i < l->channels; i++)
		l->channel[i].count = 0;
	for (uint32_t i = 0; i < l->rows; i++)
		l->channel[l->row[i].channel].count++;
	for (uint32_t i = 0; i < l->channels; i++) {
		l->channel[i].first = at;
		at += l->channel[i].count;
		l->channel[i].count = 0;
	}
	for (uint32_t i = 0; i < l->rows; i++) {
		struct channel *ch = &l->channel[l->row[i].channel];
		l->order[ch->first + ch->count++] = i;
	}
}

static enum tf_err
give_back(struct in_csv *csv, const struct row *r, struct tf_fault *f)
{
	struct in_line line = {
		.bytes = tf_str_n(csv->rows->kept.p + r->kept_at, r->kept_n),
		.number = r->line,
		.whole = true,
	};
	return in_csv_bad(csv, &line, 0, IN_INTERVAL, f, "no interval is given, and the rows' times do not show one");
}

static bool
follows(const struct row *a, const struct row *b)
{
	return b->start - a->start == a->interval_s * TF_SEC && a->interval_s == b->interval_s &&
	       a->issued == b->issued;
}

/* The run that starts with the channel's row i; returns how many rows it took. */
static uint32_t
gather(struct in_csv_long *l, const struct channel *ch, uint32_t i, struct meter_run *run)
{
	const struct row *first = &l->row[l->order[ch->first + i]], *r = first;
	uint32_t n = 0;
	run->quality_count = 1;
	for (;;) {
		l->values[n] = r->value;
		l->qualities[n] = r->quality;
		if (memcmp(&r->quality, &first->quality, sizeof(r->quality)) != 0)
			run->quality_count = 0;
		n++;
		if (i + n == ch->count || n == METER_RUN_MAX)
			break;
		const struct row *next = &l->row[l->order[ch->first + i + n]];
		if (!follows(r, next))
			break;
		r = next;
	}
	run->quality_count = run->quality_count ? 1 : n;
	run->interval_s = first->interval_s;
	run->start = first->start;
	run->issued = first->issued;
	run->count = n;
	return n;
}

static enum tf_err
give_channel(struct in_csv *csv, const struct channel *ch, struct tf_fault *f)
{
	struct in_csv_long *l = csv->rows;
	const uint8_t *name = l->names.p + ch->name_at;
	struct meter_run run = {
		.meter = tf_str_n(name, ch->meter_n),
		.channel = tf_str_n(name + ch->meter_n, ch->channel_n),
		.unit = ch->unit,
		.values = l->values,
		.quality = l->qualities,
	};
	for (uint32_t i = 0; i < ch->count;) {
		const struct row *r = &l->row[l->order[ch->first + i]];
		if (!r->interval_s) {
			TF_TRY(give_back(csv, r, f));
			i++;
			continue;
		}
		i += gather(l, ch, i, &run);
		TF_TRY(csv->c->sink.run(csv->c->sink.ctx, &run, f));
	}
	return TF_OK;
}

static enum tf_err
flush(struct in_csv *csv, struct tf_fault *f)
{
	struct in_csv_long *l = csv->rows;
	sort_rows(l);
	for (uint32_t i = 0; i < l->channels; i++)
		learn_step(csv, &l->channel[i]);
	settle_intervals(l);
	for (uint32_t i = 0; i < l->channels; i++)
		TF_TRY(give_channel(csv, &l->channel[i], f));
	l->rows = 0;
	tf_buf_reset(&l->kept);
	if (l->channels > CHANNELS_MAX / 2) { /* forget the channels, so that a file of very many has a bound */
		l->channels = 0;
		l->last_channel = NO_CHANNEL;
		tf_buf_reset(&l->names);
		memset(l->slot, 0, SLOTS * sizeof(*l->slot));
	}
	return TF_OK;
}

static bool
is_channel(const struct in_csv_long *l, uint32_t i, struct tf_str meter, struct tf_str channel, enum meter_unit unit)
{
	const struct channel *ch = &l->channel[i];
	const uint8_t *name = l->names.p + ch->name_at;
	return ch->unit == unit && tf_str_eq(tf_str_n(name, ch->meter_n), meter) &&
	       tf_str_eq(tf_str_n(name + ch->meter_n, ch->channel_n), channel);
}

static uint64_t
hash(uint64_t h, struct tf_str s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3u;
	return h ^ (h >> 29);
}

static enum tf_err
find_channel(struct in_csv_long *l, struct tf_str meter, struct tf_str channel, enum meter_unit unit, uint32_t *out,
	     struct tf_fault *f)
{
	if (l->last_channel != NO_CHANNEL && is_channel(l, l->last_channel, meter, channel, unit)) {
		*out = l->last_channel;
		return TF_OK;
	}
	uint64_t h = hash(hash(0xcbf29ce484222325u + unit, meter), channel);
	size_t at = (h * 0x9e3779b97f4a7c15u) >> 47;
	_Static_assert(SLOTS == 1 << (64 - 47), "the slot is the hash's top bits");
	while (l->slot[at] && !is_channel(l, l->slot[at] - 1, meter, channel, unit))
		at = (at + 1) % SLOTS;
	if (!l->slot[at]) {
		l->channel[l->channels] = (struct channel){
			.name_at = (uint32_t)l->names.n,
			.meter_n = (uint8_t)meter.n,
			.channel_n = (uint8_t)channel.n,
			.unit = unit,
			.interval_s = l->interval_s,
			.last = IN_NO_TIME,
		};
		tf_buf_str(&l->names, meter);
		tf_buf_str(&l->names, channel);
		if (l->names.err)
			return tf_fault(f, l->names.err, "cannot keep a meter's name");
		l->slot[at] = ++l->channels;
	}
	*out = l->last_channel = l->slot[at] - 1;
	return TF_OK;
}

/* Whose reading it is, into row->channel, and its unit's exponent. */
static enum tf_err
read_channel(struct in_csv *csv, const struct in_line *line, struct row *row, int8_t *out_exponent, bool *out_bad,
	     struct tf_fault *f)
{
	struct in_csv_long *l = csv->rows;
	struct tf_str meter = l->at[IN_CSV_METER] ? cell_of(csv, IN_CSV_METER) : l->meter;
	struct tf_str channel = cell_of(csv, IN_CSV_CHANNEL), uom = cell_of(csv, IN_CSV_UNIT);
	enum meter_unit unit = l->unit;
	*out_exponent = l->exponent;
	*out_bad = true;
	if (!in_name_ok(meter, METER_METER_MAX))
		return in_csv_bad(csv, line, l->at[IN_CSV_METER], IN_METER_ID, f, "the meter is '%.*s'", TF_FMT(meter));
	if (!channel.n)
		channel = csv->c->o.channel;
	if (!in_name_ok(channel, METER_CHANNEL_MAX))
		return in_csv_bad(csv, line, l->at[IN_CSV_CHANNEL], IN_CHANNEL, f, "the channel is '%.*s'",
				  TF_FMT(channel));
	if (uom.n && !in_unit(uom, &unit, out_exponent))
		return in_csv_bad(csv, line, l->at[IN_CSV_UNIT], IN_UNIT, f, "the unit is '%.*s'", TF_FMT(uom));
	*out_bad = false;
	return find_channel(l, meter, channel, unit, &row->channel, f);
}

/* The interval the row itself says: row->interval_s stays 0 where it says none. */
static enum tf_err
read_interval(struct in_csv *csv, const struct in_line *line, struct row *row, bool *out_bad, struct tf_fault *f)
{
	struct in_csv_long *l = csv->rows;
	struct tf_str length = cell_of(csv, IN_CSV_INTERVAL), end_text = cell_of(csv, IN_CSV_END);
	tf_time end;
	*out_bad = false;
	if (l->at[IN_CSV_START] && end_text.n) {
		uint32_t field = l->at[IN_CSV_END];
		TF_TRY(in_csv_time(csv, line, field, end_text, row->start, &end, out_bad, f));
		if (*out_bad)
			return TF_OK;
		*out_bad = end <= row->start || (end - row->start) / TF_SEC > METER_INTERVAL_MAX_S;
		if (*out_bad)
			return in_csv_bad(csv, line, field, IN_INTERVAL, f, "the interval ends at '%.*s'",
					  TF_FMT(end_text));
		row->interval_s = (uint32_t)((end - row->start) / TF_SEC);
	} else if (length.n) {
		*out_bad = !in_interval(length, &row->interval_s);
		if (*out_bad)
			return in_csv_bad(csv, line, l->at[IN_CSV_INTERVAL], IN_INTERVAL, f, "the interval is '%.*s'",
					  TF_FMT(length));
		if (!l->at[IN_CSV_START])
			row->start -= row->interval_s * TF_SEC;
	}
	return TF_OK;
}

static enum tf_err
read_times(struct in_csv *csv, const struct in_line *line, struct row *row, bool *out_bad, struct tf_fault *f)
{
	struct in_csv_long *l = csv->rows;
	struct channel *ch = &l->channel[row->channel];
	enum in_csv_role role = l->at[IN_CSV_START] ? IN_CSV_START : IN_CSV_END;
	struct tf_str issued = cell_of(csv, IN_CSV_ISSUED);
	TF_TRY(in_csv_time(csv, line, l->at[role], cell_of(csv, role), ch->last, &row->start, out_bad, f));
	if (*out_bad)
		return TF_OK;
	tf_time told = row->start;
	TF_TRY(read_interval(csv, line, row, out_bad, f));
	if (*out_bad)
		return TF_OK;
	*out_bad = issued.n && in_when(issued, csv->zone, IN_NO_TIME, &row->issued) != TF_OK;
	if (*out_bad)
		return in_csv_bad(csv, line, l->at[IN_CSV_ISSUED], IN_ISSUED, f, "the issue time is '%.*s'",
				  TF_FMT(issued));
	ch->last = told;
	return TF_OK;
}

static enum tf_err
read_value(struct in_csv *csv, const struct in_line *line, int8_t exponent, struct row *row, bool *out_bad,
	   struct tf_fault *f)
{
	struct in_csv_long *l = csv->rows;
	struct tf_str value = cell_of(csv, IN_CSV_VALUE), quality = cell_of(csv, IN_CSV_QUALITY);
	bool absent = in_csv_absent(value);
	row->quality.kind = absent ? 'N' : 'A';
	*out_bad = quality.n && !in_quality(quality, &row->quality);
	if (*out_bad)
		return in_csv_bad(csv, line, l->at[IN_CSV_QUALITY], IN_QUALITY, f, "the quality is '%.*s'",
				  TF_FMT(quality));
	if (absent || row->quality.kind == 'N') {
		row->value = METER_ABSENT;
		return TF_OK;
	}
	enum in_number number = in_cell(csv->c, value, csv->dot, exponent, &row->value);
	*out_bad = number != IN_NUMBER_OK;
	if (*out_bad)
		return in_csv_bad(csv, line, l->at[IN_CSV_VALUE], number == IN_NUMBER_RANGE ? IN_VALUE_RANGE : IN_VALUE,
				  f, "the value is '%.*s'", TF_FMT(value));
	return TF_OK;
}

static enum tf_err
check_cells(struct in_csv *csv, const struct in_line *line, bool *out_bad, struct tf_fault *f)
{
	uint32_t quote_field, n, want = csv->rows->columns;
	TF_TRY(in_csv_split(csv, line->text, &quote_field, f));
	n = csv->cell_count;
	if (n == want + 1 && !csv->cells[n - 1].n)
		n--;
	*out_bad = quote_field || n != want;
	if (quote_field)
		return in_csv_bad(csv, line, quote_field, IN_CSV_QUOTE, f, "the quotes of cell %u do not match",
				  quote_field);
	if (n != want)
		return in_csv_bad(csv, line, n < want ? n + 1 : want + 1, IN_CSV_CELLS, f,
				  "the row has %u cells, the header %u", n, want);
	return TF_OK;
}

/* Keeps the row's bytes while it may have to be given back. */
static enum tf_err
keep(struct in_csv_long *l, const struct in_line *line, struct row *row, struct tf_fault *f)
{
	struct channel *ch = &l->channel[row->channel];
	if (!row->interval_s && ch->interval_s) {
		row->interval_s = ch->interval_s;
		if (!l->at[IN_CSV_START])
			row->start -= row->interval_s * TF_SEC;
	}
	if (row->interval_s)
		return TF_OK;
	row->kept_at = l->kept.n;
	row->kept_n = (uint32_t)line->bytes.n;
	tf_buf_str(&l->kept, line->bytes);
	return l->kept.err ? tf_fault(f, l->kept.err, "cannot keep a row") : TF_OK;
}

enum tf_err
in_csv_long_row(struct in_csv *csv, const struct in_line *line, struct tf_fault *f)
{
	struct in_csv_long *l = csv->rows;
	struct row row = {.line = line->number};
	int8_t exponent;
	bool bad = false;
	if (!tf_str_trim(line->text).n)
		return TF_OK;
	if (l->rows == ROWS_MAX || l->channels == CHANNELS_MAX || l->kept.n + line->bytes.n > KEPT_MAX)
		TF_TRY(flush(csv, f));
	TF_TRY(check_cells(csv, line, &bad, f));
	if (!bad)
		TF_TRY(read_channel(csv, line, &row, &exponent, &bad, f));
	if (!bad)
		TF_TRY(read_times(csv, line, &row, &bad, f));
	if (!bad)
		TF_TRY(read_value(csv, line, exponent, &row, &bad, f));
	if (bad)
		return TF_OK;
	TF_TRY(keep(l, line, &row, f));
	l->row[l->rows++] = row;
	return TF_OK;
}

enum tf_err
in_csv_long_finish(struct in_csv *csv, struct tf_fault *f)
{
	return flush(csv, f);
}

void
in_csv_long_free(struct in_csv *csv)
{
	struct in_csv_long *l = csv->rows;
	if (!l)
		return;
	tf_buf_release(&l->names);
	tf_buf_release(&l->kept);
	tf_free(l->row);
	tf_free(l->order);
	tf_free(l->channel);
	tf_free(l->slot);
	tf_free(l->values);
	tf_free(l->qualities);
	tf_free(l->starts);
	tf_free(l);
	csv->rows = NULL;
}
