/* The simulator's parts behind sim_day.c: one function a profile, each draws a day onto a canvas. */
#pragma once
#include "sim.h"
#include "sim_canvas.h"
#include "sim_random.h"

enum sim_home {
#define X(name, median, spread, shared, least, most, what) SIM_HOME_##name,
#include "sim_home.def"
#undef X
	SIM_HOME_COUNT
};
/* The one value every profile has, in the first place: fine noise, 1/1024 of the power. */
#define SIM_NOISE 0
_Static_assert(SIM_HOME_NOISE == SIM_NOISE, "noise comes first");

/* A day as a profile sees it. */
struct sim_day {
	int32_t date;
	int32_t weekday;     /* 0 = Monday */
	int32_t winter;      /* -256 midsummer .. 256 midwinter */
	struct sim_random r; /* of this meter and day */
};

/* What a stream of random numbers is for: part of its key. */
enum sim_stream { SIM_STREAM_METER, SIM_STREAM_PROFILE, SIM_STREAM_DAY, SIM_STREAM_WEATHER, SIM_STREAM_FAULT };

static inline struct sim_random
sim_stream(uint64_t key, enum sim_stream what, int32_t date)
{
	return (struct sim_random){sim_mix(key + (uint64_t)what, (uint64_t)(uint32_t)date)};
}

/* A compressor: on and off all day from a phase of its own. */
struct sim_cycles {
	int32_t power, period, duty, jitter; /* duty and jitter (of each on and off) in 1/256 */
};
void sim_draw_cycles(struct sim_random *r, struct sim_canvas *c, const struct sim_cycles *k);

void sim_home_init(struct meter_sim_meter *m, struct sim_random *r);
void sim_home_day(const struct meter_sim_meter *m, struct sim_day *d, struct sim_canvas *c);
void sim_shop_init(struct meter_sim_meter *m, struct sim_random *r);
void sim_shop_day(const struct meter_sim_meter *m, struct sim_day *d, struct sim_canvas *c);
void sim_pump_init(struct meter_sim_meter *m, struct sim_random *r);
void sim_pump_day(const struct meter_sim_meter *m, struct sim_day *d, struct sim_canvas *c);
void sim_solar_init(struct meter_sim_meter *m, struct sim_random *r);
/* What the panels give: energy of each cell. */
void sim_solar_day(const struct meter_sim_meter *m, struct sim_day *d, int32_t out_cell[static SIM_CELLS]);
