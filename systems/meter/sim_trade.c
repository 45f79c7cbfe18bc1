/* Shops and pumps: the meters of a district that are no homes. */
#include "sim_model.h"

enum { HOUR = 3600, MINUTE = 60 };

/* Values of a shop, in the places behind what every profile has. */
enum { BASE = SIM_NOISE + 1, LIGHT, COLD, COLD_PERIOD, OPEN, CLOSE, SUNDAY };

void
sim_shop_init(struct meter_sim_meter *m, struct sim_random *r)
{
	int32_t size = sim_bell(r) / 2;
	m->p[SIM_NOISE] = 12 + sim_below(r, 30);
	m->p[BASE] = sim_around(r, 350 * SIM_WATT, 200 + size);
	m->p[LIGHT] = (int32_t)(((int64_t)sim_around(r, 1800 * SIM_WATT, 150) * sim_exp2(size)) >> 16);
	m->p[COLD] = sim_around(r, 600 * SIM_WATT, 250);
	m->p[COLD_PERIOD] = sim_around(r, 22 * MINUTE, 120);
	m->p[OPEN] = 8 * HOUR + sim_below(r, 5) * 30 * MINUTE;
	m->p[CLOSE] = 17 * HOUR + sim_below(r, 11) * 30 * MINUTE;
	m->p[SUNDAY] = sim_chance(r, 90);
}

/* Light, heating or cooling and what customers cause: one stretch after the other. */
static void
draw_trade(const struct meter_sim_meter *m, struct sim_day *d, struct sim_canvas *c)
{
	int32_t from = m->p[OPEN] - sim_below(&d->r, 30 * MINUTE), to = m->p[CLOSE] + sim_below(&d->r, 40 * MINUTE);
	int32_t busy = sim_exp2(((d->winter > 0 ? d->winter : -d->winter) * 60 + sim_bell(&d->r) * 30) >> 8);
	int32_t light = (int32_t)(((int64_t)m->p[LIGHT] * busy) >> 16);
	for (int32_t t = from, next; t < to; t = next) {
		next = t + 2 * MINUTE + sim_wait(&d->r, 14 * MINUTE);
		next = next > to ? to : next;
		sim_draw_wall(c, t, next - t, sim_around(&d->r, light, 50));
	}
	sim_draw_wall(c, to, HOUR / 2, light / 4); /* cleaning */
}

void
sim_shop_day(const struct meter_sim_meter *m, struct sim_day *d, struct sim_canvas *c)
{
	sim_draw(c, 0, SIM_DAY_S, m->p[BASE]);
	for (int32_t n = 0; n < 2; n++)
		sim_draw_cycles(&d->r, c, &(struct sim_cycles){m->p[COLD], m->p[COLD_PERIOD] * (n + 2) / 2, 110, 30});
	if (d->weekday < 6 || m->p[SUNDAY])
		draw_trade(m, d, c);
}

/* Values of a pump. */
enum { POWER = SIM_NOISE + 1, STARTS, HOLD, FIRST };

void
sim_pump_init(struct meter_sim_meter *m, struct sim_random *r)
{
	m->p[SIM_NOISE] = 8 + sim_below(r, 20);
	m->p[POWER] = sim_around(r, 5500 * SIM_WATT, 200);
	m->p[POWER] = m->p[POWER] < 40000 * SIM_WATT ? m->p[POWER] : 40000 * SIM_WATT;
	m->p[STARTS] = 1 + sim_below(r, 3);
	m->p[HOLD] = sim_around(r, 2 * HOUR, 150);
	m->p[FIRST] = sim_below(r, SIM_DAY_S);
}

void
sim_pump_day(const struct meter_sim_meter *m, struct sim_day *d, struct sim_canvas *c)
{
	int32_t t = m->p[FIRST] + sim_bell(&d->r) * 4;
	for (int32_t n = m->p[STARTS]; n > 0; n--) {
		int32_t room = SIM_DAY_S / m->p[STARTS] - 10 * MINUTE;
		int32_t hold = sim_around(&d->r, m->p[HOLD], 60);
		hold = hold < 5 * MINUTE ? 5 * MINUTE : hold > room ? room : hold;
		int32_t from = ((t % SIM_DAY_S) + SIM_DAY_S) % SIM_DAY_S;
		if (sim_chance(&d->r, d->winter < 0 ? 240 : 200))
			sim_draw(c, from, from + hold, m->p[POWER] + sim_bell(&d->r) * m->p[POWER] / 65536);
		t += SIM_DAY_S / m->p[STARTS];
	}
}
