/* Ingest decisions; see core_ingest.h. */
#include "core_ingest.h"

#define NUMBER_AT 4
#define KEY_AT    8
#define KEY_BYTES 16

static struct tf_str
key_of(const struct meter_delivery_key *key)
{
	return tf_str_n(key->bytes, KEY_BYTES);
}

enum tf_err
meter_ingest_init(struct meter_ingest *s)
{
	s->next = 1;
	return tf_map_init(&s->deliveries, TF_MAP_OWN_KEYS);
}

void
meter_ingest_release(struct meter_ingest *s)
{
	tf_map_release(&s->deliveries);
}

enum tf_err
meter_ingest_known(struct meter_ingest *s, const struct meter_delivery_key *key, uint32_t number)
{
	if (number >= s->next)
		s->next = number + 1;
	return tf_map_put(&s->deliveries, key_of(key), number);
}

uint32_t
meter_ingest_number(const struct meter_ingest *s, const struct meter_delivery_key *key)
{
	uint64_t number;
	return tf_map_get(&s->deliveries, key_of(key), &number) ? (uint32_t)number : 0;
}

enum tf_err
meter_ingest_decide(struct meter_ingest *s, struct meter_command *c, uint32_t *out_type, struct tf_str *out_bytes,
		    struct tf_fault *f)
{
	TF_ASSERT(c->n >= KEY_AT + KEY_BYTES);
	struct meter_delivery_key key;
	memcpy(key.bytes, c->bytes + KEY_AT, KEY_BYTES);
	uint32_t number = meter_ingest_number(s, &key);
	if (!number && s->next >= METER_DELIVERIES_MAX)
		return tf_fault(f, TF_OVERLOAD, "too many deliveries: %u", s->next);
	meter_batch_number(c->bytes, number ? number : s->next);
	*out_type = c->type;
	*out_bytes = tf_str_n(c->bytes, c->n);
	return TF_OK;
}

enum tf_err
meter_ingest_apply(struct meter_ingest *s, struct tf_str event, struct tf_fault *f)
{
	if (event.n < KEY_AT + KEY_BYTES)
		return tf_fault(f, TF_CORRUPT, "event of %zu bytes has no delivery", event.n);
	struct meter_delivery_key key;
	uint32_t number;
	memcpy(&number, event.p + NUMBER_AT, sizeof number);
	memcpy(key.bytes, event.p + KEY_AT, KEY_BYTES);
	enum tf_err e = meter_ingest_number(s, &key) ? TF_OK : meter_ingest_known(s, &key, number);
	return e ? tf_fault(f, e, "no memory for a delivery") : TF_OK;
}
