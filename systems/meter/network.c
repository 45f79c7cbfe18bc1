/* The network and sums per node; see network.h. */
#include "network.h"

#include "base/mem.h"
#include "view_usage.h"

/* Node columns of the table network, in the order of enum meter_node from METER_TRANSFORMER on. */
static const char *const node_columns[] = {"transformer", "feeder", "zone", "region"};
#define NODES 4

enum { ACCOUNT, TRANSFORMER, FEEDER, ZONE, REGION, METER, FROM, CATEGORY, COLUMNS };
static const char *const file_columns[COLUMNS] = {"account", "transformer", "feeder", "zone",
						  "region",  "meter",       "from",   "category"};

void
meter_network_select(const char *days, struct tf_buf *out)
{
	for (int i = 0; i < NODES; i++)
		tf_buf_printf(out,
			      "%sSELECT a.day, %d, n.%s, c.channel, c.unit, sum(a.n), sum(a.other), sum(a.total) FROM "
			      "%s a JOIN channel c USING (sid)"
			      " JOIN network n ON n.meter=c.meter AND n.from_date=(SELECT max(from_date) FROM network "
			      "m WHERE m.meter=c.meter"
			      " AND m.from_date<=a.day) WHERE n.%s<>'' GROUP BY 1, 3, 4, 5",
			      i ? " UNION ALL " : "", i + METER_TRANSFORMER, node_columns[i], days, node_columns[i]);
	tf_buf_u8(out, 0);
}

static enum tf_err
recompute(struct meter_catalog *c, struct tf_fault *f)
{
	struct tf_buf sql;
	tf_buf_init(&sql, 0);
	tf_buf_cstr(&sql, "DELETE FROM agg_node; INSERT INTO agg_node ");
	meter_network_select("agg_day", &sql);
	enum tf_err e =
		sql.err ? tf_fault(f, sql.err, "no memory for a query") : tf_sql_exec(c->db, (const char *)sql.p, f);
	tf_buf_release(&sql);
	return e;
}

struct file {
	struct tf_str name;
	int at[COLUMNS]; /* -1: not there */
	uint64_t line;
};

static enum tf_err
header(struct file *fl, struct tf_str line, struct tf_fault *f)
{
	struct tf_str cell;
	for (int i = 0; i < COLUMNS; i++)
		fl->at[i] = -1;
	for (int n = 0; tf_str_cut(&line, ',', &cell); n++)
		for (int i = 0; i < COLUMNS; i++)
			if (tf_str_eq_nocase(tf_str_trim(cell), tf_str(file_columns[i])))
				fl->at[i] = n;
	for (int i = 0; i <= REGION; i++)
		if (fl->at[i] < 0)
			return tf_fault(f, TF_INVALID, "%.*s:1: no column '%s'", TF_FMT(fl->name), file_columns[i]);
	return TF_OK;
}

static enum tf_err
split(struct file *fl, struct tf_str line, struct tf_str cells[COLUMNS], struct tf_fault *f)
{
	struct tf_str cell;
	int n = 0;
	for (int i = 0; i < COLUMNS; i++)
		cells[i] = TF_STR("");
	for (; tf_str_cut(&line, ',', &cell); n++)
		for (int i = 0; i < COLUMNS; i++)
			if (fl->at[i] == n)
				cells[i] = tf_str_trim(cell);
	for (int i = 0; i < COLUMNS; i++) {
		if (fl->at[i] >= n)
			return tf_fault(f, TF_INVALID, "%.*s:%llu: field %d (%s) is missing", TF_FMT(fl->name),
					(unsigned long long)fl->line, fl->at[i] + 1, file_columns[i]);
		if (cells[i].n > METER_METER_MAX || memchr(cells[i].p, '"', cells[i].n))
			return tf_fault(f, TF_INVALID, "%.*s:%llu: field %d (%s): '%.*s' is too long or quoted",
					TF_FMT(fl->name), (unsigned long long)fl->line, fl->at[i] + 1, file_columns[i],
					TF_FMT(cells[i]));
	}
	return TF_OK;
}

static enum tf_err
put_line(struct file *fl, struct tf_str line, struct tf_stmt *q, struct tf_fault *f)
{
	struct tf_str cells[COLUMNS];
	int32_t from = INT32_MIN;
	TF_TRY(split(fl, line, cells, f));
	if (!cells[ACCOUNT].n)
		return tf_fault(f, TF_INVALID, "%.*s:%llu: field %d (account) is empty", TF_FMT(fl->name),
				(unsigned long long)fl->line, fl->at[ACCOUNT] + 1);
	if (cells[FROM].n && tf_date_parse(cells[FROM], &from))
		return tf_fault(f, TF_INVALID, "%.*s:%llu: field %d (from): '%.*s' is no date YYYY-MM-DD",
				TF_FMT(fl->name), (unsigned long long)fl->line, fl->at[FROM] + 1, TF_FMT(cells[FROM]));
	tf_stmt_str(q, 1, cells[METER].n ? cells[METER] : cells[ACCOUNT]);
	tf_stmt_i64(q, 2, from);
	for (int i = ACCOUNT; i <= REGION; i++)
		tf_stmt_str(q, 3 + i, cells[i]);
	tf_stmt_str(q, 8, cells[CATEGORY]);
	return tf_stmt_run(q, f);
}

static enum tf_err
put_file(struct file *fl, struct tf_str csv, struct tf_stmt *q, uint64_t *rows, struct tf_fault *f)
{
	struct tf_str line;
	while (tf_str_cut(&csv, '\n', &line)) {
		fl->line++;
		line = tf_str_trim(line);
		if (fl->line == 1) {
			TF_TRY(header(fl, line, f));
		} else if (line.n) {
			TF_TRY(put_line(fl, line, q, f));
			++*rows;
		}
	}
	return fl->line > 1 ? TF_OK : tf_fault(f, TF_INVALID, "%.*s: no rows", TF_FMT(fl->name));
}

static enum tf_err
load(struct meter_catalog *c, struct file *fl, struct tf_str csv, struct meter_network_report *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->db, "INSERT OR REPLACE INTO network VALUES(?,?,?,?,?,?,?,?)", &q, f));
	enum tf_err e = put_file(fl, csv, q, &out->rows, f);
	tf_stmt_free(&q);
	if (!e)
		e = recompute(c, f);
	if (!e)
		e = tf_sql_prepare(c->db, "SELECT count(*) FROM agg_node", &q, f);
	if (!e && !(e = tf_stmt_step(q, f)))
		out->nodes = (uint64_t)tf_stmt_get_i64(q, 0);
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_network_load(struct meter_catalog *c, struct tf_str name, struct tf_str csv, struct meter_network_report *out,
		   struct tf_fault *f)
{
	struct file fl = {.name = name};
	struct meter_network_report r = {0};
	TF_TRY(tf_sql_begin(c->db, f));
	enum tf_err e = load(c, &fl, csv, &r, f);
	if (!e)
		e = tf_sql_commit(c->db, f);
	if (e)
		tf_sql_rollback(c->db);
	else
		*out = r;
	return e;
}

/* What one node's day gains. */
struct node_change {
	int32_t day;
	int kind;
	int64_t n, other, total;
	uint32_t name_at, name_n, channel_at, channel_n;
	int64_t unit;
};

struct fold {
	struct tf_map index;
	struct tf_buf text, key;
	struct node_change *p;
	size_t count, cap;
};

static enum tf_err
fold_add(struct fold *d, int kind, struct tf_str node, struct tf_str channel, int64_t unit,
	 const struct meter_day_change *ch)
{
	uint64_t at;
	tf_buf_reset(&d->key);
	tf_buf_u32(&d->key, (uint32_t)ch->date);
	tf_buf_u32(&d->key, (uint32_t)kind << 8 | (uint32_t)unit);
	tf_buf_lstr(&d->key, node);
	tf_buf_lstr(&d->key, channel);
	TF_TRY(d->key.err);
	if (!tf_map_get(&d->index, tf_buf_view(&d->key), &at)) {
		if (d->count == d->cap) {
			size_t cap = d->cap ? d->cap * 2 : 256;
			struct node_change *p = tf_realloc(d->p, cap * sizeof *p);
			if (!p)
				return TF_NO_MEMORY;
			d->p = p;
			d->cap = cap;
		}
		at = d->count;
		TF_TRY(tf_map_put(&d->index, tf_buf_view(&d->key), at));
		d->p[d->count++] = (struct node_change){ch->date,
							kind,
							0,
							0,
							0,
							(uint32_t)d->text.n,
							(uint32_t)node.n,
							(uint32_t)(d->text.n + node.n),
							(uint32_t)channel.n,
							unit};
		tf_buf_str(&d->text, node);
		tf_buf_str(&d->text, channel);
		TF_TRY(d->text.err);
	}
	d->p[at].n += (int64_t)ch->now.count - ch->was.count;
	d->p[at].other += (int64_t)ch->now.other - ch->was.other;
	d->p[at].total += ch->now.sum - ch->was.sum;
	return TF_OK;
}

static enum tf_err
fold_all(struct fold *d, struct tf_stmt *q, const struct meter_day_change *changes, size_t count, struct tf_fault *f)
{
	for (size_t i = 0; i < count; i++) {
		tf_stmt_i64(q, 1, changes[i].sid);
		tf_stmt_i64(q, 2, changes[i].date);
		enum tf_err e = tf_stmt_step(q, f);
		for (int k = 0; !e && k < NODES; k++) {
			struct tf_str node = tf_stmt_get_str(q, k);
			if (node.n && fold_add(d, k + METER_TRANSFORMER, node, tf_stmt_get_str(q, NODES),
					       tf_stmt_get_i64(q, NODES + 1), &changes[i]))
				e = tf_fault(f, TF_NO_MEMORY, "no memory for sums per node");
		}
		tf_stmt_reset(q);
		if (e && e != TF_END)
			return e;
	}
	return TF_OK;
}

static enum tf_err
put_nodes(struct meter_catalog *c, const struct fold *d, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(
		c->db,
		"INSERT INTO agg_node VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(kind, node, day, channel, unit) DO UPDATE SET"
		" n=n+excluded.n, other=other+excluded.other, total=total+excluded.total",
		&q, f));
	enum tf_err e = TF_OK;
	const char *text = (const char *)d->text.p;
	for (size_t i = 0; !e && i < d->count; i++) {
		const struct node_change *p = &d->p[i];
		tf_stmt_i64(q, 1, p->day);
		tf_stmt_i64(q, 2, p->kind);
		tf_stmt_str(q, 3, tf_str_n(text + p->name_at, p->name_n));
		tf_stmt_str(q, 4, tf_str_n(text + p->channel_at, p->channel_n));
		tf_stmt_i64(q, 5, p->unit);
		tf_stmt_i64(q, 6, p->n);
		tf_stmt_i64(q, 7, p->other);
		tf_stmt_i64(q, 8, p->total);
		e = tf_stmt_run(q, f);
	}
	tf_stmt_free(&q);
	return e;
}

static enum tf_err
any_network(struct meter_catalog *c, bool *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->db, "SELECT 1 FROM network LIMIT 1", &q, f));
	enum tf_err e = tf_stmt_step(q, f);
	tf_stmt_free(&q);
	*out = !e;
	return e == TF_END ? TF_OK : e;
}

enum tf_err
meter_network_days(struct meter_catalog *c, const struct meter_day_change *changes, size_t count, struct tf_fault *f)
{
	bool any;
	TF_TRY(any_network(c, &any, f));
	if (!any || !count)
		return TF_OK;
	struct fold d = {0};
	struct tf_stmt *q = NULL;
	tf_buf_init(&d.text, 0);
	tf_buf_init(&d.key, 0);
	enum tf_err e = tf_map_init(&d.index, TF_MAP_OWN_KEYS);
	if (!e)
		e = tf_sql_prepare(c->db,
				   "SELECT n.transformer, n.feeder, n.zone, n.region, c.channel, c.unit FROM channel c "
				   "JOIN network n ON n.meter=c.meter"
				   " WHERE c.sid=? AND n.from_date<=? ORDER BY n.from_date DESC LIMIT 1",
				   &q, f);
	if (!e)
		e = fold_all(&d, q, changes, count, f);
	tf_stmt_free(&q);
	if (!e)
		e = put_nodes(c, &d, f);
	tf_map_release(&d.index);
	tf_buf_release(&d.text);
	tf_buf_release(&d.key);
	tf_free(d.p);
	return e;
}
