/* What the gate keeps in the audit log: decisions, and refusals in a bounded number; see guard.h. */
#include "base/json.h"
#include "base/mem.h"
#include "guard_impl.h"

#define PATH_KEPT    512 /* bytes of a path in a record */
#define RECORD_ARENA ((size_t)256 << 10)

void
guard_take_certificate(struct tf_caller *who, const struct tf_certificate *c)
{
	if (c)
		tf_hex(c->sha256, sizeof c->sha256, who->certificate);
}

static void
describe_request(struct tf_json_out *w, struct tf_exchange *x)
{
	const struct tf_http_request *q = tf_exchange_request(x);
	char trace[TF_TRACEPARENT_BYTES];
	tf_json_set_str(w, "method", q->method);
	tf_json_set_str(w, "path", tf_str_n(q->path.p, q->path.n < PATH_KEPT ? q->path.n : PATH_KEPT));
	tf_json_set_str(w, "correlation", tf_trace_correlation(tf_exchange_trace(x)));
	tf_json_set_cstr(w, "trace", tf_trace_format(tf_exchange_trace(x), trace));
}

static void
describe(struct tf_json_out *w, const struct tf_peer *peer, struct tf_exchange *x, const struct tf_caller *who)
{
	tf_json_set_str(w, "partner", who->partner);
	if (who->client[0])
		tf_json_set_cstr(w, "client", who->client);
	if (who->certificate[0])
		tf_json_set_cstr(w, "certificate", who->certificate);
	tf_json_set_cstr(w, "peer", peer->host);
	if (x)
		describe_request(w, x);
}

static struct tf_json_out
entry_begin(struct tf_guard *g, const char *what)
{
	tf_buf_reset(&g->text);
	struct tf_json_out w = tf_json_out(&g->text);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "what", what);
	return w;
}

static enum tf_err
entry_end(struct tf_guard *g, struct tf_json_out *w, struct tf_fault *f)
{
	tf_json_end_object(w);
	tf_json_finish(w);
	return g->text.err ? tf_fault(f, TF_NO_MEMORY, "no memory for an audit record")
			   : tf_audit_append(g->audit, tf_buf_view(&g->text), f);
}

enum tf_err
tf_guard_record(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who, struct tf_str key,
		uint64_t offset, struct tf_fault *f)
{
	if (!g->audit)
		return TF_OK;
	struct tf_json_out w = entry_begin(g, "decided");
	describe(&w, tf_exchange_peer(x), x, who);
	tf_json_set_str(&w, "key", key);
	tf_json_set_u64(&w, "offset", offset);
	return entry_end(g, &w, f);
}

struct recorded {
	bool any;
	uint64_t next;
};

/* What a record says of the log: a decision's offset, or a start's next one. */
static bool
says_next(void *ctx, struct tf_str text)
{
	struct recorded *r = ctx;
	struct tf_arena arena;
	const struct tf_json *entry;
	struct tf_str what;
	uint64_t n;
	tf_arena_init(&arena, "audit record", RECORD_ARENA);
	bool read = !tf_json_parse(text, &arena, 0, &entry, NULL) && tf_json_str(tf_json_get(entry, "what"), &what);
	bool decided = read && tf_str_eq(what, TF_STR("decided"));
	const struct tf_json *v = decided                                      ? tf_json_get(entry, "offset")
				  : read && tf_str_eq(what, TF_STR("started")) ? tf_json_get(entry, "next")
									       : NULL;
	bool says = v && tf_json_is(v, TF_JSON_NUMBER) && tf_str_u64(v->text, &n);
	if (says)
		*r = (struct recorded){true, n + decided};
	tf_arena_release(&arena);
	return says;
}

enum tf_err
tf_guard_recorded(struct tf_guard *g, bool *out_any, uint64_t *out_next, struct tf_fault *f)
{
	struct recorded r = {0};
	if (g->audit)
		TF_TRY(tf_audit_back(g->audit, says_next, &r, f));
	*out_any = r.any;
	*out_next = r.next;
	return TF_OK;
}

enum tf_err
tf_guard_record_late(struct tf_guard *g, struct tf_str partner, struct tf_str key, uint64_t offset,
		     const struct tf_trace *trace, struct tf_fault *f)
{
	char text[TF_TRACEPARENT_BYTES];
	if (!g->audit)
		return TF_OK;
	struct tf_json_out w = entry_begin(g, "decided");
	tf_json_set_str(&w, "partner", partner);
	tf_json_set_str(&w, "correlation", tf_trace_correlation(trace));
	tf_json_set_cstr(&w, "trace", tf_trace_format(trace, text));
	tf_json_set_str(&w, "key", key);
	tf_json_set_u64(&w, "offset", offset);
	tf_json_set_bool(&w, "late", true);
	return entry_end(g, &w, f);
}

enum tf_err
tf_guard_record_start(struct tf_guard *g, uint64_t next, struct tf_fault *f)
{
	if (!g->audit)
		return TF_OK;
	struct tf_json_out w = entry_begin(g, "started");
	tf_json_set_u64(&w, "next", next);
	return entry_end(g, &w, f);
}

void
guard_record_refusal(struct tf_guard *g, const struct tf_peer *peer, struct tf_exchange *x, const struct tf_caller *who,
		     int status, const char *why)
{
	struct tf_fault f = {0};
	struct tf_allowance allowance;
	if (!g->audit)
		return;
	/* Who shakes hands has proved nothing yet: certificates that cost nothing to make have one bucket together. */
	struct tf_str of = tf_str(status ? who->certificate : "");
	if (tf_limits_take(&g->refusals, of, tf_os_ticks(g->os), &allowance, &f) || !allowance.allowed) {
		g->unrecorded++;
		return;
	}
	struct tf_json_out w = entry_begin(g, "refused");
	describe(&w, peer, x, who);
	tf_json_set_i64(&w, "status", status);
	tf_json_set_cstr(&w, "why", why);
	if (g->unrecorded)
		tf_json_set_u64(&w, "unrecorded_before", g->unrecorded);
	if (!entry_end(g, &w, &f))
		g->unrecorded = 0;
	else
		tf_watch_fault(g->watch, "audit.failed", x ? tf_exchange_trace(x) : NULL, &f);
}

static void
on_refused(void *guard, const struct tf_refused *r)
{
	struct tf_caller who = {0};
	guard_take_certificate(&who, r->certificate);
	guard_record_refusal(guard, r->peer, r->x, &who, r->status, r->why);
}

void
tf_guard_watch(struct tf_guard *g, struct tf_server_options *o)
{
	o->refused = on_refused;
	o->refused_ctx = g;
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
