/* Blocks as a table of the lake; see view_lake.h. */
#include "view_lake.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "scan.h"

enum column { C_METER, C_CHANNEL, C_START, C_END, C_INTERVAL, C_VALUE, C_UNIT, C_QUALITY, C_VERSION, C_TIER, C_COUNT };
static const struct tf_lake_column columns[C_COUNT] = {{"meter", TF_LAKE_VARCHAR},      {"channel", TF_LAKE_VARCHAR},
						       {"start", TF_LAKE_TIMESTAMP_TZ}, {"end", TF_LAKE_TIMESTAMP_TZ},
						       {"interval_s", TF_LAKE_INTEGER}, {"value", TF_LAKE_BIGINT},
						       {"unit", TF_LAKE_VARCHAR},       {"quality", TF_LAKE_VARCHAR},
						       {"version", TF_LAKE_INTEGER},    {"tier", TF_LAKE_VARCHAR}};

enum param { P_TIER, P_MONTH_FROM, P_MONTH_TO, P_BUCKET_FROM, P_BUCKET_TO, P_METER, P_REGION, P_COUNT };
static const struct tf_lake_column params[P_COUNT] = {{"tier", TF_LAKE_BIGINT},      {"month_from", TF_LAKE_BIGINT},
						      {"month_to", TF_LAKE_BIGINT},  {"bucket_from", TF_LAKE_BIGINT},
						      {"bucket_to", TF_LAKE_BIGINT}, {"meter", TF_LAKE_VARCHAR},
						      {"region", TF_LAKE_VARCHAR}};

/* A channel that is wanted; scans hold them sorted by number. */
struct name {
	uint32_t sid;
	uint32_t at; /* meter, then channel, in text */
	uint8_t meter_n, channel_n, unit;
};

struct scan {
	struct meter_store *s;
	struct meter_block_ref *refs;
	size_t ref_count, ref_cap;
	struct name *names;
	size_t name_count, name_cap;
	struct tf_buf text;
	atomic_size_t next;
};

struct worker {
	char *bytes;
	struct meter_block_view view;
	bool open;
	const struct meter_block_ref *ref;
	uint32_t row, slot;
	const struct name *name;
	int64_t *values;
	uint32_t *stamps;
	char (*quality)[16]; /* text of each stamp */
};

static enum tf_err
no_memory(struct tf_fault *f)
{
	return tf_fault(f, TF_NO_MEMORY, "no memory for a scan");
}

static const char find_refs[] =
	"SELECT bucket, level, span FROM block WHERE tier<>2 AND (?1 IS NULL OR tier=?1) AND (?2 IS NULL OR (level=1 "
	"AND span>=?2 AND span<?3))"
	" AND bucket>=coalesce(?4, 0) AND bucket<coalesce(?5, 4294967296)"
	" AND (?6 IS NULL OR bucket IN (SELECT sid/256 FROM channel WHERE meter=?6)) ORDER BY bucket, oldest";
/* A meter's region is that of the network's last row for it, 'none' without one. */
static const char find_names[] =
	"SELECT sid, meter, channel, unit FROM channel c WHERE (?1 IS NULL OR meter=?1) AND sid>=coalesce(?2, 0)*256"
	" AND sid<coalesce(?3, 16777216)*256 AND (?4 IS NULL OR ?4=coalesce((SELECT region FROM network n"
	" WHERE n.meter=c.meter ORDER BY from_date DESC LIMIT 1), 'none')) ORDER BY sid";

static void
bind(struct tf_stmt *q, int i, const struct tf_lake_value *v, bool text)
{
	if (!v->given)
		tf_stmt_null(q, i);
	else if (text)
		tf_stmt_str(q, i, v->str);
	else
		tf_stmt_i64(q, i, v->i64);
}

static enum tf_err
read_refs(struct scan *sc, const struct tf_lake_value *v, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(sc->s->catalog.db, find_refs, &q, f));
	bind(q, 1, &v[P_TIER], false);
	bind(q, 2, &v[P_MONTH_FROM], false);
	bind(q, 3, &v[P_MONTH_TO], false);
	bind(q, 4, &v[P_BUCKET_FROM], false);
	bind(q, 5, &v[P_BUCKET_TO], false);
	bind(q, 6, &v[P_METER], true);
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		if (sc->ref_count == sc->ref_cap) {
			size_t cap = sc->ref_cap ? sc->ref_cap * 2 : 64;
			struct meter_block_ref *p = tf_realloc(sc->refs, cap * sizeof *p);
			if (!p && (e = no_memory(f)))
				break;
			sc->refs = p;
			sc->ref_cap = cap;
		}
		if ((e = meter_catalog_find_block(&sc->s->catalog, (uint32_t)tf_stmt_get_i64(q, 0),
						  (enum meter_level)tf_stmt_get_i64(q, 1),
						  (int32_t)tf_stmt_get_i64(q, 2), &sc->refs[sc->ref_count], f)))
			break;
		sc->ref_count++;
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
add_name(struct scan *sc, struct tf_stmt *q, struct tf_fault *f)
{
	if (sc->name_count == sc->name_cap) {
		size_t cap = sc->name_cap ? sc->name_cap * 2 : 1024;
		struct name *p = tf_realloc(sc->names, cap * sizeof *p);
		if (!p)
			return no_memory(f);
		sc->names = p;
		sc->name_cap = cap;
	}
	struct tf_str meter = tf_stmt_get_str(q, 1), channel = tf_stmt_get_str(q, 2);
	sc->names[sc->name_count++] =
		(struct name){(uint32_t)tf_stmt_get_i64(q, 0), (uint32_t)sc->text.n, (uint8_t)meter.n,
			      (uint8_t)channel.n, (uint8_t)tf_stmt_get_i64(q, 3)};
	tf_buf_str(&sc->text, meter);
	tf_buf_str(&sc->text, channel);
	return sc->text.err ? no_memory(f) : TF_OK;
}

static enum tf_err
read_names(struct scan *sc, const struct tf_lake_value *v, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(sc->s->catalog.db, find_names, &q, f));
	bind(q, 1, &v[P_METER], true);
	bind(q, 2, &v[P_BUCKET_FROM], false);
	bind(q, 3, &v[P_BUCKET_TO], false);
	bind(q, 4, &v[P_REGION], true);
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)))
		if ((e = add_name(sc, q, f)))
			break;
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static void
scan_end(void *scan)
{
	struct scan *sc = scan;
	tf_free(sc->refs);
	tf_free(sc->names);
	tf_buf_release(&sc->text);
	tf_free(sc);
}

static enum tf_err
scan_begin(void *ctx, const struct tf_lake_value *values, uint64_t wanted, void **out_scan, struct tf_fault *f)
{
	(void)wanted;
	struct scan *sc = tf_calloc(1, sizeof *sc);
	if (!sc)
		return no_memory(f);
	sc->s = ctx;
	tf_buf_init(&sc->text, 0);
	enum tf_err e = read_refs(sc, values, f);
	if (!e)
		e = read_names(sc, values, f);
	if (e)
		scan_end(sc);
	else
		*out_scan = sc;
	return e;
}

static enum tf_err
worker_begin(void *scan, void **out_worker, struct tf_fault *f)
{
	(void)scan;
	struct worker *w = tf_calloc(1, sizeof *w);
	*out_worker = w;
	return w ? TF_OK : no_memory(f);
}

static void
close_block(struct worker *w)
{
	if (w->open)
		meter_block_close(&w->view);
	tf_free(w->bytes);
	tf_free(w->values);
	tf_free(w->stamps);
	tf_free(w->quality);
	*w = (struct worker){0};
}

static void
worker_end(void *worker)
{
	close_block(worker);
	tf_free(worker);
}

static enum tf_err
open_block(struct scan *sc, struct worker *w, const struct meter_block_ref *ref, struct tf_fault *f)
{
	TF_TRY(meter_store_read_block(sc->s, ref, &w->bytes, f));
	TF_TRY(meter_block_open(tf_str_n(w->bytes, ref->bytes), &w->view, f));
	w->open = true;
	w->ref = ref;
	uint32_t slots = w->view.head.shape.slots, stamps = w->view.head.stamp_count;
	w->values = tf_calloc(slots, sizeof *w->values);
	w->stamps = tf_calloc(slots, sizeof *w->stamps);
	w->quality = tf_calloc(stamps + 1, sizeof *w->quality);
	if (!w->values || !w->stamps || !w->quality)
		return no_memory(f);
	for (uint32_t i = 0; i < stamps; i++)
		meter_quality_text(meter_quality_from(w->view.head.stamps[i].quality), w->quality[i + 1]);
	w->row = UINT32_MAX;
	w->slot = slots;
	return TF_OK;
}

static const struct name *
find_name(const struct scan *sc, uint32_t sid)
{
	size_t lo = 0, hi = sc->name_count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (sc->names[mid].sid < sid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < sc->name_count && sc->names[lo].sid == sid ? &sc->names[lo] : NULL;
}

/* To the next wanted row that holds anything; false at the worker's end. */
static enum tf_err
next_row(struct scan *sc, struct worker *w, bool *out_more, struct tf_fault *f)
{
	*out_more = true;
	for (;;) {
		if (!w->open || ++w->row >= w->view.head.rows) {
			close_block(w);
			size_t i = atomic_fetch_add(&sc->next, 1);
			if (i >= sc->ref_count) {
				*out_more = false;
				return TF_OK;
			}
			TF_TRY(open_block(sc, w, &sc->refs[i], f));
			continue;
		}
		w->name = find_name(sc, w->ref->bucket * METER_BUCKET_ROWS + w->row);
		if (!w->name || !w->view.row_runs[w->row])
			continue;
		w->slot = 0;
		enum tf_err e = meter_block_row(&w->view, w->row, w->values, w->stamps);
		return e ? tf_fault(f, e, "cannot decode row %u of bucket %u", w->row, w->ref->bucket) : TF_OK;
	}
}

/* The columns that one row of a block has the same of, for rows [from, from + n) of the chunk. */
static void
put_constants(const struct scan *sc, const struct worker *w, struct tf_lake_chunk *c, size_t from, size_t n)
{
	const char *text = (const char *)sc->text.p + w->name->at;
	tf_lake_str(c, C_METER, from, n, tf_str_n(text, w->name->meter_n));
	tf_lake_str(c, C_CHANNEL, from, n, tf_str_n(text + w->name->meter_n, w->name->channel_n));
	tf_lake_str(c, C_UNIT, from, n, tf_str(meter_unit_text(w->name->unit)));
	tf_lake_str(c, C_TIER, from, n, tf_str(meter_tier_names[w->ref->tier]));
	int32_t *interval = tf_lake_i32(c, C_INTERVAL);
	for (size_t i = 0; interval && i < n; i++)
		interval[from + i] = (int32_t)w->view.head.shape.interval_s;
}

/* Readings of the current row while there is room; returns how many. */
static size_t
put_row(struct worker *w, struct tf_lake_chunk *c, size_t at)
{
	const struct meter_grid_shape *shape = &w->view.head.shape;
	int64_t *start = tf_lake_i64(c, C_START), *end = tf_lake_i64(c, C_END), *value = tf_lake_i64(c, C_VALUE);
	int32_t *version = tf_lake_i32(c, C_VERSION);
	bool quality = tf_lake_wants(c, C_QUALITY);
	size_t n = 0, room = tf_lake_room(c) - at;
	uint32_t run = 0, run_stamp = 0;
	for (; w->slot < shape->slots && n < room; w->slot++) {
		uint32_t stamp = w->stamps[w->slot];
		if (!stamp)
			continue;
		if (quality && stamp != run_stamp) {
			if (n > run)
				tf_lake_str(c, C_QUALITY, at + run, n - run, tf_str(w->quality[run_stamp]));
			run = (uint32_t)n;
			run_stamp = stamp;
		}
		tf_time t = shape->first + (tf_dur)w->slot * shape->interval_s * TF_SEC;
		if (start)
			start[at + n] = t;
		if (end)
			end[at + n] = t + shape->interval_s * TF_SEC;
		if (value)
			value[at + n] = w->values[w->slot];
		if (version)
			version[at + n] = (int32_t)meter_block_past(&w->view.head, w->row, w->slot) + 1;
		n++;
	}
	if (quality && n > run)
		tf_lake_str(c, C_QUALITY, at + run, n - run, tf_str(w->quality[run_stamp]));
	return n;
}

static enum tf_err
fill(void *scan, void *worker, struct tf_lake_chunk *c, struct tf_fault *f)
{
	struct scan *sc = scan;
	struct worker *w = worker;
	size_t at = 0;
	while (at < tf_lake_room(c)) {
		if (!w->open || w->slot >= w->view.head.shape.slots) {
			bool more;
			TF_TRY(next_row(sc, w, &more, f));
			if (!more)
				break;
		}
		size_t n = put_row(w, c, at);
		if (n)
			put_constants(sc, w, c, at, n);
		at += n;
	}
	tf_lake_rows(c, at);
	return TF_OK;
}

enum tf_err
meter_lake_tables(struct meter_store *s, struct tf_lake *lake, struct tf_fault *f)
{
	struct tf_lake_table t = {.ctx = s,
				  .columns = columns,
				  .column_count = C_COUNT,
				  .parameters = params,
				  .parameter_count = P_COUNT,
				  .begin = scan_begin,
				  .end = scan_end,
				  .begin_worker = worker_begin,
				  .end_worker = worker_end,
				  .fill = fill};
	s->tables[0] = t;
	s->tables[0].name = "blocks";
	s->tables[0].workers = 2;
	s->tables[1] = t;
	s->tables[1].name = "blocks_ordered";
	s->tables[1].workers = 1;
	TF_TRY(tf_lake_register(lake, &s->tables[0], f));
	return tf_lake_register(lake, &s->tables[1], f);
}

enum tf_err
meter_lake(struct meter_store *s, struct tf_lake **out, struct tf_fault *f)
{
	if (!s->lake) {
		struct tf_lake_options o = {.threads = 2};
		struct tf_lake *lake;
		TF_TRY(tf_lake_open(&o, &lake, f));
		enum tf_err e = meter_lake_tables(s, lake, f);
		if (e) {
			tf_lake_close(&lake);
			return e;
		}
		s->lake = lake;
	}
	*out = s->lake;
	return TF_OK;
}
