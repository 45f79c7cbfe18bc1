/* A TLS server's files: read, checked against each other, put in use; see tls.h. */
#include <openssl/pem.h>

#include "base/mem.h"
#include "tls_impl.h"

enum tf_err
tls_fault(struct tf_fault *f, enum tf_err code, const char *what)
{
	unsigned long e = ERR_get_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;
	ERR_clear_error();
	return tf_fault(f, code, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

static enum tf_err
file_fault(struct tf_fault *f, const char *path, const char *what)
{
	char text[400];
	snprintf(text, sizeof text, "'%.300s': %s", path, what);
	return tls_fault(f, TF_INVALID, text);
}

/* The files of a generation while it is made. */
struct making {
	struct tf_tls *t;
	SSL_CTX *ctx;
	tf_time crl_until;
	char *ocsp;
	size_t ocsp_n;
	struct tf_fault *f;
};

static enum tf_err
read_pem(struct making *m, const char *path, size_t max, BIO **out)
{
	char *text;
	size_t n;
	TF_TRY(tf_os_read_file(m->t->os, path, max, &text, &n, m->f));
	*out = BIO_new(BIO_s_mem());
	bool ok = *out && BIO_write(*out, text, (int)n) == (int)n;
	OPENSSL_cleanse(text, n);
	tf_free(text);
	if (ok)
		return TF_OK;
	BIO_free(*out);
	return tf_fault(m->f, TF_NO_MEMORY, "no memory for '%s'", path);
}

/* No more PEM blocks is how reading ends; anything else is wrong. */
static bool
at_end(void)
{
	unsigned long e = ERR_peek_last_error();
	bool end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
	if (end)
		ERR_clear_error();
	return end;
}

static enum tf_err
use_certificates(struct making *m, BIO *pem, const char *path)
{
	X509 *x;
	int n = 0;
	bool ok = true;
	while (ok && (x = PEM_read_bio_X509(pem, NULL, NULL, NULL))) {
		tf_time now = tf_os_now(m->t->os);
		if (!n && (tls_time(X509_get0_notAfter(x)) < now || tls_time(X509_get0_notBefore(x)) > now)) {
			X509_free(x);
			return file_fault(m->f, path, "the certificate is not valid now");
		}
		ok = n ? SSL_CTX_add1_chain_cert(m->ctx, x) : SSL_CTX_use_certificate(m->ctx, x);
		n++;
		X509_free(x);
	}
	return ok && n && at_end() ? TF_OK : file_fault(m->f, path, "no certificate can be used");
}

static enum tf_err
use_key(struct making *m, BIO *pem, const char *path)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, (void *)"");
	bool ok = key && SSL_CTX_use_PrivateKey(m->ctx, key) && SSL_CTX_check_private_key(m->ctx);
	EVP_PKEY_free(key);
	return ok ? TF_OK : file_fault(m->f, path, "no key of that certificate");
}

static enum tf_err
use_cas(struct making *m, BIO *pem, const char *path)
{
	X509_STORE *store = SSL_CTX_get_cert_store(m->ctx);
	X509 *x;
	int n = 0;
	bool ok = true;
	while (ok && (x = PEM_read_bio_X509(pem, NULL, NULL, NULL))) {
		ok = X509_STORE_add_cert(store, x) && SSL_CTX_add_client_CA(m->ctx, x);
		n++;
		X509_free(x);
	}
	return ok && n && at_end() ? TF_OK : file_fault(m->f, path, "no CA can be used");
}

static enum tf_err
use_crls(struct making *m, BIO *pem, const char *path)
{
	X509_STORE *store = SSL_CTX_get_cert_store(m->ctx);
	X509_CRL *crl;
	int n = 0;
	bool ok = true;
	while (ok && (crl = PEM_read_bio_X509_CRL(pem, NULL, NULL, NULL))) {
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
		tf_time until = next ? tls_time(next) : TF_TIME_MAX;
		m->crl_until = until < m->crl_until ? until : m->crl_until;
		ok = X509_STORE_add_crl(store, crl);
		n++;
		X509_CRL_free(crl);
	}
	if (!ok || !n || !at_end())
		return file_fault(m->f, path, "no revocation list can be used");
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return TF_OK;
}

typedef enum tf_err use_fn(struct making *m, BIO *pem, const char *path);

static enum tf_err
use(struct making *m, const char *path, size_t max, use_fn *fn)
{
	BIO *pem;
	if (!path)
		return TF_OK;
	TF_TRY(read_pem(m, path, max, &pem));
	enum tf_err e = fn(m, pem, path);
	BIO_free(pem);
	return e;
}

static int
staple(SSL *ssl, void *tls)
{
	struct tf_tls *t = tls;
	pthread_mutex_lock(&t->lock);
	size_t n = t->ocsp_n;
	unsigned char *copy = t->ocsp ? OPENSSL_memdup(t->ocsp, n) : NULL;
	pthread_mutex_unlock(&t->lock);
	if (!copy || !SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)n))
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n,
	    void *arg)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	const struct tf_tls *t = arg;
	const unsigned char *offered = t->o.http2 ? both : both + 3;
	unsigned n = sizeof both - 1 - (unsigned)(offered - both);
	(void)ssl;
	if (SSL_select_next_proto((unsigned char **)out, out_n, offered, n, in, in_n) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool
configure(struct making *m)
{
	static const unsigned char context[] = "tenfold";
	struct tf_tls *t = m->t;
	SSL_CTX *ctx = m->ctx;
	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF); /* HTTP tells where a message ends */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_NO_AUTO_CHAIN); /* what the file holds is sent, not what the CAs add */
	tls_session_setup(ctx);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, t);
	SSL_CTX_set_tlsext_status_cb(ctx, staple);
	SSL_CTX_set_tlsext_status_arg(ctx, t);
	int mode = t->o.clients == TF_TLS_CLIENTS_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
	SSL_CTX_set_verify(ctx, t->o.clients == TF_TLS_CLIENTS_MUST ? mode | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : mode,
			   NULL);
	SSL_CTX_set_cert_verify_callback(ctx, tls_verify_cb, t);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
	       SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") && SSL_CTX_set_num_tickets(ctx, 1) &&
	       SSL_CTX_set_session_id_context(ctx, context, sizeof context - 1) && tls_ticket_setup(t, ctx);
}

static enum tf_err
make(struct making *m)
{
	const struct tf_tls_options *o = &m->t->o;
	m->ctx = SSL_CTX_new(TLS_server_method());
	if (!m->ctx || !configure(m))
		return tls_fault(m->f, TF_NO_MEMORY, "cannot set up TLS");
	TF_TRY(use(m, o->certificate, TF_TLS_FILE_BYTES, use_certificates));
	TF_TRY(use(m, o->key, TF_TLS_FILE_BYTES, use_key));
	if (o->clients != TF_TLS_CLIENTS_NONE) {
		TF_TRY(use(m, o->client_ca, TF_TLS_FILE_BYTES, use_cas));
		TF_TRY(use(m, o->crl, TF_TLS_CRL_BYTES, use_crls));
	}
	return o->ocsp ? tf_os_read_file(m->t->os, o->ocsp, TF_TLS_FILE_BYTES, &m->ocsp, &m->ocsp_n, m->f) : TF_OK;
}

enum tf_err
tf_tls_reload(struct tf_tls *t, struct tf_fault *f)
{
	struct making m = {.t = t, .crl_until = TF_TIME_MAX, .f = f};
	enum tf_err e = make(&m);
	if (e) {
		SSL_CTX_free(m.ctx);
		tf_free(m.ocsp);
		return e;
	}
	pthread_mutex_lock(&t->lock);
	SSL_CTX *ctx_before = t->ctx;
	char *ocsp_before = t->ocsp;
	t->ctx = m.ctx;
	t->crl_until = m.crl_until;
	t->ocsp = m.ocsp;
	t->ocsp_n = m.ocsp_n;
	t->generation++;
	tls_forget(t);
	pthread_mutex_unlock(&t->lock);
	SSL_CTX_free(ctx_before);
	tf_free(ocsp_before);
	return TF_OK;
}

enum tf_err
tf_tls_new(struct tf_os *os, const struct tf_tls_options *o, struct tf_tls **out, struct tf_fault *f)
{
	if (!o->certificate || !o->key)
		return tf_fault(f, TF_INVALID, "TLS needs a certificate and its key");
	if (o->clients != TF_TLS_CLIENTS_NONE && !o->client_ca)
		return tf_fault(f, TF_INVALID, "client certificates need a CA");
	struct tf_tls *t = tf_calloc(1, sizeof *t);
	if (!t)
		return tf_fault(f, TF_NO_MEMORY, "no memory for TLS");
	TF_ASSERT(!pthread_mutex_init(&t->lock, NULL));
	t->os = os;
	t->o = *o;
	t->o.ticket_rotate = o->ticket_rotate ? o->ticket_rotate : 3600 * TF_SEC;
	t->o.sessions = o->sessions ? o->sessions : TF_TLS_SESSIONS;
	t->sessions = tf_calloc(t->o.sessions, sizeof *t->sessions);
	if (!t->sessions) {
		tf_tls_free(&t);
		return tf_fault(f, TF_NO_MEMORY, "no memory for TLS sessions");
	}
	tf_tls_rotate(t);
	tf_tls_rotate(t);
	enum tf_err e = tf_tls_reload(t, f);
	if (e)
		tf_tls_free(&t);
	else
		*out = t;
	return e;
}

uint64_t
tf_tls_generation(const struct tf_tls *t)
{
	return t->generation;
}

void
tf_tls_free(struct tf_tls **tls)
{
	struct tf_tls *t = *tls;
	if (!t)
		return;
	tls_session_release(t);
	SSL_CTX_free(t->ctx);
	tf_free(t->ocsp);
	OPENSSL_cleanse(t->keys, sizeof t->keys);
	pthread_mutex_destroy(&t->lock);
	tf_free(t);
	*tls = NULL;
}
