/* The keys of now, in memory; see idem_impl.h. */
#include "base/mem.h"
#include "idem_impl.h"

#define SIZE_LEAST 1024u

void
idem_table_release(struct idem_table *t)
{
	tf_free(t->places);
	tf_map_release(&t->partners);
	*t = (struct idem_table){0};
}

/* The place of the key, or the empty one where it belongs. */
static struct idem_entry *
place(const struct idem_table *t, struct idem_key key)
{
	uint64_t i = key.low & (t->size - 1);
	while (t->places[i].used && (t->places[i].key.low != key.low || t->places[i].key.high != key.high))
		i = (i + 1) & (t->size - 1);
	return &t->places[i];
}

static enum tf_err
grow(struct idem_table *t, uint64_t size)
{
	struct idem_table bigger = *t;
	bigger.size = size;
	bigger.places = tf_calloc(size, sizeof *bigger.places);
	if (!bigger.places)
		return TF_NO_MEMORY;
	for (uint64_t i = 0; i < t->size; i++)
		if (t->places[i].used)
			*place(&bigger, t->places[i].key) = t->places[i];
	tf_free(t->places);
	*t = bigger;
	return TF_OK;
}

static bool
holds(uint64_t size, uint64_t keys)
{
	return keys * 4 <= size * 3;
}

enum tf_err
idem_table_begin(struct idem_table *t, uint64_t first, uint64_t keys)
{
	uint64_t size = SIZE_LEAST;
	while (!holds(size, keys))
		size *= 2;
	*t = (struct idem_table){.first = first, .next = first, .lowest = UINT64_MAX, .earliest = TF_TIME_MAX};
	t->latest = -TF_TIME_MAX;
	TF_TRY(tf_map_init(&t->partners, TF_MAP_OWN_KEYS));
	enum tf_err e = grow(t, size);
	if (e)
		idem_table_release(t);
	return e;
}

enum tf_err
idem_table_reserve(struct idem_table *t)
{
	return holds(t->size, t->count + 1) ? TF_OK : grow(t, t->size * 2);
}

const struct idem_entry *
idem_table_find(const struct idem_table *t, struct idem_key key)
{
	if (!t->size)
		return NULL;
	const struct idem_entry *e = place(t, key);
	return e->used ? e : NULL;
}

bool
idem_table_put(struct idem_table *t, const struct idem_entry *e)
{
	TF_ASSERT(t->size && t->count < t->size);
	struct idem_entry *to = place(t, e->key);
	bool new = !to->used;
	*to = *e;
	to->used = 1;
	t->count += new;
	if (e->offset < t->lowest)
		t->lowest = e->offset;
	return new;
}

uint64_t
idem_partner_keys(const struct tf_map *m, uint64_t partner)
{
	uint64_t keys = 0;
	return tf_map_get(m, tf_str_n(&partner, sizeof partner), &keys) ? keys : 0;
}

enum tf_err
idem_partner_add(struct tf_map *m, uint64_t partner, int64_t by)
{
	uint64_t keys = idem_partner_keys(m, partner);
	return tf_map_put(m, tf_str_n(&partner, sizeof partner), keys + (uint64_t)by);
}
