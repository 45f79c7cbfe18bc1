/* Sizes of the tiers; see report.h. */
#include "report.h"

#include <stdio.h>

#include "base/mem.h"

struct walk {
	struct tf_os *os;
	const char *dir;
	uint64_t bytes;
	struct tf_fault *f;
};

/* SQLite's shared memory is there only while a database is open. */
static bool
passing(const char *name)
{
	size_t n = strlen(name);
	return n > 4 && !strcmp(name + n - 4, "-shm");
}

static enum tf_err walk_dir(struct tf_os *os, const char *dir, uint64_t *bytes, struct tf_fault *f);

static enum tf_err
walk_entry(void *ctx, const char *name, bool is_dir)
{
	struct walk *w = ctx;
	if (passing(name))
		return TF_OK;
	size_t n = strlen(w->dir) + strlen(name) + 2;
	char *path = tf_malloc(n);
	if (!path)
		return tf_fault(w->f, TF_NO_MEMORY, "no memory for a path");
	snprintf(path, n, "%s/%s", w->dir, name);
	struct tf_stat st;
	enum tf_err e = is_dir ? walk_dir(w->os, path, &w->bytes, w->f) : tf_os_stat(w->os, path, &st, w->f);
	if (!e && !is_dir)
		w->bytes += st.disk;
	tf_free(path);
	return e == TF_NOT_FOUND ? TF_OK : e; /* removed while we looked */
}

/* Adds what the files below dir take, and the directories themselves. */
static enum tf_err
walk_dir(struct tf_os *os, const char *dir, uint64_t *bytes, struct tf_fault *f)
{
	struct tf_stat st;
	struct walk w = {os, dir, 0, f};
	TF_TRY(tf_os_stat(os, dir, &st, f));
	TF_TRY(tf_os_list(os, dir, walk_entry, &w, f));
	*bytes += w.bytes + st.disk;
	return TF_OK;
}

static enum tf_err
dir_bytes(struct meter_store *s, const char *name, uint64_t *out, struct tf_fault *f)
{
	char *path = *name ? meter_store_path(s, name) : tf_strndup(s->dir, strlen(s->dir));
	if (!path)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a path");
	*out = 0;
	enum tf_err e = walk_dir(s->os, path, out, f);
	tf_free(path);
	return e == TF_NOT_FOUND ? TF_OK : e;
}

static enum tf_err
read_blocks(struct meter_store *s, struct meter_sizes *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(
		s->catalog.db,
		"SELECT tier, sum(readings), sum(bytes), count(*), min(oldest), max(newest) FROM block GROUP BY tier",
		&q, f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		struct meter_tier_size *t = &out->tier[tf_stmt_get_i64(q, 0)];
		t->readings = (uint64_t)tf_stmt_get_i64(q, 1);
		t->bytes = (uint64_t)tf_stmt_get_i64(q, 2);
		t->blocks = (uint64_t)tf_stmt_get_i64(q, 3);
		t->oldest = tf_stmt_get_i64(q, 4);
		t->newest = tf_stmt_get_i64(q, 5);
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
read_aggregates(struct meter_store *s, struct meter_sizes *out, struct tf_fault *f)
{
	static const char *const tables[] = {"agg_day", "agg_month", "agg_node", "agg_tou"};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		uint64_t bytes;
		TF_TRY(tf_sql_table_bytes(s->catalog.db, tables[i], &bytes, f));
		out->aggregate.bytes += bytes;
	}
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "SELECT coalesce(sum(n), 0), min(month), max(month), count(*) FROM agg_month", &q, f));
	enum tf_err e = tf_stmt_step(q, f);
	if (!e && tf_stmt_get_i64(q, 3)) {
		out->aggregate.readings = (uint64_t)tf_stmt_get_i64(q, 0);
		out->aggregate.blocks = (uint64_t)tf_stmt_get_i64(q, 3);
		out->aggregate.oldest = tf_month_first_date((int32_t)tf_stmt_get_i64(q, 1)) * TF_DAY;
		out->aggregate.newest = tf_month_first_date((int32_t)tf_stmt_get_i64(q, 2)) * TF_DAY;
	}
	tf_stmt_free(&q);
	return e;
}

/* Gives the tiers the rest of a total, each by its weight; what rounding leaves goes to the first with any. */
static void
share(struct meter_sizes *out, uint64_t rest, const uint64_t weight[METER_TIER_COUNT])
{
	uint64_t sum = 0, given = 0;
	int first = 0;
	for (int i = METER_TIER_COUNT - 1; i >= 0; i--) {
		sum += weight[i];
		first = weight[i] ? i : first;
	}
	for (int i = 0; sum && i < METER_TIER_COUNT; i++) {
		uint64_t part = (uint64_t)((unsigned __int128)rest * weight[i] / sum);
		out->tier[i].bytes += part;
		given += part;
	}
	out->tier[first].bytes += rest - given;
}

enum tf_err
meter_sizes(struct meter_store *s, struct meter_sizes *out, struct tf_fault *f)
{
	struct meter_sizes z = {0};
	uint64_t packs, cold;
	for (int i = 0; i < METER_TIER_COUNT; i++)
		z.tier[i].oldest = TF_TIME_MAX;
	z.aggregate.oldest = TF_TIME_MAX;
	struct tf_fault why = {0};
	enum tf_err e = s->read_only ? TF_OK : tf_sql_checkpoint(s->catalog.db, &why);
	if (e && e != TF_BUSY) /* busy: a reader is at work, and the WAL stays as long as it is */
		return tf_fault(f, e, "%s", why.text);
	TF_TRY(read_blocks(s, &z, f));
	TF_TRY(read_aggregates(s, &z, f));
	TF_TRY(dir_bytes(s, "", &z.disk_bytes, f));
	TF_TRY(dir_bytes(s, "log", &z.log_bytes, f));
	TF_TRY(dir_bytes(s, "packs", &packs, f));
	TF_TRY(dir_bytes(s, "cold", &cold, f));
	/* Pack files by their blocks' bytes; the catalog by readings. */
	uint64_t in_packs[METER_TIER_COUNT] = {z.tier[METER_HOT].bytes, z.tier[METER_WARM].bytes,
					       z.tier[METER_COLD].bytes},
		 readings[METER_TIER_COUNT];
	for (int i = 0; i < METER_TIER_COUNT; i++) {
		readings[i] = z.tier[i].readings;
		z.tier[i].bytes = 0;
	}
	share(&z, packs, in_packs);
	z.tier[METER_COLD].bytes += cold;
	share(&z, z.disk_bytes - z.log_bytes - packs - cold - z.aggregate.bytes, readings);
	*out = z;
	return TF_OK;
}
