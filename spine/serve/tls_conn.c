/* One TLS connection over a socket that never waits; see tls.h. */
#include "base/mem.h"
#include "tls_impl.h"

enum tf_err
tf_tls_conn_new(struct tf_tls *t, int fd, struct tf_tls_conn **out, struct tf_fault *f)
{
	struct tf_tls_conn *c = tf_calloc(1, sizeof *c);
	if (!c)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a TLS connection");
	c->tls = t;
	pthread_mutex_lock(&t->lock);
	SSL_CTX *ctx = SSL_CTX_up_ref(t->ctx) ? t->ctx : NULL;
	pthread_mutex_unlock(&t->lock);
	c->ssl = ctx ? SSL_new(ctx) : NULL;
	SSL_CTX_free(ctx);
	if (!c->ssl || !SSL_set_fd(c->ssl, fd) || !SSL_set_app_data(c->ssl, c)) {
		tf_tls_conn_free(&c);
		return tls_fault(f, TF_NO_MEMORY, "no memory for a TLS connection");
	}
	SSL_set_accept_state(c->ssl);
	*out = c;
	return TF_OK;
}

void
tf_tls_conn_free(struct tf_tls_conn **conn)
{
	struct tf_tls_conn *c = *conn;
	if (!c)
		return;
	if (c->done) /* else OpenSSL spoils its session, as it did already if the connection failed */
		SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	tls_client_free(&c->client);
	tf_free(c);
	*conn = NULL;
}

static bool
came_without(void)
{
	unsigned long e = ERR_peek_error();
	return ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
}

/* What a call that did not succeed means. */
static enum tf_err
unfinished(struct tf_tls_conn *c, int rc, unsigned *out_want, struct tf_fault *f, const char *what)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		*out_want = TF_TLS_WANT_READ;
		return TF_BUSY;
	case SSL_ERROR_WANT_WRITE:
		*out_want = TF_TLS_WANT_WRITE;
		return TF_BUSY;
	case SSL_ERROR_ZERO_RETURN:
		return TF_END;
	default:
		c->broken = true;
		return tls_fault(f, came_without() ? TF_DENIED : TF_IO, what);
	}
}

static enum tf_err
take_certificate(struct tf_tls_conn *c, struct tf_fault *f)
{
	if (!tls_client_of(c) && !SSL_get0_peer_certificate(c->ssl))
		return TF_OK;
	int error = c->client ? tls_client_check(c->tls, c->client) : X509_V_ERR_OUT_OF_MEM;
	if (!error)
		return TF_OK;
	return tf_fault(f, TF_DENIED, "the client's certificate was refused: %s", X509_verify_cert_error_string(error));
}

/* Clearing a queue that is empty costs more than asking. */
static void
forget_errors(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

enum tf_err
tf_tls_handshake(struct tf_tls_conn *c, unsigned *out_want, struct tf_fault *f)
{
	forget_errors();
	int rc = SSL_do_handshake(c->ssl);
	if (rc != 1) {
		enum tf_err e = unfinished(c, rc, out_want, f, "TLS handshake failed");
		long why = SSL_get_verify_result(c->ssl);
		if (e != TF_BUSY && why != X509_V_OK)
			return tf_fault(f, TF_DENIED, "the client's certificate was refused: %s",
					X509_verify_cert_error_string(why));
		return e == TF_END ? tf_fault(f, TF_IO, "TLS handshake ended by the client") : e;
	}
	TF_TRY(take_certificate(c, f));
	c->done = true;
	return TF_OK;
}

enum tf_err
tf_tls_recv(struct tf_tls_conn *c, void *p, size_t n, size_t *out_n, unsigned *out_want, struct tf_fault *f)
{
	forget_errors();
	int rc = SSL_read_ex(c->ssl, p, n, out_n);
	return rc == 1 ? TF_OK : unfinished(c, rc, out_want, f, "TLS connection broke");
}

enum tf_err
tf_tls_send(struct tf_tls_conn *c, const void *p, size_t n, size_t *out_n, unsigned *out_want, struct tf_fault *f)
{
	forget_errors();
	int rc = SSL_write_ex(c->ssl, p, n, out_n);
	return rc == 1 ? TF_OK : unfinished(c, rc, out_want, f, "TLS connection broke");
}

bool
tf_tls_pending(const struct tf_tls_conn *c)
{
	return SSL_has_pending(c->ssl);
}

void
tf_tls_rest(struct tf_tls_conn *c)
{
	(void)SSL_free_buffers(c->ssl); /* not where there is something in them */
}

void
tf_tls_shutdown(struct tf_tls_conn *c)
{
	forget_errors();
	if (c->done && !c->broken)
		SSL_shutdown(c->ssl);
	forget_errors();
}

const struct tf_certificate *
tf_tls_certificate(const struct tf_tls_conn *c)
{
	return c->client ? &c->client->cert : NULL;
}

enum tf_err
tf_tls_recheck(struct tf_tls_conn *c, struct tf_fault *f)
{
	int error = c->client ? tls_client_check(c->tls, c->client) : X509_V_OK;
	if (!error)
		return TF_OK;
	return tf_fault(f, TF_DENIED, "the client's certificate is no longer good: %s",
			X509_verify_cert_error_string(error));
}

bool
tf_tls_resumed(const struct tf_tls_conn *c)
{
	return SSL_session_reused(c->ssl);
}

bool
tf_tls_http2(const struct tf_tls_conn *c)
{
	const unsigned char *name;
	unsigned n;
	SSL_get0_alpn_selected(c->ssl, &name, &n);
	return n == 2 && memcmp(name, "h2", 2) == 0;
}

const char *
tf_tls_version(const struct tf_tls_conn *c)
{
	return SSL_get_version(c->ssl);
}
