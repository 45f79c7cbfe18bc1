/* At a start: decisions of the log that a crash left without their audit record get it; see guard.h. */
#include "api.h"

static enum tf_err
record(struct insure_api *a, const struct tf_log_record *rec, struct tf_fault *f)
{
	struct tf_decision d;
	TF_TRY(tf_decision_get(rec->bytes, &d, f));
	if (!d.keyed) /* sold in bulk: nobody called */
		return TF_OK;
	TF_LOG(a->watch, TF_LOG_WARN, "audit.late", &d.trace, TF_KV("offset", rec->offset));
	return tf_guard_record_late(a->guard, d.name.partner, d.name.key, rec->offset, &d.trace, f);
}

static enum tf_err
record_from(struct insure_api *a, uint64_t offset, struct tf_fault *f)
{
	struct tf_log_reader *r;
	struct tf_log_record rec;
	enum tf_err e;
	if (offset >= tf_log_end(a->store->log, 0))
		return TF_OK;
	TF_TRY(tf_log_read(a->store->log, 0, offset, &r, f));
	while (!(e = tf_log_next(r, &rec, f)) && !(e = record(a, &rec, f)))
		;
	tf_log_reader_close(&r);
	return e == TF_END ? TF_OK : e;
}

enum tf_err
insure_api_audit(struct insure_api *a, struct tf_fault *f)
{
	bool any;
	uint64_t next;
	TF_TRY(tf_guard_recorded(a->guard, &any, &next, f));
	if (any)
		TF_TRY(record_from(a, next, f));
	TF_TRY(tf_guard_record_start(a->guard, tf_log_end(a->store->log, 0), f));
	return tf_guard_sync(a->guard, f);
}
