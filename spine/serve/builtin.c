/* What every server answers: is it alive, is it ready, what does it count? */
#include "server_impl.h"

static void
healthz(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	tf_reply(x, 200, "text/plain; charset=utf-8", TF_STR("ok\n"));
}

static void
readyz(void *ctx, struct tf_exchange *x)
{
	struct tf_server *s = x->conn->server;
	bool ready = !s->draining && (!s->o.ready || s->o.ready(ctx));
	tf_reply(x, ready ? 200 : 503, "text/plain; charset=utf-8", ready ? TF_STR("ready\n") : TF_STR("not ready\n"));
}

static void
metrics(void *ctx, struct tf_exchange *x)
{
	struct tf_server *s = x->conn->server;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_metrics_render(s->metrics, &b);
	if (s->o.spans)
		tf_spans_render(s->o.spans, &b);
	if (s->o.metrics)
		s->o.metrics(ctx, &b);
	if (b.err)
		tf_reply_fault(x, &(struct tf_fault){b.err, "no memory for the metrics"}, NULL);
	else
		tf_reply(x, 200, TF_METRICS_TYPE, tf_buf_view(&b));
	tf_buf_release(&b);
}

const struct tf_route tf_builtin_routes[] = {{.method = "GET", .path = "/healthz", .handle = healthz},
					     {.method = "GET", .path = "/readyz", .handle = readyz},
					     {.method = "GET", .path = "/metrics", .handle = metrics},
					     {0}};
