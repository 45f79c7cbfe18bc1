/* tenfold insure serve: the API over HTTP. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "api.h"
#include "base/mem.h"
#include "cli.h"
#include "serve/listen.h"
#include "serve/otlp.h"

static const struct tf_param params[] = {
	INSURE_PARAM_DATA,
	{"listen", TF_PARAM_TEXT, false, "HOST:PORT", "127.0.0.1:8080", 0, 0, "port 0: any free one"},
	{"insecure-partner-header", TF_PARAM_FLAG, false, NULL, NULL, 0, 0,
	 "believe X-Partner: for tests, or behind a proxy that sets it"},
	{"correlation", TF_PARAM_CHOICE, false, "require|mint", "mint", 0, 0, "a request without X-Correlation-Id"},
	{"rate", TF_PARAM_INT, false, "N", "1000", 0, 1000000, "requests a second and partner; 0: no limit"},
	{"burst", TF_PARAM_INT, false, "N", "2000", 1, 1000000, "requests of a partner at once"},
	{"partner-keys", TF_PARAM_INT, false, "N", "8388608", 1, 1000000000, "unexpired keys of a partner; then 429"},
	{"keep-keys", TF_PARAM_DURATION, false, "TIME", "1d", 60 * TF_SEC, 30 * TF_DAY, "a key is remembered at least"},
	{"connections", TF_PARAM_INT, false, "N", "1024", 1, 100000, "open at a time; others wait"},
	TF_LISTEN_OTLP_PARAMS,
	{"quiet", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "no log line for each request"},
	{0},
};

/* What the signal handler stops: the only thing here that outlives a call. */
static struct tf_server *running;

static void
on_signal(int number)
{
	(void)number;
	tf_server_stop(running);
}

static void
sink(void *ctx, struct tf_str line)
{
	(void)ctx;
	while (line.n) {
		ssize_t n = write(STDERR_FILENO, line.p, line.n);
		if (n <= 0)
			return;
		line = tf_str_n(line.p + n, line.n - (size_t)n);
	}
}

static void
catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_signal};
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
}

/* Said whatever the level: whoever started it waits for this line. */
static void
say_ready(struct insure_api *a, const char *address, const char *dir)
{
	enum tf_log_level least = a->watch->least;
	a->watch->least = TF_LOG_INFO;
	TF_LOG(a->watch, TF_LOG_INFO, "serve.ready", NULL, TF_KV("address", address), TF_KV("data", dir),
	       TF_KV("pid", (int64_t)getpid()), TF_KV("policies", tf_pages_count(a->store->state.pages)));
	a->watch->least = least;
}

static enum tf_err
listen_and_run(struct insure_api *a, const struct tf_args *args, struct tf_fault *f)
{
	char host[256], address[300];
	struct tf_server_options o = {
		.host = host,
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
	TF_TRY(tf_net_parse(tf_args_text(args, "listen"), host, &o.port, f));
	TF_TRY(tf_server_new(a->os, &o, &a->server, f));
	running = a->server;
	catch_signals();
	snprintf(address, sizeof address, "%s:%u", host, tf_server_port(a->server));
	say_ready(a, address, tf_args_cstr(args, "data"));
	enum tf_err e = tf_server_run(a->server, f);
	if (!e && a->broken.code)
		e = tf_fault(f, a->broken.code, "%s", a->broken.text);
	if (!e)
		e = tf_flow_drain(a->store->flow, f);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	running = NULL;
	tf_server_free(&a->server);
	return e;
}

static enum tf_err
serve(struct insure_api *a, const struct tf_args *args, struct tf_fault *f)
{
	struct insure_store_options o = {.tell = insure_api_told};
	o.keys.partner_keys = (uint64_t)tf_args_int(args, "partner-keys");
	o.keys.retention = tf_args_int(args, "keep-keys");
	TF_TRY(insure_store_open(a->os, tf_args_cstr(args, "data"), &o, &a->store, f));
	TF_TRY(insure_api_init(a, tf_args_int(args, "rate"), tf_args_int(args, "burst"), f));
	return listen_and_run(a, args, f);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct insure_cli *cli = ctx;
	struct tf_args args;
	int code;
	if (!insure_cli_args(self, argc, argv, &args, &code))
		return code;
	struct tf_fault f = {0};
	struct tf_watch watch;
	tf_watch_init(&watch, cli->os, "insure", tf_args_flag(&args, "quiet") ? TF_LOG_WARN : TF_LOG_INFO, sink, NULL);
	struct insure_api a = {.os = cli->os, .watch = &watch};
	a.believe_header = tf_args_flag(&args, "insecure-partner-header");
	a.require_correlation = tf_args_int(&args, "correlation") == 0;
	struct tf_otlp *otlp = NULL;
	enum tf_err e = tf_listen_otlp(cli->os, &args, "insure", TF_VERSION, &watch, &otlp, &f);
	a.spans = tf_otlp_spans(otlp);
	if (!e)
		e = serve(&a, &args, &f);
	insure_api_release(&a);
	insure_store_close(&a.store);
	tf_otlp_free(&otlp);
	tf_watch_release(&watch);
	return e ? insure_cli_fail(&f) : 0;
}

const struct tf_command insure_cmd_serve = {
	.name = "serve", .summary = "the API over HTTP", .params = params, .run = run};
