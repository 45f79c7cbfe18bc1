/* Routes, admission and the clock of the API; see api.h. */
#include "api.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

#define TICK TF_SEC

static const struct tf_metric metrics[] = {
#define X(id, k, n, h, l, v, d) TF_METRIC(k, n, h, l, v, d),
#include "api_metrics.def"
#undef X
};

const struct tf_route insure_routes[] = {
	{.method = "POST",
	 .path = "/insure/v1/policies",
	 .handle = insure_api_post_policy,
	 .body_max = INSURE_BODY_MAX},
	{.method = "POST",
	 .path = "/insure/v1/policies/{number}/cancellation",
	 .handle = insure_api_post_cancel,
	 .body_max = INSURE_BODY_MAX},
	{.method = "GET",
	 .path = "/insure/v1/policies/{number}",
	 .handle = insure_api_get_policy,
	 .query = "min_offset"},
	{.method = "GET", .path = "/insure/v1/openapi.yaml", .handle = insure_api_get_openapi},
	{0}};

void
insure_api_problem(struct tf_exchange *x, int status, const char *code, const char *text, const char *field)
{
	struct tf_problem p = {status, code, tf_str(text), field && field[0] ? field : NULL};
	tf_reply_problem(x, &p);
}

bool
insure_api_admit(struct insure_api *a, struct tf_exchange *x, const struct tf_operation *op, struct tf_caller *out)
{
	char date[TF_OPERATION_DATE_MAX];
	struct tf_guard_need need = {op->scopes, op->roles, op->own_unless};
	if (tf_guard_admit(a->guard, x, &need, out) != TF_GUARD_IN)
		return false;
	if (tf_operation_deprecation(op, date))
		tf_reply_header(x, "Deprecation", tf_str(date));
	if (tf_operation_sunset(op, date))
		tf_reply_header(x, "Sunset", tf_str(date));
	return true;
}

enum tf_err
insure_api_init(struct insure_api *a, struct tf_fault *f)
{
	a->posts_end = &a->posts;
	a->parked = tf_calloc(INSURE_PARKED_MAX, sizeof *a->parked);
	if (!a->parked)
		return tf_fault(f, TF_NO_MEMORY, "no memory for the API");
	TF_TRY(insure_api_contract(a, f));
	return tf_metrics_new(metrics, sizeof metrics / sizeof *metrics, &a->metrics, f);
}

void
insure_api_release(struct insure_api *a)
{
	insure_api_contract_release(a);
	tf_metrics_free(&a->metrics);
	tf_free(a->parked);
}

/* In the worker. The record of who had it decided is on disk before the decision is told. */
enum tf_err
insure_api_before(void *ctx, struct tf_fault *f)
{
	struct insure_api *a = ctx;
	a->sync_begun = tf_os_ticks(a->os);
	return tf_guard_sync(a->guard, f);
}

/* In the worker. */
void
insure_api_synced(void *ctx)
{
	struct insure_api *a = ctx;
	a->sync_took = tf_os_ticks(a->os) - a->sync_begun;
	if (a->server)
		tf_server_wake(a->server);
}

static enum tf_err
commit(struct insure_api *a, struct tf_fault *f)
{
	TF_TRY(insure_store_end(a->store, f));
	insure_api_answer(a);
	return insure_store_begin(a->store, tf_guard_unsynced(a->guard), f);
}

/* A file that failed to sync is not to be trusted: nothing more is acknowledged, the process ends. */
void
insure_api_break(struct insure_api *a, const struct tf_fault *why)
{
	a->broken = *why;
	tf_watch_fault(a->watch, "flow.broken", NULL, why);
	tf_server_stop(a->server);
}

tf_dur
insure_api_after(void *ctx)
{
	struct insure_api *a = ctx;
	struct tf_fault f = {0};
	if (!a->broken.code && commit(a, &f))
		insure_api_break(a, &f);
	tf_dur soon = a->parked_count ? TF_SEC / 100 : TICK;
	tf_guard_after(a->guard, &soon); /* also when broken: who waits for keys is answered */
	if (a->broken.code) {
		insure_api_fail(a, &a->broken);
		return soon;
	}
	insure_api_let_go(a);
	return soon;
}

bool
insure_api_ready(void *ctx)
{
	return !((struct insure_api *)ctx)->broken.code;
}

void
insure_api_metrics(void *ctx, struct tf_buf *out)
{
	struct insure_api *a = ctx;
	struct tf_idem_stats s;
	tf_idem_stats(a->store->keys, &s);
	tf_metric_set(a->metrics, INSURE_M_POLICIES, 0, (int64_t)tf_pages_count(a->store->state.pages));
	tf_metric_set(a->metrics, INSURE_M_KEYS, 0, (int64_t)s.keys);
	tf_metric_set(a->metrics, INSURE_M_KEY_RUNS, 0, (int64_t)s.runs);
	tf_metric_set(a->metrics, INSURE_M_WAITING, 0, (int64_t)tf_flow_waiting_bytes(a->store->flow));
	tf_metrics_render(a->metrics, out);
}
