/* Bulk work in workers; see step.h. */
#include "step.h"

#include <stdatomic.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "core_bill_tou.h"

void
meter_step_release(struct meter_step *st)
{
	for (int i = 0; i < METER_WORKERS; i++) {
		struct meter_made *m = &st->made[i];
		tf_buf_release(&m->bytes);
		tf_buf_release(&m->sums);
		tf_free(m->refs);
		tf_free(m->days);
		tf_free(m->by_delivery);
	}
	*st = (struct meter_step){0};
}

static enum tf_err
grow(void **p, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return TF_OK;
	size_t want = *cap ? *cap * 2 : 256;
	void *n = tf_realloc(*p, want * size);
	if (!n)
		return TF_NO_MEMORY;
	*p = n;
	*cap = want;
	return TF_OK;
}

static enum tf_err
made_ref(struct meter_made *m, const struct meter_block_ref *ref)
{
	TF_TRY(grow((void **)&m->refs, m->ref_count, &m->ref_cap, sizeof *m->refs));
	m->refs[m->ref_count++] = *ref;
	return TF_OK;
}

enum tf_err
meter_made_day(struct meter_made *m, const struct meter_day_change *d)
{
	TF_TRY(grow((void **)&m->days, m->day_count, &m->day_cap, sizeof *m->days));
	m->days[m->day_count++] = *d;
	return TF_OK;
}

enum meter_codec
meter_tier_codec(enum meter_tier tier)
{
	return tier == METER_HOT ? METER_CODEC_PLAIN : METER_CODEC_MODEL;
}

/* The sums of a month that is whole. */
static enum tf_err
seal(struct meter_store *s, struct meter_made *m, const struct meter_block *b, const struct meter_block_ref *ref)
{
	if (ref->tier != METER_WARM || b->level != METER_MONTH || ref->through + 1 < tf_month_first_date(b->span + 1))
		return TF_OK;
	struct tf_buf sums;
	tf_buf_init(&sums, 0);
	enum tf_err e = meter_tou_of(b, s->catalog.zones[s->catalog.buckets[b->bucket].zone], &sums);
	tf_buf_u32(&m->sums, b->bucket);
	tf_buf_u32(&m->sums, (uint32_t)b->span);
	tf_buf_lstr(&m->sums, tf_buf_view(&sums));
	tf_buf_release(&sums);
	return e ? e : m->sums.err;
}

enum tf_err
meter_made_block(struct meter_store *s, struct meter_made *m, const struct meter_block *b, struct meter_block_ref *ref,
		 struct tf_fault *f)
{
	size_t at = m->bytes.n;
	TF_TRY(meter_block_encode(b, meter_tier_codec(ref->tier), &m->bytes, f));
	ref->bucket = b->bucket;
	ref->level = b->level;
	ref->span = b->span;
	ref->offset = at;
	ref->bytes = m->bytes.n - at;
	ref->hash = XXH3_64bits(m->bytes.p + at, ref->bytes);
	meter_block_stats(b, &ref->stats);
	if (made_ref(m, ref) || seal(s, m, b, ref))
		return tf_fault(f, TF_NO_MEMORY, "no memory for blocks");
	return TF_OK;
}

enum tf_err
meter_made_copy(struct meter_made *m, const struct meter_block_ref *ref, const char *bytes)
{
	struct meter_block_ref copy = *ref;
	copy.offset = m->bytes.n;
	tf_buf_put(&m->bytes, bytes, ref->bytes);
	return m->bytes.err ? m->bytes.err : made_ref(m, &copy);
}

struct worker {
	meter_step_job *job;
	void *ctx;
	size_t count;
	atomic_size_t *next;
	struct meter_made *made;
};

static void
work(void *arg)
{
	struct worker *w = arg;
	for (size_t i; !w->made->err && (i = atomic_fetch_add(w->next, 1)) < w->count;)
		w->made->err = w->job(w->ctx, i, w->made, &w->made->fault);
	if (w->made->err)
		atomic_store(w->next, w->count);
}

enum tf_err
meter_step_run(struct meter_store *s, struct meter_step *st, size_t count, meter_step_job *job, void *ctx,
	       struct tf_fault *f)
{
	atomic_size_t next = 0;
	struct worker workers[METER_WORKERS];
	struct tf_worker *running[METER_WORKERS] = {NULL};
	enum tf_err e = TF_OK;
	for (int i = METER_WORKERS - 1; i >= 0; i--) {
		workers[i] = (struct worker){job, ctx, count, &next, &st->made[i]};
		if (i == 0)
			work(&workers[0]);
		else if (!e && count > 1)
			e = tf_os_start(s->os, work, &workers[i], &running[i], f);
	}
	for (int i = 1; i < METER_WORKERS; i++)
		tf_worker_join(&running[i]);
	for (int i = 0; !e && i < METER_WORKERS; i++)
		if (st->made[i].err)
			e = tf_fault(f, st->made[i].err, "%s", st->made[i].fault.text);
	return e;
}

enum tf_err
meter_step_pack(struct meter_store *s, struct meter_step *st, struct tf_fault *f)
{
	struct tf_buf *all = &st->made[0].bytes;
	size_t base[METER_WORKERS] = {0};
	for (int i = 1; i < METER_WORKERS; i++) {
		base[i] = all->n;
		tf_buf_str(all, tf_buf_view(&st->made[i].bytes));
	}
	if (all->err)
		return tf_fault(f, all->err, "no memory for a pack of blocks");
	uint32_t pack = 0;
	if (all->n)
		TF_TRY(meter_store_write_pack(s, tf_buf_view(all), &pack, f));
	for (int i = 0; i < METER_WORKERS; i++)
		for (size_t k = 0; k < st->made[i].ref_count; k++) {
			st->made[i].refs[k].pack = pack;
			st->made[i].refs[k].offset += base[i];
		}
	return TF_OK;
}

static enum tf_err
put_sums(struct meter_store *s, const struct meter_made *m, struct tf_fault *f)
{
	if (!m->sums.n)
		return TF_OK;
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, "INSERT OR REPLACE INTO agg_tou(bucket, month, sums) VALUES(?,?,?)", &q,
			      f));
	struct tf_cur c = tf_cur(tf_buf_view(&m->sums));
	enum tf_err e = TF_OK;
	while (!e && tf_cur_left(&c)) {
		tf_stmt_i64(q, 1, tf_cur_u32(&c));
		tf_stmt_i64(q, 2, (int32_t)tf_cur_u32(&c));
		tf_stmt_blob(q, 3, tf_cur_lstr(&c));
		e = tf_stmt_run(q, f);
	}
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_step_put(struct meter_store *s, struct meter_step *st, struct tf_fault *f)
{
	uint32_t pack = 0;
	for (int i = 0; i < METER_WORKERS; i++) {
		for (size_t k = 0; k < st->made[i].ref_count; k++) {
			pack = st->made[i].refs[k].pack;
			TF_TRY(meter_catalog_put_block(&s->catalog, &st->made[i].refs[k], f));
		}
		TF_TRY(put_sums(s, &st->made[i], f));
	}
	return pack ? meter_catalog_set(&s->catalog, "next_pack", (int64_t)pack + 1, f) : TF_OK;
}
