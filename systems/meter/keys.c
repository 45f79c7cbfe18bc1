/* Idempotency-Keys and the log they need; see keys.h. */
#include "keys.h"

#include "base/mem.h"

#define CONSUMER TF_STR("keys")

enum tf_err
meter_keys_open(struct meter_store *s, struct tf_fault *f)
{
	struct tf_idem_options o = {
		.retention = METER_KEYS_KEEP,
		.bucket = METER_KEYS_BUCKET,
		.partner_keys = METER_KEYS_MAX,
		.keys_max = METER_KEYS_MAX,
		.type = METER_EVENT_POSTED,
	};
	char *path = meter_store_path(s, "keys");
	if (!path)
		return tf_fault(f, TF_NO_MEMORY, "no memory for keys");
	enum tf_err e = tf_idem_open(s->os, path, s->log, &o, &s->keys, f);
	tf_free(path);
	return e ? e : meter_keys_keep(s, meter_keys_floor(s), f);
}

uint64_t
meter_keys_floor(const struct meter_store *s)
{
	uint64_t floor = tf_idem_floor(s->keys), synced = tf_log_synced(s->log, 0);
	return floor < synced ? floor : synced;
}

enum tf_err
meter_keys_keep(struct meter_store *s, uint64_t floor, struct tf_fault *f)
{
	uint64_t was;
	if (!tf_log_consumer_get(s->log, CONSUMER, 0, &was, NULL) && was == floor)
		return TF_OK;
	return tf_log_consumer_set(s->log, CONSUMER, 0, floor, f);
}

enum tf_err
meter_keys_let_go(struct meter_store *s, struct tf_fault *f)
{
	uint64_t was, young;
	if (tf_log_consumer_get(s->log, CONSUMER, 0, &was, NULL))
		return TF_OK; /* there never was a key */
	TF_TRY(meter_keys_open(s, f));
	uint64_t floor = meter_keys_floor(s);
	tf_idem_close(&s->keys);
	TF_TRY(tf_idem_young(s->os, s->log, 0, METER_KEYS_KEEP, &young, f));
	return meter_keys_keep(s, young > floor ? young : floor, f);
}
