/* Tier moves: a job, on the schedule and by POST /meter/v1/tier. */
#include <inttypes.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "cold.h"
#include "keys.h"

struct move {
	struct meter_api_job job;
	tf_time now;
	uint64_t keys; /* what they need of the log */
	struct meter_tier_report report;
};

void
meter_api_opened(void *ctx, uint32_t bucket, int32_t month)
{
	struct meter_api *a = ctx;
	struct meter_api_access read = {bucket, month, (int32_t)(tf_os_now(a->os) / TF_DAY)};
	pthread_mutex_lock(&a->access_lock);
	uint32_t i = 0;
	while (i < a->access_count && memcmp(&a->access[i], &read, sizeof read) != 0)
		i++;
	if (i == a->access_count && i < METER_API_ACCESS_MAX)
		a->access[a->access_count++] = read;
	pthread_mutex_unlock(&a->access_lock);
}

/* What readers opened since the last move counts for this one. */
static enum tf_err
note_access(struct meter_api *a, struct tf_fault *f)
{
	enum tf_err e = TF_OK;
	pthread_mutex_lock(&a->access_lock);
	while (!e && a->access_count) {
		const struct meter_api_access *read = &a->access[--a->access_count];
		e = meter_cold_access(a->writer, read->bucket, read->month, read->day, f);
	}
	pthread_mutex_unlock(&a->access_lock);
	return e;
}

static enum tf_err
work(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f)
{
	struct move *m = (struct move *)job;
	TF_TRY(note_access(a, f));
	TF_TRY(meter_keys_keep(a->writer, m->keys, f));
	return meter_tier_move(a->writer, &a->rule, m->now, &m->report, f);
}

static void
reply_report(const struct move *m)
{
	struct tf_buf b;
	char now[40];
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "now", tf_time_format(m->now, now));
	tf_json_key(&w, "moved");
	tf_json_begin_array(&w);
	for (uint32_t i = 0; i < m->report.moved_count; i++) {
		const struct meter_tier_moved *v = &m->report.moved[i];
		if (!v->blocks)
			continue;
		tf_json_begin_object(&w);
		tf_json_set_cstr(&w, "from", meter_tier_names[v->from]);
		tf_json_set_cstr(&w, "to", meter_tier_names[v->to]);
		tf_json_set_u64(&w, "blocks", v->blocks);
		tf_json_set_u64(&w, "readings", v->readings);
		tf_json_set_u64(&w, "bytes_before", v->bytes_before);
		tf_json_set_u64(&w, "bytes_after", v->bytes_after);
		tf_json_end_object(&w);
	}
	tf_json_end_array(&w);
	tf_json_set_u64(&w, "log_bytes_trimmed", m->report.log_bytes_trimmed);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	tf_reply(m->job.x, 200, "application/json", tf_buf_view(&b));
	tf_buf_release(&b);
}

static bool
done(struct meter_api *a, struct meter_api_job *job)
{
	const struct move *m = (const struct move *)job;
	tf_metric_add(a->metrics, METER_M_MOVES, job->err ? 1 : 0, 1);
	if (!job->x)
		a->moving = false;
	if (job->x && job->err)
		tf_reply_fault(job->x, &job->fault, NULL);
	else if (job->x)
		reply_report(m);
	else if (job->err)
		tf_watch_fault(a->watch, "tier.failed", NULL, &job->fault);
	if (!job->err)
		TF_LOG(a->watch, TF_LOG_INFO, "tier.moved", NULL, TF_KV("to_warm", m->report.moved[0].readings),
		       TF_KV("to_cold", m->report.moved[1].readings),
		       TF_KV("back_to_warm", m->report.moved[2].readings),
		       TF_KV("log_bytes_trimmed", m->report.log_bytes_trimmed));
	return true;
}

static void
move_free(struct meter_api_job *job)
{
	tf_free(job);
}

enum tf_err
meter_api_move(struct meter_api *a, tf_time now, struct tf_exchange *x, struct tf_fault *f)
{
	struct move *m = tf_calloc(1, sizeof *m);
	if (!m)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a move");
	*m = (struct move){.job = {.x = x, .work = work, .done = done, .free = move_free}, .now = now};
	m->keys = meter_keys_floor(a->writer);
	a->tiered_at = tf_os_ticks(a->os);
	a->moving |= !x;
	enum tf_err e = meter_api_job(a, &m->job, f);
	if (!e)
		return TF_OK;
	tf_free(m);
	if (!x)
		a->moving = false;
	return e;
}

void
meter_api_post_tier(void *ctx, struct tf_exchange *x)
{
	struct meter_api *a = ctx;
	struct tf_fault f = {0};
	struct tf_str text = tf_exchange_query(x, "now");
	tf_time now = tf_os_now(a->os);
	if (text.p && tf_time_parse(text, NULL, &now, &f)) {
		f.code = TF_INVALID;
		tf_reply_fault(x, &f, "now");
	} else if (meter_api_move(a, now, x, &f)) {
		tf_reply_fault(x, &f, NULL);
	}
}
