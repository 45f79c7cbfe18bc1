/* DIR/synced: how far each partition is durable. A mark is written after each sync, without a sync of its own, so it
 * may lag after power loss but never runs ahead; and it is there whenever only the process died. Two places take turns,
 * both in one 512-byte sector, so that a torn write spoils one of them at most. */
#include <inttypes.h>

#include "store/log_impl.h"

static uint64_t
mark_at(uint32_t partition, uint64_t serial)
{
	return 2 * LOG_MARK * partition + (serial & 1 ? LOG_MARK : 0);
}

enum tf_err
log_mark_read(struct tf_log *log, uint32_t partition, struct log_mark *out, bool *out_found, struct tf_fault *f)
{
	struct log_mark m[2] = {{0}};
	size_t n;
	TF_TRY(tf_file_read(log->marks, m, sizeof(m), mark_at(partition, 0), &n, f));
	bool valid[2] = {n >= LOG_MARK && log_mark_valid(&m[0], partition),
			 n >= 2 * LOG_MARK && log_mark_valid(&m[1], partition)};
	*out_found = valid[0] || valid[1];
	if (*out_found)
		*out = valid[0] && (!valid[1] || m[0].serial > m[1].serial) ? m[0] : m[1];
	return TF_OK;
}

enum tf_err
log_mark_write(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	const struct log_segment *last = log_segment_last(p);
	struct log_mark m = {
		.serial = ++p->mark_serial,
		.segment = last->first,
		.id = last->id,
		.bytes = p->synced.at,
		.next = p->synced.next,
		.time = p->synced.time,
	};
	log_mark_seal(&m, p->number);
	p->mark_dirty = true;
	return tf_file_write(log->marks, &m, sizeof(m), mark_at(p->number, m.serial), f);
}

enum tf_err
log_mark_settle(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	TF_TRY(log_mark_write(log, p, f));
	TF_TRY(log_mark_write(log, p, f));
	TF_TRY(tf_file_sync(log->marks, f));
	p->mark_dirty = false;
	return TF_OK;
}
