/* Trim: whole segments that hold nothing wanted any more are removed, oldest first. */
#include "store/log_impl.h"

/* Where the trim ends: what no consumer waits for. Under the meta lock. */
static uint64_t
trim_limit(const struct tf_log *log, uint32_t partition, uint64_t offset)
{
	for (size_t i = 0; i < log->consumer_count; i++)
		if (log->consumers[i].partition == partition && log->consumers[i].offset < offset)
			offset = log->consumers[i].offset;
	return offset;
}

/* The first offset that stays, at the start of a segment. Under both locks. */
static enum tf_err
trim_floor(struct tf_log *log, struct log_partition *p, uint64_t limit, uint64_t *out, struct tf_fault *f)
{
	while (p->syncing)
		pthread_cond_wait(&p->synced_cond, &p->lock);
	TF_TRY(log_usable(log, p->number, f));
	const struct log_segment *last = log_segment_last(p);
	if (limit >= p->end.next && p->synced.next == p->end.next && p->end.next > last->first) {
		enum tf_err e = log_roll(log, p, f);
		if (e != TF_OK)
			atomic_store(&log->broken, true);
		TF_TRY(e);
	}
	*out = p->floor;
	for (size_t i = 0; i < p->segment_count && p->segments[i].first <= limit; i++)
		*out = p->segments[i].first;
	return TF_OK;
}

/* The floor is durable before the first file goes: a trim that was interrupted is not mistaken for a loss, and a file
 * that power loss brings back goes when the log is opened. So the removals need no sync. */
static enum tf_err
trim_files(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	char path[LOG_PATH_MAX];
	while (p->segments[0].first < p->floor) {
		TF_TRY(log_segment_path(log, p, p->segments[0].first, path, f));
		enum tf_err e = tf_os_unlink(log->os, path, f);
		if (e != TF_OK && e != TF_NOT_FOUND)
			return e;
		log_segments_remove_first(p);
	}
	return TF_OK;
}

static enum tf_err
trim(struct tf_log *log, struct log_partition *p, uint64_t offset, struct tf_fault *f)
{
	uint64_t floor, was = p->floor;
	TF_TRY(trim_floor(log, p, trim_limit(log, p->number, offset), &floor, f));
	if (floor != was) {
		p->floor = floor;
		enum tf_err e = log_meta_write(log, f);
		if (e != TF_OK) {
			p->floor = was;
			return e;
		}
	}
	return trim_files(log, p, f);
}

enum tf_err
tf_log_trim(struct tf_log *log, uint32_t partition, uint64_t offset, struct tf_fault *f)
{
	TF_TRY(log_writable(log, partition, f));
	struct log_partition *p = &log->partitions[partition];
	pthread_mutex_lock(&log->meta_lock);
	pthread_mutex_lock(&p->lock);
	enum tf_err e = trim(log, p, offset, f);
	pthread_mutex_unlock(&p->lock);
	pthread_mutex_unlock(&log->meta_lock);
	return e;
}
