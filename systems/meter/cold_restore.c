/* cold -> memory and cold -> warm; see cold.h. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cold.h"
#include "scan.h"
#include "view_lake.h"

/* The objects of a stem as a list for read_parquet. TF_NOT_FOUND when there is none. */
static enum tf_err
put_files(struct meter_store *s, const char *stem, struct tf_buf *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, "SELECT key FROM cold_file WHERE stem=? ORDER BY key", &q, f));
	tf_stmt_str(q, 1, tf_str(stem));
	enum tf_err e;
	size_t n = 0;
	while (!(e = tf_stmt_step(q, f))) {
		char path[TF_BLOB_PATH_MAX];
		if ((e = tf_blob_path(s->cold, tf_stmt_get_str(q, 0), path, f)))
			break;
		tf_buf_cstr(out, n++ ? ", " : "[");
		tf_lake_quote(out, tf_str(path));
	}
	tf_buf_cstr(out, "]");
	tf_stmt_free(&q);
	if (e != TF_END)
		return e;
	return n ? TF_OK : tf_fault(f, TF_CORRUPT, "no cold files of '%s' in the catalog", stem);
}

/* meter, channel, unit -> row, for the wanted rows of a bucket. */
static enum tf_err
row_map(struct meter_store *s, uint32_t bucket, const uint8_t *rows, struct tf_map *map, struct tf_buf *meters,
	struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "SELECT sid, meter, channel, unit FROM channel WHERE sid>=? AND sid<? ORDER BY sid", &q,
			      f));
	tf_stmt_i64(q, 1, (int64_t)bucket * METER_BUCKET_ROWS);
	tf_stmt_i64(q, 2, ((int64_t)bucket + 1) * METER_BUCKET_ROWS);
	enum tf_err e;
	char key[METER_METER_MAX + METER_CHANNEL_MAX + 16];
	while (!(e = tf_stmt_step(q, f))) {
		uint32_t row = (uint32_t)tf_stmt_get_i64(q, 0) % METER_BUCKET_ROWS;
		if (rows && !rows[row])
			continue;
		struct tf_str meter = tf_stmt_get_str(q, 1), channel = tf_stmt_get_str(q, 2);
		int n = snprintf(key, sizeof key, "%.*s\n%.*s\n%s", TF_FMT(meter), TF_FMT(channel),
				 meter_unit_text((enum meter_unit)tf_stmt_get_i64(q, 3)));
		if ((e = tf_map_put(map, tf_str_n(key, (size_t)n), row))) {
			tf_fault(f, e, "no memory for a bucket's channels");
			break;
		}
		tf_buf_cstr(meters, meters->n ? ", " : "");
		tf_lake_quote(meters, meter);
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

/* One row of the result into its cell. */
static enum tf_err
put_value(struct tf_rows *r, const struct tf_map *map, struct meter_block *b, uint64_t *filled, struct tf_fault *f)
{
	char key[METER_METER_MAX + METER_CHANNEL_MAX + 16];
	struct tf_str meter = tf_rows_text(r, 0);
	int n = snprintf(key, sizeof key, "%.*s\n", TF_FMT(meter));
	struct tf_str channel = tf_rows_text(r, 1);
	n += snprintf(key + n, sizeof key - (size_t)n, "%.*s\n", TF_FMT(channel));
	struct tf_str unit = tf_rows_text(r, 4);
	n += snprintf(key + n, sizeof key - (size_t)n, "%.*s", TF_FMT(unit));
	uint64_t row;
	int64_t start, value;
	TF_TRY(tf_rows_i64(r, 2, &start, f));
	TF_TRY(tf_rows_i64(r, 3, &value, f));
	tf_dur step = (tf_dur)b->shape.interval_s * TF_SEC, since = start - b->shape.first;
	if (!tf_map_get(map, tf_str_n(key, (size_t)n), &row) || since < 0 || since % step ||
	    since / step >= b->shape.slots || row >= b->rows)
		return TF_OK; /* of another bucket */
	size_t at = (size_t)row * b->shape.slots + (size_t)(since / step);
	*filled += b->stamp[at] != 0;
	b->values[at] = value;
	return TF_OK;
}

static enum tf_err
query_values(struct meter_store *s, const struct meter_block_ref *ref, struct tf_str meters, const struct tf_map *map,
	     struct meter_block *b, uint64_t *filled, struct tf_fault *f)
{
	struct tf_lake *lake;
	TF_TRY(meter_lake(s, &lake, f));
	struct tf_buf sql;
	tf_buf_init(&sql, 0);
	tf_buf_cstr(&sql, "SELECT meter, channel, \"start\", \"value\", unit FROM read_parquet(");
	enum tf_err e = put_files(s, ref->cold, &sql, f);
	tf_buf_printf(&sql,
		      ", union_by_name=true) WHERE interval_s=%" PRIu32 " AND \"start\" >= make_timestamptz(%" PRId64
		      ") AND \"start\" < make_timestamptz(%" PRId64 ") AND meter IN (%.*s)",
		      b->shape.interval_s, b->shape.first,
		      b->shape.first + (tf_dur)b->shape.slots * b->shape.interval_s * TF_SEC, (int)meters.n, meters.p);
	struct tf_rows *r = NULL;
	if (!e)
		e = sql.err ? tf_fault(f, sql.err, "no memory for a query")
			    : tf_lake_query(lake, tf_buf_view(&sql), &r, f);
	while (!e && !(e = tf_rows_next(r, f)))
		e = put_value(r, map, b, filled, f);
	tf_rows_close(&r);
	tf_buf_release(&sql);
	return e == TF_END ? TF_OK : e;
}

static uint64_t
wanted_cells(const struct meter_block *b, const uint8_t *rows)
{
	uint64_t n = 0;
	for (uint32_t r = 0; r < b->rows; r++)
		for (uint32_t i = 0; (!rows || rows[r]) && i < b->shape.slots; i++)
			n += b->stamp[(size_t)r * b->shape.slots + i] != 0;
	return n;
}

static enum tf_err
fill_values(struct meter_store *s, const struct meter_block_ref *ref, const uint8_t *rows, struct meter_block *b,
	    struct tf_fault *f)
{
	struct tf_map map;
	struct tf_buf meters;
	uint64_t filled = 0;
	tf_buf_init(&meters, 0);
	TF_TRY(tf_map_init(&map, TF_MAP_OWN_KEYS));
	enum tf_err e = row_map(s, ref->bucket, rows, &map, &meters, f);
	if (!e && meters.err)
		e = tf_fault(f, meters.err, "no memory for a query");
	if (!e && meters.n)
		e = query_values(s, ref, tf_buf_view(&meters), &map, b, &filled, f);
	if (!e && filled != wanted_cells(b, rows))
		e = tf_fault(f, TF_CORRUPT,
			     "cold files of '%s' hold %" PRIu64 " readings of bucket %u instead of %" PRIu64, ref->cold,
			     filled, ref->bucket, wanted_cells(b, rows));
	tf_map_release(&map);
	tf_buf_release(&meters);
	return e;
}

enum tf_err
meter_cold_block(struct meter_store *s, const struct meter_block_ref *ref, const uint8_t *rows, struct meter_block *out,
		 struct tf_fault *f)
{
	char *bytes;
	struct meter_block b = {0};
	TF_TRY(meter_store_read_block(s, ref, &bytes, f));
	enum tf_err e = meter_block_decode(tf_str_n(bytes, ref->bytes), &b, f);
	tf_free(bytes);
	if (!e)
		e = fill_values(s, ref, rows, &b, f);
	if (e)
		meter_block_release(&b);
	else
		*out = b;
	return e;
}

struct restore {
	struct meter_store *s;
	const char *stem;
	struct meter_tier_moved *moved;
	struct meter_step st;
};

/* Makes the warm blocks of a stem; one after the other, because one lake serves them. */
static enum tf_err
make_blocks(struct restore *r, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(r->s->catalog.db, "SELECT bucket, span FROM block WHERE cold=? ORDER BY bucket", &q, f));
	tf_stmt_str(q, 1, tf_str(r->stem));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		struct meter_block_ref ref;
		struct meter_block b = {0};
		e = meter_catalog_find_block(&r->s->catalog, (uint32_t)tf_stmt_get_i64(q, 0), METER_MONTH,
					     (int32_t)tf_stmt_get_i64(q, 1), &ref, f);
		if (!e)
			e = meter_cold_block(r->s, &ref, NULL, &b, f);
		struct meter_block_ref warm = {.tier = METER_WARM, .through = ref.through};
		if (!e)
			e = meter_made_block(r->s, &r->st.made[0], &b, &warm, f);
		meter_block_release(&b);
		if (e)
			break;
		if (r->moved) {
			r->moved->blocks++;
			r->moved->readings += ref.stats.readings;
			r->moved->bytes_before += ref.bytes;
			r->moved->bytes_after += warm.bytes;
		}
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
commit_blocks(struct restore *r, struct tf_fault *f)
{
	TF_TRY(meter_step_pack(r->s, &r->st, f));
	TF_TRY(tf_sql_begin(r->s->catalog.db, f));
	enum tf_err e = meter_step_put(r->s, &r->st, f);
	struct tf_stmt *q = NULL;
	if (!e)
		e = tf_sql_prepare(r->s->catalog.db, "DELETE FROM cold_file WHERE stem=?", &q, f);
	if (!e) {
		tf_stmt_str(q, 1, tf_str(r->stem));
		e = tf_stmt_run(q, f);
	}
	tf_stmt_free(&q);
	if (!e)
		e = tf_sql_commit(r->s->catalog.db, f);
	if (e)
		tf_sql_rollback(r->s->catalog.db);
	return e;
}

enum tf_err
meter_cold_restore(struct meter_store *s, const char *stem, struct meter_tier_moved *moved, struct tf_fault *f)
{
	struct restore r = {.s = s, .stem = stem, .moved = moved};
	enum tf_err e = make_blocks(&r, f);
	if (!e)
		e = commit_blocks(&r, f);
	meter_step_release(&r.st);
	if (!e)
		e = meter_cold_sweep(s, f);
	return e ? e : meter_store_sweep(s, f);
}

/* Counters older than the week that the rule looks at. */
static enum tf_err
forget(struct meter_store *s, int32_t before, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, "DELETE FROM access WHERE day<=?", &q, f));
	tf_stmt_i64(q, 1, before);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_cold_return(struct meter_store *s, const struct meter_tier_rule *rule, tf_time now,
		  struct meter_tier_moved *moved, struct tf_fault *f)
{
	int32_t today = (int32_t)(now / TF_DAY);
	TF_TRY(forget(s, today - 7, f));
	for (;;) {
		struct tf_stmt *q;
		TF_TRY(tf_sql_prepare(s->catalog.db,
				      "SELECT b.cold FROM block b JOIN access a ON a.bucket=b.bucket AND "
				      "a.month=b.span WHERE b.tier=2 AND a.day>?"
				      " AND a.day<=? GROUP BY b.cold HAVING count(DISTINCT a.day)>=? LIMIT 1",
				      &q, f));
		tf_stmt_i64(q, 1, today - 7);
		tf_stmt_i64(q, 2, today);
		tf_stmt_i64(q, 3, rule->return_days);
		enum tf_err e = tf_stmt_step(q, f);
		char stem[METER_COLD_MAX] = {0};
		struct tf_str found = e ? (struct tf_str){0} : tf_stmt_get_str(q, 0);
		memcpy(stem, found.p ? found.p : "", found.n < sizeof stem ? found.n : 0);
		tf_stmt_free(&q);
		if (e)
			return e == TF_END ? TF_OK : e;
		TF_TRY(meter_cold_restore(s, stem, moved, f));
	}
}

static enum tf_err
note_access(struct tf_sql *db, uint32_t bucket, int32_t month, int32_t day, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(db, "INSERT INTO access VALUES(?,?,?,1) ON CONFLICT DO UPDATE SET opened=opened+1", &q,
			      f));
	tf_stmt_i64(q, 1, bucket);
	tf_stmt_i64(q, 2, month);
	tf_stmt_i64(q, 3, day);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_cold_access(struct meter_store *s, uint32_t bucket, int32_t month, int32_t day, struct tf_fault *f)
{
	return note_access(s->catalog.db, bucket, month, day, f);
}

/* The connection of a read-only store that notes what was read; NULL where it may not write. */
static struct meter_catalog *
notes_of(struct meter_store *s)
{
	if (s->notes || s->no_notes)
		return s->notes;
	struct meter_catalog *c = tf_calloc(1, sizeof *c);
	char *path = meter_store_path(s, "meter.db");
	if (c && path && meter_catalog_open(s->os, path, false, c, NULL) == TF_OK)
		s->notes = c;
	else
		tf_free(c);
	tf_free(path);
	s->no_notes = !s->notes;
	return s->notes;
}

void
meter_cold_opened(struct meter_store *s, uint32_t bucket, int32_t month)
{
	if (s->opened) {
		s->opened(s->opened_ctx, bucket, month);
		return;
	}
	struct meter_catalog *c = s->read_only ? notes_of(s) : &s->catalog;
	if (!c)
		return;
	enum tf_err ignored = note_access(c->db, bucket, month, (int32_t)(tf_os_now(s->os) / TF_DAY), NULL);
	(void)ignored;
}

enum tf_err
meter_cold_verify(struct meter_store *s, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, "SELECT key, etag FROM cold_file ORDER BY key", &q, f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		struct tf_etag etag;
		struct tf_str key = tf_stmt_get_str(q, 0);
		if ((e = tf_blob_etag(s->cold, key, &etag, f)))
			break;
		if (!tf_str_eq(tf_stmt_get_str(q, 1), tf_str(etag.hex))) {
			e = tf_fault(f, TF_CORRUPT, "cold object '%.*s' is not what was written", TF_FMT(key));
			break;
		}
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

struct sweep {
	struct meter_store *s;
	struct tf_stmt *known;
	struct tf_fault *f;
	struct tf_buf gone; /* keys to delete, each a lstr: nothing is deleted while the store lists */
};

static enum tf_err
sweep_key(void *ctx, struct tf_str key, const struct tf_blob_info *info)
{
	struct sweep *w = ctx;
	(void)info;
	tf_stmt_str(w->known, 1, key);
	enum tf_err e = tf_stmt_step(w->known, w->f);
	tf_stmt_reset(w->known);
	if (e != TF_END)
		return e;
	tf_buf_lstr(&w->gone, key);
	return w->gone.err;
}

enum tf_err
meter_cold_sweep(struct meter_store *s, struct tf_fault *f)
{
	struct sweep w = {s, NULL, f, {0}};
	tf_buf_init(&w.gone, 0);
	TF_TRY(tf_sql_prepare(s->catalog.db, "SELECT 1 FROM cold_file WHERE key=?", &w.known, f));
	enum tf_err e = tf_blob_list(s->cold, TF_STR(""), sweep_key, &w, f);
	struct tf_cur c = tf_cur(tf_buf_view(&w.gone));
	while (!e && tf_cur_left(&c)) {
		e = tf_blob_delete(s->cold, tf_cur_lstr(&c), f);
		e = e == TF_NOT_FOUND ? TF_OK : e;
	}
	tf_stmt_free(&w.known);
	tf_buf_release(&w.gone);
	return e;
}
