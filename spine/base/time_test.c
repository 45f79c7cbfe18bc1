/* Dates, texts and calendars. The calendar is checked against the C library's own zone code, zone by zone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"

#define ZONES "/usr/share/zoneinfo"

static struct tf_zone *
try_zone(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, ZONES "/%s", name);
	FILE *in = fopen(path, "rb");
	if (!in)
		return NULL;
	static char image[65536];
	size_t n = fread(image, 1, sizeof image, in);
	fclose(in);
	struct tf_zone *z = NULL;
	struct tf_fault f = {0};
	if (n < 4 || memcmp(image, "TZif", 4) != 0)
		return NULL;
	if (tf_zone_parse(tf_str(name), tf_str_n(image, n), &z, &f) != TF_OK)
		fail_msg("%s", f.text);
	return z;
}

static struct tf_zone *
zone(const char *name)
{
	struct tf_zone *z = try_zone(name);
	if (!z) {
		print_message("no %s on this machine\n", name);
		skip();
	}
	return z;
}

static tf_time
at(const char *text)
{
	tf_time t = 0;
	struct tf_fault f;
	if (tf_time_parse(tf_str(text), NULL, &t, &f) != TF_OK)
		fail_msg("%s", f.text);
	return t;
}

static int32_t
date(const char *text)
{
	int32_t d = 0;
	assert_int_equal(tf_date_parse(tf_str(text), &d), TF_OK);
	return d;
}

/* Hours of a local day, times 100. */
static int64_t
day_hours(const struct tf_zone *z, const char *day)
{
	int32_t d = date(day);
	return (tf_zone_day_start(z, d + 1) - tf_zone_day_start(z, d)) * 100 / TF_HOUR;
}

static void
dates_count_as_the_c_library_does(void **state)
{
	for (int32_t d = -200000; d < 400000; d += 7) {
		time_t s = (time_t)d * 86400;
		struct tm tm;
		gmtime_r(&s, &tm);
		int y, m, day;
		int32_t back;
		tf_date_to_civil(d, &y, &m, &day);
		assert_int_equal(y, tm.tm_year + 1900);
		assert_int_equal(m, tm.tm_mon + 1);
		assert_int_equal(day, tm.tm_mday);
		assert_int_equal(tf_date_weekday(d), (tm.tm_wday + 6) % 7);
		assert_int_equal(tf_date_from_civil(y, m, day, &back), TF_OK);
		assert_int_equal(back, d);
		int32_t month = tf_date_month(d);
		assert_int_equal(month, (y - 1970) * 12 + m - 1);
		assert_int_equal(tf_month_first_date(month), d - day + 1);
	}
}

static void
dates_that_do_not_exist_are_refused(void **state)
{
	int32_t d = 77;
	assert_int_equal(tf_date_from_civil(2023, 2, 29, &d), TF_INVALID);
	assert_int_equal(tf_date_from_civil(1900, 2, 29, &d), TF_INVALID);
	assert_int_equal(tf_date_from_civil(2000, 2, 29, &d), TF_OK);
	assert_int_equal(tf_date_from_civil(2023, 13, 1, &d), TF_INVALID);
	assert_int_equal(tf_date_from_civil(2023, 0, 1, &d), TF_INVALID);
	assert_int_equal(tf_date_from_civil(2023, 4, 31, &d), TF_INVALID);
	assert_int_equal(tf_date_from_civil(INT32_MAX, 4, 3, &d), TF_INVALID);
	struct tf_civil c = {2023, 4, 3, 24, 0, 0, 0};
	int64_t s;
	assert_int_equal(tf_civil_seconds(&c, &s), TF_INVALID);
}

static void
extreme_dates_do_not_overflow(void **state)
{
	char text[40];
	int y, m, d;
	tf_date_to_civil(INT32_MAX, &y, &m, &d);
	assert_int_equal(y, 5881580);
	tf_date_to_civil(INT32_MIN, &y, &m, &d);
	assert_int_equal(y, -5877641);
	assert_string_equal(tf_time_format(INT64_MAX, text), "294247-01-10T04:00:54.775807Z");
	assert_true(strlen(tf_time_format(INT64_MIN, text)) < 40);
	assert_int_equal(tf_month_first_date(INT32_MAX), INT32_MAX);
	assert_int_equal(tf_month_first_date(INT32_MIN), INT32_MIN);
	assert_true(strlen(tf_month_format(INT32_MIN, text)) < 16);
	assert_true(strlen(tf_date_format(INT32_MIN, text)) < 16);
}

static void
texts_are_written_as_documented(void **state)
{
	char text[40];
	assert_string_equal(tf_time_format(at("2026-11-24T03:16:00Z"), text), "2026-11-24T03:16:00Z");
	assert_string_equal(tf_time_format(-1, text), "1969-12-31T23:59:59.999999Z");
	assert_string_equal(tf_time_format(1000, text), "1970-01-01T00:00:00.001000Z");
	assert_string_equal(tf_date_format(date("2026-11-24"), text), "2026-11-24");
	int32_t month = 0;
	assert_int_equal(tf_month_parse(TF_STR("2026-11"), &month), TF_OK);
	assert_string_equal(tf_month_format(month, text), "2026-11");
	assert_string_equal(tf_month_format(-1, text), "1969-12");
	assert_int_equal(tf_month_parse(TF_STR("2026-13"), &month), TF_INVALID);
	assert_int_equal(tf_month_parse(TF_STR("2026-1"), &month), TF_INVALID);
}

static void
every_documented_form_is_read(void **state)
{
	static const struct {
		const char *text, *utc;
	} rows[] = {
		{"2026-11-24", "2026-11-24T00:00:00Z"},
		{"2026-11-24T05:06", "2026-11-24T05:06:00Z"},
		{"2026-11-24 05:06:07", "2026-11-24T05:06:07Z"},
		{"2026-11-24T05:06:07.5", "2026-11-24T05:06:07.500000Z"},
		{"2026-11-24T05:06:07.123456789Z", "2026-11-24T05:06:07.123456Z"},
		{"2026-11-24T05:06:07,25+05:30", "2026-11-23T23:36:07.250000Z"},
		{"2026-11-24T05:06-0130", "2026-11-24T06:36:00Z"},
		{"2026-11-24t05:06z", "2026-11-24T05:06:00Z"},
		{"2026-11-24T05:06+10", "2026-11-23T19:06:00Z"},
		{"2026-11-24T24:00", "2026-11-25T00:00:00Z"},
		{"20261124", "2026-11-24T00:00:00Z"},
		{"202611240506", "2026-11-24T05:06:00Z"},
		{"20261124050607", "2026-11-24T05:06:07Z"},
		{"20261124T050607Z", "2026-11-24T05:06:07Z"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[40];
		assert_string_equal(tf_time_format(at(rows[i].text), text), rows[i].utc);
	}
}

static void
other_forms_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"2026",
		"2026-11",
		"2026-1124",
		"202611-24",
		"2026-02-30",
		"2026-11-24T",
		"2026-11-24Tx",
		"2026-11-24T05",
		"2026-11-24T0506",
		"2026-11-24T05:6",
		"2026-11-24T25:00",
		"2026-11-24T24:01",
		"2026-11-24T24:00:00.1",
		"2026-11-24T05:60",
		"2026-11-24T05:06:60",
		"2026-11-24T05:06:07.",
		"2026-11-24T05:06:07.1234567890",
		"2026-11-24T05:06+",
		"2026-11-24T05:06+5",
		"2026-11-24T05:06+05:",
		"2026-11-24T05:06+24:00",
		"2026-11-24T05:06+05:60",
		"2026-11-24T05:06Z ",
		" 2026-11-24",
		"2026-11-24Z",
		"2026-11-24  05:06",
		"2026112405",
		"2026112405060",
		"-026-11-24",
		"+2026-11-24",
		"1899-12-31T23:59:59Z",
		"2200-01-01",
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		tf_time t = 42;
		struct tf_fault f = {0};
		if (tf_time_parse(tf_str(rows[i]), NULL, &t, &f) != TF_INVALID)
			fail_msg("taken: '%s'", rows[i]);
		assert_int_equal(t, 42);
		assert_non_null(strstr(f.text, rows[i]));
	}
}

static void
london_days_have_23_and_25_hours(void **state)
{
	struct tf_zone *z = zone("Europe/London");
	assert_int_equal(day_hours(z, "2026-03-29"), 2300);
	assert_int_equal(day_hours(z, "2026-10-25"), 2500);
	assert_int_equal(day_hours(z, "2026-06-01"), 2400);
	bool dst;
	assert_int_equal(tf_zone_offset(z, at("2026-07-01"), &dst), 3600);
	assert_true(dst);
	assert_int_equal(tf_zone_standard_offset(z, at("2026-07-01")), 0);
	assert_int_equal(tf_zone_standard_offset(z, at("1943-07-01")), 0); /* double summer time */
	assert_int_equal(tf_zone_day_start(z, date("2026-07-01")), at("2026-06-30T23:00Z"));
	assert_int_equal(tf_zone_month_start(z, tf_date_month(date("2026-07-15"))), at("2026-06-30T23:00Z"));
	assert_string_equal(tf_zone_name(z), "Europe/London");
	tf_zone_free(&z);
	assert_null(z);
}

static void
half_hour_zones_work(void **state)
{
	struct tf_zone *howe = zone("Australia/Lord_Howe"), *kolkata = zone("Asia/Kolkata");
	assert_int_equal(day_hours(howe, "2026-04-05"), 2450);
	assert_int_equal(day_hours(howe, "2026-10-04"), 2350);
	assert_int_equal(tf_zone_standard_offset(howe, at("2026-12-01")), 37800);
	assert_int_equal(tf_zone_offset(howe, at("2026-12-01"), NULL), 39600);
	assert_int_equal(day_hours(kolkata, "2026-04-05"), 2400);
	assert_int_equal(tf_zone_day_start(kolkata, date("2026-11-24")), at("2026-11-23T18:30Z"));
	assert_int_equal(tf_zone_date(kolkata, at("2026-11-23T18:29:59Z")), date("2026-11-23"));
	assert_int_equal(tf_zone_date(kolkata, at("2026-11-23T18:30Z")), date("2026-11-24"));
	tf_zone_free(&howe);
	tf_zone_free(&kolkata);
}

static void
skipped_day_is_empty(void **state)
{
	struct tf_zone *z = zone("Pacific/Apia");
	assert_int_equal(tf_zone_day_start(z, date("2011-12-30")), at("2011-12-30T10:00Z"));
	assert_int_equal(tf_zone_day_start(z, date("2011-12-31")), at("2011-12-30T10:00Z"));
	assert_int_equal(day_hours(z, "2011-12-29"), 2400);
	tf_time t;
	struct tf_fault f;
	assert_int_equal(tf_time_parse(TF_STR("2011-12-30T12:00"), z, &t, &f), TF_NOT_FOUND);
	assert_non_null(strstr(f.text, "Pacific/Apia"));
	tf_zone_free(&z);
}

static void
skipped_midnight_begins_the_day_late(void **state)
{
	struct tf_zone *z = zone("America/Sao_Paulo"), *gaza = zone("Asia/Gaza");
	assert_int_equal(tf_zone_day_start(z, date("2018-11-04")), at("2018-11-04T03:00Z")); /* 01:00 local */
	assert_int_equal(day_hours(z, "2018-11-04"), 2300);
	assert_int_equal(day_hours(z, "2018-02-17"), 2500); /* 00:00 back to 23:00 */
	tf_time t = 0;
	assert_int_equal(tf_time_parse(TF_STR("2018-11-04"), z, &t, NULL), TF_OK);
	assert_int_equal(t, at("2018-11-04T03:00Z"));
	assert_int_equal(tf_time_parse(TF_STR("2018-11-04T00:00"), z, &t, NULL), TF_NOT_FOUND);
	assert_int_equal(day_hours(gaza, "2010-03-27"), 2300); /* skipped from 00:01 */
	tf_zone_free(&z);
	tf_zone_free(&gaza);
}

static void
ambiguous_time_is_the_earlier_instant(void **state)
{
	struct tf_zone *z = zone("America/New_York");
	struct tf_when w;
	tf_time t;
	bool twice;
	assert_int_equal(tf_when_parse(TF_STR("2026-11-01T01:30"), &w), TF_OK);
	assert_int_equal(tf_when_resolve(&w, z, &t, &twice), TF_OK);
	assert_true(twice);
	assert_int_equal(t, at("2026-11-01T05:30Z"));
	assert_int_equal(tf_when_parse(TF_STR("2026-11-01T02:00"), &w), TF_OK);
	assert_int_equal(tf_when_resolve(&w, z, &t, &twice), TF_OK);
	assert_false(twice);
	assert_int_equal(tf_when_parse(TF_STR("2026-11-01T01:30-05:00"), &w), TF_OK);
	assert_int_equal(tf_when_resolve(&w, z, &t, &twice), TF_OK);
	assert_int_equal(t, at("2026-11-01T06:30Z"));
	tf_zone_free(&z);
}

static void
morocco_and_the_far_future_follow_the_rule(void **state)
{
	struct tf_zone *z = zone("Africa/Casablanca"), *ny = zone("America/New_York");
	assert_int_equal(tf_zone_offset(z, at("2026-03-01"), NULL), 0); /* Ramadan */
	assert_int_equal(tf_zone_offset(z, at("2026-06-01"), NULL), 3600);
	tf_time july = (tf_time)253000000000 * TF_SEC; /* in 9987 */
	struct tf_civil c;
	tf_civil_from_seconds(july / TF_SEC, &c);
	c.month = 7;
	int64_t s;
	assert_int_equal(tf_civil_seconds(&c, &s), TF_OK);
	assert_int_equal(tf_zone_offset(ny, s * TF_SEC, NULL), -4 * 3600);
	c.month = 1;
	assert_int_equal(tf_civil_seconds(&c, &s), TF_OK);
	assert_int_equal(tf_zone_offset(ny, s * TF_SEC, NULL), -5 * 3600);
	tf_zone_offset(ny, INT64_MAX, NULL);
	tf_zone_offset(ny, INT64_MIN, NULL);
	assert_int_equal(tf_zone_day_start(ny, INT32_MAX), INT64_MAX);
	assert_int_equal(tf_zone_day_start(ny, INT32_MIN), INT64_MIN);
	tf_zone_free(&z);
	tf_zone_free(&ny);
}

/* Differential: offset, daylight flag, instant and day start against localtime_r and mktime. */

static uint64_t seed = 88172645463325252;

static uint64_t
draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool
local_is(time_t t, const struct tm *want)
{
	struct tm tm;
	localtime_r(&t, &tm);
	return tm.tm_year == want->tm_year && tm.tm_yday == want->tm_yday && tm.tm_hour == want->tm_hour &&
	       tm.tm_min == want->tm_min && tm.tm_sec == want->tm_sec;
}

static void
check_offset(const char *name, const struct tf_zone *z, time_t s)
{
	struct tm tm;
	localtime_r(&s, &tm);
	bool dst;
	int32_t offset = tf_zone_offset(z, (tf_time)s * TF_SEC, &dst);
	if (offset != tm.tm_gmtoff || dst != (tm.tm_isdst > 0))
		fail_msg("%s at %lld: offset %d dst %d, C library %ld %d", name, (long long)s, offset, dst,
			 tm.tm_gmtoff, tm.tm_isdst);
}

/* instant() inverts the local time, and no earlier instant has that local time. */
static void
check_instant(const char *name, const struct tf_zone *z, time_t s)
{
	int64_t local = s + tf_zone_offset(z, (tf_time)s * TF_SEC, NULL);
	tf_time t;
	bool twice = false;
	if (tf_zone_instant(z, local, &t, &twice) != TF_OK)
		fail_msg("%s: no instant for local time of %lld", name, (long long)s);
	struct tm tm;
	localtime_r(&s, &tm);
	time_t got = (time_t)(t / TF_SEC);
	assert_true(got <= s);
	assert_true(local_is(got, &tm));
	assert_true(twice || got == s);
	if (!twice) /* then the same wall clock an hour or half earlier or later is another */
		for (int d = -3; d <= 3; d++)
			assert_true(d == 0 || !local_is(got + d * 1800, &tm));
}

/* The first second of the local day: the date turns there. */
static void
check_day(const char *name, const struct tf_zone *z, time_t s)
{
	int32_t d = tf_zone_date(z, (tf_time)s * TF_SEC);
	tf_time start = tf_zone_day_start(z, d), end = tf_zone_day_start(z, d + 1);
	struct tm first, before, now;
	time_t a = (time_t)(start / TF_SEC), b = a - 1;
	localtime_r(&a, &first);
	localtime_r(&b, &before);
	localtime_r(&s, &now);
	if (start >= end || first.tm_yday != now.tm_yday || before.tm_yday == now.tm_yday)
		fail_msg("%s: day %d does not begin at %lld", name, d, (long long)a);
}

static void
check_zone(const char *name, const struct tf_zone *z)
{
	setenv("TZ", name, 1);
	tzset();
	int32_t last = tf_zone_offset(z, TF_TIME_FIRST, NULL);
	for (int i = 0; i < 300; i++) {
		time_t s = (time_t)(draw() % 7000000000u) - 1500000000; /* 1922 to 2144 */
		check_offset(name, z, s);
		check_instant(name, z, s);
		if (s > 600000000)
			check_day(name, z, s);
	}
	for (time_t s = 0; s < 4100000000; s += 10 * 86400) { /* both sides of each change */
		int32_t offset = tf_zone_offset(z, (tf_time)s * TF_SEC, NULL);
		for (time_t low = s - 10 * 86400, high = s; offset != last && high - low >= 1;) {
			time_t mid = low + (high - low) / 2;
			check_offset(name, z, mid);
			check_instant(name, z, mid);
			if (mid == low)
				break;
			if (tf_zone_offset(z, (tf_time)mid * TF_SEC, NULL) == last)
				low = mid;
			else
				high = mid;
		}
		check_offset(name, z, s);
		last = offset;
	}
	for (int i = 0; i < 50; i++) /* the far future: to the year 20000 */
		check_offset(name, z, (time_t)(draw() % 570000000000u));
}

static int
check_tree(const char *under)
{
	char path[512];
	snprintf(path, sizeof path, ZONES "/%s", under);
	DIR *dir = opendir(path);
	int count = 0;
	for (struct dirent *e; dir && (e = readdir(dir));) {
		char name[800];
		snprintf(name, sizeof name, "%s%s%s", under, *under ? "/" : "", e->d_name);
		if (e->d_name[0] == '.' || strcmp(e->d_name, "right") == 0 || strcmp(e->d_name, "posix") == 0)
			continue;
		struct stat st;
		snprintf(path, sizeof path, ZONES "/%.400s", name);
		if (lstat(path, &st) != 0 || S_ISLNK(st.st_mode))
			continue; /* another name of a zone */
		if (S_ISDIR(st.st_mode)) {
			count += check_tree(name);
			continue;
		}
		struct tf_zone *z = try_zone(name);
		if (!z)
			continue;
		check_zone(name, z);
		tf_zone_free(&z);
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

static void
all_zones_agree_with_the_c_library(void **state)
{
	int count = check_tree("");
	unsetenv("TZ");
	tzset();
	print_message("%d zones\n", count);
	if (!count)
		skip();
}

/* Made-up files: rules tzdata does not have. */

static void
put_be32(struct tf_buf *b, uint32_t v)
{
	tf_buf_u32(b, __builtin_bswap32(v));
}

static void
put_header(struct tf_buf *b, char version, uint32_t times, uint32_t leap)
{
	tf_buf_cstr(b, "TZif");
	tf_buf_u8(b, (uint8_t)version);
	memset(tf_buf_extend(b, 15), 0, 15);
	put_be32(b, 0);
	put_be32(b, 0);
	put_be32(b, leap);
	put_be32(b, times);
	put_be32(b, 1);
	put_be32(b, 4);
}

static void
put_type(struct tf_buf *b, int32_t offset)
{
	put_be32(b, (uint32_t)offset);
	tf_buf_put(b, "\0\0ABC", 6); /* not dst, designation 0, "ABC" */
}

static enum tf_err
made_zone(int32_t offset, const char *rule, struct tf_zone **out)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	put_header(&b, '3', 0, 0);
	put_type(&b, 0);
	put_header(&b, '3', 0, 0);
	put_type(&b, offset);
	tf_buf_printf(&b, "\n%s\n", rule);
	struct tf_fault f = {0};
	enum tf_err e = tf_zone_parse(TF_STR("made"), tf_buf_view(&b), out, &f);
	tf_buf_release(&b);
	return e;
}

static void
rule_without_table_holds_for_all_times(void **state)
{
	static const char *const rules[] = {
		"EST5EDT,M3.2.0,M11.1.0",
		"AAA-10:30BBB-11,M10.1.0,M4.1.0",
		"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
		"IST-2IDT,M3.4.4/26,M10.5.0",
		"AAA3BBB,J60/0,J300/0",
		"AAA3BBB,59/0,300/24",
		"<+01>-1",
		"WGT3WGST,M3.5.6/22,M10.5.6/23",
		"AAA-3BBB-4:30:15,M1.1.1/167,M12.5.0/-167",
	};
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		struct tf_zone *z = NULL;
		assert_int_equal(made_zone(0, rules[i], &z), TF_OK);
		setenv("TZ", rules[i], 1);
		tzset();
		for (int k = 0; k < 5000; k++) {
			time_t s = (time_t)(draw() % 20000000000u) +
				   70000000; /* 1972 (glibc's rules begin in 1970) to 2606 */
			check_offset(rules[i], z, s);
			check_instant(rules[i], z, s);
		}
		tf_zone_free(&z);
	}
	unsetenv("TZ");
	tzset();
}

static void
saving_all_year_has_no_gap(void **state)
{
	struct tf_zone *z = NULL;
	assert_int_equal(made_zone(-5 * 3600, "EST5EDT,0/0,J365/25", &z), TF_OK);
	for (tf_time t = 0; t < 100 * 365 * TF_DAY; t += 13 * TF_HOUR)
		assert_int_equal(tf_zone_offset(z, t, NULL), -4 * 3600);
	assert_int_equal(tf_zone_offset(z, at("2026-01-01T05:00Z"), NULL), -4 * 3600);
	tf_zone_free(&z);
}

static void
broken_rules_are_refused(void **state)
{
	static const char *const rules[] = {
		"AB3",
		"ABC",
		"ABC25",
		"ABC3DEF",
		"ABC3DEF,M3.2.0",
		"ABC3DEF,M3.2.0,M13.1.0",
		"ABC3DEF,M3.6.0,M11.1.0",
		"ABC3DEF,M3.2.7,M11.1.0",
		"ABC3DEF,J0,J100",
		"ABC3DEF,J1,J366",
		"ABC3DEF,0,366",
		"ABC3DEF,M3.2.0/168,M11.1.0",
		"ABC3DEF,M3.2.0,M11.1.0x",
		"<AB>3",
		"<ABC3",
		"ABC3:60",
	};
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		struct tf_zone *z = NULL;
		if (made_zone(0, rules[i], &z) != TF_CORRUPT)
			fail_msg("taken: %s", rules[i]);
		assert_null(z);
	}
}

static void
cut_file_is_refused_at_every_length(void **state)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	put_header(&b, 0, 0, 0);
	put_type(&b, 3600);
	struct tf_zone *z = NULL;
	for (size_t n = 0; n < b.n; n++) {
		uint8_t *exact = tf_malloc(n);
		memcpy(exact, b.p, n);
		assert_int_equal(tf_zone_parse(TF_STR("x"), tf_str_n(exact, n), &z, NULL), TF_CORRUPT);
		tf_free(exact);
	}
	assert_int_equal(tf_zone_parse(TF_STR("x"), tf_buf_view(&b), &z, NULL), TF_OK);
	assert_int_equal(tf_zone_offset(z, 0, NULL), 3600);
	tf_zone_free(&z);
	tf_buf_release(&b);
}

static void
leap_seconds_are_refused(void **state)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	put_header(&b, 0, 0, 1);
	put_type(&b, 3600);
	put_be32(&b, 78796800);
	put_be32(&b, 1);
	struct tf_zone *z = NULL;
	assert_int_equal(tf_zone_parse(TF_STR("x"), tf_buf_view(&b), &z, NULL), TF_UNSUPPORTED);
	tf_buf_release(&b);
}

static void
fixed_zone_has_one_offset(void **state)
{
	struct tf_zone *z = NULL;
	assert_int_equal(tf_zone_fixed(TF_STR("NEM"), 36000, &z, NULL), TF_OK);
	assert_int_equal(tf_zone_offset(z, TF_TIME_LAST, NULL), 36000);
	assert_int_equal(tf_zone_offset(z, INT64_MIN, NULL), 36000);
	assert_int_equal(tf_zone_day_start(z, 0), -10 * TF_HOUR);
	tf_zone_free(&z);
	tf_zone_free(&z);
	assert_int_equal(tf_zone_fixed(TF_STR("x"), 26 * 3600, &z, NULL), TF_INVALID);
}

static void
parsing_survives_every_failed_allocation(void **state)
{
	for (uint64_t n = 1;; n++) {
		struct tf_zone *z = NULL;
		struct tf_buf b;
		tf_buf_init(&b, 0);
		put_header(&b, '2', 0, 0);
		put_type(&b, 0);
		put_header(&b, '2', 0, 0);
		put_type(&b, 0);
		tf_buf_cstr(&b, "\nGMT0BST,M3.5.0/1,M10.5.0\n");
		tf_mem_fail_at(n);
		enum tf_err e = tf_zone_parse(TF_STR("x"), tf_buf_view(&b), &z, NULL);
		tf_mem_fail_at(0);
		tf_buf_release(&b);
		if (e == TF_OK) {
			assert_true(n > 3);
			tf_zone_free(&z);
			return;
		}
		assert_int_equal(e, TF_NO_MEMORY);
		assert_null(z);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_count_as_the_c_library_does),
		cmocka_unit_test(dates_that_do_not_exist_are_refused),
		cmocka_unit_test(extreme_dates_do_not_overflow),
		cmocka_unit_test(texts_are_written_as_documented),
		cmocka_unit_test(every_documented_form_is_read),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(fixed_zone_has_one_offset),
		cmocka_unit_test(london_days_have_23_and_25_hours),
		cmocka_unit_test(half_hour_zones_work),
		cmocka_unit_test(skipped_day_is_empty),
		cmocka_unit_test(skipped_midnight_begins_the_day_late),
		cmocka_unit_test(ambiguous_time_is_the_earlier_instant),
		cmocka_unit_test(morocco_and_the_far_future_follow_the_rule),
		cmocka_unit_test(rule_without_table_holds_for_all_times),
		cmocka_unit_test(saving_all_year_has_no_gap),
		cmocka_unit_test(broken_rules_are_refused),
		cmocka_unit_test(cut_file_is_refused_at_every_length),
		cmocka_unit_test(leap_seconds_are_refused),
		cmocka_unit_test(parsing_survives_every_failed_allocation),
		cmocka_unit_test(all_zones_agree_with_the_c_library),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
