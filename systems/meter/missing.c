/* Gaps; see missing.h. Blocks of a bucket come in time order, so each channel needs to remember only the next start it
 * expects. */
#include "missing.h"

#include <inttypes.h>

#include "base/mem.h"
#include "scan.h"

struct row {
	tf_time next;      /* the next start expected; 0: no reading yet */
	uint32_t delivery; /* of the latest reading */
};

struct finder {
	struct meter_store *s;
	tf_time from, to;
	meter_gap_each *each;
	void *ctx;
	struct row rows[METER_BUCKET_ROWS];
	struct meter_bucket bucket;
	struct tf_stmt *name, *source;
};

/* "HES7-2026-11-24.csv" is of head-end "HES7-": what is steady of the names that a sender gives its files. */
static struct tf_str
sender(struct tf_str file)
{
	size_t n = 0;
	bool letter = false;
	for (; n < file.n; n++) {
		char ch = file.p[n];
		bool digit = ch >= '0' && ch <= '9';
		if (ch == '.' || (digit && letter && n && (file.p[n - 1] == '-' || file.p[n - 1] == '_')))
			break;
		letter |= !digit;
	}
	while (n && (file.p[n - 1] == '-' || file.p[n - 1] == '_'))
		n--;
	return tf_str_n(file.p, n);
}

static enum tf_err
tell(struct finder *d, uint32_t row, tf_time from, tf_time to, struct tf_fault *f)
{
	struct meter_gap gap = {
		.from = from, .to = to, .intervals = (uint64_t)((to - from) / (d->bucket.interval_s * TF_SEC))};
	tf_stmt_i64(d->name, 1, (int64_t)d->bucket.id * METER_BUCKET_ROWS + row);
	enum tf_err e = tf_stmt_step(d->name, f);
	tf_stmt_i64(d->source, 1, d->rows[row].delivery);
	enum tf_err known = e ? e : tf_stmt_step(d->source, f);
	if (!e && (!known || known == TF_END)) {
		gap.meter = tf_stmt_get_str(d->name, 0);
		gap.channel = tf_stmt_get_str(d->name, 1);
		gap.head_end = known ? TF_STR("") : sender(tf_stmt_get_str(d->source, 0));
		e = d->each(d->ctx, &gap, f);
	}
	tf_stmt_reset(d->name);
	tf_stmt_reset(d->source);
	return e;
}

static enum tf_err
on_row(void *ctx, const struct meter_scan_row *row, struct tf_fault *f)
{
	struct finder *d = ctx;
	struct row *r = &d->rows[row->row];
	const struct meter_grid_shape *shape = &row->head->shape;
	tf_dur step = shape->interval_s * TF_SEC;
	for (uint32_t i = 0; i < row->to; i++) {
		if (!row->stamps[i])
			continue;
		tf_time t = shape->first + (tf_dur)i * step;
		if (r->next && t > r->next && t > d->from)
			TF_TRY(tell(d, row->row, r->next > d->from ? r->next : d->from, t, f));
		r->next = t + step;
		r->delivery = row->head->stamps[row->stamps[i] - 1].delivery;
	}
	return TF_OK;
}

/* The first start at or after t in this bucket's phase. */
static tf_time
aligned(const struct meter_bucket *b, tf_time t)
{
	int64_t s = (t + TF_SEC - 1) / TF_SEC, off = (s - b->phase_s) % b->interval_s;
	if (off < 0)
		off += b->interval_s;
	return (off ? s + b->interval_s - off : s) * TF_SEC;
}

static enum tf_err
find_bucket(struct finder *d, uint32_t bucket, tf_time from, tf_time to, struct tf_fault *f)
{
	TF_TRY(meter_catalog_bucket(&d->s->catalog, bucket, &d->bucket, f));
	memset(d->rows, 0, sizeof d->rows);
	d->from = aligned(&d->bucket, from);
	d->to = aligned(&d->bucket, to);
	/* Everything before too: a channel is missed from its first reading on. */
	struct meter_scan q = {.bucket = bucket, .from = TF_TIME_FIRST, .to = to};
	TF_TRY(meter_scan(d->s, &q, on_row, d, f));
	for (uint32_t i = 0; i < METER_BUCKET_ROWS; i++)
		if (d->rows[i].next && d->rows[i].next < d->to)
			TF_TRY(tell(d, i, d->rows[i].next > d->from ? d->rows[i].next : d->from, d->to, f));
	return TF_OK;
}

static enum tf_err
find_all(struct finder *d, tf_time from, tf_time to, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(d->s->catalog.db, "SELECT id FROM bucket WHERE interval_s<=86400 ORDER BY id", &q, f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)))
		if ((e = find_bucket(d, (uint32_t)tf_stmt_get_i64(q, 0), from, to, f)))
			break;
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

enum tf_err
meter_missing(struct meter_store *s, tf_time from, tf_time to, meter_gap_each *each, void *ctx, struct tf_fault *f)
{
	struct finder *d = tf_calloc(1, sizeof *d);
	if (!d)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a search");
	*d = (struct finder){.s = s, .each = each, .ctx = ctx};
	enum tf_err e = tf_sql_prepare(s->catalog.db, "SELECT meter, channel FROM channel WHERE sid=?", &d->name, f);
	if (!e)
		e = tf_sql_prepare(s->catalog.db, "SELECT name FROM delivery WHERE number=?", &d->source, f);
	if (!e)
		e = find_all(d, from, to, f);
	tf_stmt_free(&d->name);
	tf_stmt_free(&d->source);
	tf_free(d);
	return e;
}

enum tf_err
meter_missing_until(struct meter_store *s, tf_time *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, "SELECT coalesce(max(newest) + 1, 0) FROM block", &q, f));
	enum tf_err e = tf_stmt_step(q, f);
	if (!e)
		*out = tf_stmt_get_i64(q, 0);
	tf_stmt_free(&q);
	return e;
}

void
meter_gap_csv(const struct meter_gap *g, struct tf_buf *out)
{
	char from[40], to[40];
	tf_buf_str(out, g->head_end);
	tf_buf_u8(out, ',');
	tf_buf_str(out, g->meter);
	tf_buf_u8(out, ',');
	tf_buf_str(out, g->channel);
	tf_buf_printf(out, ",%s,%s,%" PRIu64 "\n", tf_time_format(g->from, from), tf_time_format(g->to, to),
		      g->intervals);
}
