/* The index of Idempotency-Keys (flow/idem.h) of a data directory: DIR/keys, open in serve.
 *
 * What is kept of a key is the delivery's last event, a METER_EVENT_POSTED, so the log must not be trimmed past it: the
 * log's consumer "keys" stands where the keys begin. serve moves it before each trim; where none runs the index's time
 * hardly goes on, so tier goes by age as well. */
#pragma once
#include "store.h"

#define METER_KEYS_KEEP   TF_DAY
#define METER_KEYS_BUCKET (10 * TF_MINUTE) /* of log that an opening reads */
#define METER_KEYS_MAX    (128u << 20)     /* unexpired; past it 429 */

/* Opens s->keys; meter_store_close closes it. */
enum tf_err meter_keys_open(struct meter_store *s, struct tf_fault *f) TF_MUST_USE;
/* From where on the keys need the log, as far as it is durable. In the thread of s->keys. */
uint64_t meter_keys_floor(const struct meter_store *s);
/* Lets the log be trimmed up to there. From any thread. */
enum tf_err meter_keys_keep(struct meter_store *s, uint64_t floor, struct tf_fault *f) TF_MUST_USE;
/* The same where the keys are not open: up to what none of them needs, or is older than they are kept. */
enum tf_err meter_keys_let_go(struct meter_store *s, struct tf_fault *f) TF_MUST_USE;
