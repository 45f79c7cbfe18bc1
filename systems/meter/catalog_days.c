/* Aggregates by local day and month, kept right by differences; see catalog.h. */
#include <stdlib.h>

#include "base/mem.h"
#include "catalog.h"
#include "network.h"

/* What one month of one channel gains. */
struct month_change {
	uint32_t sid;
	int32_t month;
	int64_t n, other, total, peak;
	tf_time peak_at;
	bool lowered; /* a day's peak went down: the month's must be looked up again */
};

static int
by_date(const void *x, const void *y)
{
	const struct meter_day_change *a = x, *b = y;
	if (a->date != b->date)
		return a->date < b->date ? -1 : 1;
	return (a->sid > b->sid) - (a->sid < b->sid);
}

static int
by_month(const void *x, const void *y)
{
	const struct month_change *a = x, *b = y;
	if (a->month != b->month)
		return a->month < b->month ? -1 : 1;
	return (a->sid > b->sid) - (a->sid < b->sid);
}

static bool
higher(int64_t peak, tf_time at, int64_t than, tf_time than_at)
{
	return peak > than || (peak == than && at < than_at);
}

static enum tf_err
put_row(struct tf_stmt *s, int64_t span, int64_t sid, const int64_t v[5], struct tf_fault *f)
{
	tf_stmt_i64(s, 1, span);
	tf_stmt_i64(s, 2, sid);
	for (int i = 0; i < 5; i++)
		tf_stmt_i64(s, i + 3, v[i]);
	return tf_stmt_run(s, f);
}

/* Folds sorted changes into one entry per month and channel; returns how many. */
static size_t
fold(const struct meter_day_change *d, size_t count, struct month_change *m)
{
	for (size_t i = 0; i < count; i++)
		m[i] = (struct month_change){
			d[i].sid,
			tf_date_month(d[i].date),
			(int64_t)d[i].now.count - d[i].was.count,
			(int64_t)d[i].now.other - d[i].was.other,
			d[i].now.sum - d[i].was.sum,
			d[i].now.max,
			d[i].now.max_at,
			d[i].was.count && higher(d[i].was.max, d[i].was.max_at, d[i].now.max, d[i].now.max_at)};
	qsort(m, count, sizeof *m, by_month);
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		struct month_change *last = n ? &m[n - 1] : NULL;
		if (!last || last->month != m[i].month || last->sid != m[i].sid) {
			m[n++] = m[i];
			continue;
		}
		last->n += m[i].n;
		last->other += m[i].other;
		last->total += m[i].total;
		last->lowered |= m[i].lowered;
		if (higher(m[i].peak, m[i].peak_at, last->peak, last->peak_at)) {
			last->peak = m[i].peak;
			last->peak_at = m[i].peak_at;
		}
	}
	return n;
}

/* The month's peak anew, from its days. */
static enum tf_err
look_up_peak(struct meter_catalog *c, const struct month_change *m, struct tf_fault *f)
{
	struct tf_stmt *get, *set = NULL;
	TF_TRY(tf_sql_prepare(c->db, "SELECT peak, peak_at FROM agg_day WHERE day=? AND sid=?", &get, f));
	enum tf_err e =
		tf_sql_prepare(c->db, "UPDATE agg_month SET peak=?, peak_at=? WHERE month=? AND sid=?", &set, f);
	int64_t peak = INT64_MIN, at = 0;
	for (int32_t d = tf_month_first_date(m->month); !e && d < tf_month_first_date(m->month + 1); d++) {
		tf_stmt_i64(get, 1, d);
		tf_stmt_i64(get, 2, m->sid);
		e = tf_stmt_step(get, f);
		if (!e && higher(tf_stmt_get_i64(get, 0), tf_stmt_get_i64(get, 1), peak, at)) {
			peak = tf_stmt_get_i64(get, 0);
			at = tf_stmt_get_i64(get, 1);
		}
		e = e == TF_END ? TF_OK : e;
		tf_stmt_reset(get);
	}
	if (!e) {
		const int64_t v[] = {peak, at, m->month, m->sid};
		for (int i = 0; i < 4; i++)
			tf_stmt_i64(set, i + 1, v[i]);
		e = tf_stmt_run(set, f);
	}
	tf_stmt_free(&get);
	tf_stmt_free(&set);
	return e;
}

static enum tf_err
put_months(struct meter_catalog *c, struct month_change *m, size_t n, struct tf_fault *f)
{
	for (size_t i = 0; i < n; i++) {
		const int64_t v[5] = {m[i].n, m[i].other, m[i].total, m[i].peak, m[i].peak_at};
		TF_TRY(put_row(c->put_month, m[i].month, m[i].sid, v, f));
		if (m[i].lowered)
			TF_TRY(look_up_peak(c, &m[i], f));
	}
	return TF_OK;
}

enum tf_err
meter_catalog_days(struct meter_catalog *c, struct meter_day_change *changes, size_t count, struct tf_fault *f)
{
	if (!count)
		return TF_OK;
	qsort(changes, count, sizeof *changes, by_date);
	for (size_t i = 0; i < count; i++) {
		const struct meter_day *d = &changes[i].now;
		const int64_t v[5] = {d->count, d->other, d->sum, d->max, d->max_at};
		TF_TRY(put_row(c->put_day, changes[i].date, changes[i].sid, v, f));
	}
	TF_TRY(meter_network_days(c, changes, count, f));
	struct month_change *m = tf_calloc(count, sizeof *m);
	if (!m)
		return tf_fault(f, TF_NO_MEMORY, "no memory for %zu aggregates", count);
	enum tf_err e = put_months(c, m, fold(changes, count, m), f);
	tf_free(m);
	return e;
}
