/* The simulation's operations: each begins by asking the plan of faults, works on the disk, and ends by telling the
 * trace. Messages read as the kernel's do. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/sim_impl.h"

enum holds { HOLDS_NONE, HOLDS_SHARED, HOLDS_EXCLUSIVE };

struct sim_file {
	struct tf_file base;
	struct sim_node *node; /* only while boot is the simulation's */
	uint64_t boot;
	bool write;
	enum holds holds;
	char path[];
};

static struct sim *
sim(struct tf_os *os)
{
	return (struct sim *)os;
}

static struct sim *
sim_of(struct tf_file *file)
{
	return (struct sim *)file->os;
}

static struct sim_file *
handle(struct tf_file *file)
{
	return (struct sim_file *)file;
}

static tf_time
now(const struct sim *s)
{
	return s->start + s->ticks;
}

/* Counts the operation and lets its time pass; the error it is planned to fail with. */
static enum tf_err
begin(struct sim *s, enum tf_sim_op op)
{
	s->ops[__builtin_ctz(op)]++;
	s->ticks += op & (TF_SIM_SYNC | TF_SIM_SYNC_DIR) ? 2000 : op & (TF_SIM_READ | TF_SIM_WRITE) ? 50 : 10;
	if (s->down_in && --s->down_in == 0)
		s->down = true;
	if (s->down)
		return TF_IO;
	if (s->fail_in && (op & s->fail_mask) && --s->fail_in == 0) {
		s->failed = true;
		return s->fail_err;
	}
	return TF_OK;
}

static enum tf_err
finish(struct sim *s, struct tf_sim_event event, enum tf_err e, const char *verb, struct tf_fault *f)
{
	event.at = now(s);
	event.result = e;
	if (s->trace)
		s->trace(s->trace_ctx, &event);
	if (e == TF_OK)
		return TF_OK;
	if (event.to)
		return tf_fault(f, e, "cannot %s '%.200s' to '%.200s': %s", verb, event.path, event.to, tf_err_text(e));
	return tf_fault(f, e, "cannot %s '%.400s': %s", verb, event.path, tf_err_text(e));
}

/* begin for an operation of an open file. */
static enum tf_err
begin_file(struct sim_file *h, enum tf_sim_op op)
{
	struct sim *s = sim_of(&h->base);
	enum tf_err e = begin(s, op);
	return h->boot != s->boot ? TF_IO : e;
}

/* May the failing operation leave traces: the machine is up and the handle alive. */
static bool
half_done(const struct sim_file *h)
{
	const struct sim *s = (const struct sim *)h->base.os;
	return !s->down && h->boot == s->boot;
}

/* The largest size a file of this size may grow to. */
static uint64_t
size_limit(const struct sim_disk *disk, uint64_t size)
{
	if (!disk->capacity)
		return UINT64_MAX;
	uint64_t used = sim_disk_used(disk), sectors = (size + SIM_SECTOR - 1) / SIM_SECTOR;
	uint64_t free_sectors = used < disk->capacity ? (disk->capacity - used) / SIM_SECTOR : 0;
	return (sectors + free_sectors) * SIM_SECTOR;
}

static enum tf_err
truncate_node(struct sim *s, struct sim_node *node, uint64_t size)
{
	if (size > INT64_MAX)
		return TF_TOO_LARGE;
	if (size > node->data.live_n && size > size_limit(&s->disk, node->data.live_n))
		return TF_NO_SPACE;
	TF_TRY(sim_data_reserve(&node->data, size));
	sim_data_truncate(&node->data, size);
	node->modified = now(s);
	return TF_OK;
}

static enum tf_err
open_node(struct sim *s, const char *path, unsigned flags, struct sim_node **out)
{
	struct sim_place at;
	TF_TRY(sim_find(&s->disk, path, &at));
	if (!at.node) {
		if (!(flags & TF_OPEN_CREATE))
			return TF_NOT_FOUND;
		if (s->disk.capacity && sim_disk_used(&s->disk) >= s->disk.capacity)
			return TF_NO_SPACE;
		return sim_create(&s->disk, &at, false, now(s), out);
	}
	if ((flags & TF_OPEN_CREATE) && (flags & TF_OPEN_EXCLUSIVE))
		return TF_EXISTS;
	if (at.node->is_dir)
		return TF_INVALID;
	if (flags & TF_OPEN_TRUNCATE)
		TF_TRY(truncate_node(s, at.node, 0));
	*out = at.node;
	return TF_OK;
}

static enum tf_err
sim_open(struct tf_os *os, const char *path, unsigned flags, struct tf_file **out, struct tf_fault *f)
{
	struct sim *s = sim(os);
	size_t len = strlen(path);
	struct sim_file *h = tf_malloc(sizeof(*h) + len + 1);
	enum tf_err e = begin(s, TF_SIM_OPEN);
	if (e == TF_OK && !h)
		e = TF_NO_MEMORY;
	struct sim_node *node = NULL;
	if (e == TF_OK)
		e = open_node(s, path, flags, &node);
	if (e == TF_OK) {
		*h = (struct sim_file){.base.os = os, .node = node, .boot = s->boot};
		h->write = flags & (TF_OPEN_WRITE | TF_OPEN_CREATE | TF_OPEN_TRUNCATE);
		memcpy(h->path, path, len + 1);
		node->handles++;
		*out = &h->base;
	} else {
		tf_free(h);
	}
	return finish(s, (struct tf_sim_event){TF_SIM_OPEN, path}, e, "open", f);
}

static void
let_go(struct sim_file *h)
{
	if (h->holds == HOLDS_SHARED)
		h->node->shared--;
	if (h->holds == HOLDS_EXCLUSIVE)
		h->node->exclusive = false;
	h->holds = HOLDS_NONE;
}

static void
sim_close(struct tf_file *file)
{
	struct sim *s = sim_of(file);
	struct sim_file *h = handle(file);
	if (h->boot == s->boot) {
		let_go(h);
		if (--h->node->handles == 0 && !h->node->links)
			sim_disk_sweep(&s->disk);
	}
	tf_free(h);
}

static enum tf_err
sim_read(struct tf_file *file, void *p, size_t n, uint64_t offset, size_t *out_n, struct tf_fault *f)
{
	struct sim_file *h = handle(file);
	enum tf_err e = begin_file(h, TF_SIM_READ);
	if (e == TF_OK) {
		const struct sim_data *d = &h->node->data;
		uint64_t left = offset < d->live_n ? d->live_n - offset : 0;
		size_t got = n < left ? n : (size_t)left;
		if (got)
			memcpy(p, d->live + offset, got);
		*out_n = got;
	}
	return finish(sim_of(file), (struct tf_sim_event){TF_SIM_READ, h->path, NULL, offset, n}, e, "read", f);
}

static enum tf_err
write_node(struct sim *s, struct sim_node *node, const void *p, size_t n, uint64_t offset)
{
	uint64_t end, limit = UINT64_MAX;
	if (!n)
		return TF_OK;
	if (__builtin_add_overflow(offset, n, &end) || end > INT64_MAX)
		return TF_TOO_LARGE;
	if (end > node->data.live_n)
		limit = size_limit(&s->disk, node->data.live_n);
	uint64_t fits = end <= limit ? n : offset < limit ? limit - offset : 0;
	if (fits) {
		TF_TRY(sim_data_reserve(&node->data, offset + fits));
		sim_data_write(&node->data, p, fits, offset);
		node->modified = now(s);
	}
	return fits < n ? TF_NO_SPACE : TF_OK;
}

static enum tf_err
sim_write(struct tf_file *file, const void *p, size_t n, uint64_t offset, struct tf_fault *f)
{
	struct sim *s = sim_of(file);
	struct sim_file *h = handle(file);
	enum tf_err e = begin_file(h, TF_SIM_WRITE);
	if (e == TF_OK && !h->write)
		e = TF_DENIED;
	else if (e == TF_OK)
		e = write_node(s, h->node, p, n, offset);
	else if (half_done(h) && h->write && n)
		(void)!write_node(s, h->node, p, (size_t)sim_rng_below(&s->disk.rng, n), offset);
	return finish(s, (struct tf_sim_event){TF_SIM_WRITE, h->path, NULL, offset, n}, e, "write", f);
}

static enum tf_err
sim_size(struct tf_file *file, uint64_t *out, struct tf_fault *f)
{
	struct sim_file *h = handle(file);
	enum tf_err e = begin_file(h, TF_SIM_STAT);
	if (e == TF_OK)
		*out = h->node->data.live_n;
	return finish(sim_of(file), (struct tf_sim_event){TF_SIM_STAT, h->path}, e, "stat", f);
}

static enum tf_err
sim_truncate(struct tf_file *file, uint64_t size, struct tf_fault *f)
{
	struct sim *s = sim_of(file);
	struct sim_file *h = handle(file);
	enum tf_err e = begin_file(h, TF_SIM_TRUNCATE);
	if (e == TF_OK)
		e = h->write ? truncate_node(s, h->node, size) : TF_INVALID;
	return finish(s, (struct tf_sim_event){TF_SIM_TRUNCATE, h->path, NULL, 0, size}, e, "truncate", f);
}

static enum tf_err
sim_sync(struct tf_file *file, struct tf_fault *f)
{
	struct sim *s = sim_of(file);
	struct sim_file *h = handle(file);
	enum tf_err e = begin_file(h, TF_SIM_SYNC);
	if (e == TF_OK)
		sim_data_sync(&h->node->data);
	else if (half_done(h))
		sim_data_sync_failed(&h->node->data, &s->disk.rng);
	return finish(s, (struct tf_sim_event){TF_SIM_SYNC, h->path}, e, "sync", f);
}

/* As flock(2): a refused change of kind leaves no lock. */
static enum tf_err
lock_node(struct sim_file *h, bool exclusive)
{
	let_go(h);
	if (h->node->exclusive || (exclusive && h->node->shared))
		return TF_BUSY;
	h->holds = exclusive ? HOLDS_EXCLUSIVE : HOLDS_SHARED;
	h->node->exclusive = exclusive;
	h->node->shared += !exclusive;
	return TF_OK;
}

static enum tf_err
sim_lock(struct tf_file *file, bool exclusive, struct tf_fault *f)
{
	struct sim_file *h = handle(file);
	enum tf_err e = begin_file(h, TF_SIM_LOCK);
	if (e == TF_OK)
		e = lock_node(h, exclusive);
	return finish(sim_of(file), (struct tf_sim_event){TF_SIM_LOCK, h->path}, e, "lock", f);
}

static void
sim_unlock(struct tf_file *file)
{
	if (handle(file)->boot == sim_of(file)->boot)
		let_go(handle(file));
}

static void
sim_prefetch(struct tf_file *file, uint64_t offset, uint64_t n)
{
}

/* begin and sim_find for an operation on a path. */
static enum tf_err
begin_path(struct sim *s, enum tf_sim_op op, const char *path, struct sim_place *out)
{
	TF_TRY(begin(s, op));
	return sim_find(&s->disk, path, out);
}

static enum tf_err
sim_stat(struct tf_os *os, const char *path, struct tf_stat *out, struct tf_fault *f)
{
	struct sim_place at;
	enum tf_err e = begin_path(sim(os), TF_SIM_STAT, path, &at);
	if (e == TF_OK && !at.node)
		e = TF_NOT_FOUND;
	if (e == TF_OK) {
		*out = (struct tf_stat){.modified = at.node->modified, .is_dir = at.node->is_dir};
		if (!at.node->is_dir) {
			out->size = at.node->data.live_n;
			out->disk = (out->size + SIM_SECTOR - 1) / SIM_SECTOR * SIM_SECTOR;
		}
	}
	return finish(sim(os), (struct tf_sim_event){TF_SIM_STAT, path}, e, "stat", f);
}

static bool
is_inside(const struct sim_node *dir, const struct sim_node *in)
{
	if (dir == in)
		return true;
	for (size_t i = 0; i < in->dir.count; i++) {
		const struct sim_node *child = in->dir.names[i]->live;
		if (child && child->is_dir && is_inside(dir, child))
			return true;
	}
	return false;
}

/* rename(2)'s rules. */
static enum tf_err
move(struct sim *s, const struct sim_place *from, const struct sim_place *to)
{
	if (!from->node)
		return TF_NOT_FOUND;
	if (!from->dir || !to->dir)
		return TF_BUSY;
	if (from->node == to->node)
		return TF_OK;
	if (from->node->is_dir && is_inside(to->dir, from->node))
		return TF_INVALID;
	if (to->node && to->node->is_dir && is_inside(from->dir, to->node))
		return TF_CONFLICT;
	if (to->node && to->node->is_dir && !from->node->is_dir)
		return TF_INVALID;
	if (to->node && !to->node->is_dir && from->node->is_dir)
		return TF_NOT_FOUND;
	if (to->node && to->node->is_dir && !sim_dir_empty(to->node))
		return TF_CONFLICT;
	return sim_move(&s->disk, from, to);
}

static enum tf_err
sim_rename(struct tf_os *os, const char *from, const char *to, struct tf_fault *f)
{
	struct sim *s = sim(os);
	struct sim_place a, b;
	enum tf_err e = begin_path(s, TF_SIM_RENAME, from, &a);
	if (e == TF_OK)
		e = sim_find(&s->disk, to, &b);
	if (e == TF_OK)
		e = move(s, &a, &b);
	return finish(s, (struct tf_sim_event){TF_SIM_RENAME, from, to}, e, "rename", f);
}

static enum tf_err
sim_unlink(struct tf_os *os, const char *path, struct tf_fault *f)
{
	struct sim *s = sim(os);
	struct sim_place at;
	enum tf_err e = begin_path(s, TF_SIM_UNLINK, path, &at);
	if (e == TF_OK)
		e = !at.node ? TF_NOT_FOUND : at.node->is_dir ? TF_INVALID : sim_remove(&s->disk, &at);
	return finish(s, (struct tf_sim_event){TF_SIM_UNLINK, path}, e, "remove", f);
}

static enum tf_err
sim_mkdir(struct tf_os *os, const char *path, struct tf_fault *f)
{
	struct sim *s = sim(os);
	struct sim_place at;
	struct sim_node *made;
	enum tf_err e = begin_path(s, TF_SIM_MKDIR, path, &at);
	if (e == TF_OK && at.node)
		e = at.node->is_dir ? TF_OK : TF_EXISTS;
	else if (e == TF_OK)
		e = sim_create(&s->disk, &at, true, now(s), &made);
	return finish(s, (struct tf_sim_event){TF_SIM_MKDIR, path}, e, "make directory", f);
}

static enum tf_err
remove_dir(struct sim *s, const struct sim_place *at)
{
	if (!at->node || !at->node->is_dir)
		return TF_NOT_FOUND;
	if (!at->dir)
		return TF_BUSY;
	return sim_dir_empty(at->node) ? sim_remove(&s->disk, at) : TF_CONFLICT;
}

static enum tf_err
sim_rmdir(struct tf_os *os, const char *path, struct tf_fault *f)
{
	struct sim_place at;
	enum tf_err e = begin_path(sim(os), TF_SIM_RMDIR, path, &at);
	if (e == TF_OK)
		e = remove_dir(sim(os), &at);
	return finish(sim(os), (struct tf_sim_event){TF_SIM_RMDIR, path}, e, "remove directory", f);
}

static enum tf_err
sim_sync_dir(struct tf_os *os, const char *path, struct tf_fault *f)
{
	struct sim *s = sim(os);
	struct sim_place at = {0};
	enum tf_err e = begin(s, TF_SIM_SYNC_DIR), planned = e;
	if (!s->down)
		e = sim_find(&s->disk, path, &at);
	if (e == TF_OK && (!at.node || !at.node->is_dir))
		e = TF_NOT_FOUND;
	if (e == TF_OK && !s->down) {
		size_t count = at.node->dir.change_count;
		if (planned != TF_OK && count)
			count = (size_t)sim_rng_below(&s->disk.rng, count);
		sim_dir_sync(&s->disk, at.node, count);
		e = planned;
	}
	return finish(s, (struct tf_sim_event){TF_SIM_SYNC_DIR, path}, e, "sync directory", f);
}

/* The entries as is_dir byte, name, NUL: each may change the directory while it is listed. */
static enum tf_err
snapshot(const struct sim_node *node, struct tf_buf *out)
{
	for (size_t i = 0; i < node->dir.count; i++) {
		const struct sim_name *name = node->dir.names[i];
		if (!name->live)
			continue;
		tf_buf_u8(out, name->live->is_dir);
		tf_buf_put(out, name->text, strlen(name->text) + 1);
	}
	return out->err;
}

static enum tf_err
sim_list(struct tf_os *os, const char *path, tf_os_entry *each, void *ctx, struct tf_fault *f)
{
	struct sim_place at;
	struct tf_buf entries;
	tf_buf_init(&entries, 0);
	enum tf_err e = begin_path(sim(os), TF_SIM_LIST, path, &at);
	if (e == TF_OK && (!at.node || !at.node->is_dir))
		e = TF_NOT_FOUND;
	if (e == TF_OK)
		e = snapshot(at.node, &entries);
	e = finish(sim(os), (struct tf_sim_event){TF_SIM_LIST, path}, e, "list", f);
	const char *p = (const char *)entries.p;
	for (size_t i = 0; e == TF_OK && i < entries.n; i += strlen(p + i + 1) + 2)
		e = each(ctx, p + i + 1, p[i]);
	tf_buf_release(&entries);
	return e;
}

static tf_time
sim_now(struct tf_os *os)
{
	sim(os)->ticks++;
	return now(sim(os));
}

static tf_dur
sim_ticks(struct tf_os *os)
{
	return ++sim(os)->ticks;
}

static void
sim_random(struct tf_os *os, void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)sim_rng_next(&sim(os)->random);
}

static enum tf_err
sim_start(struct tf_os *os, void (*fn)(void *), void *arg, struct tf_worker **out, struct tf_fault *f)
{
	struct tf_worker *w = tf_malloc(sizeof(*w));
	enum tf_err e = begin(sim(os), TF_SIM_START);
	if (e == TF_OK && !w)
		e = TF_NO_MEMORY;
	e = finish(sim(os), (struct tf_sim_event){TF_SIM_START, "worker"}, e, "start", f);
	if (e != TF_OK) {
		tf_free(w);
		return e;
	}
	w->os = os;
	fn(arg);
	*out = w;
	return TF_OK;
}

static void
sim_join(struct tf_worker *w)
{
	tf_free(w);
}

const struct tf_os_ops sim_ops = {
	.open = sim_open,
	.close = sim_close,
	.read = sim_read,
	.write = sim_write,
	.size = sim_size,
	.truncate = sim_truncate,
	.sync = sim_sync,
	.lock = sim_lock,
	.unlock = sim_unlock,
	.prefetch = sim_prefetch,
	.stat = sim_stat,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.mkdir = sim_mkdir,
	.rmdir = sim_rmdir,
	.sync_dir = sim_sync_dir,
	.list = sim_list,
	.now = sim_now,
	.ticks = sim_ticks,
	.random = sim_random,
	.start = sim_start,
	.join = sim_join,
};
