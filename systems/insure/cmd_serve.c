/* tenfold insure serve: the API over HTTP. */
#include "api.h"
#include "base/mem.h"
#include "cli.h"
#include "serve/listen.h"
#include "serve/otlp.h"

static const struct tf_param params[] = {
	INSURE_PARAM_DATA,
	TF_LISTEN_PARAMS,
	TF_GUARD_PARAMS,
	{"partner-keys", TF_PARAM_INT, false, "N", "8388608", 1, 1000000000, "unexpired keys of a partner; then 429"},
	{"keep-keys", TF_PARAM_DURATION, false, "TIME", "1d", 60 * TF_SEC, 30 * TF_DAY, "a key is remembered at least"},
	{"connections", TF_PARAM_INT, false, "N", "1024", 1, 100000, "open at a time"},
	{"contract", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "openapi.yaml in place of the built-in one"},
	TF_LISTEN_OTLP_PARAMS,
	{"quiet", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "no log line for each request"},
	{0},
};

static enum tf_err
run_server(struct insure_api *a, const struct tf_args *args, const char *host, struct tf_fault *f)
{
	TF_TRY(tf_guard_start(a->guard, a->server, f));
	enum tf_err e = tf_listen_run(a->server, host, tf_args_cstr(args, "data"), a->watch, f);
	if (!e && a->broken.code)
		e = tf_fault(f, a->broken.code, "%s", a->broken.text);
	if (!e)
		e = tf_guard_sync(a->guard, f);
	return e ? e : tf_flow_drain(a->store->flow, f);
}

static enum tf_err
listen_and_run(struct insure_api *a, const struct tf_args *args, struct tf_fault *f)
{
	char host[256];
	struct tf_tls *tls = NULL;
	struct tf_server_options o = {
		.connections_max = (uint32_t)tf_args_int(args, "connections"),
		.workers = 1,
		.routes = insure_routes,
		.ctx = a,
		.watch = a->watch,
		.spans = a->spans,
		.after = insure_api_after,
		.ready = insure_api_ready,
		.metrics = insure_api_metrics,
	};
	enum tf_err e = tf_listen_options(a->os, args, host, &o, &tls, f);
	tf_guard_watch(a->guard, &o);
	if (!e)
		e = tf_server_new(a->os, &o, &a->server, f);
	if (!e)
		e = run_server(a, args, host, f);
	tf_flow_rest(a->store->flow);
	tf_guard_stop(a->guard); /* their threads wake the server */
	tf_server_free(&a->server);
	tf_tls_free(&tls);
	return e;
}

static enum tf_err
serve(struct insure_api *a, const struct tf_args *args, struct tf_fault *f)
{
	struct insure_store_options o = {.tell = insure_api_told,
					 .answer = insure_api_may_answer,
					 .before = insure_api_before,
					 .synced = insure_api_synced,
					 .hooks_ctx = a};
	o.keys.partner_keys = (uint64_t)tf_args_int(args, "partner-keys");
	o.keys.retention = tf_args_int(args, "keep-keys");
	a->contract_path = tf_args_cstr(args, "contract");
	TF_TRY(tf_guard_new(a->os, args, NULL, a->watch, &a->guard, f));
	TF_TRY(insure_store_open(a->os, tf_args_cstr(args, "data"), &o, &a->store, f));
	TF_TRY(insure_api_audit(a, f));
	TF_TRY(insure_api_init(a, f));
	return listen_and_run(a, args, f);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct insure_cli *cli = ctx;
	struct tf_args args;
	int code;
	if (!tf_program_args(self, argc, argv, &args, &code))
		return code;
	struct tf_fault f = {0};
	struct tf_watch watch;
	tf_watch_init(&watch, cli->os, "insure", TF_LOG_INFO, tf_listen_sink, NULL);
	struct insure_api a = {.os = cli->os, .watch = &watch};
	struct tf_otlp *otlp = NULL;
	enum tf_err e = tf_listen_otlp(cli->os, &args, "insure", TF_VERSION, &watch, &otlp, &f);
	a.spans = tf_otlp_spans(otlp);
	if (!e)
		e = serve(&a, &args, &f);
	tf_guard_free(&a.guard);
	insure_api_release(&a);
	insure_store_close(&a.store);
	tf_otlp_free(&otlp);
	tf_watch_release(&watch);
	return e ? tf_program_fail(&f) : 0;
}

const struct tf_command insure_cmd_serve = {
	.name = "serve", .summary = "the API over HTTP", .params = params, .run = run};
