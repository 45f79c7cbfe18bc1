/* What the gate keeps in the audit log: decisions, and refusals in a bounded number; see guard.h. */
#include "base/json.h"
#include "base/mem.h"
#include "guard_impl.h"

#define PATH_KEPT   512 /* bytes of a path in a record */
#define RECORD_ROOM 768 /* most records need no more: it grows once, not by and by */

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
	(void)tf_buf_room(&b, RECORD_ROOM);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "what", "decided");
	describe(&w, tf_exchange_peer(x), x, who);
	tf_json_set_str(&w, "key", key);
	tf_json_set_u64(&w, "offset", offset);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	return keep(g, &b, f);
}

void
guard_record_refusal(struct tf_guard *g, const struct tf_peer *peer, struct tf_exchange *x, const struct tf_caller *who,
		     int status, const char *why)
{
	struct tf_buf b;
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
	tf_buf_init(&b, TF_AUDIT_TEXT);
	(void)tf_buf_room(&b, RECORD_ROOM);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "what", "refused");
	describe(&w, peer, x, who);
	tf_json_set_i64(&w, "status", status);
	tf_json_set_cstr(&w, "why", why);
	if (g->unrecorded)
		tf_json_set_u64(&w, "unrecorded_before", g->unrecorded);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	if (!keep(g, &b, &f))
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
