/* One day of power, drawn as rectangles and read as energy.
 *
 * The day is 86,400 s from standard-time midnight, in cells of 300 s. Power is in eighths of a watt, energy in eighths
 * of a joule. A rectangle costs two edges: an edge at t changes the rest of t's cell, and every later cell by a whole
 * cell's worth; a running sum makes the cells. What goes on past midnight is drawn at the start of the same day: any
 * day can be made alone, and the night's load is there. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
	SIM_WATT = 8,
	SIM_DAY_S = 86400,
	SIM_CELL_S = 300,
	SIM_CELLS = SIM_DAY_S / SIM_CELL_S,
};

struct sim_canvas {
	int32_t shift_s; /* wall clock ahead of standard time */
	int32_t part[SIM_CELLS + 1];
	int32_t step[SIM_CELLS + 2];
};

static inline void
sim_edge(struct sim_canvas *c, int32_t t, int32_t power)
{
	int32_t cell = t / SIM_CELL_S;
	c->part[cell] += power * ((cell + 1) * SIM_CELL_S - t);
	c->step[cell + 1] += power * SIM_CELL_S;
}

/* Power from one time to another, standard time, 0 <= from < a day, to - from <= a day. */
static inline void
sim_draw(struct sim_canvas *c, int32_t from, int32_t to, int32_t power)
{
	sim_edge(c, from, power);
	if (to > SIM_DAY_S) {
		sim_edge(c, 0, power);
		to -= SIM_DAY_S;
	}
	sim_edge(c, to, -power);
}

/* The same by the wall clock; from may lie up to a day before or behind the day. */
static inline void
sim_draw_wall(struct sim_canvas *c, int32_t from, int32_t length, int32_t power)
{
	from -= c->shift_s;
	if (from < 0)
		from += SIM_DAY_S;
	else if (from >= SIM_DAY_S)
		from -= SIM_DAY_S;
	sim_draw(c, from, from + length, power);
}
