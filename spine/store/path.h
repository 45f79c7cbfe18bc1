/* The directory part of a path; used by what publishes files and must sync their directory. */
#pragma once
#include "base/str.h"

/* "a/b/c" gives "a/b", "/c" gives "/", "c" gives ".". False when it does not fit into max bytes with its NUL. */
static inline bool
tf_path_dir(const char *path, char *out, size_t max)
{
	const char *slash = strrchr(path, '/');
	const char *from = slash ? path : ".";
	size_t n = !slash || slash == path ? 1 : (size_t)(slash - path);
	if (n + 1 > max)
		return false;
	memcpy(out, from, n);
	out[n] = 0;
	return true;
}
