/* IEC 61968-9 MeterReadings: a MeterReading for each channel and local day, each value with the END of its interval. */
#include <stdio.h>
#include <string.h>

#include "sim_files.h"

/* The measuring period's code in the third of a ReadingType's 18 fields. */
static uint32_t
period_code(uint32_t minutes)
{
	static const struct {
		uint32_t minutes, code;
	} codes[] = {{5, 6}, {10, 1}, {15, 2}, {20, 31}, {30, 5}, {60, 7}};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].minutes == minutes)
			return codes[i].code;
	return 0;
}

/* Delta data (4), forward (1) or reverse (19), secondary electricity (1), energy (12), Wh (72). */
static void
put_head(struct sim_job *j, uint64_t meter, uint32_t channel)
{
	char name[16];
	sim_meter_name(j, meter, name);
	sim_out_printf(&j->out,
		       "<MeterReading><Meter><Names><name>%s</name></Names></Meter>\n<IntervalBlocks>"
		       "<ReadingType ref=\"0.0.%u.4.%u.1.12.0.0.0.0.0.0.0.0.0.72.0\"/>\n",
		       name, period_code(j->run->interval_s / 60), channel ? 19u : 1u);
}

static void
put_values(struct sim_job *j, const int32_t *values, const struct sim_plan *plan)
{
	/* Estimated and edited, made by the meter data management system (3). */
	static const char *const quality[] = {[SIM_PLAN_ESTIMATED] = "3.8.0", [SIM_PLAN_SUBSTITUTED] = "3.7.0"};
	for (uint32_t i = 0; i < j->span.count; i++) {
		if (values[i] == SIM_ABSENT)
			continue;
		sim_out_printf(&j->out, "<IntervalReadings><timeStamp>%s</timeStamp><value>%d%s</value>",
			       j->span.stamp[i + 1], values[i],
			       plan->kind == SIM_PLAN_BROKEN && i == plan->from ? "#" : "");
		if (i >= plan->from && i < plan->to &&
		    (plan->kind == SIM_PLAN_ESTIMATED || plan->kind == SIM_PLAN_SUBSTITUTED))
			sim_out_printf(&j->out, "<ReadingQualities><ReadingQualityType ref=\"%s\"/></ReadingQualities>",
				       quality[plan->kind]);
		sim_out_printf(&j->out, "</IntervalReadings>\n");
	}
	sim_out_printf(&j->out, "</IntervalBlocks></MeterReading>\n");
}

static enum tf_err
begin(struct sim_job *j, struct tf_fault *f)
{
	sim_out_printf(&j->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
				"<MeterReadings xmlns=\"http://iec.ch/TC57/2011/MeterReadings#\">\n");
	return TF_OK;
}

static void
end(struct sim_job *j)
{
	sim_out_printf(&j->out, "</MeterReadings>\n");
}

static enum tf_err
write_file(struct sim_job *j, struct tf_fault *f)
{
	TF_TRY(begin(j, f));
	for (uint64_t i = 0; i < j->count; i++) {
		const int32_t *truth = sim_span_rows(j, i);
		int32_t given[SIM_SLOTS_MAX];
		for (uint32_t channel = 0; channel < j->meter[i].channels; channel++, truth += SIM_SLOTS_MAX) {
			struct sim_plan plan =
				sim_plan_of(&j->meter[i], channel, j->span.date, j->run->o->faults, j->span.count);
			memcpy(given, truth, j->span.count * sizeof(*given));
			sim_plan_apply(&plan, given, j->span.count);
			put_head(j, i, channel);
			put_values(j, given, &plan);
			if (plan.kind == SIM_PLAN_BROKEN)
				plan.to = plan.from + 1;
			sim_count(j, channel, &plan, truth, given);
		}
	}
	end(j);
	return TF_OK;
}

static void
correct_day(struct sim_job *j, uint64_t meter, uint32_t channel)
{
	put_head(j, meter, channel);
	put_values(j, sim_span_rows(j, meter) + (size_t)channel * SIM_SLOTS_MAX,
		   &(struct sim_plan){SIM_PLAN_NONE, 0, 0});
}

const struct sim_format sim_format_cim = {
	.name = "cim",
	.suffix = ".xml",
	.group_meters = 500,
	.write = write_file,
	.begin_late = begin,
	.correct = correct_day,
	.end_late = end,
};
