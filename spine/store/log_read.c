/* Readers, seek by time, verify. A reader holds one segment open and sees what is synced, no more.
 *
 * Nothing is indexed on disk: the name and header of a segment give its first offset and time, and whoever walks
 * through a segment leaves a waypoint every 256 KiB, so that a segment is walked once, headers only. */
#include <inttypes.h>

#include "base/mem.h"
#include "store/log_impl.h"

#define HOP_BYTES    (size_t)512 /* read at a time while walking over large records, */
#define STRIDE_BYTES (64 << 10)  /* and over small ones */
#define HOP_FROM     (32 << 10)  /* payload bytes that make a record large */

struct tf_log_reader {
	struct tf_log *log;
	struct log_partition *p;
	uint64_t want;        /* records below are passed over */
	uint64_t first;       /* of the segment that is open */
	uint64_t remember_at; /* byte at which to leave the next waypoint */
	struct log_scan scan;
};

/* Where to start walking: the last waypoint before the wanted offset, or time (when by_time). Under the lock. */
static struct log_place
best_place(const struct log_segment *s, uint64_t offset, bool by_time, tf_time time)
{
	struct log_place best = {LOG_SEGMENT_HEADER, s->first, INT64_MIN};
	size_t low = 0, high = s->waypoint_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct log_place *w = &s->waypoints[mid];
		if (by_time ? w->time < time : w->next <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? s->waypoints[low - 1] : best;
}

static enum tf_err
trimmed(const struct tf_log_reader *r, struct tf_fault *f)
{
	return tf_fault(f, TF_NOT_FOUND, "offset %" PRIu64 " of log '%.200s' was trimmed", r->want, r->log->dir);
}

/* Chooses segment and place under the lock. */
static enum tf_err
choose(struct tf_log_reader *r, bool by_time, tf_time time, struct tf_fault *f)
{
	pthread_mutex_lock(&r->p->lock);
	const struct log_segment *s = r->want < r->p->floor ? NULL : log_segment_of(r->p, r->want);
	if (s) {
		r->first = s->first;
		r->scan.place = best_place(s, r->want, by_time, time);
	}
	bool empty = r->p->segment_count == 0;
	pthread_mutex_unlock(&r->p->lock);
	if (empty)
		return TF_END; /* a reader was faster than the writer that creates the log */
	return s ? TF_OK : trimmed(r, f);
}

static void
learn(struct log_partition *p, const struct log_segment_header *h)
{
	pthread_mutex_lock(&p->lock);
	struct log_segment *s = log_segment_of(p, h->first);
	if (s && s->first == h->first) {
		s->id = h->id;
		s->time = h->time;
		s->known = true;
	}
	pthread_mutex_unlock(&p->lock);
}

static enum tf_err
open_header(struct tf_log *log, struct log_partition *p, uint64_t first, struct log_scan *s,
	    struct log_segment_header *out, struct tf_fault *f)
{
	TF_TRY(log_segment_path(log, p, first, s->path, f));
	TF_TRY(tf_os_open(log->os, s->path, TF_OPEN_READ, &s->file, f));
	enum tf_err e = log_segment_header_read(s->file, s->path, p->number, first, out, f);
	if (e != TF_OK)
		tf_file_close(&s->file);
	else
		learn(p, out);
	return e;
}

static enum tf_err
open_segment(struct tf_log_reader *r, bool by_time, tf_time time, struct tf_fault *f)
{
	TF_TRY(choose(r, by_time, time, f));
	struct log_segment_header h;
	enum tf_err e = open_header(r->log, r->p, r->first, &r->scan, &h, f);
	if (e == TF_NOT_FOUND)
		return trimmed(r, f);
	TF_TRY(e);
	r->scan.id = h.id;
	r->scan.window_n = 0;
	if (r->scan.place.time < h.time)
		r->scan.place.time = h.time;
	r->remember_at = r->scan.place.at + LOG_WAYPOINT_EVERY;
	return TF_OK;
}

/* How far the open segment may be read; *out_last when it is the one appended to. */
static enum tf_err
set_limit(struct tf_log_reader *r, bool *out_last, struct tf_fault *f)
{
	pthread_mutex_lock(&r->p->lock);
	const struct log_segment *s = log_segment_of(r->p, r->first);
	bool there = s && s->first == r->first;
	*out_last = there && s == log_segment_last(r->p);
	if (there)
		r->scan.limit = *out_last ? r->p->synced.at : s->bytes;
	pthread_mutex_unlock(&r->p->lock);
	return there ? TF_OK : tf_file_size(r->scan.file, &r->scan.limit, f); /* trimmed while it is being read */
}

static void
leave_waypoint(struct tf_log_reader *r)
{
	r->remember_at = r->scan.place.at + LOG_WAYPOINT_EVERY;
	pthread_mutex_lock(&r->p->lock);
	struct log_segment *s = log_segment_of(r->p, r->first);
	bool news =
		s && s->first == r->first &&
		(!s->waypoint_count || s->waypoints[s->waypoint_count - 1].at + LOG_WAYPOINT_EVERY <= r->scan.place.at);
	if (news && s->waypoint_count == s->waypoint_cap) {
		uint32_t cap = s->waypoint_cap ? 2 * s->waypoint_cap : 16;
		struct log_place *more = tf_realloc(s->waypoints, cap * sizeof(*more));
		news = more; /* without one the next walk is longer */
		if (more) {
			s->waypoints = more;
			s->waypoint_cap = cap;
		}
	}
	if (news)
		s->waypoints[s->waypoint_count++] = r->scan.place;
	pthread_mutex_unlock(&r->p->lock);
}

/* One record on, without its payload. */
static enum tf_err
walk(struct tf_log_reader *r, struct log_record_header *out, struct tf_fault *f)
{
	if (r->scan.place.at >= r->remember_at)
		leave_waypoint(r);
	TF_TRY(log_scan_next(&r->scan, out, NULL, f));
	r->scan.chunk = out->length >= HOP_FROM ? HOP_BYTES : STRIDE_BYTES;
	return TF_OK;
}

/* The next wanted record of the open segment. */
static enum tf_err
step(struct tf_log_reader *r, struct tf_log_record *out, struct tf_fault *f)
{
	struct log_record_header h;
	struct tf_str bytes;
	while (r->scan.place.next < r->want)
		TF_TRY(walk(r, &h, f));
	r->scan.chunk = LOG_BUFFER;
	TF_TRY(log_scan_next(&r->scan, &h, &bytes, f));
	r->want = r->scan.place.next;
	*out = (struct tf_log_record){.offset = h.offset, .time = h.time, .type = h.type, .bytes = bytes};
	return TF_OK;
}

/* The segment was read to its end: the next one must go on where it stops. */
static enum tf_err
leave_segment(struct tf_log_reader *r, struct tf_fault *f)
{
	const struct log_scan *s = &r->scan;
	uint64_t next = s->place.next, found = 0;
	pthread_mutex_lock(&r->p->lock);
	const struct log_segment *segment = log_segment_of(r->p, next);
	bool gone = next < r->p->floor;
	if (segment)
		found = segment->first;
	pthread_mutex_unlock(&r->p->lock);
	if (next > r->want)
		r->want = next;
	if (gone)
		return trimmed(r, f);
	if (found != next || found == r->first) /* none but the last is empty */
		return tf_fault(f, TF_CORRUPT,
				"'%s' byte %" PRIu64 ": segment ends before offset %" PRIu64
				", which no segment starts with",
				s->path, s->place.at, next);
	tf_file_close(&r->scan.file);
	return TF_OK;
}

/* At the end of what was synced: is there more by now? */
static enum tf_err
more(struct tf_log_reader *r, struct tf_fault *f)
{
	if (!r->log->read_only)
		return TF_END;
	uint64_t was = r->scan.limit;
	bool last;
	TF_TRY(log_refresh(r->log, r->p, f));
	TF_TRY(set_limit(r, &last, f));
	return last && r->scan.limit == was ? TF_END : TF_OK;
}

enum tf_err
tf_log_next(struct tf_log_reader *r, struct tf_log_record *out, struct tf_fault *f)
{
	TF_TRY(log_usable(r->log, r->p->number, f));
	for (;;) {
		bool last;
		enum tf_err e = r->scan.file ? TF_OK : open_segment(r, false, 0, f);
		if (e == TF_END && r->log->read_only) {
			TF_TRY(log_refresh(r->log, r->p, f));
			e = open_segment(r, false, 0, f);
		}
		TF_TRY(e);
		TF_TRY(set_limit(r, &last, f));
		e = step(r, out, f);
		if (e != TF_END)
			return e;
		TF_TRY(last ? more(r, f) : leave_segment(r, f));
	}
}

/* NULL when memory is out. */
static struct tf_log_reader *
reader_new(struct tf_log *log, uint32_t partition, uint64_t offset, struct tf_fault *f)
{
	struct tf_log_reader *r = tf_calloc(1, sizeof(*r));
	if (!r) {
		tf_fault(f, TF_NO_MEMORY, "cannot read log '%.200s': out of memory", log->dir);
		return NULL;
	}
	r->log = log;
	r->p = &log->partitions[partition];
	r->want = offset;
	r->scan.chunk = LOG_BUFFER;
	return r;
}

enum tf_err
tf_log_read(struct tf_log *log, uint32_t partition, uint64_t offset, struct tf_log_reader **out, struct tf_fault *f)
{
	TF_TRY(log_usable(log, partition, f));
	if (log->read_only)
		TF_TRY(log_refresh(log, &log->partitions[partition], f));
	if (offset > tf_log_end(log, partition))
		return tf_fault(f, TF_INVALID, "offset %" PRIu64 " is past the end of log '%.200s'", offset, log->dir);
	if (offset < tf_log_first(log, partition))
		return tf_fault(f, TF_NOT_FOUND, "offset %" PRIu64 " of log '%.200s' was trimmed", offset, log->dir);
	struct tf_log_reader *r = reader_new(log, partition, offset, f);
	if (!r)
		return TF_NO_MEMORY;
	*out = r;
	return TF_OK;
}

void
tf_log_reader_close(struct tf_log_reader **r)
{
	if (*r)
		log_scan_release(&(*r)->scan);
	tf_free(*r);
	*r = NULL;
}

static enum tf_err
segment_time(struct tf_log *log, struct log_partition *p, uint64_t first, tf_time *out, struct tf_fault *f)
{
	pthread_mutex_lock(&p->lock);
	const struct log_segment *s = log_segment_of(p, first);
	bool known = s && s->first == first && s->known;
	if (known)
		*out = s->time;
	pthread_mutex_unlock(&p->lock);
	if (known)
		return TF_OK;
	struct log_scan scan = {0};
	struct log_segment_header h;
	TF_TRY(open_header(log, p, first, &scan, &h, f));
	tf_file_close(&scan.file);
	*out = h.time;
	return TF_OK;
}

/* NULL when memory is out. */
static uint64_t *
segment_firsts(struct log_partition *p, size_t *out_n, struct tf_fault *f)
{
	pthread_mutex_lock(&p->lock);
	uint64_t *firsts = tf_malloc(p->segment_count * sizeof(*firsts));
	for (size_t i = 0; firsts && i < p->segment_count; i++)
		firsts[i] = p->segments[i].first;
	*out_n = p->segment_count;
	pthread_mutex_unlock(&p->lock);
	if (!firsts)
		tf_fault(f, TF_NO_MEMORY, "cannot seek in a log: out of memory");
	return firsts;
}

/* First offset of the last segment that starts before t, or of the first segment. */
static enum tf_err
segment_before(struct tf_log *log, struct log_partition *p, tf_time t, uint64_t *out, struct tf_fault *f)
{
	size_t count;
	uint64_t *firsts = segment_firsts(p, &count, f);
	if (!firsts)
		return TF_NO_MEMORY;
	size_t low = 0, high = count;
	enum tf_err e = TF_OK;
	while (e == TF_OK && low < high) {
		size_t mid = low + (high - low) / 2;
		tf_time time = 0;
		e = segment_time(log, p, firsts[mid], &time, f);
		if (time < t)
			low = mid + 1;
		else
			high = mid;
	}
	if (e == TF_OK)
		*out = count ? firsts[low ? low - 1 : 0] : 0;
	tf_free(firsts);
	return e;
}

static enum tf_err
walk_to_time(struct tf_log_reader *r, tf_time t, uint64_t *out, struct tf_fault *f)
{
	bool last;
	enum tf_err e = open_segment(r, true, t, f);
	if (e == TF_END) {
		*out = r->want;
		return TF_OK;
	}
	TF_TRY(e);
	TF_TRY(set_limit(r, &last, f));
	struct log_record_header h;
	while ((e = walk(r, &h, f)) == TF_OK)
		if (h.time >= t) {
			*out = h.offset;
			return TF_OK;
		}
	if (e != TF_END)
		return e;
	*out = r->scan.place.next;
	return TF_OK;
}

enum tf_err
tf_log_seek(struct tf_log *log, uint32_t partition, tf_time t, uint64_t *out_offset, struct tf_fault *f)
{
	TF_TRY(log_usable(log, partition, f));
	struct log_partition *p = &log->partitions[partition];
	if (log->read_only)
		TF_TRY(log_refresh(log, p, f));
	uint64_t first;
	TF_TRY(segment_before(log, p, t, &first, f));
	struct tf_log_reader *r = reader_new(log, partition, first, f);
	if (!r)
		return TF_NO_MEMORY;
	enum tf_err e = walk_to_time(r, t, out_offset, f);
	tf_log_reader_close(&r);
	return e;
}

static enum tf_err
verify_partition(struct tf_log *log, uint32_t partition, uint64_t *records, struct tf_fault *f)
{
	struct tf_log_record record;
	uint64_t first = tf_log_first(log, partition), end = tf_log_synced(log, partition);
	struct tf_log_reader *r = reader_new(log, partition, first, f);
	if (!r)
		return TF_NO_MEMORY;
	enum tf_err e = open_segment(r, false, 0, f);
	while (e == TF_OK && r->want < end)
		e = tf_log_next(r, &record, f);
	if (e == TF_OK || e == TF_END)
		*records += r->want - first;
	tf_log_reader_close(&r);
	return e == TF_END ? TF_OK : e;
}

enum tf_err
tf_log_verify(struct tf_log *log, uint64_t *out_records, struct tf_fault *f)
{
	uint64_t records = 0;
	for (uint32_t i = 0; i < log->partition_count; i++) {
		TF_TRY(log_usable(log, i, f));
		TF_TRY(verify_partition(log, i, &records, f));
	}
	*out_records = records;
	return TF_OK;
}
