/* Wide CSV: a row for each interval of a local day, its start with offset, then a column for each channel. Corrections
 * come as a long CSV, which can say when it was issued. */
#include <stdio.h>
#include <string.h>

#include "sim_files.h"

static void
put_header(struct sim_job *j)
{
	sim_out_printf(&j->out, "start (Wh; %umin)", j->run->interval_s / 60);
	for (uint64_t i = 0; i < j->count; i++) {
		char name[16];
		sim_meter_name(j, i, name);
		sim_out_printf(&j->out, ",%s", name);
		if (j->meter[i].channels > 1)
			sim_out_printf(&j->out, ",%s:%s", name, sim_channel_name(1));
	}
	sim_out_printf(&j->out, "\n");
}

static void
put_row(struct sim_job *j, uint32_t slot)
{
	char *p = sim_out_room(&j->out, SIM_STAMP_N + 1);
	memcpy(p, j->span.stamp[slot], SIM_STAMP_N);
	p += SIM_STAMP_N;
	uint32_t rows = j->channel_at[j->count];
	const int32_t *value = j->rows + slot;
	for (uint32_t i = 0; i < rows;) {
		sim_out_to(&j->out, p);
		p = sim_out_room(&j->out, SIM_ROOM_MAX);
		for (uint32_t end = i + 2048 < rows ? i + 2048 : rows; i < end; i++, value += SIM_SLOTS_MAX) {
			*p++ = ',';
			if (*value >= 0)
				p = sim_put_number(p, (uint32_t)*value);
			else if (*value == SIM_BROKEN)
				*p++ = '#';
		}
	}
	*p++ = '\n';
	sim_out_to(&j->out, p);
}

static enum tf_err
write_file(struct sim_job *j, struct tf_fault *f)
{
	put_header(j);
	for (uint64_t i = 0; i < j->count; i++) {
		int32_t *given = sim_span_rows(j, i), truth[SIM_SLOTS_MAX];
		for (uint32_t channel = 0; channel < j->meter[i].channels; channel++, given += SIM_SLOTS_MAX) {
			struct sim_plan plan =
				sim_plan_of(&j->meter[i], channel, j->span.date, j->run->o->faults, j->span.count);
			memcpy(truth, given, j->span.count * sizeof(*truth));
			sim_plan_apply(&plan, given, j->span.count);
			if (plan.kind == SIM_PLAN_BROKEN) {
				plan.to = plan.from + 1;
				given[plan.from] = SIM_BROKEN;
			}
			sim_count(j, channel, &plan, truth, given);
		}
	}
	for (uint32_t slot = 0; slot < j->span.count; slot++)
		put_row(j, slot);
	return TF_OK;
}

static enum tf_err
begin_late(struct sim_job *j, struct tf_fault *f)
{
	sim_out_printf(&j->out, "meter,channel,start,end,value,unit,quality,issued\n");
	return TF_OK;
}

static void
correct_day(struct sim_job *j, uint64_t meter, uint32_t channel)
{
	struct sim_plan plan = sim_plan_of(&j->meter[meter], channel, j->span.date, j->run->o->faults, j->span.count);
	const int32_t *value = sim_span_rows(j, meter) + (size_t)channel * SIM_SLOTS_MAX;
	char name[16], issued[40];
	sim_meter_name(j, meter, name);
	tf_time_format(j->span.issued + SIM_LATE, issued);
	for (uint32_t i = plan.from; i < plan.to; i++)
		sim_out_printf(&j->out, "%s,%s,%s,%s,%d,Wh,A,%s\n", name, sim_channel_name(channel), j->span.stamp[i],
			       j->span.stamp[i + 1], value[i], issued);
}

const struct sim_format sim_format_csv = {
	.name = "csv",
	.suffix = ".csv",
	.group_meters = 2000,
	.write = write_file,
	.begin_late = begin_late,
	.correct = correct_day,
};
