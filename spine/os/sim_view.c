/* What a test asks the simulated disk: is this durable, and is it the same as that. */
#include <string.h>

#include "os/sim_impl.h"

static bool
has_change(const struct sim_dir *dir, const struct sim_name *name)
{
	for (size_t i = 0; i < dir->change_count; i++)
		if (dir->changes[i].name == name || dir->changes[i].gone == name)
			return true;
	return false;
}

static bool
node_durable(const struct sim_node *node)
{
	if (!node->is_dir)
		return sim_data_durable(&node->data);
	if (node->dir.change_count)
		return false;
	for (size_t i = 0; i < node->dir.count; i++) {
		const struct sim_node *child = node->dir.names[i]->live;
		if (child && !node_durable(child))
			return false;
	}
	return true;
}

bool
sim_disk_durable(struct sim_disk *disk, const char *path)
{
	struct sim_node *node = disk->root;
	struct tf_str rest = tf_str(path), part;
	while (tf_str_cut(&rest, '/', &part)) {
		if (!part.n || tf_str_eq(part, TF_STR(".")))
			continue;
		struct sim_name *name = node->is_dir ? sim_lookup(node, part) : NULL;
		if (!name || !name->live || has_change(&node->dir, name))
			return false;
		node = name->live;
	}
	return node_durable(node);
}

/* FNV-1a, 64 bits (draft-eastlake-fnv). */
static uint64_t
hash(uint64_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3u;
	return h;
}

static uint64_t
node_digest(uint64_t h, const struct sim_node *node)
{
	if (!node->is_dir) {
		h = hash(h, &node->data.live_n, sizeof(node->data.live_n));
		return hash(h, node->data.live, node->data.live_n);
	}
	for (size_t i = 0; i < node->dir.count; i++) {
		const struct sim_name *name = node->dir.names[i];
		if (!name->live)
			continue;
		h = hash(h, name->text, strlen(name->text) + 1);
		h = node_digest(h, name->live);
	}
	return hash(h, "/", 1);
}

uint64_t
sim_disk_digest(const struct sim_disk *disk)
{
	return node_digest(0xcbf29ce484222325u, disk->root);
}
