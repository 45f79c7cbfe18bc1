/* Tariffs in memory: which version, plan and register. The file is read in tariff_read.c. */
#include "tariff.h"

#include "base/mem.h"

const char *const meter_line_names[METER_LINE_COUNT] = {
#define X(name, text) text,
	METER_LINES(X)
#undef X
};

void
meter_tariff_free(struct meter_tariff **t)
{
	if (!*t)
		return;
	tf_arena_release(&(*t)->arena);
	tf_free(*t);
	*t = NULL;
}

const struct meter_tariff_version *
meter_tariff_at(const struct meter_tariff *t, int32_t date)
{
	const struct meter_tariff_version *at = NULL;
	for (uint32_t i = 0; i < t->version_count && t->versions[i].from <= date; i++)
		at = &t->versions[i];
	return at;
}

const struct meter_tariff_plan *
meter_tariff_plan(const struct meter_tariff_version *v, struct tf_str category)
{
	for (uint32_t p = 0; p < v->plan_count; p++)
		for (uint32_t c = 0; c < v->plans[p].category_count; c++)
			if (tf_str_eq(v->plans[p].categories[c], category))
				return &v->plans[p];
	return &v->plans[v->default_plan];
}

uint8_t
meter_tariff_day(const struct meter_tariff *t, int32_t date)
{
	uint32_t lo = 0, hi = t->holiday_count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (t->holidays[mid] < date)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < t->holiday_count && t->holidays[lo] == date)
		return METER_DAY_HOLIDAY;
	return (uint8_t)(1u << tf_date_weekday(date));
}

/* Is x within [from, to], where from > to goes over the end? */
static bool
in_season(const struct meter_tariff_window *w, unsigned x)
{
	if (w->season_from <= w->season_to)
		return x >= w->season_from && x <= w->season_to;
	return x >= w->season_from || x <= w->season_to;
}

static bool
in_hours(const struct meter_tariff_window *w, unsigned minute)
{
	if (w->from_min < w->to_min)
		return minute >= w->from_min && minute < w->to_min;
	return minute >= w->from_min || minute < w->to_min;
}

uint32_t
meter_tariff_register(const struct meter_tariff *t, const struct meter_tariff_plan *p, int32_t date, uint32_t minute)
{
	if (p->register_count < 2)
		return 0;
	int year, month, day;
	tf_date_to_civil(date, &year, &month, &day);
	uint8_t kind = meter_tariff_day(t, date);
	for (uint32_t r = 0; r < p->register_count; r++)
		for (uint32_t i = 0; i < p->registers[r].window_count; i++) {
			const struct meter_tariff_window *w = &p->registers[r].windows[i];
			if (w->days & kind && in_season(w, (unsigned)(month * 100 + day)) && in_hours(w, minute))
				return r;
		}
	return p->register_count - 1;
}
