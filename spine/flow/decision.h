/* What the log keeps of one decision: who asked under which key, what was answered, what happened, what is to be done.
 *
 * One record holds all of it, so that key, reply, event and effects become durable in one append and sync, or not at
 * all. The reply is what a repetition of the request gets, byte for byte: status, the headers that belong to it and the
 * body. Bytes: docs/formats/decision.md. Pure. Strings of a read decision point into the record. */
#pragma once
#include "watch/trace.h"

#define TF_DECISION_HEADERS_MAX 8
#define TF_DECISION_EFFECTS_MAX 16
#define TF_IDEM_KEY_MAX         255 /* bytes of an Idempotency-Key */
#define TF_IDEM_NAME_MAX        255 /* of a partner, a method or a route's template, each */
#define TF_IDEM_HASH_BYTES      16

/* What an Idempotency-Key stands for: the same key of another partner or route is another one. */
struct tf_idem_name {
	struct tf_str partner, method, route, key;
};

struct tf_reply_header {
	struct tf_str name, value;
};

struct tf_stored_reply {
	uint32_t status;
	struct tf_str type; /* Content-Type; empty: none */
	struct tf_reply_header headers[TF_DECISION_HEADERS_MAX];
	uint32_t header_count;
	struct tf_str body;
};

struct tf_effect {
	uint32_t type; /* the service's */
	struct tf_str bytes;
};

struct tf_decision {
	bool traced, keyed; /* is there a trace; are there name, hash and reply */
	struct tf_trace trace;
	struct tf_idem_name name;
	uint8_t hash[TF_IDEM_HASH_BYTES]; /* of the request, tf_decision_hash */
	struct tf_stored_reply reply;
	struct tf_str event;
	struct tf_effect effects[TF_DECISION_EFFECTS_MAX];
	uint32_t effect_count;
};

/* XXH3-128 of a request: its body, seeded with what else makes it (a query, a path). */
void tf_decision_hash(struct tf_str query, struct tf_str body, uint8_t out[static TF_IDEM_HASH_BYTES]);
/* Appended to b, whose error tells whether memory sufficed. */
void tf_decision_put(struct tf_buf *b, const struct tf_decision *d);
/* TF_CORRUPT says what is wrong; TF_UNSUPPORTED a version that is newer than this program. */
enum tf_err tf_decision_get(struct tf_str record, struct tf_decision *out, struct tf_fault *f) TF_MUST_USE;
