/* The formats that are checked when asked: RFC 3339 dates and times, UUIDs, addresses, URIs; see schema_impl.h.
 *
 * Each takes any value: format says nothing about a value that is not of its kind. An unknown format is an annotation.
 */
#include "serve/schema_impl.h"

static bool
digits(struct tf_str s, size_t at, size_t n, unsigned *out)
{
	unsigned v = 0;
	if (s.n < at + n)
		return false;
	for (size_t i = at; i < at + n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	*out = v;
	return true;
}

static bool
is_date(struct tf_str s)
{
	static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned year, month, day;
	if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !digits(s, 0, 4, &year) || !digits(s, 5, 2, &month) ||
	    !digits(s, 8, 2, &day) || month < 1 || month > 12 || day < 1)
		return false;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return day <= lengths[month - 1] + (unsigned)(leap && month == 2);
}

/* hh:mm:ss[.f...](Z|+hh:mm); a leap second only where UTC has 23:59:60. */
static bool
is_time(struct tf_str s)
{
	unsigned hour, minute, second, zone_hour = 0, zone_minute = 0;
	if (s.n < 9 || s.p[2] != ':' || s.p[5] != ':' || !digits(s, 0, 2, &hour) || !digits(s, 3, 2, &minute) ||
	    !digits(s, 6, 2, &second) || hour > 23 || minute > 59 || second > 60)
		return false;
	size_t i = 8;
	if (s.p[i] == '.') {
		size_t from = ++i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		if (i == from)
			return false;
	}
	if (i == s.n)
		return false;
	char sign = s.p[i];
	if (sign == '+' || sign == '-') {
		if (s.n != i + 6 || s.p[i + 3] != ':' || !digits(s, i + 1, 2, &zone_hour) ||
		    !digits(s, i + 4, 2, &zone_minute) || zone_hour > 23 || zone_minute > 59)
			return false;
	} else if (s.n != i + 1 || (sign | 0x20) != 'z') {
		return false;
	}
	int offset = (int)(zone_hour * 60 + zone_minute), at = (int)(hour * 60 + minute);
	int utc = (at + (sign == '+' ? -offset : offset) + 2880) % 1440;
	return second < 60 || utc == 1439;
}

static bool
is_date_time(struct tf_str s)
{
	return s.n > 11 && is_date(tf_str_n(s.p, 10)) && (s.p[10] | 0x20) == 't' &&
	       is_time(tf_str_n(s.p + 11, s.n - 11));
}

static size_t
take_numbers(struct tf_str s, size_t i, const char *units, bool *out_some)
{
	while (i < s.n) {
		size_t from = i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		const char *unit = i < s.n && i > from ? strchr(units, s.p[i]) : NULL;
		if (!unit || !*unit)
			return from;
		units = unit + 1;
		*out_some = true;
		i++;
	}
	return i;
}

static bool
is_duration(struct tf_str s)
{
	bool day = false, time = false, week = false;
	if (s.n < 2 || s.p[0] != 'P')
		return false;
	if (take_numbers(s, 1, "W", &week) == s.n && week)
		return true;
	size_t i = take_numbers(s, 1, "YMD", &day);
	if (i == s.n)
		return day;
	return s.p[i] == 'T' && take_numbers(s, i + 1, "HMS", &time) == s.n && time;
}

static bool
alphanumeric(char c)
{
	char letter = (char)(c | 0x20);
	return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_hostname(struct tf_str s)
{
	struct tf_str left = s, label;
	if (!s.n || s.n > 253 || s.p[s.n - 1] == '.')
		return false;
	while (tf_str_cut(&left, '.', &label)) {
		if (!label.n || label.n > 63 || !alphanumeric(label.p[0]) || !alphanumeric(label.p[label.n - 1]))
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!alphanumeric(label.p[i]) && label.p[i] != '-')
				return false;
	}
	return true;
}

static bool
is_ipv4(struct tf_str s)
{
	struct tf_str left = s, part;
	int parts = 0;
	while (tf_str_cut(&left, '.', &part)) {
		uint64_t v;
		bool zero = part.n > 1 && part.p[0] == '0';
		if (++parts > 4 || !part.n || part.n > 3 || zero || !tf_str_u64(part, &v) || v > 255)
			return false;
	}
	return parts == 4 && s.p[s.n - 1] != '.';
}

static bool
is_hex(char c)
{
	char letter = (char)(c | 0x20);
	return (c >= '0' && c <= '9') || (letter >= 'a' && letter <= 'f');
}

static bool
is_ipv6(struct tf_str s)
{
	int groups = 0;
	bool gap = false;
	size_t i = 0;
	if (tf_str_starts(s, TF_STR("::")))
		i = 0;
	else if (s.n && s.p[0] == ':')
		return false;
	while (i < s.n) {
		if (s.p[i] == ':') {
			bool twice = i + 1 < s.n && s.p[i + 1] == ':';
			if (twice && gap)
				return false;
			gap |= twice;
			i += 1 + twice;
			if (!twice && (i == s.n || !groups))
				return false;
			continue;
		}
		size_t from = i;
		while (i < s.n && is_hex(s.p[i]))
			i++;
		if (i < s.n && s.p[i] == '.') {
			groups += 2;
			return is_ipv4(tf_str_n(s.p + from, s.n - from)) && (gap ? groups < 8 : groups == 8);
		}
		if (i == from || i - from > 4 || (i < s.n && s.p[i] != ':'))
			return false;
		groups++;
	}
	return gap ? groups < 8 : groups == 8;
}

static bool
is_uuid(struct tf_str s)
{
	if (s.n != 36)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? s.p[i] != '-' : !is_hex(s.p[i]))
			return false;
	}
	return true;
}

static bool
is_email(struct tf_str s)
{
	const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;
	if (!at || at == s.p || at - s.p > 64)
		return false;
	struct tf_str local = tf_str_n(s.p, (size_t)(at - s.p)), host = tf_str_n(at + 1, s.n - local.n - 1);
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		return true;
	if (local.n > 2 && local.p[0] == '"' && local.p[local.n - 1] == '"')
		return is_hostname(host);
	for (size_t i = 0; i < local.n; i++) {
		bool dot = local.p[i] == '.', edge = i == 0 || i == local.n - 1;
		if (dot ? edge || local.p[i + 1] == '.'
			: !alphanumeric(local.p[i]) && !memchr("!#$%&'*+/=?^_`{|}~-", local.p[i], 19))
			return false;
	}
	return is_hostname(host);
}

static bool
is_uri_reference(struct tf_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%' && (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
			return false;
		if (c <= ' ' || c == 0x7f || strchr("\"<>\\^`{|}", c))
			return false;
	}
	return true;
}

static bool
is_uri(struct tf_str s)
{
	return schema_uri_absolute(s) && is_uri_reference(s);
}

static bool
is_pointer(struct tf_str s)
{
	if (s.n && s.p[0] != '/')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
			return false;
	return true;
}

static bool
is_relative_pointer(struct tf_str s)
{
	size_t i = 0;
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	if (!i || (s.p[0] == '0' && i > 1))
		return false;
	bool name = i + 1 == s.n && s.p[i] == '#';
	return name || is_pointer(tf_str_n(s.p + i, s.n - i));
}

static bool
is_regex(struct tf_str s)
{
	struct tf_arena a;
	struct schema_pattern *p;
	tf_arena_init(&a, "pattern", 0);
	bool ok = schema_pattern_new(s, &a, &p, NULL) == TF_OK;
	if (ok)
		schema_pattern_release(p);
	tf_arena_release(&a);
	return ok;
}

static bool
is_base64(struct tf_str s)
{
	size_t pad = 0;
	while (pad < 2 && pad < s.n && s.p[s.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i + pad < s.n; i++)
		if (!alphanumeric(s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
			return false;
	return s.n % 4 == 0;
}

#define TEXT_FORMAT(name)                                                                                              \
	static bool check_##name(const struct tf_json *v)                                                              \
	{                                                                                                              \
		return v->kind != TF_JSON_STRING || is_##name(v->text);                                                \
	}

TEXT_FORMAT(date)
TEXT_FORMAT(time)
TEXT_FORMAT(date_time)
TEXT_FORMAT(duration)
TEXT_FORMAT(email)
TEXT_FORMAT(hostname)
TEXT_FORMAT(ipv4)
TEXT_FORMAT(ipv6)
TEXT_FORMAT(uuid)
TEXT_FORMAT(uri)
TEXT_FORMAT(uri_reference)
TEXT_FORMAT(pointer)
TEXT_FORMAT(relative_pointer)
TEXT_FORMAT(regex)
TEXT_FORMAT(base64)

static bool
check_int32(const struct tf_json *v)
{
	int64_t i;
	return v->kind != TF_JSON_NUMBER || (tf_json_i64(v, &i) && i >= INT32_MIN && i <= INT32_MAX);
}

static bool
check_int64(const struct tf_json *v)
{
	int64_t i;
	return v->kind != TF_JSON_NUMBER || tf_json_i64(v, &i);
}

schema_format_fn *
schema_format(struct tf_str name)
{
	static const struct {
		const char *name;
		schema_format_fn *fn;
	} formats[] = {{"date", check_date},
		       {"time", check_time},
		       {"date-time", check_date_time},
		       {"duration", check_duration},
		       {"email", check_email},
		       {"hostname", check_hostname},
		       {"ipv4", check_ipv4},
		       {"ipv6", check_ipv6},
		       {"uuid", check_uuid},
		       {"uri", check_uri},
		       {"uri-reference", check_uri_reference},
		       {"json-pointer", check_pointer},
		       {"relative-json-pointer", check_relative_pointer},
		       {"regex", check_regex},
		       {"byte", check_base64},
		       {"int32", check_int32},
		       {"int64", check_int64}};
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (tf_str_eq(name, tf_str(formats[i].name)))
			return formats[i].fn;
	return NULL;
}
