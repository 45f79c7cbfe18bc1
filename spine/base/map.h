/* A hash map from byte strings to 64-bit numbers: open addressing, XXH3, growing by doubling.
 *
 * Keys are copied (TF_MAP_OWN_KEYS) or borrowed for the map's life. Made for millions of entries: 32 bytes an entry
 * over a load of 7/16 to 7/8, owned key bytes in one growing store. Entries cannot be removed one by one. The hash has
 * no secret: keys made by an adversary to collide are slow, so bound their number where strangers choose them. Thread
 * rule: one writer, or many readers. */
#pragma once
#include "base/buf.h"

enum tf_map_flags { TF_MAP_BORROW_KEYS = 0, TF_MAP_OWN_KEYS = 1 };

struct tf_map_entry {
	uint64_t hash; /* 0: empty place */
	uint64_t value;
	union {
		const char *borrowed;
		uint64_t at; /* in keys */
	} key;
	uint32_t key_n;
};

struct tf_map {
	struct tf_map_entry *entries;
	size_t count, size; /* size: a power of two, or 0 */
	struct tf_buf keys;
	enum tf_map_flags flags;
};

/* No memory is taken before the first put. */
enum tf_err tf_map_init(struct tf_map *m, enum tf_map_flags flags) TF_MUST_USE;
void tf_map_release(struct tf_map *m);
/* Forgets every entry, keeps the memory. */
void tf_map_clear(struct tf_map *m);
/* False when the key is not there. */
bool tf_map_get(const struct tf_map *m, struct tf_str key, uint64_t *out_value);
/* Adds or replaces; replacing takes no memory. TF_NO_MEMORY leaves the map as it was. */
enum tf_err tf_map_put(struct tf_map *m, struct tf_str key, uint64_t value) TF_MUST_USE;
