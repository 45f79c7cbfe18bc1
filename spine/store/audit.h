/* An audit log: entries in a hash chain over a log (log.h), so that who changes one afterwards, or takes one out, is
 * found out. Byte format: docs/formats/audit.md.
 *
 * A record is the SHA-256 over the hash before it, its number and its text; then the text. The log's own checksums find
 * accidents; the chain finds somebody who knows how to make checksums. What a chain cannot find by itself is that its
 * newest records were cut off: for that, note the head (count and hash) somewhere else from time to time and give it to
 * tf_audit_verify.
 * An entry's text is the caller's; `tenfold audit` wants one JSON object. Durable after tf_audit_sync, as in log.h.
 * Bounds: TF_AUDIT_TEXT bytes of text. Thread rule: one thread, but for tf_audit_sync, which may run beside an append.
 */
#pragma once
#include "store/log.h"

#define TF_AUDIT_TEXT 16384
#define TF_AUDIT_HASH 32

struct tf_audit;

/* Creates the directory where missing. TF_BUSY when another process writes there; TF_CORRUPT when the newest record
 * cannot be read. */
enum tf_err tf_audit_open(struct tf_os *os, const char *dir, struct tf_audit **out, struct tf_fault *f) TF_MUST_USE;
void tf_audit_close(struct tf_audit **a);
enum tf_err tf_audit_append(struct tf_audit *a, struct tf_str text, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_audit_sync(struct tf_audit *a, struct tf_fault *f) TF_MUST_USE;
/* Has something been appended that is not durable yet? */
bool tf_audit_unsynced(const struct tf_audit *a);

/* Looks back: the newest few hundred records are told, in their order, then as many again before them, and so on until
 * taken was true of one of a turn. The last that it was true of is the newest. */
typedef bool tf_audit_taken(void *ctx, struct tf_str text);
enum tf_err tf_audit_back(struct tf_audit *a, tf_audit_taken *taken, void *ctx, struct tf_fault *f) TF_MUST_USE;

/* How many records there are, and the last one's hash. */
struct tf_audit_head {
	uint64_t count;
	uint8_t hash[TF_AUDIT_HASH];
};

void tf_audit_head(const struct tf_audit *a, struct tf_audit_head *out);

/* Each record in order; stops at each's first error, which it returns. each may be NULL. */
typedef enum tf_err tf_audit_each(void *ctx, uint64_t number, tf_time at, struct tf_str text, struct tf_fault *f);
/* Reads a directory that may be written meanwhile, checks every record, and fills *out_head. noted (may be NULL) is a
 * head that was there once. TF_CORRUPT names the first record that is not what it was, or what is missing. */
enum tf_err tf_audit_verify(struct tf_os *os, const char *dir, const struct tf_audit_head *noted, tf_audit_each *each,
			    void *ctx, struct tf_audit_head *out_head, struct tf_fault *f) TF_MUST_USE;
