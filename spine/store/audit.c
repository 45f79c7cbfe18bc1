/* The audit log; see audit.h. A record: hash u8[32], then the text. */
#include "store/audit.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/mem.h"

#define RECORD_TYPE 1
#define TURN        256 /* records looked at, looking back */

struct tf_audit {
	struct tf_log *log;
	struct tf_audit_head head;
	EVP_MD_CTX *md;
	uint8_t record[TF_AUDIT_HASH + TF_AUDIT_TEXT];
};

/* SHA-256, looked up once. NULL: no memory. */
static EVP_MD_CTX *
hasher(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	if (md && EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		return md;
	EVP_MD_CTX_free(md);
	return NULL;
}

/* The hash of the record after head with this text. */
static enum tf_err
chain(EVP_MD_CTX *md, const struct tf_audit_head *head, struct tf_str text, uint8_t out[static TF_AUDIT_HASH],
      struct tf_fault *f)
{
	uint8_t number[8];
	for (int i = 0; i < 8; i++)
		number[i] = (uint8_t)(head->count >> 8 * i);
	if (EVP_DigestInit_ex(md, NULL, NULL) && EVP_DigestUpdate(md, head->hash, sizeof head->hash) &&
	    EVP_DigestUpdate(md, number, sizeof number) && EVP_DigestUpdate(md, text.p, text.n) &&
	    EVP_DigestFinal_ex(md, out, NULL))
		return TF_OK;
	return tf_fault(f, TF_NO_MEMORY, "cannot hash an audit record");
}

static enum tf_err
take_head(struct tf_audit *a, struct tf_fault *f)
{
	uint64_t end = tf_log_end(a->log, 0);
	struct tf_log_reader *r;
	struct tf_log_record rec;
	if (!end)
		return TF_OK;
	TF_TRY(tf_log_read(a->log, 0, end - 1, &r, f));
	enum tf_err e = tf_log_next(r, &rec, f);
	if (!e && rec.bytes.n < TF_AUDIT_HASH)
		e = tf_fault(f, TF_CORRUPT, "audit record %" PRIu64 " is too short", end - 1);
	if (!e) {
		a->head.count = end;
		memcpy(a->head.hash, rec.bytes.p, TF_AUDIT_HASH);
	}
	tf_log_reader_close(&r);
	return e;
}

enum tf_err
tf_audit_open(struct tf_os *os, const char *dir, struct tf_audit **out, struct tf_fault *f)
{
	struct tf_audit *a = tf_calloc(1, sizeof *a);
	struct tf_log_options o = {.partitions = 1, .record_bytes_max = sizeof a->record};
	enum tf_err e = TF_NO_MEMORY;
	if (!a || !(a->md = hasher()))
		tf_fault(f, TF_NO_MEMORY, "no memory for an audit log");
	else if (!(e = tf_log_open(os, dir, &o, &a->log, f)))
		e = take_head(a, f);
	if (e)
		tf_audit_close(&a);
	else
		*out = a;
	return e;
}

void
tf_audit_close(struct tf_audit **audit)
{
	struct tf_audit *a = *audit;
	if (!a)
		return;
	tf_log_close(&a->log);
	EVP_MD_CTX_free(a->md);
	tf_free(a);
	*audit = NULL;
}

enum tf_err
tf_audit_append(struct tf_audit *a, struct tf_str text, struct tf_fault *f)
{
	if (text.n > TF_AUDIT_TEXT)
		return tf_fault(f, TF_TOO_LARGE, "an audit record of %zu bytes", text.n);
	struct tf_audit_head next = {.count = a->head.count + 1};
	uint64_t offset;
	TF_TRY(chain(a->md, &a->head, text, next.hash, f));
	memcpy(a->record, next.hash, TF_AUDIT_HASH);
	if (text.n)
		memcpy(a->record + TF_AUDIT_HASH, text.p, text.n);
	TF_TRY(tf_log_append(a->log, 0, RECORD_TYPE, tf_str_n(a->record, TF_AUDIT_HASH + text.n), &offset, f));
	a->head = next;
	return TF_OK;
}

enum tf_err
tf_audit_sync(struct tf_audit *a, struct tf_fault *f)
{
	return tf_log_sync(a->log, f);
}

bool
tf_audit_unsynced(const struct tf_audit *a)
{
	return tf_log_synced(a->log, 0) < tf_log_end(a->log, 0);
}

/* The records from start to below end. */
static enum tf_err
tell_some(struct tf_audit *a, uint64_t start, uint64_t end, tf_audit_taken *taken, void *ctx, bool *out_any,
	  struct tf_fault *f)
{
	struct tf_log_reader *r;
	struct tf_log_record rec;
	enum tf_err e = TF_OK;
	TF_TRY(tf_log_read(a->log, 0, start, &r, f));
	for (uint64_t i = start; !e && i < end; i++)
		if (!(e = tf_log_next(r, &rec, f)) && rec.bytes.n >= TF_AUDIT_HASH)
			*out_any |= taken(ctx, tf_str_n(rec.bytes.p + TF_AUDIT_HASH, rec.bytes.n - TF_AUDIT_HASH));
	tf_log_reader_close(&r);
	return e;
}

enum tf_err
tf_audit_back(struct tf_audit *a, tf_audit_taken *taken, void *ctx, struct tf_fault *f)
{
	bool any = false;
	for (uint64_t end = tf_log_synced(a->log, 0), start; end && !any; end = start) {
		start = end > TURN ? end - TURN : 0;
		TF_TRY(tell_some(a, start, end, taken, ctx, &any, f));
	}
	return TF_OK;
}

void
tf_audit_head(const struct tf_audit *a, struct tf_audit_head *out)
{
	*out = a->head;
}

struct check {
	EVP_MD_CTX *md;
	struct tf_log_reader *r;
	const struct tf_audit_head *noted;
	struct tf_audit_head head;
	tf_audit_each *each;
	void *ctx;
};

static enum tf_err
check_record(struct check *c, const struct tf_log_record *rec, struct tf_fault *f)
{
	uint8_t hash[TF_AUDIT_HASH];
	if (rec->type != RECORD_TYPE || rec->bytes.n < TF_AUDIT_HASH)
		return tf_fault(f, TF_CORRUPT, "audit record %" PRIu64 " is none", rec->offset);
	struct tf_str text = tf_str_n(rec->bytes.p + TF_AUDIT_HASH, rec->bytes.n - TF_AUDIT_HASH);
	TF_TRY(chain(c->md, &c->head, text, hash, f));
	if (CRYPTO_memcmp(hash, rec->bytes.p, sizeof hash) != 0)
		return tf_fault(f, TF_CORRUPT, "audit record %" PRIu64 " is not what was written, or the one before it",
				rec->offset);
	c->head.count++;
	memcpy(c->head.hash, hash, sizeof hash);
	if (c->noted && c->head.count == c->noted->count && CRYPTO_memcmp(hash, c->noted->hash, sizeof hash) != 0)
		return tf_fault(f, TF_CORRUPT, "the chain up to audit record %" PRIu64 " is not the one that was noted",
				rec->offset);
	return c->each ? c->each(c->ctx, rec->offset, rec->time, text, f) : TF_OK;
}

static enum tf_err
check_all(struct check *c, struct tf_fault *f)
{
	struct tf_log_record rec;
	enum tf_err e;
	while (!(e = tf_log_next(c->r, &rec, f)))
		TF_TRY(check_record(c, &rec, f));
	if (e == TF_CORRUPT)
		return tf_fault_wrap(f, e, "audit record %" PRIu64, c->head.count);
	if (e != TF_END)
		return e;
	if (c->noted && c->head.count < c->noted->count)
		return tf_fault(f, TF_CORRUPT, "audit records %" PRIu64 " to %" PRIu64 " are missing", c->head.count,
				c->noted->count - 1);
	return TF_OK;
}

enum tf_err
tf_audit_verify(struct tf_os *os, const char *dir, const struct tf_audit_head *noted, tf_audit_each *each, void *ctx,
		struct tf_audit_head *out_head, struct tf_fault *f)
{
	struct tf_log *log;
	struct tf_log_options o = {.read_only = true, .record_bytes_max = TF_AUDIT_HASH + TF_AUDIT_TEXT};
	struct check c = {.md = hasher(), .noted = noted, .each = each, .ctx = ctx};
	if (!c.md)
		return tf_fault(f, TF_NO_MEMORY, "no memory for an audit log");
	enum tf_err e = tf_log_open(os, dir, &o, &log, f);
	if (!e) {
		if (tf_log_first(log, 0))
			e = tf_fault(f, TF_CORRUPT, "audit records 0 to %" PRIu64 " are missing",
				     tf_log_first(log, 0) - 1);
		else if (!(e = tf_log_read(log, 0, 0, &c.r, f)))
			e = check_all(&c, f);
		tf_log_reader_close(&c.r);
		tf_log_close(&log);
	}
	EVP_MD_CTX_free(c.md);
	*out_head = c.head;
	return e;
}
