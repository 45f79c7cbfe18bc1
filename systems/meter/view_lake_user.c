/* The lake as people query it: readings of all tiers and the aggregates, locked down; see view_lake.h. */
#include <stdio.h>

#include "base/mem.h"
#include "scan.h"
#include "view_lake.h"

/* A query of the catalog as a table; a column's text is translated where it is a unit. */
struct catalog_table {
	const char *name, *sql;
	struct tf_lake_column columns[12];
	size_t count;
	int unit_column; /* -1: none */
};

#define MEASURES                                                                                                       \
	{"readings", TF_LAKE_BIGINT}, {"not_actual", TF_LAKE_BIGINT},                                                  \
	{                                                                                                              \
		"total", TF_LAKE_BIGINT                                                                                \
	}

static const struct catalog_table tables[] = {
	{"usage_day",
	 "SELECT c.meter, c.channel, c.unit, a.day, a.n, a.other, a.total, a.peak, a.peak_at FROM agg_day a JOIN "
	 "channel c USING (sid)",
	 {{"meter", TF_LAKE_VARCHAR},
	  {"channel", TF_LAKE_VARCHAR},
	  {"unit", TF_LAKE_VARCHAR},
	  {"day", TF_LAKE_DATE},
	  MEASURES,
	  {"peak", TF_LAKE_BIGINT},
	  {"peak_at", TF_LAKE_TIMESTAMP_TZ}},
	 9,
	 2},
	{"usage_month",
	 "SELECT c.meter, c.channel, c.unit, 1970 + a.month / 12, a.month % 12 + 1, a.n, a.other, a.total, a.peak, "
	 "a.peak_at FROM agg_month a"
	 " JOIN channel c USING (sid)",
	 {{"meter", TF_LAKE_VARCHAR},
	  {"channel", TF_LAKE_VARCHAR},
	  {"unit", TF_LAKE_VARCHAR},
	  {"year", TF_LAKE_INTEGER},
	  {"month", TF_LAKE_INTEGER},
	  MEASURES,
	  {"peak", TF_LAKE_BIGINT},
	  {"peak_at", TF_LAKE_TIMESTAMP_TZ}},
	 10,
	 2},
	{"usage_node",
	 "SELECT CASE kind WHEN 1 THEN 'transformer' WHEN 2 THEN 'feeder' WHEN 3 THEN 'zone' ELSE 'region' END, node, "
	 "channel, unit, day, n,"
	 " other, total FROM agg_node",
	 {{"kind", TF_LAKE_VARCHAR},
	  {"node", TF_LAKE_VARCHAR},
	  {"channel", TF_LAKE_VARCHAR},
	  {"unit", TF_LAKE_VARCHAR},
	  {"day", TF_LAKE_DATE},
	  MEASURES},
	 8,
	 3},
	{"network",
	 "SELECT meter, from_date, account, transformer, feeder, zone, region, category FROM network",
	 {{"meter", TF_LAKE_VARCHAR},
	  {"from_date", TF_LAKE_DATE},
	  {"account", TF_LAKE_VARCHAR},
	  {"transformer", TF_LAKE_VARCHAR},
	  {"feeder", TF_LAKE_VARCHAR},
	  {"zone", TF_LAKE_VARCHAR},
	  {"region", TF_LAKE_VARCHAR},
	  {"category", TF_LAKE_VARCHAR}},
	 8,
	 -1},
};
#define TABLES (sizeof tables / sizeof *tables)

struct bound {
	struct meter_store *s;
	const struct catalog_table *t;
};

struct scan {
	const struct catalog_table *t;
	struct tf_stmt *q;
};

static enum tf_err
begin(void *ctx, const struct tf_lake_value *values, uint64_t wanted, void **out, struct tf_fault *f)
{
	(void)values;
	(void)wanted;
	const struct bound *b = ctx;
	struct scan *sc = tf_calloc(1, sizeof *sc);
	if (!sc)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a scan");
	sc->t = b->t;
	enum tf_err e = tf_sql_prepare(b->s->catalog.db, b->t->sql, &sc->q, f);
	if (e)
		tf_free(sc);
	else
		*out = sc;
	return e;
}

static void
end(void *scan)
{
	struct scan *sc = scan;
	tf_stmt_free(&sc->q);
	tf_free(sc);
}

static void
put_cell(const struct scan *sc, struct tf_lake_chunk *c, size_t column, size_t row)
{
	int i = (int)column;
	switch (sc->t->columns[column].type) {
	case TF_LAKE_VARCHAR:
		if (i == sc->t->unit_column)
			tf_lake_str(c, column, row, 1,
				    tf_str(meter_unit_text((enum meter_unit)tf_stmt_get_i64(sc->q, i))));
		else
			tf_lake_str(c, column, row, 1, tf_stmt_get_str(sc->q, i));
		break;
	case TF_LAKE_DATE:
	case TF_LAKE_INTEGER:
		tf_lake_i32(c, column)[row] = (int32_t)tf_stmt_get_i64(sc->q, i);
		break;
	default:
		tf_lake_i64(c, column)[row] = tf_stmt_get_i64(sc->q, i);
	}
}

static enum tf_err
fill(void *scan, void *worker, struct tf_lake_chunk *c, struct tf_fault *f)
{
	struct scan *sc = scan;
	(void)worker;
	size_t n = 0;
	for (; n < tf_lake_room(c); n++) {
		enum tf_err e = tf_stmt_step(sc->q, f);
		if (e == TF_END)
			break;
		if (e)
			return e;
		for (size_t i = 0; i < sc->t->count; i++)
			if (tf_lake_wants(c, i))
				put_cell(sc, c, i, n);
	}
	tf_lake_rows(c, n);
	return TF_OK;
}

struct meter_user_lake {
	struct bound bound[TABLES];
	struct tf_lake_table tables[TABLES];
};

static enum tf_err
add_catalog_tables(struct meter_store *s, struct tf_lake *lake, struct tf_fault *f)
{
	if (!s->user_lake)
		s->user_lake = tf_calloc(1, sizeof *s->user_lake);
	if (!s->user_lake)
		return tf_fault(f, TF_NO_MEMORY, "no memory for tables");
	for (size_t i = 0; i < TABLES; i++) {
		char name[32], view[96];
		struct tf_lake_table *t = &s->user_lake->tables[i];
		s->user_lake->bound[i] = (struct bound){s, &tables[i]};
		*t = (struct tf_lake_table){.name = tables[i].name,
					    .ctx = &s->user_lake->bound[i],
					    .columns = tables[i].columns,
					    .column_count = tables[i].count,
					    .begin = begin,
					    .end = end,
					    .workers = 1,
					    .fill = fill};
		TF_TRY(tf_lake_register(lake, t, f));
		snprintf(name, sizeof name, "%s", tables[i].name);
		int n = snprintf(view, sizeof view, "CREATE VIEW %s AS SELECT * FROM %s()", name, name);
		TF_TRY(tf_lake_exec(lake, tf_str_n(view, (size_t)n), f));
	}
	return TF_OK;
}

/* One table over all tiers. */
static enum tf_err
add_readings(struct meter_store *s, struct tf_lake *lake, struct tf_fault *f)
{
	struct tf_buf sql;
	tf_buf_init(&sql, 0);
	tf_buf_cstr(&sql, "CREATE VIEW readings AS SELECT * FROM blocks()");
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, "SELECT key FROM cold_file ORDER BY key", &q, f));
	enum tf_err e;
	size_t n = 0;
	while (!(e = tf_stmt_step(q, f))) {
		char path[TF_BLOB_PATH_MAX];
		if ((e = tf_blob_path(s->cold, tf_stmt_get_str(q, 0), path, f)))
			break;
		tf_buf_cstr(&sql, n++ ? ", "
				      : " UNION ALL SELECT meter, channel, \"start\", \"start\" + "
					"to_seconds(interval_s), interval_s, \"value\", unit,"
					" quality, \"version\", 'cold' FROM read_parquet([");
		tf_lake_quote(&sql, tf_str(path));
	}
	tf_stmt_free(&q);
	if (n)
		tf_buf_cstr(&sql, "], hive_partitioning=false, union_by_name=true)");
	if (e == TF_END)
		e = sql.err ? tf_fault(f, sql.err, "no memory for a view") : tf_lake_exec(lake, tf_buf_view(&sql), f);
	tf_buf_release(&sql);
	return e;
}

enum tf_err
meter_lake_for_user(struct meter_store *s, struct tf_lake **out, struct tf_fault *f)
{
	const char *dirs[] = {s->dir};
	struct tf_lake_options o = {.threads = 2, .locked_down = true, .allowed_dirs = dirs, .allowed_count = 1};
	struct tf_lake *lake;
	TF_TRY(tf_lake_open(&o, &lake, f));
	enum tf_err e = meter_lake_tables(s, lake, f);
	if (!e)
		e = add_catalog_tables(s, lake, f);
	if (!e)
		e = add_readings(s, lake, f);
	if (e)
		tf_lake_close(&lake);
	else
		*out = lake;
	return e;
}
