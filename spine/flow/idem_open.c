/* Opening the index: its secret, the runs in order, and the log's tail behind them; see idem.h. */
#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "idem_impl.h"

#define RUN_SUFFIX   ".run"
#define RUN_NAME     24 /* 20 digits and the suffix */
#define SECRET_MAGIC "TFIDEMS1"
#define SECRET_FILE  (8 + IDEM_SECRET_BYTES + 8)

static enum tf_err
read_secret(struct tf_idem *x, struct tf_fault *f)
{
	char path[IDEM_PATH_BYTES + 8], *p;
	size_t n;
	uint64_t check;
	snprintf(path, sizeof path, "%s/secret", x->dir);
	enum tf_err e = tf_os_read_file(x->os, path, SECRET_FILE, &p, &n, f);
	if (!e) {
		bool whole = n == SECRET_FILE && memcmp(p, SECRET_MAGIC, 8) == 0;
		if (whole) {
			memcpy(x->secret, p + 8, sizeof x->secret);
			memcpy(&check, p + 8 + sizeof x->secret, sizeof check);
			whole = check == XXH3_64bits(x->secret, sizeof x->secret);
		}
		tf_free(p);
		return whole ? TF_OK : tf_fault(f, TF_CORRUPT, "'%s' is damaged: remove '%s'", path, x->dir);
	}
	if (e != TF_NOT_FOUND)
		return e;
	char bytes[SECRET_FILE] = SECRET_MAGIC;
	tf_os_random(x->os, x->secret, sizeof x->secret);
	check = XXH3_64bits(x->secret, sizeof x->secret);
	memcpy(bytes + 8, x->secret, sizeof x->secret);
	memcpy(bytes + 8 + sizeof x->secret, &check, sizeof check);
	return tf_os_write_file(x->os, path, tf_str_n(bytes, sizeof bytes), f);
}

struct listing {
	struct tf_idem *x;
	struct tf_fault *f;
};

static bool
ends_with(struct tf_str s, struct tf_str end)
{
	return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

/* In order of their names, which is that of their offsets. */
static enum tf_err
on_file(void *ctx, const char *name, bool is_dir)
{
	struct listing *l = ctx;
	struct tf_idem *x = l->x;
	char path[IDEM_PATH_BYTES];
	if ((size_t)snprintf(path, sizeof path, "%s/%s", x->dir, name) >= sizeof path)
		return TF_OK; /* none of ours */
	if (is_dir || strlen(name) < RUN_NAME || !strstr(name, RUN_SUFFIX))
		return TF_OK;
	if (ends_with(tf_str(name), TF_STR(".tmp")))
		return tf_os_unlink(x->os, path, l->f);
	if (idem_runs_reserve(x))
		return idem_no_memory(l->f);
	struct idem_run *r;
	TF_TRY(idem_run_open(x->os, path, &r, l->f));
	uint64_t due = x->run_count ? x->runs[x->run_count - 1]->next : r->first;
	x->runs[x->run_count++] = r;
	x->keys += r->count;
	for (uint32_t i = 0; i < r->partner_count; i++)
		if (idem_partner_add(&x->partners, r->partners[i].hash, (int64_t)r->partners[i].keys))
			return idem_no_memory(l->f);
	if (r->first != due || r->next > tf_log_end(x->log, x->o.partition))
		return tf_fault(l->f, TF_CORRUPT, "'%s' does not follow the run before and the log: remove '%s'", path,
				x->dir);
	return TF_OK;
}

/* When the newest record was appended; 0: there is none. */
static enum tf_err
last_time(struct tf_log *log, uint32_t partition, tf_time *out, struct tf_fault *f)
{
	struct tf_log_reader *r;
	struct tf_log_record rec;
	uint64_t end = tf_log_synced(log, partition);
	*out = 0;
	if (end <= tf_log_first(log, partition))
		return TF_OK;
	TF_TRY(tf_log_read(log, partition, end - 1, &r, f));
	enum tf_err e = tf_log_next(r, &rec, f);
	if (!e)
		*out = rec.time;
	tf_log_reader_close(&r);
	return e;
}

/* What is now, the log and the wall clock must agree on: either alone may be far ahead. */
enum tf_err
tf_idem_young(struct tf_os *os, struct tf_log *log, uint32_t partition, tf_dur retention, uint64_t *out,
	      struct tf_fault *f)
{
	tf_time now = tf_os_now(os), last;
	TF_TRY(last_time(log, partition, &last, f));
	return tf_log_seek(log, partition, (last < now ? last : now) - retention, out, f);
}

/* Where to read the log from: the end of the last run, but nothing that is too old by now. */
static enum tf_err
start_of_tail(struct tf_idem *x, uint64_t *out, struct tf_fault *f)
{
	uint64_t from = x->run_count ? x->runs[x->run_count - 1]->next : 0, young;
	uint64_t first = tf_log_first(x->log, x->o.partition);
	TF_TRY(tf_idem_young(x->os, x->log, x->o.partition, x->o.retention, &young, f));
	*out = from > young ? from : young;
	if (*out < first)
		*out = first;
	return TF_OK;
}

static enum tf_err
read_tail(struct tf_idem *x, struct tf_fault *f)
{
	struct tf_log_reader *r;
	struct tf_log_record rec;
	enum tf_err e;
	TF_TRY(tf_log_read(x->log, x->o.partition, x->table.next, &r, f));
	while (!(e = tf_log_next(r, &rec, f))) {
		struct tf_decision d;
		bool decides = !x->o.type || rec.type == x->o.type;
		if ((decides && (e = tf_decision_get(rec.bytes, &d, f))) || (e = tf_idem_tick(x, rec.time, f)) ||
		    (e = tf_idem_apply(x, rec.offset, decides ? &d : NULL, f)))
			break;
		/* Never more in memory than a running service has. */
		if (x->worker && x->table.count >= x->o.run_keys && (e = idem_seal_end(x, f)))
			break;
	}
	tf_log_reader_close(&r);
	return e == TF_END ? TF_OK : e;
}

enum tf_err
idem_start(struct tf_idem *x, struct tf_fault *f)
{
	uint64_t from;
	if (tf_map_init(&x->partners, TF_MAP_OWN_KEYS))
		return idem_no_memory(f);
	TF_TRY(tf_os_mkdirs_sync(x->os, x->dir, f));
	TF_TRY(read_secret(x, f));
	TF_TRY(tf_os_list(x->os, x->dir, on_file, &(struct listing){x, f}, f));
	TF_TRY(start_of_tail(x, &from, f));
	/* What was passed over as too old belongs to the next run all the same: runs follow each other. */
	uint64_t first = x->run_count ? x->runs[x->run_count - 1]->next : from;
	if (idem_table_begin(&x->table, first, x->o.run_keys))
		return idem_no_memory(f);
	x->table.next = from;
	x->clock = x->run_count ? x->runs[x->run_count - 1]->latest : 0;
	TF_TRY(read_tail(x, f));
	return tf_idem_tick(x, tf_os_now(x->os), f);
}
