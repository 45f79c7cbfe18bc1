/* Panels on a roof: a clear day's curve, and clouds. What kind of day it is holds for all meters of a seed. */
#include "sim_model.h"

#include <string.h>

enum { HOUR = 3600, PEAK = METER_SIM_PARAMS - 1 };

void
sim_solar_init(struct meter_sim_meter *m, struct sim_random *r)
{
	m->p[PEAK] = sim_around(r, 3600 * SIM_WATT, 110);
}

/* How much of the sun comes through for a while, 1/256; sky 0 overcast to 255 clear. */
static int32_t
draw_cloud(struct sim_random *r, int32_t sky)
{
	if (sim_chance(r, sky))
		return 225 + sim_below(r, 31);
	return 25 + (sky >> 2) + sim_below(r, 40 + (sky >> 1));
}

void
sim_solar_day(const struct meter_sim_meter *m, struct sim_day *d, int32_t out_cell[static SIM_CELLS])
{
	struct sim_random weather = sim_stream(m->weather, SIM_STREAM_WEATHER, d->date);
	int32_t sky = sim_below(&weather, 256);
	int32_t half = 6 * HOUR - d->winter * 8000 / 256; /* of the day's light, s */
	int32_t peak = m->p[PEAK] / 256 * (180 - d->winter * 70 / 256);
	int32_t until = 0, through = 0;
	memset(out_cell, 0, SIM_CELLS * sizeof(*out_cell));
	for (int32_t i = 0; i < SIM_CELLS; i++) {
		int32_t t = i * SIM_CELL_S + SIM_CELL_S / 2;
		int32_t x = (t - SIM_DAY_S / 2) * 256 / half;
		if (x <= -256 || x >= 256)
			continue;
		if (t >= until) {
			through = draw_cloud(&d->r, sky);
			until = t + sim_wait(&d->r, sky < 40 ? 3000 : 900);
		}
		int32_t wobble = through + (int32_t)(sim_u64(&d->r) >> 61);
		int32_t high = (65536 - x * x) >> 8;
		out_cell[i] = (int32_t)(((int64_t)peak * high * wobble) >> 16) * SIM_CELL_S;
	}
}
