/* A home's day: what is always on, compressors, what people use while there, bursts, dinner, shower, laundry, and in
 * some homes water or storage heating by a timer. */
#include "sim_model.h"

static const struct home_law {
	int32_t median, spread, shared, least, most;
} home_law[] = {
#define X(name, median, spread, shared, least, most, what) {median, spread, shared, least, most},
#include "sim_home.def"
#undef X
};

/* Habits that follow the clock, in the places behind the laws. */
enum { WAKE = SIM_HOME_COUNT, SLEEP, LEAVE, COME, HABITS_END };
_Static_assert(HABITS_END <= METER_SIM_PARAMS, "a meter holds a home's habits");

enum { HOUR = 3600, MINUTE = 60 };

/* When things happen by the wall clock: the homes' median, their spread, and that of one home's days; s. */
static const struct home_habit {
	int32_t median, homes, days;
} home_habit[] = {
	[WAKE - SIM_HOME_COUNT] = {30000, 4200, 920},
	[SLEEP - SIM_HOME_COUNT] = {85900, 3800, 2440},
	[LEAVE - SIM_HOME_COUNT] = {30500, 2700, 2700},
	[COME - SIM_HOME_COUNT] = {64000, 8700, 4160},
};

/* How much is used by the half hour of the day, people being there; 1/256. */
static const uint16_t live_clock[48] = {
	241, 179, 145, 122, 103, 97,  91,  87,  81,  76,  87,  99,  111, 125, 139, 155,
	160, 165, 171, 176, 182, 188, 189, 190, 191, 193, 195, 196, 193, 192, 201, 209,
	228, 247, 257, 269, 280, 291, 302, 313, 325, 325, 347, 374, 399, 406, 385, 322,
};

/* Chance that a burst of that hour happens; 1/256. */
static const uint16_t burst_clock[24] = {77,  47,  35,  40,  57,  107, 194, 219, 221, 219, 232, 238,
					 250, 212, 162, 162, 200, 227, 204, 181, 172, 178, 182, 138};

static int32_t
clamp(int64_t v, int32_t least, int32_t most)
{
	return v < least ? least : v > most ? most : (int32_t)v;
}

static int32_t
around_clock(struct sim_random *r, int32_t time_s, int32_t spread_s)
{
	return time_s + sim_bell(r) * (spread_s / 16) / 16;
}

void
sim_home_init(struct meter_sim_meter *m, struct sim_random *r)
{
	int32_t size = sim_bell(r);
	for (int i = 0; i < SIM_HOME_COUNT; i++) {
		const struct home_law *law = &home_law[i];
		int32_t octaves = (law->spread * sim_bell(r) + law->shared * size) >> 8;
		m->p[i] = clamp(((int64_t)law->median * sim_exp2(octaves)) >> 16, law->least, law->most);
	}
	static const uint8_t having[] = {SIM_HOME_COLD_TWO,  SIM_HOME_SHOWER,  SIM_HOME_DRYER,
					 SIM_HOME_IMMERSION, SIM_HOME_STORAGE, SIM_HOME_VACANT};
	for (size_t i = 0; i < sizeof(having); i++)
		m->p[having[i]] = sim_chance(r, m->p[having[i]]);
	for (int i = WAKE; i < HABITS_END; i++) {
		const struct home_habit *habit = &home_habit[i - SIM_HOME_COUNT];
		m->p[i] = around_clock(r, habit->median, habit->homes);
	}
}

struct habits {
	int32_t wake, sleep, leave, come; /* leave = come: at home all day */
	int32_t mood;                     /* of the day, 1/65536 */
};

static int32_t
habit_today(const struct meter_sim_meter *m, struct sim_day *d, int which)
{
	return around_clock(&d->r, m->p[which], home_habit[which - SIM_HOME_COUNT].days);
}

static struct habits
draw_habits(const struct meter_sim_meter *m, struct sim_day *d)
{
	bool free_day = d->weekday >= 5;
	struct habits h;
	h.wake = habit_today(m, d, WAKE) + (free_day ? 50 * MINUTE : 0);
	h.sleep = habit_today(m, d, SLEEP);
	h.leave = h.come = 0;
	if (sim_chance(&d->r, free_day ? m->p[SIM_HOME_AWAY] / 2 : m->p[SIM_HOME_AWAY])) {
		h.leave = habit_today(m, d, LEAVE);
		h.come = habit_today(m, d, COME);
	}
	int32_t octaves = (sim_bell(&d->r) * m->p[SIM_HOME_MOOD] + d->winter * m->p[SIM_HOME_SEASON]) >> 8;
	h.mood = sim_exp2(octaves);
	return h;
}

static bool
at_home(const struct habits *h, int32_t t)
{
	return t >= h->wake && t < h->sleep && (t < h->leave || t >= h->come);
}

/* One stretch after the other, each of its own power, from before dawn to the next. */
static void
draw_living(const struct meter_sim_meter *m, struct sim_day *d, const struct habits *h, struct sim_canvas *c)
{
	int32_t start = 3 * HOUR, end = start + SIM_DAY_S;
	for (int32_t t = start, next; t < end; t = next) {
		bool there = at_home(h, t);
		next = t + MINUTE + sim_wait(&d->r, m->p[SIM_HOME_LIVE_HOLD]);
		if (there && t < h->leave && next > h->leave)
			next = h->leave;
		if (t < h->sleep && next > h->sleep)
			next = h->sleep;
		if (!there && t < h->wake && next > h->wake)
			next = h->wake;
		if (!there && t < h->come && next > h->come)
			next = h->come;
		next = next > end ? end : next;
		int32_t clock = there ? live_clock[t % SIM_DAY_S / 1800] : m->p[SIM_HOME_NIGHT];
		int32_t power = (int32_t)(((int64_t)m->p[SIM_HOME_LIVE] * h->mood) >> 16) * clock >> 8;
		sim_draw_wall(c, t, next - t, sim_around(&d->r, power, m->p[SIM_HOME_LIVE_SPREAD]));
	}
}

static void
draw_bursts(const struct meter_sim_meter *m, struct sim_day *d, const struct habits *h, struct sim_canvas *c)
{
	int32_t gap = m->p[SIM_HOME_BURST_GAP], spread = m->p[SIM_HOME_BURST_SPREAD];
	for (int32_t t = h->wake; t < h->sleep;) {
		t += sim_wait(&d->r, gap);
		int32_t power = sim_around(&d->r, m->p[SIM_HOME_BURST_POWER], spread / 4);
		int32_t hold = 20 + sim_around(&d->r, m->p[SIM_HOME_BURST_HOLD], spread);
		if (at_home(h, t) && sim_chance(&d->r, burst_clock[t / HOUR % 24]))
			sim_draw_wall(c, t, hold < HOUR ? hold : HOUR, power);
	}
}

/* A load under a thermostat: on until warm, then on and off. */
static void
draw_thermostat(struct sim_day *d, struct sim_canvas *c, int32_t from, int32_t length, int32_t power)
{
	int32_t t = from, warm = length / 4;
	sim_draw_wall(c, t, warm, power);
	for (t += warm; t < from + length;) {
		int32_t on = 60 + sim_below(&d->r, 150);
		t += 90 + sim_below(&d->r, 200);
		sim_draw_wall(c, t, on, power);
		t += on;
	}
}

static void
draw_meals(const struct meter_sim_meter *m, struct sim_day *d, const struct habits *h, struct sim_canvas *c)
{
	static const struct {
		int32_t time, spread, chance, share;
	} meals[] = {
		{7 * HOUR + 30 * MINUTE, 40 * MINUTE, 60, 80},
		{12 * HOUR + 20 * MINUTE, 50 * MINUTE, 110, 140},
		{17 * HOUR + 45 * MINUTE, 70 * MINUTE, 256, 256},
	};
	for (size_t i = 0; i < sizeof(meals) / sizeof(meals[0]); i++) {
		int32_t time = around_clock(&d->r, meals[i].time, meals[i].spread);
		bool cooked = sim_chance(&d->r, m->p[SIM_HOME_MEAL_CHANCE] * meals[i].chance >> 8);
		int32_t length = sim_around(&d->r, m->p[SIM_HOME_MEAL_HOLD], 150) * meals[i].share >> 8;
		int32_t power = sim_around(&d->r, m->p[SIM_HOME_MEAL_POWER], 80);
		if (cooked && at_home(h, time))
			draw_thermostat(d, c, time, clamp(length, 300, 3 * HOUR), power);
	}
}

static void
draw_machines(const struct meter_sim_meter *m, struct sim_day *d, const struct habits *h, struct sim_canvas *c)
{
	int32_t showers = m->p[SIM_HOME_SHOWER] ? 1 + sim_below(&d->r, 2) : 0;
	for (int32_t i = 0; i < showers; i++) {
		int32_t hold = 200 + sim_below(&d->r, 300);
		sim_draw_wall(c, around_clock(&d->r, h->wake + 25 * MINUTE, 25 * MINUTE), hold, 8500 * SIM_WATT);
	}
	int32_t begin = around_clock(&d->r, 11 * HOUR, 200 * MINUTE);
	bool laundry = sim_chance(&d->r, m->p[SIM_HOME_LAUNDRY]);
	if (laundry && begin > h->wake && begin < 20 * HOUR) {
		int32_t heat = 500 + sim_below(&d->r, 800), turn = 2400 + sim_below(&d->r, 1800);
		sim_draw_wall(c, begin, heat, 2000 * SIM_WATT);
		sim_draw_wall(c, begin + heat, turn, sim_around(&d->r, 220 * SIM_WATT, 60));
		if (m->p[SIM_HOME_DRYER])
			draw_thermostat(d, c, begin + heat + turn + 600, 2400 + sim_below(&d->r, 3000),
					2300 * SIM_WATT);
	}
}

static void
draw_timers(const struct meter_sim_meter *m, struct sim_day *d, struct sim_canvas *c)
{
	if (m->p[SIM_HOME_IMMERSION])
		sim_draw_wall(c, m->p[WAKE] - 45 * MINUTE, 1200 + sim_below(&d->r, 1800), 2900 * SIM_WATT);
	if (m->p[SIM_HOME_STORAGE]) {
		int32_t hours_q8 = 500 + d->winter * 2 + sim_bell(&d->r) / 2;
		if (hours_q8 > 0)
			draw_thermostat(d, c, 30 * MINUTE, clamp((int64_t)hours_q8 * HOUR >> 8, 600, 7 * HOUR),
					1600 * SIM_WATT);
	}
}

void
sim_home_day(const struct meter_sim_meter *m, struct sim_day *d, struct sim_canvas *c)
{
	if (m->p[SIM_HOME_VACANT]) {
		if (sim_chance(&d->r, 12))
			draw_living(m, d, &(struct habits){.wake = 9 * HOUR, .sleep = 17 * HOUR, .mood = 65536}, c);
		return;
	}
	sim_draw(c, 0, SIM_DAY_S, m->p[SIM_HOME_BASE]);
	struct sim_cycles cold = {m->p[SIM_HOME_COLD_POWER], m->p[SIM_HOME_COLD_PERIOD], m->p[SIM_HOME_COLD_DUTY],
				  m->p[SIM_HOME_COLD_JITTER]};
	sim_draw_cycles(&d->r, c, &cold);
	if (m->p[SIM_HOME_COLD_TWO]) {
		cold.power = cold.power * 3 / 4;
		cold.period = cold.period * 3 / 5;
		sim_draw_cycles(&d->r, c, &cold);
	}
	struct habits h = draw_habits(m, d);
	draw_living(m, d, &h, c);
	draw_bursts(m, d, &h, c);
	draw_meals(m, d, &h, c);
	draw_machines(m, d, &h, c);
	draw_timers(m, d, c);
}
