/* UTC time, civil dates and IANA calendars.
 *
 * tf_time is microseconds since 1970-01-01T00:00:00Z without leap seconds; tf_dur is microseconds. A date is days since
 * 1970-01-01 (proleptic Gregorian). A calendar is one IANA zone, read from a TZif file (RFC 8536, versions 1 to 4, with
 * the footer's POSIX TZ rule for times after the table). Reading the file is the caller's work (base does no I/O).
 * Thread rule: a calendar is immutable once parsed and may be shared. */
#pragma once
#include "base/str.h"

typedef int64_t tf_time;
typedef int64_t tf_dur;

#define TF_SEC      ((tf_dur)1000000)
#define TF_MINUTE   (60 * TF_SEC)
#define TF_HOUR     (3600 * TF_SEC)
#define TF_DAY      (86400 * TF_SEC)
#define TF_TIME_MAX INT64_MAX

/* Smallest and largest time Tenfold takes from outside: years 1900 to 2199. */
#define TF_TIME_FIRST ((tf_time)-2208988800 * TF_SEC)
#define TF_TIME_LAST  ((tf_time)7258118399 * TF_SEC)

struct tf_civil {
	int year, month, day;     /* month 1..12, day 1..31 */
	int hour, minute, second; /* 0..23, 0..59, 0..59 */
	int micro;
};

/* Days since 1970-01-01 of a date that exists; TF_INVALID for one that does not (30 February). */
enum tf_err tf_date_from_civil(int year, int month, int day, int32_t *out) TF_MUST_USE;
void tf_date_to_civil(int32_t date, int *out_year, int *out_month, int *out_day);
/* 0 = Monday .. 6 = Sunday. */
int tf_date_weekday(int32_t date);
/* Months since 1970-01 of a date; first date of such a month. Months count from 0 = 1970-01. */
int32_t tf_date_month(int32_t date);
int32_t tf_month_first_date(int32_t month);

/* Seconds since 1970-01-01T00:00 of a wall-clock time, as if it were UTC. TF_INVALID when it does not exist. */
enum tf_err tf_civil_seconds(const struct tf_civil *c, int64_t *out) TF_MUST_USE;
void tf_civil_from_seconds(int64_t seconds, struct tf_civil *out);

/* "2026-11-24T03:16:00Z"; micros only where not zero. Needs 40 bytes. Returns out. */
char *tf_time_format(tf_time t, char out[static 40]);
/* "2026-11-24". Needs 16 bytes. */
char *tf_date_format(int32_t date, char out[static 16]);
/* "2026-11". Needs 16 bytes. */
char *tf_month_format(int32_t month, char out[static 16]);
/* YYYY-MM-DD, whole string. */
enum tf_err tf_date_parse(struct tf_str s, int32_t *out) TF_MUST_USE;
/* YYYY-MM, whole string. */
enum tf_err tf_month_parse(struct tf_str s, int32_t *out) TF_MUST_USE;

struct tf_zone; /* a calendar */

/* What a wall-clock text means. */
struct tf_when {
	int64_t local_s; /* the wall clock as seconds since 1970-01-01T00:00 */
	bool has_offset; /* Z, +hh:mm, +hhmm or +hh was there */
	int32_t offset_s;
	int32_t micro;
};
/* ISO 8601 / RFC 3339 wall clock: YYYY-MM-DD, then optionally 'T' or ' ' and HH:MM[:SS[.fraction]], then an optional
 * offset (Z, +hh:mm, +hhmm, +hh). Also the basic forms YYYYMMDD and YYYYMMDDHHMM[SS]. Whole string; 24:00 is the next
 * midnight; an offset only follows a time; a fraction has at most 9 digits, those past the microsecond are cut off. No
 * second 60. */
enum tf_err tf_when_parse(struct tf_str s, struct tf_when *out) TF_MUST_USE;
/* The instant of a parsed text: by its own offset, else as local time of zone (NULL: UTC). TF_NOT_FOUND when that local
 * time does not exist there (skipped by a clock change); an ambiguous one is the earlier instant and *out_ambiguous
 * (may be NULL) is set. TF_INVALID outside TF_TIME_FIRST to TF_TIME_LAST. */
enum tf_err tf_when_resolve(const struct tf_when *w, const struct tf_zone *zone, tf_time *out,
			    bool *out_ambiguous) TF_MUST_USE;
/* Both in one: what a --from or --to takes. A bare date means the start of that local day
 * (tf_zone_day_start). The fault names the text. */
enum tf_err tf_time_parse(struct tf_str s, const struct tf_zone *zone, tf_time *out, struct tf_fault *f) TF_MUST_USE;

/* Parses a TZif image. name is kept as a copy. TF_CORRUPT when it breaks RFC 8536, TF_UNSUPPORTED when it counts leap
 * seconds (tzdata's right/ tree). The caller frees with tf_zone_free. Takes up to 32 KiB. */
enum tf_err tf_zone_parse(struct tf_str name, struct tf_str tzif, struct tf_zone **out, struct tf_fault *f) TF_MUST_USE;
/* A calendar with one fixed offset, for UTC and standard-time feeds. */
enum tf_err tf_zone_fixed(struct tf_str name, int32_t offset_s, struct tf_zone **out, struct tf_fault *f) TF_MUST_USE;
void tf_zone_free(struct tf_zone **z);
const char *tf_zone_name(const struct tf_zone *z);

/* Offset of local time from UTC in seconds at instant t; *out_dst (may be NULL) says whether daylight saving holds. */
int32_t tf_zone_offset(const struct tf_zone *z, tf_time t, bool *out_dst);
/* The offset without daylight saving in force around t (what standard-time feeds such as NEM12 use). What counts as
 * daylight saving is the file's word: tzdata has Dublin's winter as saving of minus one hour. */
int32_t tf_zone_standard_offset(const struct tf_zone *z, tf_time t);
/* Instant of a wall-clock second count; errors and ambiguity as tf_when_resolve. */
enum tf_err tf_zone_instant(const struct tf_zone *z, int64_t local_s, tf_time *out, bool *out_ambiguous) TF_MUST_USE;
/* The local date at t. */
int32_t tf_zone_date(const struct tf_zone *z, tf_time t);
/* The first instant of a local date (the end of the gap where midnight is skipped; the first of two where it comes
 * twice). A date that was skipped has the start of the next one. Days from this function divide time without gap or
 * overlap; where clocks went back over midnight (St John's until 2011: 00:01 to 23:01), tf_zone_date says the old date
 * once more after the new day's start. Saturates outside what tf_time holds. */
tf_time tf_zone_day_start(const struct tf_zone *z, int32_t date);
/* The first instant of a local month (months since 1970-01). */
tf_time tf_zone_month_start(const struct tf_zone *z, int32_t month);
