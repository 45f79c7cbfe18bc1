/* What power loss and a killed process leave of the simulated disk, and what nothing leads to any more. */
#include <string.h>

#include "base/mem.h"
#include "os/sim_impl.h"

static void
reach(struct sim_node *node, bool *more)
{
	if (node && !node->reached)
		node->reached = *more = true;
}

static void
reach_from(struct sim_node *node, bool *more)
{
	for (size_t i = 0; i < node->dir.count; i++) {
		reach(node->dir.names[i]->live, more);
		reach(node->dir.names[i]->durable, more);
	}
	for (size_t i = 0; i < node->dir.change_count; i++) {
		reach(node->dir.changes[i].node, more);
		reach(node->dir.changes[i].elsewhere, more);
	}
}

static void
node_free(struct sim_node *node)
{
	if (node->is_dir) {
		for (size_t i = 0; i < node->dir.count; i++)
			tf_free(node->dir.names[i]);
		tf_free(node->dir.names);
		tf_free(node->dir.changes);
	} else {
		sim_data_release(&node->data);
	}
	tf_free(node);
}

static void
count_links(struct sim_disk *disk)
{
	for (struct sim_node *n = disk->nodes; n; n = n->next)
		n->links = 0;
	for (struct sim_node *n = disk->nodes; n; n = n->next)
		for (size_t i = 0; n->is_dir && i < n->dir.count; i++)
			if (n->dir.names[i]->live)
				n->dir.names[i]->live->links++;
}

/* Marks what a name, a handle or an unsynced change leads to. */
static void
reach_all(struct sim_disk *disk)
{
	bool more = false;
	reach(disk->root, &more);
	for (struct sim_node *n = disk->nodes; n; n = n->next)
		if (n->handles)
			reach(n, &more);
	while (more) {
		more = false;
		for (struct sim_node *n = disk->nodes; n; n = n->next)
			if (n->reached && n->is_dir)
				reach_from(n, &more);
	}
}

void
sim_disk_sweep(struct sim_disk *disk)
{
	reach_all(disk);
	for (struct sim_node **at = &disk->nodes; *at;) {
		struct sim_node *n = *at;
		if (n->reached) {
			n->reached = false;
			at = &n->next;
		} else {
			*at = n->next;
			node_free(n);
		}
	}
	count_links(disk);
}

void
sim_disk_forget_handles(struct sim_disk *disk)
{
	for (struct sim_node *n = disk->nodes; n; n = n->next) {
		n->handles = n->shared = 0;
		n->exclusive = false;
	}
}

/* None, all or some of the changes: real disks often have one of the ends. */
static size_t
some_first(struct sim_rng *r, size_t count)
{
	uint64_t fate = sim_rng_below(r, 3);
	return fate == 0 ? 0 : fate == 1 ? count : (size_t)sim_rng_below(r, count + 1);
}

/* Is the other half of a rename, the change just before serial, durable or among those kept? */
static bool
other_half_kept(const struct sim_dir *elsewhere, uint64_t serial)
{
	for (size_t i = elsewhere->keep; i < elsewhere->change_count; i++)
		if (elsewhere->changes[i].serial == serial - 1)
			return false;
	return true;
}

/* A kept removal whose new name is lost would lose the file, which no journalling file system does: it and what comes
 * after it is lost too. */
static bool
keep_less(struct sim_dir *dir)
{
	for (size_t i = 0; i < dir->keep; i++) {
		const struct sim_change *c = &dir->changes[i];
		if (c->elsewhere && !other_half_kept(&c->elsewhere->dir, c->serial)) {
			dir->keep = i;
			return true;
		}
	}
	return false;
}

static void
dir_power_loss(struct sim_dir *dir)
{
	for (size_t i = 0; i < dir->keep; i++) {
		dir->changes[i].name->durable = dir->changes[i].node;
		if (dir->changes[i].gone)
			dir->changes[i].gone->durable = NULL;
	}
	dir->change_count = 0;
	for (size_t i = 0; i < dir->count; i++)
		dir->names[i]->live = dir->names[i]->durable;
}

/* A directory moved between directories may now have two names, or be inside itself: as fsck does, keeps the first way
 * to each. */
static void
one_name_each(struct sim_node *dir)
{
	dir->reached = true;
	for (size_t i = 0; i < dir->dir.count; i++) {
		struct sim_name *name = dir->dir.names[i];
		if (!name->live || !name->live->is_dir)
			continue;
		if (name->live->reached)
			name->live = name->durable = NULL;
		else
			one_name_each(name->live);
	}
}

void
sim_disk_power_loss(struct sim_disk *disk)
{
	sim_disk_forget_handles(disk);
	for (struct sim_node *n = disk->nodes; n; n = n->next)
		if (n->is_dir)
			n->dir.keep = some_first(&disk->rng, n->dir.change_count);
	for (bool again = true; again;) {
		again = false;
		for (struct sim_node *n = disk->nodes; n; n = n->next)
			if (n->is_dir && keep_less(&n->dir))
				again = true;
	}
	for (struct sim_node *n = disk->nodes; n; n = n->next) {
		if (n->is_dir)
			dir_power_loss(&n->dir);
		else
			sim_data_power_loss(&n->data, &disk->rng);
	}
	one_name_each(disk->root);
	for (struct sim_node *n = disk->nodes; n; n = n->next)
		n->reached = false;
	sim_disk_sweep(disk);
}
