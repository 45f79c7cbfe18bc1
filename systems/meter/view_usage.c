/* Usage from the aggregates; see view_usage.h. */
#include "view_usage.h"

#include <stdlib.h>

#include "base/mem.h"

const char *const meter_node_names[METER_NODE_COUNT] = {"account", "transformer", "feeder", "zone", "region"};

/* A channel of an account and the dates on which it was the account's. */
struct part {
	uint32_t sid;
	int32_t from, to;
	enum meter_unit unit;
	char channel[METER_CHANNEL_MAX + 1];
};

struct parts {
	struct part *p;
	size_t count, cap;
};

static int32_t
period_of(int32_t date, enum meter_by by)
{
	int year, month, day;
	if (by == METER_BY_DAY)
		return date;
	if (by == METER_BY_MONTH)
		return tf_date_month(date);
	tf_date_to_civil(date, &year, &month, &day);
	return year;
}

/* Rows (day, n, other, total, peak, peak_at) in order of day, folded by period. */
static enum tf_err
fold_days(struct tf_stmt *q, struct meter_usage *u, enum meter_by by, meter_usage_each *each, void *ctx,
	  struct tf_fault *f)
{
	enum tf_err e;
	u->readings = 0;
	while (!(e = tf_stmt_step(q, f))) {
		int32_t period = period_of((int32_t)tf_stmt_get_i64(q, 0), by);
		if (u->readings && period != u->period) {
			TF_TRY(each(ctx, u, f));
			u->readings = 0;
		}
		if (!u->readings)
			u->other = 0, u->total = 0, u->peak = INT64_MIN;
		u->period = period;
		u->readings += (uint64_t)tf_stmt_get_i64(q, 1);
		u->other += (uint64_t)tf_stmt_get_i64(q, 2);
		u->total += tf_stmt_get_i64(q, 3);
		if (tf_stmt_get_i64(q, 4) > u->peak) {
			u->peak = tf_stmt_get_i64(q, 4);
			u->peak_at = tf_stmt_get_i64(q, 5);
		}
	}
	if (e == TF_END && u->readings)
		return each(ctx, u, f);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
add_part(struct parts *l, struct tf_stmt *q, struct tf_fault *f)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct part *p = tf_realloc(l->p, cap * sizeof *p);
		if (!p)
			return tf_fault(f, TF_NO_MEMORY, "no memory for an account");
		l->p = p;
		l->cap = cap;
	}
	struct part *p = &l->p[l->count++];
	*p = (struct part){(uint32_t)tf_stmt_get_i64(q, 0),
			   (int32_t)tf_stmt_get_i64(q, 3),
			   (int32_t)tf_stmt_get_i64(q, 4),
			   (enum meter_unit)tf_stmt_get_i64(q, 2),
			   {0}};
	struct tf_str name = tf_stmt_get_str(q, 1);
	memcpy(p->channel, name.p, name.n < METER_CHANNEL_MAX ? name.n : METER_CHANNEL_MAX);
	return TF_OK;
}

/* A meter that the network names belongs to the account of its latest row; one that it does not name is its own
 * account. */
static const char find_parts[] =
	"SELECT c.sid, c.channel, c.unit, n.from_date, coalesce((SELECT min(m.from_date) FROM network m WHERE "
	"m.meter=n.meter AND"
	" m.from_date>n.from_date), 2147483647) FROM network n JOIN channel c ON c.meter=n.meter WHERE n.account=?1"
	" UNION ALL SELECT sid, channel, unit, -2147483648, 2147483647 FROM channel WHERE meter=?1 AND NOT EXISTS"
	" (SELECT 1 FROM network WHERE meter=?1) ORDER BY 2, 1, 4";

static enum tf_err
read_parts(struct meter_store *s, struct tf_str account, struct parts *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, find_parts, &q, f));
	tf_stmt_str(q, 1, account);
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)))
		if ((e = add_part(out, q, f)))
			break;
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

/* The days from the first to the last block of the channel's bucket, each looked up: agg_day is ordered by day. */
static const char find_days[] =
	"WITH RECURSIVE span(a, b) AS (SELECT max(min(oldest)/86400000000-1, ?2), min(max(newest)/86400000000+1, ?3-1) "
	"FROM block"
	" WHERE bucket=?4), d(x) AS (SELECT a FROM span WHERE a IS NOT NULL UNION ALL SELECT x+1 FROM d, span WHERE "
	"x<b)"
	" SELECT day, n, other, total, peak, peak_at FROM d CROSS JOIN agg_day ON day=x AND sid=?1 ORDER BY day";

/* What the parts of an account give, before they are added up. */
struct list {
	struct meter_usage *p;
	size_t count, cap;
};

static enum tf_err
collect(void *ctx, const struct meter_usage *u, struct tf_fault *f)
{
	struct list *l = ctx;
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct meter_usage *p = tf_realloc(l->p, cap * sizeof *p);
		if (!p)
			return tf_fault(f, TF_NO_MEMORY, "no memory for an account");
		l->p = p;
		l->cap = cap;
	}
	l->p[l->count++] = *u;
	return TF_OK;
}

static int
by_channel(const void *x, const void *y)
{
	const struct meter_usage *a = x, *b = y;
	int c = tf_str_cmp(a->channel, b->channel);
	if (!c && a->unit != b->unit)
		c = a->unit < b->unit ? -1 : 1;
	return c ? c : (a->period > b->period) - (a->period < b->period);
}

/* Parts of one channel and period are one line: a meter was changed, or there are two. */
static enum tf_err
add_up(struct list *l, meter_usage_each *each, void *ctx, struct tf_fault *f)
{
	if (l->count)
		qsort(l->p, l->count, sizeof *l->p, by_channel);
	for (size_t i = 0, k; i < l->count; i = k) {
		struct meter_usage u = l->p[i];
		for (k = i + 1; k < l->count && by_channel(&l->p[i], &l->p[k]) == 0; k++) {
			u.readings += l->p[k].readings;
			u.other += l->p[k].other;
			u.total += l->p[k].total;
			if (l->p[k].peak > u.peak) {
				u.peak = l->p[k].peak;
				u.peak_at = l->p[k].peak_at;
			}
		}
		TF_TRY(each(ctx, &u, f));
	}
	return TF_OK;
}

static enum tf_err
account_usage(struct meter_store *s, const struct parts *l, enum meter_by by, meter_usage_each *each, void *ctx,
	      struct tf_fault *f)
{
	struct tf_stmt *q;
	struct list list = {0};
	TF_TRY(tf_sql_prepare(s->catalog.db, find_days, &q, f));
	enum tf_err e = TF_OK;
	for (size_t i = 0; !e && i < l->count; i++) {
		const struct part *p = &l->p[i];
		struct meter_usage u = {.channel = tf_str(p->channel), .unit = p->unit};
		tf_stmt_i64(q, 1, p->sid);
		tf_stmt_i64(q, 2, p->from);
		tf_stmt_i64(q, 3, p->to);
		tf_stmt_i64(q, 4, p->sid / METER_BUCKET_ROWS);
		e = fold_days(q, &u, by, collect, &list, f);
		tf_stmt_reset(q);
	}
	tf_stmt_free(&q);
	if (!e)
		e = add_up(&list, each, ctx, f);
	tf_free(list.p);
	return e;
}

static enum tf_err
node_channel(struct meter_store *s, enum meter_node node, struct tf_str name, struct meter_usage *u, enum meter_by by,
	     meter_usage_each *each, void *ctx, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "SELECT day, n, other, total, total, day*86400000000 FROM agg_node WHERE kind=? AND "
			      "node=? AND channel=? AND unit=?"
			      " ORDER BY day",
			      &q, f));
	tf_stmt_i64(q, 1, node);
	tf_stmt_str(q, 2, name);
	tf_stmt_str(q, 3, u->channel);
	tf_stmt_i64(q, 4, u->unit);
	enum tf_err e = fold_days(q, u, by, each, ctx, f);
	tf_stmt_free(&q);
	return e;
}

static enum tf_err
node_usage(struct meter_store *s, enum meter_node node, struct tf_str name, enum meter_by by, meter_usage_each *each,
	   void *ctx, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "SELECT DISTINCT channel, unit FROM agg_node WHERE kind=? AND node=? ORDER BY 1, 2", &q,
			      f));
	tf_stmt_i64(q, 1, node);
	tf_stmt_str(q, 2, name);
	enum tf_err e;
	bool any = false;
	while (!(e = tf_stmt_step(q, f))) {
		struct meter_usage u = {.channel = tf_stmt_get_str(q, 0),
					.unit = (enum meter_unit)tf_stmt_get_i64(q, 1)};
		any = true;
		if ((e = node_channel(s, node, name, &u, by, each, ctx, f)))
			break;
	}
	tf_stmt_free(&q);
	if (e == TF_END)
		return any ? TF_OK : tf_fault(f, TF_NOT_FOUND, "no %s '%.*s'", meter_node_names[node], TF_FMT(name));
	return e;
}

enum tf_err
meter_usage(struct meter_store *s, enum meter_node node, struct tf_str name, enum meter_by by, meter_usage_each *each,
	    void *ctx, struct tf_fault *f)
{
	if (node != METER_ACCOUNT)
		return node_usage(s, node, name, by, each, ctx, f);
	struct parts l = {0};
	enum tf_err e = read_parts(s, name, &l, f);
	if (!e)
		e = l.count ? account_usage(s, &l, by, each, ctx, f)
			    : tf_fault(f, TF_NOT_FOUND, "no account '%.*s'", TF_FMT(name));
	tf_free(l.p);
	return e;
}
