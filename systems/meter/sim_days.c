/* Days as they are delivered, cut out of the standard-time days the generator makes; and the count of what was given.
 */
#include <stdio.h>
#include <string.h>

#include "sim_files.h"

/* "2026-03-29T01:00:00+01:00". */
static void
put_stamp(tf_time t, int32_t offset_s, char out[static SIM_STAMP_N + 1])
{
	struct tf_civil c;
	tf_civil_from_seconds(t / TF_SEC + offset_s, &c);
	uint32_t off = (uint32_t)(offset_s < 0 ? -offset_s : offset_s) / 60;
	snprintf(out, SIM_STAMP_N + 1, "%04u-%02u-%02uT%02u:%02u:00%c%02u:%02u", (unsigned)c.year % 10000,
		 (unsigned)c.month % 100, (unsigned)c.day % 100, (unsigned)c.hour % 100, (unsigned)c.minute % 100,
		 offset_s < 0 ? '-' : '+', off / 60 % 100, off % 60);
}

static enum tf_err
local_span(struct sim_job *j, int32_t date, struct tf_fault *f)
{
	const struct sim_run *run = j->run;
	const struct tf_zone *zone = run->o->zone;
	struct sim_span *s = &j->span;
	tf_time start = tf_zone_day_start(zone, date), end = tf_zone_day_start(zone, date + 1);
	tf_dur interval = run->interval_s * TF_SEC;
	tf_time axis = start + run->offset_s * TF_SEC;
	int64_t count = (end - start) / interval;
	if (axis % interval || (end - start) % interval || count > SIM_SLOTS_MAX) {
		char text[16];
		return tf_fault(f, TF_INVALID, "cannot cut %s of zone '%s' into intervals of %u minutes",
				tf_date_format(date, text), tf_zone_name(zone), run->interval_s / 60);
	}
	s->date = date;
	s->start = start;
	s->first = axis / interval;
	s->count = (uint32_t)count;
	s->issued = end + 4 * TF_HOUR;
	for (uint32_t i = 0; i <= s->count; i++) {
		tf_time t = start + i * interval;
		put_stamp(t, tf_zone_offset(zone, t, NULL), s->stamp[i]);
	}
	return TF_OK;
}

enum tf_err
sim_span_set(struct sim_job *j, uint32_t day, struct tf_fault *f)
{
	const struct sim_run *run = j->run;
	int32_t date = run->o->start_date + (int32_t)day;
	if (!run->format->reading_bytes)
		return local_span(j, date, f);
	struct sim_span *s = &j->span;
	s->date = date;
	s->start = date * TF_DAY - run->offset_s * TF_SEC;
	s->first = (int64_t)date * run->day_slots;
	s->count = run->day_slots;
	s->issued = s->start + TF_DAY + 4 * TF_HOUR;
	return TF_OK;
}

/* The standard day of a meter, made unless it was the last one made. */
static const int32_t *
hold_day(struct sim_job *j, uint64_t meter, int32_t date)
{
	const struct sim_run *run = j->run;
	const struct meter_sim_meter *m = &j->meter[meter];
	int32_t *held = j->held + (size_t)j->channel_at[meter] * run->day_slots;
	if (j->held_date[meter] == date)
		return held;
	int64_t import[SIM_CELLS], export[SIM_CELLS];
	int32_t shift = run->shift[date - (run->o->start_date - SIM_SHIFT_BEFORE)];
	meter_sim_day(m, date, shift, run->day_slots, import, m->channels > 1 ? export : NULL);
	for (uint32_t i = 0; i < run->day_slots; i++)
		held[i] = (int32_t)import[i];
	for (uint32_t i = 0; m->channels > 1 && i < run->day_slots; i++)
		held[run->day_slots + i] = (int32_t) export[i];
	j->held_date[meter] = date;
	return held;
}

int32_t *
sim_span_rows(struct sim_job *j, uint64_t meter)
{
	const int64_t slots = j->run->day_slots;
	int32_t *rows = j->rows + (size_t)j->channel_at[meter] * SIM_SLOTS_MAX;
	int64_t at = j->span.first, end = at + j->span.count;
	while (at < end) {
		int64_t date = at >= 0 ? at / slots : -((slots - 1 - at) / slots);
		int64_t from = at - date * slots, n = slots - from < end - at ? slots - from : end - at;
		const int32_t *held = hold_day(j, meter, (int32_t)date) + from;
		int32_t *to = rows + (at - j->span.first);
		for (uint32_t channel = 0; channel < j->meter[meter].channels; channel++)
			memcpy(to + (size_t)channel * SIM_SLOTS_MAX, held + (int64_t)channel * slots,
			       (size_t)n * sizeof(*to));
		at += n;
	}
	return rows;
}

void
sim_count(struct sim_job *j, uint32_t channel, const struct sim_plan *p, const int32_t *truth, const int32_t *given)
{
	if (j->again)
		return;
	int64_t *sum = channel ? &j->report.export_wh : &j->report.import_wh;
	struct meter_sim_faults *faults = &j->report.faults;
	uint32_t faulty = p->kind == SIM_PLAN_NONE ? 0 : p->to - p->from;
	for (uint32_t i = 0; i < j->span.count; i++)
		*sum += p->kind == SIM_PLAN_SUBSTITUTED ? given[i] : truth[i];
	j->report.readings += j->span.count;
	switch (p->kind) {
	case SIM_PLAN_MISSING:
		faults->missing += faulty;
		break;
	case SIM_PLAN_BROKEN:
		faults->broken++;
		faults->lost += faulty;
		break;
	case SIM_PLAN_ESTIMATED:
		faults->estimated += faulty;
		j->late = true;
		return;
	case SIM_PLAN_SUBSTITUTED:
		faults->substituted += faulty;
		return;
	default:
		return;
	}
	j->report.readings -= faulty;
	for (uint32_t i = p->from; i < p->to; i++)
		*sum -= truth[i];
}

void
sim_meter_name(const struct sim_job *j, uint64_t meter, char out[static 16])
{
	uint64_t number = j->first + meter + 1;
	for (int i = 9; i > 0; i--, number /= 10)
		out[i] = (char)('0' + number % 10);
	out[0] = 'S';
	out[10] = 0;
}
