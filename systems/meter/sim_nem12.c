/* NEM12 as AEMO's Meter Data File Format has it: 100, then 200 and its 300 records for each channel, 400 records where
 * a day's qualities differ, 900. kWh with three decimals, standard time all the year. */
#include <stdio.h>
#include <string.h>

#include "sim_files.h"

static char *
put_two(char *p, int v)
{
	p[0] = (char)('0' + v / 10 % 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

static char *
put_date(char *p, int year, int month, int day)
{
	return put_two(put_two(put_two(put_two(p, year / 100), year), month), day);
}

/* "20260301040000" of a time in standard time. */
static char *
put_time(const struct sim_job *j, tf_time t, char *p)
{
	struct tf_civil c;
	tf_civil_from_seconds(t / TF_SEC + j->run->offset_s, &c);
	p = put_date(p, c.year, c.month, c.day);
	return put_two(put_two(put_two(p, c.hour), c.minute), c.second);
}

/* "1.234," of 1234. */
static inline char *
put_kwh(char *p, uint32_t wh, char (*thousand)[4])
{
	uint32_t whole = wh / 1000;
	if (whole < 10)
		*p++ = (char)('0' + whole);
	else
		p = sim_put_digits(p, whole);
	*p++ = '.';
	memcpy(p, thousand[wh % 1000], 4);
	return p + 4;
}

static void
put_ranges(struct sim_job *j, const struct sim_plan *plan)
{
	static const char *const quality[] = {
		[SIM_PLAN_MISSING] = "N,,", [SIM_PLAN_ESTIMATED] = "E52,,", [SIM_PLAN_SUBSTITUTED] = "S14,27,"};
	if (plan->from)
		sim_out_printf(&j->out, "400,1,%u,A,,\n", plan->from);
	sim_out_printf(&j->out, "400,%u,%u,%s\n", plan->from + 1, plan->to, quality[plan->kind]);
	if (plan->to < j->span.count)
		sim_out_printf(&j->out, "400,%u,%u,A,,\n", plan->to + 1, j->span.count);
}

/* One 300 record. */
static void
put_day(struct sim_job *j, const int32_t *values, uint32_t count, char quality, tf_time issued)
{
	char *p = sim_out_room(&j->out, 128 + 16 * SIM_SLOTS_MAX);
	int year, month, day;
	tf_date_to_civil(j->span.date, &year, &month, &day);
	memcpy(p, "300,", 4);
	p = put_date(p + 4, year, month, day);
	*p++ = ',';
	for (uint32_t i = 0; i < count; i++)
		p = put_kwh(p, values[i] == SIM_ABSENT ? 0 : (uint32_t)values[i], j->thousand);
	*p++ = quality;
	memcpy(p, ",,,", 3);
	p = put_time(j, issued, p + 3);
	*p++ = ',';
	p = put_time(j, issued + TF_HOUR, p);
	*p++ = '\n';
	sim_out_to(&j->out, p);
}

static void
write_day(struct sim_job *j, uint64_t meter, uint32_t channel)
{
	const struct meter_sim_meter *m = &j->meter[meter];
	int32_t *truth = sim_span_rows(j, meter) + (size_t)channel * SIM_SLOTS_MAX, given[SIM_SLOTS_MAX];
	uint32_t count = j->span.count;
	struct sim_plan plan = sim_plan_of(m, channel, j->span.date, j->run->o->faults, count);
	bool mixed = plan.kind != SIM_PLAN_NONE && plan.kind != SIM_PLAN_BROKEN;
	if (plan.kind == SIM_PLAN_NONE) {
		put_day(j, truth, count, 'A', j->span.issued);
		sim_count(j, channel, &plan, truth, truth);
		return;
	}
	memcpy(given, truth, count * sizeof(*given));
	sim_plan_apply(&plan, given, count);
	put_day(j, given, plan.kind == SIM_PLAN_BROKEN ? count - 1 : count, mixed ? 'V' : 'A', j->span.issued);
	if (mixed)
		put_ranges(j, &plan);
	if (plan.kind == SIM_PLAN_BROKEN)
		plan.from = 0, plan.to = count;
	sim_count(j, channel, &plan, truth, given);
}

static void
put_register(struct sim_job *j, uint64_t meter, uint32_t channel)
{
	char name[16];
	const char *suffix = sim_channel_name(channel);
	sim_meter_name(j, meter, name);
	sim_out_printf(&j->out, "200,%s,%s,%s,%s,%s,%s,kWh,%u,\n", name, j->meter[meter].channels > 1 ? "E1B1" : "E1",
		       suffix, suffix, suffix, name, j->run->interval_s / 60);
}

static enum tf_err
put_header(struct sim_job *j, struct tf_fault *f)
{
	char made[14];
	TF_TRY(sim_span_set(j, j->run->o->days - 1, f));
	put_time(j, j->span.issued, made);
	sim_out_printf(&j->out, "100,NEM12,%.12s,SIMMDP,SIMRET\n", made);
	return TF_OK;
}

static enum tf_err
write_file(struct sim_job *j, struct tf_fault *f)
{
	TF_TRY(put_header(j, f));
	for (uint64_t i = 0; i < j->count; i++)
		for (uint32_t channel = 0; channel < j->meter[i].channels; channel++) {
			put_register(j, i, channel);
			for (uint32_t day = 0; day < j->run->o->days; day++) {
				TF_TRY(sim_span_set(j, day, f));
				write_day(j, i, channel);
			}
		}
	sim_out_printf(&j->out, "900\n");
	return TF_OK;
}

/* The day again, all of it read from the meter by now. */
static void
correct_day(struct sim_job *j, uint64_t meter, uint32_t channel)
{
	put_register(j, meter, channel);
	put_day(j, sim_span_rows(j, meter) + (size_t)channel * SIM_SLOTS_MAX, j->span.count, 'A',
		j->span.issued + SIM_LATE);
}

static void
end_late(struct sim_job *j)
{
	sim_out_printf(&j->out, "900\n");
}

const struct sim_format sim_format_nem12 = {
	.name = "nem12",
	.suffix = ".csv",
	.group_meters = 2000,
	.reading_bytes = 7,
	.write = write_file,
	.begin_late = put_header,
	.correct = correct_day,
	.end_late = end_late,
};
