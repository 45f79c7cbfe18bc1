/* Idempotency keys of requests: which body a key was used with, for at least METER_KEYS_KEEP. In DIR/keys.db, a record
 * that may be lost without harm to readings: bodies are recognised by their content too. About 100 bytes a key on disk.
 * Thread rule: one thread. */
#pragma once
#include "store/sql.h"

#define METER_KEYS_KEEP TF_DAY
#define METER_KEY_MAX   128 /* bytes of a key: visible ASCII */

struct meter_api_keys {
	struct tf_os *os;
	struct tf_sql *db;
	struct tf_stmt *find, *put;
	bool open; /* a transaction */
	tf_time cleaned;
};

enum tf_err meter_keys_open(struct tf_os *os, const char *path, struct meter_api_keys *out,
			    struct tf_fault *f) TF_MUST_USE;
void meter_keys_close(struct meter_api_keys *k);
/* TF_CONFLICT when the key was used with another body. */
enum tf_err meter_keys_check(struct meter_api_keys *k, struct tf_str key, struct tf_str hash,
			     struct tf_fault *f) TF_MUST_USE;
/* Remembers it, durable after the next meter_keys_commit. */
enum tf_err meter_keys_put(struct meter_api_keys *k, struct tf_str key, struct tf_str hash,
			   struct tf_fault *f) TF_MUST_USE;
/* One transaction for all since the last. Forgets what is old. */
enum tf_err meter_keys_commit(struct meter_api_keys *k, struct tf_fault *f) TF_MUST_USE;
