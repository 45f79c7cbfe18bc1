/* IEC 61968-9 MeterReadings (bare, or inside an EventMessage, ResponseMessage or SOAP envelope).
 *
 *   MeterReading
 *     Meter/mRID, Meter/Names/name                     (UsagePoint where there is no Meter)
 *     IntervalBlocks: IntervalReadings/{timeStamp,value,ReadingQualities/ReadingQualityType@ref}, ReadingType@ref
 *     Readings: {timeStamp,value,timePeriod/{start,end},ReadingQualities,ReadingType@ref}
 *
 * A timeStamp is the END of its interval, whose length the ReadingType says (field 3, or daily by field 1), or a
 * timePeriod. A register that counts up (accumulation 1, 3, 9) gives the difference of two reads. The meter's name and
 * a block's type may stand behind its values, so a MeterReading is kept until it ends (READINGS_MAX); it is the record
 * of what is wrong with it, an IntervalReadings or Readings element that of a bad value. */
#include <stdio.h>

#include "base/mem.h"
#include "in_xml.h"

#define READINGS_MAX  (1u << 20)
#define GROUPS_MAX    (1u << 16)
#define REGISTERS_MAX 64u /* registers of one meter that count up */

struct reading {
	tf_time end, start;       /* start: IN_NO_TIME where no period says it */
	size_t value_at, value_n; /* the value as written, in texts */
	uint64_t line, column, at, n;
	struct meter_quality quality;
	uint32_t group;
};

/* What shares one ReadingType: an IntervalBlocks, or one Readings. */
struct group {
	struct in_kind kind;
	bool ok;
	uint64_t line, column;
	char text[48]; /* the type, as written */
};

/* The read before of a register that counts up. */
struct before {
	char channel[METER_CHANNEL_MAX];
	bool there;
	int64_t value;
	tf_time at;
};

struct cim {
	struct in_ctx *c;
	struct in_xml xml;
	struct in_gather gather;
	bool in_reading_record, in_block;
	struct tf_buf mrid, name, texts;
	struct reading *readings;
	uint32_t count, cap;
	struct group *groups;
	uint32_t group_count, group_cap;
	struct reading now; /* being read */
	char bad_text[96];
	const char *bad_name; /* the element that is wrong */
	enum in_rule bad_rule;
	bool bad, open;
	struct before before[REGISTERS_MAX];
};

/* "1.4.64": system, category, code. The category says the kind, the code becomes the reason. */
static struct meter_quality
quality_of(struct tf_str ref)
{
	static const char kinds[] = "AAAXXXXSEXXSP"; /* 0 valid, 1 diagnostics, 2 power, 3 tamper, 4 collection,
							5 reasonability, 6 validation, 7 edited, 8 estimated, 10
							questionable, 11 derived, 12 projected */
	struct tf_str part[3] = {0};
	uint64_t category = 0, code = 0;
	for (size_t i = 0; i < 3; i++)
		tf_str_cut(&ref, '.', &part[i]);
	if (!tf_str_u64(part[1], &category) || !tf_str_u64(part[2], &code) || category >= sizeof(kinds) - 1)
		return (struct meter_quality){.kind = 'X'};
	return (struct meter_quality){.kind = kinds[category], .reason = code > UINT16_MAX ? 0 : (uint16_t)code};
}

/* Of several qualities the gravest counts: suspect, substituted, estimated, provisional, actual. */
static void
add_quality(struct meter_quality *q, struct meter_quality add)
{
	static const char order[] = "APESX";
	const char *old = strchr(order, q->kind), *new = strchr(order, add.kind);
	if (new >= old)
		*q = add;
}

static uint32_t
measuring_period(int64_t macro, int64_t period)
{
	static const uint16_t minutes[] = {0, 10, 15, 1, 24 * 60, 30, 5, 60, 0, 0, 2, 0, 0, 0, 3};
	if (period > 0 && period < (int64_t)(sizeof(minutes) / sizeof(minutes[0])))
		return minutes[period] * 60u;
	if (period == 31)
		return 20 * 60;
	return period == 0 && macro == 11 ? 86400 : 0;
}

/* 18 dotted numbers; false when they are not. */
static bool
read_type(struct tf_str text, struct in_kind *out)
{
	int64_t field[18];
	struct tf_str part;
	for (size_t i = 0; i < 18; i++)
		if (!tf_str_cut(&text, '.', &part) || !tf_str_i64(tf_str_trim(part), &field[i]))
			return false;
	*out = (struct in_kind){
		.interval_s = measuring_period(field[0], field[2]),
		.accumulation = field[3],
		.flow = field[4],
		.commodity = field[5],
		.tou = field[11],
		.phase = field[14],
		.multiplier = field[15],
		.uom = field[16],
	};
	return !text.p;
}

static void
spoil(struct cim *m, const char *name, enum in_rule rule, const char *what, struct tf_str text)
{
	if (m->bad)
		return;
	m->bad = true;
	m->bad_name = name;
	m->bad_rule = rule;
	snprintf(m->bad_text, sizeof(m->bad_text), "the %s is '%.*s'", what, (int)(text.n < 48 ? text.n : 48), text.p);
}

static void
read_time(struct cim *m, const char *name, struct tf_str text, tf_time *out)
{
	enum tf_err e = in_when(text, m->c->o.zone, IN_NO_TIME, out);
	if (e != TF_OK)
		spoil(m, name, e == TF_NOT_FOUND ? IN_LOCAL_MISSING : IN_TIME, "time", text);
}

/* A growing array's room for one more. */
static enum tf_err
grow(void **p, uint32_t count, uint32_t *cap, size_t size, uint32_t max, struct tf_fault *f)
{
	if (count < *cap)
		return TF_OK;
	if (count >= max)
		return tf_fault(f, TF_TOO_LARGE, "a MeterReading has more than %u readings", max);
	uint32_t want = *cap ? *cap * 2 : 64;
	void *q = tf_realloc(*p, want * size);
	if (!q)
		return tf_fault(f, TF_NO_MEMORY, "cannot keep a MeterReading");
	*p = q;
	*cap = want;
	return TF_OK;
}

static enum tf_err
open_group(struct cim *m, struct tf_fault *f)
{
	TF_TRY(grow((void **)&m->groups, m->group_count, &m->group_cap, sizeof(*m->groups), GROUPS_MAX, f));
	m->groups[m->group_count++] = (struct group){.line = in_xml_line(&m->xml), .column = in_xml_column(&m->xml)};
	return TF_OK;
}

static void
set_type(struct cim *m, struct tf_str text)
{
	if (!text.n || !m->group_count)
		return;
	struct group *g = &m->groups[m->group_count - 1];
	g->ok = read_type(text, &g->kind);
	snprintf(g->text, sizeof(g->text), "%.*s", (int)(text.n < 47 ? text.n : 47), text.p);
}

static void
open_reading(struct cim *m)
{
	m->now = (struct reading){
		.end = IN_NO_TIME,
		.start = IN_NO_TIME,
		.line = in_xml_line(&m->xml),
		.column = in_xml_column(&m->xml),
		.at = in_xml_offset(&m->xml),
		.quality = {.kind = 'A'},
		.group = m->group_count - 1,
	};
	m->bad = false;
	m->open = true;
}

static enum tf_err
on_open(void *owner, struct in_xml *x, const char *name, const char **attributes)
{
	struct cim *m = owner;
	if (!m->in_reading_record) {
		if (strcmp(name, "MeterReading") != 0)
			return TF_OK;
		m->in_reading_record = true;
		m->count = m->group_count = 0;
		tf_buf_reset(&m->mrid);
		tf_buf_reset(&m->name);
		tf_buf_reset(&m->texts);
		in_xml_begin_record(x);
		return TF_OK;
	}
	if (!strcmp(name, "IntervalBlocks")) {
		m->in_block = true;
		return open_group(m, x->f);
	}
	if (!strcmp(name, "IntervalReadings") && m->in_block) {
		open_reading(m);
	} else if (!strcmp(name, "Readings") && in_xml_inside(x, 1, "MeterReading")) {
		TF_TRY(open_group(m, x->f));
		open_reading(m);
	} else if (!strcmp(name, "ReadingType")) {
		set_type(m, in_xml_attribute(attributes, "ref"));
	} else if (!strcmp(name, "ReadingQualityType") && m->open) {
		struct tf_str ref = in_xml_attribute(attributes, "ref");
		if (ref.n)
			add_quality(&m->now.quality, quality_of(ref));
	}
	return TF_OK;
}

static struct tf_str
slice(const struct cim *m, uint64_t at, uint64_t n)
{
	struct tf_str bytes = in_xml_record(&m->xml);
	uint64_t lost = in_xml_lost(&m->xml), from = at > lost ? at - lost : 0;
	from = from < bytes.n ? from : bytes.n;
	n = n < bytes.n - from ? n : bytes.n - from;
	return tf_str_n(bytes.p + from, (size_t)n);
}

static enum tf_err
bad_reading(struct cim *m, const struct reading *r, const char *name, enum in_rule rule, struct tf_fault *f,
	    const char *text)
{
	struct in_place at = {
		.line = r->line, .column = r->column, .name = tf_str(name), .bytes = slice(m, r->at, r->n)};
	return in_bad(m->c, &at, rule, f, "%s", text);
}

static enum tf_err
close_reading(struct cim *m, struct tf_fault *f)
{
	struct reading *r = &m->now;
	m->open = false;
	r->n = in_xml_offset_behind(&m->xml) - r->at;
	if (r->end == IN_NO_TIME)
		spoil(m, "timeStamp", IN_TIME, "time", TF_STR(""));
	if (m->bad)
		return bad_reading(m, r, m->bad_name, m->bad_rule, f, m->bad_text);
	TF_TRY(grow((void **)&m->readings, m->count, &m->cap, sizeof(*m->readings), READINGS_MAX, f));
	m->readings[m->count++] = *r;
	return TF_OK;
}

static void
close_reading_part(struct cim *m, const char *name, struct tf_str text)
{
	bool period = in_xml_inside(&m->xml, 1, "timePeriod");
	bool direct = in_xml_inside(&m->xml, 1, "IntervalReadings") || in_xml_inside(&m->xml, 1, "Readings");
	if (!strcmp(name, "timeStamp") && direct && m->now.end == IN_NO_TIME) {
		read_time(m, "timeStamp", text, &m->now.end);
	} else if (!strcmp(name, "end") && period) {
		read_time(m, "timePeriod/end", text, &m->now.end);
	} else if (!strcmp(name, "start") && period) {
		read_time(m, "timePeriod/start", text, &m->now.start);
	} else if (!strcmp(name, "value") && direct) {
		m->now.value_at = m->texts.n;
		m->now.value_n = text.n;
		tf_buf_str(&m->texts, text);
	} else if (!strcmp(name, "ReadingQualityType") && text.n) {
		add_quality(&m->now.quality, quality_of(text));
	}
}

static struct tf_str
meter_of(const struct cim *m)
{
	struct tf_str id = tf_buf_view(&m->mrid), name = tf_buf_view(&m->name);
	id = id.n ? id : name;
	return id.n ? id : m->c->o.meter;
}

/* The value in steps; a reading without one is a gap of quality N. False when it is no number or too large. */
static bool
read_value(const struct cim *m, struct reading *r, int8_t exponent, int64_t *out)
{
	enum in_number n = IN_NUMBER_EMPTY;
	if (r->value_n)
		n = in_decimal(tf_str_n(m->texts.p + r->value_at, r->value_n), '.', exponent, out);
	if (n == IN_NUMBER_EMPTY) {
		r->quality.kind = 'N';
		*out = METER_ABSENT;
		return true;
	}
	return n == IN_NUMBER_OK;
}

/* NULL: more registers than REGISTERS_MAX. */
static struct before *
find_before(struct cim *m, const char *channel)
{
	uint32_t i = 0;
	while (i < REGISTERS_MAX && m->before[i].channel[0] && strcmp(m->before[i].channel, channel) != 0)
		i++;
	if (i == REGISTERS_MAX)
		return NULL;
	snprintf(m->before[i].channel, sizeof(m->before[i].channel), "%s", channel);
	return &m->before[i];
}

static enum tf_err
give_reading(struct cim *m, const struct in_kind *k, int8_t exponent, struct reading *r, struct before *before,
	     struct tf_fault *f)
{
	int64_t value;
	tf_time start = r->start;
	if (!read_value(m, r, exponent, &value))
		return bad_reading(m, r, "value", IN_VALUE, f, "the value is no number, or too large");
	if (in_kind_counts_up(k) && value != METER_ABSENT) {
		struct before was = *before;
		before->there = true;
		before->value = value;
		before->at = r->end;
		if (!was.there)
			return TF_OK;
		if (value < was.value)
			return bad_reading(m, r, "value", IN_VALUE, f, "the register went back");
		value -= was.value;
		start = was.at;
	} else if (start == IN_NO_TIME) {
		start = r->end - k->interval_s * TF_SEC;
	}
	if (r->end <= start || (r->end - start) / TF_SEC > METER_INTERVAL_MAX_S)
		return bad_reading(m, r, "ReadingType", IN_INTERVAL, f,
				   "the interval's length is not said, not positive or too long");
	return in_gather_add(&m->gather, start, (uint32_t)((r->end - start) / TF_SEC), value, r->quality, f);
}

static enum tf_err
bad_group(struct cim *m, const struct group *g, struct tf_fault *f)
{
	struct in_place at = {
		.line = g->line, .column = g->column, .name = TF_STR("ReadingType"), .bytes = in_xml_record(&m->xml)};
	return in_bad(m->c, &at, IN_CIM_TYPE, f, "the ReadingType is '%s'", g->text);
}

static enum tf_err
give_record(struct cim *m, struct tf_fault *f)
{
	struct tf_str meter = meter_of(m);
	struct in_place at = {.line = m->xml.record_line,
			      .column = m->xml.record_column,
			      .name = TF_STR("Meter/mRID"),
			      .bytes = in_xml_record(&m->xml)};
	char channel[METER_CHANNEL_MAX];
	memset(m->before, 0, sizeof(m->before));
	if (m->texts.err || m->mrid.err || m->name.err)
		return tf_fault(f, TF_NO_MEMORY, "cannot keep a MeterReading");
	if (!in_name_ok(meter, METER_METER_MAX))
		return in_bad(m->c, &at, IN_METER_ID, f, "the meter is '%.*s'", TF_FMT(meter));
	for (uint32_t i = 0; i < m->count;) {
		const struct group *g = &m->groups[m->readings[i].group];
		uint32_t group = m->readings[i].group;
		enum meter_unit unit;
		int8_t exponent;
		bool ok = g->ok && in_kind_channel(&g->kind, &unit, &exponent, channel);
		struct before *before = ok ? find_before(m, channel) : NULL;
		TF_TRY(before ? in_gather_channel(&m->gather, meter, tf_str(channel), unit, 0, f) : bad_group(m, g, f));
		for (; i < m->count && m->readings[i].group == group; i++)
			if (before)
				TF_TRY(give_reading(m, &g->kind, exponent, &m->readings[i], before, f));
	}
	return TF_OK;
}

static enum tf_err
on_close(void *owner, struct in_xml *x, const char *name, struct tf_str text)
{
	struct cim *m = owner;
	if (!m->in_reading_record)
		return TF_OK;
	if (m->open && (!strcmp(name, "IntervalReadings") || !strcmp(name, "Readings")))
		return close_reading(m, x->f);
	if (!strcmp(name, "ReadingType") || (!strcmp(name, "name") && in_xml_inside(x, 2, "ReadingType"))) {
		set_type(m, text);
	} else if (m->open) {
		close_reading_part(m, name, text);
	} else if (!strcmp(name, "IntervalBlocks")) {
		m->in_block = false;
	} else if (!strcmp(name, "mRID") && !m->mrid.n &&
		   (in_xml_inside(x, 1, "Meter") || in_xml_inside(x, 1, "UsagePoint"))) {
		tf_buf_str(&m->mrid, text);
	} else if (!strcmp(name, "name") && !m->name.n &&
		   (in_xml_inside(x, 2, "Meter") || in_xml_inside(x, 2, "UsagePoint"))) {
		tf_buf_str(&m->name, text);
	} else if (!strcmp(name, "MeterReading")) {
		enum tf_err e = give_record(m, x->f);
		m->in_reading_record = false;
		in_xml_end_record(x);
		return e;
	}
	return TF_OK;
}

static void
cim_free(void *parser)
{
	struct cim *m = parser;
	in_xml_release(&m->xml);
	in_gather_release(&m->gather);
	tf_buf_release(&m->mrid);
	tf_buf_release(&m->name);
	tf_buf_release(&m->texts);
	tf_free(m->readings);
	tf_free(m->groups);
	tf_free(m);
}

static enum tf_err
cim_open(struct in_ctx *c, void **out, struct tf_fault *f)
{
	static const struct in_xml_calls calls = {on_open, on_close};
	struct cim *m = tf_calloc(1, sizeof(*m));
	if (!m)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a CIM parser");
	m->c = c;
	enum tf_err e = in_xml_init(&m->xml, c, &calls, m, f);
	if (e == TF_OK)
		e = in_gather_init(&m->gather, c, f);
	if (e != TF_OK) {
		cim_free(m);
		return e;
	}
	*out = m;
	return TF_OK;
}

static enum tf_err
cim_feed(void *parser, struct tf_str bytes, struct tf_fault *f)
{
	struct cim *m = parser;
	return in_xml_feed(&m->xml, bytes, f);
}

static enum tf_err
cim_finish(void *parser, bool cut, struct tf_fault *f)
{
	struct cim *m = parser;
	TF_TRY(in_xml_finish(&m->xml, f));
	return in_gather_flush(&m->gather, f);
}

const struct in_format in_cim = {
	.name = "cim",
	.open = cim_open,
	.feed = cim_feed,
	.finish = cim_finish,
	.free = cim_free,
};
