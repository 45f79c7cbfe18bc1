/* ESPI: from entries to runs. An IntervalBlock belongs to the MeterReading whose self link its own begins with (or that
 * names the block's collection as related); that MeterReading names its ReadingType as related. Either may stand before
 * or behind the block in the feed: a block whose type has not come waits, with its bytes. */
#include "base/mem.h"
#include "in_espi.h"

void
in_espi_entry_release(struct in_espi_entry *e)
{
	tf_buf_release(&e->text);
	tf_buf_release(&e->bytes);
	tf_free(e->readings);
	*e = (struct in_espi_entry){0};
}

/* "…/MeterReading/01" and "…/MeterReading/01/IntervalBlock/173" */
static bool
below(struct tf_str href, struct tf_str parent)
{
	return parent.n && tf_str_starts(href, parent) && (href.n == parent.n || href.p[parent.n] == '/');
}

static bool
has_related(const struct in_espi_entry *e, struct tf_str href)
{
	for (uint32_t i = 0; i < e->related_count && href.n; i++)
		if (tf_str_eq(in_espi_text(e, e->related[i]), href))
			return true;
	return false;
}

static struct in_espi_entry *
find_meter_reading(struct in_espi *s, const struct in_espi_entry *block)
{
	struct tf_str self = in_espi_text(block, block->self), up = in_espi_text(block, block->up);
	for (uint32_t i = 0; i < s->kept_count; i++) {
		struct in_espi_entry *e = &s->kept[i];
		struct tf_str to = in_espi_text(e, e->self);
		if (e->content != IN_ESPI_METER_READING)
			continue;
		if (below(self, to) || below(up, to) || has_related(e, up) || has_related(e, self))
			return e;
	}
	return NULL;
}

static const struct in_espi_entry *
find_type(const struct in_espi *s, const struct in_espi_entry *meter_reading)
{
	for (uint32_t i = 0; i < s->kept_count; i++) {
		const struct in_espi_entry *e = &s->kept[i];
		if (e->content == IN_ESPI_READING_TYPE && has_related(meter_reading, in_espi_text(e, e->self)))
			return e;
	}
	return NULL;
}

/* The segment behind "UsagePoint/" of a link. */
static struct tf_str
usage_point_of(struct tf_str href)
{
	static const char mark[] = "UsagePoint/";
	const char *at = href.n ? memmem(href.p, href.n, mark, sizeof(mark) - 1) : NULL;
	if (!at)
		return tf_str_n("", 0);
	at += sizeof(mark) - 1;
	struct tf_str rest = tf_str_n(at, (size_t)(href.p + href.n - at)), id;
	return tf_str_cut(&rest, '/', &id) ? id : tf_str_n("", 0);
}

static struct tf_str
meter_of(const struct in_espi *s, const struct in_espi_entry *meter_reading, const struct in_espi_entry *block)
{
	struct tf_str from[] = {
		usage_point_of(in_espi_text(meter_reading, meter_reading->self)),
		usage_point_of(in_espi_text(meter_reading, meter_reading->up)),
		usage_point_of(in_espi_text(block, block->up)),
		s->c->o.meter,
	};
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		if (in_name_ok(from[i], METER_METER_MAX))
			return from[i];
	return s->c->base;
}

/* What the readings of one block have in common while they are given to the sink. */
struct out {
	struct in_espi *s;
	struct in_espi_entry *meter_reading;
	const struct in_espi_entry *block;
	struct tf_str bytes;
	uint64_t lost;
	const struct in_kind *kind;
	int8_t exponent;
	int64_t next_s; /* end of the reading before */
};

static enum tf_err
bad_reading(const struct out *o, const struct in_espi_reading *r, const char *name, enum in_rule rule,
	    struct tf_fault *f, const char *what, int64_t subject)
{
	uint64_t from = r->at > o->lost ? r->at - o->lost : 0, n = r->n;
	if (from > o->bytes.n)
		from = o->bytes.n;
	if (n > o->bytes.n - from)
		n = o->bytes.n - from;
	struct in_place at = {.line = r->line,
			      .column = r->column,
			      .name = tf_str(name),
			      .bytes = tf_str_n(o->bytes.p + from, (size_t)n)};
	return in_bad(o->s->c, &at, rule, f, "%s %lld", what, (long long)subject);
}

/* A register that counts up: the difference to the read before, over the time between the two. */
static enum tf_err
give_difference(const struct out *o, const struct in_espi_reading *r, struct tf_fault *f)
{
	struct in_espi_entry *m = o->meter_reading;
	int64_t at_s = r->start_s + (r->duration_s > 0 ? r->duration_s : 0), from_s = m->last_s, from = m->last_value,
		value;
	bool first = !m->has_last;
	m->has_last = true;
	m->last_s = at_s;
	m->last_value = r->value;
	if (first)
		return TF_OK;
	if (at_s <= from_s || at_s - from_s > METER_INTERVAL_MAX_S)
		return bad_reading(o, r, "timePeriod/start", IN_INTERVAL, f,
				   "seconds since the read before:", at_s - from_s);
	if (r->value < from)
		return bad_reading(o, r, "IntervalReading/value", IN_VALUE, f, "the register went back by",
				   from - r->value);
	if (!in_scale_value(r->value - from, o->exponent, &value))
		return bad_reading(o, r, "IntervalReading/value", IN_VALUE_RANGE, f,
				   "the value is too large:", r->value - from);
	return in_gather_add(&o->s->gather, from_s * TF_SEC, (uint32_t)(at_s - from_s), value, r->quality, f);
}

static enum tf_err
give_reading(struct out *o, struct in_espi_reading *r, struct tf_fault *f)
{
	int64_t value, duration_s = r->duration_s >= 0 ? r->duration_s : o->kind->interval_s;
	r->start_s = r->follows ? o->next_s : r->start_s;
	o->next_s = r->start_s + duration_s;
	if (in_kind_counts_up(o->kind))
		return give_difference(o, r, f);
	if (duration_s <= 0)
		return bad_reading(o, r, "timePeriod/duration", IN_INTERVAL, f, "the reading's duration is",
				   duration_s);
	if (!in_scale_value(r->value, o->exponent, &value))
		return bad_reading(o, r, "IntervalReading/value", IN_VALUE_RANGE, f,
				   "the value is too large:", r->value);
	return in_gather_add(&o->s->gather, r->start_s * TF_SEC, (uint32_t)duration_s, value, r->quality, f);
}

static enum tf_err
bad_block(const struct in_espi *s, const struct in_espi_entry *block, struct tf_str bytes, const char *name,
	  const char *what, struct tf_str subject, struct tf_fault *f)
{
	struct in_place at = {.line = block->line, .column = block->column, .name = tf_str(name), .bytes = bytes};
	return in_bad(s->c, &at, IN_ESPI_TYPE, f, "%s '%.*s'", what, TF_FMT(subject));
}

static enum tf_err
give_block(struct in_espi *s, const struct in_espi_entry *block, struct in_espi_entry *meter_reading,
	   const struct in_espi_entry *type, struct tf_str bytes, uint64_t lost, struct tf_fault *f)
{
	struct out o = {s, meter_reading, block, bytes, lost, &type->kind, 0, 0};
	char channel[METER_CHANNEL_MAX];
	enum meter_unit unit;
	struct tf_str meter = meter_of(s, meter_reading, block);
	if (!type->has_uom || !in_kind_channel(&type->kind, &unit, &o.exponent, channel))
		return bad_block(s, block, bytes, "ReadingType/uom",
				 "the unit or multiplier is not taken of ReadingType", in_espi_text(type, type->self),
				 f);
	if (!in_name_ok(meter, METER_METER_MAX))
		return bad_block(s, block, bytes, "UsagePoint", "no meter id can be taken from MeterReading",
				 in_espi_text(meter_reading, meter_reading->self), f);
	tf_time issued = block->updated ? block->updated : s->feed_updated;
	TF_TRY(in_gather_channel(&s->gather, meter, tf_str(channel), unit, issued, f));
	for (uint32_t i = 0; i < block->count; i++)
		TF_TRY(give_reading(&o, &block->readings[i], f));
	return TF_OK;
}

/* Room for one more in an array of entries. */
static enum tf_err
grow(struct in_espi_entry **entries, uint32_t count, uint32_t *cap, struct tf_fault *f)
{
	if (count < *cap)
		return TF_OK;
	uint32_t want = *cap ? *cap * 2 : 16;
	struct in_espi_entry *e = tf_realloc(*entries, want * sizeof(*e));
	if (!e)
		return tf_fault(f, TF_NO_MEMORY, "cannot keep %u entries", want);
	*entries = e;
	*cap = want;
	return TF_OK;
}

static enum tf_err
keep_entry(struct in_espi *s, struct tf_fault *f)
{
	if (s->kept_count == IN_ESPI_ENTRIES)
		return tf_fault(f, TF_TOO_LARGE, "more than %u MeterReadings and ReadingTypes in a feed",
				IN_ESPI_ENTRIES);
	TF_TRY(grow(&s->kept, s->kept_count, &s->kept_cap, f));
	s->kept[s->kept_count++] = s->entry;
	s->entry = (struct in_espi_entry){0};
	return TF_OK;
}

/* Gives every waiting block that has its type by now to the sink; all: the others are bad. */
static enum tf_err
settle_waiting(struct in_espi *s, bool all, struct tf_fault *f)
{
	uint32_t left = 0;
	enum tf_err e = TF_OK;
	for (uint32_t i = 0; i < s->waiting_count; i++) {
		struct in_espi_entry *w = &s->waiting[i], *m = find_meter_reading(s, w);
		const struct in_espi_entry *type = m ? find_type(s, m) : NULL;
		struct tf_str bytes = tf_buf_view(&w->bytes);
		if (e != TF_OK || (!type && !all)) {
			s->waiting[left++] = *w;
			continue;
		}
		if (type)
			e = give_block(s, w, m, type, bytes, w->lost, f);
		else
			e = bad_block(s, w, bytes, m ? "ReadingType" : "MeterReading",
				      m ? "no ReadingType for MeterReading" : "no MeterReading for IntervalBlock",
				      m ? in_espi_text(m, m->self) : in_espi_text(w, w->self), f);
		s->waiting_bytes -= bytes.n;
		in_espi_entry_release(w);
	}
	s->waiting_count = left;
	return e;
}

static enum tf_err
wait_entry(struct in_espi *s, struct tf_fault *f)
{
	struct tf_str bytes = in_xml_record(&s->xml);
	TF_TRY(grow(&s->waiting, s->waiting_count, &s->waiting_cap, f));
	tf_buf_str(&s->entry.bytes, bytes);
	if (s->entry.bytes.err)
		return tf_fault(f, s->entry.bytes.err, "cannot keep an entry");
	s->entry.lost = in_xml_lost(&s->xml);
	s->waiting_bytes += bytes.n;
	s->waiting[s->waiting_count++] = s->entry;
	s->entry = (struct in_espi_entry){0};
	return s->waiting_bytes > IN_ESPI_WAIT_MAX ? settle_waiting(s, true, f) : TF_OK;
}

/* Waiting blocks are settled as soon as their type comes, so a block that finds its type is behind none of its own. */
static enum tf_err
end_block(struct in_espi *s, struct tf_fault *f)
{
	struct in_espi_entry *m = find_meter_reading(s, &s->entry);
	const struct in_espi_entry *type = m ? find_type(s, m) : NULL;
	if (!type)
		return wait_entry(s, f);
	return give_block(s, &s->entry, m, type, in_xml_record(&s->xml), in_xml_lost(&s->xml), f);
}

enum tf_err
in_espi_end_entry(struct in_espi *s, struct tf_fault *f)
{
	enum tf_err e = TF_OK;
	if (s->entry.content == IN_ESPI_BLOCK) {
		e = end_block(s, f);
	} else if (s->entry.content != IN_ESPI_OTHER) {
		e = keep_entry(s, f);
		if (e == TF_OK && s->waiting_count)
			e = settle_waiting(s, false, f);
	}
	in_espi_entry_release(&s->entry);
	return e;
}

enum tf_err
in_espi_end_feed(struct in_espi *s, struct tf_fault *f)
{
	return settle_waiting(s, true, f);
}
