/* Objects in a directory.
 *
 *   DIR/<key>        the object, whole
 *   DIR/.tmp/<name>  being written; published by rename, swept by a writer a day after its last change
 *   DIR/.lock        locked during the check and the rename of a conditional put
 *
 * A new directory on the way to a key is made durable before the key is: a crash between the two must not leave a
 * directory that a later put believes in. */
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/mem.h"
#include "store/blob_impl.h"
#include "store/path.h"

#define HASH_PIECE    ((size_t)256 << 10)
#define NAMES_MAX     ((size_t)64 << 20) /* bytes of names in one directory: about a million objects */
#define TEMP_KEPT     TF_DAY
#define TEMP_NAME_MAX 32
#define LOCK_NAME     "/.lock"
#define TEMP_DIR      "/.tmp"

struct dir {
	struct tf_blob base; /* first */
	struct tf_os *os;
	bool ready;                     /* root and its .tmp are there, durably */
	char root[TF_BLOB_PATH_MAX];    /* without '/' at the end */
	char durable[TF_BLOB_PATH_MAX]; /* the last directory whose way from root is durable */
};

static struct dir *
dir_of(struct tf_blob *b)
{
	return (struct dir *)b;
}

/* Lengths were checked when the store was opened and the key arrived. */
static void
path_of(const struct dir *d, struct tf_str key, char *out)
{
	int n = snprintf(out, TF_BLOB_PATH_MAX, "%s/%.*s", d->root, (int)key.n, key.p);
	TF_ASSERT(n > 0 && n < TF_BLOB_PATH_MAX);
}

static void
parent_of(const char *path, char *out)
{
	TF_ASSERT(tf_path_dir(path, out, TF_BLOB_PATH_MAX));
}

/* ---- writing ---- */

static enum tf_err
sweep_one(void *ctx, const char *name, bool is_dir)
{
	struct dir *d = ctx;
	char path[TF_BLOB_PATH_MAX];
	struct tf_stat st;
	if (is_dir || strlen(name) > TEMP_NAME_MAX)
		return TF_OK;
	snprintf(path, sizeof path, "%.900s" TEMP_DIR "/%.*s", d->root, TEMP_NAME_MAX, name);
	if (tf_os_stat(d->os, path, &st, NULL) == TF_OK && st.modified < tf_os_now(d->os) - TEMP_KEPT)
		(void)!tf_os_unlink(d->os, path, NULL); /* another writer may have swept it */
	return TF_OK;
}

static enum tf_err
make_root(struct dir *d, struct tf_fault *f)
{
	char temp[TF_BLOB_PATH_MAX], parent[TF_BLOB_PATH_MAX];
	if (d->ready)
		return TF_OK;
	path_of(d, tf_str(&TEMP_DIR[1]), temp);
	parent_of(d->root, parent);
	TF_TRY(tf_os_mkdirs(d->os, temp, f));
	TF_TRY(tf_os_sync_dir(d->os, d->root, f));
	TF_TRY(tf_os_sync_dir(d->os, parent, f));
	TF_TRY(tf_os_list(d->os, temp, sweep_one, d, f));
	d->ready = true;
	return TF_OK;
}

/* The directories from root down to the object's, durably. */
static enum tf_err
make_way(struct dir *d, const char *way, struct tf_fault *f)
{
	char at[TF_BLOB_PATH_MAX], up[TF_BLOB_PATH_MAX];
	struct tf_stat st;
	if (strcmp(way, d->root) == 0 || strcmp(way, d->durable) == 0)
		return TF_OK;
	for (memcpy(at, way, sizeof at); strcmp(at, d->root) != 0; memcpy(at, up, sizeof at)) {
		parent_of(at, up);
		enum tf_err e = tf_os_stat(d->os, at, &st, f);
		if (e == TF_OK && !st.is_dir)
			return tf_fault(f, TF_CONFLICT, "'%s' is an object", at);
	}
	TF_TRY(tf_os_mkdirs(d->os, way, f));
	for (memcpy(at, way, sizeof at); strcmp(at, d->root) != 0; memcpy(at, up, sizeof at)) {
		parent_of(at, up);
		TF_TRY(tf_os_sync_dir(d->os, up, f));
	}
	memcpy(d->durable, way, sizeof d->durable);
	return TF_OK;
}

static enum tf_err
publish(struct dir *d, const char *temp, const char *path, struct tf_fault *f)
{
	char way[TF_BLOB_PATH_MAX] = "";
	struct tf_stat st;
	parent_of(path, way);
	TF_TRY(make_way(d, way, f));
	if (tf_os_stat(d->os, path, &st, NULL) == TF_OK && st.is_dir)
		return tf_fault(f, TF_CONFLICT, "'%s' is a directory of objects", path);
	TF_TRY(tf_os_rename(d->os, temp, path, f));
	return tf_os_sync_dir(d->os, way, f);
}

static enum tf_err
dir_temp(struct tf_blob *b, char *out_path, struct tf_fault *f)
{
	struct dir *d = dir_of(b);
	uint64_t random;
	TF_TRY(make_root(d, f));
	tf_os_random(d->os, &random, sizeof random);
	int n = snprintf(out_path, TF_BLOB_PATH_MAX, "%s" TEMP_DIR "/%016llx", d->root, (unsigned long long)random);
	TF_ASSERT(n > 0 && n < TF_BLOB_PATH_MAX);
	return TF_OK;
}

static enum tf_err
write_temp(struct dir *d, const char *path, struct tf_str bytes, struct tf_fault *f)
{
	struct tf_file *file = NULL;
	TF_TRY(tf_os_open(d->os, path, TF_OPEN_CREATE | TF_OPEN_EXCLUSIVE, &file, f));
	enum tf_err e = bytes.n ? tf_file_write(file, bytes.p, bytes.n, 0, f) : TF_OK;
	if (e == TF_OK)
		e = tf_file_sync(file, f);
	tf_file_close(&file);
	return e;
}

static enum tf_err
hash_file(struct dir *d, struct tf_file *file, struct tf_etag *out, struct tf_fault *f)
{
	uint8_t *piece = tf_malloc(HASH_PIECE);
	XXH3_state_t *state = XXH3_createState();
	enum tf_err e = piece && state ? TF_OK : tf_fault(f, TF_NO_MEMORY, "out of memory");
	if (e == TF_OK)
		XXH3_128bits_reset(state);
	size_t got = HASH_PIECE;
	for (uint64_t at = 0; e == TF_OK && got == HASH_PIECE; at += got) {
		e = tf_file_read(file, piece, HASH_PIECE, at, &got, f);
		if (e == TF_OK)
			XXH3_128bits_update(state, piece, got);
	}
	if (e == TF_OK) {
		XXH128_canonical_t c;
		XXH128_canonicalFromHash(&c, XXH3_128bits_digest(state));
		*out = tf_etag_of_digest(c.digest);
	}
	XXH3_freeState(state);
	tf_free(piece);
	return e;
}

static enum tf_err open_object(struct dir *d, struct tf_str key, struct tf_file **out, struct tf_fault *f);

static enum tf_err
dir_etag(struct tf_blob *b, struct tf_str key, struct tf_etag *out, struct tf_fault *f)
{
	struct tf_file *file = NULL;
	TF_TRY(open_object(dir_of(b), key, &file, f));
	enum tf_err e = hash_file(dir_of(b), file, out, f);
	tf_file_close(&file);
	return e;
}

static enum tf_err
check_condition(struct dir *d, struct tf_str key, enum tf_blob_when when, const struct tf_etag *match,
		struct tf_fault *f)
{
	char path[TF_BLOB_PATH_MAX];
	struct tf_stat st;
	struct tf_etag now;
	path_of(d, key, path);
	if (when == TF_BLOB_ABSENT) {
		enum tf_err e = tf_os_stat(d->os, path, &st, f);
		if (e == TF_OK && !st.is_dir)
			return tf_fault(f, TF_EXISTS, "already there");
		return e == TF_NOT_FOUND ? TF_OK : e;
	}
	enum tf_err e = dir_etag(&d->base, key, &now, f);
	if (e == TF_NOT_FOUND)
		return tf_fault(f, TF_CONFLICT, "gone");
	if (e == TF_OK && strcmp(now.hex, match->hex) != 0)
		return tf_fault(f, TF_CONFLICT, "changed: it is %s, not %.32s", now.hex, match->hex);
	return e;
}

static enum tf_err
publish_if(struct dir *d, const char *temp, struct tf_str key, enum tf_blob_when when, const struct tf_etag *match,
	   struct tf_fault *f)
{
	char path[TF_BLOB_PATH_MAX], lock[TF_BLOB_PATH_MAX];
	struct tf_file *file = NULL;
	path_of(d, key, path);
	path_of(d, tf_str(&LOCK_NAME[1]), lock);
	TF_TRY(tf_os_open(d->os, lock, TF_OPEN_CREATE, &file, f));
	enum tf_err e = tf_file_lock(file, true, f);
	if (e == TF_OK)
		e = check_condition(d, key, when, match, f);
	if (e == TF_OK)
		e = publish(d, temp, path, f);
	tf_file_close(&file);
	return e;
}

static enum tf_err
dir_put(struct tf_blob *b, struct tf_str key, struct tf_str bytes, enum tf_blob_when when, const struct tf_etag *match,
	struct tf_fault *f)
{
	struct dir *d = dir_of(b);
	char temp[TF_BLOB_PATH_MAX], path[TF_BLOB_PATH_MAX];
	TF_TRY(dir_temp(b, temp, f));
	path_of(d, key, path);
	enum tf_err e = write_temp(d, temp, bytes, f);
	if (e == TF_OK)
		e = when == TF_BLOB_ALWAYS ? publish(d, temp, path, f) : publish_if(d, temp, key, when, match, f);
	if (e)
		(void)!tf_os_unlink(d->os, temp, NULL); /* else the sweep takes it */
	return e;
}

static enum tf_err
dir_take_file(struct tf_blob *b, const char *temp_path, struct tf_str key, struct tf_fault *f)
{
	struct dir *d = dir_of(b);
	char path[TF_BLOB_PATH_MAX], way[TF_BLOB_PATH_MAX], temps[TF_BLOB_PATH_MAX];
	struct tf_file *file = NULL;
	path_of(d, tf_str(&TEMP_DIR[1]), temps);
	if (!tf_path_dir(temp_path, way, sizeof way) || strcmp(way, temps) != 0)
		return tf_fault(f, TF_INVALID, "'%.200s' is no temporary file of this store", temp_path);
	path_of(d, key, path);
	TF_TRY(make_root(d, f));
	TF_TRY(tf_os_open(d->os, temp_path, TF_OPEN_WRITE, &file, f));
	enum tf_err e = tf_file_sync(file, f);
	tf_file_close(&file);
	return e ? e : publish(d, temp_path, path, f);
}

static enum tf_err
dir_remove(struct tf_blob *b, struct tf_str key, struct tf_fault *f)
{
	struct dir *d = dir_of(b);
	char path[TF_BLOB_PATH_MAX], way[TF_BLOB_PATH_MAX];
	struct tf_stat st;
	path_of(d, key, path);
	parent_of(path, way);
	TF_TRY(tf_os_stat(d->os, path, &st, f));
	if (st.is_dir)
		return tf_fault(f, TF_NOT_FOUND, "'%s' is a directory of objects", path);
	TF_TRY(tf_os_unlink(d->os, path, f));
	return tf_os_sync_dir(d->os, way, f);
}

/* ---- reading ---- */

static enum tf_err
open_object(struct dir *d, struct tf_str key, struct tf_file **out, struct tf_fault *f)
{
	char path[TF_BLOB_PATH_MAX];
	struct tf_stat st;
	path_of(d, key, path);
	TF_TRY(tf_os_stat(d->os, path, &st, f));
	if (st.is_dir)
		return tf_fault(f, TF_NOT_FOUND, "'%s' is a directory of objects", path);
	return tf_os_open(d->os, path, TF_OPEN_READ, out, f);
}

static enum tf_err
read_into(struct tf_file *file, uint64_t offset, uint64_t n, struct tf_buf *out, struct tf_fault *f)
{
	uint64_t size = 0;
	TF_TRY(tf_file_size(file, &size, f));
	if (offset > size)
		return tf_fault(f, TF_INVALID, "offset %llu is past its end at %llu", (unsigned long long)offset,
				(unsigned long long)size);
	n = n < size - offset ? n : size - offset;
	uint8_t *room = tf_buf_room(out, (size_t)n);
	if (!room)
		return tf_fault(f, out->err, "%llu bytes: %s", (unsigned long long)n, tf_err_text(out->err));
	TF_TRY(tf_file_read_exact(file, room, (size_t)n, offset, f));
	out->n += (size_t)n;
	return TF_OK;
}

static enum tf_err
dir_get(struct tf_blob *b, struct tf_str key, uint64_t offset, uint64_t n, struct tf_buf *out, struct tf_fault *f)
{
	struct tf_file *file = NULL;
	TF_TRY(open_object(dir_of(b), key, &file, f));
	enum tf_err e = read_into(file, offset, n, out, f);
	tf_file_close(&file);
	return e;
}

static enum tf_err
dir_stat(struct tf_blob *b, struct tf_str key, struct tf_blob_info *out, struct tf_fault *f)
{
	struct dir *d = dir_of(b);
	char path[TF_BLOB_PATH_MAX];
	struct tf_stat st;
	path_of(d, key, path);
	TF_TRY(tf_os_stat(d->os, path, &st, f));
	if (st.is_dir)
		return tf_fault(f, TF_NOT_FOUND, "'%s' is a directory of objects", path);
	*out = (struct tf_blob_info){.size = st.size, .disk = st.disk, .modified = st.modified};
	return TF_OK;
}

static enum tf_err
dir_path(struct tf_blob *b, struct tf_str key, char *out_path, struct tf_fault *f)
{
	struct tf_blob_info info;
	TF_TRY(dir_stat(b, key, &info, f));
	path_of(dir_of(b), key, out_path);
	return TF_OK;
}

/* ---- listing ---- */

struct listing {
	struct dir *d;
	struct tf_str prefix;
	tf_blob_entry *each;
	void *ctx;
	struct tf_fault *f;
};

/* One directory's names, NUL-terminated one after another, and where each starts. A directory's name ends with '/', so
 * that sorting names sorts keys: "a-b" comes before "a/c". */
struct names {
	struct tf_buf text, starts;
};

static enum tf_err
take_name(void *ctx, const char *name, bool is_dir)
{
	struct names *n = ctx;
	if (name[0] == '.')
		return TF_OK;
	tf_buf_u64(&n->starts, n->text.n);
	tf_buf_cstr(&n->text, name);
	tf_buf_put(&n->text, "/", is_dir);
	tf_buf_u8(&n->text, 0);
	return n->text.err ? n->text.err : n->starts.err;
}

static int
by_name(const void *a, const void *b, void *text)
{
	return strcmp((const char *)text + *(const uint64_t *)a, (const char *)text + *(const uint64_t *)b);
}

static bool
may_match(const char *key, struct tf_str prefix)
{
	struct tf_str k = tf_str(key);
	return k.n < prefix.n ? tf_str_starts(prefix, k) : tf_str_starts(k, prefix);
}

static enum tf_err walk(struct listing *l, const char *at);

static enum tf_err
visit(struct listing *l, const char *key)
{
	size_t n = strlen(key);
	struct tf_blob_info info;
	if (!may_match(key, l->prefix))
		return TF_OK;
	if (key[n - 1] == '/')
		return walk(l, key);
	if (n < l->prefix.n)
		return TF_OK;
	enum tf_err e = dir_stat(&l->d->base, tf_str_n(key, n), &info, l->f);
	if (e == TF_NOT_FOUND) /* deleted since its name was read */
		return TF_OK;
	return e ? e : l->each(l->ctx, tf_str_n(key, n), &info);
}

/* Everything in directory `at`: "" or a key's directory with '/' at its end. */
static enum tf_err
walk(struct listing *l, const char *at)
{
	char path[TF_BLOB_PATH_MAX], key[TF_BLOB_KEY_MAX + 2];
	struct names n;
	path_of(l->d, tf_str(at), path);
	tf_buf_init(&n.text, NAMES_MAX);
	tf_buf_init(&n.starts, NAMES_MAX);
	enum tf_err e = tf_os_list(l->d->os, path, take_name, &n, l->f);
	if (e && (n.text.err || n.starts.err))
		tf_fault(l->f, e, "cannot list '%s': %s", path, tf_err_text(e));
	if (e == TF_NOT_FOUND)
		e = TF_OK;
	uint64_t *starts = (uint64_t *)(void *)n.starts.p;
	size_t count = n.starts.n / sizeof *starts;
	if (count)
		qsort_r(starts, count, sizeof *starts, by_name, n.text.p);
	for (size_t i = 0; e == TF_OK && i < count; i++) {
		int len = snprintf(key, sizeof key, "%s%s", at, (const char *)n.text.p + starts[i]);
		if (len > 0 && (size_t)len < sizeof key) /* longer: not made by us */
			e = visit(l, key);
	}
	tf_buf_release(&n.text);
	tf_buf_release(&n.starts);
	return e;
}

static enum tf_err
dir_list(struct tf_blob *b, struct tf_str prefix, tf_blob_entry *each, void *ctx, struct tf_fault *f)
{
	char at[TF_BLOB_KEY_MAX + 2];
	size_t n = prefix.n;
	while (n && prefix.p[n - 1] != '/')
		n--;
	if (n)
		memcpy(at, prefix.p, n);
	at[n] = 0;
	if (at[0] == '/' || at[0] == '.' || strstr(at, "/.") || strstr(at, "//"))
		return TF_OK; /* no key is like this */
	struct listing l = {.d = dir_of(b), .prefix = prefix, .each = each, .ctx = ctx, .f = f};
	return walk(&l, at);
}

/* ---- life ---- */

static void
dir_close(struct tf_blob *b)
{
	tf_free(dir_of(b));
}

static const struct tf_blob_ops ops = {
	.close = dir_close,
	.put = dir_put,
	.temp = dir_temp,
	.take_file = dir_take_file,
	.get = dir_get,
	.stat = dir_stat,
	.etag = dir_etag,
	.path = dir_path,
	.remove = dir_remove,
	.list = dir_list,
};

enum tf_err
tf_blob_dir_open(struct tf_os *os, struct tf_str root, struct tf_blob **out, struct tf_fault *f)
{
	struct dir *d = tf_calloc(1, sizeof *d);
	if (!d)
		return tf_fault(f, TF_NO_MEMORY, "cannot open store '%.*s': out of memory", TF_FMT(root));
	d->base.ops = &ops;
	d->os = os;
	memcpy(d->root, root.p, root.n);
	*out = &d->base;
	return TF_OK;
}
