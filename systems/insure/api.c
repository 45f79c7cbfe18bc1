/* Routes, admission and the clock of the API; see api.h. */
#include "api.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "serve/yaml.h"

#define ARENA_BYTES    ((size_t)256 << 10)
#define CONTRACT_BYTES ((size_t)16 << 20)
#define TICK           TF_SEC

static const struct tf_metric metrics[] = {
#define X(id, k, n, h, l, v, d) TF_METRIC(k, n, h, l, v, d),
#include "api_metrics.def"
#undef X
};

static void
get_openapi(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	tf_reply(x, 200, "application/yaml", insure_openapi());
}

const struct tf_route insure_routes[] = {{.method = "POST",
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
					 {.method = "GET", .path = "/insure/v1/openapi.yaml", .handle = get_openapi},
					 {0}};

void
insure_api_problem(struct tf_exchange *x, int status, const char *code, const char *text, const char *field)
{
	struct tf_problem p = {status, code, tf_str(text), field && field[0] ? field : NULL};
	tf_reply_problem(x, &p);
}

/* What the contract has against it becomes the answer. */
bool
insure_api_keeps(struct insure_api *a, struct tf_exchange *x, const struct tf_operation *op)
{
	static struct tf_contract_findings found; /* 8 KiB; the loop's */
	struct tf_fault f = {0};
	struct tf_buf b;
	tf_contract_findings_init(&found);
	if (tf_contract_request(op, tf_exchange_request(x), tf_exchange_body(x), a->work, &found, NULL, &f)) {
		tf_reply_fault(x, &f, NULL);
		return false;
	}
	if (!found.count)
		return true;
	tf_buf_init(&b, 0);
	tf_contract_problem(&found, tf_exchange_request(x)->path, tf_trace_correlation(tf_exchange_trace(x)), &b);
	tf_metric_add(a->metrics, INSURE_M_REJECTED, 0, 1);
	tf_reply(x, found.status, TF_PROBLEM_TYPE, tf_buf_view(&b));
	tf_buf_release(&b);
	return false;
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

/* The contract that is embedded; each operation of it by its route. */
static enum tf_err
read_contract(struct insure_api *a, struct tf_fault *f)
{
	static const char uri[] = "tenfold:/insure/v1/openapi.yaml";
	const struct tf_json *document;
	TF_TRY(tf_yaml_parse(insure_openapi(), &a->document, 0, &document, f));
	TF_TRY(tf_contract_new(tf_str(uri), document, &(struct tf_contract_options){0}, &a->contract, f));
	TF_TRY(tf_contract_work_new(&a->work));
	a->buy = tf_contract_operation(a->contract, TF_STR("POST"), TF_STR("/insure/v1/policies"));
	a->get = tf_contract_operation(a->contract, TF_STR("GET"), TF_STR("/insure/v1/policies/{number}"));
	a->cancel =
		tf_contract_operation(a->contract, TF_STR("POST"), TF_STR("/insure/v1/policies/{number}/cancellation"));
	TF_ASSERT(a->buy && a->get && a->cancel);
	TF_ASSERT(a->buy->scopes && a->get->scopes && a->get->own_unless &&
		  a->cancel->scopes); /* none is open to all */
	return TF_OK;
}

enum tf_err
insure_api_init(struct insure_api *a, struct tf_fault *f)
{
	a->posts_end = &a->posts;
	tf_buf_init(&a->records, 0);
	tf_arena_init(&a->arena, "request", ARENA_BYTES);
	tf_arena_init(&a->document, "contract", CONTRACT_BYTES);
	a->parked = tf_calloc(INSURE_PARKED_MAX, sizeof *a->parked);
	if (!a->parked)
		return tf_fault(f, TF_NO_MEMORY, "no memory for the API");
	TF_TRY(read_contract(a, f));
	return tf_metrics_new(metrics, sizeof metrics / sizeof *metrics, &a->metrics, f);
}

void
insure_api_release(struct insure_api *a)
{
	tf_contract_free(&a->contract);
	tf_contract_work_free(&a->work);
	tf_arena_release(&a->document);
	tf_arena_release(&a->arena);
	tf_buf_release(&a->records);
	tf_metrics_free(&a->metrics);
	tf_free(a->parked);
}

static enum tf_err
commit(struct insure_api *a, struct tf_fault *f)
{
	bool any = a->posts != NULL;
	tf_dur begun = any ? tf_os_ticks(a->os) : 0;
	/* The record of who had it decided is on disk before the decision is told. */
	TF_TRY(tf_guard_sync(a->guard, f));
	TF_TRY(insure_store_commit(a->store, f));
	if (!any)
		return TF_OK;
	tf_metric_add(a->metrics, INSURE_M_COMMITS, 0, 1);
	tf_dur took = tf_os_ticks(a->os) - begun;
	tf_metric_observe(a->metrics, INSURE_M_SYNC, 0, took);
	insure_api_span(a, took);
	insure_api_answer(a);
	return TF_OK;
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
