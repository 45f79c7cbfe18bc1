/* warm -> cold: month blocks into Parquet; see cold.h. The way back is in cold_restore.c. */
#include "cold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "view_lake.h"

#define REGION_SEGMENT (3 * METER_METER_MAX + 1) /* network.h bounds a region's name */

/* Blocks of neighbouring buckets of one month, or of one bucket in months of one year, and the files they go to. */
struct cold_step {
	struct meter_store *s;
	int32_t month, last_month;
	struct meter_block_ref refs[METER_COLD_BUCKETS];
	uint32_t count;
	char stem[METER_COLD_MAX];
	uint64_t rows; /* written */
	struct meter_tier_moved *moved;
};

static int32_t
year_of(int32_t month)
{
	return 1970 + (month >= 0 ? month / 12 : (month - 11) / 12);
}

/* INTEGER where every value of the step fits: DuckDB writes it twice as fast as BIGINT. Readers take both. */
static enum tf_err
value_type(struct cold_step *c, const char **out, struct tf_fault *f)
{
	struct tf_lake *lake;
	struct tf_rows *r = NULL;
	char sql[256];
	int64_t max = 0;
	TF_TRY(meter_lake(c->s, &lake, f));
	int n = snprintf(sql, sizeof sql,
			 "SELECT coalesce(max(abs(\"value\")), 0) FROM blocks(tier=1, month_from=%" PRId32
			 ", month_to=%" PRId32 ", bucket_from=%" PRIu32 ", bucket_to=%" PRIu32 ")",
			 c->month, c->last_month + 1, c->refs[0].bucket, c->refs[c->count - 1].bucket + 1);
	enum tf_err e = tf_lake_query(lake, tf_str_n(sql, (size_t)n), &r, f);
	if (!e && !(e = tf_rows_next(r, f)))
		e = tf_rows_i64(r, 0, &max, f);
	tf_rows_close(&r);
	*out = max <= INT32_MAX ? "INTEGER" : "BIGINT";
	return e;
}

static enum tf_err
copy_sql(struct tf_buf *b, const struct cold_step *c, struct tf_str region, const char *type)
{
	tf_buf_printf(b,
		      "SELECT meter, channel, \"start\", interval_s, CAST(\"value\" AS %s) AS \"value\", unit, "
		      "quality, \"version\" FROM "
		      "blocks_ordered(tier=1, month_from=%" PRId32 ", month_to=%" PRId32 ", bucket_from=%" PRIu32
		      ", bucket_to=%" PRIu32 ", region=",
		      type, c->month, c->last_month + 1, c->refs[0].bucket, c->refs[c->count - 1].bucket + 1);
	tf_lake_quote(b, region);
	tf_buf_cstr(b, ")");
	if (c->last_month > c->month)
		tf_buf_cstr(b, " ORDER BY meter, channel, \"start\"");
	return b->err;
}

static enum tf_err
note_file(struct cold_step *c, struct tf_str key, struct tf_str region, uint64_t rows, struct tf_fault *f)
{
	struct tf_etag etag;
	struct tf_blob_info info;
	TF_TRY(tf_blob_etag(c->s->cold, key, &etag, f));
	TF_TRY(tf_blob_stat(c->s->cold, key, &info, f));
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->s->catalog.db, "INSERT OR REPLACE INTO cold_file VALUES(?,?,?,?,?,?)", &q, f));
	tf_stmt_str(q, 1, key);
	tf_stmt_str(q, 2, tf_str(c->stem));
	tf_stmt_str(q, 3, region);
	tf_stmt_i64(q, 4, (int64_t)rows);
	tf_stmt_i64(q, 5, (int64_t)info.size);
	tf_stmt_str(q, 6, tf_str(etag.hex));
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	c->moved->bytes_after += info.size;
	return e;
}

/* A region's name as a path segment, as Hive writes it: what is not a letter, digit, '-' or '_' becomes %XX. No two
 * regions share one. */
static void
segment(struct tf_str region, char out[static REGION_SEGMENT])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;
	for (size_t i = 0; i < region.n && n + 4 <= REGION_SEGMENT; i++) {
		unsigned char ch = (unsigned char)region.p[i];
		bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
			     ch == '-' || ch == '_';
		if (!plain) {
			out[n++] = '%';
			out[n++] = hex[ch >> 4];
		}
		out[n++] = plain ? (char)ch : hex[ch & 15];
	}
	out[n] = 0;
}

/* Writes one region's rows as one durable object. Inside the transaction, which notes it. */
static enum tf_err
write_region(struct cold_step *c, struct tf_str region, struct tf_fault *f)
{
	struct tf_lake *lake;
	const char *type;
	TF_TRY(value_type(c, &type, f));
	TF_TRY(meter_lake(c->s, &lake, f));
	char path[TF_BLOB_PATH_MAX], name[REGION_SEGMENT], key[TF_BLOB_KEY_MAX];
	TF_TRY(tf_blob_temp(c->s->cold, path, f));
	struct tf_buf sql;
	tf_buf_init(&sql, 0);
	uint64_t rows = 0;
	enum tf_err e = copy_sql(&sql, c, region, type) ? tf_fault(f, TF_NO_MEMORY, "no memory for a query") : TF_OK;
	if (!e)
		e = tf_lake_copy(lake, tf_buf_view(&sql), path, NULL, &rows, f);
	tf_buf_release(&sql);
	if (e || !rows) {
		struct tf_fault ignored;
		enum tf_err gone = tf_os_unlink(c->s->os, path, &ignored);
		return e ? e : gone == TF_NOT_FOUND ? TF_OK : gone;
	}
	segment(region, name);
	snprintf(key, sizeof key, "year=%d/region=%s/%s.parquet", (int)year_of(c->month), name, c->stem);
	TF_TRY(tf_blob_take_file(c->s->cold, path, tf_str(key), f));
	c->rows += rows;
	return note_file(c, tf_str(key), region, rows, f);
}

/* Regions of the step's channels. */
static enum tf_err
write_regions(struct cold_step *c, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->s->catalog.db,
			      "SELECT DISTINCT coalesce((SELECT region FROM network n WHERE n.meter=c.meter ORDER BY "
			      "from_date DESC LIMIT 1), 'none')"
			      " FROM channel c WHERE sid>=? AND sid<? ORDER BY 1",
			      &q, f));
	tf_stmt_i64(q, 1, (int64_t)c->refs[0].bucket * METER_BUCKET_ROWS);
	tf_stmt_i64(q, 2, ((int64_t)c->refs[c->count - 1].bucket + 1) * METER_BUCKET_ROWS);
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)))
		if ((e = write_region(c, tf_stmt_get_str(q, 0), f)))
			break;
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

/* What Parquet does not hold: the block with every value 0. */
static enum tf_err
rest_job(void *ctx, size_t i, struct meter_made *m, struct tf_fault *f)
{
	struct cold_step *c = ctx;
	char *bytes;
	struct meter_block b = {0};
	TF_TRY(meter_store_read_block(c->s, &c->refs[i], &bytes, f));
	enum tf_err e = meter_block_decode(tf_str_n(bytes, c->refs[i].bytes), &b, f);
	tf_free(bytes);
	struct meter_block_ref ref = {.tier = METER_COLD, .through = c->refs[i].through};
	memcpy(ref.cold, c->stem, sizeof ref.cold);
	if (!e) {
		memset(b.values, 0, (size_t)b.rows * b.shape.slots * sizeof *b.values);
		e = meter_made_block(c->s, m, &b, &ref, f);
	}
	meter_block_release(&b);
	return e;
}

/* Nothing is given up for files that do not hold all of it. */
static enum tf_err
check_rows(const struct cold_step *c, struct tf_fault *f)
{
	uint64_t want = 0;
	for (uint32_t i = 0; i < c->count; i++)
		want += c->refs[i].stats.readings;
	if (c->rows == want)
		return TF_OK;
	return tf_fault(f, TF_BUG, "cold files of '%s' took %" PRIu64 " of %" PRIu64 " readings", c->stem, c->rows,
			want);
}

static enum tf_err
publish_step(struct cold_step *c, struct meter_step *st, struct tf_fault *f)
{
	TF_TRY(meter_step_pack(c->s, st, f));
	TF_TRY(tf_sql_begin(c->s->catalog.db, f));
	enum tf_err e = write_regions(c, f);
	if (!e)
		e = check_rows(c, f);
	if (!e)
		e = meter_step_put(c->s, st, f);
	if (!e)
		e = tf_sql_commit(c->s->catalog.db, f);
	if (e)
		tf_sql_rollback(c->s->catalog.db);
	return e;
}

static enum tf_err
run_step(struct cold_step *c, struct tf_fault *f)
{
	if (!c->count)
		return TF_OK;
	char month[16];
	int64_t next;
	TF_TRY(meter_catalog_get(&c->s->catalog, "next_pack", 1, &next, f));
	snprintf(c->stem, sizeof c->stem, "%s-%010" PRId64, tf_month_format(c->month, month), next);
	struct meter_step st = {0};
	enum tf_err e = meter_step_run(c->s, &st, c->count, rest_job, c, f);
	if (!e)
		e = publish_step(c, &st, f);
	for (uint32_t i = 0; !e && i < c->count; i++) {
		c->moved->blocks++;
		c->moved->readings += c->refs[i].stats.readings;
		c->moved->bytes_before += c->refs[i].bytes;
	}
	for (int i = 0; !e && i < METER_WORKERS; i++)
		c->moved->bytes_after += st.made[i].bytes.n;
	meter_step_release(&st);
	c->count = 0;
	c->rows = 0;
	return e ? e : meter_store_sweep(c->s, f);
}

/* (bucket, month) of warm blocks, by month, then bucket; read in the last week are left out. */
static const char find_due[] = "SELECT bucket, span, readings FROM block b WHERE tier=1 AND span<? AND NOT EXISTS "
			       "(SELECT 1 FROM access a WHERE"
			       " a.bucket=b.bucket AND a.month=b.span AND a.day>?) ORDER BY span, bucket";

struct due {
	uint32_t bucket;
	int32_t month;
	uint64_t readings;
};

struct dues {
	struct due *d;
	size_t count, cap;
};

static enum tf_err
add_due(struct dues *list, const struct due *d, struct tf_fault *f)
{
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 256;
		struct due *p = tf_realloc(list->d, cap * sizeof *p);
		if (!p)
			return tf_fault(f, TF_NO_MEMORY, "no memory for moves");
		list->d = p;
		list->cap = cap;
	}
	list->d[list->count++] = *d;
	return TF_OK;
}

static enum tf_err
read_due(struct meter_store *s, const struct meter_tier_rule *rule, tf_time now, struct dues *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	int32_t today = (int32_t)(now / TF_DAY);
	TF_TRY(tf_sql_prepare(s->catalog.db, find_due, &q, f));
	tf_stmt_i64(q, 1, tf_date_month(today) + 1 - rule->cold_months);
	tf_stmt_i64(q, 2, today - 7);
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		struct due d = {(uint32_t)tf_stmt_get_i64(q, 0), (int32_t)tf_stmt_get_i64(q, 1),
				(uint64_t)tf_stmt_get_i64(q, 2)};
		const struct tf_zone *zone = s->catalog.zones[s->catalog.buckets[d.bucket].zone];
		if (d.month < meter_tier_warm_from(rule, zone, now) && (e = add_due(out, &d, f)))
			break;
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
take_due(struct cold_step *c, const struct due *d, struct tf_fault *f)
{
	if (!c->count)
		c->month = d->month;
	c->last_month = d->month;
	TF_TRY(meter_catalog_find_block(&c->s->catalog, d->bucket, METER_MONTH, d->month, &c->refs[c->count], f));
	c->count++;
	return TF_OK;
}

static int
by_bucket(const void *a, const void *b)
{
	const struct due *x = a, *y = b;
	return x->bucket != y->bucket ? (x->bucket < y->bucket ? -1 : 1)
				      : (x->month > y->month) - (x->month < y->month);
}

static int
by_month(const void *a, const void *b)
{
	const struct due *x = a, *y = b;
	return x->month != y->month ? (x->month < y->month ? -1 : 1)
				    : (x->bucket > y->bucket) - (x->bucket < y->bucket);
}

/* How many from i on are neighbouring months of one bucket and year that fit one row group. */
static size_t
small_months(const struct dues *list, size_t i)
{
	uint64_t readings = list->d[i].readings;
	size_t n = 1;
	for (const struct due *d = &list->d[i]; i + n < list->count; n++) {
		readings += d[n].readings;
		if (d[n].bucket != d->bucket || d[n].month != d->month + (int32_t)n ||
		    year_of(d[n].month) != year_of(d->month) || readings > METER_COLD_READINGS)
			break;
	}
	return n;
}

/* A small store's months go into one file of a year: what zstd learned of a meter serves them all. The others stay in
 * the list. */
static enum tf_err
move_small(struct cold_step *c, struct dues *list, struct tf_fault *f)
{
	size_t kept = 0;
	if (list->count)
		qsort(list->d, list->count, sizeof *list->d, by_bucket);
	for (size_t i = 0, n; i < list->count; i += n) {
		n = small_months(list, i);
		if (n == 1) {
			list->d[kept++] = list->d[i];
			continue;
		}
		for (size_t k = 0; k < n; k++)
			TF_TRY(take_due(c, &list->d[i + k], f));
		TF_TRY(run_step(c, f));
	}
	list->count = kept;
	if (kept)
		qsort(list->d, kept, sizeof *list->d, by_month);
	return TF_OK;
}

/* Neighbouring buckets of a month. A step's files are read back by a range of buckets: it takes neighbours only. */
static enum tf_err
move_months(struct cold_step *c, const struct dues *list, struct tf_fault *f)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct due *d = &list->d[i];
		if (c->count && (c->count == METER_COLD_BUCKETS || c->month != d->month ||
				 c->refs[c->count - 1].bucket + 1 != d->bucket))
			TF_TRY(run_step(c, f));
		TF_TRY(take_due(c, d, f));
	}
	return run_step(c, f);
}

enum tf_err
meter_cold_move(struct meter_store *s, const struct meter_tier_rule *rule, tf_time now, struct meter_tier_moved *moved,
		struct tf_fault *f)
{
	struct dues due = {0};
	struct cold_step c = {.s = s, .moved = moved};
	enum tf_err e = read_due(s, rule, now, &due, f);
	if (!e)
		e = move_small(&c, &due, f);
	if (!e)
		e = move_months(&c, &due, f);
	tf_free(due.d);
	return e;
}
