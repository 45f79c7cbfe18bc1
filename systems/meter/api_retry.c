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
#include "retry.h"

#define LIMIT     100
#define LIMIT_MAX 1000

struct meter_api_retry {
	struct meter_api_job job;
	struct meter_api_retry *next;
	int64_t id; /* 0: all */
	uint64_t after, limit;
	struct meter_retry records;
};

static void
retry_free(struct meter_api_job *job)
{
	struct meter_api_retry *r = (struct meter_api_retry *)job;
	meter_retry_release(&r->records);
	tf_free(r);
}

static enum tf_err
find(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f)
{
	struct meter_api_retry *r = (struct meter_api_retry *)job;
	TF_TRY(meter_retry_init(&r->records, r->id ? 1 : (uint32_t)r->limit, f));
	if (!r->id)
		return meter_retry_find(&r->records, a->writer, (int64_t)r->after, f);
	TF_TRY(meter_retry_find_one(&r->records, a->writer, r->id, f));
	return r->records.list[0].held.held ? TF_OK
					    : tf_fault(f, TF_CONFLICT, "record %" PRId64 " was taken before", r->id);
}

/* In the loop. */
static enum tf_err
read_again(struct meter_api *a, struct meter_api_retry *r, struct tf_fault *f)
{
	a->appended = true;
	enum tf_err e = meter_retry_read(&r->records, a->writer, tf_exchange_query(r->job.x, "zone"), f);
	if (e && tf_flow_fault(a->writer->flow)->code) {
		meter_api_own_fault(f);
		return f->code;
	}
	return e;
}

static enum tf_err
settle(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f)
{
	return meter_retry_settle(&((struct meter_api_retry *)job)->records, a->writer, f);
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
	for (uint32_t i = 0; i < r->records.count && r->records.list[i].tried; i++) {
		tf_json_begin_object(&w);
		tf_json_set_i64(&w, "id", r->records.list[i].held.id);
		tf_json_set_bool(&w, "taken", r->records.list[i].taken);
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
