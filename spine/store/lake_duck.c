/* Finding and loading libduckdb.so. It is 65 MB and takes milliseconds to load, so only programs that open a lake do.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "store/lake_impl.h"

#define LIBRARY   "libduckdb.so"
#define PATH_MAX_ 4096

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lake_duck duck;
static bool loaded;

/* dir/of/the/executable + suffix. */
static bool
beside_executable(const char *suffix, char out[static PATH_MAX_])
{
	char exe[PATH_MAX_];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n <= 0)
		return false;
	while (n > 0 && exe[n - 1] != '/')
		n--;
	int len = snprintf(out, PATH_MAX_, "%.*s%s", (int)n, exe, suffix);
	return len > 0 && len < PATH_MAX_;
}

static enum tf_err
look_up(void *handle, const char *path, struct tf_fault *f)
{
	struct lake_duck d;
#define X(name)                                                                                                        \
	{                                                                                                              \
		void *p = dlsym(handle, #name);                                                                        \
		if (!p)                                                                                                \
			return tf_fault(f, TF_UNSUPPORTED, "cannot use '%s': it has no " #name, path);                 \
		memcpy(&d.name, &p, sizeof p);                                                                         \
	}
	LAKE_FUNCTIONS(X)
#undef X
	duck = d;
	loaded = true;
	return TF_OK;
}

static enum tf_err
load_from(const char *path, struct tf_fault *f)
{
	if (access(path, R_OK) != 0)
		return tf_fault(f, TF_NOT_FOUND, "cannot open DuckDB's library '%s': %s", path, strerror(errno));
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return tf_fault(f, TF_UNSUPPORTED, "cannot load DuckDB's library: %s", dlerror());
	enum tf_err err = look_up(handle, path, f);
	if (err != TF_OK)
		dlclose(handle);
	return err;
}

static enum tf_err
load_default(struct tf_fault *f)
{
	char path[PATH_MAX_];
	const char *suffixes[] = {LIBRARY, "../lib/tenfold/" LIBRARY};
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (beside_executable(suffixes[i], path) && access(path, R_OK) == 0)
			return load_from(path, f);
	return load_from(TF_LAKE_BUILD_LIBRARY, f);
}

enum tf_err
lake_duck_load(const char *path, const struct lake_duck **out, struct tf_fault *f)
{
	enum tf_err err = TF_OK;
	pthread_mutex_lock(&load_lock);
	if (!loaded)
		err = path ? load_from(path, f) : load_default(f);
	pthread_mutex_unlock(&load_lock);
	if (err == TF_OK)
		*out = &duck;
	return err;
}

const struct lake_duck *
lake_duck_loaded(void)
{
	return &duck;
}
