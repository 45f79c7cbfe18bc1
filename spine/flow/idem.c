/* The index of idempotency keys: asking, remembering, runs coming and going; see idem.h. */
#include "flow/idem.h"

#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "idem_impl.h"

enum tf_err
idem_no_memory(struct tf_fault *f)
{
	return tf_fault(f, TF_NO_MEMORY, "no memory for idempotency keys");
}

/* Names. */

static enum tf_err
check_name(const struct tf_idem_name *n, struct tf_fault *f)
{
	if (!n->key.n || n->key.n > TF_IDEM_KEY_MAX)
		return tf_fault(f, TF_INVALID, "a key has 1 to %d bytes", TF_IDEM_KEY_MAX);
	if (n->partner.n > TF_IDEM_NAME_MAX || n->method.n > TF_IDEM_NAME_MAX || n->route.n > TF_IDEM_NAME_MAX)
		return tf_fault(f, TF_INVALID, "a partner, method or route has at most %d bytes", TF_IDEM_NAME_MAX);
	return TF_OK;
}

static size_t
add_part(char *to, size_t n, struct tf_str part)
{
	to[n++] = (char)part.n;
	if (part.n)
		memcpy(to + n, part.p, part.n);
	return n + part.n;
}

/* Each part with its length in front, so that no two names read the same. */
static struct idem_key
key_of(const struct tf_idem *x, const struct tf_idem_name *name)
{
	char text[4 * (TF_IDEM_NAME_MAX + 1)];
	size_t n = add_part(text, 0, name->partner);
	n = add_part(text, n, name->method);
	n = add_part(text, n, name->route);
	n = add_part(text, n, name->key);
	XXH128_hash_t h = XXH3_128bits_withSecret(text, n, x->secret, sizeof x->secret);
	return (struct idem_key){h.high64, h.low64};
}

static uint64_t
partner_of(const struct tf_idem *x, struct tf_str partner)
{
	return XXH3_64bits_withSecret(partner.p ? partner.p : "", partner.n, x->secret, sizeof x->secret);
}

static bool
same_name(const struct tf_idem_name *a, const struct tf_idem_name *b)
{
	return tf_str_eq(a->key, b->key) && tf_str_eq(a->partner, b->partner) && tf_str_eq(a->method, b->method) &&
	       tf_str_eq(a->route, b->route);
}

static uint64_t
body_of(const uint8_t hash[static TF_IDEM_HASH_BYTES])
{
	uint64_t body;
	memcpy(&body, hash, sizeof body);
	return body;
}

/* Asking. */

static enum tf_err
find(const struct tf_idem *x, struct idem_key key, struct idem_entry *out, struct tf_fault *f)
{
	const struct idem_entry *e = idem_table_find(&x->table, key);
	if (!e)
		e = idem_table_find(&x->sealing, key);
	if (e) {
		*out = *e;
		return TF_OK;
	}
	for (uint32_t i = 0; i < x->run_count; i++)
		idem_run_prefetch(x->runs[i], key);
	for (uint32_t i = x->run_count; i-- > 0;) {
		if (!idem_run_maybe(x->runs[i], key))
			continue;
		enum tf_err err = idem_run_find(x->runs[i], key, out, f);
		if (err != TF_NOT_FOUND)
			return err;
	}
	return TF_NOT_FOUND;
}

/* A new key: within the quotas, and room in memory, so that what is decided can also be remembered. */
static enum tf_err
make_room(struct tf_idem *x, struct tf_str name, struct tf_fault *f)
{
	uint64_t partner = partner_of(x, name);
	if (x->keys >= x->o.keys_max)
		return tf_fault(f, TF_OVERLOAD, "%" PRIu64 " idempotency keys are kept: no more are taken", x->keys);
	if (idem_partner_keys(&x->partners, partner) >= x->o.partner_keys)
		return tf_fault(f, TF_OVERLOAD, "'%.*s' has %" PRIu64 " unexpired idempotency keys: no more are taken",
				TF_FMT(name), x->o.partner_keys);
	uint64_t keys;
	bool known = tf_map_get(&x->partners, tf_str_n(&partner, sizeof partner), &keys);
	if (!known && x->partners.count >= x->o.partners_max)
		return tf_fault(f, TF_OVERLOAD, "%zu partners have idempotency keys: no more are taken",
				x->partners.count);
	if (idem_table_reserve(&x->table) || idem_partner_add(&x->partners, partner, 0) ||
	    idem_partner_add(&x->table.partners, partner, 0))
		return idem_no_memory(f);
	return TF_OK;
}

/* The decision itself, into memory that stays until the next answer. */
static enum tf_err
read_decision(struct tf_idem *x, uint64_t offset, struct tf_decision *out, struct tf_fault *f)
{
	struct tf_log_reader *r;
	struct tf_log_record rec;
	TF_TRY(tf_log_read(x->log, x->o.partition, offset, &r, f));
	enum tf_err e = tf_log_next(r, &rec, f);
	if (!e && rec.offset != offset)
		e = tf_fault(f, TF_CORRUPT, "the log has no offset %" PRIu64, offset);
	if (!e) {
		tf_buf_reset(&x->record);
		tf_buf_str(&x->record, rec.bytes);
		e = x->record.err ? idem_no_memory(f) : TF_OK;
	}
	tf_log_reader_close(&r);
	if (e == TF_END)
		e = tf_fault(f, TF_CORRUPT, "the log ends before offset %" PRIu64, offset);
	return e ? e : tf_decision_get(tf_buf_view(&x->record), out, f);
}

/* Index hits are compared with what was really asked: hashes of 128 bits do not meet, but if they do nobody sees the
 * other's answer. */
static enum tf_err
answer_known(struct tf_idem *x, const struct idem_entry *e, const struct tf_idem_name *name, const uint8_t *hash,
	     struct tf_idem_answer *out, struct tf_fault *f)
{
	out->offset = e->offset;
	if (e->body != body_of(hash)) {
		out->state = TF_IDEM_OTHER;
		return TF_OK;
	}
	if (e->offset >= tf_log_synced(x->log, x->o.partition)) {
		out->state = TF_IDEM_BUSY;
		return TF_OK;
	}
	TF_TRY(read_decision(x, e->offset, &out->decision, f));
	const struct tf_decision *d = &out->decision;
	bool same = d->keyed && same_name(&d->name, name) && memcmp(d->hash, hash, sizeof d->hash) == 0;
	out->state = same ? TF_IDEM_DONE : TF_IDEM_OTHER;
	return TF_OK;
}

enum tf_err
tf_idem_ask(struct tf_idem *x, const struct tf_idem_name *name, const uint8_t hash[static TF_IDEM_HASH_BYTES],
	    struct tf_idem_answer *out, struct tf_fault *f)
{
	TF_TRY(check_name(name, f));
	struct idem_entry e;
	enum tf_err err = find(x, key_of(x, name), &e, f);
	if (!err && e.offset < tf_log_first(x->log, x->o.partition))
		err = TF_NOT_FOUND; /* trimmed */
	if (!err)
		return answer_known(x, &e, name, hash, out, f);
	if (err != TF_NOT_FOUND)
		return err;
	out->state = TF_IDEM_NEW;
	return make_room(x, name->partner, f);
}

/* Remembering. */

static enum tf_err
remember(struct tf_idem *x, uint64_t offset, const struct tf_decision *d, struct tf_fault *f)
{
	uint64_t partner = partner_of(x, d->name.partner);
	struct idem_entry e = {.key = key_of(x, &d->name), .body = body_of(d->hash), .offset = offset};
	e.second = (uint32_t)(x->clock / TF_SEC);
	if (idem_table_reserve(&x->table))
		return idem_no_memory(f);
	if (!idem_table_put(&x->table, &e))
		return TF_OK;
	if (x->clock < x->table.earliest)
		x->table.earliest = x->clock;
	if (x->clock > x->table.latest)
		x->table.latest = x->clock;
	x->keys++;
	if (idem_partner_add(&x->partners, partner, 1) || idem_partner_add(&x->table.partners, partner, 1))
		return idem_no_memory(f);
	return TF_OK;
}

enum tf_err
tf_idem_apply(struct tf_idem *x, uint64_t offset, const struct tf_decision *d, struct tf_fault *f)
{
	if (offset < x->table.next)
		return TF_OK;
	if (d && d->keyed) {
		TF_TRY(check_name(&d->name, f));
		TF_TRY(remember(x, offset, d, f));
	}
	x->table.next = offset + 1;
	return TF_OK;
}

/* Runs. */

enum tf_err
idem_runs_reserve(struct tf_idem *x)
{
	if (x->run_count < x->run_cap)
		return TF_OK;
	uint32_t cap = x->run_cap ? 2 * x->run_cap : 64;
	struct idem_run **more = tf_realloc(x->runs, cap * sizeof(struct idem_run *));
	if (!more)
		return TF_NO_MEMORY;
	x->runs = more;
	x->run_cap = cap;
	return TF_OK;
}

static void
seal_work(void *arg)
{
	struct tf_idem *x = arg;
	x->err = idem_run_write(x->os, x->dir, &x->sealing, &x->sealed, &x->fault);
	atomic_store(&x->done, true);
}

enum tf_err
idem_seal_end(struct tf_idem *x, struct tf_fault *f)
{
	tf_worker_join(&x->worker);
	if (x->err)
		return tf_fault(f, x->err, "%s", x->fault.text);
	x->runs[x->run_count++] = x->sealed;
	x->sealed = NULL;
	idem_table_release(&x->sealing);
	return TF_OK;
}

static enum tf_err
seal_begin(struct tf_idem *x, struct tf_fault *f)
{
	struct idem_table fresh;
	if (!x->table.count)
		x->table.earliest = x->table.latest = x->clock;
	if (idem_runs_reserve(x) || idem_table_begin(&fresh, x->table.next, x->o.run_keys))
		return idem_no_memory(f);
	x->sealing = x->table;
	x->table = fresh;
	atomic_store(&x->done, false);
	x->fault.text[0] = 0;
	return tf_os_start(x->os, seal_work, x, &x->worker, f);
}

static enum tf_err
drop_first(struct tf_idem *x, struct tf_fault *f)
{
	struct idem_run *r = x->runs[0];
	for (uint32_t i = 0; i < r->partner_count; i++)
		if (idem_partner_add(&x->partners, r->partners[i].hash, -(int64_t)r->partners[i].keys))
			return idem_no_memory(f);
	x->keys -= r->count;
	memmove(x->runs, x->runs + 1, --x->run_count * sizeof(struct idem_run *));
	enum tf_err e = tf_os_unlink(x->os, r->path, f);
	idem_run_close(&r);
	return e;
}

static bool
bucket_over(const struct tf_idem *x)
{
	tf_time from = x->table.count ? x->table.earliest : x->table.since;
	return x->table.next > x->table.first && x->clock / x->o.bucket > from / x->o.bucket;
}

/* Too old, or the log holds none of its decisions any more. */
static bool
run_over(const struct tf_idem *x, const struct idem_run *r)
{
	return r->latest + x->o.retention < x->clock || r->next <= tf_log_first(x->log, x->o.partition);
}

/* The wall clock may be wrong: each time that it is told moves the index's own a little at most; see idem.h. */
static void
follow(struct tf_idem *x, tf_time now)
{
	tf_dur step = x->told ? now - x->told : 0;
	if (!x->clock)
		x->clock = now;
	if (step > 0)
		x->clock += step < TF_IDEM_STEP ? step : TF_IDEM_STEP;
	if (!x->table.since)
		x->table.since = x->clock;
	x->told = now;
}

enum tf_err
tf_idem_tick(struct tf_idem *x, tf_time now, struct tf_fault *f)
{
	follow(x, now);
	if (x->worker && atomic_load(&x->done))
		TF_TRY(idem_seal_end(x, f));
	while (x->run_count && run_over(x, x->runs[0]))
		TF_TRY(drop_first(x, f));
	bool due = x->table.count >= x->o.run_keys || bucket_over(x);
	/* Only what power loss cannot take back any more. */
	if (due && !x->worker && x->table.next <= tf_log_synced(x->log, x->o.partition))
		return seal_begin(x, f);
	return TF_OK;
}

static void
defaults(struct tf_idem_options *o)
{
#define DEFAULT(field, value) o->field = o->field ? o->field : (value)
	DEFAULT(retention, TF_DAY);
	DEFAULT(bucket, TF_HOUR);
	DEFAULT(run_keys, 700000);
	DEFAULT(partner_keys, 8u << 20);
	DEFAULT(keys_max, 32u << 20);
	DEFAULT(partners_max, 65536);
#undef DEFAULT
}

enum tf_err
tf_idem_open(struct tf_os *os, const char *dir, struct tf_log *log, const struct tf_idem_options *o,
	     struct tf_idem **out, struct tf_fault *f)
{
	struct tf_idem *x = tf_calloc(1, sizeof *x);
	if (!x)
		return idem_no_memory(f);
	x->os = os;
	x->log = log;
	x->o = *o;
	defaults(&x->o);
	tf_buf_init(&x->record, 0);
	enum tf_err e = TF_OK;
	/* Room for a file's name behind it. */
	if ((size_t)snprintf(x->dir, sizeof x->dir, "%s", dir) >= sizeof x->dir - 64)
		e = tf_fault(f, TF_INVALID, "path too long: '%s'", dir);
	if (!e)
		e = idem_start(x, f);
	if (e) {
		tf_idem_close(&x);
		return e;
	}
	*out = x;
	return TF_OK;
}

void
tf_idem_close(struct tf_idem **idem)
{
	struct tf_idem *x = *idem;
	if (!x)
		return;
	tf_worker_join(&x->worker);
	idem_run_close(&x->sealed);
	for (uint32_t i = 0; i < x->run_count; i++)
		idem_run_close(&x->runs[i]);
	tf_free(x->runs);
	idem_table_release(&x->table);
	idem_table_release(&x->sealing);
	tf_map_release(&x->partners);
	tf_buf_release(&x->record);
	tf_free(x);
	*idem = NULL;
}

uint64_t
tf_idem_floor(const struct tf_idem *x)
{
	uint64_t floor = x->table.next;
	if (x->table.count && x->table.lowest < floor)
		floor = x->table.lowest;
	if (x->sealing.count && x->sealing.lowest < floor)
		floor = x->sealing.lowest;
	for (uint32_t i = 0; i < x->run_count; i++)
		if (x->runs[i]->lowest < floor)
			floor = x->runs[i]->lowest;
	return floor;
}

void
tf_idem_stats(const struct tf_idem *x, struct tf_idem_stats *out)
{
	*out = (struct tf_idem_stats){.keys = x->keys, .runs = x->run_count};
	out->memory_keys = x->table.count + x->sealing.count;
	for (uint32_t i = 0; i < x->run_count; i++)
		out->run_bytes += x->runs[i]->bytes;
}
