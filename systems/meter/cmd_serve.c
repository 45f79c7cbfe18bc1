/* tenfold meter serve: the same over HTTP, and the scheduled moves. */
#include "api_send.h"
#include "base/mem.h"
#include "cli.h"
#include "serve/listen.h"
#include "serve/otlp.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	TF_LISTEN_PARAMS,
	{"zone", TF_PARAM_TEXT, false, "ZONE", NULL, 0, 0, "of times without offset, where a request names none"},
	{"tariff", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "for bills (the built-in example)"},
	{"prices", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "for cost (the one this program carries)"},
	{"tier-every", TF_PARAM_INT, false, "SECONDS", "3600", 0, 31536000, "between moves; 0: never by itself"},
	{"warm-days", TF_PARAM_INT, false, "N", "7", 0, 3650, "local days that stay hot"},
	{"cold-months", TF_PARAM_INT, false, "N", "13", 1, 1200, "months that stay warm"},
	{"rerequest", TF_PARAM_LIST, false, "NAME=URL", NULL, 0, 0, "post head-end NAME its gaps"},
	{"rerequest-every", TF_PARAM_INT, false, "SECONDS", "21600", 0, 31536000, "0: only when asked to"},
	{"rerequest-days", TF_PARAM_INT, false, "N", "40", 1, 36500, "how far back gaps are asked for"},
	{"publish-every", TF_PARAM_INT, false, "MS", "1000", 1, 3600000, "until what was taken can be read"},
	{"connections", TF_PARAM_INT, false, "N", "1024", 1, 100000, "open at a time"},
	{"body-bytes", TF_PARAM_SIZE, false, "BYTES", "16MiB", 1, 1 << 30, "of one body; past it 413"},
	{"bodies-bytes", TF_PARAM_SIZE, false, "BYTES", "128MiB", 1, (int64_t)1 << 40, "of all received; past it 429"},
	{"queue-bytes", TF_PARAM_SIZE, false, "BYTES", "64MiB", 1, (int64_t)1 << 40, "not published yet; past it 429"},
	TF_LISTEN_OTLP_PARAMS,
	{"quiet", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "no log line for each request"},
	{0},
};

static enum tf_err
listen_and_run(struct meter_api *a, const struct tf_args *args, struct tf_fault *f)
{
	char host[256];
	struct tf_tls *tls = NULL;
	struct tf_server_options o = {
		.connections_max = (uint32_t)tf_args_int(args, "connections"),
		.bodies_max = (uint64_t)tf_args_int(args, "bodies-bytes"),
		.workers = METER_API_WORKERS,
		.routes = a->routes,
		.ctx = a,
		.watch = a->watch,
		.spans = a->spans,
		.after = meter_api_after,
		.ready = meter_api_ready,
		.metrics = meter_api_metrics,
	};
	enum tf_err e = tf_listen_options(a->os, args, host, &o, &tls, f);
	if (!e)
		e = tf_server_new(a->os, &o, &a->server, f);
	if (!e)
		e = tf_listen_run(a->server, host, a->dir, a->watch, f);
	if (!e)
		e = meter_api_finish(a, f);
	tf_server_free(&a->server);
	tf_tls_free(&tls);
	if (!e)
		TF_LOG(a->watch, TF_LOG_INFO, "serve.ended", NULL);
	return e;
}

static enum tf_err
read_tariff(struct tf_os *os, const char *path, struct meter_tariff **out, struct tf_fault *f)
{
	if (!path)
		return meter_tariff_parse(tf_str("built-in"), meter_tariff_default(), out, f);
	char *text;
	size_t n;
	TF_TRY(tf_os_read_file(os, path, METER_TARIFF_BYTES, &text, &n, f));
	enum tf_err e = meter_tariff_parse(tf_str(path), tf_str_n(text, n), out, f);
	tf_free(text);
	return e;
}

static enum tf_err
read_prices(struct tf_os *os, const char *path, struct meter_prices *out, struct tf_fault *f)
{
	if (!path)
		return meter_prices_parse(meter_prices_default(), out, f);
	char *text;
	size_t n;
	TF_TRY(tf_os_read_file(os, path, 1u << 20, &text, &n, f));
	enum tf_err e = meter_prices_parse(tf_str_n(text, n), out, f);
	tf_free(text);
	return e ? tf_fault_wrap(f, e, "'%s'", path) : TF_OK;
}

static enum tf_err
read_targets(struct meter_api *a, const struct tf_args *args, struct tf_fault *f)
{
	struct tf_str target;
	TF_TRY(meter_send_new(a, tf_args_int(args, "rerequest-every") * TF_SEC,
			      tf_args_int(args, "rerequest-days") * TF_DAY, &a->send, f));
	for (int i = 0; tf_args_list(args, "rerequest", i, &target); i++)
		if (meter_send_target(a->send, target, f))
			return tf_fault_wrap(f, TF_USAGE, "--rerequest");
	return TF_OK;
}

static enum tf_err
serve(struct meter_api *a, const struct tf_args *args, struct tf_fault *f)
{
	uint64_t queue = (uint64_t)tf_args_int(args, "queue-bytes");
	struct meter_store_options o = {.queue_bytes = queue, .publish_bytes = queue / 4 ? queue / 4 : 1};
	struct tf_zone *zone;
	TF_TRY(read_prices(a->os, tf_args_cstr(args, "prices"), &a->prices, f));
	TF_TRY(read_targets(a, args, f));
	if (a->zone.n)
		TF_TRY(meter_api_zone(a, a->zone, &zone, f));
	TF_TRY(meter_store_open(a->os, a->dir, &o, &a->writer, f));
	enum tf_err e = meter_api_init(a, f);
	return e ? e : listen_and_run(a, args, f);
}

/* A body that would never be received is too large, and not to be sent again. */
static int64_t
min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct meter_cli *cli = ctx;
	struct tf_args args;
	int code;
	if (!tf_program_args(self, argc, argv, &args, &code))
		return code;
	struct tf_fault f = {0};
	struct tf_watch watch;
	struct meter_tariff *tariff = NULL;
	struct tf_otlp *otlp = NULL;
	struct meter_api *a = tf_calloc(1, sizeof *a);
	if (!a || read_tariff(cli->os, tf_args_cstr(&args, "tariff"), &tariff, &f)) {
		tf_free(a);
		return tf_program_fail(f.code ? &f : &(struct tf_fault){TF_NO_MEMORY, ""});
	}
	tf_watch_init(&watch, cli->os, "meter", TF_LOG_INFO, tf_listen_sink, NULL);
	a->os = cli->os;
	a->dir = tf_args_cstr(&args, "data");
	a->zone = tf_args_text(&args, "zone");
	a->tier_every = tf_args_int(&args, "tier-every") * TF_SEC;
	a->publish_every = tf_args_int(&args, "publish-every") * 1000;
	a->body_max = (uint64_t)min(tf_args_int(&args, "body-bytes"), tf_args_int(&args, "bodies-bytes"));
	a->rule = (struct meter_tier_rule){(int32_t)tf_args_int(&args, "warm-days"),
					   (int32_t)tf_args_int(&args, "cold-months"), 5};
	a->tariff = tariff;
	a->watch = &watch;
	enum tf_err e = tf_listen_otlp(cli->os, &args, "meter", TF_VERSION, &watch, &otlp, &f);
	a->spans = tf_otlp_spans(otlp);
	if (!e)
		e = serve(a, &args, &f);
	meter_api_release(a);
	meter_store_close(&a->writer);
	meter_tariff_free(&tariff);
	tf_free(a);
	tf_otlp_free(&otlp);
	tf_watch_release(&watch);
	return e ? tf_program_fail(&f) : 0;
}

const struct tf_command meter_cmd_serve = {
	.name = "serve", .summary = "the same over HTTP, and the scheduled moves", .params = params, .run = run};
