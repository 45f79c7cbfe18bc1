/* Numbers, units, qualities, names and times as they stand in meter files; see in_parts.h. */
#include <stdarg.h>
#include <stdio.h>

#include "in_parts.h"

static const char *const rule_texts[] = {
#define X(name, text, meaning) text,
#include "in_rules.def"
#undef X
};

static const uint64_t powers[] = {1,
				  10,
				  100,
				  1000,
				  10000,
				  100000,
				  1000000,
				  10000000,
				  100000000,
				  1000000000,
				  10000000000,
				  100000000000,
				  1000000000000,
				  10000000000000,
				  100000000000000,
				  1000000000000000,
				  10000000000000000,
				  100000000000000000,
				  1000000000000000000};

const char *
in_rule_text(enum in_rule rule)
{
	TF_ASSERT(rule < IN_RULE_COUNT);
	return rule_texts[rule];
}

void
in_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void
in_step(struct in_ctx *c, uint32_t interval_s)
{
	c->steps_differ |= c->step_s && interval_s && c->step_s != interval_s;
	if (interval_s)
		c->step_s = interval_s;
}

enum tf_err
in_bad(const struct in_ctx *c, const struct in_place *at, enum in_rule rule, struct tf_fault *f, const char *fmt, ...)
{
	char text[TF_FAULT_TEXT_MAX];
	int head = 0;
	if (at->unfinished)
		head = snprintf(text, sizeof(text), "the source ends inside this record: ");
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text + head, sizeof(text) - (size_t)head, fmt, ap);
	va_end(ap);
	size_t size = n < 0 ? 0 : (size_t)head + (size_t)n;
	in_printable(text);
	struct meter_bad bad = {
		.line = at->line,
		.field = at->field,
		.name = at->name,
		.column = at->column,
		.member = c->member,
		.rule = tf_str(in_rule_text(at->unfinished ? IN_TRUNCATED : rule)),
		.text = tf_str_n(text, size < sizeof(text) ? size : sizeof(text) - 1),
		.bytes = at->bytes,
		.context = at->context,
		.as = c->o,
	};
	if (at->interval_s)
		bad.as.interval_s = at->interval_s;
	if (!bad.as.meter.n && in_name_ok(c->base, METER_METER_MAX))
		bad.as.meter = c->base;
	return c->sink.bad(c->sink.ctx, &bad, f);
}

/* A decimal taken apart: m x 10^shift, sticky where digits beyond the 18th were dropped. */
struct parts {
	uint64_t m;
	int shift;
	bool negative, sticky;
};

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "e-05" at s: false when it is no exponent. */
static bool
read_exponent(struct tf_str s, int *out)
{
	s.p++, s.n--;
	bool negative = s.n && s.p[0] == '-';
	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		s.p++, s.n--;
	uint64_t e;
	if (s.n > 4 || !tf_str_u64(s, &e))
		return false;
	*out = negative ? -(int)e : (int)e;
	return true;
}

static bool
take_apart(struct tf_str s, char dot, struct parts *out)
{
	bool any = false, past_dot = false;
	size_t i = 0;
	if (s.p[0] == '-' || s.p[0] == '+')
		out->negative = s.p[i++] == '-';
	for (; i < s.n; i++) {
		char ch = s.p[i];
		if (digit(ch)) {
			any = true;
			if (out->m < powers[17]) {
				out->m = out->m * 10 + (uint64_t)(ch - '0');
				out->shift -= past_dot;
			} else {
				out->sticky |= ch != '0';
				out->shift += !past_dot;
			}
		} else if ((ch == '.' || ch == dot) && !past_dot) {
			past_dot = true;
		} else if ((ch == 'e' || ch == 'E') && any) {
			int e;
			if (!read_exponent(tf_str_n(s.p + i, s.n - i), &e))
				return false;
			out->shift += e;
			return true;
		} else {
			return false;
		}
	}
	return any;
}

/* m x 10^-down, half to even. */
static uint64_t
scale_down(const struct parts *d, int down)
{
	if (down > 18)
		return 0;
	uint64_t p = powers[down], q = d->m / p, r = d->m % p;
	if (r > p / 2 || (r == p / 2 && (d->sticky || (q & 1))))
		q++;
	return q;
}

enum in_number
in_decimal(struct tf_str s, char dot, int exponent, int64_t *out)
{
	struct parts d = {0};
	s = tf_str_trim(s);
	if (!s.n)
		return IN_NUMBER_EMPTY;
	if (!take_apart(s, dot, &d))
		return IN_NUMBER_BAD;
	int shift = d.shift + exponent;
	if (shift < 0) {
		d.m = scale_down(&d, -shift);
	} else if (d.m) {
		if (shift > 18 || __builtin_mul_overflow(d.m, powers[shift], &d.m))
			return IN_NUMBER_RANGE;
	}
	if (d.m > (uint64_t)METER_VALUE_MAX)
		return IN_NUMBER_RANGE;
	*out = d.negative ? -(int64_t)d.m : (int64_t)d.m;
	return IN_NUMBER_OK;
}

enum in_number
in_cell(struct in_ctx *c, struct tf_str s, char dot, int exponent, int64_t *out)
{
	enum in_number number = in_decimal(s, dot, exponent, out);
	int64_t fine;
	bool fraction = s.n && (memchr(s.p, '.', s.n) || memchr(s.p, dot, s.n));
	if (number == IN_NUMBER_OK && exponent == 0 && fraction && in_decimal(s, dot, 6, &fine) == IN_NUMBER_OK)
		c->rounded += fine % 1000000 != 0;
	return number;
}

static const struct {
	const char *name;
	enum meter_unit unit;
	int8_t exponent;
} units[] = {
	{"wh", METER_WH, 0},
	{"kwh", METER_WH, 3},
	{"mwh", METER_WH, 6},
	{"gwh", METER_WH, 9},
	{"varh", METER_VARH, 0},
	{"kvarh", METER_VARH, 3},
	{"mvarh", METER_VARH, 6},
	{"vah", METER_VAH, 0},
	{"kvah", METER_VAH, 3},
	{"mvah", METER_VAH, 6},
	{"w", METER_W, 0},
	{"kw", METER_W, 3},
	{"mw", METER_W, 6},
	{"var", METER_VAR, 0},
	{"kvar", METER_VAR, 3},
	{"mvar", METER_VAR, 6},
	{"va", METER_VA, 0},
	{"kva", METER_VA, 3},
	{"mva", METER_VA, 6},
	{"v", METER_MV, 3},
	{"kv", METER_MV, 6},
	{"a", METER_MA, 3},
	{"ka", METER_MA, 6},
	{"l", METER_LITRE, 0},
	{"litre", METER_LITRE, 0},
	{"kl", METER_LITRE, 3},
	{"m3", METER_LITRE, 3},
	{"pf", METER_PF, 3},
	{"pf/1000", METER_PF, 0},
	{"count", METER_COUNT, 3},
	{"count/1000", METER_COUNT, 0},
};

bool
in_unit(struct tf_str s, enum meter_unit *out_unit, int8_t *out_exponent)
{
	s = tf_str_trim(s);
	if (tf_str_eq(s, TF_STR("mV")) || tf_str_eq(s, TF_STR("mA"))) { /* the only small m; MV is no unit here */
		*out_unit = s.p[1] == 'V' ? METER_MV : METER_MA;
		*out_exponent = 0;
		return true;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (tf_str_eq_nocase(s, tf_str(units[i].name))) {
			*out_unit = units[i].unit;
			*out_exponent = units[i].exponent;
			return true;
		}
	return false;
}

bool
in_quality(struct tf_str s, struct meter_quality *out)
{
	struct meter_quality q = {0};
	uint64_t v;
	s = tf_str_trim(s);
	if (!s.n || !memchr("AESFNPRX", s.p[0], 8))
		return false;
	q.kind = s.p[0];
	struct tf_str rest = tf_str_n(s.p + 1, s.n - 1), method;
	if (rest.n && tf_str_cut(&rest, '/', &method) && method.n) {
		if (!tf_str_u64(method, &v) || v > 255)
			return false;
		q.method = (uint8_t)v;
	}
	if (s.n > 1 && rest.p) {
		if (!tf_str_u64(rest, &v) || v > UINT16_MAX)
			return false;
		q.reason = (uint16_t)v;
	}
	*out = q;
	return true;
}

bool
in_name_ok(struct tf_str s, size_t max)
{
	if (!s.n || s.n > max || s.p[0] == ' ' || s.p[s.n - 1] == ' ')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < ' ' || c >= 0x7f || c == ',' || c == '"')
			return false;
	}
	return true;
}

bool
in_interval(struct tf_str s, uint32_t *out_s)
{
	s = tf_str_trim(s);
	bool iso = tf_str_starts(s, TF_STR("PT"));
	if (iso)
		s.p += 2, s.n -= 2;
	size_t n = 0;
	while (n < s.n && digit(s.p[n]))
		n++;
	uint64_t v;
	if (n > 9 || !tf_str_u64(tf_str_n(s.p, n), &v))
		return false;
	static const struct {
		const char *name;
		uint32_t seconds;
	} names[] = {{"", 1},        {"s", 1},        {"sec", 1},     {"seconds", 1},  {"m", 60},
		     {"min", 60},    {"mins", 60},    {"minute", 60}, {"minutes", 60}, {"h", 3600},
		     {"hour", 3600}, {"hours", 3600}, {"d", 86400},   {"day", 86400}};
	struct tf_str unit = tf_str_trim(tf_str_n(s.p + n, s.n - n));
	for (size_t i = iso; i < sizeof(names) / sizeof(names[0]); i++)
		if (tf_str_eq_nocase(unit, tf_str(names[i].name))) {
			v *= names[i].seconds;
			if (v < METER_INTERVAL_MIN_S || v > METER_INTERVAL_MAX_S)
				return false;
			*out_s = (uint32_t)v;
			return true;
		}
	return false;
}

/* Unix seconds or milliseconds; false when s is not of that form. */
static bool
unix_time(struct tf_str s, tf_time *out)
{
	uint64_t v;
	if ((s.n != 10 && s.n != 13) || !tf_str_u64(s, &v))
		return false;
	if (s.n == 13 && v % 1000)
		return false;
	*out = (tf_time)(s.n == 13 ? v / 1000 : v) * TF_SEC;
	return true;
}

/* The second instant of a local time that comes twice, t being the first. */
static tf_time
second_instant(const struct tf_zone *zone, int64_t local_s, tf_time t)
{
	int32_t after = tf_zone_offset(zone, t + TF_DAY, NULL);
	tf_time second = (local_s - after) * TF_SEC;
	return second > t && tf_zone_offset(zone, second, NULL) == after ? second : t;
}

enum tf_err
in_when(struct tf_str s, const struct tf_zone *zone, tf_time last, tf_time *out)
{
	struct tf_when w;
	tf_time t;
	bool twice = false;
	s = tf_str_trim(s);
	if (!unix_time(s, &t)) {
		TF_TRY(tf_when_parse(s, &w));
		if (w.micro)
			return TF_INVALID;
		TF_TRY(tf_when_resolve(&w, zone, &t, &twice));
		if (twice && !w.has_offset && last != IN_NO_TIME && t <= last) {
			tf_time second = second_instant(zone, w.local_s, t);
			t = second > last ? second : t;
		}
	}
	if (t < TF_TIME_FIRST || t > TF_TIME_LAST)
		return TF_INVALID;
	*out = t;
	return TF_OK;
}
