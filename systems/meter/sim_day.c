/* A meter's values, and a day from canvas to readings. */
#include "sim_model.h"

#include <string.h>

/* 15 January 1970, midwinter in the north; a year in quarter days. */
enum { MIDWINTER = 14, YEAR_Q2 = 1461 };

/* Parabolas in place of a cosine: 256 at midwinter, -256 half a year later. */
static int32_t
winter_of(int32_t date)
{
	int32_t at = (date - MIDWINTER) * 4 % YEAR_Q2;
	at = at < 0 ? at + YEAR_Q2 : at;
	int32_t quarter = at * 4 / YEAR_Q2, x = (at * 4 - quarter * YEAR_Q2) * 256 / YEAR_Q2;
	int32_t rest = 256 - x;
	switch (quarter) {
	case 0:
		return 256 - x * x / 256;
	case 1:
		return rest * rest / 256 - 256;
	case 2:
		return x * x / 256 - 256;
	default:
		return 256 - rest * rest / 256;
	}
}

const char *
meter_sim_profile_text(enum meter_sim_profile p)
{
	static const char *const text[] = {
#define X(name, text, share, what) text,
		METER_SIM_PROFILES(X)
#undef X
	};
	return text[p];
}

static enum meter_sim_profile
profile_of(int32_t place)
{
	static const int32_t share[] = {
#define X(name, text, share, what) share,
		METER_SIM_PROFILES(X)
#undef X
	};
	int p = 0;
	while (p < METER_SIM_PROFILE_COUNT - 1 && place >= share[p])
		place -= share[p++];
	return (enum meter_sim_profile)p;
}

void
meter_sim_meter_init_as(struct meter_sim_meter *m, uint64_t seed, uint64_t index, enum meter_sim_profile profile)
{
	m->key = sim_mix(seed, index);
	m->weather = sim_mix(seed, UINT64_MAX);
	m->profile = profile;
	m->channels = profile == METER_SIM_SOLAR ? 2 : 1;
	m->south = false;
	struct sim_random r = sim_stream(m->key, SIM_STREAM_METER, 0);
	switch (profile) {
	case METER_SIM_SHOP:
		sim_shop_init(m, &r);
		break;
	case METER_SIM_PUMP:
		sim_pump_init(m, &r);
		break;
	case METER_SIM_SOLAR:
		sim_home_init(m, &r);
		sim_solar_init(m, &r);
		break;
	default:
		sim_home_init(m, &r);
	}
}

void
meter_sim_meter_init(struct meter_sim_meter *m, uint64_t seed, uint64_t index)
{
	struct sim_random r = sim_stream(sim_mix(seed, index), SIM_STREAM_PROFILE, 0);
	meter_sim_meter_init_as(m, seed, index, profile_of(sim_below(&r, 1000)));
}

void
sim_draw_cycles(struct sim_random *r, struct sim_canvas *c, const struct sim_cycles *k)
{
	int32_t on = k->period * k->duty >> 8, off = k->period - on;
	int32_t t = -sim_below(r, k->period);
	while (t < SIM_DAY_S) {
		int32_t run = on + ((on * (sim_bell(r) * k->jitter >> 8)) >> 8);
		int32_t rest = off + ((off * (sim_bell(r) * k->jitter >> 8)) >> 8);
		run = run < 60 ? 60 : run;
		int32_t from = t < 0 ? 0 : t, to = t + run < SIM_DAY_S ? t + run : SIM_DAY_S;
		if (to > from)
			sim_draw(c, from, to, k->power);
		t += run + (rest < 60 ? 60 : rest);
	}
}

/* The canvas' edges become energy of cells, each off by a little of its own. */
static void
finish_cells(const struct meter_sim_meter *m, struct sim_day *d, const struct sim_canvas *c,
	     int32_t cell[static SIM_CELLS])
{
	int32_t level = 0, noise = m->p[SIM_NOISE];
	for (int32_t i = 0; i < SIM_CELLS; i += 4) {
		uint64_t u = sim_u64(&d->r);
		for (int32_t k = 0; k < 4; k++, u >>= 16) {
			level += c->step[i + k];
			int32_t e = level + c->part[i + k];
			cell[i + k] = e + (int32_t)(((int64_t)e * (noise * (int16_t)u)) >> 25);
		}
	}
}

/* A register counts what the cells bring; readings are the differences of its states. */
static void
count_readings(const int32_t cell[static SIM_CELLS], uint32_t slots, int64_t *out)
{
	const int32_t per_slot = SIM_CELLS / (int32_t)slots;
	uint64_t sum = 0, before = 0;
	for (uint32_t i = 0; i < slots; i++) {
		for (int32_t k = 0; k < per_slot; k++)
			sum += (uint32_t)*cell++;
		uint64_t now = sum / (SIM_WATT * 3600u);
		out[i] = (int64_t)(now - before);
		before = now;
	}
}

/* The meter sees the difference of load and panels: what is left over goes out. */
static void
net_cells(int32_t cell[static SIM_CELLS], int32_t panels[static SIM_CELLS])
{
	for (int32_t i = 0; i < SIM_CELLS; i++) {
		int32_t net = cell[i] - panels[i];
		cell[i] = net > 0 ? net : 0;
		panels[i] = net < 0 ? -net : 0;
	}
}

void
meter_sim_day(const struct meter_sim_meter *m, int32_t date, int32_t shift_minutes, uint32_t slots, int64_t *out_import,
	      int64_t *out_export)
{
	TF_ASSERT(slots && SIM_CELLS % slots == 0);
	struct sim_day d = {.date = date, .weekday = tf_date_weekday(date), .winter = winter_of(date)};
	d.winter = m->south ? -d.winter : d.winter;
	d.r = sim_stream(m->key, SIM_STREAM_DAY, date);
	struct sim_canvas c;
	memset(&c, 0, sizeof(c));
	c.shift_s = shift_minutes * 60;
	int32_t cell[SIM_CELLS], panels[SIM_CELLS];
	switch (m->profile) {
	case METER_SIM_SHOP:
		sim_shop_day(m, &d, &c);
		break;
	case METER_SIM_PUMP:
		sim_pump_day(m, &d, &c);
		break;
	default:
		sim_home_day(m, &d, &c);
	}
	finish_cells(m, &d, &c, cell);
	if (m->profile == METER_SIM_SOLAR) {
		sim_solar_day(m, &d, panels);
		net_cells(cell, panels);
		if (out_export)
			count_readings(panels, slots, out_export);
	} else if (out_export) {
		memset(out_export, 0, slots * sizeof(*out_export));
	}
	count_readings(cell, slots, out_import);
}
