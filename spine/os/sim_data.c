/* The bytes of one simulated file, live and durable. */
#include <string.h>

#include "base/mem.h"
#include "os/sim_impl.h"

uint64_t
sim_rng_next(struct sim_rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t
sim_rng_below(struct sim_rng *r, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)sim_rng_next(r) * n) >> 64);
}

static uint64_t
sectors(uint64_t bytes)
{
	return (bytes + SIM_SECTOR - 1) / SIM_SECTOR;
}

/* *p grown from was to now bytes, the new ones zero. */
static bool
grow(uint8_t **p, uint64_t was, uint64_t now)
{
	uint8_t *q = tf_realloc(*p, now);
	if (!q)
		return false;
	memset(q + was, 0, now - was);
	*p = q;
	return true;
}

enum tf_err
sim_data_reserve(struct sim_data *d, uint64_t size)
{
	if (size <= d->cap)
		return TF_OK;
	if (size > INT64_MAX / 2)
		return TF_TOO_LARGE;
	uint64_t cap = d->cap + d->cap / 2 > size ? d->cap + d->cap / 2 : size;
	cap = sectors(cap) * SIM_SECTOR;
	if (!grow(&d->live, d->cap, cap) || !grow(&d->durable, d->cap, cap) ||
	    !grow(&d->dirty, d->cap / SIM_SECTOR, cap / SIM_SECTOR))
		return TF_NO_MEMORY;
	d->cap = cap;
	return TF_OK;
}

void
sim_data_release(struct sim_data *d)
{
	tf_free(d->live);
	tf_free(d->durable);
	tf_free(d->dirty);
	*d = (struct sim_data){0};
}

/* Marks the sectors that bytes from .. to - 1 touch. */
static void
mark(struct sim_data *d, uint64_t from, uint64_t to)
{
	if (from < to)
		memset(d->dirty + from / SIM_SECTOR, 1, sectors(to) - from / SIM_SECTOR);
}

void
sim_data_write(struct sim_data *d, const void *p, uint64_t n, uint64_t offset)
{
	if (!n)
		return;
	TF_ASSERT(offset + n <= d->cap);
	memcpy(d->live + offset, p, n);
	mark(d, offset, offset + n);
	if (offset + n > d->live_n)
		d->live_n = offset + n;
}

void
sim_data_truncate(struct sim_data *d, uint64_t size)
{
	TF_ASSERT(size <= d->cap);
	if (size < d->live_n) {
		memset(d->live + size, 0, d->live_n - size);
		mark(d, size, d->live_n);
	}
	if (size < d->low)
		d->low = size;
	d->live_n = size;
}

static void
copy(uint8_t *to, const uint8_t *from, uint64_t at, uint64_t n)
{
	memcpy(to + at, from + at, n);
}

static void
all_clean(struct sim_data *d)
{
	if (d->cap)
		memset(d->dirty, 0, d->cap / SIM_SECTOR);
	d->low = d->live_n;
}

/* The first dirty sector at or after from; false when there is none. */
static bool
next_dirty(const struct sim_data *d, uint64_t from, uint64_t *out)
{
	uint64_t count = d->cap / SIM_SECTOR;
	const uint8_t *hit = from < count ? memchr(d->dirty + from, 1, count - from) : NULL;
	if (hit)
		*out = (uint64_t)(hit - d->dirty);
	return hit;
}

void
sim_data_sync(struct sim_data *d)
{
	for (uint64_t s = 0; next_dirty(d, s, &s); s++)
		copy(d->durable, d->live, s * SIM_SECTOR, SIM_SECTOR);
	d->durable_n = d->live_n;
	all_clean(d);
}

void
sim_data_sync_failed(struct sim_data *d, struct sim_rng *r)
{
	for (uint64_t s = 0; next_dirty(d, s, &s); s++)
		if (sim_rng_below(r, 2))
			copy(d->durable, d->live, s * SIM_SECTOR, SIM_SECTOR);
	if (sim_rng_below(r, 2))
		d->durable_n = d->live_n;
	if (d->durable_n < d->cap)
		memset(d->durable + d->durable_n, 0, d->cap - d->durable_n);
	all_clean(d);
}

/* The size power loss leaves; the truncation, when it is kept, is applied. */
static uint64_t
size_left(struct sim_data *d, struct sim_rng *r)
{
	if (d->low < d->durable_n) {
		if (sim_rng_below(r, 2))
			return d->durable_n;
		memset(d->durable + d->low, 0, d->durable_n - d->low);
		d->durable_n = d->low;
	}
	if (d->live_n <= d->durable_n)
		return d->durable_n;
	switch (sim_rng_below(r, 3)) {
	case 0:
		return d->durable_n;
	case 1:
		return d->live_n;
	default:
		return d->durable_n + sim_rng_below(r, d->live_n - d->durable_n);
	}
}

enum fate { LOST, KEPT, TORN };

static void
sector_power_loss(struct sim_data *d, uint64_t sector, enum fate fate, struct sim_rng *r)
{
	uint64_t at = sector * SIM_SECTOR, cut = 1 + sim_rng_below(r, SIM_SECTOR - 1);
	if (fate == KEPT)
		copy(d->durable, d->live, at, SIM_SECTOR);
	else if (fate == TORN && cut % 2)
		copy(d->durable, d->live, at, cut);
	else if (fate == TORN)
		copy(d->durable, d->live, at + cut, SIM_SECTOR - cut);
}

void
sim_data_power_loss(struct sim_data *d, struct sim_rng *r)
{
	/* A third of the files loses all and a sixth keeps all: a disk seldom stops in the middle of one file. */
	static const enum fate file[] = {LOST, LOST, KEPT, TORN, TORN, TORN};
	static const enum fate mixed[] = {LOST, LOST, LOST, LOST, KEPT, KEPT, KEPT, TORN};
	if (!d->cap)
		return;
	uint64_t n = size_left(d, r);
	enum fate whole = file[sim_rng_below(r, 6)];
	for (uint64_t s = 0; next_dirty(d, s, &s) && s < sectors(d->live_n); s++) {
		enum fate own = mixed[sim_rng_below(r, 8)];
		sector_power_loss(d, s, whole == TORN ? own : whole, r);
	}
	memset(d->durable + n, 0, d->cap - n);
	memcpy(d->live, d->durable, d->cap);
	d->durable_n = d->live_n = n;
	all_clean(d);
}

bool
sim_data_durable(const struct sim_data *d)
{
	return d->live_n == d->durable_n && d->low >= d->durable_n &&
	       (!d->cap || memcmp(d->live, d->durable, d->cap) == 0);
}
