/* Green Button ESPI (NAESB REQ.21): an Atom feed whose entries hold UsagePoints, MeterReadings, ReadingTypes and
 * IntervalBlocks. This half reads the elements; in_espi_feed.c links the entries.
 *
 * Times are seconds since 1970 in UTC, so LocalTimeParameters are checked and not needed. Costs and summaries are not
 * read. The record of a bad reading is its IntervalReading element, of a bad block its entry. */
#include <stdio.h>

#include "base/mem.h"
#include "in_espi.h"

static bool
read_number(struct tf_str text, int64_t *out)
{
	return tf_str_i64(text, out);
}

/* Bits of a daylight saving rule: 0-11 second, 12-16 hour, 17-19 weekday, 20-24 day, 25-27 operator, 28-31 month;
 * all ones: no daylight saving. */
static bool
time_rule_ok(struct tf_str hex)
{
	uint32_t v = 0;
	if (hex.n != 8)
		return false;
	for (size_t i = 0; i < 8; i++) {
		char ch = (char)(hex.p[i] | 32);
		if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f')))
			return false;
		v = v << 4 | (uint32_t)(ch <= '9' ? ch - '0' : ch - 'a' + 10);
	}
	uint32_t month = v >> 28, second = v & 0xfff, hour = v >> 12 & 31;
	return v == UINT32_MAX || (month >= 1 && month <= 12 && second < 3600 && hour < 24);
}

static enum tf_err
bad_time_rule(struct in_espi *s, const char *name, struct tf_str text, struct tf_fault *f)
{
	struct in_place at = {.line = in_xml_line(&s->xml),
			      .column = in_xml_column(&s->xml),
			      .name = tf_str(name),
			      .bytes = in_xml_record(&s->xml)};
	return in_bad(s->c, &at, IN_ESPI_TIME_RULE, f, "the daylight saving rule is '%.*s'", TF_FMT(text));
}

static enum tf_err
close_time_parameters(struct in_espi *s, const char *name, struct tf_str text, struct tf_fault *f)
{
	int64_t v;
	bool rule = !strcmp(name, "dstStartRule") || !strcmp(name, "dstEndRule");
	bool offset = !strcmp(name, "dstOffset") || !strcmp(name, "tzOffset");
	if ((rule && !time_rule_ok(text)) || (offset && (!read_number(text, &v) || v < -15 * 3600 || v > 15 * 3600)))
		return bad_time_rule(s, name, text, f);
	return TF_OK;
}

/* QualityOfReading to a kind; the code becomes the reason. */
static struct meter_quality
quality_of(int64_t code)
{
	/* 0 valid .. 7 edited, 8 9 estimated, 10 questionable, 11 derived, 12 projected, 13 mixed, 14 raw, 15
	 * normalised, 16 other, 17 validated, 18 verified, 19 revenue quality */
	static const char kinds[] = "AAAAAAASEEXSPERSXAAA";
	if (code < 0 || code >= (int64_t)sizeof(kinds) - 1)
		return (struct meter_quality){.kind = 'X'};
	char kind = kinds[code];
	return (struct meter_quality){.kind = kind, .reason = kind == 'A' ? 0 : (uint16_t)code};
}

static void
spoil(struct in_espi *s, bool *flag, const char *name, struct tf_str text)
{
	bool told = s->bad_value || s->bad_time;
	*flag = true;
	if (told)
		return;
	s->bad_name = !strcmp(name, "value")   ? "IntervalReading/value"
		      : !strcmp(name, "start") ? "timePeriod/start"
					       : "timePeriod/duration";
	snprintf(s->bad_text, sizeof(s->bad_text), "the reading's %s is '%.*s'", name, (int)(text.n < 30 ? text.n : 30),
		 text.p);
}

/* Elements of an IntervalBlock. */
static void
close_block_part(struct in_espi *s, const char *name, struct tf_str text)
{
	int64_t v = 0;
	bool ok = read_number(text, &v), in_period = in_xml_inside(&s->xml, 1, "timePeriod");
	bool timed = !strcmp(name, "start") || !strcmp(name, "duration");
	if (timed && in_xml_inside(&s->xml, 1, "interval")) {
		if (ok && name[0] == 's') {
			s->block_start_s = v;
			s->has_block_start = true;
		}
	} else if (timed && in_period) {
		bool start = name[0] == 's',
		     fits = ok && v >= 0 && (start ? v < TF_TIME_LAST / TF_SEC : v <= METER_INTERVAL_MAX_S);
		*(start ? &s->reading.start_s : &s->reading.duration_s) = v;
		*(start ? &s->has_start : &s->has_duration) = true;
		if (!fits)
			spoil(s, &s->bad_time, name, text);
	} else if (!strcmp(name, "value") && in_xml_inside(&s->xml, 1, "IntervalReading")) {
		s->has_value = true;
		s->reading.value = v;
		if (!ok || v > METER_VALUE_MAX || v < -METER_VALUE_MAX)
			spoil(s, &s->bad_value, name, text);
	} else if (!strcmp(name, "quality") && in_xml_inside(&s->xml, 1, "ReadingQuality")) {
		struct meter_quality q = quality_of(ok ? v : -1);
		if (q.kind != 'A')
			s->reading.quality = q;
	}
}

static void
close_type_part(struct in_espi *s, const char *name, struct tf_str text)
{
	struct in_kind *k = &s->entry.kind;
	int64_t v;
	if (!in_xml_inside(&s->xml, 1, "ReadingType") || !read_number(text, &v))
		return;
	if (!strcmp(name, "uom")) {
		k->uom = v;
		s->entry.has_uom = true;
	} else if (!strcmp(name, "powerOfTenMultiplier")) {
		k->multiplier = v;
	} else if (!strcmp(name, "flowDirection")) {
		k->flow = v;
	} else if (!strcmp(name, "accumulationBehaviour")) {
		k->accumulation = v;
	} else if (!strcmp(name, "commodity")) {
		k->commodity = v;
	} else if (!strcmp(name, "phase")) {
		k->phase = v;
	} else if (!strcmp(name, "tou")) {
		k->tou = v;
	} else if (!strcmp(name, "intervalLength") && v > 0 && v <= METER_INTERVAL_MAX_S) {
		k->interval_s = (uint32_t)v;
	}
}

static enum tf_err
add_reading(struct in_espi *s, struct tf_fault *f)
{
	struct in_espi_entry *e = &s->entry;
	if (e->count == IN_ESPI_READINGS)
		return tf_fault(f, TF_TOO_LARGE, "an entry has more than %u readings", IN_ESPI_READINGS);
	if (e->count == e->cap) {
		uint32_t cap = e->cap ? e->cap * 2 : 128;
		struct in_espi_reading *r = tf_realloc(e->readings, cap * sizeof(*r));
		if (!r)
			return tf_fault(f, TF_NO_MEMORY, "cannot keep %u readings", cap);
		e->readings = r;
		e->cap = cap;
	}
	e->readings[e->count++] = s->reading;
	return TF_OK;
}

static enum tf_err
close_reading(struct in_espi *s, struct tf_fault *f)
{
	struct in_espi_reading *r = &s->reading;
	r->n = in_xml_offset_behind(&s->xml) - r->at;
	if (!s->has_value)
		spoil(s, &s->bad_value, "value", TF_STR(""));
	if (!s->has_start && !s->has_block_start && !s->timed)
		spoil(s, &s->bad_time, "start", TF_STR(""));
	if (s->bad_value || s->bad_time) {
		struct tf_str bytes = in_xml_record(&s->xml);
		uint64_t from = r->at > in_xml_lost(&s->xml) ? r->at - in_xml_lost(&s->xml) : 0;
		struct in_place at = {.line = r->line,
				      .column = r->column,
				      .name = tf_str(s->bad_name),
				      .bytes = tf_str_n(bytes.p + from, bytes.n - (size_t)from)};
		s->has_block_start = s->timed = false; /* no telling where one without time behind it would begin */
		return in_bad(s->c, &at, s->bad_value ? IN_VALUE : IN_TIME, f, "%s", s->bad_text);
	}
	if (!s->has_start)
		r->start_s = s->block_start_s;
	r->follows = !s->has_start && s->timed;
	if (!s->has_duration)
		r->duration_s = -1; /* the type's */
	s->timed = true;
	return add_reading(s, f);
}

static enum in_espi_content
content_of(const char *name)
{
	if (!strcmp(name, "IntervalBlock"))
		return IN_ESPI_BLOCK;
	if (!strcmp(name, "MeterReading"))
		return IN_ESPI_METER_READING;
	return !strcmp(name, "ReadingType") ? IN_ESPI_READING_TYPE : IN_ESPI_OTHER;
}

static struct in_espi_str
keep_text(struct in_espi_entry *e, struct tf_str text)
{
	struct in_espi_str s = {(uint32_t)e->text.n, (uint32_t)text.n};
	tf_buf_str(&e->text, text);
	return s;
}

static enum tf_err
open_link(struct in_espi *s, const char **attributes, struct tf_fault *f)
{
	struct in_espi_entry *e = &s->entry;
	struct tf_str rel = in_xml_attribute(attributes, "rel"), href = in_xml_attribute(attributes, "href");
	if (href.n > IN_XML_TEXT)
		return TF_OK;
	if (tf_str_eq(rel, TF_STR("self")))
		e->self = keep_text(e, href);
	else if (tf_str_eq(rel, TF_STR("up")))
		e->up = keep_text(e, href);
	else if (tf_str_eq(rel, TF_STR("related")) && e->related_count < IN_ESPI_LINKS)
		e->related[e->related_count++] = keep_text(e, href);
	return e->text.err ? tf_fault(f, e->text.err, "cannot keep a link") : TF_OK;
}

static enum tf_err
on_open(void *owner, struct in_xml *x, const char *name, const char **attributes)
{
	struct in_espi *s = owner;
	bool block = !strcmp(name, "IntervalBlock");
	if (!s->in_entry && (!strcmp(name, "entry") || block)) {
		s->in_entry = true;
		s->entry = (struct in_espi_entry){.line = in_xml_line(x), .column = in_xml_column(x)};
		in_xml_begin_record(x);
	}
	if (!s->in_entry)
		return TF_OK;
	if (!strcmp(name, "link"))
		return open_link(s, attributes, x->f);
	if (s->entry.content == IN_ESPI_OTHER && (block || in_xml_inside(x, 1, "content")))
		s->entry.content = content_of(name);
	if (block)
		s->has_block_start = s->timed = false;
	if (!strcmp(name, "IntervalReading")) {
		s->reading = (struct in_espi_reading){
			.line = in_xml_line(x),
			.column = in_xml_column(x),
			.at = in_xml_offset(x),
			.quality = {.kind = 'A'},
		};
		s->has_value = s->has_start = s->has_duration = s->bad_value = s->bad_time = false;
	}
	return TF_OK;
}

static enum tf_err
on_close(void *owner, struct in_xml *x, const char *name, struct tf_str text)
{
	struct in_espi *s = owner;
	tf_time t;
	if (!strcmp(name, "updated") && in_when(text, NULL, IN_NO_TIME, &t) == TF_OK)
		*(s->in_entry ? &s->entry.updated : &s->feed_updated) = t;
	if (!s->in_entry)
		return TF_OK;
	if (!strcmp(name, "entry") || (!strcmp(name, "IntervalBlock") && !in_xml_inside(x, 1, "content"))) {
		enum tf_err e = in_espi_end_entry(s, x->f);
		s->in_entry = false;
		in_xml_end_record(x);
		return e;
	}
	if (in_xml_inside(x, 1, "LocalTimeParameters"))
		return close_time_parameters(s, name, text, x->f);
	if (!strcmp(name, "IntervalReading"))
		return close_reading(s, x->f);
	if (s->entry.content == IN_ESPI_BLOCK)
		close_block_part(s, name, text);
	else if (s->entry.content == IN_ESPI_READING_TYPE)
		close_type_part(s, name, text);
	return TF_OK;
}

static enum tf_err
espi_feed(void *parser, struct tf_str bytes, struct tf_fault *f)
{
	struct in_espi *s = parser;
	return in_xml_feed(&s->xml, bytes, f);
}

static enum tf_err
espi_finish(void *parser, bool cut, struct tf_fault *f)
{
	struct in_espi *s = parser;
	TF_TRY(in_xml_finish(&s->xml, f));
	TF_TRY(in_espi_end_feed(s, f));
	return in_gather_flush(&s->gather, f);
}

static void
espi_free(void *parser)
{
	struct in_espi *s = parser;
	in_xml_release(&s->xml);
	in_gather_release(&s->gather);
	in_espi_entry_release(&s->entry);
	for (uint32_t i = 0; i < s->kept_count; i++)
		in_espi_entry_release(&s->kept[i]);
	for (uint32_t i = 0; i < s->waiting_count; i++)
		in_espi_entry_release(&s->waiting[i]);
	tf_free(s->kept);
	tf_free(s->waiting);
	tf_free(s);
}

static enum tf_err
espi_open(struct in_ctx *c, void **out, struct tf_fault *f)
{
	static const struct in_xml_calls calls = {on_open, on_close};
	struct in_espi *s = tf_calloc(1, sizeof(*s));
	if (!s)
		return tf_fault(f, TF_NO_MEMORY, "cannot start an ESPI parser");
	s->c = c;
	enum tf_err e = in_xml_init(&s->xml, c, &calls, s, f);
	if (e == TF_OK)
		e = in_gather_init(&s->gather, c, f);
	if (e != TF_OK) {
		espi_free(s);
		return e;
	}
	*out = s;
	return TF_OK;
}

const struct in_format in_espi = {
	.name = "espi",
	.open = espi_open,
	.feed = espi_feed,
	.finish = espi_finish,
	.free = espi_free,
};
