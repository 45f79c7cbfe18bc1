/* The kernel as a tf_os: POSIX calls with EINTR and short transfers handled, errno as tf_err.
 *
 * A failed fdatasync is never retried: Linux may have dropped the dirty pages and would report success the next time.
 * Locks are flock(2), which belongs to the open file description: two handles of one process exclude each other. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/errno_map.h"
#include "os/os_impl.h"
#include "os/random_real.h"
#include "os/worker_real.h"

struct real_file {
	struct tf_file base;
	int fd;
	char path[];
};

static struct real_file *
real(struct tf_file *file)
{
	return (struct real_file *)file;
}

static enum tf_err
fail(struct tf_fault *f, const char *verb, const char *path)
{
	return tf_os_errno(f, errno, "cannot %s '%.400s'", verb, path);
}

static enum tf_err
real_open(struct tf_os *os, const char *path, unsigned flags, struct tf_file **out, struct tf_fault *f)
{
	size_t len = strlen(path);
	struct real_file *r = tf_malloc(sizeof(*r) + len + 1);
	if (!r)
		return tf_fault(f, TF_NO_MEMORY, "cannot open '%s': out of memory", path);
	r->base.os = os;
	memcpy(r->path, path, len + 1);
	int how = O_CLOEXEC | O_NOCTTY;
	how |= flags & (TF_OPEN_WRITE | TF_OPEN_CREATE | TF_OPEN_TRUNCATE) ? O_RDWR : O_RDONLY;
	how |= flags & TF_OPEN_CREATE ? O_CREAT : 0;
	how |= flags & TF_OPEN_EXCLUSIVE ? O_EXCL : 0;
	how |= flags & TF_OPEN_TRUNCATE ? O_TRUNC : 0;
	do
		r->fd = open(path, how, 0666);
	while (r->fd < 0 && errno == EINTR);
	if (r->fd < 0) {
		enum tf_err e = fail(f, "open", path);
		tf_free(r);
		return e;
	}
	*out = &r->base;
	return TF_OK;
}

static void
real_close(struct tf_file *file)
{
	close(real(file)->fd);
	tf_free(real(file));
}

static enum tf_err
real_read(struct tf_file *file, void *p, size_t n, uint64_t offset, size_t *out_n, struct tf_fault *f)
{
	size_t done = 0;
	while (done < n) {
		ssize_t got = pread(real(file)->fd, (char *)p + done, n - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(f, "read", real(file)->path);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*out_n = done;
	return TF_OK;
}

static enum tf_err
real_write(struct tf_file *file, const void *p, size_t n, uint64_t offset, struct tf_fault *f)
{
	size_t done = 0;
	while (done < n) {
		ssize_t put = pwrite(real(file)->fd, (const char *)p + done, n - done, (off_t)(offset + done));
		if (put < 0 && errno == EINTR)
			continue;
		if (put == 0)
			errno = EIO;
		if (put <= 0)
			return fail(f, "write", real(file)->path);
		done += (size_t)put;
	}
	return TF_OK;
}

static enum tf_err
real_size(struct tf_file *file, uint64_t *out, struct tf_fault *f)
{
	struct stat st;
	if (fstat(real(file)->fd, &st) < 0)
		return fail(f, "stat", real(file)->path);
	*out = (uint64_t)st.st_size;
	return TF_OK;
}

static enum tf_err
real_truncate(struct tf_file *file, uint64_t size, struct tf_fault *f)
{
	int r;
	do
		r = ftruncate(real(file)->fd, (off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? fail(f, "truncate", real(file)->path) : TF_OK;
}

static enum tf_err
real_sync(struct tf_file *file, struct tf_fault *f)
{
	return fdatasync(real(file)->fd) < 0 ? fail(f, "sync", real(file)->path) : TF_OK;
}

static enum tf_err
real_lock(struct tf_file *file, bool exclusive, struct tf_fault *f)
{
	int r;
	do
		r = flock(real(file)->fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
	while (r < 0 && errno == EINTR);
	return r < 0 ? fail(f, "lock", real(file)->path) : TF_OK;
}

static void
real_unlock(struct tf_file *file)
{
	flock(real(file)->fd, LOCK_UN);
}

static void
real_prefetch(struct tf_file *file, uint64_t offset, uint64_t n)
{
	posix_fadvise(real(file)->fd, (off_t)offset, (off_t)n, POSIX_FADV_WILLNEED);
}

static enum tf_err
real_stat(struct tf_os *os, const char *path, struct tf_stat *out, struct tf_fault *f)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return fail(f, "stat", path);
	*out = (struct tf_stat){
		.size = (uint64_t)st.st_size,
		.disk = (uint64_t)st.st_blocks * 512,
		.modified = st.st_mtim.tv_sec * TF_SEC + st.st_mtim.tv_nsec / 1000,
		.is_dir = S_ISDIR(st.st_mode),
	};
	return TF_OK;
}

static enum tf_err
real_rename(struct tf_os *os, const char *from, const char *to, struct tf_fault *f)
{
	if (rename(from, to) < 0)
		return tf_os_errno(f, errno, "cannot rename '%.200s' to '%.200s'", from, to);
	return TF_OK;
}

static enum tf_err
real_unlink(struct tf_os *os, const char *path, struct tf_fault *f)
{
	return unlink(path) < 0 ? fail(f, "remove", path) : TF_OK;
}

static enum tf_err
real_mkdir(struct tf_os *os, const char *path, struct tf_fault *f)
{
	struct stat st;
	if (mkdir(path, 0777) == 0)
		return TF_OK;
	int why = errno; /* EACCES and EROFS are also said of directories that are there */
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return TF_OK;
	return tf_os_errno(f, why, "cannot make directory '%.400s'", path);
}

static enum tf_err
real_rmdir(struct tf_os *os, const char *path, struct tf_fault *f)
{
	return rmdir(path) < 0 ? fail(f, "remove directory", path) : TF_OK;
}

static enum tf_err
real_sync_dir(struct tf_os *os, const char *path, struct tf_fault *f)
{
	int fd;
	do
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return fail(f, "open directory", path);
	enum tf_err e = fsync(fd) < 0 ? fail(f, "sync directory", path) : TF_OK;
	close(fd);
	return e;
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
not_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static bool
entry_is_dir(int dir, const struct dirent *d)
{
	struct stat st;
	if (d->d_type == DT_DIR || d->d_type == DT_REG)
		return d->d_type == DT_DIR;
	return fstatat(dir, d->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static enum tf_err
real_list(struct tf_os *os, const char *path, tf_os_entry *each, void *ctx, struct tf_fault *f)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(f, "open directory", path);
	struct dirent **entries;
	int n = scandirat(dir, ".", &entries, not_dots, by_bytes);
	enum tf_err e = n < 0 ? fail(f, "list", path) : TF_OK;
	for (int i = 0; i < n; i++) {
		if (e == TF_OK)
			e = each(ctx, entries[i]->d_name, entry_is_dir(dir, entries[i]));
		free(entries[i]); /* libc's own memory, as is the array */
	}
	if (n >= 0)
		free(entries);
	close(dir);
	return e;
}

static int64_t
micros(clockid_t clock)
{
	struct timespec ts;
	TF_ASSERT(clock_gettime(clock, &ts) == 0);
	return ts.tv_sec * TF_SEC + ts.tv_nsec / 1000;
}

static tf_time
real_now(struct tf_os *os)
{
	return micros(CLOCK_REALTIME);
}

static tf_dur
real_ticks(struct tf_os *os)
{
	return micros(CLOCK_MONOTONIC);
}

static void
real_random(struct tf_os *os, void *p, size_t n)
{
	os_random_real(p, n);
}

static const struct tf_os_ops real_ops = {
	.open = real_open,
	.close = real_close,
	.read = real_read,
	.write = real_write,
	.size = real_size,
	.truncate = real_truncate,
	.sync = real_sync,
	.lock = real_lock,
	.unlock = real_unlock,
	.prefetch = real_prefetch,
	.stat = real_stat,
	.rename = real_rename,
	.unlink = real_unlink,
	.mkdir = real_mkdir,
	.rmdir = real_rmdir,
	.sync_dir = real_sync_dir,
	.list = real_list,
	.now = real_now,
	.ticks = real_ticks,
	.random = real_random,
	.start = os_start_real,
	.join = os_join_real,
};

struct tf_os *
tf_os_real(void)
{
	static struct tf_os kernel = {&real_ops};
	return &kernel;
}
