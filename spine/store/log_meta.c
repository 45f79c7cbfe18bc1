/* DIR/meta: partition count, trim floors and consumer positions; small, replaced as a whole. docs/formats/log.md
 *
 *    0   8  magic "TFLOGMET"
 *    8   4  version, 1
 *   12   4  partitions
 *   16   8  floor of partition 0: the first offset held; segments below are leftovers of a trim
 *    .   8  ... of each partition
 *    .   4  consumers; then for each of them
 *             4  partition
 *             8  position
 *             -  name: length as varint, then that many bytes
 *    .   8  XXH3-64 of everything before */
#include <inttypes.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/log_impl.h"

#define META_MAGIC     TF_STR("TFLOGMET")
#define META_BYTES_MAX ((size_t)LOG_PARTITIONS_MAX * 8 + (size_t)LOG_CONSUMERS_MAX * (LOG_NAME_MAX + 14) + 64)

enum tf_err
log_partitions_new(struct tf_log *log, struct tf_fault *f)
{
	log->partitions = tf_calloc(log->partition_count, sizeof(*log->partitions));
	if (!log->partitions)
		return tf_fault(f, TF_NO_MEMORY, "cannot open log '%.200s': out of memory", log->dir);
	for (uint32_t i = 0; i < log->partition_count; i++) {
		log->partitions[i].number = i;
		pthread_mutex_init(&log->partitions[i].lock, NULL);
		pthread_cond_init(&log->partitions[i].synced_cond, NULL);
	}
	return TF_OK;
}

static void
consumers_free(struct log_consumer *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		tf_free(list[i].name);
	tf_free(list);
}

static enum tf_err
decode_consumers(struct tf_cur *c, uint32_t partitions, struct log_consumer *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		list[i].partition = tf_cur_u32(c);
		list[i].offset = tf_cur_u64(c);
		struct tf_str name = tf_cur_lstr(c);
		if (c->bad || name.n == 0 || name.n > LOG_NAME_MAX || list[i].partition >= partitions)
			return TF_CORRUPT;
		list[i].name = tf_strndup(name.p, name.n);
		if (!list[i].name)
			return TF_NO_MEMORY;
	}
	return tf_cur_left(c) == 0 ? TF_OK : TF_CORRUPT;
}

/* The part after the version. */
static enum tf_err
decode(struct tf_log *log, struct tf_cur *c, struct tf_fault *f)
{
	uint32_t partitions = tf_cur_u32(c);
	struct tf_cur floors = *c;
	if (partitions == 0 || partitions > LOG_PARTITIONS_MAX ||
	    (log->partitions && partitions != log->partition_count))
		return TF_CORRUPT;
	tf_cur_bytes(c, (size_t)partitions * 8);
	uint32_t count = tf_cur_u32(c);
	if (c->bad || count > LOG_CONSUMERS_MAX)
		return TF_CORRUPT;
	struct log_consumer *list = tf_calloc(count, sizeof(*list));
	if (!list)
		return TF_NO_MEMORY;
	enum tf_err e = decode_consumers(c, partitions, list, count);
	if (e == TF_OK && !log->partitions) {
		log->partition_count = partitions;
		e = log_partitions_new(log, f);
	}
	if (e != TF_OK) {
		consumers_free(list, count);
		return e;
	}
	for (uint32_t i = 0; i < partitions; i++) {
		pthread_mutex_lock(&log->partitions[i].lock);
		log->partitions[i].floor = tf_cur_u64(&floors);
		pthread_mutex_unlock(&log->partitions[i].lock);
	}
	consumers_free(log->consumers, log->consumer_count);
	log->consumers = list;
	log->consumer_count = count;
	return TF_OK;
}

static enum tf_err
decode_sealed(struct tf_log *log, struct tf_str bytes, const char *path, struct tf_fault *f)
{
	if (bytes.n < META_MAGIC.n + 12 || !tf_str_starts(bytes, META_MAGIC))
		return tf_fault(f, TF_CORRUPT, "'%s' byte 0: not the meta file of a log", path);
	struct tf_str body = tf_str_n(bytes.p, bytes.n - 8);
	struct tf_cur tail = tf_cur(tf_str_n(bytes.p + body.n, 8));
	if (tf_cur_u64(&tail) != XXH3_64bits(body.p, body.n))
		return tf_fault(f, TF_CORRUPT, "'%s' byte %zu: file does not match its checksum", path, body.n);
	struct tf_cur c = tf_cur(body);
	tf_cur_bytes(&c, META_MAGIC.n);
	uint32_t version = tf_cur_u32(&c);
	if (version != LOG_META_VERSION)
		return tf_fault(f, TF_UNSUPPORTED, "'%s' byte 8: version %" PRIu32 " is not known", path, version);
	enum tf_err e = decode(log, &c, f);
	if (e != TF_OK)
		return tf_fault(f, e, "'%s' byte %zu: %s", path, (size_t)(c.p - (const uint8_t *)body.p),
				tf_err_text(e));
	return TF_OK;
}

enum tf_err
log_meta_read(struct tf_log *log, struct tf_fault *f)
{
	char path[LOG_PATH_MAX], *p;
	size_t n;
	TF_TRY(log_path(log, path, f, "meta"));
	TF_TRY(tf_os_read_file(log->os, path, META_BYTES_MAX, &p, &n, f));
	enum tf_err e = decode_sealed(log, tf_str_n(p, n), path, f);
	tf_free(p);
	return e;
}

enum tf_err
log_meta_write(struct tf_log *log, struct tf_fault *f)
{
	char path[LOG_PATH_MAX];
	TF_TRY(log_path(log, path, f, "meta"));
	struct tf_buf b;
	tf_buf_init(&b, META_BYTES_MAX);
	tf_buf_str(&b, META_MAGIC);
	tf_buf_u32(&b, LOG_META_VERSION);
	tf_buf_u32(&b, log->partition_count);
	for (uint32_t i = 0; i < log->partition_count; i++)
		tf_buf_u64(&b, log->partitions[i].floor);
	tf_buf_u32(&b, (uint32_t)log->consumer_count);
	for (size_t i = 0; i < log->consumer_count; i++) {
		tf_buf_u32(&b, log->consumers[i].partition);
		tf_buf_u64(&b, log->consumers[i].offset);
		tf_buf_lstr(&b, tf_str(log->consumers[i].name));
	}
	tf_buf_u64(&b, b.err == TF_OK ? XXH3_64bits(b.p, b.n) : 0);
	enum tf_err e = b.err != TF_OK ? tf_fault(f, b.err, "cannot write '%s': %s", path, tf_err_text(b.err))
				       : tf_os_write_file(log->os, path, tf_buf_view(&b), f);
	tf_buf_release(&b);
	return e;
}

static struct log_consumer *
find(struct tf_log *log, struct tf_str name, uint32_t partition)
{
	for (size_t i = 0; i < log->consumer_count; i++)
		if (log->consumers[i].partition == partition && tf_str_eq(tf_str(log->consumers[i].name), name))
			return &log->consumers[i];
	return NULL;
}

static enum tf_err
consumer_add(struct tf_log *log, struct tf_str name, uint32_t partition, uint64_t offset, struct tf_fault *f)
{
	if (log->consumer_count == LOG_CONSUMERS_MAX)
		return tf_fault(f, TF_TOO_LARGE, "log '%.200s' has %d consumers already", log->dir, LOG_CONSUMERS_MAX);
	struct log_consumer *more = tf_realloc(log->consumers, (log->consumer_count + 1) * sizeof(*more));
	if (more)
		log->consumers = more;
	char *copy = more ? tf_strndup(name.p, name.n) : NULL;
	if (!copy)
		return tf_fault(f, TF_NO_MEMORY, "cannot add consumer '%.*s': out of memory", TF_FMT(name));
	log->consumers[log->consumer_count++] = (struct log_consumer){copy, partition, offset};
	return TF_OK;
}

static enum tf_err
set_locked(struct tf_log *log, struct tf_str name, uint32_t partition, uint64_t offset, struct tf_fault *f)
{
	struct log_consumer *c = find(log, name, partition);
	if (c && c->offset == offset)
		return TF_OK;
	uint64_t was = c ? c->offset : 0;
	bool added = !c;
	if (added)
		TF_TRY(consumer_add(log, name, partition, offset, f));
	else
		c->offset = offset;
	enum tf_err e = log_meta_write(log, f);
	if (e == TF_OK)
		return TF_OK;
	if (added)
		tf_free(log->consumers[--log->consumer_count].name);
	else
		c->offset = was;
	return e;
}

enum tf_err
tf_log_consumer_set(struct tf_log *log, struct tf_str name, uint32_t partition, uint64_t offset, struct tf_fault *f)
{
	TF_TRY(log_writable(log, partition, f));
	if (name.n == 0 || name.n > LOG_NAME_MAX || memchr(name.p, 0, name.n))
		return tf_fault(f, TF_INVALID, "consumer name '%.*s' is not 1 to %d bytes without NUL", TF_FMT(name),
				LOG_NAME_MAX);
	struct log_partition *p = &log->partitions[partition];
	pthread_mutex_lock(&p->lock);
	uint64_t synced = p->synced.next;
	pthread_mutex_unlock(&p->lock);
	if (offset > synced)
		return tf_fault(f, TF_INVALID, "consumer '%.*s' cannot be at %" PRIu64 ": only %" PRIu64 " are synced",
				TF_FMT(name), offset, synced);
	pthread_mutex_lock(&log->meta_lock);
	enum tf_err e = set_locked(log, name, partition, offset, f);
	pthread_mutex_unlock(&log->meta_lock);
	return e;
}

enum tf_err
tf_log_consumer_get(struct tf_log *log, struct tf_str name, uint32_t partition, uint64_t *out_offset,
		    struct tf_fault *f)
{
	TF_TRY(log_usable(log, partition, f));
	pthread_mutex_lock(&log->meta_lock);
	enum tf_err e = log->read_only ? log_meta_read(log, f) : TF_OK;
	struct log_consumer *c = e == TF_OK ? find(log, name, partition) : NULL;
	if (c)
		*out_offset = c->offset;
	pthread_mutex_unlock(&log->meta_lock);
	if (e == TF_OK && !c)
		e = tf_fault(f, TF_NOT_FOUND, "consumer '%.*s' has no position", TF_FMT(name));
	return e;
}
