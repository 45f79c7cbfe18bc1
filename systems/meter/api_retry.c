/* POST /meter/v1/quarantine/{id}/retry and /meter/v1/retry: records read again.
 *
 *   job: find the records -> loop: through the parser into the log -> group commit -> job: settle those that gave
 *   readings -> answer
 *
 * A crash between commit and settling leaves a record held whose readings are there: retried, they are duplicates. */
#include <inttypes.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "load.h"

#define LIMIT     100
#define LIMIT_MAX 1000
#define BYTES_MAX ((uint64_t)64 << 20) /* of records in memory; the rest is for the next request */

struct again {
	struct meter_held held;
	bool tried, taken;
};

struct meter_api_retry {
	struct meter_api_job job;
	struct meter_api_retry *next;
	int64_t id; /* 0: all */
	uint64_t after, limit;
	struct again *list;
	uint32_t count;
};

static void
retry_free(struct meter_api_job *job)
{
	struct meter_api_retry *r = (struct meter_api_retry *)job;
	for (uint32_t i = 0; i < r->count; i++)
		meter_held_release(&r->list[i].held);
	tf_free(r->list);
	tf_free(r);
}

static enum tf_err
add(struct meter_api *a, struct meter_api_retry *r, int64_t id, struct tf_fault *f)
{
	TF_TRY(meter_held_find(a->writer, id, &r->list[r->count].held, f));
	r->list[r->count++].tried = false;
	return TF_OK;
}

static enum tf_err
find_all(struct meter_api *a, struct meter_api_retry *r, struct tf_fault *f)
{
	struct tf_stmt *q;
	uint64_t bytes = 0;
	TF_TRY(tf_sql_prepare(a->writer->catalog.db,
			      "SELECT id, length(bytes) + length(context) FROM quarantine WHERE state='held' AND id>? "
			      "ORDER BY id LIMIT ?",
			      &q, f));
	tf_stmt_i64(q, 1, (int64_t)r->after);
	tf_stmt_i64(q, 2, (int64_t)r->limit);
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)) && bytes < BYTES_MAX) {
		bytes += (uint64_t)tf_stmt_get_i64(q, 1);
		if ((e = add(a, r, tf_stmt_get_i64(q, 0), f)))
			break;
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
find(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f)
{
	struct meter_api_retry *r = (struct meter_api_retry *)job;
	r->list = tf_calloc(r->id ? 1 : r->limit, sizeof *r->list);
	if (!r->list)
		return tf_fault(f, TF_NO_MEMORY, "no memory for records");
	if (!r->id)
		return find_all(a, r, f);
	TF_TRY(add(a, r, r->id, f));
	return r->list[0].held.held ? TF_OK : tf_fault(f, TF_CONFLICT, "record %" PRId64 " was taken before", r->id);
}

/* In the loop. A record that can be read no better is no error. */
static enum tf_err
read_again(struct meter_api *a, struct meter_api_retry *r, struct tf_fault *f)
{
	for (uint32_t i = 0; i < r->count; i++) {
		struct again *g = &r->list[i];
		struct meter_load_result result = {0};
		uint64_t offset;
		a->appended = true;
		enum tf_err e = meter_load_held(a->writer, &g->held, tf_exchange_query(r->job.x, "zone"), NULL, &result,
						&offset, f);
		if (e && tf_flow_fault(a->writer->flow)->code) {
			meter_api_own_fault(f);
			return f->code;
		}
		if (e == TF_OVERLOAD && i)
			return TF_OK;
		if (e && e != TF_INVALID && e != TF_UNSUPPORTED)
			return e;
		g->tried = true;
		g->taken = !e && !result.quarantined && result.counts.readings;
	}
	return TF_OK;
}

static enum tf_err
settle(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f)
{
	struct meter_api_retry *r = (struct meter_api_retry *)job;
	for (uint32_t i = 0; i < r->count; i++)
		if (r->list[i].taken)
			TF_TRY(meter_held_settle(a->writer, r->list[i].held.id, f));
	return TF_OK;
}

static bool
settled(struct meter_api *a, struct meter_api_job *job)
{
	const struct meter_api_retry *r = (const struct meter_api_retry *)job;
	(void)a;
	if (job->err) {
		tf_reply_fault(job->x, &job->fault, NULL);
		return true;
	}
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_key(&w, "retried");
	tf_json_begin_array(&w);
	for (uint32_t i = 0; i < r->count && r->list[i].tried; i++) {
		tf_json_begin_object(&w);
		tf_json_set_i64(&w, "id", r->list[i].held.id);
		tf_json_set_bool(&w, "taken", r->list[i].taken);
		tf_json_end_object(&w);
	}
	tf_json_end_array(&w);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	tf_reply(job->x, 200, "application/json", tf_buf_view(&b));
	tf_buf_release(&b);
	return true;
}

static bool
found(struct meter_api *a, struct meter_api_job *job)
{
	struct meter_api_retry *r = (struct meter_api_retry *)job;
	if (!job->err)
		job->err = read_again(a, r, &job->fault);
	if (job->err) {
		tf_reply_fault(job->x, &job->fault, r->id ? "id" : NULL);
		return true;
	}
	r->next = a->retries;
	a->retries = r;
	a->appended = true; /* where there was nothing to read too: it goes on after the next commit */
	tf_server_wake(a->server);
	return false;
}

void
meter_api_retry_told(struct meter_api *a)
{
	struct meter_api_retry *r;
	while ((r = a->retries)) {
		a->retries = r->next;
		r->job.work = settle;
		r->job.done = settled;
		meter_api_job_again(a, &r->job);
	}
}

void
meter_api_retry_fail(struct meter_api *a, const struct tf_fault *why)
{
	struct meter_api_retry *r;
	while ((r = a->retries)) {
		a->retries = r->next;
		tf_reply_fault(r->job.x, why, NULL);
		retry_free(&r->job);
	}
}

static bool
number(struct tf_exchange *x, const char *name, uint64_t fallback, uint64_t max, uint64_t *out)
{
	struct tf_str text = tf_exchange_query(x, name);
	struct tf_fault f = {0};
	*out = fallback;
	if (!text.p || (tf_str_u64(text, out) && *out <= max))
		return true;
	tf_fault(&f, TF_INVALID, "'%.*s' is no whole number up to %" PRIu64, TF_FMT(text), max);
	tf_reply_fault(x, &f, name);
	return false;
}

static bool
zone_ok(struct meter_api *a, struct tf_exchange *x)
{
	struct tf_str name = tf_exchange_query(x, "zone");
	struct tf_zone *zone;
	struct tf_fault f = {0};
	if (!name.p || !meter_api_zone(a, name, &zone, &f))
		return true;
	f.code = f.code == TF_NOT_FOUND ? TF_INVALID : f.code;
	tf_reply_fault(x, &f, "zone");
	return false;
}

static void
begin(struct meter_api *a, struct tf_exchange *x, int64_t id, uint64_t after, uint64_t limit)
{
	struct tf_fault f = {TF_NO_MEMORY, "no memory for a job"};
	struct meter_api_retry *r = tf_calloc(1, sizeof *r);
	if (!r) {
		tf_reply_fault(x, &f, NULL);
		return;
	}
	*r = (struct meter_api_retry){.job = {.x = x, .work = find, .done = found, .free = retry_free},
				      .id = id,
				      .after = after,
				      .limit = limit};
	if (meter_api_job(a, &r->job, &f)) {
		tf_reply_fault(x, &f, NULL);
		retry_free(&r->job);
	}
}

void
meter_api_post_retry(void *ctx, struct tf_exchange *x)
{
	struct tf_str text = tf_exchange_param(x, 0);
	struct tf_fault f = {0};
	int64_t id;
	if (!tf_str_i64(text, &id) || id < 1) {
		tf_fault(&f, TF_INVALID, "'%.*s' is no record's id", TF_FMT(text));
		tf_reply_fault(x, &f, "id");
	} else if (zone_ok(ctx, x)) {
		begin(ctx, x, id, 0, 1);
	}
}

void
meter_api_post_retry_all(void *ctx, struct tf_exchange *x)
{
	uint64_t after, limit;
	if (number(x, "after", 0, INT64_MAX, &after) && number(x, "limit", LIMIT, LIMIT_MAX, &limit) && zone_ok(ctx, x))
		begin(ctx, x, 0, after, limit ? limit : 1);
}
