/* The gate of an API; see guard.h. */
#include "serve/guard.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/b64.h"

#define PATH_KEPT 512 /* bytes of a path in a record */

struct waiting {
	struct tf_exchange *x;
	tf_dur until;
};

struct tf_guard {
	struct tf_os *os;
	struct tf_watch *watch;
	struct tf_server *server;
	struct tf_oauth *oauth;   /* NULL: no tokens */
	struct tf_client *client; /* asks the issuer */
	bool certificates, header, require_correlation;
	struct tf_limits limits;
	struct tf_limits refusals; /* to be recorded, of each certificate; those without one together */
	uint64_t unrecorded;       /* since the last that was */
	struct tf_audit *audit;    /* NULL: none is kept */
	uint64_t changes;          /* of oauth, as last seen */
	struct waiting waiting[TF_GUARD_WAITING];
	uint32_t waiting_count;
};

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
oauth_new(struct tf_guard *g, const struct tf_args *args, struct tf_fault *f)
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
				     .fetch = tf_oauth_client_fetch,
				     .fetch_ctx = g->client,
				     .changed = keys_changed,
				     .changed_ctx = g};
	if (!o.issuer && !o.audience && !o.jwks_url && !o.introspect_url)
		return TF_OK;
	if (!o.issuer || !o.audience || !o.jwks_url == !o.introspect_url)
		return tf_fault(f, TF_USAGE, "tokens need --issuer, --audience, and one of --jwks and --introspect");
	return tf_oauth_new(&o, &g->oauth, f);
}

enum tf_err
tf_guard_new(struct tf_os *os, const struct tf_args *args, struct tf_watch *watch, struct tf_guard **out,
	     struct tf_fault *f)
{
	struct tf_guard *g = tf_calloc(1, sizeof *g);
	if (!g || tf_limits_init(&g->limits, tf_args_int(args, "rate"), tf_args_int(args, "burst")) ||
	    tf_limits_init(&g->refusals, TF_GUARD_REFUSALS, TF_GUARD_REFUSALS)) {
		if (g)
			tf_limits_release(&g->limits);
		tf_free(g);
		return tf_fault(f, TF_NO_MEMORY, "no memory for the gate");
	}
	g->os = os;
	g->watch = watch;
	g->certificates = tf_args_given(args, "client-ca") || tf_args_given(args, "terminators");
	g->header = tf_args_flag(args, "insecure-partner-header");
	g->require_correlation = tf_args_int(args, "correlation") == 0;
	enum tf_err e = oauth_new(g, args, f);
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
	tf_limits_release(&g->refusals);
	tf_free(g);
	*guard = NULL;
}

/* ---- the record ---- */

static void
describe(struct tf_json_out *w, struct tf_exchange *x, const struct tf_caller *who)
{
	const struct tf_http_request *q = tf_exchange_request(x);
	char trace[TF_TRACEPARENT_BYTES];
	tf_json_set_str(w, "partner", who->partner);
	if (who->client[0])
		tf_json_set_cstr(w, "client", who->client);
	if (who->certificate[0])
		tf_json_set_cstr(w, "certificate", who->certificate);
	tf_json_set_cstr(w, "peer", tf_exchange_peer(x)->host);
	tf_json_set_str(w, "method", q->method);
	tf_json_set_str(w, "path", tf_str_n(q->path.p, q->path.n < PATH_KEPT ? q->path.n : PATH_KEPT));
	tf_json_set_str(w, "correlation", tf_trace_correlation(tf_exchange_trace(x)));
	tf_json_set_cstr(w, "trace", tf_trace_format(tf_exchange_trace(x), trace));
}

static enum tf_err
keep(struct tf_guard *g, struct tf_buf *b, struct tf_fault *f)
{
	enum tf_err e = b->err ? tf_fault(f, TF_NO_MEMORY, "no memory for an audit record")
			       : tf_audit_append(g->audit, tf_buf_view(b), f);
	tf_buf_release(b);
	return e;
}

enum tf_err
tf_guard_record(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who, struct tf_str key,
		uint64_t offset, struct tf_fault *f)
{
	struct tf_buf b;
	if (!g->audit)
		return TF_OK;
	tf_buf_init(&b, TF_AUDIT_TEXT);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "what", "decided");
	describe(&w, x, who);
	tf_json_set_str(&w, "key", key);
	tf_json_set_u64(&w, "offset", offset);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	return keep(g, &b, f);
}

static void
record_refusal(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who, int status, const char *why)
{
	struct tf_buf b;
	struct tf_fault f = {0};
	struct tf_allowance allowance;
	if (!g->audit)
		return;
	if (tf_limits_take(&g->refusals, tf_str(who->certificate), tf_os_ticks(g->os), &allowance, &f) ||
	    !allowance.allowed) {
		g->unrecorded++;
		return;
	}
	tf_buf_init(&b, TF_AUDIT_TEXT);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "what", "refused");
	describe(&w, x, who);
	tf_json_set_i64(&w, "status", status);
	tf_json_set_cstr(&w, "why", why);
	if (g->unrecorded)
		tf_json_set_u64(&w, "unrecorded_before", g->unrecorded);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	if (!keep(g, &b, &f))
		g->unrecorded = 0;
	else
		tf_watch_fault(g->watch, "audit.failed", tf_exchange_trace(x), &f);
}

enum tf_err
tf_guard_sync(struct tf_guard *g, struct tf_fault *f)
{
	return g->audit ? tf_audit_sync(g->audit, f) : TF_OK;
}

bool
tf_guard_unsynced(const struct tf_guard *g)
{
	return g->audit && tf_audit_unsynced(g->audit);
}

/* ---- who ---- */

static enum tf_guard_answer
refuse(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who, const struct tf_problem *p)
{
	char why[TF_FAULT_TEXT_MAX];
	snprintf(why, sizeof why, "%.*s", TF_FMT(p->text));
	if (p->status == 401 || p->status == 403)
		record_refusal(g, x, who, p->status, why);
	tf_reply_problem(x, p);
	return TF_GUARD_ANSWERED;
}

static bool
take_name(struct tf_caller *who, struct tf_str name)
{
	if (!name.n || name.n > TF_GUARD_PARTNER)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!good && c != '.' && c != '_' && c != '-')
			return false;
	}
	memcpy(who->name, name.p, name.n);
	who->name[name.n] = 0;
	who->partner = tf_str_n(who->name, name.n);
	return true;
}

static enum tf_guard_answer
wait_for_keys(struct tf_guard *g, struct tf_exchange *x)
{
	if (g->waiting_count == TF_GUARD_WAITING || tf_exchange_age(x) > TF_GUARD_WAIT) {
		struct tf_problem p = {503, "UNAVAILABLE", TF_STR("the issuer's keys are not to be had now"), NULL};
		tf_reply_header(x, "Retry-After", TF_STR("1"));
		tf_reply_problem(x, &p);
		return TF_GUARD_ANSWERED;
	}
	g->waiting[g->waiting_count++] = (struct waiting){x, tf_os_ticks(g->os) + TF_SEC / 2};
	return TF_GUARD_WAITS;
}

static enum tf_guard_answer
by_token(struct tf_guard *g, struct tf_exchange *x, const char *scope, const struct tf_certificate *c,
	 struct tf_caller *who)
{
	char thumbprint[TF_B64_CHARS(32) + 1];
	struct tf_fault f = {0};
	struct tf_oauth_refusal r = {0};
	const struct tf_oauth_principal *p;
	if (tf_http_repeated(tf_exchange_request(x), "authorization")) {
		struct tf_problem twice = {400, "INVALID", TF_STR("Authorization is there twice"), "Authorization"};
		return refuse(g, x, who, &twice);
	}
	struct tf_oauth_ask ask = {.authorization = tf_exchange_header(x, "authorization"),
				   .scope = scope,
				   .since = tf_os_now(g->os) - tf_exchange_age(x),
				   .now = tf_os_now(g->os)};
	if (c) {
		tf_b64_text(c->sha256, sizeof c->sha256, thumbprint);
		ask.thumbprint = tf_str(thumbprint);
	}
	enum tf_err e = tf_oauth_check(g->oauth, &ask, &p, &r, &f);
	if (e == TF_BUSY)
		return wait_for_keys(g, x);
	if (e) {
		struct tf_problem no = {r.status ? r.status : tf_err_http(e), r.code ? r.code : tf_err_name(e),
					tf_str(f.text), "Authorization"};
		if (r.challenge[0])
			tf_reply_header(x, "WWW-Authenticate", tf_str(r.challenge));
		return refuse(g, x, who, &no);
	}
	bool named = take_name(who, p->partner); /* never the client's id: it may be another partner's name */
	snprintf(who->client, sizeof who->client, "%.*s", TF_FMT(p->client));
	tf_oauth_done(&p);
	struct tf_problem nameless = {403, "UNIDENTIFIED", TF_STR("the token names no partner"), "Authorization"};
	return named ? TF_GUARD_IN : refuse(g, x, who, &nameless);
}

static enum tf_guard_answer
identify(struct tf_guard *g, struct tf_exchange *x, const char *scope, struct tf_caller *who)
{
	const struct tf_certificate *c = tf_exchange_certificate(x);
	if (c)
		for (int i = 0; i < 32; i++)
			snprintf(who->certificate + 2 * i, 3, "%02x", c->sha256[i]);
	if (g->oauth)
		return by_token(g, x, scope, c, who);
	if (g->certificates && c && take_name(who, tf_str(c->common_name)))
		return TF_GUARD_IN;
	struct tf_problem p = {401, "UNIDENTIFIED",
			       TF_STR("no way to tell who calls: this server has no identity configured"), NULL};
	if (g->certificates)
		p.text = TF_STR("a client certificate is wanted whose common name is a partner's");
	if (g->header && !g->certificates) {
		struct tf_str name = tf_exchange_header(x, "x-partner");
		if (!tf_http_repeated(tf_exchange_request(x), "x-partner") && take_name(who, name))
			return TF_GUARD_IN;
		p.field = "X-Partner";
		p.text = TF_STR("one X-Partner of 1 to 64 letters, digits, '.', '_' and '-' is wanted");
	}
	return refuse(g, x, who, &p);
}

/* ---- how often, and under which name ---- */

/* As draft-ietf-httpapi-ratelimit-headers has them. */
static void
rate_headers(const struct tf_limits *l, struct tf_exchange *x, const struct tf_allowance *w)
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

static enum tf_guard_answer
meter(struct tf_guard *g, struct tf_exchange *x, struct tf_str partner)
{
	struct tf_fault f = {0};
	struct tf_allowance w;
	char text[24];
	if (tf_limits_take(&g->limits, partner, tf_os_ticks(g->os), &w, &f)) {
		tf_reply_fault(x, &f, NULL);
		return TF_GUARD_ANSWERED;
	}
	rate_headers(&g->limits, x, &w);
	if (w.allowed)
		return TF_GUARD_IN;
	snprintf(text, sizeof text, "%" PRId64, w.retry_s > 0 ? w.retry_s : 1);
	tf_reply_header(x, "Retry-After", tf_str(text));
	struct tf_problem p = {429, "RATE_LIMITED", TF_STR("this partner's rate is used up"), NULL};
	tf_reply_problem(x, &p);
	return TF_GUARD_ANSWERED;
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
tf_guard_admit(struct tf_guard *g, struct tf_exchange *x, const char *scope, struct tf_caller *out)
{
	*out = (struct tf_caller){0};
	enum tf_guard_answer a = identify(g, x, scope, out);
	if (a == TF_GUARD_IN)
		a = meter(g, x, out->partner);
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
	struct waiting was[TF_GUARD_WAITING];
	memcpy(was, g->waiting, count * sizeof *was);
	g->waiting_count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (changes != g->changes || now > was[i].until)
			tf_exchange_again(was[i].x);
		else
			g->waiting[g->waiting_count++] = was[i];
	g->changes = changes;
	if (g->waiting_count && (*soon < 0 || *soon > TF_SEC / 50))
		*soon = TF_SEC / 50;
}
