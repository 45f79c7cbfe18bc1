/* The strict reader of tariff files; format: docs/formats/tariff.md. What is not known is refused: a misspelt field
 * must not become a wrong bill. */
#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "tariff.h"

struct reader {
	struct tf_str file, text;
	struct meter_tariff *t;
	struct tf_fault *f;
};

TF_PRINTF(3, 4)
static enum tf_err
bad(struct reader *r, const struct tf_json *at, const char *fmt, ...)
{
	char what[300];
	unsigned line, column;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	tf_json_place(r->text, at->at, &line, &column);
	return tf_fault(r->f, TF_INVALID, "tariff '%.*s' line %u: %s", TF_FMT(r->file), line, what);
}

static void *
alloc(struct reader *r, size_t count, size_t size)
{
	return tf_arena_calloc(&r->t->arena, count, size);
}

static enum tf_err
full(struct reader *r)
{
	return tf_arena_fault(&r->t->arena, r->f);
}

/* Every member of an object is one of names, which ends with NULL. */
static enum tf_err
only(struct reader *r, const struct tf_json *v, const char *const *names)
{
	if (!tf_json_is(v, TF_JSON_OBJECT))
		return bad(r, v, "'%.*s' is a %s: an object is wanted", TF_FMT(v->key), tf_json_kind_name(v->kind));
	for (const struct tf_json *m = tf_json_first(v); m; m = m->next) {
		int i = 0;
		while (names[i] && !tf_str_eq(m->key, tf_str(names[i])))
			i++;
		if (!names[i])
			return bad(r, m, "unknown field '%.*s'", TF_FMT(m->key));
	}
	return TF_OK;
}

static enum tf_err
need(struct reader *r, const struct tf_json *v, const char *name, const struct tf_json **out)
{
	*out = tf_json_get(v, name);
	return *out ? TF_OK : bad(r, v, "missing field '%s'", name);
}

/* A list of at least least and at most most; none where the member is missing and least is 0. */
static enum tf_err
list(struct reader *r, const struct tf_json *v, const char *name, uint32_t least, uint32_t most,
     const struct tf_json **out_first, uint32_t *out_count)
{
	const struct tf_json *l = tf_json_get(v, name);
	*out_first = NULL;
	*out_count = 0;
	if (!l)
		return least ? bad(r, v, "missing field '%s'", name) : TF_OK;
	if (!tf_json_is(l, TF_JSON_ARRAY))
		return bad(r, l, "'%s' is a %s: a list is wanted", name, tf_json_kind_name(l->kind));
	if (l->count < least || l->count > most)
		return bad(r, l, "'%s' has %u entries: %u to %u are possible", name, l->count, least, most);
	*out_first = tf_json_first(l);
	*out_count = l->count;
	return TF_OK;
}

static enum tf_err
text(struct reader *r, const struct tf_json *v, const char *name, struct tf_str *out)
{
	if (!tf_json_str(v, out) || !out->n || out->n > 64)
		return bad(r, v, "'%s' is a %s: a text of 1 to 64 bytes is wanted", name, tf_json_kind_name(v->kind));
	for (size_t i = 0; i < out->n; i++)
		if ((unsigned char)out->p[i] < 0x20 || out->p[i] == '"' || out->p[i] == ',')
			return bad(r, v, "'%s' holds a comma, a quote or a control character", name);
	return TF_OK;
}

static enum tf_err
need_text(struct reader *r, const struct tf_json *v, const char *name, struct tf_str *out)
{
	const struct tf_json *m;
	TF_TRY(need(r, v, name, &m));
	return text(r, m, name, out);
}

/* An exact decimal, as text or as a number, scaled to METER_RATE_SCALE, within [least, METER_RATE_MAX]. */
static enum tf_err
rate(struct reader *r, const struct tf_json *v, const char *name, int64_t least, int64_t *out)
{
	enum tf_err e = TF_INVALID;
	if (tf_json_is(v, TF_JSON_STRING) || tf_json_is(v, TF_JSON_NUMBER))
		e = tf_decimal_parse(v->text, METER_RATE_SCALE, TF_ROUND_NOT, out);
	if (e || *out < least || *out > METER_RATE_MAX)
		return bad(r, v, "'%s' is '%.*s': a decimal of at most %d places%s, at most 1000000 is wanted", name,
			   TF_FMT(v->text), METER_RATE_SCALE, least == 0 ? " from 0" : "");
	return TF_OK;
}

static enum tf_err
need_rate(struct reader *r, const struct tf_json *v, const char *name, int64_t least, int64_t *out)
{
	const struct tf_json *m;
	TF_TRY(need(r, v, name, &m));
	return rate(r, m, name, least, out);
}

static enum tf_err
whole(struct reader *r, const struct tf_json *v, const char *name, int64_t least, int64_t most, int64_t *out)
{
	if (!tf_json_i64(v, out) || *out < least || *out > most)
		return bad(r, v, "'%s' is '%.*s': a whole number from %lld to %lld is wanted", name, TF_FMT(v->text),
			   (long long)least, (long long)most);
	return TF_OK;
}

static enum tf_err
date(struct reader *r, const struct tf_json *v, const char *name, int32_t *out)
{
	struct tf_str s;
	if (!tf_json_str(v, &s) || tf_date_parse(s, out))
		return bad(r, v, "'%s' is '%.*s': a date YYYY-MM-DD is wanted", name, TF_FMT(v->text));
	return TF_OK;
}

/* Two numbers of two digits each with sep between, "18:30" or "04-01". */
static bool
two_numbers(struct tf_str s, char sep, unsigned *a, unsigned *b)
{
	if (s.n != 5 || s.p[2] != sep)
		return false;
	for (int i = 0; i < 5; i++)
		if (i != 2 && (s.p[i] < '0' || s.p[i] > '9'))
			return false;
	*a = (unsigned)(s.p[0] - '0') * 10 + (unsigned)(s.p[1] - '0');
	*b = (unsigned)(s.p[3] - '0') * 10 + (unsigned)(s.p[4] - '0');
	return true;
}

static enum tf_err
time_of_day(struct reader *r, const struct tf_json *v, const char *name, uint16_t *out)
{
	struct tf_str s;
	unsigned h, m;
	const struct tf_json *at;
	TF_TRY(need(r, v, name, &at));
	if (!tf_json_str(at, &s) || !two_numbers(s, ':', &h, &m) || m > 59 || h * 60 + m > 1440)
		return bad(r, at, "'%s' is '%.*s': a time of day HH:MM is wanted", name, TF_FMT(at->text));
	*out = (uint16_t)(h * 60 + m);
	return TF_OK;
}

static enum tf_err
day_of_year(struct reader *r, const struct tf_json *v, const char *name, uint16_t *out)
{
	struct tf_str s;
	unsigned m, d;
	int32_t ignored;
	const struct tf_json *at;
	TF_TRY(need(r, v, name, &at));
	if (!tf_json_str(at, &s) || !two_numbers(s, '-', &m, &d) || tf_date_from_civil(2024, (int)m, (int)d, &ignored))
		return bad(r, at, "'%s' is '%.*s': a day MM-DD is wanted", name, TF_FMT(at->text));
	*out = (uint16_t)(m * 100 + d);
	return TF_OK;
}

static enum tf_err
read_days(struct reader *r, const struct tf_json *v, uint8_t *out)
{
	static const struct {
		const char *name;
		uint8_t bits;
	} kinds[] = {{"weekday", 0x1f}, {"weekend", 0x60}, {"holiday", METER_DAY_HOLIDAY},
		     {"mon", 0x01},     {"tue", 0x02},     {"wed", 0x04},
		     {"thu", 0x08},     {"fri", 0x10},     {"sat", 0x20},
		     {"sun", 0x40}};
	const struct tf_json *d;
	uint32_t n;
	*out = 0xff;
	if (!tf_json_get(v, "days"))
		return TF_OK;
	TF_TRY(list(r, v, "days", 1, 8, &d, &n));
	for (*out = 0; d; d = d->next) {
		size_t i = 0, count = sizeof kinds / sizeof *kinds;
		while (i < count && !(tf_json_is(d, TF_JSON_STRING) && tf_str_eq(d->text, tf_str(kinds[i].name))))
			i++;
		if (i == count)
			return bad(r, d, "'days' holds '%.*s': weekday, weekend, holiday, mon ... sun are possible",
				   TF_FMT(d->text));
		*out |= kinds[i].bits;
	}
	return TF_OK;
}

static enum tf_err
read_window(struct reader *r, const struct tf_json *v, struct meter_tariff_window *w)
{
	static const char *const names[] = {"days", "from", "to", "season", NULL};
	static const char *const season_names[] = {"from", "to", NULL};
	TF_TRY(only(r, v, names));
	TF_TRY(read_days(r, v, &w->days));
	TF_TRY(time_of_day(r, v, "from", &w->from_min));
	TF_TRY(time_of_day(r, v, "to", &w->to_min));
	w->from_min %= 1440;
	w->season_from = 101;
	w->season_to = 1231;
	const struct tf_json *season = tf_json_get(v, "season");
	if (!season)
		return TF_OK;
	TF_TRY(only(r, season, season_names));
	TF_TRY(day_of_year(r, season, "from", &w->season_from));
	return day_of_year(r, season, "to", &w->season_to);
}

static enum tf_err
read_register(struct reader *r, const struct tf_json *v, bool last, struct meter_tariff_register *out)
{
	static const char *const names[] = {"name", "rate", "windows", NULL};
	TF_TRY(only(r, v, names));
	TF_TRY(need_text(r, v, "name", &out->name));
	if (tf_json_get(v, "rate"))
		TF_TRY(need_rate(r, v, "rate", -METER_RATE_MAX, &out->rate));
	const struct tf_json *w;
	TF_TRY(list(r, v, "windows", last ? 0 : 1, METER_WINDOWS_MAX, &w, &out->window_count));
	if (last && out->window_count)
		return bad(r, v, "the last register ('%.*s') takes the remaining time and has no 'windows'",
			   TF_FMT(out->name));
	out->windows = alloc(r, out->window_count, sizeof *out->windows);
	if (!out->windows)
		return full(r);
	for (uint32_t i = 0; w; w = w->next)
		TF_TRY(read_window(r, w, &out->windows[i++]));
	return TF_OK;
}

static enum tf_err
read_registers(struct reader *r, const struct tf_json *v, struct meter_tariff_plan *p)
{
	const struct tf_json *e;
	TF_TRY(list(r, v, "registers", 0, METER_REGISTERS_MAX, &e, &p->register_count));
	p->registers = alloc(r, p->register_count, sizeof *p->registers);
	if (!p->registers)
		return full(r);
	for (uint32_t i = 0; e; e = e->next, i++) {
		TF_TRY(read_register(r, e, !e->next, &p->registers[i]));
		for (uint32_t k = 0; k < i; k++)
			if (tf_str_eq(p->registers[k].name, p->registers[i].name))
				return bad(r, e, "two registers are named '%.*s'", TF_FMT(p->registers[i].name));
	}
	return TF_OK;
}

static enum tf_err
slab_name(struct reader *r, int64_t from_wh, struct meter_tariff_slab *s)
{
	char line[100], a[32], b[32];
	tf_decimal_format_short(from_wh, 3, a);
	tf_decimal_format_short(s->up_to_wh, 3, b);
	if (s->up_to_wh == INT64_MAX && !from_wh)
		snprintf(line, sizeof line, "energy");
	else if (s->up_to_wh == INT64_MAX)
		snprintf(line, sizeof line, "energy over %s kWh", a);
	else
		snprintf(line, sizeof line, "energy %s to %s kWh", a, b);
	s->name = tf_arena_str(&r->t->arena, tf_str(line));
	return s->name.p ? TF_OK : full(r);
}

static enum tf_err
read_slab(struct reader *r, const struct tf_json *v, bool last, int64_t from_wh, struct meter_tariff_slab *out)
{
	static const char *const names[] = {"up_to_kwh", "rate", NULL};
	TF_TRY(only(r, v, names));
	TF_TRY(need_rate(r, v, "rate", -METER_RATE_MAX, &out->rate));
	out->up_to_wh = INT64_MAX;
	const struct tf_json *to = tf_json_get(v, "up_to_kwh");
	if (last && to)
		return bad(r, to, "the last slab takes the rest and has no 'up_to_kwh'");
	if (!last) {
		TF_TRY(need(r, v, "up_to_kwh", &to));
		if (!tf_json_is(to, TF_JSON_NUMBER) || tf_decimal_parse(to->text, 3, TF_ROUND_NOT, &out->up_to_wh) ||
		    out->up_to_wh <= from_wh || out->up_to_wh > METER_RATE_MAX)
			return bad(
				r, to,
				"'up_to_kwh' is '%.*s': a number of kWh above the slab's before, of at most 3 places, "
				"is wanted",
				TF_FMT(to->text));
	}
	return slab_name(r, from_wh, out);
}

static enum tf_err
read_slabs(struct reader *r, const struct tf_json *v, struct meter_tariff_plan *p)
{
	const struct tf_json *e;
	TF_TRY(list(r, v, "slabs", 0, METER_SLABS_MAX, &e, &p->slab_count));
	p->slabs = alloc(r, p->slab_count, sizeof *p->slabs);
	if (!p->slabs)
		return full(r);
	int64_t from_wh = 0;
	for (uint32_t i = 0; e; e = e->next, i++) {
		TF_TRY(read_slab(r, e, !e->next, from_wh, &p->slabs[i]));
		from_wh = p->slabs[i].up_to_wh;
	}
	return TF_OK;
}

static enum tf_err
read_demand(struct reader *r, const struct tf_json *v, struct meter_tariff_plan *p)
{
	static const char *const names[] = {"interval_minutes", "rate_per_kw", "minimum_kw", NULL};
	const struct tf_json *d = tf_json_get(v, "demand"), *minutes;
	p->demand_s = 1800;
	if (!d)
		return TF_OK;
	int64_t n, least = 0;
	TF_TRY(only(r, d, names));
	TF_TRY(need(r, d, "interval_minutes", &minutes));
	TF_TRY(whole(r, minutes, "interval_minutes", 1, 1440, &n));
	TF_TRY(need_rate(r, d, "rate_per_kw", 0, &p->demand_rate));
	if (tf_json_get(d, "minimum_kw"))
		TF_TRY(need_rate(r, d, "minimum_kw", 0, &least));
	if (least % 1000)
		return bad(r, d, "'minimum_kw' has more than 3 places");
	p->demand_s = (uint32_t)n * 60;
	p->demand_least = least / 1000;
	p->has_demand = true;
	return TF_OK;
}

static enum tf_err
read_tax(struct reader *r, const struct tf_json *v, struct meter_tariff_tax *out)
{
	static const char *const names[] = {"name", "percent", "on", NULL};
	const struct tf_json *e;
	uint32_t n;
	TF_TRY(only(r, v, names));
	TF_TRY(need_text(r, v, "name", &out->name));
	TF_TRY(need_rate(r, v, "percent", 0, &out->percent));
	TF_TRY(list(r, v, "on", 1, METER_LINE_COUNT, &e, &n));
	for (; e; e = e->next) {
		int k = 0;
		while (k < METER_LINE_ROUNDING &&
		       !(tf_json_is(e, TF_JSON_STRING) && tf_str_eq(e->text, tf_str(meter_line_names[k]))))
			k++;
		if (k == METER_LINE_ROUNDING)
			return bad(r, e,
				   "'on' holds '%.*s': energy, registers, demand, fixed, export, tax are possible",
				   TF_FMT(e->text));
		out->on |= 1u << k;
	}
	return TF_OK;
}

static enum tf_err
read_taxes(struct reader *r, const struct tf_json *v, struct meter_tariff_plan *p)
{
	const struct tf_json *e;
	TF_TRY(list(r, v, "taxes", 0, METER_TAXES_MAX, &e, &p->tax_count));
	p->taxes = alloc(r, p->tax_count, sizeof *p->taxes);
	if (!p->taxes)
		return full(r);
	for (uint32_t i = 0; e; e = e->next)
		TF_TRY(read_tax(r, e, &p->taxes[i++]));
	return TF_OK;
}

static enum tf_err
read_categories(struct reader *r, const struct tf_json *v, struct meter_tariff_plan *p)
{
	const struct tf_json *e;
	TF_TRY(list(r, v, "categories", 0, 64, &e, &p->category_count));
	struct tf_str *c = alloc(r, p->category_count, sizeof *c);
	if (!c)
		return full(r);
	p->categories = c;
	for (; e; e = e->next)
		TF_TRY(text(r, e, "categories", c++));
	return TF_OK;
}

static enum tf_err
read_plan(struct reader *r, const struct tf_json *v, struct meter_tariff_plan *p)
{
	static const char *const names[] = {"name",  "categories", "slabs", "registers", "demand",
					    "fixed", "export",     "taxes", NULL};
	static const char *const export_names[] = {"rate", NULL};
	TF_TRY(only(r, v, names));
	TF_TRY(need_text(r, v, "name", &p->name));
	TF_TRY(read_categories(r, v, p));
	TF_TRY(read_slabs(r, v, p));
	TF_TRY(read_registers(r, v, p));
	TF_TRY(read_demand(r, v, p));
	TF_TRY(read_taxes(r, v, p));
	p->has_fixed = tf_json_get(v, "fixed") != NULL;
	if (p->has_fixed)
		TF_TRY(need_rate(r, v, "fixed", 0, &p->fixed));
	const struct tf_json *export = tf_json_get(v, "export");
	p->has_export = export != NULL;
	if (!export)
		return TF_OK;
	TF_TRY(only(r, export, export_names));
	return need_rate(r, export, "rate", 0, &p->export_credit);
}

/* A name or category stands for one plan. */
static enum tf_err
check_plans(struct reader *r, const struct tf_json *at, const struct meter_tariff_version *v)
{
	for (uint32_t a = 0; a < v->plan_count; a++)
		for (uint32_t b = 0; b < a; b++) {
			const struct meter_tariff_plan *p = &v->plans[a], *q = &v->plans[b];
			if (tf_str_eq(p->name, q->name))
				return bad(r, at, "two plans are named '%.*s'", TF_FMT(p->name));
			for (uint32_t i = 0; i < p->category_count; i++)
				for (uint32_t k = 0; k < q->category_count; k++)
					if (tf_str_eq(p->categories[i], q->categories[k]))
						return bad(r, at, "plans '%.*s' and '%.*s' both take category '%.*s'",
							   TF_FMT(q->name), TF_FMT(p->name), TF_FMT(p->categories[i]));
		}
	return TF_OK;
}

static enum tf_err
read_version(struct reader *r, const struct tf_json *v, struct meter_tariff_version *out)
{
	static const char *const names[] = {"from", "default", "plans", NULL};
	const struct tf_json *e, *from;
	struct tf_str name;
	TF_TRY(only(r, v, names));
	TF_TRY(need(r, v, "from", &from));
	TF_TRY(date(r, from, "from", &out->from));
	TF_TRY(need_text(r, v, "default", &name));
	TF_TRY(list(r, v, "plans", 1, METER_PLANS_MAX, &e, &out->plan_count));
	out->plans = alloc(r, out->plan_count, sizeof *out->plans);
	if (!out->plans)
		return full(r);
	out->default_plan = UINT32_MAX;
	for (uint32_t i = 0; e; e = e->next, i++) {
		TF_TRY(read_plan(r, e, &out->plans[i]));
		out->plans[i].id = r->t->plan_count++;
		if (tf_str_eq(out->plans[i].name, name))
			out->default_plan = i;
	}
	if (out->default_plan == UINT32_MAX)
		return bad(r, tf_json_get(v, "default"), "'default' is '%.*s': no plan has that name", TF_FMT(name));
	return check_plans(r, v, out);
}

static enum tf_err
read_versions(struct reader *r, const struct tf_json *v)
{
	const struct tf_json *e;
	TF_TRY(list(r, v, "versions", 1, METER_VERSIONS_MAX, &e, &r->t->version_count));
	r->t->versions = alloc(r, r->t->version_count, sizeof *r->t->versions);
	if (!r->t->versions)
		return full(r);
	for (uint32_t i = 0; e; e = e->next, i++) {
		TF_TRY(read_version(r, e, &r->t->versions[i]));
		if (i && r->t->versions[i].from <= r->t->versions[i - 1].from)
			return bad(r, e, "'from' is not after the version's before");
	}
	return TF_OK;
}

static enum tf_err
read_holidays(struct reader *r, const struct tf_json *v)
{
	const struct tf_json *e;
	TF_TRY(list(r, v, "holidays", 0, METER_HOLIDAYS_MAX, &e, &r->t->holiday_count));
	r->t->holidays = alloc(r, r->t->holiday_count, sizeof *r->t->holidays);
	if (!r->t->holidays)
		return full(r);
	for (uint32_t i = 0; e; e = e->next, i++) {
		TF_TRY(date(r, e, "holidays", &r->t->holidays[i]));
		if (i && r->t->holidays[i] <= r->t->holidays[i - 1])
			return bad(r, e, "'holidays' are not in order of date");
	}
	return TF_OK;
}

static enum tf_err
read_rounding(struct reader *r, const struct tf_json *v)
{
	static const char *const names[] = {"line", "total", NULL};
	struct meter_tariff *t = r->t;
	t->rounding = TF_ROUND_HALF_EVEN;
	t->round_total = 1;
	const struct tf_json *rounding = tf_json_get(v, "rounding"), *line, *total;
	if (!rounding)
		return TF_OK;
	TF_TRY(only(r, rounding, names));
	line = tf_json_get(rounding, "line");
	if (line && tf_str_eq(line->text, tf_str("half-up")))
		t->rounding = TF_ROUND_HALF_UP;
	else if (line && !tf_str_eq(line->text, tf_str("half-even")))
		return bad(r, line, "'line' is '%.*s': half-even or half-up is wanted", TF_FMT(line->text));
	total = tf_json_get(rounding, "total");
	if (!total)
		return TF_OK;
	if ((!tf_json_is(total, TF_JSON_STRING) && !tf_json_is(total, TF_JSON_NUMBER)) ||
	    tf_decimal_parse(total->text, t->minor_digits, TF_ROUND_NOT, &t->round_total) || t->round_total < 1 ||
	    t->round_total > 1000000)
		return bad(r, total, "'total' is '%.*s': an amount the total is a multiple of is wanted",
			   TF_FMT(total->text));
	return TF_OK;
}

static enum tf_err
read_tariff(struct reader *r, const struct tf_json *v)
{
	static const char *const names[] = {"name",     "currency", "minor_digits", "rounding",
					    "holidays", "versions", "comment",      NULL};
	const struct tf_json *digits;
	int64_t n;
	TF_TRY(only(r, v, names));
	TF_TRY(need_text(r, v, "name", &r->t->name));
	TF_TRY(need_text(r, v, "currency", &r->t->currency));
	TF_TRY(need(r, v, "minor_digits", &digits));
	TF_TRY(whole(r, digits, "minor_digits", 0, 4, &n));
	r->t->minor_digits = (int)n;
	TF_TRY(read_rounding(r, v));
	TF_TRY(read_holidays(r, v));
	return read_versions(r, v);
}

enum tf_err
meter_tariff_parse(struct tf_str file, struct tf_str json, struct meter_tariff **out, struct tf_fault *f)
{
	if (json.n > METER_TARIFF_BYTES)
		return tf_fault(f, TF_TOO_LARGE, "tariff '%.*s' is over %u bytes", TF_FMT(file), METER_TARIFF_BYTES);
	struct meter_tariff *t = tf_calloc(1, sizeof *t);
	if (!t)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a tariff");
	tf_arena_init(&t->arena, "tariff", 64u << 20);
	struct reader r = {.file = file, .t = t, .f = f};
	const struct tf_json *v = NULL;
	r.text = tf_arena_str(&t->arena, json);
	enum tf_err e = r.text.p ? tf_json_parse(r.text, &t->arena, 0, &v, f) : full(&r);
	if (e) {
		tf_fault_wrap(f, e, "tariff '%.*s'", TF_FMT(file));
	} else {
		TF_ASSERT(v);
		e = read_tariff(&r, v);
	}
	if (e)
		meter_tariff_free(&t);
	else
		*out = t;
	return e;
}
