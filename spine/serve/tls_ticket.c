/* Resumption without state: tickets, their keys, and what is looked at again when one comes back; see tls.h. */
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/mem.h"
#include "tls_impl.h"

void
tls_rotate(struct tf_tls *t)
{
	t->keys[1] = t->keys[0];
	tf_os_random(t->os, &t->keys[0], sizeof t->keys[0]);
	t->rotated = tf_os_ticks(t->os);
	t->period++;
}

void
tf_tls_rotate(struct tf_tls *t)
{
	pthread_mutex_lock(&t->lock);
	tls_rotate(t);
	pthread_mutex_unlock(&t->lock);
}

static bool
key_use(const struct tls_ticket_key *k, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)k->mac, sizeof k->mac),
			       OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"sha256", 0),
			       OSSL_PARAM_construct_end()};
	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv, encrypt) &&
	       EVP_MAC_CTX_set_params(mac, params);
}

static int
encrypt_with(const struct tls_ticket_key keys[static 2], struct tf_os *os, unsigned char name[16], unsigned char *iv,
	     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	tf_os_random(os, iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
	memcpy(name, keys[0].name, sizeof keys[0].name);
	return key_use(&keys[0], iv, cipher, mac, 1) ? 1 : -1;
}

static int
decrypt_with(const struct tls_ticket_key keys[static 2], bool once, const unsigned char name[16],
	     const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	for (int i = 0; i < 2; i++)
		if (CRYPTO_memcmp(name, keys[i].name, sizeof keys[i].name) == 0)
			return key_use(&keys[i], iv, cipher, mac, 0) ? 1 + (i || once) : -1;
	return 0;
}

/* OpenSSL's answers: 1 the key is set up, 2 and a new ticket is wanted, 0 no such key, -1 failure. */
static int
ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	struct tf_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	bool once = SSL_version(ssl) >= TLS1_3_VERSION; /* its clients use a ticket once: they get another */
	struct tls_ticket_key keys[2];
	pthread_mutex_lock(&t->lock);
	memcpy(keys, t->keys, sizeof keys);
	pthread_mutex_unlock(&t->lock);
	int code = encrypt ? encrypt_with(keys, t->os, name, iv, cipher, mac)
			   : decrypt_with(keys, once, name, iv, cipher, mac);
	OPENSSL_cleanse(keys, sizeof keys);
	return code;
}

/* Before a ticket is made: OpenSSL keeps the leaf in it; what stands between leaf and CA is put beside it. TLS 1.3's
 * holds no more than a name where there is room to keep the session here. */
static int
ticket_made(SSL *ssl, void *arg)
{
	(void)arg;
	void *der_before;
	size_t n_before;
	if (tls_session_keep(SSL_get_app_data(ssl))) {
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
		return 1;
	}
	SSL_clear_options(ssl, SSL_OP_NO_TICKET);
	SSL_SESSION *s = SSL_get_session(ssl);
	if (SSL_SESSION_get0_ticket_appdata(s, &der_before, &n_before) && n_before)
		return 1; /* it is there since the first ticket: who resumes does not send it again */
	uint8_t der[TF_TLS_CHAIN_BYTES], *p = der;
	STACK_OF(X509) *between = SSL_get_peer_cert_chain(ssl);
	for (int i = 0; between && i < sk_X509_num(between); i++) {
		int n = i2d_X509(sk_X509_value(between, i), NULL);
		if (n < 0 || n > der + sizeof der - p)
			return 1; /* not resumed then: its chain cannot be checked */
		i2d_X509(sk_X509_value(between, i), &p);
	}
	return SSL_SESSION_set1_ticket_appdata(s, der, (size_t)(p - der));
}

/* A ticket came back. Whoever showed a certificate then is looked at as if shown now; not good now means a full
 * handshake, which will tell the client why. */
static SSL_TICKET_RETURN
ticket_back(SSL *ssl, SSL_SESSION *s, const unsigned char *name, size_t name_n, SSL_TICKET_STATUS status, void *arg)
{
	struct tf_tls_conn *c = SSL_get_app_data(ssl);
	(void)name;
	(void)name_n;
	(void)arg;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	X509 *leaf = SSL_SESSION_get0_peer(s);
	if (!leaf && c->tls->o.clients == TF_TLS_CLIENTS_MUST)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (leaf) {
		void *der = NULL;
		size_t n = 0;
		SSL_SESSION_get0_ticket_appdata(s, &der, &n);
		tls_client_set(c, tls_client_from_ticket(leaf, der, n));
		if (!c->client || tls_client_check(c->tls, c->client))
			return SSL_TICKET_RETURN_IGNORE_RENEW;
	}
	return status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

int
tls_ticket_setup(struct tf_tls *t, SSL_CTX *ctx)
{
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key) &&
	       SSL_CTX_set_session_ticket_cb(ctx, ticket_made, ticket_back, NULL) &&
	       SSL_CTX_set_timeout(ctx, (long)(2 * t->o.ticket_rotate / TF_SEC) + 1);
}
