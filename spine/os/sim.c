/* The simulation's life, clock, faults and ends; see sim.h. */
#include "os/sim.h"

#include "base/mem.h"
#include "os/sim_impl.h"

#define SIM_START    ((tf_time)1767225600 * TF_SEC) /* 2026-01-01T00:00:00Z */
#define SIM_START_UP TF_SEC                         /* what a restart takes */

static struct sim *
sim(struct tf_os *os)
{
	TF_ASSERT(os->ops == &sim_ops);
	return (struct sim *)os;
}

struct tf_os *
tf_sim_new(const struct tf_sim_options *o)
{
	struct sim *s = tf_calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->base.ops = &sim_ops;
	s->start = o->start ? o->start : SIM_START;
	s->disk.capacity = o->capacity;
	s->disk.rng.state = o->seed;
	s->random.state = ~o->seed;
	if (sim_disk_init(&s->disk) != TF_OK) {
		tf_free(s);
		return NULL;
	}
	return &s->base;
}

void
tf_sim_free(struct tf_os **os)
{
	if (!*os)
		return;
	sim_disk_release(&sim(*os)->disk);
	tf_free(*os);
	*os = NULL;
}

void
tf_sim_advance(struct tf_os *os, tf_dur by)
{
	TF_ASSERT(by >= 0);
	sim(os)->ticks += by;
}

void
tf_sim_step_clock(struct tf_os *os, tf_dur by)
{
	sim(os)->start += by;
}

void
tf_sim_set_capacity(struct tf_os *os, uint64_t bytes)
{
	sim(os)->disk.capacity = bytes;
}

uint64_t
tf_sim_ops(struct tf_os *os, unsigned mask)
{
	uint64_t sum = 0;
	for (unsigned bit = 0; bit < 16; bit++)
		if (mask & 1u << bit)
			sum += sim(os)->ops[bit];
	return sum;
}

void
tf_sim_fail_at(struct tf_os *os, unsigned mask, uint64_t n, enum tf_err err)
{
	struct sim *s = sim(os);
	TF_ASSERT(err != TF_OK || !n);
	s->fail_mask = mask;
	s->fail_in = n;
	s->fail_err = err;
	s->failed = false;
}

bool
tf_sim_failed(struct tf_os *os)
{
	return sim(os)->failed;
}

void
tf_sim_down_at(struct tf_os *os, uint64_t n)
{
	sim(os)->down_in = n;
	sim(os)->down = false;
}

bool
tf_sim_is_down(struct tf_os *os)
{
	return sim(os)->down;
}

static void
start_again(struct sim *s)
{
	s->boot++;
	s->down = false;
	s->ticks += SIM_START_UP;
}

void
tf_sim_power_loss(struct tf_os *os)
{
	sim_disk_power_loss(&sim(os)->disk);
	start_again(sim(os));
}

void
tf_sim_crash(struct tf_os *os)
{
	sim_disk_forget_handles(&sim(os)->disk);
	sim_disk_sweep(&sim(os)->disk);
	start_again(sim(os));
}

bool
tf_sim_durable(struct tf_os *os, const char *path)
{
	return sim_disk_durable(&sim(os)->disk, path);
}

uint64_t
tf_sim_digest(struct tf_os *os)
{
	return sim_disk_digest(&sim(os)->disk);
}

void
tf_sim_trace(struct tf_os *os, void (*each)(void *ctx, const struct tf_sim_event *e), void *ctx)
{
	sim(os)->trace = each;
	sim(os)->trace_ctx = ctx;
}
