/* A SQLite VFS over struct tf_os: what SQLite writes in the simulation tears, fills up and is lost like everything
 * else.
 *
 * Files are tf_file's. Locks and the WAL index live in memory, shared by the connections of this process to one path of
 * one os (a node): an os that is not the kernel has no other processes. So it behaves towards several connections as
 * SQLite's own VFS does, but a power loss must be followed by closing every connection before the first is opened
 * again. A new name is durable no later than the first sync of its file, as in SQLite's VFS. No temporary files:
 * connections keep those in memory. Thread rule: nodes are shared under one lock; the rest is the connection's. */
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "store/path.h"
#include "store/sql_impl.h"

#define NAME_BYTES 48
#define PATH_BYTES 1024

struct tf_sql_vfs {
	sqlite3_vfs base; /* first: SQLite hands it back */
	struct tf_os *os;
	struct tf_fault last;
	char name[NAME_BYTES];
	bool registered;
};

/* What the connections to one database share. */
struct node {
	struct node *next;
	struct tf_os *os;
	char *path;
	int refs;
	int shared;           /* connections with SHARED or more */
	struct vfile *writer; /* has RESERVED or more */
	bool pending;         /* the writer waits for readers to leave */
	void **regions;       /* the WAL index, in pieces of one size */
	int region_count;
	int shm_refs;
	int shm_lock[SQLITE_SHM_NLOCK]; /* readers of a slot; -1: one writer */
};

struct vfile {
	sqlite3_file base; /* first */
	struct tf_sql_vfs *v;
	struct tf_file *file;
	struct node *node; /* of a main database, else NULL */
	int lock;
	bool new_name; /* directory not synced since the file was made */
	bool delete_on_close;
	bool shm;
	unsigned shm_shared, shm_exclusive; /* slots held, as bits */
	char path[PATH_BYTES];
};

static pthread_mutex_t nodes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct node *nodes;

static struct vfile *
file_of(sqlite3_file *f)
{
	return (struct vfile *)f;
}

/* A name that isn't there is no failure, and must not be told as the reason of a later one. */
static enum tf_err
look(struct tf_sql_vfs *v, const char *path, struct tf_stat *out)
{
	enum tf_err e = tf_os_stat(v->os, path, out, &v->last);
	if (e == TF_NOT_FOUND)
		v->last.text[0] = 0;
	return e;
}

static struct tf_sql_vfs *
vfs_of(sqlite3_vfs *v)
{
	return (struct tf_sql_vfs *)v;
}

static int
result(enum tf_err e, int otherwise)
{
	switch (e) {
	case TF_OK:
		return SQLITE_OK;
	case TF_NO_SPACE:
		return otherwise == SQLITE_IOERR_FSYNC ? otherwise : SQLITE_FULL;
	case TF_NO_MEMORY:
		return otherwise == SQLITE_IOERR_FSYNC ? otherwise : SQLITE_IOERR_NOMEM;
	default:
		return otherwise;
	}
}

/* ---- nodes ---- */

static struct node *
node_get(struct tf_os *os, const char *path)
{
	pthread_mutex_lock(&nodes_lock);
	struct node *n = nodes;
	while (n && (n->os != os || strcmp(n->path, path) != 0))
		n = n->next;
	if (!n && (n = tf_calloc(1, sizeof *n))) {
		n->os = os;
		n->path = tf_strndup(path, strlen(path));
		if (n->path) {
			n->next = nodes;
			nodes = n;
		} else {
			tf_free(n);
			n = NULL;
		}
	}
	if (n)
		n->refs++;
	pthread_mutex_unlock(&nodes_lock);
	return n;
}

static void
drop_index(struct node *n)
{
	for (int i = 0; i < n->region_count; i++)
		tf_free(n->regions[i]);
	tf_free(n->regions);
	n->regions = NULL;
	n->region_count = 0;
}

static void
node_put(struct node *n)
{
	pthread_mutex_lock(&nodes_lock);
	if (--n->refs == 0) {
		struct node **at = &nodes;
		while (*at != n)
			at = &(*at)->next;
		*at = n->next;
		drop_index(n);
		tf_free(n->path);
		tf_free(n);
	}
	pthread_mutex_unlock(&nodes_lock);
}

/* ---- files ---- */

static int
file_read(sqlite3_file *sf, void *p, int n, sqlite3_int64 offset)
{
	struct vfile *f = file_of(sf);
	size_t got = 0;
	enum tf_err e = tf_file_read(f->file, p, (size_t)n, (uint64_t)offset, &got, &f->v->last);
	if (e)
		return result(e, SQLITE_IOERR_READ);
	if (got == (size_t)n)
		return SQLITE_OK;
	memset((char *)p + got, 0, (size_t)n - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int
file_write(sqlite3_file *sf, const void *p, int n, sqlite3_int64 offset)
{
	struct vfile *f = file_of(sf);
	return result(tf_file_write(f->file, p, (size_t)n, (uint64_t)offset, &f->v->last), SQLITE_IOERR_WRITE);
}

static int
file_truncate(sqlite3_file *sf, sqlite3_int64 size)
{
	struct vfile *f = file_of(sf);
	return result(tf_file_truncate(f->file, (uint64_t)size, &f->v->last), SQLITE_IOERR_TRUNCATE);
}

static int
sync_dir_of(struct tf_sql_vfs *v, const char *path)
{
	char dir[PATH_BYTES];
	if (!tf_path_dir(path, dir, sizeof dir))
		return SQLITE_IOERR_DIR_FSYNC;
	return tf_os_sync_dir(v->os, dir, &v->last) == TF_OK ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

static int
file_sync(sqlite3_file *sf, int flags)
{
	struct vfile *f = file_of(sf);
	int rc = result(tf_file_sync(f->file, &f->v->last), SQLITE_IOERR_FSYNC);
	if (rc == SQLITE_OK && f->new_name) {
		rc = sync_dir_of(f->v, f->path);
		f->new_name = rc != SQLITE_OK;
	}
	return rc;
}

static int
file_size(sqlite3_file *sf, sqlite3_int64 *out)
{
	struct vfile *f = file_of(sf);
	uint64_t size = 0;
	enum tf_err e = tf_file_size(f->file, &size, &f->v->last);
	if (e == TF_OK)
		*out = (sqlite3_int64)size;
	return result(e, SQLITE_IOERR_FSTAT);
}

/* SHARED, RESERVED, EXCLUSIVE as https://www.sqlite.org/lockingv3.html has them. */
static int
file_lock(sqlite3_file *sf, int level)
{
	struct vfile *f = file_of(sf);
	struct node *n = f->node;
	int rc = SQLITE_OK;
	if (!n || f->lock >= level)
		return SQLITE_OK;
	pthread_mutex_lock(&nodes_lock);
	bool others_write = n->writer && n->writer != f;
	if (level == SQLITE_LOCK_SHARED) {
		if (others_write && n->pending)
			rc = SQLITE_BUSY;
		else
			n->shared++;
	} else if (others_write) {
		rc = SQLITE_BUSY;
	} else {
		n->writer = f;
		n->pending = level == SQLITE_LOCK_EXCLUSIVE;
		if (n->pending && n->shared > 1) {
			f->lock = SQLITE_LOCK_PENDING;
			rc = SQLITE_BUSY;
		}
	}
	if (rc == SQLITE_OK)
		f->lock = level;
	pthread_mutex_unlock(&nodes_lock);
	return rc;
}

static int
file_unlock(sqlite3_file *sf, int level)
{
	struct vfile *f = file_of(sf);
	struct node *n = f->node;
	if (!n || f->lock <= level)
		return SQLITE_OK;
	pthread_mutex_lock(&nodes_lock);
	if (n->writer == f) {
		n->writer = NULL;
		n->pending = false;
	}
	if (level == SQLITE_LOCK_NONE)
		n->shared--;
	f->lock = level;
	pthread_mutex_unlock(&nodes_lock);
	return SQLITE_OK;
}

static int
file_check_reserved(sqlite3_file *sf, int *out)
{
	struct vfile *f = file_of(sf);
	pthread_mutex_lock(&nodes_lock);
	*out = f->node && f->node->writer;
	pthread_mutex_unlock(&nodes_lock);
	return SQLITE_OK;
}

static int
file_control(sqlite3_file *sf, int op, void *arg)
{
	return SQLITE_NOTFOUND;
}

static int
file_sector(sqlite3_file *sf)
{
	return 4096;
}

/* As SQLite's VFS assumes of a kernel: a write does not damage bytes beside it. */
static int
file_traits(sqlite3_file *sf)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- the WAL index ---- */

static int
grow_index(struct node *n, int index, int size)
{
	void **p = tf_realloc(n->regions, ((size_t)index + 1) * sizeof *p);
	if (!p)
		return SQLITE_IOERR_NOMEM;
	n->regions = p;
	for (; n->region_count <= index; n->region_count++)
		if (!(p[n->region_count] = tf_calloc(1, (size_t)size)))
			return SQLITE_IOERR_NOMEM;
	return SQLITE_OK;
}

static int
shm_map(sqlite3_file *sf, int index, int size, int extend, void volatile **out)
{
	struct vfile *f = file_of(sf);
	struct node *n = f->node;
	int rc = SQLITE_OK;
	pthread_mutex_lock(&nodes_lock);
	if (!f->shm) {
		f->shm = true;
		n->shm_refs++;
	}
	if (index >= n->region_count && extend)
		rc = grow_index(n, index, size);
	*out = rc == SQLITE_OK && index < n->region_count ? n->regions[index] : NULL;
	pthread_mutex_unlock(&nodes_lock);
	return rc;
}

static void
shm_release(struct vfile *f, int from, int count)
{
	for (int i = from; i < from + count; i++) {
		unsigned bit = 1u << i;
		if (f->shm_exclusive & bit)
			f->node->shm_lock[i] = 0;
		else if (f->shm_shared & bit)
			f->node->shm_lock[i]--;
		f->shm_exclusive &= ~bit;
		f->shm_shared &= ~bit;
	}
}

static int
shm_take(struct vfile *f, int from, int count, bool exclusive)
{
	int *locks = f->node->shm_lock;
	for (int i = from; i < from + count; i++)
		if (locks[i] < 0 || (exclusive && locks[i] > 0))
			return SQLITE_BUSY;
	for (int i = from; i < from + count; i++) {
		if (exclusive) {
			locks[i] = -1;
			f->shm_exclusive |= 1u << i;
		} else if (!(f->shm_shared & 1u << i)) {
			locks[i]++;
			f->shm_shared |= 1u << i;
		}
	}
	return SQLITE_OK;
}

static int
shm_lock(sqlite3_file *sf, int from, int count, int flags)
{
	struct vfile *f = file_of(sf);
	int rc = SQLITE_OK;
	pthread_mutex_lock(&nodes_lock);
	if (flags & SQLITE_SHM_UNLOCK)
		shm_release(f, from, count);
	else
		rc = shm_take(f, from, count, flags & SQLITE_SHM_EXCLUSIVE);
	pthread_mutex_unlock(&nodes_lock);
	return rc;
}

static void
shm_barrier(sqlite3_file *sf)
{
	__sync_synchronize();
}

static int
shm_unmap(sqlite3_file *sf, int delete_it)
{
	struct vfile *f = file_of(sf);
	if (!f->shm)
		return SQLITE_OK;
	pthread_mutex_lock(&nodes_lock);
	shm_release(f, 0, SQLITE_SHM_NLOCK);
	f->shm = false;
	if (--f->node->shm_refs == 0)
		drop_index(f->node);
	pthread_mutex_unlock(&nodes_lock);
	return SQLITE_OK;
}

static int
file_close(sqlite3_file *sf)
{
	struct vfile *f = file_of(sf);
	if (f->node) {
		shm_unmap(sf, 0);
		file_unlock(sf, SQLITE_LOCK_NONE);
		node_put(f->node);
	}
	tf_file_close(&f->file);
	if (f->delete_on_close && tf_os_unlink(f->v->os, f->path, &f->v->last))
		return SQLITE_IOERR_DELETE;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* ---- the file system ---- */

static unsigned
open_flags(int flags)
{
	if (!(flags & SQLITE_OPEN_READWRITE))
		return TF_OPEN_READ;
	unsigned to = TF_OPEN_WRITE;
	to |= flags & SQLITE_OPEN_CREATE ? TF_OPEN_CREATE : 0;
	to |= flags & SQLITE_OPEN_EXCLUSIVE ? TF_OPEN_EXCLUSIVE : 0;
	return to;
}

static int
vfs_open(sqlite3_vfs *sv, const char *path, sqlite3_file *sf, int flags, int *out_flags)
{
	struct tf_sql_vfs *v = vfs_of(sv);
	struct vfile *f = file_of(sf);
	struct tf_stat st;
	memset(f, 0, sizeof *f);
	if (!path || strlen(path) >= sizeof f->path)
		return SQLITE_CANTOPEN;
	enum tf_err there = look(v, path, &st);
	if (there && there != TF_NOT_FOUND)
		return result(there, SQLITE_CANTOPEN);
	if (flags & SQLITE_OPEN_MAIN_DB && !(f->node = node_get(v->os, path)))
		return SQLITE_NOMEM;
	enum tf_err e = tf_os_open(v->os, path, open_flags(flags), &f->file, &v->last);
	if (e) {
		if (f->node)
			node_put(f->node);
		return result(e, SQLITE_CANTOPEN);
	}
	f->v = v;
	f->new_name = there == TF_NOT_FOUND;
	f->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
	memcpy(f->path, path, strlen(path) + 1);
	f->base.pMethods = &methods;
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *sv, const char *path, int sync_dir)
{
	struct tf_sql_vfs *v = vfs_of(sv);
	enum tf_err e = tf_os_unlink(v->os, path, &v->last);
	if (e)
		return result(e, e == TF_NOT_FOUND ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE);
	return sync_dir ? sync_dir_of(v, path) : SQLITE_OK;
}

static int
vfs_access(sqlite3_vfs *sv, const char *path, int flags, int *out)
{
	struct tf_sql_vfs *v = vfs_of(sv);
	struct tf_stat st;
	enum tf_err e = look(v, path, &st);
	if (e && e != TF_NOT_FOUND)
		return result(e, SQLITE_IOERR_ACCESS);
	/* SQLite wants an empty journal to count as none. */
	*out = e == TF_OK && (flags != SQLITE_ACCESS_EXISTS || st.size > 0);
	return SQLITE_OK;
}

static int
vfs_full_path(sqlite3_vfs *sv, const char *path, int n, char *out)
{
	return snprintf(out, (size_t)n, "%s", path) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int
vfs_random(sqlite3_vfs *sv, int n, char *out)
{
	tf_os_random(vfs_of(sv)->os, out, (size_t)n);
	return n;
}

/* Nobody waits in virtual time: connections have no busy timeout. */
static int
vfs_sleep(sqlite3_vfs *sv, int us)
{
	return us;
}

/* Milliseconds since noon of 24 November 4714 BC: a Julian day number times 86,400,000. */
static int
vfs_now(sqlite3_vfs *sv, sqlite3_int64 *out)
{
	*out = 210866760000000 + tf_os_now(vfs_of(sv)->os) / 1000;
	return SQLITE_OK;
}

static int
vfs_now_double(sqlite3_vfs *sv, double *out)
{
	sqlite3_int64 ms = 0;
	int rc = vfs_now(sv, &ms);
	*out = (double)ms / 86400000.0;
	return rc;
}

static int
vfs_last_error(sqlite3_vfs *sv, int n, char *out)
{
	return 0;
}

enum tf_err
tf_sql_vfs_new(struct tf_os *os, struct tf_sql_vfs **out, struct tf_fault *f)
{
	struct tf_sql_vfs *v = tf_calloc(1, sizeof *v);
	if (!v)
		return tf_fault(f, TF_NO_MEMORY, "cannot make a vfs: out of memory");
	v->os = os;
	snprintf(v->name, sizeof v->name, "tf-%p", (void *)v);
	v->base = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = sizeof(struct vfile),
		.mxPathname = PATH_BYTES - 1,
		.zName = v->name,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_random,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_now_double,
		.xGetLastError = vfs_last_error,
		.xCurrentTimeInt64 = vfs_now,
	};
	if (sqlite3_vfs_register(&v->base, 0) != SQLITE_OK) {
		tf_free(v);
		return tf_fault(f, TF_NO_MEMORY, "cannot register a vfs");
	}
	v->registered = true;
	*out = v;
	return TF_OK;
}

const char *
tf_sql_vfs_name(const struct tf_sql_vfs *v)
{
	return v->name;
}

void
tf_sql_vfs_hide(struct tf_sql_vfs *v)
{
	if (v->registered)
		sqlite3_vfs_unregister(&v->base);
	v->registered = false;
}

void
tf_sql_vfs_free(struct tf_sql_vfs **v)
{
	if (!*v)
		return;
	tf_sql_vfs_hide(*v);
	tf_free(*v);
	*v = NULL;
}

const char *
tf_sql_vfs_last(const struct tf_sql_vfs *v)
{
	return v->last.text;
}
