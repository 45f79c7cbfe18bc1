/* JSON lines: one object for each channel and local day, values in Wh. */
#include <stdio.h>
#include <string.h>

#include "sim_files.h"

static void
put_head(struct sim_job *j, uint64_t meter, uint32_t channel)
{
	char name[16];
	sim_meter_name(j, meter, name);
	sim_out_printf(&j->out, "{\"meter\":\"%s\",\"channel\":\"%s\",\"start\":\"%s\",\"interval\":%u,\"values\":[",
		       name, sim_channel_name(channel), j->span.stamp[0], j->run->interval_s);
}

/* broken: a cell that is no JSON. */
static void
put_values(struct sim_job *j, const int32_t *values, bool broken)
{
	char *p = sim_out_room(&j->out, 12 * SIM_SLOTS_MAX + 16);
	for (uint32_t i = 0; i < j->span.count; i++) {
		if (i)
			*p++ = ',';
		if (values[i] == SIM_ABSENT) {
			memcpy(p, "null", 4);
			p += 4;
		} else {
			p = sim_put_number(p, (uint32_t)values[i]);
		}
	}
	if (broken)
		*p++ = '#';
	sim_out_to(&j->out, p);
}

static void
put_tail(struct sim_job *j, const struct sim_plan *plan, tf_time issued)
{
	static const char *const quality[] = {
		[SIM_PLAN_MISSING] = "\"N\"", [SIM_PLAN_ESTIMATED] = "\"E52\"", [SIM_PLAN_SUBSTITUTED] = "\"S14/27\""};
	char text[40];
	sim_out_printf(&j->out, "],\"unit\":\"Wh\",\"quality\":");
	if (plan->kind == SIM_PLAN_NONE || plan->kind == SIM_PLAN_BROKEN) {
		sim_out_printf(&j->out, "\"A\"");
	} else {
		for (uint32_t i = 0; i < j->span.count; i++)
			sim_out_printf(&j->out, "%s%s", i ? "," : "[",
				       i >= plan->from && i < plan->to ? quality[plan->kind] : "\"A\"");
		sim_out_printf(&j->out, "]");
	}
	sim_out_printf(&j->out, ",\"issued\":\"%s\"}\n", tf_time_format(issued, text));
}

static enum tf_err
write_file(struct sim_job *j, struct tf_fault *f)
{
	for (uint64_t i = 0; i < j->count; i++) {
		int32_t *truth = sim_span_rows(j, i), given[SIM_SLOTS_MAX];
		for (uint32_t channel = 0; channel < j->meter[i].channels; channel++, truth += SIM_SLOTS_MAX) {
			struct sim_plan plan =
				sim_plan_of(&j->meter[i], channel, j->span.date, j->run->o->faults, j->span.count);
			memcpy(given, truth, j->span.count * sizeof(*given));
			sim_plan_apply(&plan, given, j->span.count);
			put_head(j, i, channel);
			put_values(j, given, plan.kind == SIM_PLAN_BROKEN);
			put_tail(j, &plan, j->span.issued);
			if (plan.kind == SIM_PLAN_BROKEN)
				plan.from = 0, plan.to = j->span.count;
			sim_count(j, channel, &plan, truth, given);
		}
	}
	return TF_OK;
}

static void
correct_day(struct sim_job *j, uint64_t meter, uint32_t channel)
{
	put_head(j, meter, channel);
	put_values(j, sim_span_rows(j, meter) + (size_t)channel * SIM_SLOTS_MAX, false);
	put_tail(j, &(struct sim_plan){SIM_PLAN_NONE, 0, 0}, j->span.issued + SIM_LATE);
}

const struct sim_format sim_format_jsonl = {
	.name = "jsonl",
	.suffix = ".jsonl",
	.group_meters = 2000,
	.write = write_file,
	.correct = correct_day,
};
