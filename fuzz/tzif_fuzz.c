/* The TZif reader: any bytes are refused, or give a calendar whose days divide time and whose instants invert local
 * times. */
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

static void
ask(const struct tf_zone *z, tf_time t)
{
	bool dst, twice;
	tf_time back;
	int64_t s = t / TF_SEC;
	int64_t local = s + tf_zone_offset(z, s * TF_SEC, &dst);
	tf_zone_standard_offset(z, t);
	enum tf_err e = tf_zone_instant(z, local, &back, &twice);
	if (e == TF_OK) {
		TF_ASSERT(back <= s * TF_SEC);
		TF_ASSERT(back / TF_SEC + tf_zone_offset(z, back, NULL) == local);
	} else {
		TF_ASSERT(local > INT64_MAX / TF_SEC - 4 * 86400 || local < -(INT64_MAX / TF_SEC) + 4 * 86400);
	}
}

static void
ask_day(const struct tf_zone *z, int32_t date)
{
	tf_time start = tf_zone_day_start(z, date), end = tf_zone_day_start(z, date + 1);
	TF_ASSERT(start <= end);
	if (start < end)
		TF_ASSERT(tf_zone_date(z, start) >= date);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tf_zone *z = NULL;
	struct tf_fault f = {0};
	enum tf_err e = tf_zone_parse(TF_STR("fuzz"), tf_str_n(data, size), &z, &f);
	if (e) {
		TF_ASSERT(f.code == e && f.text[0] && !z);
		return 0;
	}
	ask(z, INT64_MIN);
	ask(z, INT64_MAX);
	for (tf_time t = TF_TIME_FIRST; t < TF_TIME_LAST; t += 1234567 * 8 * TF_SEC)
		ask(z, t);
	for (int32_t date = -30000; date < 200000; date += 37)
		ask_day(z, date);
	tf_zone_free(&z);
	return 0;
}
