/* The gate of an API: its life, the order of its checks, and who waits; see guard.h. */
#include "base/mem.h"
#include "guard_impl.h"

static void
keys_changed(void *ctx)
{
	struct tf_guard *g = ctx;
	if (g->server)
		tf_server_wake(g->server);
}

static void
fetch_failed(void *ctx, const struct tf_fault *f)
{
	struct tf_guard *g = ctx;
	if (f->code != TF_END) /* that is tf_guard_stop */
		tf_watch_fault(g->watch, "oauth.fetch_failed", NULL, f);
}

static enum tf_err
oauth_new(struct tf_guard *g, const struct tf_args *args, const struct tf_guard_options *with, struct tf_fault *f)
{
	struct tf_client_options trust = {.ca = tf_args_cstr(args, "issuer-ca"),
					  .cert = tf_args_cstr(args, "issuer-cert"),
					  .key = tf_args_cstr(args, "issuer-key")};
	TF_TRY(tf_oauth_client_new(g->os, trust, &g->client, f));
	struct tf_oauth_options o = {.issuer = tf_args_cstr(args, "issuer"),
				     .audience = tf_args_cstr(args, "audience"),
				     .jwks_url = tf_args_cstr(args, "jwks"),
				     .introspect_url = tf_args_cstr(args, "introspect"),
				     .partner_claim = "partner",
				     .bound_only = !tf_args_flag(args, "unbound"),
				     .fetch = with && with->fetch ? with->fetch : tf_oauth_client_fetch,
				     .fetch_ctx = with && with->fetch ? with->fetch_ctx : g->client,
				     .changed = keys_changed,
				     .changed_ctx = g};
	if (!o.issuer && !o.audience && !o.jwks_url && !o.introspect_url)
		return TF_OK;
	if (!o.issuer || !o.audience || !o.jwks_url == !o.introspect_url)
		return tf_fault(f, TF_USAGE, "tokens need --issuer, --audience, and one of --jwks and --introspect");
	return tf_oauth_new(&o, &g->oauth, f);
}

/* A bucket holds so many seconds of bad tokens. */
#define REJECTS_BURST 2

static enum tf_err
limits_init(struct tf_guard *g, const struct tf_args *args)
{
	int64_t rejects = tf_args_int(args, "rejects");
	TF_TRY(tf_limits_init(&g->limits, tf_args_int(args, "rate"), tf_args_int(args, "burst")));
	TF_TRY(tf_limits_init(&g->rejects, rejects, rejects * REJECTS_BURST));
	return tf_limits_init(&g->refusals, TF_GUARD_REFUSALS, TF_GUARD_REFUSALS);
}

enum tf_err
tf_guard_new(struct tf_os *os, const struct tf_args *args, const struct tf_guard_options *o, struct tf_watch *watch,
	     struct tf_guard **out, struct tf_fault *f)
{
	struct tf_guard *g = tf_calloc(1, sizeof *g);
	if (!g || limits_init(g, args)) {
		tf_guard_free(&g);
		return tf_fault(f, TF_NO_MEMORY, "no memory for the gate");
	}
	g->os = os;
	g->watch = watch;
	tf_buf_init(&g->text, TF_AUDIT_TEXT);
	g->certificates = tf_args_given(args, "client-ca") || tf_args_given(args, "terminators");
	g->header = tf_args_flag(args, "insecure-partner-header");
	g->require_correlation = tf_args_int(args, "correlation") == 0;
	enum tf_err e = oauth_new(g, args, o, f);
	if (!e && tf_args_given(args, "audit"))
		e = tf_audit_open(os, tf_args_cstr(args, "audit"), &g->audit, f);
	if (e)
		tf_guard_free(&g);
	else
		*out = g;
	return e;
}

enum tf_err
tf_guard_start(struct tf_guard *g, struct tf_server *s, struct tf_fault *f)
{
	g->server = s;
	return g->oauth ? tf_oauth_start(g->oauth, g->os, fetch_failed, g, f) : TF_OK;
}

void
tf_guard_stop(struct tf_guard *g)
{
	if (g->client)
		tf_client_stop(g->client);
	tf_oauth_free(&g->oauth);
}

void
tf_guard_free(struct tf_guard **guard)
{
	struct tf_guard *g = *guard;
	if (!g)
		return;
	tf_guard_stop(g);
	tf_client_free(&g->client);
	tf_audit_close(&g->audit);
	tf_limits_release(&g->limits);
	tf_limits_release(&g->rejects);
	tf_limits_release(&g->refusals);
	tf_buf_release(&g->text);
	tf_free(g);
	*guard = NULL;
}

enum tf_guard_answer
guard_wait_for_keys(struct tf_guard *g, struct tf_exchange *x, tf_dur began)
{
	tf_dur now = tf_os_ticks(g->os);
	if (g->waiting_count == TF_GUARD_WAITING || now - began > TF_GUARD_WAIT) {
		struct tf_problem p = {503, "UNAVAILABLE", TF_STR("the issuer's keys are not to be had now"), NULL};
		tf_reply_header(x, "Retry-After", TF_STR("1"));
		tf_reply_problem(x, &p);
		return TF_GUARD_ANSWERED;
	}
	g->waiting[g->waiting_count++] = (struct guard_waiting){x, began, now + TF_SEC / 2};
	return TF_GUARD_WAITS;
}

/* --correlation require: the caller's own id must be there, and one that can be used. Minting is the server's. */
static enum tf_guard_answer
correlate(const struct tf_guard *g, struct tf_exchange *x)
{
	struct tf_trace scratch = {0};
	struct tf_str id = tf_exchange_header(x, "x-correlation-id");
	if (!g->require_correlation)
		return TF_GUARD_IN;
	if (!tf_http_repeated(tf_exchange_request(x), "x-correlation-id") && !tf_trace_correlate(&scratch, id))
		return TF_GUARD_IN;
	struct tf_problem p = {400, "CORRELATION_REQUIRED",
			       TF_STR("one X-Correlation-Id of 1 to 64 letters, digits and '._:-' is wanted"),
			       "X-Correlation-Id"};
	tf_reply_problem(x, &p);
	return TF_GUARD_ANSWERED;
}

enum tf_guard_answer
tf_guard_admit(struct tf_guard *g, struct tf_exchange *x, const struct tf_guard_need *need, struct tf_caller *out)
{
	*out = (struct tf_caller){0};
	enum tf_guard_answer a = guard_identify(g, x, need, out);
	if (a == TF_GUARD_IN)
		a = guard_meter(g, x, out->partner);
	return a == TF_GUARD_IN ? correlate(g, x) : a;
}

void
tf_guard_after(struct tf_guard *g, tf_dur *soon)
{
	if (!g->waiting_count)
		return;
	uint64_t changes = tf_oauth_changes(g->oauth);
	tf_dur now = tf_os_ticks(g->os);
	uint32_t count = g->waiting_count;
	struct guard_waiting was[TF_GUARD_WAITING];
	memcpy(was, g->waiting, count * sizeof *was);
	g->waiting_count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (changes != g->changes || now > was[i].until) {
			g->began = was[i].began;
			tf_exchange_again(was[i].x);
		} else {
			g->waiting[g->waiting_count++] = was[i];
		}
	g->began = 0;
	g->changes = changes;
	if (g->waiting_count && (*soon < 0 || *soon > TF_SEC / 50))
		*soon = TF_SEC / 50;
}
