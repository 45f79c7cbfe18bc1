/* Names and directories of the simulated disk. */
#include <string.h>

#include "base/mem.h"
#include "os/sim_impl.h"

static struct sim_node *
node_new(struct sim_disk *disk, bool is_dir, tf_time now)
{
	struct sim_node *node = tf_calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->is_dir = is_dir;
	node->modified = now;
	node->next = disk->nodes;
	disk->nodes = node;
	return node;
}

enum tf_err
sim_disk_init(struct sim_disk *disk)
{
	disk->root = node_new(disk, true, 0);
	return disk->root ? TF_OK : TF_NO_MEMORY;
}

void
sim_disk_release(struct sim_disk *disk)
{
	sim_disk_forget_handles(disk);
	disk->root = NULL;
	sim_disk_sweep(disk);
}

/* Where text is among the names, or would be. */
static size_t
position(const struct sim_dir *dir, struct tf_str text)
{
	size_t from = 0, to = dir->count;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (tf_str_cmp(tf_str(dir->names[mid]->text), text) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

struct sim_name *
sim_lookup(const struct sim_node *node, struct tf_str text)
{
	const struct sim_dir *dir = &node->dir;
	size_t i = position(dir, text);
	return i < dir->count && tf_str_eq(tf_str(dir->names[i]->text), text) ? dir->names[i] : NULL;
}

enum tf_err
sim_find(struct sim_disk *disk, const char *path, struct sim_place *out)
{
	struct sim_place at = {.node = disk->root};
	struct tf_str rest = tf_str(path), part;
	if (!rest.n)
		return TF_NOT_FOUND;
	for (int depth = 0; tf_str_cut(&rest, '/', &part);) {
		if (!part.n || tf_str_eq(part, TF_STR(".")))
			continue;
		if (tf_str_eq(part, TF_STR("..")) || part.n > SIM_NAME_MAX || ++depth > SIM_DEPTH_MAX)
			return TF_INVALID;
		if (!at.node || !at.node->is_dir)
			return TF_NOT_FOUND;
		at.dir = at.node;
		at.last = part;
		struct sim_name *name = sim_lookup(at.dir, part);
		at.node = name ? name->live : NULL;
	}
	*out = at;
	return TF_OK;
}

/* Room for one more of size bytes each. */
static bool
room(void **p, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return true;
	size_t more = *cap ? *cap * 2 : 8;
	void *q = tf_realloc(*p, more * size);
	if (!q)
		return false;
	*p = q;
	*cap = more;
	return true;
}

/* The name text of dir, made when it has none, and room for one change of it. */
static enum tf_err
prepare(struct sim_node *node, struct tf_str text, struct sim_name **out)
{
	struct sim_dir *dir = &node->dir;
	if (!room((void **)&dir->changes, dir->change_count, &dir->change_cap, sizeof(*dir->changes)) ||
	    !room((void **)&dir->names, dir->count, &dir->cap, sizeof(struct sim_name *)))
		return TF_NO_MEMORY;
	size_t i = position(dir, text);
	struct sim_name *name = sim_lookup(node, text);
	if (!name) {
		name = tf_calloc(1, sizeof(*name) + text.n + 1);
		if (!name)
			return TF_NO_MEMORY;
		memcpy(name->text, text.p, text.n);
		memmove(dir->names + i + 1, dir->names + i, (dir->count - i) * sizeof(struct sim_name *));
		dir->names[i] = name;
		dir->count++;
	}
	*out = name;
	return TF_OK;
}

static void
set_live(struct sim_name *name, struct sim_node *node)
{
	if (node)
		node->links++;
	if (name->live)
		name->live->links--;
	name->live = node;
}

/* Notes a change that prepare made room for. Returns its serial. */
static uint64_t
note(struct sim_disk *disk, struct sim_node *dir, struct sim_change change)
{
	TF_ASSERT(dir->dir.change_count < dir->dir.change_cap);
	change.serial = ++disk->serial;
	dir->dir.changes[dir->dir.change_count++] = change;
	return change.serial;
}

enum tf_err
sim_create(struct sim_disk *disk, const struct sim_place *at, bool is_dir, tf_time now, struct sim_node **out)
{
	struct sim_name *name;
	TF_TRY(prepare(at->dir, at->last, &name));
	struct sim_node *node = node_new(disk, is_dir, now);
	if (!node)
		return TF_NO_MEMORY;
	set_live(name, node);
	note(disk, at->dir, (struct sim_change){.name = name, .node = node});
	*out = node;
	return TF_OK;
}

enum tf_err
sim_remove(struct sim_disk *disk, const struct sim_place *at)
{
	struct sim_name *name;
	TF_TRY(prepare(at->dir, at->last, &name));
	set_live(name, NULL);
	note(disk, at->dir, (struct sim_change){.name = name});
	return TF_OK;
}

enum tf_err
sim_move(struct sim_disk *disk, const struct sim_place *from, const struct sim_place *to)
{
	struct sim_name *old, *new;
	struct sim_node *node = from->node;
	TF_TRY(prepare(from->dir, from->last, &old));
	TF_TRY(prepare(to->dir, to->last, &new));
	set_live(new, node);
	set_live(old, NULL);
	if (from->dir == to->dir) {
		note(disk, to->dir, (struct sim_change){.name = new, .node = node, .gone = old});
		return TF_OK;
	}
	note(disk, to->dir, (struct sim_change){.name = new, .node = node});
	note(disk, from->dir, (struct sim_change){.name = old, .elsewhere = to->dir});
	return TF_OK;
}

bool
sim_dir_empty(const struct sim_node *dir)
{
	for (size_t i = 0; i < dir->dir.count; i++)
		if (dir->dir.names[i]->live)
			return false;
	return true;
}

/* Drops names that lead nowhere; nothing unsynced may refer to them. */
static void
drop_empty_names(struct sim_dir *dir)
{
	size_t kept = 0;
	for (size_t i = 0; i < dir->count; i++) {
		struct sim_name *name = dir->names[i];
		if (name->live || name->durable)
			dir->names[kept++] = name;
		else
			tf_free(name);
	}
	dir->count = kept;
}

void
sim_dir_sync(struct sim_disk *disk, struct sim_node *node, size_t count)
{
	struct sim_dir *dir = &node->dir;
	TF_ASSERT(count <= dir->change_count);
	for (size_t i = 0; i < count; i++) {
		const struct sim_change *c = &dir->changes[i];
		c->name->durable = c->node;
		if (c->gone)
			c->gone->durable = NULL;
	}
	dir->change_count -= count;
	if (count && dir->change_count)
		memmove(dir->changes, dir->changes + count, dir->change_count * sizeof(*dir->changes));
	if (!dir->change_count)
		drop_empty_names(dir);
	sim_disk_sweep(disk);
}

uint64_t
sim_disk_used(const struct sim_disk *disk)
{
	uint64_t sum = 0;
	for (const struct sim_node *n = disk->nodes; n; n = n->next)
		if (!n->is_dir && (n->links || n->handles))
			sum += (n->data.live_n + SIM_SECTOR - 1) / SIM_SECTOR * SIM_SECTOR;
	return sum;
}
