/* NEM12 and NEM13 (AEMO Meter Data File Format): record dispatch, the 100 and 200 records, dates and codes.
 *
 * 100,NEM12,DateTime,From,To
 * 200,NMI,Config,RegisterID,Suffix,DataStream,Serial,UOM,IntervalLength,NextRead
 * 300,Date,Value1..ValueN,Quality,Reason,Description,UpdateDateTime,MSATSLoadDateTime   in_nem12.c
 * 400,First,Last,Quality,Reason,Description                                             in_nem12.c
 * 500,TransCode,Order,ReadDateTime,IndexRead
 * 250,NMI,Config,RegisterID,Suffix,... 550,...                                          in_nem13.c
 * 900
 * All times are standard time without daylight saving: the zone's, or +10:00 where none is given. */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "in_nem.h"

#define NEM_OFFSET_S (10 * 3600)

enum tf_err
in_nem_bad(struct in_nem *n, const struct in_line *line, uint32_t field, enum in_rule rule, struct tf_fault *f,
	   const char *fmt, ...)
{
	struct in_place at = {
		.line = line->number,
		.field = field,
		.unfinished = !line->whole,
		.bytes = line->bytes,
		.context = tf_buf_view(&n->context),
	};
	char text[TF_FAULT_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return in_bad(n->c, &at, rule, f, "%s", text);
}

void
in_nem_split(struct tf_str text, uint32_t max, struct in_fields *out)
{
	struct tf_str cell;
	uint32_t number = 0;
	*out = (struct in_fields){0};
	while (tf_str_cut(&text, ',', &cell)) {
		cell = tf_str_trim(cell);
		if (number++ < max)
			out->field[out->n++] = cell;
		else if (cell.n && !out->more)
			out->more = number;
	}
}

static bool
two_digits(const char *p, int *out)
{
	unsigned a = (unsigned)(p[0] - '0'), b = (unsigned)(p[1] - '0');
	*out = (int)(a * 10 + b);
	return a <= 9 && b <= 9;
}

static bool
read_date(const char *p, int64_t *out_local_s)
{
	int century, year, month, day;
	int32_t date;
	if (!two_digits(p, &century) || !two_digits(p + 2, &year) || !two_digits(p + 4, &month) ||
	    !two_digits(p + 6, &day))
		return false;
	if (century < 19 || century > 21 || tf_date_from_civil(century * 100 + year, month, day, &date) != TF_OK)
		return false;
	*out_local_s = (int64_t)date * 86400;
	return true;
}

static tf_time
standard_instant(const struct in_nem *n, int64_t local_s)
{
	int32_t offset = NEM_OFFSET_S;
	if (n->c->o.zone)
		offset = tf_zone_standard_offset(n->c->o.zone, local_s * TF_SEC);
	return (local_s - offset) * TF_SEC;
}

bool
in_nem_day(struct in_nem *n, struct tf_str s, tf_time *out)
{
	uint64_t key;
	int64_t local_s;
	if (s.n != 8)
		return false;
	memcpy(&key, s.p, 8);
	size_t slot = (size_t)((key * 0x9e3779b97f4a7c15u) >> 58);
	_Static_assert(IN_NEM_DAYS == 1 << (64 - 58), "the slot is the hash's top bits");
	if (n->days[slot].key != key) {
		if (!read_date(s.p, &local_s))
			return false;
		n->days[slot].key = key;
		n->days[slot].start = standard_instant(n, local_s);
	}
	*out = n->days[slot].start;
	return true;
}

bool
in_nem_time(struct in_nem *n, struct tf_str s, tf_time *out)
{
	int64_t local_s;
	int hour, minute, second = 0;
	if ((s.n != 12 && s.n != 14) || !read_date(s.p, &local_s))
		return false;
	if (!two_digits(s.p + 8, &hour) || !two_digits(s.p + 10, &minute) ||
	    (s.n == 14 && !two_digits(s.p + 12, &second)))
		return false;
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*out = standard_instant(n, local_s + hour * 3600 + minute * 60 + second);
	return true;
}

bool
in_nem_issued(struct in_nem *n, struct tf_str s, tf_time *out)
{
	tf_time t;
	if (!s.n) {
		*out = n->file_issued;
		return true;
	}
	if (s.n == sizeof(n->issued.digits) && memcmp(s.p, n->issued.digits, s.n) == 0) {
		*out = n->issued.t;
		return true;
	}
	if (!in_nem_time(n, s, &t))
		return false;
	if (s.n == sizeof(n->issued.digits)) {
		memcpy(n->issued.digits, s.p, s.n);
		n->issued.t = t;
	}
	*out = t;
	return true;
}

/* A letter, then for estimates and substitutes a method of one or two digits. */
bool
in_nem_quality(struct tf_str s, struct meter_quality *out)
{
	uint64_t method = 0;
	if (!s.n || !memchr("AEFNSV", s.p[0], 6))
		return false;
	bool takes_method = s.p[0] == 'E' || s.p[0] == 'F' || s.p[0] == 'S';
	if (s.n > 1 && (!takes_method || s.n > 3 || !tf_str_u64(tf_str_n(s.p + 1, s.n - 1), &method)))
		return false;
	*out = (struct meter_quality){.kind = s.p[0], .method = (uint8_t)method};
	return true;
}

bool
in_nem_reason(struct tf_str s, uint16_t *out)
{
	uint64_t v = 0;
	if (s.n && (!tf_str_u64(s, &v) || v > UINT16_MAX))
		return false;
	*out = (uint16_t)v;
	return true;
}

bool
in_nem_unit(struct tf_str s, struct tf_str channel, enum meter_unit *out, int8_t *out_exponent)
{
	if (s.n)
		return in_unit(s, out, out_exponent);
	char letter = channel.n ? channel.p[0] : ' ';
	if (letter != 'V' && letter != 'G')
		return false;
	*out = letter == 'V' ? METER_MV : METER_PF;
	*out_exponent = 3;
	return true;
}

static enum tf_err
context_full(struct in_nem *n, struct tf_fault *f)
{
	return n->context.err ? tf_fault(f, n->context.err, "cannot keep a 200 record") : TF_OK;
}

static enum tf_err
read_header(struct in_nem *n, const struct in_line *line, struct tf_fault *f)
{
	struct in_fields r;
	in_nem_split(line->text, 5, &r);
	n->has_register = false;
	n->file_issued = 0;
	tf_buf_reset(&n->context);
	if (r.n < 2 || (!tf_str_eq(r.field[1], TF_STR("NEM12")) && !tf_str_eq(r.field[1], TF_STR("NEM13"))))
		return in_nem_bad(n, line, 2, IN_NEM12_HEADER, f, "the 100 record's version is '%.*s'",
				  TF_FMT(r.field[1]));
	if (r.n < 3 || !in_nem_time(n, r.field[2], &n->file_issued))
		return in_nem_bad(n, line, 3, IN_NEM12_HEADER, f, "the 100 record's date and time is '%.*s'",
				  TF_FMT(r.field[2]));
	tf_buf_str(&n->context, line->bytes);
	n->header_n = n->context.n;
	return context_full(n, f);
}

static bool
read_length(struct tf_str s, uint32_t *out_s)
{
	uint64_t minutes;
	if (!tf_str_u64(s, &minutes) || !minutes || minutes > 60 || 60 % minutes)
		return false;
	*out_s = (uint32_t)minutes * 60;
	return true;
}

static enum tf_err
read_register(struct in_nem *n, const struct in_line *line, struct tf_fault *f)
{
	struct in_fields r;
	in_nem_split(line->text, 10, &r);
	struct tf_str meter = r.field[1], channel = r.field[4];
	n->has_register = false;
	n->context.n = n->header_n;
	if (!in_name_ok(meter, METER_METER_MAX))
		return in_nem_bad(n, line, 2, IN_METER_ID, f, "the NMI is '%.*s'", TF_FMT(meter));
	if (!in_name_ok(channel, METER_CHANNEL_MAX))
		return in_nem_bad(n, line, 5, IN_CHANNEL, f, "the NMI suffix is '%.*s'", TF_FMT(channel));
	if (!in_nem_unit(r.field[7], channel, &n->unit, &n->exponent))
		return in_nem_bad(n, line, 8, IN_UNIT, f, "the unit of measure is '%.*s'", TF_FMT(r.field[7]));
	if (!read_length(r.field[8], &n->interval_s))
		return in_nem_bad(n, line, 9, IN_NEM12_LENGTH, f, "the interval length is '%.*s' minutes",
				  TF_FMT(r.field[8]));
	if (r.more)
		return in_nem_bad(n, line, r.more, IN_NEM12_FIELDS, f, "field %u stands behind the last", r.more);
	tf_buf_reset(&n->names);
	tf_buf_str(&n->names, meter);
	tf_buf_str(&n->names, channel);
	n->meter_n = meter.n;
	n->day_count = 86400 / n->interval_s;
	in_scale_init(&n->scale, n->exponent);
	tf_buf_str(&n->context, line->bytes);
	n->has_register = true;
	return n->names.err ? tf_fault(f, n->names.err, "cannot keep a register's names") : context_full(n, f);
}

/* 500 and 550 say who asked for a read; they are checked for their place and not kept. */
static enum tf_err
read_order(struct in_nem *n, const struct in_line *line, bool nem13, struct tf_fault *f)
{
	bool placed = nem13 ? !strcmp(n->last_record, "250") || !strcmp(n->last_record, "550") : n->has_register;
	if (placed)
		return TF_OK;
	return in_nem_bad(n, line, 0, IN_NEM12_ALONE, f, "a %s record without a %s record before it",
			  nem13 ? "550" : "500", nem13 ? "250" : "200");
}

static enum tf_err
dispatch(struct in_nem *n, const struct in_line *line, struct tf_str code, struct tf_fault *f)
{
	if (tf_str_eq(code, TF_STR("300")))
		return in_nem12_day(n, line, f);
	if (tf_str_eq(code, TF_STR("400")))
		return in_nem12_range(n, line, f);
	if (tf_str_eq(code, TF_STR("200")))
		return read_register(n, line, f);
	if (tf_str_eq(code, TF_STR("250")))
		return in_nem13_read(n, line, f);
	if (tf_str_eq(code, TF_STR("500")) || tf_str_eq(code, TF_STR("550")))
		return read_order(n, line, code.p[0] == '5' && code.p[1] == '5', f);
	if (tf_str_eq(code, TF_STR("100")))
		return read_header(n, line, f);
	if (tf_str_eq(code, TF_STR("900"))) {
		n->has_register = false;
		return TF_OK;
	}
	return in_nem_bad(n, line, 1, IN_NEM12_RECORD, f, "the record indicator is '%.*s'", TF_FMT(code));
}

static enum tf_err
nem_line(void *parser, const struct in_line *line, struct tf_fault *f)
{
	struct in_nem *n = parser;
	struct tf_str rest = line->text, code;
	if (!tf_str_cut(&rest, ',', &code) || !tf_str_trim(line->text).n)
		return TF_OK;
	code = tf_str_trim(code);
	if (n->day_open && !tf_str_eq(code, TF_STR("400")))
		TF_TRY(in_nem12_close_day(n, f));
	TF_TRY(dispatch(n, line, code, f));
	memset(n->last_record, 0, sizeof(n->last_record));
	memcpy(n->last_record, code.p, code.n < 3 ? code.n : 3);
	return TF_OK;
}

static enum tf_err
nem_open(struct in_ctx *c, void **out, struct tf_fault *f)
{
	struct in_nem *n = tf_calloc(1, sizeof(*n));
	if (!n)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a NEM12 parser");
	n->c = c;
	tf_buf_init(&n->kept, METER_LINE_MAX);
	*out = n;
	return TF_OK;
}

static enum tf_err
nem_finish(void *parser, bool cut, struct tf_fault *f)
{
	struct in_nem *n = parser;
	if (!n->day_open)
		return TF_OK;
	n->day_unfinished |= cut;
	return in_nem12_close_day(n, f);
}

static void
nem_free(void *parser)
{
	struct in_nem *n = parser;
	tf_buf_release(&n->names);
	tf_buf_release(&n->context);
	tf_buf_release(&n->kept);
	tf_free(n);
}

const struct in_format in_nem12 = {
	.name = "nem12",
	.open = nem_open,
	.line = nem_line,
	.finish = nem_finish,
	.free = nem_free,
};
