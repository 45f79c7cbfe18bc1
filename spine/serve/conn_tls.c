/* What a connection's bytes go through: nothing, or TLS; and whose certificate came with them. See server.h, tls.h. */
#include "base/mem.h"
#include "h2.h"
#include "server_impl.h"

enum { HANDSHAKE_FULL, HANDSHAKE_RESUMED, HANDSHAKE_REFUSED, HANDSHAKE_FAILED };

enum tf_err
tf_conn_recv(struct tf_conn *c, void *p, size_t n, size_t *out_n)
{
	if (!c->tls)
		return tf_net_recv(c->fd, p, n, out_n, NULL);
	c->tls_wants = 0;
	return tf_tls_recv(c->tls, p, n, out_n, &c->tls_wants, NULL);
}

enum tf_err
tf_conn_send(struct tf_conn *c, const void *p, size_t n, size_t *out_n)
{
	unsigned wants; /* TF_TLS_WANT_WRITE: without renegotiation, sending waits for nothing else */
	return c->tls ? tf_tls_send(c->tls, p, n, out_n, &wants, NULL) : tf_net_send(c->fd, p, n, out_n, NULL);
}

bool
tf_conn_pending(const struct tf_conn *c)
{
	return c->tls && c->fd >= 0 && !c->dead && c->phase < TF_CONN_ANSWER && tf_tls_pending(c->tls);
}

void
tf_conn_tell_refused(struct tf_conn *c, struct tf_exchange *x, int status, const char *why)
{
	const struct tf_server_options *o = &c->server->o;
	struct tf_refused r = {&c->peer, tf_tls_certificate(c->tls), x, status, why};
	if (o->refused)
		o->refused(o->refused_ctx, &r);
}

bool
tf_conn_shook_hands(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	const char *why = c->handshake->why.text;
	enum tf_err e = c->handshake->result;
	if (e == TF_BUSY)
		return false;
	c->tls_wants = 0;
	int result = e == TF_DENIED ? HANDSHAKE_REFUSED : e ? HANDSHAKE_FAILED : HANDSHAKE_FULL;
	if (!e && tf_tls_resumed(c->tls))
		result = HANDSHAKE_RESUMED;
	tf_metric_add(s->metrics, TF_SERVE_HANDSHAKES, (size_t)result, 1);
	if (e == TF_DENIED) {
		tf_conn_tell_refused(c, NULL, 0, why);
		TF_LOG(s->o.watch, TF_LOG_WARN, "tls.refused", NULL, TF_KV("peer", (const char *)c->peer.host),
		       TF_KV("reason", why));
	}
	if (c->dead)
		return false;
	if (e) {
		tf_conn_closed(c);
		return false;
	}
	tf_free(c->handshake);
	c->handshake = NULL;
	c->phase = TF_CONN_IDLE;
	c->since = c->moved = tf_os_ticks(s->os);
	return tf_tls_http2(c->tls) ? tf_h2_open(c) : true;
}

bool
tf_conn_certificate_good(struct tf_conn *c, struct tf_fault *f)
{
	return !c->server->o.tls || tf_tls_recheck(c->tls, f) == TF_OK;
}

/* A list of addresses between commas has this one. */
static bool
listed(const char *list, const char *host)
{
	size_t n = strlen(host);
	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, host, n) == 0 && (p[n] == 0 || p[n] == ','))
			return true;
	return false;
}

bool
tf_conn_is_terminator(const struct tf_server *s, const char *host)
{
	return listed(s->o.terminators, host);
}

const struct tf_certificate *
tf_exchange_certificate(struct tf_exchange *x)
{
	struct tf_conn *c = x->conn;
	if (c->tls && tf_tls_certificate(c->tls))
		return tf_tls_certificate(c->tls);
	const struct tf_http_request *q = &c->in.request;
	struct tf_str header = tf_http_header(q, "client-cert");
	if (!header.p || tf_http_repeated(q, "client-cert") || !tf_conn_is_terminator(c->server, c->peer.host))
		return NULL;
	if (tf_tls_certificate_read(header, &x->forwarded, NULL))
		return NULL;
	return x->forwarded.not_after > tf_os_now(c->server->os) ? &x->forwarded : NULL;
}
