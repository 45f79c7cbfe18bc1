/* The footer of a TZif file: a POSIX TZ rule (IEEE 1003.1, 8.3) with RFC 8536's extension, change times from -167 to
 * 167 hours:
 *
 *   std offset [dst [offset] , start [/time] , end [/time]]     "GMT0BST,M3.5.0/1,M10.5.0"
 *
 * Offsets count westwards. start and end are Jn (1..365, 29 February never counted), n (0..365, counted) or Mm.w.d
 * (weekday d, 0 = Sunday, of week w of month m; week 5 is the last). A rule is written out as spans: for the years from
 * the table's end on, far enough that the calendar's 400-year cycle covers the rest (calendar_impl.h). */
#include "base/calendar_impl.h"

#define DEFAULT_CHANGE_S 7200
/* A rule that holds from before this year is written out from it on; earlier times are asked 400 years later. */
#define RULE_YEAR_MIN 1898

struct change {
	char kind; /* 'J', 'n' or 'M' */
	int day, week, month;
	int32_t time_s;
};

struct rule {
	int32_t std_s, dst_s; /* seconds east of UTC */
	bool has_dst;
	struct change start, end;
};

static bool
take_char(struct tf_str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

/* One to three digits. */
static bool
take_number(struct tf_str *s, int min, int max, int *out)
{
	int v = 0;
	size_t n = 0;
	for (; n < s->n && n < 3 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		v = v * 10 + (s->p[n] - '0');
	if (n == 0 || v < min || v > max)
		return false;
	s->p += n;
	s->n -= n;
	*out = v;
	return true;
}

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Three or more letters, or <...> of letters, digits, plus and minus. */
static bool
take_designation(struct tf_str *s)
{
	bool quoted = take_char(s, '<');
	size_t n = 0;
	while (n < s->n && (letter(s->p[n]) ||
			    (quoted && (s->p[n] == '+' || s->p[n] == '-' || (s->p[n] >= '0' && s->p[n] <= '9')))))
		n++;
	s->p += n;
	s->n -= n;
	return n >= 3 && (!quoted || take_char(s, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool
take_hms(struct tf_str *s, int hour_max, int32_t *out)
{
	bool minus = take_char(s, '-');
	if (!minus)
		take_char(s, '+');
	int h, m = 0, sec = 0;
	if (!take_number(s, 0, hour_max, &h))
		return false;
	if (take_char(s, ':')) {
		if (!take_number(s, 0, 59, &m))
			return false;
		if (take_char(s, ':') && !take_number(s, 0, 59, &sec))
			return false;
	}
	*out = (h * 3600 + m * 60 + sec) * (minus ? -1 : 1);
	return true;
}

static bool
take_change(struct tf_str *s, struct change *out)
{
	if (!take_char(s, ','))
		return false;
	*out = (struct change){.kind = 'n', .time_s = DEFAULT_CHANGE_S};
	bool ok;
	if (take_char(s, 'J')) {
		out->kind = 'J';
		ok = take_number(s, 1, 365, &out->day);
	} else if (take_char(s, 'M')) {
		out->kind = 'M';
		ok = take_number(s, 1, 12, &out->month) && take_char(s, '.') && take_number(s, 1, 5, &out->week) &&
		     take_char(s, '.') && take_number(s, 0, 6, &out->day);
	} else {
		ok = take_number(s, 0, 365, &out->day);
	}
	return ok && (!take_char(s, '/') || take_hms(s, 167, &out->time_s));
}

static bool
parse(struct tf_str s, struct rule *out)
{
	int32_t west;
	*out = (struct rule){0};
	if (!take_designation(&s) || !take_hms(&s, 24, &west))
		return false;
	out->std_s = -west;
	if (!s.n)
		return true;
	out->has_dst = true;
	out->dst_s = out->std_s + 3600;
	if (!take_designation(&s))
		return false;
	if (s.n && s.p[0] != ',') {
		if (!take_hms(&s, 24, &west))
			return false;
		out->dst_s = -west;
	}
	return take_change(&s, &out->start) && take_change(&s, &out->end) && !s.n;
}

static int32_t
date_of(int year, int month, int day)
{
	int32_t date = 0;
	enum tf_err e = tf_date_from_civil(year, month, day, &date);
	TF_ASSERT(e == TF_OK);
	return date;
}

static int32_t
change_date(const struct change *c, int year)
{
	int32_t first = date_of(year, 1, 1);
	if (c->kind == 'n')
		return first + c->day;
	if (c->kind == 'J') {
		bool leap = date_of(year + 1, 1, 1) - first == 366;
		return first + c->day - 1 + (leap && c->day >= 60);
	}
	int32_t month_first = date_of(year, c->month, 1);
	int32_t next_first = c->month == 12 ? date_of(year + 1, 1, 1) : date_of(year, c->month + 1, 1);
	int sunday_based = (tf_date_weekday(month_first) + 1) % 7;
	int32_t date = month_first + (c->day - sunday_based + 7) % 7 + (c->week - 1) * 7;
	return date >= next_first ? date - 7 : date;
}

/* A change's clock time is the one in force before it. */
static int64_t
change_at(const struct change *c, int year, int32_t offset_before_s)
{
	return (int64_t)change_date(c, year) * 86400 + c->time_s - offset_before_s;
}

/* One year's two changes in order. At one instant the end comes first, so that saving all year ("0/0,J365/25") has no
 * gap; a change before the last one written (rules that overlap at new year) moves to it. */
static enum tf_err
add_year(struct tf_zone *z, const struct rule *r, int year)
{
	int64_t start = change_at(&r->start, year, r->std_s), end = change_at(&r->end, year, r->dst_s);
	for (int i = 0; i < 2; i++) {
		bool dst = (i == 0) == (start < end);
		int64_t at = dst ? start : end;
		if (at <= z->rule_from_s)
			continue;
		int64_t last = z->spans[z->count - 1].from_s;
		TF_TRY(tf_zone_add(z, at > last ? at : last, dst ? r->dst_s : r->std_s, dst));
	}
	return TF_OK;
}

static int
year_of(int64_t s)
{
	struct tf_civil c;
	tf_civil_from_seconds(s, &c);
	return c.year;
}

enum tf_err
tf_zone_add_rule(struct tf_zone *z, struct tf_str text)
{
	struct rule r;
	if (!parse(text, &r))
		return TF_INVALID;
	if (!r.has_dst) /* holds from the table's end on; a zone without a table is the rule alone */
		return z->rule_from_s == INT64_MIN ? tf_zone_add(z, INT64_MIN, r.std_s, false) : TF_OK;
	int first = RULE_YEAR_MIN;
	if (z->rule_from_s != INT64_MIN && year_of(z->rule_from_s) > first)
		first = year_of(z->rule_from_s);
	else
		z->cycle_early_s = z->rule_from_s;
	for (int year = first; year <= first + 403; year++)
		TF_TRY(add_year(z, &r, year));
	z->cycle_from_s = (int64_t)date_of(first + 2, 1, 1) * 86400;
	z->cycle_to_s = z->cycle_from_s + TF_ZONE_CYCLE_S;
	return TF_OK;
}
