/* What an implementation of os.h provides: one table of functions. Private to spine/os.
 *
 * An implementation embeds struct tf_os, tf_file and tf_worker as the first member of its own. Every function keeps the
 * contract its namesake has in os.h; contract_test.c holds both implementations to it. Outputs are written on success
 * only, and whoever implements fills the fault. */
#pragma once
#include "os/os.h"

struct tf_os_ops {
	enum tf_err (*open)(struct tf_os *os, const char *path, unsigned flags, struct tf_file **out,
			    struct tf_fault *f);
	void (*close)(struct tf_file *file);
	enum tf_err (*read)(struct tf_file *file, void *p, size_t n, uint64_t offset, size_t *out_n,
			    struct tf_fault *f);
	enum tf_err (*write)(struct tf_file *file, const void *p, size_t n, uint64_t offset, struct tf_fault *f);
	enum tf_err (*size)(struct tf_file *file, uint64_t *out, struct tf_fault *f);
	enum tf_err (*truncate)(struct tf_file *file, uint64_t size, struct tf_fault *f);
	enum tf_err (*sync)(struct tf_file *file, struct tf_fault *f);
	enum tf_err (*lock)(struct tf_file *file, bool exclusive, struct tf_fault *f);
	void (*unlock)(struct tf_file *file);
	void (*prefetch)(struct tf_file *file, uint64_t offset, uint64_t n);
	enum tf_err (*stat)(struct tf_os *os, const char *path, struct tf_stat *out, struct tf_fault *f);
	enum tf_err (*rename)(struct tf_os *os, const char *from, const char *to, struct tf_fault *f);
	enum tf_err (*unlink)(struct tf_os *os, const char *path, struct tf_fault *f);
	/* One directory; TF_OK when a directory of that name is there. */
	enum tf_err (*mkdir)(struct tf_os *os, const char *path, struct tf_fault *f);
	enum tf_err (*rmdir)(struct tf_os *os, const char *path, struct tf_fault *f);
	enum tf_err (*sync_dir)(struct tf_os *os, const char *path, struct tf_fault *f);
	enum tf_err (*list)(struct tf_os *os, const char *path, tf_os_entry *each, void *ctx, struct tf_fault *f);
	tf_time (*now)(struct tf_os *os);
	tf_dur (*ticks)(struct tf_os *os);
	void (*random)(struct tf_os *os, void *p, size_t n);
	enum tf_err (*start)(struct tf_os *os, void (*fn)(void *), void *arg, struct tf_worker **out,
			     struct tf_fault *f);
	/* Waits and frees. */
	void (*join)(struct tf_worker *w);
};

struct tf_os {
	const struct tf_os_ops *ops;
};

struct tf_file {
	struct tf_os *os;
};

struct tf_worker {
	struct tf_os *os;
};
