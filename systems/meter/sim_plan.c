/* Faults of deliveries: which channel days have one, and what it does to their values. */
#include "sim_files.h"

struct sim_plan
sim_plan_of(const struct meter_sim_meter *m, uint32_t channel, int32_t date, uint32_t rate, uint32_t count)
{
	/* Of 16 faults. */
	static const uint8_t kinds[16] = {
		SIM_PLAN_MISSING,     SIM_PLAN_MISSING,     SIM_PLAN_MISSING,     SIM_PLAN_MISSING,
		SIM_PLAN_MISSING,     SIM_PLAN_MISSING,     SIM_PLAN_ESTIMATED,   SIM_PLAN_ESTIMATED,
		SIM_PLAN_ESTIMATED,   SIM_PLAN_ESTIMATED,   SIM_PLAN_SUBSTITUTED, SIM_PLAN_SUBSTITUTED,
		SIM_PLAN_SUBSTITUTED, SIM_PLAN_SUBSTITUTED, SIM_PLAN_BROKEN,      SIM_PLAN_BROKEN,
	};
	struct sim_random r = sim_stream(m->key + 16 * channel, SIM_STREAM_FAULT, date);
	if (!rate || !count || sim_below(&r, 10000) >= (int32_t)rate)
		return (struct sim_plan){SIM_PLAN_NONE, 0, 0};
	struct sim_plan p = {.kind = kinds[sim_below(&r, 16)]};
	/* Half of the faults take the whole day, the others a part of it. */
	p.to = count;
	if (sim_chance(&r, 128)) {
		p.from = (uint32_t)sim_below(&r, (int32_t)count);
		p.to = p.from + 1 + (uint32_t)sim_below(&r, (int32_t)(count - p.from));
	}
	return p;
}

void
sim_plan_apply(const struct sim_plan *p, int32_t *values, uint32_t count)
{
	int64_t sum = 0;
	TF_ASSERT(count);
	for (uint32_t i = 0; i < count; i++)
		sum += values[i];
	int32_t mean = (int32_t)(sum / count);
	for (uint32_t i = p->from; i < p->to; i++) {
		switch (p->kind) {
		case SIM_PLAN_MISSING:
			values[i] = SIM_ABSENT;
			break;
		case SIM_PLAN_ESTIMATED:
		case SIM_PLAN_SUBSTITUTED:
			values[i] = mean;
			break;
		default:
			break;
		}
	}
}
