/* The writer: open, append, group commit, roll. The byte format stands in log_format.c and log_meta.c.
 *
 * An append goes into the partition's buffer, a large payload straight to the file. A sync writes the buffer, calls
 * fdatasync without holding up appends, then writes the mark that tells how far is durable. */
#include <inttypes.h>

#include "base/mem.h"
#include "store/log_impl.h"

#define SEGMENT_BYTES_DEFAULT (UINT64_C(64) << 20)
#define RECORD_BYTES_DEFAULT  (UINT32_C(64) << 20)

enum tf_err
log_usable(const struct tf_log *log, uint32_t partition, struct tf_fault *f)
{
	if (atomic_load(&log->broken))
		return tf_fault(f, TF_IO, "log '%.200s' is broken since a write or sync failed", log->dir);
	if (partition >= log->partition_count)
		return tf_fault(f, TF_INVALID, "log '%.200s' has no partition %" PRIu32, log->dir, partition);
	return TF_OK;
}

enum tf_err
log_writable(const struct tf_log *log, uint32_t partition, struct tf_fault *f)
{
	if (log->read_only)
		return tf_fault(f, TF_DENIED, "log '%.200s' is open for reading only", log->dir);
	return log_usable(log, partition, f);
}

static enum tf_err
lock_marks(struct tf_log *log, struct tf_fault *f)
{
	enum tf_err e = TF_BUSY;
	for (int i = 0; e == TF_BUSY && i < LOG_LOCK_TRIES; i++)
		e = tf_file_lock(log->marks, true, f);
	if (e == TF_BUSY)
		return tf_fault(f, e, "log '%.200s' has another writer", log->dir);
	return e;
}

static enum tf_err
open_marks(struct tf_log *log, struct tf_fault *f)
{
	char path[LOG_PATH_MAX];
	TF_TRY(log_path(log, path, f, "synced"));
	enum tf_err e = tf_os_open(log->os, path, log->read_only ? TF_OPEN_READ : TF_OPEN_WRITE, &log->marks, f);
	if (log->read_only)
		return e;
	if (e == TF_NOT_FOUND) {
		TF_TRY(tf_os_mkdirs_sync(log->os, log->dir, f));
		e = tf_os_open(log->os, path, TF_OPEN_CREATE, &log->marks, f);
	}
	TF_TRY(e);
	return lock_marks(log, f);
}

/* The meta file comes last: where it is, everything else is. */
static enum tf_err
create(struct tf_log *log, struct tf_fault *f)
{
	char path[LOG_PATH_MAX];
	TF_TRY(log_partitions_new(log, f));
	for (uint32_t i = 0; i < log->partition_count; i++) {
		TF_TRY(log_path(log, path, f, "%" PRIu32, i));
		TF_TRY(tf_os_mkdirs(log->os, path, f));
		TF_TRY(log_segments_list(log, &log->partitions[i], f));
		if (log->partitions[i].segment_count)
			return tf_fault(f, TF_CORRUPT, "'%s/meta' byte 0: file is missing", log->dir);
	}
	TF_TRY(tf_os_sync_dir(log->os, log->dir, f));
	return log_meta_write(log, f);
}

static enum tf_err
open_meta(struct tf_log *log, uint32_t partitions, struct tf_fault *f)
{
	enum tf_err e = log_meta_read(log, f);
	if (e == TF_NOT_FOUND && !log->read_only) {
		log->partition_count = partitions ? partitions : 1;
		return create(log, f);
	}
	TF_TRY(e);
	if (partitions && partitions != log->partition_count)
		return tf_fault(f, TF_CONFLICT, "log '%.200s' has %" PRIu32 " partitions, not %" PRIu32, log->dir,
				log->partition_count, partitions);
	return TF_OK;
}

static enum tf_err
open_all(struct tf_log *log, uint32_t partitions, struct tf_fault *f)
{
	TF_TRY(open_marks(log, f));
	TF_TRY(open_meta(log, partitions, f));
	for (uint32_t i = 0; i < log->partition_count; i++)
		if (log->read_only)
			TF_TRY(log_refresh(log, &log->partitions[i], f));
		else
			TF_TRY(log_recover(log, &log->partitions[i], f));
	return TF_OK;
}

enum tf_err
tf_log_open(struct tf_os *os, const char *dir, const struct tf_log_options *o, struct tf_log **out, struct tf_fault *f)
{
	const struct tf_log_options none = {0};
	o = o ? o : &none;
	if (o->partitions > LOG_PARTITIONS_MAX)
		return tf_fault(f, TF_INVALID, "log '%.200s' cannot have more than %d partitions", dir,
				LOG_PARTITIONS_MAX);
	struct tf_log *log = tf_calloc(1, sizeof(*log));
	char *copy = tf_strndup(dir, strlen(dir));
	if (!log || !copy) {
		tf_free(log);
		tf_free(copy);
		return tf_fault(f, TF_NO_MEMORY, "cannot open log '%.200s': out of memory", dir);
	}
	log->os = os;
	log->dir = copy;
	log->segment_bytes = o->segment_bytes ? o->segment_bytes : SEGMENT_BYTES_DEFAULT;
	log->record_bytes_max = o->record_bytes_max ? o->record_bytes_max : RECORD_BYTES_DEFAULT;
	log->read_only = o->read_only;
	pthread_mutex_init(&log->meta_lock, NULL);
	enum tf_err e = open_all(log, o->partitions, f);
	if (e != TF_OK) {
		log->broken = true; /* nothing to settle */
		tf_log_close(&log);
		return e;
	}
	*out = log;
	return TF_OK;
}

/* Best effort: a mark that lags costs a longer scan, no more. */
static void
settle_marks(struct tf_log *log)
{
	for (uint32_t i = 0; i < log->partition_count; i++)
		if (log->partitions[i].mark_dirty && log_mark_settle(log, &log->partitions[i], NULL) != TF_OK)
			return;
}

static void
partition_release(struct log_partition *p)
{
	tf_file_close(&p->file);
	tf_free(p->buffer);
	tf_free(p->spare);
	log_segments_clear(p);
	pthread_cond_destroy(&p->synced_cond);
	pthread_mutex_destroy(&p->lock);
}

void
tf_log_close(struct tf_log **log)
{
	struct tf_log *l = *log;
	if (!l)
		return;
	if (!l->broken && !l->read_only)
		settle_marks(l);
	for (uint32_t i = 0; l->partitions && i < l->partition_count; i++)
		partition_release(&l->partitions[i]);
	tf_free(l->partitions);
	for (size_t i = 0; i < l->consumer_count; i++)
		tf_free(l->consumers[i].name);
	tf_free(l->consumers);
	tf_file_close(&l->marks);
	pthread_mutex_destroy(&l->meta_lock);
	tf_free(l->dir);
	tf_free(l);
	*log = NULL;
}

static enum tf_err
flush(struct log_partition *p, struct tf_fault *f)
{
	if (p->buffered)
		TF_TRY(tf_file_write(p->file, p->buffer, p->buffered, p->end.at - p->buffered, f));
	p->buffered = 0;
	return TF_OK;
}

enum tf_err
log_segment_create(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	char path[LOG_PATH_MAX];
	TF_TRY(log_segments_reserve(p, f));
	TF_TRY(log_segment_path(log, p, p->end.next, path, f));
	struct log_segment_header h = {.partition = p->number, .first = p->end.next, .time = p->end.time};
	tf_os_random(log->os, &h.id, sizeof(h.id));
	log_segment_header_seal(&h);
	struct tf_file *file;
	TF_TRY(tf_os_open(log->os, path, TF_OPEN_CREATE | TF_OPEN_EXCLUSIVE, &file, f));
	enum tf_err e = tf_file_write(file, &h, sizeof(h), 0, f);
	if (e == TF_OK)
		e = tf_file_sync(file, f);
	if (e == TF_OK)
		e = tf_os_sync_parent(log->os, path, f);
	if (e != TF_OK) {
		tf_file_close(&file);
		return e;
	}
	if (p->segment_count)
		log_segment_last(p)->bytes = p->end.at;
	p->segments[p->segment_count++] =
		(struct log_segment){.first = h.first, .time = h.time, .id = h.id, .known = true};
	tf_file_close(&p->file);
	p->file = file;
	p->end.at = LOG_SEGMENT_HEADER;
	p->synced = p->end;
	return TF_OK;
}

enum tf_err
log_roll(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	TF_TRY(flush(p, f));
	if (p->synced.next != p->end.next) {
		TF_TRY(tf_file_sync(p->file, f));
		p->synced = p->end;
	}
	TF_TRY(log_segment_create(log, p, f));
	return log_mark_write(log, p, f);
}

/* Puts bytes behind what is buffered; large ones go to the file by themselves. */
static enum tf_err
put(struct log_partition *p, const void *bytes, size_t n, struct tf_fault *f)
{
	if (p->buffered + n > LOG_BUFFER || n >= LOG_DIRECT)
		TF_TRY(flush(p, f));
	if (n >= LOG_DIRECT)
		TF_TRY(tf_file_write(p->file, bytes, n, p->end.at, f));
	else if (n) {
		memcpy(p->buffer + p->buffered, bytes, n);
		p->buffered += n;
	}
	p->end.at += n;
	return TF_OK;
}

static tf_time
next_time(const struct tf_log *log, const struct log_partition *p)
{
	tf_time now = tf_os_now(log->os);
	return now > p->end.time ? now : p->end.time;
}

/* Any failure in here leaves a file that nobody knows: the log is broken. */
static enum tf_err
append_record(struct tf_log *log, struct log_partition *p, uint32_t type, struct tf_str bytes, struct tf_fault *f)
{
	static const char zeros[8];
	uint64_t size = LOG_RECORD_HEADER + LOG_ALIGN(bytes.n);
	if (p->end.at > LOG_SEGMENT_HEADER && p->end.at + size > log->segment_bytes)
		TF_TRY(log_roll(log, p, f));
	uint64_t behind = p->end.next - p->synced.next;
	struct log_record_header h = {
		.length = (uint32_t)bytes.n,
		.offset = p->end.next,
		.time = next_time(log, p),
		.type = type,
		.behind = behind < UINT32_MAX ? (uint32_t)behind : UINT32_MAX,
		.payload_check = log_payload_check(bytes),
	};
	log_record_header_seal(&h, log_segment_last(p)->id);
	TF_TRY(put(p, &h, sizeof(h), f));
	TF_TRY(put(p, bytes.p, bytes.n, f));
	TF_TRY(put(p, zeros, (size_t)(LOG_ALIGN(bytes.n) - bytes.n), f));
	p->end.next++;
	p->end.time = h.time;
	return TF_OK;
}

/* Under the lock. */
static enum tf_err
append(struct tf_log *log, struct log_partition *p, uint32_t type, struct tf_str bytes, struct tf_fault *f)
{
	if (!p->buffer)
		p->buffer = tf_malloc(LOG_BUFFER);
	if (!p->buffer)
		return tf_fault(f, TF_NO_MEMORY, "cannot append to log '%.200s': out of memory", log->dir);
	while (p->syncing && p->end.at + LOG_RECORD_HEADER + LOG_ALIGN(bytes.n) > log->segment_bytes)
		pthread_cond_wait(&p->synced_cond, &p->lock);
	TF_TRY(log_usable(log, p->number, f));
	enum tf_err e = append_record(log, p, type, bytes, f);
	if (e != TF_OK)
		atomic_store(&log->broken, true);
	return e;
}

enum tf_err
tf_log_append(struct tf_log *log, uint32_t partition, uint32_t type, struct tf_str bytes, uint64_t *out_offset,
	      struct tf_fault *f)
{
	TF_TRY(log_writable(log, partition, f));
	if (bytes.n > log->record_bytes_max)
		return tf_fault(f, TF_TOO_LARGE, "record of %zu bytes is over the log's limit of %" PRIu32, bytes.n,
				log->record_bytes_max);
	struct log_partition *p = &log->partitions[partition];
	pthread_mutex_lock(&p->lock);
	enum tf_err e = append(log, p, type, bytes, f);
	if (e == TF_OK && out_offset)
		*out_offset = p->end.next - 1;
	pthread_mutex_unlock(&p->lock);
	return e;
}

/* Under the lock, which is let go of while what is buffered is written and synced: what is appended meanwhile goes into
 * the other buffer. */
static enum tf_err
sync_partition(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	while (p->syncing)
		pthread_cond_wait(&p->synced_cond, &p->lock);
	TF_TRY(log_usable(log, p->number, f));
	if (p->synced.next == p->end.next)
		return TF_OK;
	struct log_place upto = p->end;
	uint8_t *bytes = p->buffer;
	size_t n = p->buffered;
	p->buffer = p->spare;
	p->spare = NULL;
	p->buffered = 0;
	p->syncing = true;
	pthread_mutex_unlock(&p->lock);
	enum tf_err e = n ? tf_file_write(p->file, bytes, n, upto.at - n, f) : TF_OK;
	if (e == TF_OK)
		e = tf_file_sync(p->file, f);
	pthread_mutex_lock(&p->lock);
	p->syncing = false;
	p->spare = bytes;
	if (e == TF_OK) {
		p->synced = upto;
		e = log_mark_write(log, p, f);
	}
	if (e != TF_OK)
		atomic_store(&log->broken, true);
	pthread_cond_broadcast(&p->synced_cond);
	return e;
}

enum tf_err
tf_log_sync(struct tf_log *log, struct tf_fault *f)
{
	TF_TRY(log_writable(log, 0, f));
	for (uint32_t i = 0; i < log->partition_count; i++) {
		struct log_partition *p = &log->partitions[i];
		pthread_mutex_lock(&p->lock);
		enum tf_err e = sync_partition(log, p, f);
		pthread_mutex_unlock(&p->lock);
		TF_TRY(e);
	}
	return TF_OK;
}

uint32_t
tf_log_partitions(const struct tf_log *log)
{
	return log->partition_count;
}

uint64_t
tf_log_end(const struct tf_log *log, uint32_t partition)
{
	struct log_partition *p = &log->partitions[partition];
	pthread_mutex_lock(&p->lock);
	uint64_t end = p->end.next;
	pthread_mutex_unlock(&p->lock);
	return end;
}

uint64_t
tf_log_synced(const struct tf_log *log, uint32_t partition)
{
	struct log_partition *p = &log->partitions[partition];
	pthread_mutex_lock(&p->lock);
	uint64_t synced = p->synced.next;
	pthread_mutex_unlock(&p->lock);
	return synced;
}

uint64_t
tf_log_first(const struct tf_log *log, uint32_t partition)
{
	struct log_partition *p = &log->partitions[partition];
	pthread_mutex_lock(&p->lock);
	uint64_t first = p->floor;
	pthread_mutex_unlock(&p->lock);
	return first;
}

uint64_t
tf_log_bytes(const struct tf_log *log, uint32_t partition)
{
	struct log_partition *p = &log->partitions[partition];
	pthread_mutex_lock(&p->lock);
	uint64_t bytes = p->end.at;
	for (size_t i = 0; i + 1 < p->segment_count; i++)
		bytes += p->segments[i].bytes;
	pthread_mutex_unlock(&p->lock);
	return bytes;
}
