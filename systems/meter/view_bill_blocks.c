/* A billing run's inner part: the blocks of the month, bucket by bucket in workers; see view_bill_blocks.h.
 *
 * A bucket goes one of three ways: by its sealed sums (agg_tou); by its blocks, decoded rows at a time; by meter_scan
 * where a block is cold. Each part's use is written by the one worker that has its bucket. */
#include "view_bill_blocks.h"

#include <stdlib.h>

#include "base/mem.h"
#include "scan.h"

#define ROWS_AT_ONCE 16  /* decoded together: several times faster than one by one, and still in the cache */
#define TABLES_MAX   512 /* kept per worker; more begin anew */

enum way { BY_BLOCKS, BY_SCAN, BY_SUMS };

/* A bucket to be billed. */
struct job {
	uint32_t bucket;
	enum way way;
	const uint64_t *order; /* its parts: sid << 32 | part, ascending */
	uint32_t count;
	const struct tf_zone *zone;
	struct meter_grid_shape month;
	uint32_t ref_first, ref_count;
};

struct table {
	const struct tf_zone *zone;
	struct meter_grid_shape shape;
	uint32_t plan;
	struct meter_bill_table t;
};

struct worker {
	struct table *tables;
	uint32_t table_count;
	const struct meter_bill_table **now; /* of the block at hand, by plan; NULL: not looked up yet */
	int64_t *values;
	size_t values_cap;
	uint64_t blocks, bytes;
};

struct billing {
	struct bill_run *run;
	uint64_t *order;
	struct job *jobs;
	uint32_t job_count, job_cap;
	struct meter_block_ref *refs;
	uint32_t ref_count, ref_cap;
	struct tf_stmt *find_blocks, *find_sums;
	struct meter_step step;
	struct worker workers[METER_WORKERS];
	uint8_t *
		maps; /* by plan: which register an hour of the sums is; [0] METER_REGISTERS_MAX where they don't fit */
	const struct job *scanned;
};

static enum tf_err
no_memory(struct tf_fault *f)
{
	return tf_fault(f, TF_NO_MEMORY, "no memory for a billing run");
}

static bool
same_shape(const struct meter_grid_shape *a, const struct meter_grid_shape *b)
{
	return a->first == b->first && a->interval_s == b->interval_s && a->slots == b->slots;
}

static void
forget_tables(struct worker *w)
{
	for (uint32_t i = 0; i < w->table_count; i++)
		meter_bill_table_release(&w->tables[i].t);
	w->table_count = 0;
}

static enum tf_err
find_table(struct billing *b, struct worker *w, const struct job *j, const struct meter_grid_shape *shape,
	   const struct meter_tariff_plan *plan, const struct meter_bill_table **out)
{
	if ((*out = w->now[plan->id]))
		return TF_OK;
	struct table *t = w->tables, *end = t + w->table_count;
	while (t < end && !(t->zone == j->zone && t->plan == plan->id && same_shape(&t->shape, shape)))
		t++;
	if (t == end) {
		if (w->table_count == TABLES_MAX) {
			forget_tables(w);
			memset(w->now, 0, b->run->o->tariff->plan_count * sizeof(void *));
			t = w->tables;
		}
		*t = (struct table){.zone = j->zone, .shape = *shape, .plan = plan->id};
		TF_TRY(meter_bill_table_plan(j->zone, shape, b->run->o->tariff, plan, &t->t));
		w->table_count++;
	}
	*out = w->now[plan->id] = &t->t;
	return TF_OK;
}

/* A row's values with gaps as zeros, and how to count what is there. */
struct row {
	const struct meter_grid_shape *shape;
	const int64_t *values;
	void (*count)(const void *ctx, uint32_t from, uint32_t to, struct meter_use *use);
	const void *ctx;
};

/* The slots of a part in one version; false when there are none. */
static bool
part_slots(const struct bill_version *v, const struct bill_part *p, const struct job *j,
	   const struct meter_grid_shape *shape, uint32_t *from, uint32_t *to)
{
	int32_t first = p->from > v->from ? p->from : v->from, end = p->to < v->to ? p->to : v->to;
	if (first >= end)
		return false;
	meter_shape_slots(shape, tf_zone_day_start(j->zone, first), tf_zone_day_start(j->zone, end), from, to);
	return *from < *to;
}

static enum tf_err
add_row(struct billing *b, struct worker *w, const struct job *j, const struct row *row, uint32_t part)
{
	struct bill_run *run = b->run;
	const struct bill_part *p = &run->parts.parts[part];
	for (uint32_t v = 0; v < run->version_count; v++) {
		uint32_t from, to;
		if (!part_slots(&run->versions[v], p, j, row->shape, &from, &to))
			continue;
		struct meter_use *use = &run->uses[(size_t)part * run->version_count + v];
		const struct meter_bill_table *t;
		TF_TRY(find_table(b, w, j, row->shape, run->versions[v].plans[p->category], &t));
		row->count(row->ctx, from, to, use);
		if (!p->export) {
			meter_bill_row(t, row->values, from, to, use->registers, &use->demand_w);
			continue;
		}
		int64_t registers[METER_REGISTERS_MAX] = {0}, ignored = 0;
		meter_bill_row(t, row->values, from, to, registers, &ignored);
		for (int i = 0; i < METER_REGISTERS_MAX; i++)
			use->export_wh = meter_wrap_add(use->export_wh, registers[i]);
	}
	return TF_OK;
}

struct view_row {
	const struct meter_block_view *view;
	uint32_t row;
};

static struct tf_cur
runs_of(const struct view_row *r)
{
	const struct tf_str *bytes = &r->view->bytes;
	return (struct tf_cur){r->view->row_runs[r->row], (const uint8_t *)bytes->p + bytes->n, false};
}

static void
count_runs(const void *ctx, uint32_t from, uint32_t to, struct meter_use *use)
{
	const struct view_row *r = ctx;
	struct tf_cur c = runs_of(r);
	uint64_t runs = tf_cur_varint(&c);
	for (uint32_t at = 0; runs && at < to; runs--) {
		uint32_t stamp = (uint32_t)tf_cur_varint(&c), n = (uint32_t)tf_cur_varint(&c);
		uint32_t a = at > from ? at : from, z = at + n < to ? at + n : to;
		if (stamp && a < z) {
			use->readings += z - a;
			use->estimated += (r->view->head.stamps[stamp - 1].quality & 0xff) == 'A' ? 0 : z - a;
		}
		at += n;
	}
}

static void
empty_gaps(const struct view_row *r, int64_t *values)
{
	struct tf_cur c = runs_of(r);
	uint64_t runs = tf_cur_varint(&c);
	for (uint32_t at = 0; runs; runs--) {
		uint64_t stamp = tf_cur_varint(&c);
		uint32_t n = (uint32_t)tf_cur_varint(&c);
		if (!stamp)
			memset(values + at, 0, n * sizeof *values);
		at += n;
	}
}

static enum tf_err
room(struct worker *w, size_t values)
{
	if (values <= w->values_cap)
		return TF_OK;
	int64_t *p = tf_realloc(w->values, values * sizeof *p);
	if (!p)
		return TF_NO_MEMORY;
	w->values = p;
	w->values_cap = values;
	return TF_OK;
}

/* The place in a job's parts of the first that belongs to a row or a later one. */
static uint32_t
parts_from(const struct job *j, uint32_t at, uint32_t row)
{
	while (at < j->count && j->order[at] >> 32 < (uint64_t)j->bucket * METER_BUCKET_ROWS + row)
		at++;
	return at;
}

/* Rows first to first + n - 1, whose parts are j->order[at ..]. */
static enum tf_err
add_rows(struct billing *b, struct worker *w, const struct job *j, const struct meter_block_view *v, uint32_t first,
	 uint32_t n, uint32_t at)
{
	uint32_t slots = v->head.shape.slots;
	TF_TRY(meter_decoder_rows(v->decoder, first, n, w->values));
	for (uint32_t end = parts_from(j, at, first + n); at < end; at++) {
		struct view_row r = {v, (uint32_t)(j->order[at] >> 32) % METER_BUCKET_ROWS};
		int64_t *values = w->values + (size_t)(r.row - first) * slots;
		if (!v->row_runs[r.row])
			continue;
		if (!v->row_full[r.row])
			empty_gaps(&r, values);
		struct row row = {&v->head.shape, values, count_runs, &r};
		TF_TRY(add_row(b, w, j, &row, (uint32_t)j->order[at]));
	}
	return TF_OK;
}

static enum tf_err
add_view(struct billing *b, struct worker *w, const struct job *j, const struct meter_block_view *v)
{
	TF_TRY(room(w, (size_t)ROWS_AT_ONCE * v->head.shape.slots));
	memset(w->now, 0, b->run->o->tariff->plan_count * sizeof(void *));
	for (uint32_t first = 0, at = 0; first < v->head.rows; first += ROWS_AT_ONCE) {
		uint32_t n = v->head.rows - first < ROWS_AT_ONCE ? v->head.rows - first : ROWS_AT_ONCE;
		at = parts_from(j, at, first);
		if (at < parts_from(j, at, first + n))
			TF_TRY(add_rows(b, w, j, v, first, n, at));
	}
	return TF_OK;
}

static enum tf_err
add_block(struct billing *b, struct worker *w, const struct job *j, const struct meter_block_ref *ref,
	  struct tf_fault *f)
{
	char *bytes;
	struct meter_block_view v;
	TF_TRY(meter_store_read_block(b->run->s, ref, &bytes, f));
	enum tf_err e = meter_block_open(tf_str_n(bytes, ref->bytes), &v, f);
	if (!e) {
		if ((e = add_view(b, w, j, &v)))
			tf_fault(f, e, "cannot bill bucket %u: %s", j->bucket, tf_err_text(e));
		meter_block_close(&v);
		w->blocks++;
		w->bytes += ref->bytes;
	}
	tf_free(bytes);
	return e;
}

static enum tf_err
block_job(void *ctx, size_t i, struct meter_made *m, struct tf_fault *f)
{
	struct billing *b = ctx;
	const struct job *j = &b->jobs[i];
	struct worker *w = &b->workers[m - b->step.made];
	for (uint32_t r = 0; j->way == BY_BLOCKS && r < j->ref_count; r++)
		TF_TRY(add_block(b, w, j, &b->refs[j->ref_first + r], f));
	return TF_OK;
}

static void
count_stamps(const void *ctx, uint32_t from, uint32_t to, struct meter_use *use)
{
	const struct meter_scan_row *r = ctx;
	for (uint32_t i = from; i < to; i++) {
		if (!r->stamps[i])
			continue;
		use->readings++;
		use->estimated += (r->head->stamps[r->stamps[i] - 1].quality & 0xff) != 'A';
	}
}

static enum tf_err
scan_row(void *ctx, const struct meter_scan_row *r, struct tf_fault *f)
{
	struct billing *b = ctx;
	struct worker *w = &b->workers[0];
	const struct job *j = b->scanned;
	uint32_t slots = r->head->shape.slots, at = parts_from(j, 0, r->row), end = parts_from(j, at, r->row + 1);
	if (room(w, slots))
		return no_memory(f);
	memset(w->now, 0, b->run->o->tariff->plan_count * sizeof(void *));
	for (uint32_t i = 0; i < slots; i++)
		w->values[i] = r->stamps[i] ? r->values[i] : 0;
	struct row row = {&r->head->shape, w->values, count_stamps, r};
	for (; at < end; at++)
		if (add_row(b, w, j, &row, (uint32_t)b->scanned->order[at]))
			return no_memory(f);
	return TF_OK;
}

static enum tf_err
scan_bucket(struct billing *b, const struct job *j, struct tf_fault *f)
{
	uint8_t rows[METER_BUCKET_ROWS] = {0};
	for (uint32_t i = 0; i < j->count; i++)
		rows[(j->order[i] >> 32) % METER_BUCKET_ROWS] = 1;
	struct meter_scan q = {.bucket = j->bucket,
			       .rows = rows,
			       .from = j->month.first,
			       .to = j->month.first + (tf_dur)j->month.slots * j->month.interval_s * TF_SEC};
	b->scanned = j;
	return meter_scan(b->run->s, &q, scan_row, b, f);
}

static enum tf_err
add_sums(struct billing *b, const struct job *j, struct tf_str sums)
{
	struct bill_run *run = b->run;
	struct tf_cur c;
	uint32_t rows;
	TF_TRY(meter_tou_open(sums, &c, &rows));
	for (uint32_t r = 0, at = 0; r < rows; r++) {
		struct meter_tou_row row;
		TF_TRY(meter_tou_next(&c, &row));
		at = parts_from(j, at, r);
		if (at == parts_from(j, at, r + 1))
			continue;
		uint32_t part = (uint32_t)j->order[at];
		const struct bill_part *p = &run->parts.parts[part];
		const uint8_t *map = b->maps + (size_t)run->versions[0].plans[p->category]->id * METER_TOU_HOURS;
		meter_tou_add(&row, map, p->export, &run->uses[part]);
	}
	return TF_OK;
}

/* Bills a bucket by its sums; *out_found is false where there are none. */
static enum tf_err
by_sums(struct billing *b, const struct job *j, bool *out_found, struct tf_fault *f)
{
	struct tf_stmt *q = b->find_sums;
	*out_found = false;
	tf_stmt_i64(q, 1, b->run->o->month);
	tf_stmt_i64(q, 2, j->bucket);
	enum tf_err e = tf_stmt_step(q, f);
	if (!e) {
		struct tf_str sums = tf_stmt_get_blob(q, 0);
		e = add_sums(b, j, sums);
		if (e)
			tf_fault(f, e, "cannot read the sums of bucket %u: %s", j->bucket, tf_err_text(e));
		b->run->report->sums++;
		b->run->report->sums_bytes += sums.n;
		*out_found = true;
	}
	tf_stmt_reset(q);
	return e == TF_END ? TF_OK : e;
}

/* Do the tariff and the month's state allow sums? NULL, or why not. */
static const char *
sums_refused(const struct billing *b, const struct job *j)
{
	const struct bill_run *run = b->run;
	int32_t first = tf_month_first_date(run->o->month), end = tf_month_first_date(run->o->month + 1);
	const struct meter_block_ref *ref = &b->refs[j->ref_first];
	if (run->version_count != 1)
		return "the tariff changes within the month";
	if (j->ref_count != 1 || ref->level != METER_MONTH || ref->through < end - 1)
		return "the month is not sealed";
	for (uint32_t i = 0; i < j->count; i++) {
		const struct bill_part *p = &run->parts.parts[(uint32_t)j->order[i]];
		uint32_t plan = run->versions[0].plans[p->category]->id;
		if (p->from > first || p->to < end)
			return "a meter changes accounts within the month";
		if (b->maps[(size_t)plan * METER_TOU_HOURS] == METER_REGISTERS_MAX)
			return "the tariff's registers or demand interval need readings";
	}
	return NULL;
}

static enum tf_err
choose_way(struct billing *b, struct job *j, struct tf_fault *f)
{
	bool found = false;
	const char *why = "asked not to";
	if (b->run->o->from_sums != METER_SUMS_NEVER && !(why = sums_refused(b, j))) {
		TF_TRY(by_sums(b, j, &found, f));
		why = found ? NULL : "it has none";
	}
	if (why && b->run->o->from_sums == METER_SUMS_ONLY)
		return tf_fault(f, TF_CONFLICT, "cannot bill bucket %u from sums: %s", j->bucket, why);
	j->way = found ? BY_SUMS : BY_BLOCKS;
	for (uint32_t r = 0; !found && r < j->ref_count; r++)
		if (b->refs[j->ref_first + r].tier == METER_COLD)
			j->way = BY_SCAN;
	return TF_OK;
}

static enum tf_err
add_ref(struct billing *b, uint32_t bucket, enum meter_level level, int32_t span, struct tf_fault *f)
{
	if (b->ref_count == b->ref_cap) {
		uint32_t cap = b->ref_cap ? b->ref_cap * 2 : 256;
		struct meter_block_ref *p = tf_realloc(b->refs, cap * sizeof *p);
		if (!p)
			return no_memory(f);
		b->refs = p;
		b->ref_cap = cap;
	}
	return meter_catalog_find_block(&b->run->s->catalog, bucket, level, span, &b->refs[b->ref_count++], f);
}

static enum tf_err
add_refs(struct billing *b, uint32_t bucket, struct tf_fault *f)
{
	enum tf_err e;
	tf_stmt_i64(b->find_blocks, 1, bucket);
	while (!(e = tf_stmt_step(b->find_blocks, f)))
		if ((e = add_ref(b, bucket, (enum meter_level)tf_stmt_get_i64(b->find_blocks, 0),
				 (int32_t)tf_stmt_get_i64(b->find_blocks, 1), f)))
			break;
	tf_stmt_reset(b->find_blocks);
	return e == TF_END ? TF_OK : e;
}

/* The month's block and the day blocks beside it. */
static enum tf_err
add_job(struct billing *b, const uint64_t *order, uint32_t count, struct tf_fault *f)
{
	if (b->job_count == b->job_cap) {
		uint32_t cap = b->job_cap ? b->job_cap * 2 : 64;
		struct job *p = tf_realloc(b->jobs, cap * sizeof *p);
		if (!p)
			return no_memory(f);
		b->jobs = p;
		b->job_cap = cap;
	}
	struct bill_run *run = b->run;
	struct meter_bucket bucket;
	struct job *j = &b->jobs[b->job_count++];
	*j = (struct job){.bucket = (uint32_t)(order[0] >> 32) / METER_BUCKET_ROWS,
			  .order = order,
			  .count = count,
			  .ref_first = b->ref_count};
	TF_TRY(meter_catalog_bucket(&run->s->catalog, j->bucket, &bucket, f));
	j->zone = run->s->catalog.zones[bucket.zone];
	meter_bucket_shape(j->zone, &bucket, METER_MONTH, run->o->month, &j->month);
	TF_TRY(add_refs(b, j->bucket, f));
	j->ref_count = b->ref_count - j->ref_first;
	return TF_OK;
}

static int
by_number(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return (a > b) - (a < b);
}

static enum tf_err
make_jobs(struct billing *b, struct tf_fault *f)
{
	const struct bill_parts *p = &b->run->parts;
	b->order = tf_calloc(p->count, sizeof *b->order);
	if (!b->order)
		return no_memory(f);
	for (uint32_t i = 0; i < p->count; i++)
		b->order[i] = (uint64_t)p->parts[i].sid << 32 | i;
	qsort(b->order, p->count, sizeof *b->order, by_number);
	for (uint32_t i = 0, end; i < p->count; i = end) {
		uint64_t bucket = (b->order[i] >> 32) / METER_BUCKET_ROWS;
		for (end = i + 1; end < p->count && (b->order[end] >> 32) / METER_BUCKET_ROWS == bucket;)
			end++;
		TF_TRY(add_job(b, b->order + i, end - i, f));
	}
	return TF_OK;
}

static enum tf_err
make_workers(struct billing *b, struct tf_fault *f)
{
	const struct meter_tariff *t = b->run->o->tariff;
	b->maps = tf_calloc(t->plan_count, METER_TOU_HOURS);
	for (int i = 0; i < METER_WORKERS; i++) {
		b->workers[i].tables = tf_calloc(TABLES_MAX, sizeof *b->workers[i].tables);
		b->workers[i].now = tf_calloc(t->plan_count, sizeof *b->workers[i].now);
		if (!b->maps || !b->workers[i].tables || !b->workers[i].now)
			return no_memory(f);
	}
	for (uint32_t v = 0; v < t->version_count; v++)
		for (uint32_t p = 0; p < t->versions[v].plan_count; p++) {
			const struct meter_tariff_plan *plan = &t->versions[v].plans[p];
			uint8_t *map = b->maps + (size_t)plan->id * METER_TOU_HOURS;
			if (!meter_tou_fits(t, plan, b->run->o->month, map))
				map[0] = METER_REGISTERS_MAX;
		}
	return TF_OK;
}

/* What should have been there: of channels of which something was. */
static void
expect(struct billing *b, const struct job *j)
{
	struct bill_run *run = b->run;
	for (uint32_t i = 0; i < j->count; i++) {
		uint32_t part = (uint32_t)j->order[i], from, to;
		struct meter_use *use = &run->uses[(size_t)part * run->version_count];
		uint64_t readings = 0;
		for (uint32_t v = 0; v < run->version_count; v++)
			readings += use[v].readings;
		for (uint32_t v = 0; readings && v < run->version_count; v++)
			if (part_slots(&run->versions[v], &run->parts.parts[part], j, &j->month, &from, &to))
				use[v].expected = to - from;
	}
}

static enum tf_err
prepare(struct billing *b, struct tf_fault *f)
{
	struct tf_sql *db = b->run->s->catalog.db;
	int32_t month = b->run->o->month;
	TF_TRY(tf_sql_prepare(db,
			      "SELECT level, span FROM block WHERE bucket=?1 AND level=1 AND span=?2 UNION ALL SELECT "
			      "level, span FROM block WHERE bucket=?1 AND level=0 AND span>=?3 AND span<?4",
			      &b->find_blocks, f));
	tf_stmt_i64(b->find_blocks, 2, month);
	tf_stmt_i64(b->find_blocks, 3, tf_month_first_date(month));
	tf_stmt_i64(b->find_blocks, 4, tf_month_first_date(month + 1));
	return tf_sql_prepare(db, "SELECT sums FROM agg_tou WHERE month=? AND bucket=?", &b->find_sums, f);
}

static enum tf_err
plan_jobs(struct billing *b, struct tf_fault *f)
{
	TF_TRY(prepare(b, f));
	TF_TRY(make_workers(b, f));
	TF_TRY(make_jobs(b, f));
	for (uint32_t i = 0; i < b->job_count; i++)
		TF_TRY(choose_way(b, &b->jobs[i], f));
	return TF_OK;
}

/* Which blocks there are and what the sums say, as of one commit. */
static enum tf_err
plan(struct billing *b, struct tf_fault *f)
{
	struct tf_sql *db = b->run->s->catalog.db;
	TF_TRY(tf_sql_exec(db, "BEGIN", f));
	enum tf_err e = plan_jobs(b, f);
	tf_stmt_free(&b->find_blocks);
	tf_stmt_free(&b->find_sums);
	tf_sql_rollback(db);
	return e;
}

static enum tf_err
run_jobs(struct billing *b, struct tf_fault *f)
{
	struct meter_store *s = b->run->s;
	TF_TRY(meter_step_run(s, &b->step, b->job_count, block_job, b, f));
	for (uint32_t i = 0; i < b->job_count; i++) {
		if (b->jobs[i].way == BY_SCAN)
			TF_TRY(scan_bucket(b, &b->jobs[i], f));
		expect(b, &b->jobs[i]);
	}
	return TF_OK;
}

static void
release(struct billing *b)
{
	for (int i = 0; i < METER_WORKERS; i++) {
		forget_tables(&b->workers[i]);
		tf_free(b->workers[i].tables);
		tf_free(b->workers[i].now);
		tf_free(b->workers[i].values);
	}
	meter_step_release(&b->step);
	tf_free(b->order);
	tf_free(b->jobs);
	tf_free(b->refs);
	tf_free(b->maps);
}

/* Blocks and bytes that the store's own scan opened. */
static void
opened(const struct meter_store *s, uint64_t *out_blocks, uint64_t *out_bytes)
{
	*out_blocks = *out_bytes = 0;
	for (int t = 0; t < METER_TIER_COUNT; t++) {
		*out_blocks += s->opened_blocks[t];
		*out_bytes += s->opened_bytes[t];
	}
}

enum tf_err
bill_blocks(struct bill_run *run, struct tf_fault *f)
{
	struct billing b = {.run = run};
	uint64_t blocks, bytes;
	opened(run->s, &blocks, &bytes);
	enum tf_err e = plan(&b, f);
	if (!e)
		e = run_jobs(&b, f);
	opened(run->s, &run->report->blocks, &run->report->bytes);
	run->report->blocks -= blocks;
	run->report->bytes -= bytes;
	for (int i = 0; i < METER_WORKERS; i++) {
		run->report->blocks += b.workers[i].blocks;
		run->report->bytes += b.workers[i].bytes;
	}
	release(&b);
	return e;
}
