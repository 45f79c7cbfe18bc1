/* JSON lines: one object a line, one reading or a row of them.
 *
 *   {"meter":"M1","channel":"E1","start":"2026-03-01T00:00:00Z","interval":900,"unit":"kWh","value":1.25}
 *   {"meter":"M1","start":"...","end":"...","unit":"Wh","values":[1,2,null],"quality":"A","issued":"..."}
 *
 * interval: seconds, or "15min", "PT15M"; where only end is given it is (end - start) / count. quality: one for all, or
 * an array. Without unit, channel, meter or interval the options hold. Other members are not looked at. Readings of
 * lines that follow each other become one run. */
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "in_parts.h"

#define TREE_MAX ((size_t)256 << 20) /* bytes of one line's tree: some 2 million values */

struct jsonl {
	struct in_ctx *c;
	struct in_gather gather;
	struct tf_arena arena;
	tf_time last; /* start of the reading before: for local times that come twice */
};

/* One line, taken apart. */
struct object {
	struct tf_str meter, channel;
	enum meter_unit unit;
	int8_t exponent;
	tf_time start, issued;
	uint32_t interval_s, count;
	const struct tf_json *values;  /* the first */
	const struct tf_json *quality; /* one, or as many as values; NULL */
};

struct reader {
	struct jsonl *j;
	const struct in_line *line;
	const struct tf_json *root;
	bool bad; /* the line was given to the sink */
};

/* name: of the member that is wrong; "" where that is the line. */
static enum tf_err
refuse(struct reader *r, const char *name, enum in_rule rule, struct tf_fault *f, const char *what,
       struct tf_str subject)
{
	struct in_place at = {
		.line = r->line->number, .name = tf_str(name), .unfinished = !r->line->whole, .bytes = r->line->bytes};
	r->bad = true;
	return in_bad(r->j->c, &at, rule, f, "%s '%.*s'", what, TF_FMT(subject));
}

/* A member that is a string: out stays as it is where it is missing; another kind is refused. */
static enum tf_err
text_member(struct reader *r, const char *name, struct tf_str *out, struct tf_fault *f)
{
	const struct tf_json *v = tf_json_get(r->root, name);
	if (!v || tf_json_is(v, TF_JSON_NULL) || tf_json_str(v, out))
		return TF_OK;
	return refuse(r, name, IN_JSON, f, "a string is wanted for member", tf_str(name));
}

static enum tf_err
time_member(struct reader *r, const char *name, enum in_rule rule, tf_time last, tf_time *out, bool *out_there,
	    struct tf_fault *f)
{
	const struct tf_json *v = tf_json_get(r->root, name);
	*out_there = v && !tf_json_is(v, TF_JSON_NULL);
	if (!*out_there)
		return TF_OK;
	struct tf_str s = tf_json_is(v, TF_JSON_NUMBER) ? v->text : tf_str_n("", 0);
	tf_json_str(v, &s);
	enum tf_err e = in_when(s, r->j->c->o.zone, last, out);
	if (e == TF_NOT_FOUND)
		return refuse(r, name, IN_LOCAL_MISSING, f, "the zone skips the local time", s);
	return e == TF_OK ? TF_OK : refuse(r, name, rule, f, "no time:", s.n ? s : tf_str(name));
}

static enum tf_err
read_names(struct reader *r, struct object *o, struct tf_fault *f)
{
	const struct meter_in_options *options = &r->j->c->o;
	struct tf_str unit = {0};
	o->meter = options->meter;
	o->channel = options->channel;
	o->unit = options->unit;
	o->exponent = options->unit_exponent;
	TF_TRY(text_member(r, "meter", &o->meter, f));
	if (!r->bad)
		TF_TRY(text_member(r, "channel", &o->channel, f));
	if (!r->bad)
		TF_TRY(text_member(r, "unit", &unit, f));
	if (r->bad)
		return TF_OK;
	if (!in_name_ok(o->meter, METER_METER_MAX))
		return refuse(r, "meter", IN_METER_ID, f, "no meter id:", o->meter);
	if (!in_name_ok(o->channel, METER_CHANNEL_MAX))
		return refuse(r, "channel", IN_CHANNEL, f, "no channel name:", o->channel);
	if (unit.n && !in_unit(unit, &o->unit, &o->exponent))
		return refuse(r, "unit", IN_UNIT, f, "unknown unit", unit);
	return TF_OK;
}

static enum tf_err
read_values(struct reader *r, struct object *o, struct tf_fault *f)
{
	const struct tf_json *one = tf_json_get(r->root, "value"), *many = tf_json_get(r->root, "values");
	if (!one == !many || (many && (!tf_json_is(many, TF_JSON_ARRAY) || !many->count)))
		return refuse(r, many ? "values" : "value", IN_JSON, f, "wanted: either a value or an array of",
			      TF_STR("values"));
	o->count = one ? 1 : many->count;
	o->values = one ? one : tf_json_first(many);
	o->quality = tf_json_get(r->root, "quality");
	if (tf_json_is(o->quality, TF_JSON_ARRAY)) {
		if (o->quality->count != o->count)
			return refuse(r, "quality", IN_QUALITY, f, "as many qualities as values are wanted in",
				      TF_STR("quality"));
		o->quality = tf_json_first(o->quality);
	}
	return TF_OK;
}

static enum tf_err
read_interval(struct reader *r, struct object *o, struct tf_fault *f)
{
	const struct tf_json *v = tf_json_get(r->root, "interval");
	tf_time end = 0;
	bool ends;
	if (v && !tf_json_is(v, TF_JSON_NULL)) {
		if ((!tf_json_is(v, TF_JSON_NUMBER) && !tf_json_is(v, TF_JSON_STRING)) ||
		    !in_interval(v->text, &o->interval_s))
			return refuse(r, "interval", IN_INTERVAL, f, "no interval:", v->text);
		return TF_OK;
	}
	TF_TRY(time_member(r, "end", IN_TIME, o->start, &end, &ends, f));
	if (r->bad)
		return TF_OK;
	o->interval_s = r->j->c->o.interval_s;
	if (ends) {
		int64_t s = (end - o->start) / TF_SEC;
		if (s <= 0 || s % o->count || s / o->count > METER_INTERVAL_MAX_S)
			return refuse(r, "end", IN_INTERVAL, f,
				      "the time from start is no whole number of intervals to the", TF_STR("end"));
		o->interval_s = (uint32_t)(s / o->count);
	}
	return o->interval_s ? TF_OK : refuse(r, "interval", IN_INTERVAL, f, "missing member", TF_STR("interval"));
}

static enum tf_err
read_object(struct reader *r, struct object *o, struct tf_fault *f)
{
	bool there;
	TF_TRY(read_names(r, o, f));
	if (!r->bad)
		TF_TRY(time_member(r, "start", IN_TIME, r->j->last, &o->start, &there, f));
	if (!r->bad && !there)
		return refuse(r, "start", IN_TIME, f, "missing member", TF_STR("start"));
	if (!r->bad)
		TF_TRY(time_member(r, "issued", IN_ISSUED, IN_NO_TIME, &o->issued, &there, f));
	if (!r->bad)
		TF_TRY(read_values(r, o, f));
	return r->bad ? TF_OK : read_interval(r, o, f);
}

static bool
read_quality(const struct tf_json *q, bool absent, struct meter_quality *out)
{
	struct tf_str s;
	*out = (struct meter_quality){.kind = absent ? 'N' : 'A'};
	if (!q || tf_json_is(q, TF_JSON_NULL))
		return true;
	return tf_json_str(q, &s) && in_quality(s, out);
}

/* "value" or, from an array, "values[3]"; from 0. */
static const char *
item_name(const struct reader *r, const char *array, const char *one, uint32_t i, char out[static 24])
{
	if (!tf_json_is(tf_json_get(r->root, array), TF_JSON_ARRAY))
		return one;
	snprintf(out, 24, "%s[%u]", array, i);
	return out;
}

/* Value v and quality q, number i: refuses the line where one is wrong. */
static enum tf_err
read_reading(struct reader *r, const struct object *o, uint32_t i, const struct tf_json *v, const struct tf_json *q,
	     int64_t *out, struct meter_quality *out_quality, struct tf_fault *f)
{
	char buf[24];
	bool absent = tf_json_is(v, TF_JSON_NULL);
	if (!read_quality(q, absent, out_quality))
		return refuse(r, item_name(r, "quality", "quality", i, buf), IN_QUALITY, f, "no quality:", q->text);
	if (absent || out_quality->kind == 'N') {
		*out = METER_ABSENT;
		return TF_OK;
	}
	if (!tf_json_is(v, TF_JSON_NUMBER))
		return refuse(r, item_name(r, "values", "value", i, buf), IN_VALUE, f, "a number is wanted, not",
			      v->text);
	enum in_number n = in_decimal(v->text, '.', o->exponent, out);
	return n == IN_NUMBER_OK ? TF_OK
				 : refuse(r, item_name(r, "values", "value", i, buf), IN_VALUE_RANGE, f,
					  "the value is too large:", v->text);
}

/* Twice over the values: first to check all, then to give them, so that a line is taken whole or not at all. */
static enum tf_err
give_values(struct reader *r, const struct object *o, bool check, struct tf_fault *f)
{
	const struct tf_json *v = o->values, *q = o->quality;
	bool each = tf_json_is(tf_json_get(r->root, "quality"), TF_JSON_ARRAY);
	for (uint32_t i = 0; i < o->count && !r->bad; i++, v = v->next, q = each ? q->next : q) {
		int64_t value = 0;
		struct meter_quality quality;
		tf_time start = o->start + i * (o->interval_s * TF_SEC);
		TF_TRY(read_reading(r, o, i, v, q, &value, &quality, f));
		if (!r->bad && !check)
			TF_TRY(in_gather_add(&r->j->gather, start, o->interval_s, value, quality, f));
	}
	return TF_OK;
}

static enum tf_err
jsonl_line(void *parser, const struct in_line *line, struct tf_fault *f)
{
	struct jsonl *j = parser;
	struct reader r = {.j = j, .line = line};
	struct object o = {0};
	struct tf_fault why = {0};
	if (!tf_str_trim(line->text).n)
		return TF_OK;
	tf_arena_reset(&j->arena);
	enum tf_err e = tf_json_parse(line->text, &j->arena, 0, &r.root, &why);
	if (e == TF_NO_MEMORY)
		return tf_fault(f, e, "%s", why.text);
	if (e != TF_OK)
		return refuse(&r, "", IN_JSON, f, "no JSON:", tf_str(why.text));
	if (!tf_json_is(r.root, TF_JSON_OBJECT))
		return refuse(&r, "", IN_JSON, f, "an object is wanted, not", tf_str(tf_json_kind_name(r.root->kind)));
	TF_TRY(read_object(&r, &o, f));
	if (!r.bad)
		TF_TRY(give_values(&r, &o, true, f));
	if (r.bad)
		return TF_OK;
	j->last = o.start;
	TF_TRY(in_gather_channel(&j->gather, o.meter, o.channel, o.unit, o.issued, f));
	return give_values(&r, &o, false, f);
}

static void
jsonl_free(void *parser)
{
	struct jsonl *j = parser;
	in_gather_release(&j->gather);
	tf_arena_release(&j->arena);
	tf_free(j);
}

static enum tf_err
jsonl_open(struct in_ctx *c, void **out, struct tf_fault *f)
{
	struct jsonl *j = tf_calloc(1, sizeof(*j));
	if (!j)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a JSON parser");
	j->c = c;
	j->last = IN_NO_TIME;
	tf_arena_init(&j->arena, "JSON line", TREE_MAX);
	enum tf_err e = in_gather_init(&j->gather, c, f);
	if (e != TF_OK) {
		jsonl_free(j);
		return e;
	}
	*out = j;
	return TF_OK;
}

static enum tf_err
jsonl_finish(void *parser, bool cut, struct tf_fault *f)
{
	struct jsonl *j = parser;
	return in_gather_flush(&j->gather, f);
}

const struct in_format in_jsonl = {
	.name = "jsonl",
	.open = jsonl_open,
	.line = jsonl_line,
	.finish = jsonl_finish,
	.free = jsonl_free,
};
