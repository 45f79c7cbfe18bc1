/* Routes, admission and the clock of the API; see api.h. */
#include "api.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

#define ARENA_BYTES ((size_t)256 << 10)
#define TICK        TF_SEC

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

enum tf_err
insure_api_init(struct insure_api *a, int64_t rate, int64_t burst, struct tf_fault *f)
{
	a->posts_end = &a->posts;
	tf_buf_init(&a->records, 0);
	tf_arena_init(&a->arena, "request", ARENA_BYTES);
	a->parked = tf_calloc(INSURE_PARKED_MAX, sizeof *a->parked);
	if (!a->parked || insure_limits_init(&a->limits, rate, burst))
		return tf_fault(f, TF_NO_MEMORY, "no memory for the API");
	return tf_metrics_new(metrics, sizeof metrics / sizeof *metrics, &a->metrics, f);
}

void
insure_api_release(struct insure_api *a)
{
	tf_arena_release(&a->arena);
	tf_buf_release(&a->records);
	insure_limits_release(&a->limits);
	tf_metrics_free(&a->metrics);
	tf_free(a->parked);
}

void
insure_api_problem(struct tf_exchange *x, int status, const char *code, const char *text, const char *field)
{
	struct tf_problem p = {status, code, tf_str(text), field && field[0] ? field : NULL};
	tf_reply_problem(x, &p);
}

/* --correlation require: the caller's own id must be there, and one that can be used. Minting is the server's. */
static bool
check_correlation(const struct insure_api *a, struct tf_exchange *x)
{
	struct tf_trace scratch = {0};
	struct tf_str id = tf_exchange_header(x, "x-correlation-id");
	if (!a->require_correlation)
		return true;
	if (!tf_http_repeated(tf_exchange_request(x), "x-correlation-id") && !tf_trace_correlate(&scratch, id))
		return true;
	insure_api_problem(x, 400, "CORRELATION_REQUIRED",
			   "one X-Correlation-Id of 1 to 64 letters, digits and '._:-' is wanted", "X-Correlation-Id");
	return false;
}

/* As draft-ietf-httpapi-ratelimit-headers has them. */
static void
rate_headers(const struct insure_limits *l, struct tf_exchange *x, const struct insure_allowance *w)
{
	char text[96];
	if (!l->rate)
		return;
	snprintf(text, sizeof text, "\"requests\";q=%" PRId64 ";w=%" PRId64, l->burst,
		 (l->burst + l->rate - 1) / l->rate);
	tf_reply_header(x, "RateLimit-Policy", tf_str(text));
	snprintf(text, sizeof text, "\"requests\";r=%" PRId64 ";t=%" PRId64, w->left, w->reset_s);
	tf_reply_header(x, "RateLimit", tf_str(text));
}

bool
insure_api_admit(struct insure_api *a, struct tf_exchange *x, struct tf_str *out_partner)
{
	struct tf_fault f = {0};
	struct insure_allowance w;
	if (insure_partner(a->believe_header, x, out_partner, &f)) {
		insure_api_problem(x, 401, "UNIDENTIFIED", f.text, a->believe_header ? "X-Partner" : NULL);
		return false;
	}
	if (insure_limits_take(&a->limits, *out_partner, tf_os_ticks(a->os), &w, &f)) {
		tf_reply_fault(x, &f, NULL);
		return false;
	}
	rate_headers(&a->limits, x, &w);
	if (!w.allowed) {
		char text[24];
		snprintf(text, sizeof text, "%" PRId64, w.retry_s > 0 ? w.retry_s : 1);
		tf_reply_header(x, "Retry-After", tf_str(text));
		tf_metric_add(a->metrics, INSURE_M_LIMITED, 0, 1);
		insure_api_problem(x, 429, "RATE_LIMITED", "this partner's rate is used up", NULL);
		return false;
	}
	return check_correlation(a, x);
}

static enum tf_err
commit(struct insure_api *a, struct tf_fault *f)
{
	bool any = a->posts != NULL;
	tf_dur begun = any ? tf_os_ticks(a->os) : 0;
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

tf_dur
insure_api_after(void *ctx)
{
	struct insure_api *a = ctx;
	struct tf_fault f = {0};
	if (!a->broken.code && commit(a, &f)) {
		/* A file that failed to sync is not to be trusted: nothing more is acknowledged, the process ends. */
		a->broken = f;
		tf_watch_fault(a->watch, "flow.broken", NULL, &f);
		tf_server_stop(a->server);
	}
	if (a->broken.code) {
		insure_api_fail(a, &a->broken);
		return -1;
	}
	insure_api_let_go(a);
	return a->parked_count ? TF_SEC / 100 : TICK;
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
