/* Tier moves: on the schedule and by POST /meter/v1/tier, beside the loop, one at a time. */
#include <inttypes.h>

#include "api.h"
#include "base/json.h"

static void
move_work(void *arg)
{
	struct meter_api *a = arg;
	pthread_mutex_lock(&a->catalog);
	a->mover_err = meter_tier_move(a->writer, &a->rule, a->mover_now, &a->report, &a->mover_fault);
	pthread_mutex_unlock(&a->catalog);
	atomic_store(&a->moved, true);
	tf_server_wake(a->server);
}

enum tf_err
meter_api_move(struct meter_api *a, tf_time now, struct tf_exchange *x, struct tf_fault *f)
{
	if (a->mover)
		return tf_fault(f, TF_CONFLICT, "a tier move is under way");
	a->mover_now = now;
	a->mover_x = x;
	a->mover_fault = (struct tf_fault){0};
	atomic_store(&a->moved, false);
	a->tiered_at = tf_os_ticks(a->os);
	return tf_os_start(a->os, move_work, a, &a->mover, f);
}

static void
reply_report(struct meter_api *a)
{
	struct tf_buf b;
	char now[40];
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "now", tf_time_format(a->mover_now, now));
	tf_json_key(&w, "moved");
	tf_json_begin_array(&w);
	for (uint32_t i = 0; i < a->report.moved_count; i++) {
		const struct meter_tier_moved *m = &a->report.moved[i];
		if (!m->blocks)
			continue;
		tf_json_begin_object(&w);
		tf_json_set_cstr(&w, "from", meter_tier_names[m->from]);
		tf_json_set_cstr(&w, "to", meter_tier_names[m->to]);
		tf_json_set_u64(&w, "blocks", m->blocks);
		tf_json_set_u64(&w, "readings", m->readings);
		tf_json_set_u64(&w, "bytes_before", m->bytes_before);
		tf_json_set_u64(&w, "bytes_after", m->bytes_after);
		tf_json_end_object(&w);
	}
	tf_json_end_array(&w);
	tf_json_set_u64(&w, "log_bytes_trimmed", a->report.log_bytes_trimmed);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	tf_reply(a->mover_x, 200, "application/json", tf_buf_view(&b));
	tf_buf_release(&b);
}

void
meter_api_move_done(struct meter_api *a)
{
	if (!a->mover || !atomic_load(&a->moved))
		return;
	tf_worker_join(&a->mover);
	tf_metric_add(a->metrics, METER_M_MOVES, a->mover_err ? 1 : 0, 1);
	if (a->mover_x && a->mover_err)
		tf_reply_fault(a->mover_x, &a->mover_fault, NULL);
	else if (a->mover_x)
		reply_report(a);
	else if (a->mover_err)
		tf_watch_fault(a->watch, "tier.failed", NULL, &a->mover_fault);
	if (!a->mover_err)
		TF_LOG(a->watch, TF_LOG_INFO, "tier.moved", NULL, TF_KV("to_warm", a->report.moved[0].readings),
		       TF_KV("to_cold", a->report.moved[1].readings),
		       TF_KV("log_bytes_trimmed", a->report.log_bytes_trimmed));
	a->mover_x = NULL;
}

void
meter_api_post_tier(void *ctx, struct tf_exchange *x)
{
	struct meter_api *a = ctx;
	struct tf_fault f = {0};
	struct tf_str text = tf_exchange_query(x, "now");
	tf_time now = tf_os_now(a->os);
	if (text.p && tf_time_parse(text, NULL, &now, &f))
		tf_reply_fault(x, &f, "now");
	else if (meter_api_move(a, now, x, &f))
		tf_reply_fault(x, &f, NULL);
}
