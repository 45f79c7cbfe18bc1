/* Where the log's tests keep it, and its files as bytes; see log_world_test.h. */
#include "log_world_test.h"

#include "os/dir_testing.h"

struct tf_fault fault;

int
sim_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	w->os = tf_sim_new(&(struct tf_sim_options){.seed = 7});
	w->stride = 1;
	snprintf(w->dir, sizeof(w->dir), "data/log");
	*state = w;
	return 0;
}

int
sim_teardown(void **state)
{
	struct world *w = *state;
	tf_sim_free(&w->os);
	free(w);
	return 0;
}

int
real_setup(void **state)
{
	char root[150];
	if (!dir_make(root, sizeof(root), "log"))
		return -1;
	struct world *w = calloc(1, sizeof(*w));
	w->os = tf_os_real();
	w->stride = 29;
	snprintf(w->dir, sizeof(w->dir), "%s/log", root);
	*state = w;
	return 0;
}

int
real_teardown(void **state)
{
	struct world *w = *state;
	*strrchr(w->dir, '/') = 0;
	int rc = dir_remove(w->dir);
	free(w);
	return rc;
}

struct tf_log *
open_log(struct world *w, const struct tf_log_options *o)
{
	struct tf_log *log = NULL;
	MUST(tf_log_open(w->os, w->dir, o, &log, &fault));
	return log;
}

void
sync_log(struct tf_log *log)
{
	MUST(tf_log_sync(log, &fault));
}

struct image
image_of(struct world *w, const char *name)
{
	struct image i = {0};
	snprintf(i.path, sizeof(i.path), "%s/%s", w->dir, name);
	MUST(tf_os_read_file(w->os, i.path, 16 << 20, &i.p, &i.n, &fault));
	return i;
}

void
image_put(struct world *w, const struct image *i, size_t n)
{
	struct tf_file *file;
	MUST(tf_os_open(w->os, i->path, TF_OPEN_CREATE | TF_OPEN_TRUNCATE, &file, &fault));
	MUST(tf_file_write(file, i->p, n, 0, &fault));
	MUST(tf_file_sync(file, &fault));
	tf_file_close(&file);
}

void
image_free(struct image *i)
{
	tf_free(i->p);
}

static enum tf_err
name_entry(void *ctx, const char *name, bool is_dir)
{
	struct naming *n = ctx;
	if (n->wanted-- == 0)
		snprintf(n->name, sizeof(n->name), "0/%.30s", name);
	return TF_OK;
}

struct naming
segment_name(struct world *w, int i)
{
	struct naming n = {.wanted = i};
	char path[300];
	snprintf(path, sizeof(path), "%s/0", w->dir);
	MUST(tf_os_list(w->os, path, name_entry, &n, &fault));
	assert_true(n.wanted < 0);
	return n;
}
