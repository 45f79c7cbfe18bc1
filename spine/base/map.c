/* Hash map; see map.h. */
#include "base/map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"

static uint64_t
hash_of(struct tf_str key)
{
	uint64_t h = XXH3_64bits(key.p ? key.p : "", key.n);
	return h ? h : 1;
}

enum tf_err
tf_map_init(struct tf_map *m, enum tf_map_flags flags)
{
	*m = (struct tf_map){.flags = flags};
	tf_buf_init(&m->keys, 0);
	return TF_OK;
}

void
tf_map_release(struct tf_map *m)
{
	tf_free(m->entries);
	tf_buf_release(&m->keys);
	*m = (struct tf_map){.flags = m->flags};
}

void
tf_map_clear(struct tf_map *m)
{
	if (m->size)
		memset(m->entries, 0, m->size * sizeof *m->entries);
	m->count = 0;
	tf_buf_reset(&m->keys);
}

static bool
same_key(const struct tf_map *m, const struct tf_map_entry *e, struct tf_str key)
{
	if (e->key_n != key.n)
		return false;
	const char *p = m->flags == TF_MAP_OWN_KEYS ? (const char *)m->keys.p + e->key.at : e->key.borrowed;
	return !key.n || memcmp(p, key.p, key.n) == 0;
}

/* The key's entry, or the empty place where it belongs. There is always one. */
static struct tf_map_entry *
find(const struct tf_map *m, struct tf_str key, uint64_t hash)
{
	size_t mask = m->size - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct tf_map_entry *e = &m->entries[i];
		if (!e->hash || (e->hash == hash && same_key(m, e, key)))
			return e;
	}
}

static enum tf_err
grow(struct tf_map *m)
{
	size_t size = m->size ? m->size * 2 : 16, mask = size - 1;
	struct tf_map_entry *to = tf_calloc(size, sizeof *to);
	if (!to)
		return TF_NO_MEMORY;
	for (size_t k = 0; k < m->size; k++) {
		if (!m->entries[k].hash)
			continue;
		size_t i = m->entries[k].hash & mask;
		while (to[i].hash)
			i = (i + 1) & mask;
		to[i] = m->entries[k];
	}
	tf_free(m->entries);
	m->entries = to;
	m->size = size;
	return TF_OK;
}

bool
tf_map_get(const struct tf_map *m, struct tf_str key, uint64_t *out_value)
{
	if (!m->count)
		return false;
	const struct tf_map_entry *e = find(m, key, hash_of(key));
	if (!e->hash)
		return false;
	*out_value = e->value;
	return true;
}

enum tf_err
tf_map_put(struct tf_map *m, struct tf_str key, uint64_t value)
{
	if (key.n > UINT32_MAX)
		return TF_TOO_LARGE;
	uint64_t hash = hash_of(key);
	struct tf_map_entry *e = m->size ? find(m, key, hash) : NULL;
	if (e && e->hash) {
		e->value = value;
		return TF_OK;
	}
	if ((m->count + 1) * 8 > m->size * 7) {
		TF_TRY(grow(m));
		e = find(m, key, hash);
	}
	struct tf_map_entry n = {.hash = hash, .value = value, .key_n = (uint32_t)key.n};
	if (m->flags == TF_MAP_OWN_KEYS) {
		n.key.at = m->keys.n;
		tf_buf_str(&m->keys, key);
		if (m->keys.err) {
			m->keys.err = TF_OK;
			return TF_NO_MEMORY;
		}
	} else {
		n.key.borrowed = key.p;
	}
	*e = n;
	m->count++;
	return TF_OK;
}
