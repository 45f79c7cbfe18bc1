/* For tests: a directory of their own, and away with all that is in one. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"

/* A new one on the kernel's disk, below $TMPDIR; its path into path. */
static inline bool
dir_make(char *path, size_t size, const char *name)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(path, size, "%s/tenfold-%s-XXXXXX", tmp ? tmp : P_tmpdir, name);
	return mkdtemp(path) != NULL;
}

struct dir_clearing {
	struct tf_os *os;
	const char *path;
};

static inline enum tf_err
dir_clear_entry(void *ctx, const char *name, bool is_dir)
{
	struct dir_clearing *c = ctx;
	char path[1024];
	snprintf(path, sizeof(path), "%s/%s", c->path, name);
	if (!is_dir)
		return tf_os_unlink(c->os, path, NULL);
	struct dir_clearing below = {c->os, path};
	TF_TRY(tf_os_list(c->os, path, dir_clear_entry, &below, NULL));
	return tf_os_rmdir(c->os, path, NULL);
}

/* Removes all that is in it. */
static inline enum tf_err
dir_clear(struct tf_os *os, const char *path)
{
	struct dir_clearing c = {os, path};
	return tf_os_list(os, path, dir_clear_entry, &c, NULL);
}

/* And itself: what cmocka's teardown answers. */
static inline int
dir_remove(const char *path)
{
	struct tf_os *os = tf_os_real();
	return dir_clear(os, path) == TF_OK && tf_os_rmdir(os, path, NULL) == TF_OK ? 0 : -1;
}
