/* TLS as a partner's client speaks it, by BoringSSL (docs/decisions/generator.md); see gateway_load.h. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "gateway_load.h"

#define TOKEN_MAX 2048

static int
certificate_wanted(SSL *ssl, X509 **x, EVP_PKEY **key)
{
	struct identity *who = SSL_get_app_data(ssl);
	X509_up_ref(who->certificate);
	EVP_PKEY_up_ref(who->key);
	*x = who->certificate;
	*key = who->key;
	return 1;
}

static int
session_given(SSL *ssl, SSL_SESSION *s)
{
	struct identity *who = SSL_get_app_data(ssl);
	SSL_SESSION_free(who->session);
	who->session = s;
	return 1;
}

static bool
read_identity(const char *dir, size_t number, struct identity *out)
{
	char path[4096], token[TOKEN_MAX];
	snprintf(path, sizeof path, "%s/%04zu.pem", dir, number);
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	out->certificate = PEM_read_X509(file, NULL, NULL, NULL);
	out->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	snprintf(path, sizeof path, "%s/%04zu.jwt", dir, number);
	file = fopen(path, "r");
	if (!file)
		return false;
	size_t n = fread(token, 1, sizeof token, file);
	fclose(file);
	struct tf_str text = tf_str_trim(tf_str_n(token, n));
	out->token = tf_strndup(text.p, text.n);
	return out->certificate && out->key && out->token && text.n;
}

int
identities_load(struct identities *ids, const struct options *o)
{
	struct identity one = {0};
	SSL_CTX *ctx = ids->ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx || !o->ca || SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1)
		return load_fail("cannot read the servers' CA: ca=FILE", NULL);
	if (o->tls == 12 && SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) != 1)
		return load_fail("no TLS 1.2", NULL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_client_cert_cb(ctx, certificate_wanted);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, session_given);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	while (read_identity(o->identities, ids->count, &one)) {
		struct identity *more = tf_realloc(ids->list, (ids->count + 1) * sizeof *more);
		if (!more)
			return load_fail("out of memory", NULL);
		ids->list = more;
		ids->list[ids->count++] = one;
		one = (struct identity){0};
	}
	return ids->count ? 0 : load_fail("no identities in the directory", NULL);
}

void
identities_release(struct identities *ids)
{
	for (size_t i = 0; i < ids->count; i++) {
		SSL_SESSION_free(ids->list[i].session);
		X509_free(ids->list[i].certificate);
		EVP_PKEY_free(ids->list[i].key);
		tf_free(ids->list[i].token);
	}
	tf_free(ids->list);
	SSL_CTX_free(ids->ctx);
}

bool
tls_begin(const struct identities *ids, struct conn *c)
{
	c->ssl = SSL_new(ids->ctx);
	if (!c->ssl)
		return false;
	SSL_set_app_data(c->ssl, c->who);
	SSL_set_connect_state(c->ssl);
	return SSL_set_fd(c->ssl, c->fd) && SSL_set_tlsext_host_name(c->ssl, "localhost") &&
	       SSL_set1_host(c->ssl, "localhost") && (!c->who->session || SSL_set_session(c->ssl, c->who->session));
}

/* The first failure is told; the others are likely the same. */
static enum tf_err
outcome(struct conn *c, int code, unsigned *want)
{
	static bool told;
	char text[256];
	int error = SSL_get_error(c->ssl, code);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		*want = error == SSL_ERROR_WANT_READ ? TF_POLL_IN : TF_POLL_OUT;
		return TF_BUSY;
	}
	if (error == SSL_ERROR_SSL && !told) {
		told = true;
		ERR_error_string_n(ERR_peek_error(), text, sizeof text);
		load_fail(text, NULL);
	}
	return error == SSL_ERROR_ZERO_RETURN ? TF_END : TF_IO;
}

enum tf_err
tls_handshake(struct conn *c, unsigned *want)
{
	ERR_clear_error();
	int code = SSL_do_handshake(c->ssl);
	return code == 1 ? TF_OK : outcome(c, code, want);
}

enum tf_err
tls_recv(struct conn *c, void *p, size_t n, size_t *out_n, unsigned *want)
{
	ERR_clear_error();
	int code = SSL_read(c->ssl, p, (int)n);
	*out_n = code > 0 ? (size_t)code : 0;
	return code > 0 ? TF_OK : outcome(c, code, want);
}

enum tf_err
tls_send(struct conn *c, const void *p, size_t n, size_t *out_n, unsigned *want)
{
	ERR_clear_error();
	int code = SSL_write(c->ssl, p, (int)n);
	*out_n = code > 0 ? (size_t)code : 0;
	return code > 0 ? TF_OK : outcome(c, code, want);
}

/* close_notify is sent: OpenSSL's server, unless told otherwise, spoils a session whose connection ended without. */
void
tls_end(struct conn *c)
{
	if (!c->ssl)
		return;
	if (SSL_is_init_finished(c->ssl))
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	c->ssl = NULL;
}
