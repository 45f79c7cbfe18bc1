/* The API's table of routes and its clock; see api.h. */
#include "api.h"

#include <inttypes.h>

#include "api_send.h"
#include "keys.h"

static const struct tf_metric metrics[] = {
#define X(id, k, n, h, l, v, d) TF_METRIC(k, n, h, l, v, d),
#include "api_metrics.def"
#undef X
};

static void
get_openapi(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	tf_reply(x, 200, "application/yaml", meter_openapi());
}

static void
get_console(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	tf_reply_header(x, "Content-Security-Policy",
			TF_STR("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
			       "connect-src 'self'; frame-ancestors 'none'"));
	tf_reply(x, 200, "text/html; charset=utf-8", meter_console());
}

/* A read that asks for an offset waits in the loop until storage shows it. */
static bool
gate(void *ctx, struct tf_exchange *x)
{
	struct meter_api *a = ctx;
	struct tf_str text = tf_exchange_query(x, "min_offset");
	struct tf_fault f = {0};
	uint64_t offset;
	if (!text.p)
		return true;
	if (!tf_str_u64(text, &offset)) {
		tf_fault(&f, TF_INVALID, "'%.*s' is no offset", TF_FMT(text));
		tf_reply_fault(x, &f, "min_offset");
		return false;
	}
	if (tf_flow_published(a->writer->flow) > offset)
		return true;
	if (offset >= tf_log_end(a->writer->log, 0)) {
		tf_fault(&f, TF_INVALID, "no answer ever told the offset %.*s", TF_FMT(text));
		tf_reply_fault(x, &f, "min_offset");
		return false;
	}
	if (a->parked_count == METER_API_PARKED_MAX) {
		tf_fault(&f, TF_OVERLOAD, "too many reads wait for an offset");
		tf_reply_fault(x, &f, "min_offset");
		return false;
	}
	a->parked[a->parked_count++] = (struct meter_api_parked){x, offset, tf_os_ticks(a->os) + METER_API_WAIT};
	return false;
}

static void
let_go(struct meter_api *a)
{
	uint64_t shown = tf_flow_published(a->writer->flow);
	tf_dur now = tf_os_ticks(a->os);
	uint32_t kept = 0, count = a->parked_count;
	a->parked_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct meter_api_parked *p = &a->parked[i];
		if (shown > p->offset) {
			tf_exchange_to_worker(p->x);
		} else if (now > p->until) {
			struct tf_fault f = {TF_TIMEOUT, "storage does not show that offset yet"};
			tf_reply_fault(p->x, &f, "min_offset");
		} else {
			a->parked[kept++] = *p;
		}
	}
	a->parked_count = kept;
}

#define READ(p, h, q)                                                                                                  \
	{                                                                                                              \
		.method = "GET", .path = "/meter/v1" p, .handle = h, .flags = TF_ROUTE_WORKER, .gate = gate,           \
		.query = "min_offset " q                                                                               \
	}

static const struct tf_route routes[] = {
	{.method = "POST",
	 .path = METER_API_READINGS,
	 .handle = meter_api_post_readings,
	 .body_max = 1,
	 .query = "zone format unit channel meter name interval"},
	READ("/meters", meter_api_get_meters, "prefix limit"),
	READ("/meters/{meter}/readings", meter_api_get_readings, "from to zone channel"),
	READ("/usage", meter_api_get_usage, "account transformer feeder zone region by"),
	READ("/tiers", meter_api_get_tiers, ""),
	READ("/missing", meter_api_get_missing, "from to zone head_end"),
	{.method = "GET", .path = "/meter/v1/missing/sent", .handle = meter_api_get_sent},
	{.method = "POST", .path = "/meter/v1/missing/send", .handle = meter_api_post_send},
	READ("/quarantine", meter_api_get_quarantine, "after limit all"),
	READ("/quarantine/{id}", meter_api_get_record, ""),
	{.method = "POST", .path = "/meter/v1/quarantine/{id}/retry", .handle = meter_api_post_retry, .query = "zone"},
	{.method = "POST", .path = "/meter/v1/retry", .handle = meter_api_post_retry_all, .query = "zone after limit"},
	READ("/bill", meter_api_get_bill, "period account"),
	READ("/reports/{report}", meter_api_get_report, "period slabs"),
	READ("/cost", meter_api_get_cost, "history"),
	{.method = "POST",
	 .path = "/meter/v1/network",
	 .handle = meter_api_post_network,
	 .body_max = 1,
	 .query = "name"},
	{.method = "POST", .path = "/meter/v1/verify", .handle = meter_api_post_verify},
	{.method = "POST", .path = "/meter/v1/tier", .handle = meter_api_post_tier, .query = "now"},
	{.method = "GET", .path = "/meter/v1/openapi.yaml", .handle = get_openapi},
	{.method = "GET", .path = "/", .handle = get_console},
	{0}};

enum tf_err
meter_api_init(struct meter_api *a, struct tf_fault *f)
{
	enum tf_err e = meter_keys_open(a->writer, f);
	if (!e)
		e = tf_metrics_new(metrics, sizeof metrics / sizeof *metrics, &a->metrics, f);
	_Static_assert(sizeof routes <= sizeof a->routes, "room for all routes");
	memcpy(a->routes, routes, sizeof routes);
	for (struct tf_route *r = a->routes; r->method; r++)
		r->body_max = r->body_max ? a->body_max : 0;
	pthread_mutex_init(&a->catalog, NULL);
	pthread_mutex_init(&a->access_lock, NULL);
	a->writer->lock = &a->catalog;
	a->published_at = a->tiered_at = tf_os_ticks(a->os);
	return e;
}

void
meter_api_release(struct meter_api *a)
{
	meter_api_jobs_drop(a);
	meter_send_free(&a->send);
	for (int i = 0; i < METER_API_WORKERS; i++)
		meter_store_close(&a->readers[i]);
	for (uint32_t i = 0; i < a->zone_count; i++)
		tf_zone_free(&a->zones[i]);
	tf_metrics_free(&a->metrics);
}

enum tf_err
meter_api_zone(struct meter_api *a, struct tf_str name, struct tf_zone **out, struct tf_fault *f)
{
	for (uint32_t i = 0; i < a->zone_count; i++)
		if (tf_str_eq(tf_str(tf_zone_name(a->zones[i])), name)) {
			*out = a->zones[i];
			return TF_OK;
		}
	if (a->zone_count == METER_API_ZONES_MAX)
		tf_zone_free(&a->zones[--a->zone_count]);
	TF_TRY(tf_os_zone(a->os, name, &a->zones[a->zone_count], f));
	*out = a->zones[a->zone_count++];
	return TF_OK;
}

void
meter_api_own_fault(struct tf_fault *f)
{
	if (tf_err_http(f->code) < 500)
		f->code = TF_IO;
}

/* One sync for all that came since the last, then the answers. */
static enum tf_err
commit(struct meter_api *a, struct tf_fault *f)
{
	if (!a->appended)
		return TF_OK;
	a->appended = false;
	tf_dur begun = tf_os_ticks(a->os);
	TF_TRY(tf_flow_commit(a->writer->flow, f));
	tf_metric_add(a->metrics, METER_M_COMMITS, 0, 1);
	tf_dur took = tf_os_ticks(a->os) - begun;
	tf_metric_observe(a->metrics, METER_M_SYNC, 0, took);
	meter_api_span(a, took);
	meter_api_tell(a);
	meter_api_retry_told(a);
	return TF_OK;
}

static enum tf_err
publish(struct meter_api *a, tf_dur now, struct tf_fault *f)
{
	if (!a->parked_count && now - a->published_at < a->publish_every)
		return TF_OK;
	a->published_at = now;
	return tf_flow_tick(a->writer->flow, f);
}

/* Nothing that waits is acknowledged any more. */
static void
give_up(struct meter_api *a)
{
	meter_api_post_fail(a, &a->broken);
	meter_api_retry_fail(a, &a->broken);
	meter_api_jobs_fail(a, &a->broken);
	for (uint32_t i = 0; i < a->parked_count; i++)
		tf_reply_fault(a->parked[i].x, &a->broken, NULL);
	a->parked_count = 0;
}

static void
schedule(struct meter_api *a, tf_dur now)
{
	struct tf_fault f = {0};
	if (a->tier_every && !a->moving && now - a->tiered_at > a->tier_every &&
	    meter_api_move(a, tf_os_now(a->os), NULL, &f))
		tf_watch_fault(a->watch, "tier.failed", NULL, &f);
	meter_send_schedule(a->send, now);
}

tf_dur
meter_api_after(void *ctx)
{
	struct meter_api *a = ctx;
	tf_dur now = tf_os_ticks(a->os);
	if (a->broken.code) {
		give_up(a);
		return -1;
	}
	struct tf_fault f = {0};
	if (commit(a, &f) || tf_idem_tick(a->writer->keys, tf_os_now(a->os), &f) || publish(a, now, &f)) {
		/* A file that failed to sync is not to be trusted: nothing more is acknowledged, the process ends. */
		a->broken = f;
		meter_api_own_fault(&a->broken);
		tf_watch_fault(a->watch, "flow.broken", NULL, &f);
		give_up(a);
		tf_server_stop(a->server);
		return -1;
	}
	meter_api_jobs(a);
	schedule(a, now);
	let_go(a);
	if (a->parked_count)
		return 5000;
	return a->publish_every < METER_API_TICK ? a->publish_every : METER_API_TICK;
}

bool
meter_api_ready(void *ctx)
{
	struct meter_api *a = ctx;
	return !a->broken.code;
}

void
meter_api_metrics(void *ctx, struct tf_buf *out)
{
	struct meter_api *a = ctx;
	tf_metric_set(a->metrics, METER_M_WAITING, 0, (int64_t)tf_flow_waiting_bytes(a->writer->flow));
	tf_metric_set(a->metrics, METER_M_JOBS, 0, a->job_count);
	tf_metrics_render(a->metrics, out);
}

enum tf_err
meter_api_finish(struct meter_api *a, struct tf_fault *f)
{
	meter_api_jobs_drop(a);
	meter_send_stop(a->send);
	if (a->broken.code)
		return tf_fault(f, a->broken.code, "%s", a->broken.text);
	return tf_flow_drain(a->writer->flow, f);
}
