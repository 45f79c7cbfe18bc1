/* The table of breakers; see breaker.h. */
#include "serve/breaker.h"

#include "base/mem.h"

struct entry {
	char name[TF_BREAKER_NAME_MAX];
	uint16_t name_n; /* 0: not in use */
	uint8_t state;
	uint32_t failures; /* in a row */
	tf_dur open_for, until;
	uint64_t asked; /* by the count of asks: who was not asked for longest */
	uint64_t pass;  /* changes with the state, never used twice */
};

struct tf_breaker {
	struct tf_breaker_options o;
	uint64_t asks, passes;
	struct entry entries[];
};

enum tf_err
tf_breaker_new(const struct tf_breaker_options *given, struct tf_breaker **out, struct tf_fault *f)
{
	struct tf_breaker_options o = *given;
	o.failures = o.failures ? o.failures : 5;
	o.names = o.names ? o.names : 256;
	o.open_first = o.open_first ? o.open_first : TF_SEC;
	o.open_max = o.open_max ? o.open_max : 30 * TF_SEC;
	struct tf_breaker *b = tf_calloc(1, sizeof *b + o.names * sizeof *b->entries);
	if (!b)
		return tf_fault(f, TF_NO_MEMORY, "no memory for circuit breakers");
	b->o = o;
	*out = b;
	return TF_OK;
}

void
tf_breaker_free(struct tf_breaker **b)
{
	tf_free(*b);
	*b = NULL;
}

static void
enter(struct tf_breaker *b, struct entry *e, enum tf_breaker_state state)
{
	e->state = (uint8_t)state;
	e->pass = ++b->passes;
}

static const struct entry *
find(const struct tf_breaker *b, struct tf_str name)
{
	for (uint32_t i = 0; i < b->o.names; i++)
		if (b->entries[i].name_n && tf_str_eq(tf_str_n(b->entries[i].name, b->entries[i].name_n), name))
			return &b->entries[i];
	return NULL;
}

/* A row for a new name: one that is free, else the one unasked for longest, a closed one where there is any. */
static struct entry *
take_row(struct tf_breaker *b, struct tf_str name)
{
	struct entry *best = &b->entries[0];
	for (uint32_t i = 0; i < b->o.names && best->name_n; i++) {
		struct entry *e = &b->entries[i];
		bool closed = e->state == TF_BREAKER_CLOSED, best_closed = best->state == TF_BREAKER_CLOSED;
		if (!e->name_n || (closed && !best_closed) || (closed == best_closed && e->asked < best->asked))
			best = e;
	}
	*best = (struct entry){.name_n = (uint16_t)name.n};
	memcpy(best->name, name.p, name.n);
	enter(b, best, TF_BREAKER_CLOSED);
	return best;
}

enum tf_err
tf_breaker_ask(struct tf_breaker *b, struct tf_str name, tf_dur now, uint64_t *out_pass, tf_dur *out_until)
{
	if (!name.n || name.n > TF_BREAKER_NAME_MAX)
		return TF_TOO_LARGE;
	struct entry *e = (struct entry *)find(b, name);
	if (!e)
		e = take_row(b, name);
	e->asked = ++b->asks;
	if (e->state == TF_BREAKER_HALF_OPEN || (e->state == TF_BREAKER_OPEN && now < e->until)) {
		*out_until = e->state == TF_BREAKER_OPEN ? e->until : now;
		return TF_BUSY;
	}
	if (e->state == TF_BREAKER_OPEN)
		enter(b, e, TF_BREAKER_HALF_OPEN);
	*out_pass = e->pass;
	return TF_OK;
}

/* NULL: the state that let the try in is over. */
static struct entry *
let_in_by(struct tf_breaker *b, struct tf_str name, uint64_t pass)
{
	struct entry *e = (struct entry *)find(b, name);
	return e && e->pass == pass ? e : NULL;
}

void
tf_breaker_good(struct tf_breaker *b, struct tf_str name, uint64_t pass)
{
	struct entry *e = let_in_by(b, name, pass);
	if (!e)
		return;
	e->failures = 0;
	e->open_for = 0;
	if (e->state == TF_BREAKER_HALF_OPEN)
		enter(b, e, TF_BREAKER_CLOSED);
}

void
tf_breaker_bad(struct tf_breaker *b, struct tf_str name, uint64_t pass, tf_dur now)
{
	struct entry *e = let_in_by(b, name, pass);
	if (!e)
		return;
	e->failures += e->failures < UINT32_MAX;
	if (b->o.failures == TF_BREAKER_NEVER || (e->state == TF_BREAKER_CLOSED && e->failures < b->o.failures))
		return;
	e->open_for = e->open_for ? 2 * e->open_for : b->o.open_first;
	e->open_for = e->open_for < b->o.open_max ? e->open_for : b->o.open_max;
	e->until = now + e->open_for;
	enter(b, e, TF_BREAKER_OPEN);
}

void
tf_breaker_drop(struct tf_breaker *b, struct tf_str name, uint64_t pass)
{
	struct entry *e = let_in_by(b, name, pass);
	if (e && e->state == TF_BREAKER_HALF_OPEN)
		enter(b, e, TF_BREAKER_OPEN); /* its time is over: the next one who asks is let in */
}

enum tf_breaker_state
tf_breaker_state(const struct tf_breaker *b, struct tf_str name, uint32_t *out_failures)
{
	const struct entry *e = find(b, name);
	if (out_failures)
		*out_failures = e ? e->failures : 0;
	return e ? (enum tf_breaker_state)e->state : TF_BREAKER_CLOSED;
}
