/* What is there when a log is opened: which segments, and where the last one ends.
 * The writer repairs what an interrupted write, roll or trim left; a reader only leaves it out of account. */
#include <inttypes.h>

#include "base/mem.h"
#include "store/log_impl.h"

#define REFRESH_TRIES 5 /* a reader that meets a trim or a roll half-way looks again */

struct recovery {
	struct tf_log *log;
	struct log_partition *p;
	struct log_mark mark;
	bool has_mark;
	struct log_tail tail;
	char path[LOG_PATH_MAX]; /* of the last segment */
};

static enum tf_err
recovery_start(struct recovery *r, struct tf_fault *f)
{
	TF_TRY(log_mark_read(r->log, r->p->number, &r->mark, &r->has_mark, f));
	TF_TRY(log_segments_list(r->log, r->p, f));
	r->tail.mark = r->has_mark ? &r->mark : NULL;
	r->tail.durable = r->has_mark ? r->mark.next : 0;
	if (r->has_mark)
		r->p->mark_serial = r->mark.serial;
	return TF_OK;
}

/* Positions are set only to what is synced. Not under a lock: the log is just being opened. */
static void
count_consumers(struct recovery *r)
{
	for (size_t i = 0; i < r->log->consumer_count; i++) {
		const struct log_consumer *c = &r->log->consumers[i];
		if (c->partition == r->p->number && c->offset > r->tail.durable)
			r->tail.durable = c->offset;
	}
}

/* What a trim did not come to remove. */
static enum tf_err
drop_leftovers(struct recovery *r, bool unlink, struct tf_fault *f)
{
	bool first = true;
	while (r->p->segment_count && r->p->segments[0].first < r->p->floor) {
		if (unlink && first) /* the floor must not come back without them */
			TF_TRY(tf_os_sync_dir(r->log->os, r->log->dir, f));
		first = false;
		if (unlink) {
			TF_TRY(log_segment_path(r->log, r->p, r->p->segments[0].first, r->path, f));
			TF_TRY(tf_os_unlink(r->log->os, r->path, f));
		}
		log_segments_remove_first(r->p);
	}
	return TF_OK;
}

static enum tf_err
sync_partition_dir(struct recovery *r, struct tf_fault *f)
{
	char path[LOG_PATH_MAX];
	TF_TRY(log_path(r->log, path, f, "%" PRIu32, r->p->number));
	return tf_os_sync_dir(r->log->os, path, f);
}

/* A segment is created after everything before it was synced, and is used after it was synced itself. So one without
 * a header that nothing vouches for holds nothing. */
static enum tf_err
drop_unfinished(struct recovery *r, struct tf_file *file, bool *out, struct tf_fault *f)
{
	struct log_segment *last = log_segment_last(r->p);
	struct log_segment_header h;
	struct tf_fault why = {0};
	*out = false;
	enum tf_err e = log_segment_header_read(file, r->path, r->p->number, last->first, &h, &why);
	if (e == TF_OK)
		return TF_OK;
	bool vouched = (r->has_mark && r->mark.segment == last->first) || r->tail.durable > last->first;
	if (e == TF_CORRUPT && !vouched)
		TF_TRY(log_tail_unfinished(file, out, f));
	if (!*out)
		return tf_fault(f, e, "%s", why.text);
	r->tail.durable = last->first;
	log_segments_remove_last(r->p);
	return TF_OK;
}

static enum tf_err
open_last(struct recovery *r, unsigned flags, struct tf_file **out, struct tf_fault *f)
{
	TF_TRY(log_segment_path(r->log, r->p, log_segment_last(r->p)->first, r->path, f));
	return tf_os_open(r->log->os, r->path, flags, out, f);
}

/* Opens the last segment that is one; *out is NULL when there is none. */
static enum tf_err
open_finished(struct recovery *r, bool writer, struct tf_file **out, struct tf_fault *f)
{
	*out = NULL;
	while (!*out && r->p->segment_count) {
		struct tf_file *file;
		bool dropped;
		TF_TRY(open_last(r, writer ? TF_OPEN_WRITE : TF_OPEN_READ, &file, f));
		enum tf_err e = drop_unfinished(r, file, &dropped, f);
		if (e == TF_OK && !dropped) {
			*out = file;
			return TF_OK;
		}
		tf_file_close(&file);
		if (e == TF_OK && writer)
			e = tf_os_unlink(r->log->os, r->path, f);
		if (e == TF_OK && writer) /* it must not come back when the log has grown past it */
			e = sync_partition_dir(r, f);
		TF_TRY(e);
	}
	return TF_OK;
}

/* Nothing may be missing: floor and marks were synced before anyone could rely on them. */
static enum tf_err
check_list(struct recovery *r, struct tf_fault *f)
{
	const struct log_partition *p = r->p;
	uint64_t missing = p->floor;
	bool there = p->segment_count ? p->segments[0].first == p->floor : !r->has_mark;
	if (there && r->has_mark && r->mark.segment >= p->floor) {
		missing = r->mark.segment;
		there = log_segment_of(r->p, missing) && log_segment_of(r->p, missing)->first == missing;
	}
	if (!there) {
		TF_TRY(log_segment_path(r->log, p, missing, r->path, f));
		return tf_fault(f, TF_CORRUPT, "'%s' byte 0: segment is missing", r->path);
	}
	bool used = p->segment_count > 1 || (p->segment_count && p->segments[0].bytes > LOG_SEGMENT_HEADER);
	if (!r->has_mark && used)
		return tf_fault(f, TF_CORRUPT, "'%s/synced' byte %zu: both marks of partition %" PRIu32 " are damaged",
				r->log->dir, 2 * LOG_MARK * p->number, p->number);
	return TF_OK;
}

/* Writes bytes over themselves. A sync that failed has left pages in the cache that are not on the disk and count as
 * clean: the next sync would call them durable without writing them. */
static enum tf_err
rewrite(struct tf_file *file, uint64_t from, uint64_t to, struct tf_fault *f)
{
	uint8_t *bytes = tf_malloc(LOG_BUFFER);
	if (!bytes)
		return tf_fault(f, TF_NO_MEMORY, "cannot recover a log: out of memory");
	enum tf_err e = TF_OK;
	while (e == TF_OK && from < to) {
		size_t n = to - from < LOG_BUFFER ? (size_t)(to - from) : LOG_BUFFER;
		e = tf_file_read_exact(file, bytes, n, from, f);
		if (e == TF_OK)
			e = tf_file_write(file, bytes, n, from, f);
		from += n;
	}
	tf_free(bytes);
	return e;
}

/* Cuts what is torn, and makes durable what a killed process may have left in the page cache only. */
static enum tf_err
settle(struct recovery *r, struct tf_file *file, struct tf_fault *f)
{
	struct log_partition *p = r->p;
	const struct log_tail *t = &r->tail;
	p->end = p->synced = t->end;
	bool vouched = r->has_mark && r->mark.segment == log_segment_last(p)->first;
	if (vouched && r->mark.bytes == t->end.at && t->file_bytes == t->end.at)
		return TF_OK;
	if (t->file_bytes > t->end.at)
		TF_TRY(tf_file_truncate(file, t->end.at, f));
	TF_TRY(rewrite(file, vouched ? r->mark.bytes : 0, t->end.at, f));
	TF_TRY(tf_file_sync(file, f));
	TF_TRY(sync_partition_dir(r, f));
	return log_mark_settle(r->log, p, f);
}

static enum tf_err
first_segment(struct recovery *r, struct tf_fault *f)
{
	TF_TRY(tf_os_sync_dir(r->log->os, r->log->dir, f));
	r->p->end = (struct log_place){0, r->p->floor, tf_os_now(r->log->os)};
	TF_TRY(log_segment_create(r->log, r->p, f));
	return log_mark_settle(r->log, r->p, f);
}

enum tf_err
log_recover(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	struct recovery r = {.log = log, .p = p};
	TF_TRY(recovery_start(&r, f));
	count_consumers(&r);
	TF_TRY(drop_leftovers(&r, true, f));
	struct tf_file *file;
	TF_TRY(open_finished(&r, true, &file, f));
	p->file = file;
	TF_TRY(check_list(&r, f));
	if (!file)
		return first_segment(&r, f);
	TF_TRY(log_tail_find(p, file, r.path, &r.tail, f));
	return settle(&r, file, f);
}

static bool
writer_lives(struct tf_log *log)
{
	if (tf_file_lock(log->marks, false, NULL) != TF_OK)
		return true;
	tf_file_unlock(log->marks);
	return false;
}

/* The mark tells all there is to know: while a writer lives, or when nothing comes after it. */
static enum tf_err
believe_mark(struct recovery *r, struct tf_fault *f)
{
	while (r->p->segment_count && log_segment_last(r->p)->first > r->mark.segment)
		log_segments_remove_last(r->p);
	TF_TRY(check_list(r, f));
	r->tail.end = (struct log_place){r->mark.bytes, r->mark.next, r->mark.time};
	return TF_OK;
}

static enum tf_err
scan_tail(struct recovery *r, struct tf_fault *f)
{
	struct tf_file *file;
	TF_TRY(open_finished(r, false, &file, f));
	enum tf_err e = check_list(r, f);
	if (e == TF_OK && file)
		e = log_tail_find(r->p, file, r->path, &r->tail, f);
	else if (e == TF_OK)
		r->tail.end = (struct log_place){0, r->p->floor, 0};
	tf_file_close(&file);
	return e;
}

static enum tf_err
reader_look(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	struct recovery r = {.log = log, .p = p};
	TF_TRY(recovery_start(&r, f));
	TF_TRY(drop_leftovers(&r, false, f));
	const struct log_segment *last = log_segment_last(p);
	bool exact = last && r.has_mark && r.mark.segment == last->first && r.mark.bytes == last->bytes;
	if (exact || (r.has_mark && writer_lives(log)))
		TF_TRY(believe_mark(&r, f));
	else
		TF_TRY(scan_tail(&r, f));
	if (r.tail.end.next < p->synced.next)
		return tf_fault(f, TF_BUSY, "log '%.200s' is being recovered", log->dir);
	p->synced = p->end = r.tail.end;
	return TF_OK;
}

/* The common case: more was synced in the same segment. */
static enum tf_err
same_segment(struct tf_log *log, struct log_partition *p, bool *out, struct tf_fault *f)
{
	struct log_mark m;
	bool found;
	TF_TRY(log_mark_read(log, p->number, &m, &found, f));
	pthread_mutex_lock(&p->lock);
	const struct log_segment *last = log_segment_last(p);
	*out = found && last && m.segment == last->first;
	if (*out && m.next > p->synced.next)
		p->synced = p->end = (struct log_place){m.bytes, m.next, m.time};
	pthread_mutex_unlock(&p->lock);
	return TF_OK;
}

enum tf_err
log_refresh(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	bool same;
	TF_TRY(same_segment(log, p, &same, f));
	enum tf_err e = TF_OK;
	for (int i = 0; !same && i < REFRESH_TRIES; i++) {
		pthread_mutex_lock(&log->meta_lock);
		e = log_meta_read(log, f);
		pthread_mutex_unlock(&log->meta_lock);
		TF_TRY(e);
		pthread_mutex_lock(&p->lock);
		e = reader_look(log, p, f);
		pthread_mutex_unlock(&p->lock);
		if (e != TF_CORRUPT && e != TF_NOT_FOUND)
			break;
	}
	return e;
}
