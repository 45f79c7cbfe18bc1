/* os.h's verbs: dispatch to the implementation, and the helpers that need nothing but the verbs. */
#include "os/os.h"

#include "base/buf.h"
#include "base/mem.h"
#include "os/os_impl.h"

enum tf_err
tf_os_open(struct tf_os *os, const char *path, unsigned flags, struct tf_file **out, struct tf_fault *f)
{
	return os->ops->open(os, path, flags, out, f);
}

void
tf_file_close(struct tf_file **file)
{
	if (*file)
		(*file)->os->ops->close(*file);
	*file = NULL;
}

enum tf_err
tf_file_read(struct tf_file *file, void *p, size_t n, uint64_t offset, size_t *out_n, struct tf_fault *f)
{
	return file->os->ops->read(file, p, n, offset, out_n, f);
}

enum tf_err
tf_file_read_exact(struct tf_file *file, void *p, size_t n, uint64_t offset, struct tf_fault *f)
{
	size_t got;
	TF_TRY(tf_file_read(file, p, n, offset, &got, f));
	if (got < n)
		return tf_fault(f, TF_CORRUPT, "file ends at byte %llu, expected %llu",
				(unsigned long long)(offset + got), (unsigned long long)(offset + n));
	return TF_OK;
}

enum tf_err
tf_file_write(struct tf_file *file, const void *p, size_t n, uint64_t offset, struct tf_fault *f)
{
	return file->os->ops->write(file, p, n, offset, f);
}

enum tf_err
tf_file_size(struct tf_file *file, uint64_t *out, struct tf_fault *f)
{
	return file->os->ops->size(file, out, f);
}

enum tf_err
tf_file_truncate(struct tf_file *file, uint64_t size, struct tf_fault *f)
{
	return file->os->ops->truncate(file, size, f);
}

enum tf_err
tf_file_sync(struct tf_file *file, struct tf_fault *f)
{
	return file->os->ops->sync(file, f);
}

enum tf_err
tf_file_lock(struct tf_file *file, bool exclusive, struct tf_fault *f)
{
	return file->os->ops->lock(file, exclusive, f);
}

void
tf_file_unlock(struct tf_file *file)
{
	file->os->ops->unlock(file);
}

void
tf_file_prefetch(struct tf_file *file, uint64_t offset, uint64_t n)
{
	file->os->ops->prefetch(file, offset, n);
}

enum tf_err
tf_os_stat(struct tf_os *os, const char *path, struct tf_stat *out, struct tf_fault *f)
{
	return os->ops->stat(os, path, out, f);
}

enum tf_err
tf_os_rename(struct tf_os *os, const char *from, const char *to, struct tf_fault *f)
{
	return os->ops->rename(os, from, to, f);
}

enum tf_err
tf_os_unlink(struct tf_os *os, const char *path, struct tf_fault *f)
{
	return os->ops->unlink(os, path, f);
}

enum tf_err
tf_os_rmdir(struct tf_os *os, const char *path, struct tf_fault *f)
{
	return os->ops->rmdir(os, path, f);
}

enum tf_err
tf_os_sync_dir(struct tf_os *os, const char *path, struct tf_fault *f)
{
	return os->ops->sync_dir(os, path, f);
}

enum tf_err
tf_os_list(struct tf_os *os, const char *path, tf_os_entry *each, void *ctx, struct tf_fault *f)
{
	return os->ops->list(os, path, each, ctx, f);
}

tf_time
tf_os_now(struct tf_os *os)
{
	return os->ops->now(os);
}

tf_dur
tf_os_ticks(struct tf_os *os)
{
	return os->ops->ticks(os);
}

void
tf_os_random(struct tf_os *os, void *p, size_t n)
{
	os->ops->random(os, p, n);
}

enum tf_err
tf_os_start(struct tf_os *os, void (*fn)(void *), void *arg, struct tf_worker **out, struct tf_fault *f)
{
	return os->ops->start(os, fn, arg, out, f);
}

void
tf_worker_join(struct tf_worker **w)
{
	if (*w)
		(*w)->os->ops->join(*w);
	*w = NULL;
}

/* Makes every directory of path, from the first; with sync also makes each new name durable in its parent. */
static enum tf_err
mkdirs(struct tf_os *os, const char *path, bool sync, struct tf_fault *f)
{
	if (!*path)
		return tf_fault(f, TF_INVALID, "cannot make directory '': empty path");
	char *part = tf_strndup(path, strlen(path));
	if (!part)
		return tf_fault(f, TF_NO_MEMORY, "cannot make directory '%s': out of memory", path);
	enum tf_err e = TF_OK;
	for (size_t i = 1; e == TF_OK; i++) {
		if (path[i] && path[i] != '/')
			continue;
		part[i] = 0;
		bool name = part[i - 1] != '/'; /* not the root, not the empty name in "a//b" */
		if (name)
			e = os->ops->mkdir(os, part, f);
		if (e == TF_OK && name && sync)
			e = tf_os_sync_parent(os, part, f);
		part[i] = path[i];
		if (!path[i])
			break;
	}
	tf_free(part);
	return e;
}

enum tf_err
tf_os_mkdirs(struct tf_os *os, const char *path, struct tf_fault *f)
{
	return mkdirs(os, path, false, f);
}

enum tf_err
tf_os_mkdirs_sync(struct tf_os *os, const char *path, struct tf_fault *f)
{
	return mkdirs(os, path, true, f);
}

enum tf_err
tf_os_sync_parent(struct tf_os *os, const char *path, struct tf_fault *f)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n && path[n - 1] != '/')
		n--;
	if (!n)
		return tf_os_sync_dir(os, ".", f);
	while (n > 1 && path[n - 1] == '/')
		n--;
	char *dir = tf_strndup(path, n);
	if (!dir)
		return tf_fault(f, TF_NO_MEMORY, "cannot sync the directory of '%s': out of memory", path);
	enum tf_err e = tf_os_sync_dir(os, dir, f);
	tf_free(dir);
	return e;
}

static enum tf_err
read_all(struct tf_file *file, const char *path, size_t max, char **out_p, size_t *out_n, struct tf_fault *f)
{
	uint64_t size;
	TF_TRY(tf_file_size(file, &size, f));
	if (size > max)
		return tf_fault(f, TF_TOO_LARGE, "cannot read '%s': %llu bytes, the limit is %zu", path,
				(unsigned long long)size, max);
	char *p = tf_malloc((size_t)size + 1);
	if (!p)
		return tf_fault(f, TF_NO_MEMORY, "cannot read '%s': out of memory", path);
	size_t n;
	enum tf_err e = tf_file_read(file, p, (size_t)size, 0, &n, f);
	if (e != TF_OK) {
		tf_free(p);
		return e;
	}
	p[n] = 0;
	*out_p = p;
	*out_n = n;
	return TF_OK;
}

enum tf_err
tf_os_read_file(struct tf_os *os, const char *path, size_t max, char **out_p, size_t *out_n, struct tf_fault *f)
{
	struct tf_file *file;
	TF_TRY(tf_os_open(os, path, TF_OPEN_READ, &file, f));
	enum tf_err e = read_all(file, path, max, out_p, out_n, f);
	tf_file_close(&file);
	return e;
}

static enum tf_err
write_synced(struct tf_os *os, const char *path, struct tf_str bytes, struct tf_fault *f)
{
	struct tf_file *file;
	TF_TRY(tf_os_open(os, path, TF_OPEN_CREATE | TF_OPEN_TRUNCATE, &file, f));
	enum tf_err e = tf_file_write(file, bytes.p, bytes.n, 0, f);
	if (e == TF_OK)
		e = tf_file_sync(file, f);
	tf_file_close(&file);
	return e;
}

enum tf_err
tf_os_write_file(struct tf_os *os, const char *path, struct tf_str bytes, struct tf_fault *f)
{
	struct tf_buf tmp;
	tf_buf_init(&tmp, 0);
	tf_buf_cstr(&tmp, path);
	tf_buf_put(&tmp, ".tmp", sizeof(".tmp"));
	if (tmp.err) {
		tf_buf_release(&tmp);
		return tf_fault(f, TF_NO_MEMORY, "cannot write '%s': out of memory", path);
	}
	const char *name = (const char *)tmp.p;
	enum tf_err e = write_synced(os, name, bytes, f);
	if (e == TF_OK)
		e = tf_os_rename(os, name, path, f);
	if (e == TF_OK)
		e = tf_os_sync_parent(os, path, f);
	else
		(void)!tf_os_unlink(os, name, NULL); /* if that fails too, the next write_file replaces it */
	tf_buf_release(&tmp);
	return e;
}
