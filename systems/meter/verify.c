/* verify; see verify.h. Day rows are recomputed from blocks in a table of their own and compared with SQL, so that a
 * row too many is found as well as one too few. */
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cold.h"
#include "core_bill_tou.h"
#include "network.h"
#include "scan.h"

struct check {
	struct meter_store *s;
	void (*each)(void *ctx, const struct meter_finding *finding);
	void *ctx;
	struct meter_verify_report *r;
	struct tf_stmt *put;
};

static void
find(struct check *c, const char *what, const char *text)
{
	struct meter_finding finding = {what, text};
	c->r->findings++;
	c->each(c->ctx, &finding);
}

/* A fault that is a finding; anything else ends the run. */
static enum tf_err
found(struct check *c, enum tf_err e, const char *what, const struct tf_fault *why, struct tf_fault *f)
{
	if (e == TF_CORRUPT || e == TF_NOT_FOUND) {
		find(c, what, why->text);
		return TF_OK;
	}
	return e ? tf_fault(f, e, "%s", why->text) : TF_OK;
}

static void
day_of_row(const struct meter_scan_row *row, uint32_t from, uint32_t to, struct meter_day *d)
{
	struct meter_block b = *row->head;
	b.rows = 1;
	b.values = (int64_t *)(uintptr_t)row->values;
	b.stamp = (uint32_t *)(uintptr_t)row->stamps;
	meter_day_of(&b, 0, from, to, d);
}

static enum tf_err
check_row(void *ctx, const struct meter_scan_row *row, struct tf_fault *f)
{
	struct check *c = ctx;
	const struct tf_zone *zone = c->s->catalog.zones[row->bucket->zone];
	const struct meter_grid_shape *shape = &row->head->shape;
	for (uint32_t from = 0, to; from < shape->slots; from = to) {
		int32_t date = tf_zone_date(zone, shape->first + (tf_dur)from * shape->interval_s * TF_SEC);
		meter_shape_slots(shape, tf_zone_day_start(zone, date), tf_zone_day_start(zone, date + 1), &from, &to);
		struct meter_day d;
		day_of_row(row, from, to, &d);
		if (!d.count)
			continue;
		c->r->readings += d.count;
		const int64_t v[] = {date, row->sid, d.count, d.other, d.sum, d.max, d.max_at};
		for (int i = 0; i < 7; i++)
			tf_stmt_i64(c->put, i + 1, v[i]);
		TF_TRY(tf_stmt_run(c->put, f));
	}
	return TF_OK;
}

static enum tf_err
check_blocks(struct check *c, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->s->catalog.db,
			      "SELECT bucket, oldest, newest, readings, bytes FROM block ORDER BY bucket, oldest", &q,
			      f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		uint64_t before = c->r->readings;
		struct meter_scan scan = {.bucket = (uint32_t)tf_stmt_get_i64(q, 0),
					  .from = tf_stmt_get_i64(q, 1),
					  .to = tf_stmt_get_i64(q, 2) + 1};
		struct tf_fault why = {0};
		if ((e = found(c, meter_scan(c->s, &scan, check_row, c, &why), "block", &why, f)))
			break;
		c->r->blocks++;
		c->r->block_bytes += (uint64_t)tf_stmt_get_i64(q, 4);
		if (!why.code && c->r->readings - before != (uint64_t)tf_stmt_get_i64(q, 3))
			find(c, "block", "a block holds another number of readings than the manifest says");
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

/* Rows of either side that the other has not, bit for bit. */
static enum tf_err
compare(struct check *c, const char *have, const char *want, const char *name, struct tf_fault *f)
{
	struct tf_buf sql;
	tf_buf_init(&sql, 0);
	tf_buf_printf(&sql,
		      "SELECT 'stored', * FROM (SELECT * FROM (%s) EXCEPT SELECT * FROM (%s)) UNION ALL"
		      " SELECT 'recomputed', * FROM (SELECT * FROM (%s) EXCEPT SELECT * FROM (%s)) LIMIT 100",
		      have, want, want, have);
	struct tf_stmt *q = NULL;
	enum tf_err e = sql.err ? tf_fault(f, sql.err, "no memory for a query")
				: tf_sql_prepare(c->s->catalog.db, (const char *)sql.p, &q, f);
	while (!e && !(e = tf_stmt_step(q, f))) {
		char text[256];
		struct tf_str side = tf_stmt_get_str(q, 0), of = tf_stmt_get_str(q, 2);
		snprintf(text, sizeof text,
			 "%s of period %" PRId64 ", %.*s: only %.*s has n=%" PRId64 ", other=%" PRId64
			 ", total=%" PRId64,
			 name, tf_stmt_get_i64(q, 1), TF_FMT(of), TF_FMT(side), tf_stmt_get_i64(q, 3),
			 tf_stmt_get_i64(q, 4), tf_stmt_get_i64(q, 5));
		find(c, "aggregate", text);
	}
	tf_stmt_free(&q);
	tf_buf_release(&sql);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
count_rows(struct check *c, const char *sql, uint64_t *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->s->catalog.db, sql, &q, f));
	enum tf_err e = tf_stmt_step(q, f);
	if (!e)
		*out = (uint64_t)tf_stmt_get_i64(q, 0);
	tf_stmt_free(&q);
	return e;
}

/* The largest reading of a month's days, the earliest of equals. */
#define MONTH_PEAK                                                                                                     \
	"(SELECT peak FROM again p WHERE p.month=a.month AND p.sid=a.sid ORDER BY peak DESC, peak_at LIMIT 1),"        \
	"(SELECT peak_at FROM again p WHERE p.month=a.month AND p.sid=a.sid ORDER BY peak DESC, peak_at LIMIT 1)"

static enum tf_err
check_nodes(struct check *c, struct tf_fault *f)
{
	struct tf_buf want;
	tf_buf_init(&want, 0);
	meter_network_select("temp.again_day", &want);
	if (want.err)
		return tf_fault(f, want.err, "no memory for a query");
	static const char order[] = "SELECT day, kind || ' ' || node || ' ' || channel, n, other, total, unit FROM ";
	char have[160];
	snprintf(have, sizeof have, "%smain.agg_node", order);
	struct tf_buf select;
	tf_buf_init(&select, 0);
	tf_buf_printf(
		&select,
		"%s(SELECT NULL AS day, NULL AS kind, NULL AS node, NULL AS channel, NULL AS unit, NULL AS n, NULL AS"
		" other, NULL AS total WHERE 0 UNION ALL %s)",
		order, (const char *)want.p);
	enum tf_err e = select.err ? tf_fault(f, select.err, "no memory for a query")
				   : compare(c, have, (const char *)select.p, "node", f);
	tf_buf_release(&want);
	tf_buf_release(&select);
	return e;
}

static enum tf_err
check_aggregates(struct check *c, struct tf_fault *f)
{
	TF_TRY(compare(c, "SELECT day, sid, n, other, total, peak, peak_at FROM main.agg_day",
		       "SELECT day, sid, n, other, total, peak, peak_at FROM temp.again_day", "day", f));
	TF_TRY(tf_sql_exec(c->s->catalog.db,
			   "CREATE TEMP TABLE again AS SELECT CAST((strftime('%Y', day*86400, 'unixepoch')-1970)*12"
			   "+strftime('%m', day*86400, 'unixepoch')-1 AS INTEGER) AS month, * FROM temp.again_day;"
			   "CREATE INDEX temp.again_by ON again(month, sid)",
			   f));
	TF_TRY(compare(c, "SELECT month, sid, n, other, total, peak, peak_at FROM main.agg_month",
		       "SELECT month, sid, sum(n), sum(other), sum(total), " MONTH_PEAK
		       " FROM temp.again a GROUP BY month, sid",
		       "month", f));
	TF_TRY(check_nodes(c, f));
	TF_TRY(count_rows(c, "SELECT count(*) FROM main.agg_day", &c->r->days, f));
	return count_rows(c, "SELECT count(*) FROM main.agg_month", &c->r->months, f);
}

static enum tf_err
block_of(struct meter_store *s, const struct meter_block_ref *ref, struct meter_block *out, struct tf_fault *f)
{
	if (ref->tier == METER_COLD)
		return meter_cold_block(s, ref, NULL, out, f);
	char *bytes;
	TF_TRY(meter_store_read_block(s, ref, &bytes, f));
	enum tf_err e = meter_block_decode(tf_str_n(bytes, ref->bytes), out, f);
	tf_free(bytes);
	return e;
}

/* The sealed sums of one bucket and month, made again. */
static enum tf_err
check_sums(struct check *c, uint32_t bucket, int32_t month, struct tf_str sums, struct tf_fault *f)
{
	struct meter_block_ref ref;
	struct meter_block b = {0};
	struct tf_buf again;
	tf_buf_init(&again, 0);
	enum tf_err e = meter_catalog_find_block(&c->s->catalog, bucket, METER_MONTH, month, &ref, f);
	if (e == TF_NOT_FOUND)
		return tf_fault(f, e, "sealed sums of bucket %u without its block", bucket);
	if (!e)
		e = block_of(c->s, &ref, &b, f);
	struct meter_bucket bk;
	if (!e)
		e = meter_catalog_bucket(&c->s->catalog, bucket, &bk, f);
	if (!e && (e = meter_tou_of(&b, c->s->catalog.zones[bk.zone], &again)))
		tf_fault(f, e, "no memory for sums");
	if (!e && !tf_str_eq(tf_buf_view(&again), sums))
		find(c, "aggregate", "sealed time-of-use sums differ from the readings");
	meter_block_release(&b);
	tf_buf_release(&again);
	return e;
}

static enum tf_err
check_all_sums(struct check *c, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->s->catalog.db, "SELECT bucket, month, sums FROM agg_tou ORDER BY bucket, month", &q,
			      f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		struct tf_fault why = {0};
		e = check_sums(c, (uint32_t)tf_stmt_get_i64(q, 0), (int32_t)tf_stmt_get_i64(q, 1),
			       tf_stmt_get_blob(q, 2), &why);
		if ((e = found(c, e, "aggregate", &why, f)))
			break;
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
check_all(struct check *c, struct tf_fault *f)
{
	struct meter_store *s = c->s;
	struct tf_fault why = {0};
	TF_TRY(found(c, tf_sql_verify(s->catalog.db, &why), "catalog", &why, f));
	enum tf_err e = s->read_only ? meter_store_read_log(s, &why) : TF_OK;
	if (!e)
		e = tf_log_verify(s->log, &c->r->log_records, &why);
	TF_TRY(found(c, e, "log", &why, f));
	why = (struct tf_fault){0};
	TF_TRY(found(c, meter_cold_verify(s, &why), "cold", &why, f));
	TF_TRY(check_blocks(c, f));
	TF_TRY(check_all_sums(c, f));
	return check_aggregates(c, f);
}

/* With the sums made again in temporary tables. */
static enum tf_err
check_with_tables(struct check *c, struct tf_fault *f)
{
	struct tf_sql *db = c->s->catalog.db;
	TF_TRY(tf_sql_exec(
		db,
		"CREATE TEMP TABLE again_day(day, sid, n, other, total, peak, peak_at, PRIMARY KEY(day, sid)) "
		"WITHOUT ROWID",
		f));
	enum tf_err e = tf_sql_prepare(db, "INSERT OR REPLACE INTO temp.again_day VALUES(?,?,?,?,?,?,?)", &c->put, f);
	if (!e)
		e = check_all(c, f);
	tf_stmt_free(&c->put);
	struct tf_fault ignored;
	enum tf_err drop = tf_sql_exec(db, "DROP TABLE IF EXISTS temp.again; DROP TABLE temp.again_day", &ignored);
	return e ? e : drop;
}

/* A reader beside a writer checks one state of the tables; packs that the writer removed meanwhile are no damage. */
static enum tf_err
check_beside_writer(struct check *c, struct tf_fault *f)
{
	struct tf_sql *db = c->s->catalog.db;
	int64_t before = 0, after = 0;
	TF_TRY(tf_sql_exec(db, "PRAGMA query_only=OFF", f)); /* for temporary tables */
	enum tf_err e = tf_sql_data_version(db, &before, f);
	if (!e)
		e = tf_sql_exec(db, "BEGIN", f);
	if (!e)
		e = check_with_tables(c, f);
	tf_sql_rollback(db);
	struct tf_fault why = {0};
	enum tf_err undo = tf_sql_data_version(db, &after, &why);
	if (!undo)
		undo = tf_sql_exec(db, "PRAGMA query_only=ON", &why);
	if (!e && undo)
		return tf_fault(f, undo, "%s", why.text);
	if ((e || c->r->findings) && before != after)
		e = tf_fault(f, TF_BUSY,
			     "a writer changed the data while it was verified: try again, or ask the writer");
	return e;
}

/* To look at everything is not to read it: it brings no month back from the cold. */
static void
uncounted(void *ctx, uint32_t bucket, int32_t month)
{
	(void)ctx;
	(void)bucket;
	(void)month;
}

enum tf_err
meter_verify(struct meter_store *s, void (*each)(void *ctx, const struct meter_finding *finding), void *ctx,
	     struct meter_verify_report *out, struct tf_fault *f)
{
	*out = (struct meter_verify_report){0};
	struct check c = {.s = s, .each = each, .ctx = ctx, .r = out};
	TF_TRY(tf_sql_exec(s->catalog.db, "PRAGMA temp_store=MEMORY", f));
	void (*counted)(void *opened_ctx, uint32_t bucket, int32_t month) = s->opened;
	s->opened = uncounted;
	enum tf_err e = s->read_only ? check_beside_writer(&c, f) : check_with_tables(&c, f);
	s->opened = counted;
	return e;
}
