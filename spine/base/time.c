/* Civil dates (proleptic Gregorian, day 0 = 1970-01-01) and the texts of dates and times; see time.h.
 * What depends on a zone is in calendar.c. */
#include "base/time.h"

#include <stdio.h>

/* The whole seconds a tf_time can hold: about the years -290,000 to 294,000. */
#define SECONDS_MAX (INT64_MAX / TF_SEC)

static bool
leap_year(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int
days_in_month(int64_t year, int month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && leap_year(year));
}

/* Counts years from 1 March, so that the leap day is a year's last; 400 years are 146097 days. */
static int64_t
days_from_civil(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

enum tf_err
tf_date_from_civil(int year, int month, int day, int32_t *out)
{
	if (year < -1000000 || year > 1000000 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return TF_INVALID;
	*out = (int32_t)days_from_civil(year, month, day);
	return TF_OK;
}

void
tf_date_to_civil(int32_t date, int *out_year, int *out_month, int *out_day)
{
	int64_t z = (int64_t)date + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	uint32_t day_of_era = (uint32_t)(z - era * 146097);
	uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t mp = (5 * day_of_year + 2) / 153;
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*out_day = (int)(day_of_year - (153 * mp + 2) / 5 + 1);
	*out_month = month;
	*out_year = (int)(year_of_era + era * 400 + (month <= 2));
}

int
tf_date_weekday(int32_t date)
{
	int64_t d = ((int64_t)date + 3) % 7; /* 1970-01-01 was a Thursday */
	return (int)(d < 0 ? d + 7 : d);
}

int32_t
tf_date_month(int32_t date)
{
	int y, m, d;
	tf_date_to_civil(date, &y, &m, &d);
	return (y - 1970) * 12 + m - 1;
}

int32_t
tf_month_first_date(int32_t month)
{
	int64_t year = (month >= 0 ? month : (int64_t)month - 11) / 12;
	int64_t days = days_from_civil(1970 + year, (int)(month - year * 12) + 1, 1);
	return (int32_t)(days > INT32_MAX ? INT32_MAX : days < INT32_MIN ? INT32_MIN : days);
}

enum tf_err
tf_civil_seconds(const struct tf_civil *c, int64_t *out)
{
	int32_t date;
	TF_TRY(tf_date_from_civil(c->year, c->month, c->day, &date));
	if (c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 || c->second < 0 || c->second > 59)
		return TF_INVALID;
	*out = (int64_t)date * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
	return TF_OK;
}

void
tf_civil_from_seconds(int64_t seconds, struct tf_civil *out)
{
	seconds = seconds > SECONDS_MAX ? SECONDS_MAX : seconds < -SECONDS_MAX ? -SECONDS_MAX : seconds;
	int64_t date = seconds / 86400;
	int32_t of_day = (int32_t)(seconds % 86400);
	if (of_day < 0) {
		of_day += 86400;
		date--;
	}
	tf_date_to_civil((int32_t)date, &out->year, &out->month, &out->day);
	out->hour = of_day / 3600;
	out->minute = of_day / 60 % 60;
	out->second = of_day % 60;
	out->micro = 0;
}

/* Writing. */

static char *
put2(char *p, int v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

static char *
put_year(char *p, int year)
{
	if (year < 0 || year > 9999)
		return p + snprintf(p, 12, "%05d", year);
	return put2(put2(p, year / 100), year % 100);
}

static char *
put_date(char *p, int year, int month, int day)
{
	p = put_year(p, year);
	*p++ = '-';
	p = put2(p, month);
	*p++ = '-';
	return put2(p, day);
}

char *
tf_time_format(tf_time t, char out[static 40])
{
	int64_t seconds = t / TF_SEC;
	int32_t micro = (int32_t)(t % TF_SEC);
	if (micro < 0) {
		micro += (int32_t)TF_SEC;
		seconds--;
	}
	struct tf_civil c;
	tf_civil_from_seconds(seconds, &c);
	char *p = put_date(out, c.year, c.month, c.day);
	*p++ = 'T';
	p = put2(p, c.hour);
	*p++ = ':';
	p = put2(p, c.minute);
	*p++ = ':';
	p = put2(p, c.second);
	if (micro) {
		*p++ = '.';
		p = put2(put2(put2(p, micro / 10000), micro / 100 % 100), micro % 100);
	}
	*p++ = 'Z';
	*p = 0;
	return out;
}

char *
tf_date_format(int32_t date, char out[static 16])
{
	int y, m, d;
	tf_date_to_civil(date, &y, &m, &d);
	*put_date(out, y, m, d) = 0;
	return out;
}

char *
tf_month_format(int32_t month, char out[static 16])
{
	int64_t year = (month >= 0 ? month : (int64_t)month - 11) / 12;
	char *p = put_year(out, (int)(1970 + year));
	*p++ = '-';
	*put2(p, (int)(month - year * 12) + 1) = 0;
	return out;
}

/* Reading. Each take_ advances s past what it took, or leaves it and says no. */

static bool
take_digits(struct tf_str *s, unsigned count, int *out)
{
	if (s->n < count)
		return false;
	int v = 0;
	for (unsigned i = 0; i < count; i++) {
		unsigned digit = (unsigned)(unsigned char)s->p[i] - '0';
		if (digit > 9)
			return false;
		v = v * 10 + (int)digit;
	}
	s->p += count;
	s->n -= count;
	*out = v;
	return true;
}

static bool
take_char(struct tf_str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool
take_any(struct tf_str *s, const char *set)
{
	for (; *set; set++)
		if (take_char(s, *set))
			return true;
	return false;
}

static bool
take_date(struct tf_str *s, int32_t *out_date, bool *out_basic)
{
	int y, m, d;
	if (!take_digits(s, 4, &y))
		return false;
	bool dashed = take_char(s, '-');
	if (!take_digits(s, 2, &m) || take_char(s, '-') != dashed || !take_digits(s, 2, &d))
		return false;
	*out_basic = !dashed;
	return tf_date_from_civil(y, m, d, out_date) == TF_OK;
}

enum tf_err
tf_date_parse(struct tf_str s, int32_t *out)
{
	int32_t date;
	bool basic;
	if (!take_date(&s, &date, &basic) || basic || s.n)
		return TF_INVALID;
	*out = date;
	return TF_OK;
}

enum tf_err
tf_month_parse(struct tf_str s, int32_t *out)
{
	int y, m;
	if (!take_digits(&s, 4, &y) || !take_char(&s, '-') || !take_digits(&s, 2, &m) || s.n || m < 1 || m > 12)
		return TF_INVALID;
	*out = (y - 1970) * 12 + m - 1;
	return TF_OK;
}

/* One to nine digits; what is finer than a microsecond is cut off. */
static bool
take_fraction(struct tf_str *s, int32_t *out_micro)
{
	int32_t micro = 0, scale = 100000;
	size_t n = 0;
	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		micro += (s->p[n] - '0') * scale;
		scale /= 10;
	}
	s->p += n;
	s->n -= n;
	*out_micro = micro;
	return n >= 1 && n <= 9;
}

/* HH:MM[:SS[.fraction]], or HHMM[SS] where basic. */
static bool
take_clock(struct tf_str *s, bool basic, struct tf_when *w)
{
	int h, m, sec = 0;
	if (!take_digits(s, 2, &h) || (!basic && !take_char(s, ':')) || !take_digits(s, 2, &m))
		return false;
	bool has_second = basic ? s->n && s->p[0] >= '0' && s->p[0] <= '9' : take_char(s, ':');
	if (has_second) {
		if (!take_digits(s, 2, &sec))
			return false;
		if (take_any(s, ".,") && !take_fraction(s, &w->micro))
			return false;
	}
	if (m > 59 || sec > 59 || h > 24 || (h == 24 && (m || sec || w->micro)))
		return false;
	w->local_s += h * 3600 + m * 60 + sec;
	return true;
}

/* Z, +hh:mm, +hhmm, +hh. */
static bool
take_offset(struct tf_str *s, struct tf_when *w)
{
	w->has_offset = true;
	if (take_any(s, "Zz"))
		return true;
	bool minus = take_char(s, '-');
	int h, m = 0;
	if ((!minus && !take_char(s, '+')) || !take_digits(s, 2, &h))
		return false;
	bool colon = take_char(s, ':');
	if ((colon || s->n) && !take_digits(s, 2, &m))
		return false;
	if (h > 23 || m > 59)
		return false;
	w->offset_s = (h * 3600 + m * 60) * (minus ? -1 : 1);
	return true;
}

enum tf_err
tf_when_parse(struct tf_str s, struct tf_when *out)
{
	struct tf_when w = {0};
	int32_t date;
	bool basic;
	if (!take_date(&s, &date, &basic))
		return TF_INVALID;
	w.local_s = (int64_t)date * 86400;
	if (s.n) {
		bool separated = take_any(&s, "Tt ");
		if ((!separated && !basic) || !take_clock(&s, basic, &w))
			return TF_INVALID;
		if (s.n && (!take_offset(&s, &w) || s.n))
			return TF_INVALID;
	}
	*out = w;
	return TF_OK;
}

enum tf_err
tf_when_resolve(const struct tf_when *w, const struct tf_zone *zone, tf_time *out, bool *out_ambiguous)
{
	tf_time t;
	bool ambiguous = false;
	if (w->local_s < TF_TIME_FIRST / TF_SEC - 2 * 86400 || w->local_s > TF_TIME_LAST / TF_SEC + 2 * 86400)
		return TF_INVALID;
	if (w->has_offset || !zone)
		t = (w->local_s - w->offset_s) * TF_SEC;
	else
		TF_TRY(tf_zone_instant(zone, w->local_s, &t, &ambiguous));
	t += w->micro;
	if (t < TF_TIME_FIRST || t > TF_TIME_LAST)
		return TF_INVALID;
	*out = t;
	if (out_ambiguous)
		*out_ambiguous = ambiguous;
	return TF_OK;
}

/* A bare date's midnight may be skipped; its first instant never is. */
static enum tf_err
resolve_text(struct tf_str s, const struct tf_when *w, const struct tf_zone *zone, tf_time *out, struct tf_fault *f)
{
	bool bare_date = s.n == 10 || s.n == 8;
	enum tf_err e = tf_when_resolve(w, zone, out, NULL);
	if (e == TF_NOT_FOUND && bare_date) {
		*out = tf_zone_day_start(zone, (int32_t)(w->local_s / 86400 - (w->local_s % 86400 < 0)));
		return TF_OK;
	}
	if (e == TF_NOT_FOUND)
		return tf_fault(f, e, "no such local time '%.*s' in %s: a clock change skips it", TF_FMT(s),
				tf_zone_name(zone));
	if (e)
		return tf_fault(f, e, "time out of range '%.*s': from 1900 to 2199 is taken", TF_FMT(s));
	return TF_OK;
}

enum tf_err
tf_time_parse(struct tf_str s, const struct tf_zone *zone, tf_time *out, struct tf_fault *f)
{
	struct tf_when w;
	if (tf_when_parse(s, &w) != TF_OK)
		return tf_fault(f, TF_INVALID, "not a time '%.*s': YYYY-MM-DD[THH:MM[:SS]][Z or +hh:mm] is wanted",
				TF_FMT(s));
	return resolve_text(s, &w, zone, out, f);
}
